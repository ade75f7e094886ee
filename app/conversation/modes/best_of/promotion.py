"""A person prefers another candidate: what changes in storage, as a pure function."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from app.conversation.modes.best_of.notes import BestOfNote
from app.core.errors import NotFound
from app.core.events import StepKind
from app.core.notes import CitationsNote
from app.core.turns import StepRecord


def promoted(steps: Sequence[StepRecord], candidate_id: str) -> tuple[StepRecord, ...]:
    """The steps that change when that candidate becomes the answer, the answer first.

    `steps` are those of its turn (more do no harm). The answer takes the candidate's text, title and
    numbers; `metadata["best_of"]` keeps the choice (`chosen`, `by` = "person") and what was chosen
    before (`instead_of`). Raises NotFound where there is no such candidate with words, or no answer.
    """
    candidate = next(
        (
            step
            for step in steps
            if step.id == candidate_id and step.kind is StepKind.CANDIDATE and step.output.strip()
        ),
        None,
    )
    if candidate is None:
        raise NotFound(f"no candidate {candidate_id}")
    answer = next(
        (
            step
            for step in steps
            if step.turn_id == candidate.turn_id
            and step.kind is StepKind.ANSWER
            and BestOfNote.of(step.metadata)
        ),
        None,
    )
    choice = BestOfNote.of(answer.metadata) if answer else None
    if answer is None or choice is None:
        raise NotFound(f"no answer beside candidate {candidate_id}")
    before = choice.chosen
    if before == candidate_id:
        return ()
    marked = tuple(
        replace(step, metadata={**step.metadata, "chosen": step.id == candidate_id})
        for step in steps
        if step.id in (before, candidate_id)
    )
    chosen = replace(choice, chosen=candidate.id, by="person", instead_of=before)
    return (
        replace(answer, output=candidate.output, metadata=_metadata(answer, candidate, chosen)),
        *marked,
    )


def _metadata(answer: StepRecord, candidate: StepRecord, chosen: BestOfNote) -> dict[str, Any]:
    metadata = CitationsNote.taken(answer.metadata, candidate.metadata) | chosen.as_json()
    numbers, own = answer.metadata.get("metrics"), candidate.metadata.get("metrics")
    if numbers and own:  # the whole turn's stay: calls, total, window
        metadata["metrics"] = {**numbers, **own}
    if "title" in metadata or "title" in candidate.metadata:
        metadata["title"] = candidate.metadata.get("title", "")
    return metadata
