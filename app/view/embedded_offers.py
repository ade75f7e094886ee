"""The models that may run inside the app, as the guide and the servers panel offer them."""

from collections.abc import Mapping, Sequence
from typing import Any

from app.core.errors import Unsupported
from app.core.models import EmbeddedOffer, ServerState
from app.core.providers import provider_of
from app.core.text import Language, Text

NO_ROOM = Text(
    ru="На этом компьютере мало памяти для встроенной модели.",
    uk="На цьому комп'ютері замало пам'яті для вбудованої моделі.",
    en="This machine has too little memory for an embedded model.",
)
NO_LLAMA = Text(
    ru="Нет llama.cpp: установите пакет xllamacpp (pip install xllamacpp) и перезапустите приложение.",
    uk="Немає llama.cpp: встановіть пакет xllamacpp (pip install xllamacpp) і перезапустіть застосунок.",
    en="llama.cpp is missing: install the package xllamacpp (pip install xllamacpp) and restart the app.",
)
NO_FILE = Text(
    ru="Файла {name} нет. Исправьте EMBEDDED_MODEL и перезапустите приложение.",
    uk="Файлу {name} немає. Виправте EMBEDDED_MODEL і перезапустіть застосунок.",
    en="There is no file {name}. Correct EMBEDDED_MODEL and restart the app.",
)
NOT_STARTING = Text(
    ru="Модель {name} не запускается. Причина — в журнале приложения.",
    uk="Модель {name} не запускається. Причина — у журналі застосунку.",
    en="The model {name} does not start. The app's log says why.",
)

_FAILED: Mapping[str, Text] = {
    "model_not_found": Text(
        ru="В хранилище моделей нет такого файла. Проверьте EMBEDDED_MODEL.",
        uk="У сховищі моделей немає такого файлу. Перевірте EMBEDDED_MODEL.",
        en="The model hub has no such file. Check EMBEDDED_MODEL.",
    ),
    "wrong_key": Text(
        ru="Хранилище моделей не отдаёт этот файл без входа. Скачайте его сами и укажите путь в "
        "EMBEDDED_MODEL.",
        uk="Сховище моделей не віддає цей файл без входу. Завантажте його самі й укажіть шлях в "
        "EMBEDDED_MODEL.",
        en="The model hub wants a sign-in for this file. Fetch it yourself and put its path into "
        "EMBEDDED_MODEL.",
    ),
    "malformed_answer": Text(
        ru="Файл пришёл повреждённым: контрольная сумма не сошлась. Скачайте его заново.",
        uk="Файл надійшов пошкодженим: контрольна сума не збіглася. Завантажте його знову.",
        en="The file came damaged: its checksum differs. Download it again.",
    ),
    "disk_full": Text(
        ru="На диске не хватает места. Освободите его и повторите: загруженное сохранено.",
        uk="На диску бракує місця. Звільніть його й повторіть: завантажене збережено.",
        en="There is not enough room on the disk. Free some and try again: what has come is kept.",
    ),
    "storage_unavailable": Text(
        ru="Нет прав на запись в папку данных приложения.",
        uk="Немає прав на запис у теку даних застосунку.",
        en="The app may not write to its data folder.",
    ),
}
_BROKEN_OFF = Text(
    ru="Связь с хранилищем моделей прервалась. Загруженное сохранено: можно продолжить.",
    uk="Зв'язок зі сховищем моделей перервався. Завантажене збережено: можна продовжити.",
    en="The connection to the model hub was lost. What has come is kept: you can go on.",
)


def offers_props(
    offers: Sequence[EmbeddedOffer],
    states: Sequence[ServerState],
    language: Language,
    *,
    admin: bool,
) -> dict[str, Any]:
    """`offers` that may be fetched or are here, best first of those that speak the language; `reason`: why none can be run; `may`: whether
    the reader may fetch and remove."""
    reason = _reason(offers, states)
    spoken = sorted(offers, key=lambda offer: language not in (offer.languages or (language,)))
    return {
        "reason": reason[language] if reason else None,
        "offers": [_offer(offer, language) for offer in spoken if offer.state != "unusable"],
        "may": admin,
    }


def _reason(offers: Sequence[EmbeddedOffer], states: Sequence[ServerState]) -> Text | None:
    if not offers:
        return NO_ROOM
    first = offers[0]
    if first.state == "unusable":
        why = NO_LLAMA if isinstance(first.error, Unsupported) else NO_FILE
        return why.format(name=first.name)
    if first.state == "ready" and any(provider_of(s.provider).inside and s.error for s in states):
        return NOT_STARTING.format(name=first.name)
    return None


def _offer(offer: EmbeddedOffer, language: Language) -> Mapping[str, Any]:
    props: dict[str, Any] = {
        "name": offer.name,
        "state": offer.state,
        "size": offer.size_bytes,
        "completed": offer.completed_bytes,
        "licence": offer.licence,
        "languages": list(offer.languages),
        "ours": offer.ours,
        "chosen": offer.chosen,
        "error": _FAILED.get(offer.error.code, _BROKEN_OFF)[language] if offer.error else None,
    }
    if offer.state == "downloading":
        speed, size = offer.bytes_per_second, offer.size_bytes
        props["progress"] = {
            "status": "pulling",
            "completed": offer.completed_bytes,
            "total": size,
            "speed": speed,
            "left_s": (size - offer.completed_bytes) / speed if speed and size else None,
        }
    return props
