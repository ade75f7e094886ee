"""Where cached answers are kept, and who counts them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from app.core.caching import CachedAnswer, Found


class AnswerStore(Protocol):
    """Where cached answers are kept, shared by all processes. Failures raise StorageUnavailable."""

    async def look_up(
        self, scope: str, key: str, terms: Sequence[str], since: datetime, limit: int
    ) -> Found:
        """The entry of that key, and up to `limit` entries of the scope that share most `terms`, of
        which the first outweighs the others; nothing asked before `since`. No terms, no candidates."""
        ...

    async def nearest(
        self, scope: str, vector: Sequence[float], since: datetime, limit: int
    ) -> tuple[CachedAnswer, ...]:
        """The entries of the scope whose vectors point most nearly the same way."""
        ...

    async def has_vectors(self, scope: str, since: datetime) -> bool:
        """Whether any entry of the scope has a vector to compare with."""
        ...

    async def find(self, entry_id: str) -> CachedAnswer | None: ...

    async def put(self, answer: CachedAnswer, terms: Sequence[str]) -> None:
        """Keeps it, in place of an entry with the same key."""
        ...

    async def touch(self, entry_id: str) -> None:
        """Notes that it was served: it is thrown out last."""
        ...

    async def purge(
        self,
        *,
        scope: str | None = None,
        key: str | None = None,
        entry_id: str | None = None,
        turn_id: str | None = None,
        question_id: str | None = None,
        thread_id: str | None = None,
        owner: str | None = None,
        model: str | None = None,
    ) -> int:
        """Deletes the entries that match all that is given, or all entries; returns how many."""
        ...

    async def trim(self, since: datetime, limit: int) -> int:
        """Deletes what was asked before `since`, and the longest unserved beyond `limit` entries."""
        ...


class CacheObserver(Protocol):
    """Counts lookups as they go (Prometheus). Must be quick and must not raise."""

    def looked_up(self, outcome: str, seconds: float) -> None:
        """`outcome`: exact, near, suggestion, taken, miss or bypass."""
        ...
