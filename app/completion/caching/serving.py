"""The one way in which an answer is looked up, played again and kept, for a turn and for an API call."""

import asyncio
import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Iterable
from contextlib import aclosing
from dataclasses import replace
from typing import Any

from app.completion.caching.cache import AnswerCache, CheckCaller, Hit, Miss, Outcome, Suggestion
from app.completion.caching.query import CacheQuery, cacheable_answer
from app.core.concurrency import ended
from app.core.events import Finished, ModelEvent, TextDelta
from app.core.models import ModelRef
from app.core.ports import Call
from app.core.turns import new_id, now
from app.core.usage import CallRecord, Purpose, Usage
from app.core.usage import Outcome as Ended

PATIENCE_S = 0.02
"""How long the model is not asked because a hit is expected; a lookup takes a few milliseconds."""
AFTER_S = 0.005
"""How long after the model a lookup begins that is not expected to find anything."""

_WORDS = re.compile(r"\s+|\S+")


class Lookup:
    """A look into the cache beside an answer that is being made. Close it however that ends."""

    def __init__(
        self,
        look: Callable[[], Awaitable[Outcome]],
        confirm: Callable[[Suggestion], Coroutine[Any, Any, Outcome]] | None,
        *,
        expected: bool,
        taken: bool = False,
    ) -> None:
        """`expected`: a hit is likely, and worth waiting for before a model is asked; `taken`: a person has
        chosen it, so that it is waited for however long it takes. `confirm` turns a suggestion into a hit
        by a model's word; None where no model is to be asked."""
        self._look = look
        self._confirm = confirm
        self._expected = expected or taken
        self._patience = None if taken else PATIENCE_S
        self._looking = asyncio.create_task(self._looked())
        self._tasks: list[asyncio.Task[Any]] = [self._looking]

    async def _looked(self) -> Outcome:
        if not self._expected:
            await asyncio.sleep(AFTER_S)  # the model's request goes out first
        return await self._look()

    async def before(self) -> Hit | None:
        """The hit that was expected, if it comes within PATIENCE_S, or was chosen: then nothing need be
        begun."""
        if self._expected:
            await asyncio.wait([self._looking], timeout=self._patience)
        found = self._looking.result() if self._looking.done() else None
        return found if isinstance(found, Hit) else None

    async def in_time(self, *begun: asyncio.Task[Any]) -> Outcome | None:
        """What there is by the first word, when one of `begun` is over; None where it is still being
        looked for. What a model has not confirmed by then stays a suggestion."""
        looking = self._looking
        await asyncio.wait({looking, *begun}, return_when=asyncio.FIRST_COMPLETED)
        if not looking.done():  # a very quick model
            await asyncio.wait([looking], timeout=PATIENCE_S)
        if not looking.done():
            return None
        found = looking.result()
        if isinstance(found, Suggestion) and self._confirm and not _over(begun):
            confirming = asyncio.create_task(self._confirm(found))
            self._tasks.append(confirming)
            await asyncio.wait({confirming, *begun}, return_when=asyncio.FIRST_COMPLETED)
            if not _over(begun):
                return confirming.result()
            await ended([confirming])
        return found

    async def late(self, answering: asyncio.Task[Any]) -> Outcome:
        """What is found while the answer is read; nothing where that ends first."""
        await asyncio.wait({self._looking, answering}, return_when=asyncio.FIRST_COMPLETED)
        return self._looking.result() if self._looking.done() else Miss()

    async def aclose(self) -> None:
        """Ends what still runs."""
        await ended(self._tasks)


def _over(tasks: Iterable[asyncio.Task[Any]]) -> bool:
    return any(task.done() for task in tasks)


class ReplayedCall:
    """A cached answer as a call: implements `core.ports.Call`."""

    def __init__(self, hit: Hit, request_id: str | None = None, step_id: str | None = None) -> None:
        entry = hit.entry
        self._answer = entry.answer
        self.record = CallRecord(
            id=new_id(),
            purpose=Purpose.ANSWER,
            model=ModelRef.parse(entry.model),
            started_at=now(),
            outcome=Ended.COMPLETED,
            usage=Usage(input_tokens=0, output_tokens=0),
            first_token_s=0.0,
            total_s=0.0,
            characters=len(entry.answer),
            finish_reason="stop",
            cache=hit.kind,
            request_id=request_id,
            step_id=step_id,
            saved_tokens=entry.tokens,
            saved_rub=entry.cost_rub,
        )

    async def events(self) -> AsyncGenerator[ModelEvent, None]:
        """The answer word by word, as a model would have sent it."""
        for word in _WORDS.findall(self._answer):
            yield TextDelta(word)
        yield Finished("stop", self.record.usage)


class CachingCall:
    """A call beside which the cache is asked, and whose answer is kept: implements `core.ports.Call`."""

    def __init__(
        self,
        call: Call,
        cache: AnswerCache,
        query: CacheQuery,
        asker: CheckCaller,
        *,
        near: bool,
        bypass: bool = False,
        hit: Callable[[Hit], None] = lambda hit: None,
    ) -> None:
        """`bypass` asks the model, and what was kept goes, however that ends. `hit` is told of an
        answer from the cache before its first word."""
        self._call: Call = call
        self._cache = cache
        self._query = query
        self._asker = asker
        self._near = near
        self._bypass = bypass
        self._hit = hit

    @property
    def record(self) -> CallRecord:
        """Of what answered: a model's is marked as a miss."""
        record = self._call.record
        return record if record.cache else replace(record, cache="miss")

    async def events(self) -> AsyncGenerator[ModelEvent, None]:
        """The model's, or those of the cached answer. A whole answer is kept after the last of them."""
        cache, query = self._cache, self._query
        text: list[str] = []
        if self._bypass:
            cache.later(cache.forget(query))
        async with aclosing(self._call.events()) as events, aclosing(self._lookup()) as lookup:
            hit = await lookup.before()
            if hit is None:
                first = asyncio.create_task(_next(events))
                try:
                    found = await lookup.in_time(first)
                    hit = found if isinstance(found, Hit) else None
                    event = None if hit else await first
                finally:
                    await ended([first])
                await lookup.aclose()
                while event is not None:
                    if isinstance(event, TextDelta):
                        text.append(event.text)
                    yield event
                    event = await _next(events)
        if hit is not None:
            self._call = ReplayedCall(hit, query.request_id)
            self._hit(hit)
            cache.later(cache.served(hit.entry.id))
            async for event in self._call.events():
                yield event
            return
        answer, calls = "".join(text), [self._call.record]
        if cacheable_answer(answer, calls):
            cache.later(cache.keep(query, query.entry(answer, calls)))

    def _lookup(self) -> Lookup:
        cache, query = self._cache, self._query

        async def look() -> Outcome:
            return Miss() if self._bypass else await cache.lookup(query, near=self._near)

        confirm = cache.confirmer(query, self._asker)
        return Lookup(look, confirm, expected=not self._bypass and cache.expects(query))


async def _next(events: AsyncGenerator[ModelEvent, None]) -> ModelEvent | None:
    return await anext(events, None)
