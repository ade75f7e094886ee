"""A person prefers a member's own answer: what changes in storage, as a pure function."""

from collections.abc import Sequence
from dataclasses import replace

from app.conversation.modes.council.notes import CouncilReportNote
from app.core.errors import NotFound
from app.core.events import StepKind
from app.core.notes import CitationsNote
from app.core.turns import StepRecord

_OWN_CITATIONS = "own_citations"
"""In `metadata`: those of the council's own answer, while a member's stands in its place."""


def preferred(steps: Sequence[StepRecord], answer_id: str, step_id: str) -> tuple[StepRecord, ...]:
    """The answer's step with the words of the member's step in it; with an empty `step_id` the council's
    own again. Raises NotFound where there is no such answer or no such member with words."""
    answer = next((s for s in steps if s.id == answer_id and s.kind is StepKind.ANSWER), None)
    note = CouncilReportNote.of(answer.metadata) if answer else None
    if answer is None or note is None:
        raise NotFound(f"no council's answer {answer_id}")
    if step_id == note.chosen:
        return ()
    own = note.own if note.chosen else answer.output
    cited = answer.metadata.get(_OWN_CITATIONS) if note.chosen else answer.metadata.get("citations")
    before = {CitationsNote.key: cited} if cited else {}
    if not step_id:
        back = replace(note, chosen="", own="")
        metadata = CitationsNote.taken(answer.metadata, before) | back.as_json()
        return (replace(answer, output=own, metadata=metadata),)
    member = next(
        (
            step
            for step in steps
            if step.id == step_id
            and step.kind is StepKind.MEMBER
            and step.turn_id == answer.turn_id
            and step.output.strip()
        ),
        None,
    )
    if member is None:
        raise NotFound(f"no member's answer {step_id}")
    chosen = replace(note, chosen=step_id, own=own)
    metadata = CitationsNote.taken(answer.metadata, member.metadata) | chosen.as_json()
    metadata |= {_OWN_CITATIONS: cited} if cited else {}
    return (replace(answer, output=member.output, metadata=metadata),)
