"""What goes wrong on our side of the wire: limits, files, rights, storage."""

from collections.abc import Mapping

from app.core.text import Text
from app.view.errors.advice import KEPT, Advice

HERE: Mapping[str, Advice] = {
    "no_models": Advice(
        Text(
            ru="📦 Моделей нет",
            uk="📦 Моделей немає",
            en="📦 There are no models",
        ),
        Text(
            ru="Установите модель, и она появится в списке сама.",
            uk="Установіть модель, і вона сама з'явиться у списку.",
            en="Install one; it will appear in the list by itself.",
        ),
        command="ollama pull gemma2:2b",
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
    "interrupted": Advice(
        Text(
            ru="Ответ прервался: приложение было остановлено",
            uk="Відповідь перервано: застосунок було зупинено",
            en="The answer was interrupted: the app was stopped",
        ),
        KEPT,
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
