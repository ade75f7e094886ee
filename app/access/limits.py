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

from app.core.errors import LimitReached
from app.core.keys import ApiKey

log = logging.getLogger(__name__)

REDIS_SECONDS = 1.0
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


class Limits:
    """Admits requests of keys. `shared` is where other processes count, too; None counts in this one."""

    def __init__(self, shared: Storage | None = None) -> None:
        self._memory = SlidingWindowCounterRateLimiter(MemoryStorage())
        self._shared = SlidingWindowCounterRateLimiter(shared or self._memory.storage)
        self._outages = shared.base_exceptions if shared is not None else ()

    async def admit(self, key: ApiKey, tokens: int) -> Headers:
        """Counts one request of about `tokens` prompt tokens; returns the usual headers.

        Raises LimitReached.
        """
        headers: Headers = []
        if key.rpm is not None:
            headers += (await self._count(key.id, "requests", key.rpm, 1)).headers("requests")
        if key.tpm is not None:
            headers += (await self._count(key.id, "tokens", key.tpm, tokens)).headers("tokens")
        return headers

    async def settle(self, key: ApiKey, tokens: int) -> None:
        """Counts the tokens that `admit` did not know of."""
        if key.tpm is not None and tokens > 0:
            counting = cast(SlidingWindowCounterSupport, self._shared.storage)
            entry = RateLimitItemPerMinute(key.tpm).key_for("tokens", key.id)
            try:
                await counting.acquire_sliding_window_entry(entry, _ANY, 60, tokens)
            except self._outages as error:
                log.warning("tokens are not counted where all processes count: %s", error)

    async def _count(self, key_id: str, what: str, limit: int, cost: int) -> Standing:
        try:
            return await _hit(self._shared, key_id, what, limit, cost)
        except self._outages as error:
            log.warning("limits are not shared, this process counts for itself: %s", error)
            return await _hit(self._memory, key_id, what, limit, cost)


def redis_counters(url: str) -> Storage:
    """Redis, for processes on several machines."""
    return RedisStorage(
        f"async+{url}",
        implementation="redispy",
        socket_timeout=REDIS_SECONDS,
        socket_connect_timeout=REDIS_SECONDS,
    )


async def _hit(
    limiter: SlidingWindowCounterRateLimiter, key_id: str, what: str, limit: int, cost: int
) -> Standing:
    item = RateLimitItemPerMinute(limit)
    admitted = cost <= limit and await limiter.hit(item, what, key_id, cost=cost)
    stats = await limiter.get_window_stats(item, what, key_id)
    wait = max(0.0, stats.reset_time - time.time())
    if not admitted:
        raise LimitReached(
            f"Rate limit reached: {limit} {what} a minute. Try again in {math.ceil(wait) or 1} s.",
            retry_after=max(1.0, wait),
        )
    return Standing(limit, max(0, stats.remaining), wait)
