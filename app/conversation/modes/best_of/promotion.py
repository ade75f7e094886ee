"""A person prefers another candidate: what changes in storage, as a pure function."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from app.core.errors import NotFound
from app.core.events import StepKind
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
            and "best_of" in step.metadata
        ),
        None,
    )
    if answer is None:
        raise NotFound(f"no answer beside candidate {candidate_id}")
    before = answer.metadata["best_of"]["chosen"]
    if before == candidate_id:
        return ()
    marked = tuple(
        replace(step, metadata={**step.metadata, "chosen": step.id == candidate_id})
        for step in steps
        if step.id in (before, candidate_id)
    )
    return (
        replace(answer, output=candidate.output, metadata=_metadata(answer, candidate)),
        *marked,
    )


def _metadata(answer: StepRecord, candidate: StepRecord) -> dict[str, Any]:
    metadata = dict(answer.metadata)
    choice = dict(metadata["best_of"])
    metadata["best_of"] = choice | {
        "chosen": candidate.id,
        "by": "person",
        "instead_of": choice["chosen"],
    }
    if "metrics" in metadata and "metrics" in candidate.metadata:
        metadata["metrics"] = {**metadata["metrics"], **candidate.metadata["metrics"]}
    if "title" in metadata or "title" in candidate.metadata:
        metadata["title"] = candidate.metadata.get("title", "")
    return metadata
