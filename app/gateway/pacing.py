"""One new request an iteration of the loop.

uvloop writes at the end of an iteration. Fifty requests that come together would all be read before
the first is sent on, and their answers, coming together again, would wait for one another too: the
median becomes the maximum. Let in one by one, each is on its way before the next is looked at.
"""

import asyncio
from collections import deque


class RequestPacer:
    """`await enter()` returns at once where nobody else has just come in."""

    def __init__(self) -> None:
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._turning = False

    async def enter(self) -> None:
        """Returns in one's turn, first come first served."""
        loop = asyncio.get_running_loop()
        if not self._turning:
            self._turning = True
            loop.call_soon(self._next, loop)
            return
        turn = loop.create_future()
        self._waiting.append(turn)
        await turn

    def _next(self, loop: asyncio.AbstractEventLoop) -> None:
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                loop.call_soon(self._next, loop)
                return
        self._turning = False
