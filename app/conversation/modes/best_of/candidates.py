"""One candidate: an answer of its own with its own sampling, and what came of it."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from dataclasses import dataclass, replace

from app.conversation.answer import spoken
from app.conversation.mode import TurnContext
from app.conversation.state import error_facts
from app.core.errors import KonsiliumError
from app.core.events import (
    FinishReason,
    StepDelta,
    StepEnded,
    StepKind,
    StepNoted,
    StepReplaced,
    StepStarted,
    TurnEvent,
)
from app.core.requests import Sampling
from app.core.text import Text
from app.core.turns import new_id
from app.core.usage import CallRecord, Outcome, Purpose

NAME = Text(ru="Вариант {n}", uk="Варіант {n}", en="Candidate {n}")
OFFSETS = (0.0, 0.3, -0.3, 0.5, -0.5)
"""What is added to the person's temperature, candidate by candidate."""
TOP_P = (None, 0.95, 0.9, 0.98, 0.85)
HOTTEST = 2.0


@dataclass(slots=True)
class Candidate:
    """An answer in the making; `number` counts from 1."""

    number: int
    step_id: str
    sampling: Sampling
    text: str = ""
    title: str = ""
    finish_reason: FinishReason | None = None
    call: CallRecord | None = None
    error: KonsiliumError | None = None

    def see(self, event: TurnEvent) -> None:
        """Takes in what its step says."""
        match event:
            case StepDelta(self.step_id, text):
                self.text += text
            case StepReplaced(self.step_id, text):
                self.text = text
            case StepNoted(self.step_id, note):
                self.title = str(note.get("title", self.title))
            case StepEnded(self.step_id):
                self.call, self.finish_reason = event.call, event.finish_reason
            case _:
                pass  # its thinking, or progress


def varied(base: Sampling, count: int) -> list[Sampling]:
    """Samplings around the person's own, which is the first."""
    middle = base.temperature if base.temperature is not None else 0.7
    variants = []
    for offset, top_p in zip(OFFSETS[:count], TOP_P, strict=False):
        shifted = middle + offset
        temperature = min(HOTTEST, shifted) if shifted >= 0 else -offset / 2
        variants.append(replace(base, temperature=round(temperature, 2), top_p=top_p))
    return variants


async def written(
    turn: TurnContext,
    candidate: Candidate,
    parent_id: str,
    slots: asyncio.Semaphore,
    deadline: float | None,
) -> AsyncGenerator[TurnEvent, None]:
    """The candidate's step: queued until a slot is free, then live. A failure is kept and noted."""
    step = StepStarted(
        candidate.step_id,
        StepKind.CANDIDATE,
        NAME[turn.request.language].format(n=candidate.number),
        parent_id,
        note={
            "number": candidate.number,
            "temperature": candidate.sampling.temperature,
            "top_p": candidate.sampling.top_p,
            "queued": slots.locked(),
        },
    )
    yield step
    async with slots:
        if step.note["queued"]:
            yield StepNoted(step.step_id, {"queued": False})
        request = turn.ask(
            turn.prompt.messages,
            sampling=candidate.sampling,
            purpose=Purpose.CANDIDATE,
            step_id=step.step_id,
        )
        ended = False
        try:
            async with contextlib.aclosing(
                spoken(turn, step, request, deadline=deadline)
            ) as events:
                async for event in events:
                    if event is step:
                        continue  # it stands there already
                    candidate.see(event)
                    ended = ended or (
                        isinstance(event, StepEnded) and event.step_id == step.step_id
                    )
                    yield _inside(step, event)
        except KonsiliumError as error:
            candidate.error = error
            yield StepNoted(step.step_id, {"error": error_facts(error)})
            if not ended:
                yield StepEnded(step.step_id, Outcome.FAILED, error=error)


def _inside(step: StepStarted, event: TurnEvent) -> TurnEvent:
    """The candidate's thinking stands in its own step."""
    if isinstance(event, StepStarted):
        return replace(event, parent_id=step.step_id)
    return event


def candidates(base: Sampling, count: int) -> list[Candidate]:
    """As many as asked for, each with its own sampling."""
    return [
        Candidate(number, new_id(), sampling)
        for number, sampling in enumerate(varied(base, count), 1)
    ]
