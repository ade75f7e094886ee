"""Plain chat: one question, one model, one answer."""

from app.conversation.answer import answer
from app.conversation.mode import TurnContext
from app.core.notes import Note
from app.core.options import Option
from app.core.text import Text


class Chat:
    id = "chat"
    name = Text(ru="Чат", uk="Чат", en="Chat")
    description = Text(
        ru="Отвечает одна модель", uk="Відповідає одна модель", en="One model answers"
    )
    icon = "message-circle"
    options: tuple[Option, ...] = ()
    notes: tuple[type[Note], ...] = ()
    takes_interjections = False

    async def respond(self, turn: TurnContext) -> None:
        await answer(turn, turn.prompt.messages)


MODE, PLACE = Chat(), 0
