"""What model servers do wrong, and what they refuse."""

from collections.abc import Mapping

from app.core.text import Text
from app.view.errors.advice import KEPT, Advice

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
            ru="Проверьте, верен ли ключ и не истёк ли он. Его задают в файле .env или при подключении сервера.",
            uk="Перевірте, чи ключ правильний і чи не минув його термін. Його задають у файлі .env або під час підключення сервера.",
            en="Check that the key is right and has not expired. It is set in the file .env or when the server is added.",
        ),
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
        ru="❌ Ollama не запущена",
        uk="❌ Ollama не запущена",
        en="❌ Ollama is not running",
    ),
    Text(
        ru="Запустите её и повторите. Вопрос сохранён.",
        uk="Запустіть її й повторіть. Запитання збережено.",
        en="Start it and try again. Your question is kept.",
    ),
    command="ollama serve",
)
