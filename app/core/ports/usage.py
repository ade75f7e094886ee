"""The records of what calls took: kept, and added up."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from app.core.usage import CallRecord


class UsageLog(Protocol):
    """Keeps calls that were made after their turn was settled, or outside of any: summaries, titles."""

    async def add(
        self,
        thread_id: str | None,
        user_id: str | None,
        turn_id: str | None,
        calls: Sequence[CallRecord],
    ) -> None: ...


@dataclass(frozen=True, slots=True)
class GatewayCall:
    """A model call made for an API request outside any thread, as it is kept."""

    call: CallRecord
    user_id: str
    key_id: str | None
    mode: str = "chat"


class GatewayLog(Protocol):
    """Keeps the calls of API requests, and when keys were last used. One transaction a batch."""

    async def record(self, calls: Sequence[GatewayCall], used: Mapping[str, datetime]) -> None:
        """`used`: by key id. Raises StorageUnavailable."""
        ...
