"""An answer kept for the next time its question is asked, as values."""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from app.core.turns import new_id, now


@dataclass(frozen=True, slots=True)
class CachedAnswer:
    """One question with its answer, in one scope."""

    scope: str
    """Hash of all that must be alike before questions are compared: see `caching.query`."""
    key: str
    """Hash of the question's exact form; one entry a key in a scope."""
    owner: str
    """`user:<id>`, `key:<id>` or `shared`: whose entry it is, to purge."""
    question: str
    answer: str
    model: str
    """`server/model` that wrote it."""
    title: str | None = None
    tokens: int | None = None
    """What the answer took, input and output: what serving it again spares."""
    cost_rub: Decimal | None = None
    thread_id: str | None = None
    turn_id: str | None = None
    question_id: str | None = None
    """The step of the question that brought it, where it came from a thread."""
    vector: tuple[float, ...] | None = None
    """The question's embedding, of unit length, where an embedding model is configured."""
    id: str = field(default_factory=new_id)
    asked_at: datetime = field(default_factory=now)


@dataclass(frozen=True, slots=True)
class LookupResult:
    """What a lookup brings up."""

    exact: CachedAnswer | None = None
    candidates: tuple[CachedAnswer, ...] = ()
    """Entries that share words with the question, most first; whether they match is judged later."""
