"""The answer cache: looks a question up, keeps an answer, forgets what should not be served."""

import asyncio
import logging
import math
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal

from app.completion.caching.matching import compare, interchangeable
from app.completion.caching.policy import Policies, Policy
from app.completion.caching.query import SHARED, CacheQuery
from app.completion.caching.words import Aliases, Reading, read, read_dictionaries, terms_of
from app.core.caching import CachedAnswer
from app.core.concurrency import BackgroundTasks, ended
from app.core.errors import KonsiliumError
from app.core.events import TextDelta
from app.core.messages import Message
from app.core.ports import AnswerStore, CacheObserver, Call
from app.core.requests import ModelRequest, Sampling
from app.core.turns import now
from app.core.usage import CallRecord, Purpose

log = logging.getLogger(__name__)

CANDIDATES = 12
TERMS = 12
TRIM_EVERY = 50
"""Answers kept between two looks at the limits."""
MAX_EXPECTED = 200_000
"""Keys remembered as present, about 20 MB."""

RULE = (
    "You compare two questions. Reply with one word. Reply yes only if a complete and correct answer "
    "to A is also a complete and correct answer to B, in the same language. If they differ in what is "
    "asked, in a number, date, name, place, direction, negation or order, reply no."
)
MAX_REPLY = 8
"""Tokens."""


@dataclass(frozen=True, slots=True)
class Embedder:
    """An embedding model: its name, and the vector of a question."""

    model: str
    """`server/model`: by which its least cosine is known."""
    embed: Callable[[str], Awaitable[Sequence[float]]]


@dataclass(frozen=True, slots=True)
class CheckCaller:
    """Makes the check's calls for whoever asked: `call` raises where they may not use the model, and
    `book` is told what each call took."""

    call: Callable[[str, ModelRequest], Call]
    book: Callable[[CallRecord], None] = lambda record: None


@dataclass(frozen=True, slots=True)
class Hit:
    """An answer to serve."""

    kind: Literal["exact", "near", "taken"]
    entry: CachedAnswer


@dataclass(frozen=True, slots=True)
class Suggestion:
    """An answer to offer: the question was alike. `certain` where no guard objects to serving it, and
    a model's word is all that is missing."""

    entry: CachedAnswer
    certain: bool = False


@dataclass(frozen=True, slots=True)
class Miss:
    """Nothing alike."""


Outcome = Hit | Suggestion | Miss


class AnswerCache:
    """Lookups read; `keep`, `served` and `forget` write. Storage decides nothing, matching is pure.

    `check_model` (`server/model`) is asked whether two questions want the same answer; without one,
    what is not exactly the same is only ever offered.
    """

    def __init__(
        self,
        store: AnswerStore,
        policies: Policies,
        *,
        embedder: Embedder | None = None,
        check_model: str | None = None,
        observers: Sequence[CacheObserver] = (),
        clock: Callable[[], datetime] = now,
    ) -> None:
        self._store = store
        self.policies = policies
        self._embedder = embedder
        self._check_model = check_model
        self._observers = observers
        self._clock = clock
        self._disliked: OrderedDict[str, None] = OrderedDict()
        self._expected: OrderedDict[str, None] = OrderedDict()
        self._kept = 0
        self._writing = BackgroundTasks()
        self._in_turn = asyncio.Lock()

    async def owner(self, own: str) -> str:
        """Whose cache one who asks belongs to: `own` (`user:<id>`), unless all share one."""
        return SHARED if (await self.policies.current()).shared else own

    def expects(self, query: CacheQuery) -> bool:
        """Whether this process has seen an entry of exactly this question: a hit is worth waiting for."""
        return query.scope.key + query.key in self._expected

    async def lookup(self, query: CacheQuery, *, near: bool) -> Outcome:
        """What is known; with `near`, what is alike too. A failure is a miss, and logged."""
        start = time.perf_counter()
        try:
            found = await self._find(query, near=near)
        except KonsiliumError as error:
            log.warning("answer cache: %s: %s", error.code, error.detail)
            found = Miss()
        outcome = {Suggestion: "suggestion", Miss: "miss"}.get(type(found))
        for observer in self._observers:
            observer.looked_up(outcome or "exact", time.perf_counter() - start)
        return found

    def confirmer(
        self, query: CacheQuery, asker: CheckCaller
    ) -> Callable[[Suggestion], Coroutine[Any, Any, Outcome]] | None:
        """What turns a suggestion into a hit by a model's word; None where no model is to be asked."""
        if not self._check_model:
            return None
        return lambda found: self._confirm(query, found, asker)

    async def _confirm(self, query: CacheQuery, found: Suggestion, asker: CheckCaller) -> Outcome:
        """Asks the check model, both ways round at once; anything but two times yes is a no."""
        if not found.certain:
            return found
        orders = ((found.entry.question, query.question), (query.question, found.entry.question))
        replies = [
            asyncio.create_task(self._says_yes(asker, *order, query.request_id)) for order in orders
        ]
        try:
            if not all([await reply for reply in replies]):
                return found
        except KonsiliumError as error:
            log.info("answer cache unchecked: %s: %s", error.code, error.detail)
            return found
        finally:
            await ended(replies)
        for observer in self._observers:
            observer.looked_up("near", 0.0)
        return Hit("near", found.entry)

    async def _says_yes(self, asker: CheckCaller, a: str, b: str, request_id: str | None) -> bool:
        request = ModelRequest(
            messages=(Message.system(RULE), Message.user(f"A: {a}\nB: {b}")),
            sampling=Sampling(temperature=0.0, max_tokens=MAX_REPLY),
            think=False,
            purpose=Purpose.CACHE_CHECK,
            request_id=request_id,
        )
        call = asker.call(self._check_model or "", request)
        try:
            async with aclosing(call.events()) as events:
                said = "".join([e.text async for e in events if isinstance(e, TextDelta)])
        finally:
            asker.book(call.record)
        return said.strip().strip("\"'*.!").lower() == "yes"

    async def entry(self, query: CacheQuery, entry_id: str) -> Outcome:
        """An entry that was suggested and taken, if it is of the asker's own scope and still there."""
        entry = await self._store.find(entry_id)
        if entry is None or entry.scope != query.scope.key:
            return Miss()
        for observer in self._observers:
            observer.looked_up("taken", 0.0)
        return Hit("taken", entry)

    async def keep(self, query: CacheQuery, answer: CachedAnswer) -> None:
        """Keeps an answer that `cacheable_answer` lets through, in place of an earlier one; one
        disliked meanwhile is not kept."""
        if answer.turn_id in self._disliked:
            return
        terms: Sequence[str] = ()
        if query.first:
            policy = await self.policies.current()
            terms = terms_of(await _read(query.question, policy.names), TERMS)
            answer = replace(answer, vector=await self._vector(query.question))
        await self._store.put(answer, terms)
        self._expect(query)
        self._kept += 1
        if self._kept % TRIM_EVERY == 1:
            await self.trim()

    def later(self, writing: Coroutine[Any, Any, None]) -> None:
        """Does that write (`keep`, `forget`, `served`) in the background, in the order given."""
        self._writing.start(self._write(writing))

    async def drain(self) -> None:
        """Waits for the writes in the background."""
        await self._writing.drain()

    async def _write(self, writing: Coroutine[Any, Any, None]) -> None:
        async with self._in_turn:
            await writing

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

    async def forget(self, query: CacheQuery) -> None:
        """Removes the entry of exactly this question."""
        await self._store.purge(scope=query.scope.key, key=query.key)

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

    def _expect(self, query: CacheQuery) -> None:
        self._expected[query.scope.key + query.key] = None
        while len(self._expected) > MAX_EXPECTED:
            self._expected.popitem(last=False)

    async def _find(self, query: CacheQuery, *, near: bool) -> Outcome:
        policy = await self.policies.current()
        since = self._clock() - policy.lifetime
        reading = await _read(query.question, policy.names) if near and query.first else None
        terms = terms_of(reading, TERMS) if reading else ()
        found = await self._store.look_up(query.scope.key, query.key, terms, since, CANDIDATES)
        if found.exact is not None:
            self._expect(query)
            return Hit("exact", found.exact)
        self._expected.pop(query.scope.key + query.key, None)
        if reading is None:
            return Miss()
        best = offered(reading, found.candidates, policy)
        return best or await self._by_vector(query, reading, policy, since) or Miss()

    async def _by_vector(
        self, query: CacheQuery, reading: Reading, policy: Policy, since: datetime
    ) -> Suggestion | None:
        """The nearest by meaning, where no guard but that of other words objects."""
        if self._embedder is None or not await self._store.has_vectors(query.scope.key, since):
            return None
        vector = await self._vector(query.question)
        if vector is None:
            return None
        least = policy.cosine(self._embedder.model)
        for entry in await self._store.nearest(query.scope.key, vector, since, 3):
            cosine = sum(a * b for a, b in zip(vector, entry.vector or (), strict=False))
            other = read(entry.question, policy.names)
            if cosine >= least and compare(reading, other).objections <= OTHER_WORDS:
                return Suggestion(entry)
        return None

    async def _vector(self, question: str) -> tuple[float, ...] | None:
        """Of unit length."""
        if self._embedder is None:
            return None
        try:
            vector = await self._embedder.embed(question)
        except KonsiliumError as error:
            log.info("answer cache without vectors: %s: %s", error.code, error.detail)
            return None
        length = math.sqrt(sum(value * value for value in vector))
        return tuple(value / length for value in vector) if length else None


OTHER_WORDS = frozenset({"thing"})
"""The one guard that a vector may overrule: both questions have words that the other lacks."""


def offered(
    reading: Reading, candidates: Iterable[CachedAnswer], policy: Policy
) -> Suggestion | None:
    """The most alike of the candidates, of equals the latest."""
    best: tuple[tuple[bool, float, datetime], Suggestion] | None = None
    for entry in candidates:
        other = read(entry.question, policy.names)
        likeness = compare(reading, other)
        if likeness.objections or likeness.score < policy.offer_from:
            continue
        certain = interchangeable(reading, other)
        rank = (certain, likeness.score, entry.asked_at)
        if best is None or rank > best[0]:
            best = rank, Suggestion(entry, certain)
    return best[1] if best else None


async def _read(question: str, aliases: Aliases) -> Reading:
    """The question read; the dictionaries are loaded in a thread the first time."""
    if not read_dictionaries.cache_info().currsize:
        await asyncio.to_thread(read_dictionaries)
    return read(question, aliases)
