"""Rows to values and back."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Row

from app.core.errors import NotFound
from app.core.events import StepKind
from app.core.normal_forms import normalized
from app.core.people import User
from app.core.threads import ElementRecord, FeedbackRecord, ThreadRecord
from app.core.turns import StepRecord
from app.core.usage import CallRecord, Outcome
from app.storage.tables import storable

Values = dict[str, Any]
AnyRow = Row[*tuple[Any, ...]]


def user_from(row: AnyRow) -> User:
    """From a row of `users`."""
    return User(
        id=row.id,
        identifier=row.identifier,
        created_at=row.created_at,
        display_name=row.display_name,
        role=row.role,
        password_hash=row.password_hash,
        disabled_at=row.disabled_at,
        metadata=row._mapping["metadata"],
    )


def thread_from(row: AnyRow) -> ThreadRecord:
    """From a row of `threads` joined with its owner's `identifier`."""
    return ThreadRecord(
        id=row.id,
        user_id=row.user_id,
        owner=row.identifier,
        title=row.title,
        created_at=row.created_at,
        active_at=row.active_at,
        metadata=row._mapping["metadata"],
        tags=tuple(row.tags),
        leaf_id=row.leaf_id,
        deleted_at=row.deleted_at,
        shared_at=row.shared_at,
        archived_at=row.archived_at,
        temporary=row.temporary,
        project_id=row.project_id,
        project=row.project,
    )


def step_from(row: AnyRow) -> StepRecord:
    """From a row of `steps`."""
    values = row._mapping
    metadata = values["metadata"]
    return StepRecord(
        id=row.id,
        thread_id=row.thread_id,
        type=row.type,
        name=row.name,
        kind=row.kind if row.kind in ("question", "turn") else StepKind(row.kind),
        turn_id=row.turn_id,
        parent_id=row.parent_id,
        input=row.input,
        output=row.output,
        metadata=metadata | {"favorite": True} if row.favorite else metadata,
        outcome=Outcome(row.outcome),
        created_at=row.created_at,
        ended_at=row.ended_at,
        is_error=row.is_error,
        open=row.open,
        modes=row.modes,
    )


def step_values(step: StepRecord, user_id: str) -> Values:
    """For a row of `steps`; whether it is a favourite is kept apart, and never overwritten."""
    return {
        "id": step.id,
        "thread_id": step.thread_id,
        "user_id": user_id,
        "turn_id": step.turn_id,
        "parent_id": step.parent_id,
        "type": step.type,
        "kind": str(step.kind),
        "name": step.name,
        "input": step.input,
        "output": step.output,
        "metadata": storable_json({k: v for k, v in step.metadata.items() if k != "favorite"}),
        "outcome": step.outcome.value,
        "created_at": step.created_at,
        "ended_at": step.ended_at,
        "is_error": step.is_error,
        "open": step.open,
        "modes": storable_json(step.modes) if step.modes is not None else None,
    }


def element_from(row: AnyRow) -> ElementRecord:
    """From a row of `elements`."""
    return ElementRecord(
        id=row.id,
        thread_id=row.thread_id,
        type=row.type,
        name=row.name,
        step_id=row.step_id,
        mime=row.mime,
        display=row.display,
        url=row.url,
        has_file=row.has_file,
        props=row.props,
        extra=row.extra,
    )


def feedback_from(row: AnyRow) -> FeedbackRecord:
    """From a row of `feedback`."""
    return FeedbackRecord(row.id, row.step_id, row.value, row.comment)


def call_values(call: CallRecord) -> Values:
    """For a row of `usage`, without who asked and where."""
    usage, cost = call.usage, call.cost
    return {
        "id": call.id,
        "started_at": call.started_at,
        "step_id": call.step_id,
        "purpose": call.purpose.value,
        "server": call.model.server,
        "model": call.model.name,
        "outcome": call.outcome.value,
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "cached_tokens": usage.cached_tokens,
        "reasoning_tokens": usage.reasoning_tokens,
        "estimated": usage.estimated,
        "load_s": usage.load_s,
        "prompt_s": usage.prompt_s,
        "generation_s": usage.generation_s,
        "first_token_s": call.first_token_s,
        "total_s": call.total_s,
        "characters": call.characters,
        "cost_amount": cost.amount if cost else None,
        "cost_currency": cost.currency if cost else None,
        "cost_rub": cost.rub if cost else None,
        "finish_reason": call.finish_reason,
        "cache": call.cache,
        "error": call.error,
        "request_id": call.request_id,
        "streaming": call.streaming,
        "saved_tokens": call.saved_tokens,
        "saved_rub": call.saved_rub,
        "parallel": call.parallel,
    }


def storable_json(value: Any) -> Any:
    """`value` as a JSON document that both databases take: plain containers, storable text."""
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, Mapping):
        return {storable(str(key)): storable_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [storable_json(item) for item in value]
    return value


def refuse_unstorable(*ids: str) -> None:
    """Raises NotFound for an id that PostgreSQL could not hold: SQLite would, and its exports fail."""
    for id in ids:
        if storable(id) != id:
            raise NotFound("an id that no database can hold")


def fold(text: str) -> str:
    """`text` as comparisons see it: one form of each letter, no case, `е` for `ё`."""
    return normalized("NFC", text).casefold().replace("ё", "е")
