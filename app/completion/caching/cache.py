"""The answer cache: looks a question up, keeps an answer, forgets what should not be served."""

import asyncio
import logging
import math
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from typing import Any, Literal

from app.completion.caching.analysis import Aliases, Analysis, analyse
from app.completion.caching.hints import Hints
from app.completion.caching.matching import Verdict, compare, terms_of
from app.completion.caching.policy import Policies, Policy
from app.completion.caching.scope import SHARED, Scope
from app.completion.caching.text import read_dictionaries, ready
from app.core.caching import CachedAnswer
from app.core.errors import KonsiliumError
from app.core.ports import AnswerStore, CacheObserver
from app.core.turns import now

log = logging.getLogger(__name__)

CANDIDATES = 12
TERMS = 12
TRIM_EVERY = 50
"""Answers kept between two looks at the limits."""

Embed = Callable[[str], Awaitable[Sequence[float]]]
"""The vector of a question, by the configured embedding model."""
Check = Callable[[str, str, str | None], Awaitable[bool]]
"""Whether a model says yes: the answer to the first question answers the second (request id last)."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A question that may be looked up: eligible, in its scope."""

    scope: Scope
    key: str
    question: str
    first: bool = True
    """The first of its conversation: it stands alone, and may match in other words."""
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class Hit:
    """An answer to serve."""

    kind: Literal["exact", "near", "taken"]
    entry: CachedAnswer


@dataclass(frozen=True, slots=True)
class Suggestion:
    """An answer to offer: the question was alike, not the same."""

    entry: CachedAnswer


@dataclass(frozen=True, slots=True)
class Miss:
    """Nothing alike."""


Outcome = Hit | Suggestion | Miss


class AnswerCache:
    """Lookups read; `keep`, `served` and `forget` write. Storage decides nothing, matching is pure."""

    def __init__(
        self,
        store: AnswerStore,
        policies: Policies,
        *,
        embed: Embed | None = None,
        check: Check | None = None,
        observers: Sequence[CacheObserver] = (),
        clock: Callable[[], datetime] = now,
    ) -> None:
        self._store = store
        self.policies = policies
        self._embed = embed
        self._check = check
        self._observers = observers
        self._clock = clock
        self._disliked: OrderedDict[str, None] = OrderedDict()
        self._hints = Hints()
        self._kept = 0
        self._writing: set[asyncio.Task[None]] = set()
        self._in_turn = asyncio.Lock()

    async def owner(self, own: str) -> str:
        """Whose cache one who asks belongs to: `own` (`user:<id>`), unless all share one."""
        return SHARED if (await self.policies.current()).shared else own

    async def likely(self, asked: Asked, *, near: bool) -> bool:
        """Whether this process has seen an entry that should be served: worth waiting for."""
        scope = asked.scope.key
        if (scope, asked.key) in self._hints:
            return True
        if not (near and asked.first) or scope not in self._hints:
            return False
        question = await taken_apart(asked.question, (await self.policies.current()).names)
        terms = terms_of(question) if question else ()
        return bool(terms) and (scope, terms[0]) in self._hints

    async def lookup(self, asked: Asked, *, near: bool) -> Outcome:
        """What is known; with `near`, other words may match too. A failure is a miss, and logged."""
        start = time.perf_counter()
        try:
            found = await self._find(asked, near=near)
        except KonsiliumError as error:
            log.warning("answer cache: %s: %s", error.code, error.detail)
            found = Miss()
        self._count(found, time.perf_counter() - start)
        return found

    async def entry(self, asked: Asked, entry_id: str) -> CachedAnswer | None:
        """An entry that was suggested, if it is of the asker's own scope and still there."""
        entry = await self._store.find(entry_id)
        if entry is None or entry.scope != asked.scope.key:
            return None
        for observer in self._observers:
            observer.looked_up("taken", 0.0)
        return entry

    async def keep(self, asked: Asked, answer: CachedAnswer) -> None:
        """Keeps a whole, good answer to `asked`, in place of an earlier one.

        The caller vouches that it is complete; one disliked meanwhile is not kept.
        """
        if answer.turn_id in self._disliked or not answer.answer.strip():
            return
        terms: Sequence[str] = ()
        if asked.first:
            policy = await self.policies.current()
            analysis = await taken_apart(asked.question, policy.names)
            terms = terms_of(analysis)[:TERMS] if analysis else ()
            answer = replace(answer, vector=await self._vector(asked.question))
        await self._store.put(answer, terms)
        self._hints.note(asked.scope.key, asked.key, *terms[:1])
        self._kept += 1
        if self._kept % TRIM_EVERY == 1:
            await self.trim()

    def later(self, writing: Coroutine[Any, Any, None]) -> None:
        """Does that write (`keep`, `forget`, `served`) in the background, in the order given."""
        task = asyncio.create_task(self._write(writing))
        self._writing.add(task)
        task.add_done_callback(self._writing.discard)

    async def drain(self) -> None:
        """Waits for the writes in the background."""
        while self._writing:
            await asyncio.wait(self._writing)

    async def _write(self, writing: Coroutine[Any, Any, None]) -> None:
        async with self._in_turn:
            try:
                await writing
            except KonsiliumError as error:
                log.warning("answer cache: %s: %s", error.code, error.detail)

    async def served(self, entry_id: str) -> None:
        """Notes that an entry was shown: it stays longest."""
        await self._store.touch(entry_id)

    async def dislike(self, turn_id: str, entry_id: str | None = None) -> None:
        """A person disliked that turn: what it left here goes, and `entry_id`, if it showed that."""
        self._disliked[turn_id] = None
        while len(self._disliked) > 1000:
            self._disliked.popitem(last=False)
        await self._store.purge(turn_id=turn_id)
        if entry_id is not None:
            await self._store.purge(entry_id=entry_id)

    async def forget(self, asked: Asked) -> None:
        """Removes the entry of exactly this question."""
        await self._store.purge(scope=asked.scope.key, key=asked.key)

    async def purge(
        self,
        *,
        question_id: str | None = None,
        thread_id: str | None = None,
        owner: str | None = None,
        model: str | None = None,
    ) -> int:
        """Removes what came of a question, a thread, an owner or a model; without any, everything."""
        return await self._store.purge(
            question_id=question_id, thread_id=thread_id, owner=owner, model=model
        )

    async def trim(self) -> int:
        """Keeps to the lifetime and the size limit."""
        policy = await self.policies.current()
        return await self._store.trim(self._clock() - policy.lifetime, policy.entries)

    async def _find(self, asked: Asked, *, near: bool) -> Outcome:
        policy = await self.policies.current()
        since = self._clock() - policy.lifetime
        question = await taken_apart(asked.question, policy.names) if near and asked.first else None
        terms = terms_of(question)[:TERMS] if question else ()
        found = await self._store.look_up(asked.scope.key, asked.key, terms, since, CANDIDATES)
        if found.exact is not None:
            self._hints.note(asked.scope.key, asked.key)
            return Hit("exact", found.exact)
        self._hints.drop(asked.scope.key, asked.key)
        if question is None:
            return Miss()
        best = judged(question, found.candidates, policy)
        if isinstance(best, Hit):
            self._hints.note(asked.scope.key, *terms[:1])
        elif terms:
            self._hints.drop(asked.scope.key, terms[0])
        if isinstance(best, Miss):
            best = await self._by_vector(asked, question, policy, since)
        if isinstance(best, Suggestion) and await self._confirmed(asked, best.entry):
            return Hit("near", best.entry)
        return best

    async def _by_vector(
        self, asked: Asked, question: Analysis, policy: Policy, since: datetime
    ) -> Outcome:
        """The nearest by meaning: offered at most, and only where no guard but wording objects."""
        vector = await self._vector(asked.question)
        if vector is None:
            return Miss()
        for entry in await self._store.nearest(asked.scope.key, vector, since, 3):
            other = await taken_apart(entry.question, policy.names)
            cosine = _product(vector, entry.vector or ())
            if other and cosine >= policy.vectors_from and offered_by_meaning(question, other):
                return Suggestion(entry)
        return Miss()

    async def _vector(self, question: str) -> tuple[float, ...] | None:
        if self._embed is None:
            return None
        try:
            vector = await self._embed(question)
        except KonsiliumError as error:
            log.info("answer cache without vectors: %s: %s", error.code, error.detail)
            return None
        length = math.sqrt(_product(vector, vector))
        return tuple(value / length for value in vector) if length else None

    async def _confirmed(self, asked: Asked, entry: CachedAnswer) -> bool:
        if self._check is None:
            return False
        try:
            return await self._check(entry.question, asked.question, asked.request_id)
        except KonsiliumError as error:
            log.info("answer cache unchecked: %s: %s", error.code, error.detail)
            return False

    def _count(self, found: Outcome, seconds: float) -> None:
        match found:
            case Hit(kind):
                outcome: str = kind
            case Suggestion():
                outcome = "suggestion"
            case Miss():
                outcome = "miss"
        for observer in self._observers:
            observer.looked_up(outcome, seconds)


def _product(one: Sequence[float], other: Sequence[float]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=False))


def judged(question: Analysis, candidates: Iterable[CachedAnswer], policy: Policy) -> Outcome:
    """The best of the candidates: one to serve, else one to suggest, else nothing."""
    serve: list[tuple[float, datetime, CachedAnswer]] = []
    suggest: list[tuple[float, datetime, CachedAnswer]] = []
    for entry in candidates:
        other = _analysed(entry.question, policy.names)
        if other is None:
            continue
        verdict = compared(question, other, policy)
        if verdict.kind != "different":
            rank = (verdict.score, entry.asked_at, entry)
            (serve if verdict.kind == "serve" else suggest).append(rank)
    if serve:
        return Hit("near", max(serve, key=lambda r: r[:2])[2])
    if suggest:
        return Suggestion(max(suggest, key=lambda r: r[:2])[2])
    return Miss()


def compared(one: Analysis, other: Analysis, policy: Policy) -> Verdict:
    """The verdict under a policy's thresholds."""
    return compare(one, other, serve_from=policy.serve_from, suggest_from=policy.suggest_from)


def offered_by_meaning(one: Analysis, other: Analysis) -> bool:
    """Whether nothing but different words speaks against the two."""
    return set(compare(one, other).hard) <= {"thing"}


@lru_cache(maxsize=20_000)
def _analysed(question: str, aliases: Aliases) -> Analysis | None:
    return analyse(question, aliases)


async def taken_apart(question: str, aliases: Aliases) -> Analysis | None:
    """The analysis; the dictionaries are read in a thread the first time."""
    if not ready(question):
        await asyncio.to_thread(read_dictionaries, question)
    return _analysed(question, aliases)
