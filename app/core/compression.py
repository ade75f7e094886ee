"""What compression keeps of a conversation: values, no I/O. The originals are never touched."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from typing import Any

from app.core.turns import new_id, now

COSTS_SCOPE = "compression_costs"
"""Documents on what compressing a thread has cost, by the thread's id; they go with it."""


@dataclass(frozen=True, slots=True)
class Notes:
    """What a span of messages came to, in sections: each entry one line, `subject: what of it`."""

    goal: str = ""
    course: str = ""
    """What was talked about, in a sentence or two; the first to go when notes grow old."""
    constraints: tuple[str, ...] = ()
    """What the user demanded or forbade, in their words."""
    decisions: tuple[str, ...] = ()
    facts: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()
    open: tuple[str, ...] = ()
    tone: str = ""
    """Language and tone of the conversation."""
    quoted: tuple[str, ...] = ()
    """What the summariser left out and was put back, verbatim."""
    verbatim: tuple[str, ...] = ()
    """A message too dense for notes, as it was said."""

    @property
    def lasting(self) -> tuple[str, ...]:
        """The entries that stay for as long as the block does."""
        return (
            *self.constraints,
            *self.decisions,
            *self.facts,
            *self.failed,
            *self.quoted,
            *self.verbatim,
        )

    def as_json(self) -> dict[str, Any]:
        """As it is stored."""
        return asdict(self)

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "Notes":
        """From what `as_json` gave; unknown fields are dropped."""
        known = {each.name for each in fields(cls)}
        values: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value
            for key, value in stored.items()
            if key in known
        }
        return cls(**values)


@dataclass(frozen=True, slots=True)
class Block:
    """Notes that stand for a run of messages. Frozen: it falls as a whole or stays as it is."""

    message_ids: tuple[str, ...]
    source_hash: str
    """Of the messages it was made from: one that was edited since no longer matches."""
    notes: Notes
    tokens_before: int
    tokens_after: int
    model: str
    """The summariser, written `server/model`."""
    id: str = field(default_factory=new_id)
    created_at: datetime = field(default_factory=now)


@dataclass(frozen=True, slots=True)
class PinnedFact:
    """A line that a person wants in every prompt of the thread."""

    text: str
    id: str = field(default_factory=new_id)
    created_at: datetime = field(default_factory=now)


@dataclass(frozen=True, slots=True)
class CompressionState:
    """What stands before a thread's recent messages, at one moment."""

    version: int = 0
    """Counts swaps; a swap names the version it was made for."""
    announced: int = 0
    """The version that the conversation was last told of."""
    blocks: tuple[Block, ...] = ()
    pinned: tuple[PinnedFact, ...] = ()
