"""One candidate: an answer of its own with its own sampling, and what came of it."""

import asyncio
from dataclasses import dataclass, replace

from app.conversation.answer import stream_answer
from app.conversation.mode import TurnContext
from app.conversation.modes.best_of.notes import CandidateNote
from app.conversation.steps import StepWriter
from app.core.errors import KonsiliumError
from app.core.events import FinishReason, StepKind
from app.core.notes import ErrorNote
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


def varied(base: Sampling, count: int) -> list[Sampling]:
    """Samplings around the person's own, which is the first; the second is greedy
    where the first is not."""
    middle = base.temperature if base.temperature is not None else 0.7
    variants = []
    for offset, top_p in zip(OFFSETS[:count], TOP_P, strict=False):
        shifted = middle + offset
        temperature = min(HOTTEST, shifted) if shifted >= 0 else -offset / 2
        variants.append(replace(base, temperature=round(temperature, 2), top_p=top_p))
    if count > 1 and base.temperature != 0:
        variants = [v for v in variants if v.temperature != 0]
        variants.insert(1, replace(base, temperature=0.0, top_p=None))
    return variants[:count]


async def write_candidate(
    turn: TurnContext,
    candidate: Candidate,
    group: StepWriter,
    slots: asyncio.Semaphore,
    deadline: float | None,
) -> None:
    """The candidate's step: queued until a slot is free, then live. A failure is kept and noted."""
    sampling = candidate.sampling
    note = CandidateNote(candidate.number, sampling.temperature, sampling.top_p, slots.locked())
    name = NAME[turn.request.language].format(n=candidate.number)
    with turn.step(
        StepKind.CANDIDATE, name, parent=group, step_id=candidate.step_id, notes=(note,)
    ) as step:
        async with slots:
            if note.queued:
                note = replace(note, queued=False)
                step.note(note)
            request = turn.ask(
                turn.prompt.messages,
                sampling=candidate.sampling,
                purpose=Purpose.CANDIDATE,
                step_id=step.id,
            )
            try:
                candidate.title = await stream_answer(turn, step, request, deadline)
            except KonsiliumError as error:
                candidate.error = error
                step.note(ErrorNote.about(error))
                step.end(Outcome.FAILED, error)
    candidate.text = step.text
    candidate.call, candidate.finish_reason = step.record, step.finish_reason


def candidates(base: Sampling, count: int) -> list[Candidate]:
    """As many as asked for, each with its own sampling."""
    return [
        Candidate(number, new_id(), sampling)
        for number, sampling in enumerate(varied(base, count), 1)
    ]
