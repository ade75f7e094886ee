"""A turn as a mode writes into it: steps, each with its words, its facts and its end.

Writing waits for nothing: whoever follows the turn reads at their own pace. A mode is a coroutine, so
Stop is its cancellation, and what it started at once it ends with `at_once`.
"""

import asyncio
import contextlib
from collections.abc import Callable

from app.core.errors import ContentFiltered, KonsiliumError
from app.core.events import (
    Finished,
    FinishReason,
    ReasoningDelta,
    StepDelta,
    StepEnded,
    StepKind,
    StepNoted,
    StepReplaced,
    StepStarted,
    TextDelta,
    TextWasThinking,
    ToolCallDelta,
    TurnEvent,
)
from app.core.notes import Note
from app.core.ports import Call
from app.core.turns import new_id
from app.core.usage import CallRecord, Outcome

Emit = Callable[[TurnEvent], None]


class StepWriter:
    """One step, being written. It begins with its first words, or when `begin` is called: thinking
    stands before an answer."""

    def __init__(self, emit: Emit, started: StepStarted, *, opening: str = "") -> None:
        self.id = started.step_id
        self.begun = False
        self.record: CallRecord | None = None
        """What the call took that wrote it."""
        self.finish_reason: FinishReason | None = None
        self._emit = emit
        self._started = started
        self._opening = opening
        """A line of ours before its words."""
        self._chunks: list[str] = []
        self._ended = False

    @property
    def text(self) -> str:
        """What has been written so far."""
        return "".join(self._chunks)

    def begin(self) -> None:
        """The step appears, if it has not."""
        if not self.begun:
            self.begun = True
            self._emit(self._started)
            if self._opening:
                self.write(self._opening)

    def write(self, text: str) -> None:
        """More of its text."""
        self.begin()
        self._chunks.append(text)
        self._emit(StepDelta(self.id, text))

    def replace(self, text: str) -> None:
        """Its whole text, after the opening, is this instead."""
        self.begin()
        self._chunks = [self._opening + text]
        self._emit(StepReplaced(self.id, self.text))

    def note(self, note: Note) -> None:
        """A fact about the step."""
        self._emit(StepNoted(self.id, note))

    def end(self, outcome: Outcome = Outcome.COMPLETED, error: Exception | None = None) -> None:
        """The step is over; the first end counts, and a step that never began has none."""
        if self.begun and not self._ended:
            self._ended = True
            self._emit(StepEnded(self.id, outcome, self.record, self.finish_reason, error))

    async def stream(
        self,
        call: Call,
        visible: Callable[[str], str] | None = None,
        forget: Callable[[], None] | None = None,
    ) -> str:
        """Writes a model's words while they come, and its thinking in a step of its own before them.

        `visible` turns the next raw words into what is shown of them; `forget` is told that all of them
        so far were thinking. Returns the raw words. Raises
        the call's KonsiliumError.
        """
        thinking: StepWriter | None = None
        chunks: list[str] = []
        try:
            async with contextlib.aclosing(call.events()) as events:
                async for event in events:
                    match event:
                        case TextDelta(text):
                            if thinking is not None:
                                thinking.end()
                                thinking = None
                            self.begin()
                            chunks.append(text)
                            if shown := text if visible is None else visible(text):
                                self.write(shown)
                        case ReasoningDelta(text):
                            if thinking is None:
                                thinking = self._thinking()
                            thinking.write(text)
                        case TextWasThinking():
                            thought = self._thinking()
                            thought.write("".join(chunks))
                            thought.end()
                            chunks.clear()
                            self.replace("")
                            if forget is not None:
                                forget()
                        case ToolCallDelta():
                            if (
                                thinking is not None
                            ):  # what it thinks after the tools is another thought
                                thinking.end()
                                thinking = None
                        case Finished(finish_reason):
                            self.finish_reason = finish_reason
        except KonsiliumError:
            self.record = call.record
            if thinking is not None:
                thinking.end(Outcome.FAILED)
            raise
        self.record = call.record
        if thinking is not None:
            thinking.end()
        if self.finish_reason == "content_filter":
            ref = call.record.model
            raise ContentFiltered("content_filter", server=ref.server, model=ref.name)
        self.begin()
        return "".join(chunks)

    def _thinking(self) -> "StepWriter":
        return self.aside(StepKind.REASONING, self._started.name)

    def aside(
        self,
        kind: StepKind,
        name: str,
        *,
        input: str = "",
        open: bool = False,
        notes: tuple[Note, ...] = (),
    ) -> "StepWriter":
        """A step on the way to this one: beside an answer, inside any other."""
        own = self._started
        parent = own.parent_id if own.kind is StepKind.ANSWER else self.id
        return StepWriter(self._emit, StepStarted(new_id(), kind, name, parent, input, open, notes))


class HeldWriting:
    """What is written ahead of a decision: released into the turn in one go, or dropped."""

    def __init__(self, emit: Emit) -> None:
        self.ready = asyncio.Event()
        """Something has been written."""
        self._emit = emit
        self._begun = False
        self._waiting: list[TurnEvent] | None = []

    @property
    def shown(self) -> bool:
        """Whether a step has been begun and released."""
        return self._begun and self._waiting is None

    def emit(self, event: TurnEvent) -> None:
        """What those who are held write with."""
        self._begun = self._begun or isinstance(event, StepStarted)
        self.ready.set()
        if self._waiting is None:
            self._emit(event)
        else:
            self._waiting.append(event)

    def release(self) -> None:
        """All that was held back, and from now on everything at once."""
        waiting, self._waiting = self._waiting or [], None
        for event in waiting:
            self._emit(event)


COLOURS = ("#2d6fd2", "#b45309", "#0f7f63", "#a03fcf", "#be3a6e", "#5f6b7a")
"""Blue, amber, green, violet, rose, slate: one for each member of the largest council. White reads on each (4.5:1), and each is told from a dark ground
(3:1). The page has them as --k-voice-0 and so on in konsilium.css."""


def colour_of(number: int) -> str:
    """The colour of those who speak beside one another, by their number from 0: specialists, participants,
    candidates."""
    return COLOURS[number % len(COLOURS)]
