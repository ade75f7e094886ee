"""What people said of answers that stood side by side, as values."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Literal, Protocol

from app.core.text import Language

Verdict = Literal["won", "good", "bad"]
"""One was better; all were good; all were bad."""
Source = Literal["person", "judge"]
"""Who voted: a person on a comparison, or the judge model of a replay. They are never counted together."""
Topic = Literal["code", "figures", "files", "text"]
"""What a question is about, as far as that can be told exactly: its answers hold code, or are figures;
it came with files; or none of these."""


@dataclass(frozen=True, slots=True)
class Compared:
    """One answer that was voted on. Unknown is None."""

    model: str
    """server/model."""
    seconds: float | None = None
    """From the call to the last word."""
    cost_rub: Decimal | None = None
    output_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Vote:
    """One vote on the answers to one question."""

    id: str
    """The turn's: a comparison is voted on once."""
    user_id: str
    at: datetime
    source: Source
    language: Language
    """Of the question."""
    topic: Topic
    blind: bool
    """The names were hidden."""
    sides: tuple[Compared, ...]
    """In the order in which they were shown."""
    verdict: Verdict
    winner: int | None = None
    """Its place among the sides, where one won."""


@dataclass(frozen=True, slots=True)
class PastAnswer:
    """A question that a person asked in plain chat, at the beginning of a conversation, and the answer."""

    turn_id: str
    question: str
    answer: str
    by: Compared


class VoteStore(Protocol):
    """Keeps votes."""

    async def add(self, vote: Vote) -> None:
        """Keeps it; a second one of the same comparison is left out. Raises StorageUnavailable."""
        ...
