"""Compare: one question, two to four answers at once in columns, and the person says which is better.

Until then the conversation goes on from the first of them; the others become its siblings with the vote.
"""

import asyncio
import random
from dataclasses import dataclass, field, replace

from app.conversation.answer import answer, sampling_of
from app.conversation.mode import TurnContext
from app.conversation.modes.compare.notes import (
    ColumnsNote,
    ComparedAnswer,
    ComparisonNote,
    SideNote,
)
from app.conversation.modes.compare.options import LEAST, MOST, OPTIONS
from app.conversation.modes.council.members import at_hand
from app.conversation.modes.dialogue.participants import ParticipantsInvalid, parse_participants
from app.conversation.steps import StepWriter
from app.conversation.tools import with_system
from app.core.concurrency import at_once
from app.core.errors import BadRequest, EmptyAnswer, KonsiliumError
from app.core.events import FinishReason, StepKind, StepNoted
from app.core.models import ModelRef
from app.core.notes import ErrorNote, Note
from app.core.options import Option
from app.core.text import Text
from app.core.turns import new_id
from app.core.usage import CallRecord, Outcome, Purpose

COLUMNS = Text(ru="Ответы рядом", uk="Відповіді поруч", en="Side by side")
NOTHING_TO_COMPARE = Text(
    ru="Сравнить не с чем: сейчас отвечает одна модель.",
    uk="Порівняти нема з чим: зараз відповідає одна модель.",
    en="There is nothing to compare with: one model answers now.",
)
LETTERS = "ABCD"


class Compare:
    id = "compare"
    name = Text(ru="Сравнение", uk="Порівняння", en="Compare")
    description = Text(
        ru="Несколько моделей отвечают рядом, вы выбираете, чей ответ лучше",
        uk="Кілька моделей відповідають поруч, ви обираєте, чия відповідь краща",
        en="Several models answer side by side, you choose whose answer is better",
    )
    icon = "columns-2"
    options: tuple[Option, ...] = OPTIONS
    notes: tuple[type[Note], ...] = (ColumnsNote, SideNote, ComparisonNote)
    takes_interjections = False

    async def respond(self, turn: TurnContext) -> None:
        language = turn.request.language
        columns = _columns(turn)
        if len(columns) < LEAST:
            line = NOTHING_TO_COMPARE[language]
            await answer(turn, turn.prompt.messages, before=f"*{line}*\n\n")
            return
        blind = turn.request.options.on("compare_hidden")
        layout = ColumnsNote(len(columns), blind)
        try:
            with turn.step(StepKind.GROUP, COLUMNS[language], open=True, notes=(layout,)) as group:
                await at_once(*(_write(turn, column, group, blind) for column in columns))
                if not any(column.text.strip() for column in columns):
                    raise next(column.error for column in columns if column.error)
        except asyncio.CancelledError:
            _go_on(turn, columns, layout, group, Outcome.STOPPED)
            raise
        _go_on(turn, columns, layout, group, Outcome.COMPLETED)


@dataclass(slots=True, eq=False)
class _Column:
    """One answer in the making."""

    letter: str
    name: str
    model: ModelRef
    system: str = ""
    step_id: str = field(default_factory=new_id)
    text: str = ""
    finish_reason: FinishReason | None = None
    record: CallRecord | None = None
    error: KonsiliumError | None = None

    def label(self, hidden: bool) -> str:
        """As it is shown."""
        return self.letter if hidden else f"{self.letter} · {self.name}"

    def note(self, *, hidden: bool) -> SideNote:
        return SideNote(self.letter, self.name, str(self.model), hidden)

    @property
    def told(self) -> ComparedAnswer:
        cut = self.error is not None or self.finish_reason in ("length", None)
        state = "silent" if not self.text.strip() else "cut" if cut else "heard"
        return ComparedAnswer(self.step_id, self.letter, self.name, str(self.model), state)


def _go_on(
    turn: TurnContext,
    columns: "list[_Column]",
    layout: ColumnsNote,
    group: StepWriter,
    outcome: Outcome,
) -> None:
    """The conversation goes on from the first who said a word, until the person votes; what Stop left may
    be voted on, too."""
    heard = [column for column in columns if column.text.strip()]
    if not heard:
        return
    first, blind = heard[0], layout.hidden
    hidden = blind and len(heard) >= LEAST
    if blind and not hidden:  # no vote will tell the names
        group.note(replace(layout, hidden=False))
        turn.emit(StepNoted(first.step_id, first.note(hidden=False)))
    note = ComparisonNote(tuple(column.told for column in columns), blind, hidden)
    with turn.step(StepKind.ANSWER, first.label(hidden), notes=(note,)) as step:
        step.write(first.text)
        step.record, step.finish_reason = first.record, first.finish_reason
        step.end(outcome)


def _columns(turn: TurnContext) -> list[_Column]:
    """Those whom the person named, or different models at hand; in random order where names are hidden.
    Raises BadRequest for a list that cannot be read, ModelNotFound for a model that there is not."""
    options = turn.request.options
    try:
        named = parse_participants(options.text("compare_models"), LEAST, MOST)
    except ParticipantsInvalid as error:
        raise BadRequest(f"compared: {error.problem[turn.request.language]}") from error
    if not named:
        found = at_hand(turn, int(options.number("compare_count")) or LEAST)
        named = tuple({one.model: one for one in found}.values())
    asked = list(named)
    if options.on("compare_hidden"):
        random.Random(turn.request.turn_id).shuffle(asked)  # noqa: S311 - an order, not a secret
    return [
        _Column(
            letter,
            one.name,
            turn.models.resolve(one.model) if one.model else turn.model,
            one.system,
        )
        for letter, one in zip(LETTERS, asked, strict=False)
    ]


async def _write(turn: TurnContext, column: _Column, group: StepWriter, hidden: bool) -> None:
    """The column's step. A failure is kept and noted; the others go on."""
    try:
        with turn.step(
            StepKind.MEMBER,
            column.label(hidden),
            parent=group,
            step_id=column.step_id,
            open=True,
            notes=(column.note(hidden=hidden),),
        ) as step:
            messages = turn.prompt.messages
            if column.system:
                messages = with_system(messages, column.system)
            request = turn.ask(
                messages,
                sampling=sampling_of(turn.request.options),
                purpose=Purpose.MEMBER,
                step_id=step.id,
            )
            await step.stream(turn.call(column.model, request, step))
            if not step.text.strip():
                ref = column.model
                raise EmptyAnswer("not a word", server=ref.server, model=ref.name)
    except KonsiliumError as error:
        column.error = error
        step.note(ErrorNote.about(error))
        step.note(column.note(hidden=False))  # its card names it
    finally:  # stopped, too
        column.text = step.text
        column.finish_reason, column.record = step.finish_reason, step.record
