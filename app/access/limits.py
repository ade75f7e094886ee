"""A key's requests and tokens a minute, counted by the `limits` library where all processes do: in a
file, or in Redis. Where that does not answer, each process counts for itself."""

import logging
import math
import time
from dataclasses import dataclass
from typing import cast

from limits import RateLimitItemPerMinute
from limits.aio.storage import (
    MemoryStorage,
    RedisStorage,
    SlidingWindowCounterSupport,
    Storage,
)
from limits.aio.strategies import SlidingWindowCounterRateLimiter

from app.core.errors import LimitReached, RequestTooLarge
from app.core.keys import ApiKey

log = logging.getLogger(__name__)

REDIS_SECONDS = 1.0
LIKELY_ANSWER_TOKENS = 500
"""Reserved for an answer whose client sets no bound, but never more than a tenth of the limit."""
_ANY = 10**12
"""A limit that lets every cost be counted, also one that overdraws."""

Headers = list[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class Standing:
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
        self._memory = SlidingWindowCounterRateLimiter(MemoryStorage())
        self._shared = SlidingWindowCounterRateLimiter(shared or self._memory.storage)
        self._outages = shared.base_exceptions if shared is not None else ()

    async def admit(
        self, key: ApiKey, tokens: int, answer_tokens: int | None, headers: Headers
    ) -> TokenCount | None:
        """Counts one request of about `tokens` prompt tokens, and what its answer may take: at most
        `answer_tokens`, where the client says so. Only the prompt has to fit.

        The usual headers are appended to `headers`, also where it raises LimitReached, or
        RequestTooLarge for a prompt that no minute has room for. Returns what `correct` replaces.
        """
        if key.rpm is not None:
            await self._count(key.id, "requests", key.rpm, 1, headers)
        if key.tpm is None:
            return None
        if tokens > key.tpm:
            raise RequestTooLarge(
                f"The prompt has about {tokens} tokens, and the key's limit is {key.tpm} a minute."
            )
        await self._count(key.id, "tokens", key.tpm, tokens, headers)
        likely = min(LIKELY_ANSWER_TOKENS, key.tpm // 10)
        answer = likely if answer_tokens is None else min(answer_tokens, key.tpm)
        return await self.correct(TokenCount(key, _minute(), tokens), tokens + answer)

    async def correct(self, counted: TokenCount, tokens: int) -> TokenCount:
        """Counts so many tokens in place of those counted so far; of a minute that is over, nothing is
        given back."""
        more = tokens - counted.tokens
        key, minute = counted.key, _minute()
        if key.tpm is None or more == 0 or (more < 0 and counted.minute != minute):
            return counted
        entry = RateLimitItemPerMinute(key.tpm).key_for("tokens", key.id)
        counting = cast(SlidingWindowCounterSupport, self._shared.storage)
        try:
            await counting.acquire_sliding_window_entry(entry, _ANY, 60, more)
        except self._outages as error:
            log.warning("tokens are not counted where all processes count: %s", error)
        return TokenCount(key, minute, tokens)

    async def _count(self, key_id: str, what: str, limit: int, cost: int, headers: Headers) -> None:
        try:
            admitted, standing = await _hit(self._shared, key_id, what, limit, cost)
        except self._outages as error:
            log.warning("limits are not shared, this process counts for itself: %s", error)
            admitted, standing = await _hit(self._memory, key_id, what, limit, cost)
        headers += standing.headers(what)
        if not admitted:
            wait = standing.reset_s
            raise LimitReached(
                f"Rate limit reached: {limit} {what} a minute."
                f" Try again in {math.ceil(wait) or 1} s.",
                retry_after=max(1.0, wait),
            )


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


async def _hit(
    limiter: SlidingWindowCounterRateLimiter, key_id: str, what: str, limit: int, cost: int
) -> tuple[bool, Standing]:
    item = RateLimitItemPerMinute(limit)
    admitted = await limiter.hit(item, what, key_id, cost=cost)
    stats = await limiter.get_window_stats(item, what, key_id)
    wait = max(0.0, stats.reset_time - time.time())
    return admitted, Standing(limit, max(0, stats.remaining), wait)
