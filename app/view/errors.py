"""Every error in words a person can act on: what happened, and what to do about it."""

import errno
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse

from app.attachments import refusal_text
from app.core.errors import (
    BadRequest,
    KeyUnusable,
    KonsiliumError,
    NotAllowed,
    NotFound,
    SettingsInvalid,
    StorageUnavailable,
)
from app.core.text import Language, Text


@dataclass(frozen=True, slots=True)
class Advice:
    """What the error card says: a title, what to do, a command to copy, and the buttons."""

    title: Text
    text: Text
    command: str | None = None
    retry: bool = True
    later: bool = False
    """Time mends it: the text goes on with when to try again."""


KEPT = Text(
    ru="Всё, что успело прийти, сохранено и помечено как неполное.",
    uk="Усе, що встигло надійти, збережено й позначено як неповне.",
    en="Whatever had come is kept and marked as incomplete.",
)


_AGAIN = Text(
    ru="Вопрос сохранён. Попробуйте ещё раз.",
    uk="Запитання збережено. Спробуйте ще раз.",
    en="Your question is kept. Try again.",
)
UPSTREAM: Mapping[str, Advice] = {
    "server_unavailable": Advice(
        Text(
            ru="Сервер {server} не отвечает",
            uk="Сервер {server} не відповідає",
            en="The server {server} does not answer",
        ),
        Text(
            ru="Проверьте, запущен ли он и верен ли адрес. Вопрос сохранён.",
            uk="Перевірте, чи його запущено й чи правильна адреса. Запитання збережено.",
            en="Check that it is running and that its address is right. Your question is kept.",
        ),
    ),
    "server_busy": Advice(
        Text(
            ru="Сервер {server} занят",
            uk="Сервер {server} зайнятий",
            en="The server {server} is busy",
        ),
        Text(ru="Его очередь заполнена.", uk="Його черга заповнена.", en="Its queue is full."),
        later=True,
    ),
    "server_fault": Advice(
        Text(
            ru="На сервере {server} произошла ошибка",
            uk="На сервері {server} сталася помилка",
            en="The server {server} failed",
        ),
        Text(
            ru="Подробности — в журнале сервера и в журнале Konsilium. Вопрос сохранён.",
            uk="Подробиці — у журналі сервера та в журналі Konsilium. Запитання збережено.",
            en="Its log and Konsilium's log hold the details. Your question is kept.",
        ),
    ),
    "server_moved": Advice(
        Text(
            ru="Сервер {server} переехал",
            uk="Сервер {server} переїхав",
            en="The server {server} has moved",
        ),
        Text(
            ru="Он отвечает по другому адресу. Каким он стал, записано в журнале Konsilium: исправьте"
            " адрес в настройках.",
            uk="Він відповідає за іншою адресою. Яка вона тепер, записано в журналі Konsilium: виправте"
            " адресу в налаштуваннях.",
            en="It answers at another address. Konsilium's log says which: correct the address in the"
            " settings.",
        ),
        retry=False,
    ),
    "disk_full": Advice(
        Text(
            ru="На диске сервера {server} кончилось место",
            uk="На диску сервера {server} закінчилося місце",
            en="The disk of the server {server} is full",
        ),
        Text(
            ru="Освободите место или удалите ненужную модель и повторите: загруженное сохранено.",
            uk="Звільніть місце або видаліть непотрібну модель і повторіть: завантажене збережено.",
            en="Free some space or remove a model, and try again: what has come is kept.",
        ),
    ),
    "server_outdated": Advice(
        Text(
            ru="Сервер {server} слишком старый для модели {model}",
            uk="Сервер {server} застарий для моделі {model}",
            en="The server {server} is too old for the model {model}",
        ),
        Text(
            ru="Обновите Ollama на нём и повторите.",
            uk="Оновіть на ньому Ollama й повторіть.",
            en="Update the Ollama there, and try again.",
        ),
        retry=False,
    ),
    "library_unreachable": Advice(
        Text(
            ru="Сервер {server} не достаёт до библиотеки моделей",
            uk="Сервер {server} не може дістатися бібліотеки моделей",
            en="The server {server} cannot reach the library of models",
        ),
        Text(
            ru="Проверьте интернет, DNS и прокси на той машине, где он работает.",
            uk="Перевірте інтернет, DNS і проксі на тій машині, де він працює.",
            en="Check the internet, DNS and proxy of the machine that it runs on.",
        ),
    ),
    "connection_lost": Advice(
        Text(
            ru="Связь с сервером {server} прервалась",
            uk="Зв'язок із сервером {server} перервався",
            en="The connection to the server {server} was lost",
        ),
        KEPT,
    ),
    "incomplete_answer": Advice(
        Text(
            ru="Ответ оборвался",
            uk="Відповідь обірвалася",
            en="The answer broke off",
        ),
        Text(
            ru="Сервер {server} закончил передачу раньше времени. Всё, что успело прийти, сохранено.",
            uk="Сервер {server} завершив передавання завчасно. Усе, що встигло надійти, збережено.",
            en="The server {server} ended the stream too early. Whatever had come is kept.",
        ),
    ),
    "empty_answer": Advice(
        Text(
            ru="Модель {model} ничего не ответила",
            uk="Модель {model} нічого не відповіла",
            en="The model {model} answered nothing",
        ),
        Text(
            ru="Повторите вопрос, измените его или выберите другую модель.",
            uk="Повторіть запитання, змініть його або виберіть іншу модель.",
            en="Ask again, put it differently, or choose another model.",
        ),
    ),
    "malformed_answer": Advice(
        Text(
            ru="Сервер {server} ответил непонятно",
            uk="Сервер {server} відповів незрозуміло",
            en="The server {server} answered with something else",
        ),
        Text(
            ru="Похоже, по этому адресу не API модели. Проверьте адрес сервера.",
            uk="Схоже, за цією адресою не API моделі. Перевірте адресу сервера.",
            en="The address does not seem to be a model's API. Check the server's address.",
        ),
    ),
    "first_token_timeout": Advice(
        Text(
            ru="Модель так и не начала отвечать",
            uk="Модель так і не почала відповідати",
            en="The model never began to answer",
        ),
        Text(
            ru="Возможно, серверу {server} не хватает памяти. Попробуйте модель поменьше.",
            uk="Можливо, серверу {server} бракує пам'яті. Спробуйте меншу модель.",
            en="The server {server} may be short of memory. Try a smaller model.",
        ),
    ),
    "silence_timeout": Advice(
        Text(
            ru="Модель замолчала",
            uk="Модель замовкла",
            en="The model fell silent",
        ),
        KEPT,
    ),
    "server_error": Advice(
        Text(
            ru="Сервер {server} подвёл",
            uk="Сервер {server} підвів",
            en="The server {server} failed",
        ),
        _AGAIN,
    ),
    "wrong_key": Advice(
        Text(
            ru="Сервер {server} не принял ключ",
            uk="Сервер {server} не прийняв ключ",
            en="The server {server} refused the key",
        ),
        Text(
            ru="Проверьте, верен ли ключ и не истёк ли он. Его меняют в панели «Модели и серверы», а заданный в файле .env — там.",
            uk="Перевірте, чи ключ правильний і чи не минув його термін. Його змінюють у панелі «Моделі та сервери», а заданий у файлі .env — там.",
            en="Check that the key is right and has not expired. It is changed in the panel “Models and servers”; one from the file .env is changed there.",
        ),
    ),
    "sign_in_needed": Advice(
        Text(
            ru="Сервер {server} не вошёл в ollama.com",
            uk="Сервер {server} не увійшов до ollama.com",
            en="The server {server} is not signed in at ollama.com",
        ),
        Text(
            ru="Модель {model} работает в облаке Ollama. Войдите по ссылке или выполните команду на той машине,"
            " где работает этот сервер, и повторите вопрос.",
            uk="Модель {model} працює у хмарі Ollama. Увійдіть за посиланням або виконайте команду на тій машині,"
            " де працює цей сервер, і повторіть запитання.",
            en="The model {model} runs in Ollama's cloud. Sign in by the link, or run the command on that server's"
            " machine, and ask again.",
        ),
        command="ollama signin",
    ),
    "model_not_found": Advice(
        Text(
            ru="Модели {model} больше нет",
            uk="Моделі {model} більше немає",
            en="The model {model} is gone",
        ),
        Text(
            ru="Выберите другую модель под полем ввода и повторите.",
            uk="Виберіть іншу модель під полем введення й повторіть.",
            en="Choose another model below the input and try again.",
        ),
    ),
    "no_such_service": Advice(
        Text(
            ru="Сервер {server} не умеет этого с моделью {model}",
            uk="Сервер {server} не вміє цього з моделлю {model}",
            en="The server {server} cannot do this with the model {model}",
        ),
        Text(
            ru="Выберите модель другого сервера.",
            uk="Виберіть модель іншого сервера.",
            en="Choose a model of another server.",
        ),
    ),
    "context_too_long": Advice(
        Text(
            ru="Разговор не помещается в окно модели",
            uk="Розмова не вміщується у вікно моделі",
            en="The conversation does not fit the model's window",
        ),
        Text(
            ru="Сожмите его, отбросьте старые сообщения или выберите модель с большим окном.",
            uk="Стисніть її, відкиньте старі повідомлення або виберіть модель із більшим вікном.",
            en="Compress it, drop the oldest messages, or choose a model with a larger window.",
        ),
    ),
    "rate_limited": Advice(
        Text(
            ru="Слишком много запросов к серверу {server}",
            uk="Забагато запитів до сервера {server}",
            en="Too many requests to the server {server}",
        ),
        Text(
            ru="Сервер просит подождать.",
            uk="Сервер просить зачекати.",
            en="The server asks to wait.",
        ),
        later=True,
    ),
    "quota_exceeded": Advice(
        Text(
            ru="На сервере {server} закончились средства или квота",
            uk="На сервері {server} закінчилися кошти або квота",
            en="The credits or the quota at the server {server} are spent",
        ),
        Text(
            ru="Пополните счёт у поставщика или выберите другую модель.",
            uk="Поповніть рахунок у постачальника або виберіть іншу модель.",
            en="Top up at the provider, or choose another model.",
        ),
    ),
    "bad_request": Advice(
        Text(
            ru="Сервер {server} отклонил запрос",
            uk="Сервер {server} відхилив запит",
            en="The server {server} rejected the request",
        ),
        Text(
            ru="Проверьте настройки: не каждая модель принимает каждую из них.",
            uk="Перевірте налаштування: не кожна модель приймає кожне з них.",
            en="Check the settings: not every model takes each of them.",
        ),
    ),
    "content_filtered": Advice(
        Text(
            ru="Ответ остановил фильтр поставщика",
            uk="Відповідь зупинив фільтр постачальника",
            en="The provider's filter stopped the answer",
        ),
        Text(
            ru="Переформулируйте вопрос или выберите другую модель.",
            uk="Переформулюйте запитання або виберіть іншу модель.",
            en="Rephrase the question, or choose another model.",
        ),
    ),
    "unsupported": Advice(
        Text(
            ru="Модель {model} этого не умеет",
            uk="Модель {model} цього не вміє",
            en="The model {model} cannot do this",
        ),
        Text(
            ru="Выберите другую модель.",
            uk="Виберіть іншу модель.",
            en="Choose another model.",
        ),
    ),
    "request_refused": Advice(
        Text(
            ru="Сервер {server} отказал",
            uk="Сервер {server} відмовив",
            en="The server {server} refused",
        ),
        _AGAIN,
    ),
}

OLLAMA_DOWN = Advice(
    Text(
        ru="Ollama не запущена",
        uk="Ollama не запущена",
        en="Ollama is not running",
    ),
    Text(
        ru="Запустите её и повторите. Вопрос сохранён.",
        uk="Запустіть її й повторіть. Запитання збережено.",
        en="Start it and try again. Your question is kept.",
    ),
    command="ollama serve",
)


HERE: Mapping[str, Advice] = {
    "no_models": Advice(
        Text(
            ru="Моделей нет",
            uk="Моделей немає",
            en="There are no models",
        ),
        Text(
            ru="Скачайте встроенную модель или подключите сервер либо облако с ключом: модели появятся в списке сами.",
            uk="Завантажте вбудовану модель або під'єднайте сервер чи хмару з ключем: моделі з'являться у списку самі.",
            en="Fetch the embedded model, or connect a server or a cloud with a key: models will appear in the list by themselves.",
        ),
    ),
    "limit_reached": Advice(
        Text(
            ru="Достигнут предел",
            uk="Досягнуто межі",
            en="A limit is reached",
        ),
        Text(
            ru="Пределы задаёт администратор.",
            uk="Межі встановлює адміністратор.",
            en="The administrator sets the limits.",
        ),
        later=True,
    ),
    "budget_exceeded": Advice(
        Text(
            ru="Бюджет исчерпан",
            uk="Бюджет вичерпано",
            en="The budget is spent",
        ),
        Text(
            ru="Обратитесь к администратору или выберите локальную модель.",
            uk="Зверніться до адміністратора або виберіть локальну модель.",
            en="Ask the administrator, or choose a local model.",
        ),
    ),
    "not_allowed": Advice(
        Text(ru="Сюда нет доступа", uk="Сюди немає доступу", en="You have no access to this"),
        Text(
            ru="Войдите под другим именем или обратитесь к администратору.",
            uk="Увійдіть під іншим іменем або зверніться до адміністратора.",
            en="Sign in as someone else, or ask the administrator.",
        ),
        retry=False,
    ),
    "not_found": Advice(
        Text(
            ru="Этого разговора нет",
            uk="Цієї розмови немає",
            en="There is no such conversation",
        ),
        Text(
            ru="Возможно, его удалили. Начните новый.",
            uk="Можливо, її видалили. Почніть нову.",
            en="It may have been deleted. Start a new one.",
        ),
        retry=False,
    ),
    "attachment_refused": Advice(
        Text(
            ru="Файл не подошёл",
            uk="Файл не підійшов",
            en="The file cannot be used",
        ),
        Text(
            ru="Приложите другой файл или вставьте текст в сообщение.",
            uk="Додайте інший файл або вставте текст у повідомлення.",
            en="Attach another file, or paste its text into the message.",
        ),
        retry=False,
    ),
    "storage_unavailable": Advice(
        Text(
            ru="Не удаётся сохранить вопрос",
            uk="Не вдається зберегти запитання",
            en="Your question could not be stored",
        ),
        Text(
            ru="База данных или диск не принимают запись, поэтому модель не спрошена. Повторите.",
            uk="База даних або диск не приймають запису, тому модель не запитано. Повторіть.",
            en="The database or the disk takes no writes, so the model was not asked. Try again.",
        ),
    ),
    "settings_invalid": Advice(
        Text(ru="Неверная настройка", uk="Хибне налаштування", en="A setting is wrong"),
        Text(
            ru="Подробности — в журнале приложения.",
            uk="Подробиці — у журналі застосунку.",
            en="The app's log has the details.",
        ),
        retry=False,
    ),
    "key_unusable": Advice(
        Text(ru="Такого ключа не бывает", uk="Такого ключа не буває", en="That is no key"),
        Text(
            ru="В нём пробел, многоточие или буква не из латиницы. Скопируйте его ещё раз, целиком.",
            uk="У ньому пробіл, три крапки або літера не з латиниці. Скопіюйте його ще раз, повністю.",
            en="It has a blank, dots or a letter that is not Latin. Copy it once more, whole.",
        ),
        retry=False,
    ),
    "interrupted": Advice(
        Text(
            ru="Ответ прервался: приложение было остановлено",
            uk="Відповідь перервано: застосунок було зупинено",
            en="The answer was interrupted: the app was stopped",
        ),
        KEPT,
    ),
    "stopped": Advice(
        Text(
            ru="Ответ остановлен до первого слова",
            uk="Відповідь зупинено до першого слова",
            en="The answer was stopped before its first word",
        ),
        Text(
            ru="Вопрос сохранён, его можно задать ещё раз.",
            uk="Запитання збережено, його можна поставити ще раз.",
            en="Your question is kept; you may ask it again.",
        ),
    ),
    "internal_error": Advice(
        Text(
            ru="Что-то пошло не так",
            uk="Щось пішло не так",
            en="Something went wrong",
        ),
        Text(
            ru="Ошибка записана в журнал приложения. Вопрос сохранён.",
            uk="Помилку записано в журнал застосунку. Запитання збережено.",
            en="The error is in the app's log. Your question is kept.",
        ),
    ),
}


ADVICE: Mapping[str, Advice] = {**UPSTREAM, **HERE}
LEAD_TO_SERVERS = (
    "wrong_key",
    "server_unavailable",
    "malformed_answer",
    "server_moved",
    "no_models",
)
"""What is mended in the panel of servers."""

WAYS_OUT = {
    "compress_now": Text(ru="Сжать сейчас", uk="Стиснути зараз", en="Compress now"),
    "drop_oldest": Text(
        ru="Отбросить старые сообщения",
        uk="Відкинути старі повідомлення",
        en="Drop the oldest messages",
    ),
    "retry": Text(
        ru="Повторить с другой моделью",
        uk="Повторити з іншою моделлю",
        en="Try again with another model",
    ),
}
"""What may be done where a conversation does not fit the window: buttons of the error card. The last of
them is all that helps a picture before a model that sees none."""

_LATER = Text(
    ru="Повторите чуть позже.", uk="Повторіть трохи згодом.", en="Try again a little later."
)
_IN_SECONDS = Text(
    ru="Повторите через {seconds} с.",
    uk="Повторіть через {seconds} с.",
    en="Try again in {seconds} s.",
)
_NEAR = Text(ru="Похожие: {names}.", uk="Схожі: {names}.", en="Alike: {names}.")


def advice_for(
    facts: Mapping[str, Any], language: Language, *, ollama: bool = False
) -> dict[str, Any]:
    """The error card's words: {"title", "text", "command", "link", "retry", "actions", "servers"}, in
    `language`; `servers`: whether the panel of servers is where it is mended.

    `facts` is what the turn kept of the error (`code`, `server`, `model`, `retry_after`, ...);
    `ollama` says that the server is an Ollama, whose start command we know; or, where no server is
    named, that there is one.
    """
    code = str(facts.get("code", "internal_error"))
    advice = ADVICE.get(code, ADVICE["internal_error"])
    if code == "server_unavailable" and ollama:
        advice = OLLAMA_DOWN
    if code == "no_models" and ollama:
        advice = replace(advice, command="ollama pull gemma2:2b")
    words = {"server": facts.get("server") or "—", "model": facts.get("model") or "—"}
    text = advice.text.format(**words)[language]
    if seconds := facts.get("retry_after"):
        text += " " + _IN_SECONDS.format(seconds=max(1, round(float(seconds))))[language]
    elif advice.later:
        text += " " + _LATER[language]
    if near := facts.get("near"):
        text += " " + _NEAR.format(names=", ".join(map(str, near[:3])))[language]
    if code == "attachment_refused" and "reason" in facts:
        text = refusal_text(facts["reason"], facts.get("facts", {}))[language]
    unseen = code == "attachment_refused" and facts.get("reason") == "no_vision"
    ways = list(WAYS_OUT) if code == "context_too_long" else ["retry"] if unseen else []
    return {
        "title": advice.title.format(**words)[language],
        "text": text,
        "command": advice.command,
        "link": url if (url := str(facts.get("url", ""))).startswith("https://") else None,
        "retry": advice.retry or unseen,
        "actions": [
            {"name": name, "label": WAYS_OUT[name][language], "other_model": name == "retry"}
            for name in ways
        ],
        "servers": code in LEAD_TO_SERVERS,
    }


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
    "server_outdated": Text(
        ru="Для модели {model} нужна версия Ollama новее, чем на сервере {server}. Обновите её и повторите.",
        uk="Для моделі {model} потрібна новіша версія Ollama, ніж на сервері {server}. Оновіть її й повторіть.",
        en="The model {model} needs a newer Ollama than the server {server} has. Update it and try again.",
    ),
    "library_unreachable": Text(
        ru="Сервер {server} не достаёт до библиотеки моделей. Проверьте интернет, DNS и прокси на его машине.",
        uk="Сервер {server} не може дістатися бібліотеки моделей. Перевірте інтернет, DNS і проксі на його машині.",
        en="The server {server} cannot reach the library of models. Check its machine's internet, DNS and proxy.",
    ),
    "server_busy": Text(
        ru="Библиотека моделей просит подождать: запросов слишком много. Повторите через несколько минут.",
        uk="Бібліотека моделей просить зачекати: запитів забагато. Повторіть за кілька хвилин.",
        en="The library of models asks to wait: there are too many requests. Try again in a few minutes.",
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
        ru="По этому адресу никто не отвечает: {address}",
        uk="За цією адресою ніхто не відповідає: {address}",
        en="Nobody answers at that address: {address}",
    ),
    "malformed_answer": Text(
        ru="По этому адресу отвечает не API модели: {address}. Обычно адрес кончается на /v1.",
        uk="За цією адресою відповідає не API моделі: {address}. Зазвичай адреса закінчується на /v1.",
        en="What answers there is not a model's API: {address}. The address usually ends in /v1.",
    ),
    "not_found": Text(
        ru="Такого файла на машине, где работает приложение, нет.",
        uk="Такого файлу на машині, де працює застосунок, немає.",
        en="There is no such file on the machine that the app runs on.",
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
_WRONG_FIELD: Mapping[str, Text] = {
    "name": Text(
        ru="Имя занято или не годится: нужны латинские буквы, цифры, точки и дефисы.",
        uk="Назва зайнята або не годиться: потрібні латинські літери, цифри, крапки й дефіси.",
        en="The name is taken or cannot be one: Latin letters, digits, dots and hyphens are needed.",
    ),
    "url": Text(
        ru="Это не адрес сервера. Нужен такой: 127.0.0.1:8080 или https://example.com/v1.",
        uk="Це не адреса сервера. Потрібна така: 127.0.0.1:8080 або https://example.com/v1.",
        en="That is no server's address. Such is needed: 127.0.0.1:8080 or https://example.com/v1.",
    ),
    "key": Text(
        ru="Это не ключ: знак {place} — пробел, многоточие или буква, которая только похожа на латинскую. Скопируйте его ещё раз, целиком.",
        uk="Це не ключ: знак {place} — пробіл, три крапки або літера, яка лише схожа на латинську. Скопіюйте його ще раз, повністю.",
        en="That is no key: its character {place} is a blank, dots, or a letter that only looks Latin. Copy it once more, whole.",
    ),
    "no_key": Text(
        ru="Этому серверу нужен ключ, а поле пусто.",
        uk="Цьому серверу потрібен ключ, а поле порожнє.",
        en="This server needs a key, and the field is empty.",
    ),
    "former": Text(
        ru="Адрес или поставщик другой: впишите ключ ещё раз, прежний туда не уйдёт.",
        uk="Адреса або постачальник інші: впишіть ключ ще раз, попередній туди не піде.",
        en="The address or the provider is another one: enter the key again; the former does not go there.",
    ),
    "path": Text(
        ru="Это не файл модели GGUF. Нужен полный путь на машине, где работает приложение.",
        uk="Це не файл моделі GGUF. Потрібен повний шлях на машині, де працює застосунок.",
        en="That is no GGUF model. The whole path on the machine that the app runs on is needed.",
    ),
    "EMBEDDED_MODEL": Text(
        ru="Встроенную модель задаёт переменная EMBEDDED_MODEL: меняется она только там.",
        uk="Вбудовану модель задає змінна EMBEDDED_MODEL: змінюється вона лише там.",
        en="The embedded model is set by EMBEDDED_MODEL, and changed only there.",
    ),
}


def join_failed(error: KonsiliumError, language: Language, address: str | None = None) -> str:
    """Why a server that someone named was not kept, or does not work; `address` is where it was asked."""
    code = "malformed_answer" if error.code == "model_not_found" else error.code  # 404 for a list
    if isinstance(error, SettingsInvalid):
        place = error.place if isinstance(error, KeyUnusable) else None
        missing = error.variable.endswith("_API_KEY")
        field = "key" if place else "no_key" if missing else error.variable
        if field in _WRONG_FIELD:
            return _WRONG_FIELD[field].format(place=place)[language]
    if code in _JOIN_FAILED:
        return _JOIN_FAILED[code].format(address=address or "—")[language]
    return ADVICE.get(code, ADVICE["internal_error"]).title.format(
        server=error.server or "—", model=error.model or "—"
    )[language]


_STATUS: Mapping[type[Exception], int] = {
    BadRequest: 400,
    NotFound: 404,
    NotAllowed: 401,
    StorageUnavailable: 503,
    json.JSONDecodeError: 400,  # of a body that Chainlit reads by itself
    UnicodeDecodeError: 400,
}


def answer_errors(app: FastAPI) -> None:
    """Makes those errors answers with a status and a code; the detail stays in the log."""

    async def answer(_request: Request, error: Exception) -> JSONResponse:
        status = next(s for kind, s in _STATUS.items() if isinstance(error, kind))
        code = error.code if isinstance(error, KonsiliumError) else "invalid_request"
        return JSONResponse({"detail": code}, status)

    async def misshapen(_request: Request, error: Exception) -> JSONResponse:
        """Without what was sent, as FastAPI would: that may be such as no JSON can say again."""
        assert isinstance(error, RequestValidationError)  # noqa: S101 - as it is registered
        told = [
            {"loc": one["loc"], "msg": one["msg"], "type": one["type"]} for one in error.errors()
        ]
        return JSONResponse({"detail": told}, 422)

    async def nameless(_request: Request, error: Exception) -> JSONResponse:
        """A name that no file can have is that of none."""
        if isinstance(error, OSError) and error.errno == errno.ENAMETOOLONG:
            return JSONResponse({"detail": "not_found"}, 404)
        raise error

    app.add_exception_handler(OSError, nameless)
    app.add_exception_handler(RequestValidationError, misshapen)
    for kind in _STATUS:
        app.add_exception_handler(kind, answer)
