"""A key's requests and tokens a minute, counted by the `limits` library where all processes do: in a
file, or in Redis. Where that does not answer, each process counts for itself."""

import logging
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol, cast, runtime_checkable

from limits import RateLimitItemPerMinute
from limits.aio.storage import (
    MemoryStorage,
    RedisStorage,
    SlidingWindowCounterSupport,
    Storage,
)

from app.core.concurrency import BackgroundTasks
from app.core.errors import LimitReached, RequestTooLarge
from app.core.keys import ApiKey

log = logging.getLogger(__name__)

MINUTE_SECONDS = 60
REDIS_SECONDS = 1.0
LIKELY_ANSWER_TOKENS = 500
"""Reserved for an answer whose client sets no bound, but never more than a tenth of the limit."""
_ANY = 10**12
"""A limit that lets every cost be counted, also one that overdraws."""

Headers = list[tuple[bytes, bytes]]
Window = tuple[int, float, int, float]
"""The count of the minute before and the seconds for which some of it still counts; the same of this one."""
Wanted = tuple[str, int, int]
"""A name, its limit, and how many are to be counted."""
Taken = tuple[bool, Window]
"""Whether it fitted, and how the window stands."""


@runtime_checkable
class Counting(Protocol):
    """A storage that counts several things in one go, and tells how they stand."""

    async def take(self, wanted: Sequence[Wanted], expiry: int) -> list[Taken]:
        """Counts one after the other until one does not fit, which is the last of what is told."""
        ...

    def add(self, key: str, expiry: int, amount: int) -> None:
        """Counts it, whatever the limit, a little later."""
        ...

    async def aclose(self) -> None:
        """Counts what waits."""
        ...


@dataclass(frozen=True, slots=True)
class LimitStatus:
    """What a key has left of one limit in the present minute."""

    limit: int
    remaining: int
    reset_s: float

    def headers(self, what: str) -> Headers:
        """`x-ratelimit-*` for `requests` or `tokens`."""
        return [
            (f"x-ratelimit-limit-{what}".encode(), str(self.limit).encode()),
            (f"x-ratelimit-remaining-{what}".encode(), str(self.remaining).encode()),
            (f"x-ratelimit-reset-{what}".encode(), f"{self.reset_s:.0f}s".encode()),
        ]


@dataclass(frozen=True, slots=True)
class TokenCount:
    """The tokens that are counted for one request so far."""

    key: ApiKey
    minute: int
    """In which they were counted."""
    tokens: int


class Limits:
    """Admits requests of keys. `shared` is where other processes count, too; None counts in this one."""

    def __init__(self, shared: Storage | None = None) -> None:
        self._memory = _InSteps(MemoryStorage())
        self._shared: Counting = self._memory
        if shared is not None:
            self._shared = shared if isinstance(shared, Counting) else _InSteps(shared)
        self._outages = shared.base_exceptions if shared is not None else ()

    async def admit(
        self, key: ApiKey, tokens: int, answer_tokens: int | None, headers: Headers
    ) -> TokenCount | None:
        """Counts one request of about `tokens` prompt tokens, and what its answer may take: at most
        `answer_tokens`, where the client says so. Only the prompt has to fit.

        The usual headers are appended to `headers`, also where it raises LimitReached, or
        RequestTooLarge for a prompt that no minute has room for. Returns what `correct` replaces.
        """
        asked: list[tuple[str, int, int, int]] = []
        answer, too_large = 0, False
        if key.rpm is not None:
            asked.append(("requests", key.rpm, 1, 0))
        if key.tpm is not None:
            likely = min(LIKELY_ANSWER_TOKENS, key.tpm // 10)
            answer = likely if answer_tokens is None else min(answer_tokens, key.tpm)
            too_large = tokens > key.tpm
            if not too_large:
                asked.append(("tokens", key.tpm, tokens, answer))
        taken = await self._taken(key.id, asked) if asked else []
        for (what, limit, _, beside), (admitted, window) in zip(asked, taken, strict=False):
            standing = _standing(limit, limit + beside if admitted else limit, window)
            headers += standing.headers(what)
            if not admitted:
                raise LimitReached(
                    f"Rate limit reached: {limit} {what} a minute."
                    f" Try again in {math.ceil(standing.reset_s) or 1} s.",
                    retry_after=max(1.0, standing.reset_s),
                )
        if too_large:
            headers.append((b"x-ratelimit-limit-tokens", str(key.tpm).encode()))
            raise RequestTooLarge(
                f"The prompt has about {tokens} tokens, and the key's limit is {key.tpm} a minute."
            )
        return TokenCount(key, _minute(), tokens + answer) if key.tpm is not None else None

    def correct(self, counted: TokenCount, tokens: int) -> TokenCount:
        """Counts so many tokens in place of those counted so far; of a minute that is over, nothing is
        given back."""
        more = tokens - counted.tokens
        key, minute = counted.key, _minute()
        if key.tpm is None or more == 0 or (more < 0 and counted.minute != minute):
            return counted
        self._shared.add(_name("tokens", key.id, key.tpm), MINUTE_SECONDS, more)
        return TokenCount(key, minute, tokens)

    async def aclose(self) -> None:
        """What was counted here is counted for all, as far as it can be."""
        await self._shared.aclose()

    async def _taken(self, key_id: str, asked: Sequence[tuple[str, int, int, int]]) -> list[Taken]:
        """Counts what is asked: of each a word, a limit, what has to fit, and what is counted beside it,
        fit or not."""
        wanted = [
            (_name(what, key_id, limit), limit + beside, cost + beside)
            for what, limit, cost, beside in asked
        ]
        try:
            return await self._shared.take(wanted, MINUTE_SECONDS)
        except self._outages as error:
            log.warning("limits are not shared, this process counts for itself: %s", error)
            return await self._memory.take(wanted, MINUTE_SECONDS)


class _InSteps:
    """Any storage of the library, asked once for each count and once for how it stands."""

    def __init__(self, storage: Storage) -> None:
        self._storage = cast(SlidingWindowCounterSupport, storage)
        self._outages = storage.base_exceptions
        self._adding = BackgroundTasks()

    async def take(self, wanted: Sequence[Wanted], expiry: int) -> list[Taken]:
        taken: list[Taken] = []
        for name, limit, amount in wanted:
            fits = await self._storage.acquire_sliding_window_entry(name, limit, expiry, amount)
            taken.append((fits, await self._storage.get_sliding_window(name, expiry)))
            if not fits:
                break
        return taken

    def add(self, key: str, expiry: int, amount: int) -> None:
        self._adding.start(self._added(key, expiry, amount))

    async def _added(self, key: str, expiry: int, amount: int) -> None:
        try:
            await self._storage.acquire_sliding_window_entry(key, _ANY, expiry, amount)
        except self._outages as error:
            log.warning("tokens are not counted where all processes count: %s", error)

    async def aclose(self) -> None:
        await self._adding.drain()


def redis_counters(url: str) -> Storage:
    """Redis, for processes on several machines."""
    return RedisStorage(
        f"async+{url}",
        implementation="redispy",
        socket_timeout=REDIS_SECONDS,
        socket_connect_timeout=REDIS_SECONDS,
    )


def _minute() -> int:
    return int(time.time() // 60)


@lru_cache(1024)
def _name(what: str, key_id: str, limit: int) -> str:
    """Under which it is counted, as the library names it."""
    return RateLimitItemPerMinute(limit).key_for(what, key_id)


def _standing(limit: int, counted_limit: int, window: Window) -> LimitStatus:
    """As the library reckons it: of the minute before, as much counts as is still within sixty seconds."""
    previous, left, current, ends = window
    used = math.floor(previous * left / MINUTE_SECONDS + current)
    waits = [left % (MINUTE_SECONDS / previous)] if previous else []
    waits += [ends % MINUTE_SECONDS] if current else []
    return LimitStatus(limit, max(0, counted_limit - used), min(waits, default=0.0))
