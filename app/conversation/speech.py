"""One model call as a step: the model's words, and its thinking in a step of its own before them."""

import contextlib
from collections.abc import AsyncGenerator, Callable
from dataclasses import replace

from app.core.errors import KonsiliumError
from app.core.events import (
    Finished,
    FinishReason,
    ReasoningDelta,
    StepDelta,
    StepEnded,
    StepKind,
    StepStarted,
    TextDelta,
    ToolCallDelta,
    TurnEvent,
)
from app.core.ports import Call
from app.core.turns import new_id
from app.core.usage import Outcome


class Speech:
    """Iterate `events()` once; then `text` and `call.record` say what was said and what it took.

    The step starts with the first words, so that thinking stands before the answer; `eager` starts
    it at once (a specialist's step shows that it is at work). A failure ends the step and is raised.
    """

    def __init__(
        self,
        step: StepStarted,
        call: Call,
        *,
        eager: bool = False,
        keep_open: bool = False,
        visible: Callable[[str], str] | None = None,
    ) -> None:
        self.step = step
        self.call = call
        self.text = ""
        self.finish_reason: FinishReason | None = None
        self.ended: StepEnded | None = None
        """How the step ends, where it was kept open: the caller yields it after its own last words."""
        self._eager = eager
        self._keep_open = keep_open
        self._visible = visible
        """Turns the next raw text into what is shown of it (a parser of partial JSON)."""

    async def events(self) -> AsyncGenerator[TurnEvent, None]:
        """The steps' events. Raises the call's KonsiliumError after the step has ended as FAILED."""
        started = self._eager
        thinking: str | None = None
        if started:
            yield self.step
        chunks: list[str] = []
        try:
            async with contextlib.aclosing(self.call.events()) as events:
                async for event in events:
                    match event:
                        case TextDelta(text):
                            if thinking:
                                yield StepEnded(thinking)
                                thinking = None
                            if not started:
                                started = True
                                yield self.step
                            chunks.append(text)
                            shown = text if self._visible is None else self._visible(text)
                            if shown:
                                yield StepDelta(self.step.step_id, shown)
                        case ReasoningDelta(text):
                            if thinking is None:
                                thinking = new_id()
                                yield self._thinking(thinking)
                            yield StepDelta(thinking, text)
                        case ToolCallDelta():
                            pass  # the chat offers no tools; only the gateway passes them through
                        case Finished(finish_reason):
                            self.finish_reason = finish_reason
        except KonsiliumError as error:
            self.text = "".join(chunks)
            if thinking:
                yield StepEnded(thinking, Outcome.FAILED)
            if started:
                yield StepEnded(self.step.step_id, Outcome.FAILED, self.call.record, error=error)
            raise
        self.text = "".join(chunks)
        if thinking:
            yield StepEnded(thinking)
        if not started:
            yield self.step
        self.ended = StepEnded(
            self.step.step_id, call=self.call.record, finish_reason=self.finish_reason
        )
        if not self._keep_open:
            yield self.ended

    def _thinking(self, step_id: str) -> StepStarted:
        inside = self.step.kind is not StepKind.ANSWER
        return replace(
            self.step,
            step_id=step_id,
            kind=StepKind.REASONING,
            parent_id=self.step.step_id if inside and self._eager else self.step.parent_id,
            input="",
            open=False,
            note={},
        )
