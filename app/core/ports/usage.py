"""The records of what calls took: kept, and added up."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol

from app.core.reports import Dimension, TurnUsage, UsageFilter, UsageGroup, UsageSummary
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


class UsageReports(Protocol):
    """The kept usage records, added up. Sums are exact; percentiles are exact to a millisecond,
    where a store keeps the times of an hour, those of its first 250 calls."""

    async def summary(self, over: UsageFilter) -> UsageSummary:
        """Everything that matches, as one."""
        ...

    async def days(self, over: UsageFilter) -> tuple[UsageSummary, list[UsageGroup]]:
        """The summary and the groups by day at the price of one."""
        ...

    async def groups(self, over: UsageFilter, by: Dimension) -> list[UsageGroup]:
        """The same by model, server, mode, user or day: days in order, the rest by calls, most first.

        A day without calls is not there.
        """
        ...

    async def turns(
        self, over: UsageFilter, order: Literal["slowest", "dearest"], limit: int
    ) -> list[TurnUsage]:
        """The turns that took longest, or cost most."""
        ...

    def records(self, over: UsageFilter) -> AsyncGenerator[Mapping[str, Any], None]:
        """Every record that matches, oldest first, a row a call, for a table elsewhere."""


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
