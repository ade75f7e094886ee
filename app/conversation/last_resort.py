"""Turns of a model of last resort: it is too small for councils and other languages, so it answers in a
plain chat, and says so first."""

from app.conversation.language import words_of
from app.conversation.mode import Mode, TurnContext
from app.core.events import StepKind
from app.core.text import Text

PLAIN = Text(
    ru="Для режима «{mode}» нужна модель посильнее: крошечная просто отвечает.",
    uk="Для режиму «{mode}» потрібна сильніша модель: крихітна просто відповідає.",
    en="“{mode}” needs a better model: the tiny one just answers.",
)
ENGLISH_ONLY = Text(
    ru="Крошечная модель понимает только английский, и тому, что она скажет, верить не стоит. Спросите "
    "по-английски или подключите модель получше.",
    uk="Крихітна модель розуміє лише англійську, і тому, що вона скаже, вірити не варто. Запитайте "
    "англійською або під'єднайте кращу модель.",
    en="The tiny model understands English only, so do not rely on what it says. Ask in English, or "
    "connect a better model.",
)


def warn(turn: TurnContext, asked_for: Mode) -> None:
    """A line before the answer, where it is not what the person asked for or cannot be understood. The
    language is said once, until a question in Latin letters comes between."""
    language = turn.request.language
    lines = []
    if asked_for.id != "chat":
        lines.append(PLAIN.format(mode=asked_for.name[language])[language])
    if is_foreign(turn.request.question.text) and not _was_foreign(turn):
        lines.append(ENGLISH_ONLY[language])
    if lines:
        with turn.step(StepKind.NOTICE, "Konsilium") as step:
            step.write(" ".join(lines))


def is_foreign(text: str) -> bool:
    """Whether most letters of a text are not Latin."""
    letters = "".join(words_of(text))
    return 2 * sum(letter.isascii() for letter in letters) < len(letters)


def _was_foreign(turn: TurnContext) -> bool:
    asked = [message.text for message in turn.history if message.role == "user"]
    return bool(asked) and is_foreign(asked[-1])
