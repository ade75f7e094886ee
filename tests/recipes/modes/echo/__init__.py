"""A mode of one folder: it says the question again, as often as its option wants."""

from dataclasses import dataclass

from app.conversation.mode import TurnContext
from app.core.events import StepKind
from app.core.notes import Note
from app.core.options import Option
from app.core.text import Text, same


@dataclass(frozen=True, slots=True)
class EchoNote(Note):
    """How often it was said."""

    key = "echo"
    steps = (StepKind.ANSWER,)
    element = "Echo"
    times: int


class Echo:
    id = "echo"
    name = Text(ru="Эхо", uk="Луна", en="Echo")
    description = Text(ru="Повторяет вопрос", uk="Повторює питання", en="Says the question again")
    icon = "repeat"
    options: tuple[Option, ...] = (
        Option("echo_times", "number", same("×"), 2, minimum=1, maximum=9, step=1, group="mode"),
    )
    notes: tuple[type[Note], ...] = (EchoNote,)
    takes_interjections = False

    async def respond(self, turn: TurnContext) -> None:
        times = int(turn.request.options.number("echo_times"))
        with turn.step(StepKind.ANSWER, "Echo") as step:
            step.write(" ".join([turn.request.question.text] * times))
            step.note(EchoNote(times))


MODE, PLACE = Echo(), 0
