"""Why a model did not come, or a server was not kept."""

from collections.abc import Mapping

from app.core.errors import KonsiliumError
from app.core.text import Language, Text
from app.view.errors.card import ADVICE

PULL_FAILED: Mapping[str, Text] = {
    "model_not_found": Text(
        ru="Модели {model} в библиотеке нет. Проверьте имя.",
        uk="Моделі {model} у бібліотеці немає. Перевірте назву.",
        en="The library has no model {model}. Check the name.",
    ),
    "not_allowed": Text(
        ru="Нет прав: серверу {server} закрыта запись в папку моделей или сама модель закрыта.",
        uk="Немає прав: сервер {server} не може писати в теку моделей або сама модель закрита.",
        en="No rights: the server {server} may not write to its models, or the model is private.",
    ),
    "disk_full": Text(
        ru="На диске сервера {server} кончилось место. Освободите его и повторите.",
        uk="На диску сервера {server} закінчилося місце. Звільніть його й повторіть.",
        en="The disk of the server {server} is full. Free some space and try again.",
    ),
    "unsupported": Text(
        ru="Сервер {server} не умеет загружать модели.",
        uk="Сервер {server} не вміє завантажувати моделі.",
        en="The server {server} cannot fetch models.",
    ),
}
_RESUMES = Text(
    ru="Загруженное сохранено: следующая попытка продолжит с этого места.",
    uk="Завантажене збережено: наступна спроба продовжить із цього місця.",
    en="What has come is kept: the next try goes on from there.",
)


def pull_failed(error: KonsiliumError, language: Language) -> str:
    """Why a model could not be fetched, and what to do about it."""
    words = {"server": error.server or "—", "model": error.model or "—"}
    if error.code in PULL_FAILED:
        return PULL_FAILED[error.code].format(**words)[language]
    title = ADVICE.get(error.code, ADVICE["internal_error"]).title
    return f"{title.format(**words)[language]}. {_RESUMES[language]}"


_JOIN_FAILED: Mapping[str, Text] = {
    "wrong_key": Text(
        ru="Сервер не принял этот ключ. Проверьте, что он скопирован целиком.",
        uk="Сервер не прийняв цей ключ. Перевірте, чи скопійовано його повністю.",
        en="The server refused this key. Check that it was copied whole.",
    ),
    "server_unavailable": Text(
        ru="По этому адресу никто не отвечает.",
        uk="За цією адресою ніхто не відповідає.",
        en="Nobody answers at that address.",
    ),
    "malformed_answer": Text(
        ru="По этому адресу отвечает не API модели. Обычно адрес кончается на /v1.",
        uk="За цією адресою відповідає не API моделі. Зазвичай адреса закінчується на /v1.",
        en="What answers there is not a model's API. The address usually ends in /v1.",
    ),
    "no_models": Text(
        ru="Сервер отвечает, но моделей на нём нет.",
        uk="Сервер відповідає, але моделей на ньому немає.",
        en="The server answers but has no models.",
    ),
    "storage_unavailable": Text(
        ru="Ключ подошёл, но папка данных не принимает запись, поэтому он не сохранён.",
        uk="Ключ підійшов, але тека даних не приймає запис, тому його не збережено.",
        en="The key works, but the data folder takes no writes, so it was not kept.",
    ),
    "settings_invalid": Text(
        ru="Проверьте поля. Сервер, заданный переменными окружения, меняется только там.",
        uk="Перевірте поля. Сервер, заданий змінними оточення, змінюється лише там.",
        en="Check the fields. A server set by environment variables is changed only there.",
    ),
}


def join_failed(error: KonsiliumError, language: Language) -> str:
    """Why a server that someone named was not kept."""
    code = "malformed_answer" if error.code == "model_not_found" else error.code  # 404 for a list
    if code in _JOIN_FAILED:
        return _JOIN_FAILED[code][language]
    return ADVICE.get(code, ADVICE["internal_error"]).title.format(
        server=error.server or "—", model=error.model or "—"
    )[language]
