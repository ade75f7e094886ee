"""Cached answers in memory, for tests."""

import heapq
from collections.abc import Sequence
from datetime import datetime

from app.core.caching import CachedAnswer, LookupResult
from app.core.errors import KonsiliumError


class MemoryAnswers:
    """Implements `core.ports.AnswerStore`. Set `failing` to an error and every method raises it."""

    def __init__(self) -> None:
        self.entries: dict[str, CachedAnswer] = {}
        self.terms: dict[str, frozenset[str]] = {}
        self.failing: KonsiliumError | None = None

    def _ready(self) -> None:
        if self.failing is not None:
            raise self.failing

    async def look_up(
        self, scope: str, key: str, terms: Sequence[str], since: datetime, limit: int
    ) -> LookupResult:
        self._ready()
        alive = [e for e in self.entries.values() if e.scope == scope and e.asked_at >= since]
        exact = next((entry for entry in alive if entry.key == key), None)
        weights = {term: 1 if place else len(terms) for place, term in enumerate(terms)}
        shared = [
            (sum(weights.get(term, 0) for term in self.terms[e.id]), e.asked_at, e.id, e)
            for e in alive
        ]
        best = heapq.nlargest(limit, [row for row in shared if row[0]])
        return LookupResult(exact, tuple(row[-1] for row in best))

    async def nearest(
        self, scope: str, vector: Sequence[float], since: datetime, limit: int
    ) -> tuple[CachedAnswer, ...]:
        self._ready()
        alive = [
            (sum(a * b for a, b in zip(vector, e.vector, strict=True)), e.id, e)
            for e in self.entries.values()
            if e.scope == scope and e.asked_at >= since and e.vector is not None
        ]
        return tuple(row[-1] for row in heapq.nlargest(limit, alive))

    async def has_vectors(self, scope: str, since: datetime) -> bool:
        self._ready()
        return any(
            e.scope == scope and e.asked_at >= since and e.vector is not None
            for e in self.entries.values()
        )

    async def find(self, entry_id: str) -> CachedAnswer | None:
        self._ready()
        return self.entries.get(entry_id)

    async def put(self, answer: CachedAnswer, terms: Sequence[str]) -> None:
        self._ready()
        await self.purge(scope=answer.scope, key=answer.key)
        self.entries[answer.id] = answer
        self.terms[answer.id] = frozenset(terms)

    async def touch(self, entry_id: str) -> None:
        self._ready()
        if (entry := self.entries.pop(entry_id, None)) is not None:
            self.entries[entry_id] = entry

    async def purge(self, *, entry_id: str | None = None, **wanted: str | None) -> int:
        self._ready()
        given = {name: value for name, value in wanted.items() if value is not None}
        if entry_id is not None:
            given["id"] = entry_id
        gone = [
            entry.id
            for entry in self.entries.values()
            if all(getattr(entry, name) == value for name, value in given.items())
        ]
        for entry in gone:
            del self.entries[entry], self.terms[entry]
        return len(gone)

    async def trim(self, since: datetime, limit: int) -> int:
        self._ready()
        gone = [e.id for e in self.entries.values() if e.asked_at < since]
        gone += [id for id in self.entries if id not in gone][
            : max(0, len(self.entries) - len(gone) - limit)
        ]
        for entry in gone:
            del self.entries[entry], self.terms[entry]
        return len(gone)


class MemoryDocuments:
    """Implements `core.ports.KeyValueStore`."""

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], dict[str, object]] = {}

    async def get(self, scope, key):
        return self.kept.get((scope, key))

    async def put(self, scope, key, value):
        self.kept[scope, key] = dict(value)

    async def delete(self, scope, key):
        self.kept.pop((scope, key), None)

    async def items(self, scope):
        return {key: value for (s, key), value in self.kept.items() if s == scope}

    async def forget_before(self, scope, key):
        for old in [(s, k) for s, k in self.kept if s == scope and k < key]:
            del self.kept[old]

    async def among(self, scope, keys):
        return frozenset(key for key in keys if (scope, key) in self.kept)
