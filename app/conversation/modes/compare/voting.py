"""A person votes on a comparison: what changes in storage and what is counted, as a pure function."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from app.conversation.language import language_of_text
from app.conversation.modes.compare.notes import (
    ColumnsNote,
    ComparedAnswer,
    ComparisonNote,
    SideNote,
)
from app.conversation.modes.council.agreement import conclusion
from app.core.errors import NotFound
from app.core.events import StepKind
from app.core.notes import CitationsNote, MetricsNote
from app.core.turns import StepRecord, now
from app.core.votes import Compared, Topic, Verdict, Vote


@dataclass(frozen=True, slots=True)
class Decision:
    """What a vote leads to."""

    vote: Vote
    turn_id: str
    steps: tuple[StepRecord, ...]
    """The comparison's own steps that change, then a turn for each answer that did not win, beside it."""


def decided(
    steps: Sequence[StepRecord], answer_id: str, choice: str, user_id: str, *, files: bool
) -> Decision | None:
    """The person's `choice` (good, bad, or the step of the answer that is better) on the comparison that
    ends in `answer_id`; None where it has been voted on. `files`: the question came with some. Raises
    NotFound where there is no such comparison, or no such answer with words."""
    answer = next((s for s in steps if s.id == answer_id and s.kind is StepKind.ANSWER), None)
    note = ComparisonNote.of(answer.metadata) if answer else None
    if answer is None or note is None or answer.turn_id is None:
        raise NotFound(f"no comparison {answer_id}")
    if note.verdict:
        return None
    by_id = {step.id: step for step in steps if step.turn_id == answer.turn_id}
    sides = [side for side in note.sides if side.state != "silent" and side.step_id in by_id]
    verdict: Verdict = "good" if choice == "good" else "bad" if choice == "bad" else "won"
    best = sides[0] if verdict != "won" else _named(sides, choice)
    turn = by_id[answer.turn_id]
    question = next((s for s in steps if s.id == turn.parent_id), None)
    said = question.output if question else ""
    texts = [by_id[side.step_id].output for side in sides]
    vote = Vote(
        turn.id,
        user_id,
        now(),
        "person",
        language_of_text(said, turn.metadata.get("language") or "en"),
        topic_of(texts, files=files),
        note.blind,
        tuple(_compared(side, by_id[side.step_id]) for side in sides),
        verdict,
        sides.index(best) if verdict == "won" else None,
    )
    winner = best.step_id if verdict == "won" else ""
    shown = replace(note, hidden=False, verdict=verdict, winner=winner)
    changed = [new for step in by_id.values() if (new := _shown(step)) is not step]
    own = by_id[best.step_id]
    metadata = CitationsNote.taken(answer.metadata, own.metadata) | shown.as_json()
    if own.metadata.get(MetricsNote.key):  # the whole turn's stay: calls, total, window
        numbers = answer.metadata.get(MetricsNote.key) or {}
        metadata[MetricsNote.key] = {**numbers, **own.metadata[MetricsNote.key]}
    told = replace(answer, output=own.output, name=_name(best), metadata=metadata)
    others = (s for side in sides if side is not best for s in _beside(turn, by_id, side))
    return Decision(vote, turn.id, (told, *changed, *others))


def topic_of(answers: Sequence[str], *, files: bool) -> Topic:
    """What a question is about, by its answers."""
    if files:
        return "files"
    if any("```" in text for text in answers):
        return "code"
    found = [conclusion(text) or "" for text in answers]
    return "figures" if all(one.startswith("number ") for one in found) else "text"


def _named(sides: Sequence[ComparedAnswer], step_id: str) -> ComparedAnswer:
    side = next((side for side in sides if side.step_id == step_id), None)
    if side is None:
        raise NotFound(f"no answer {step_id} to vote for")
    return side


def _name(side: ComparedAnswer) -> str:
    return f"{side.letter} · {side.name}"


def _shown(step: StepRecord) -> StepRecord:
    """The step with the names that were hidden."""
    if (column := SideNote.of(step.metadata)) is not None and column.hidden:
        metadata = {**step.metadata, **replace(column, hidden=False).as_json()}
        return replace(step, name=f"{column.letter} · {column.name}", metadata=metadata)
    if (layout := ColumnsNote.of(step.metadata)) is not None and layout.hidden:
        metadata = {**step.metadata, **replace(layout, hidden=False).as_json()}
        return replace(step, metadata=metadata)
    return step


def _beside(
    turn: StepRecord, by_id: dict[str, StepRecord], side: ComparedAnswer
) -> list[StepRecord]:
    """A turn of that answer's own, under the same question."""
    column = by_id[side.step_id]
    turn_id = str(uuid5(NAMESPACE_URL, f"{turn.id}/{column.id}"))
    numbers: dict[str, Any] = {
        key: column.metadata[key] for key in (MetricsNote.key,) if key in column.metadata
    }
    said = StepRecord(
        str(uuid5(NAMESPACE_URL, f"{turn_id}/answer")),
        turn.thread_id,
        "assistant_message",
        side.model.partition("/")[2],
        StepKind.ANSWER,
        turn_id,
        turn_id,
        output=column.output,
        metadata=numbers,
        outcome=column.outcome,
        created_at=column.created_at,
        ended_at=column.ended_at,
    )
    return [replace(turn, id=turn_id, turn_id=turn_id), said]


def _compared(side: ComparedAnswer, column: StepRecord) -> Compared:
    numbers = MetricsNote.of(column.metadata)
    if numbers is None:
        return Compared(side.model)
    return Compared(side.model, numbers.seconds, numbers.cost_rub, numbers.output_tokens)
