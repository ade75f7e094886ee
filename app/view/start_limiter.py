"""Questions that come all at once are begun a few at a time.

An event loop gives everybody a little in turn, so that of fifty questions the first would be asked
of its model hardly before the last. Begun in order, half of them wait half as long.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import Any

MAX_CONCURRENT = 6
PATIENCE_SECONDS = 0.05
"""Nobody is held up for longer by one that is slow to begin, a compressed prompt for example."""


class StartLimiter:
    """The order of one process."""

    def __init__(
        self, max_concurrent: int = MAX_CONCURRENT, patience_seconds: float = PATIENCE_SECONDS
    ) -> None:
        self._places = asyncio.Semaphore(max_concurrent)
        self._patience = patience_seconds

    async def begin(self, work: Callable[[], Awaitable[Any]]) -> None:
        """Does the work once there is a place, which it has until `begun()` or for a moment."""
        await self._places.acquire()
        place = _Place(self._places)
        _present.set(place)
        timer = asyncio.get_running_loop().call_later(self._patience, place.leave)
        try:
            await work()
        finally:
            timer.cancel()
            place.leave()


def begun() -> None:
    """The model has been asked: the next may begin. For whoever runs inside `StartLimiter.begin`."""
    if place := _present.get():
        place.leave()


class _Place:
    def __init__(self, places: asyncio.Semaphore) -> None:
        self._places: asyncio.Semaphore | None = places

    def leave(self) -> None:
        places, self._places = self._places, None
        if places is not None:
            places.release()


_present: ContextVar[_Place | None] = ContextVar("place", default=None)
