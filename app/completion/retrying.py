"""Tries a call again, only before its first event, and never against a local model."""

import asyncio
import contextlib
import random
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence

from app.core.errors import (
    ConnectionLost,
    KonsiliumError,
    RateLimited,
    ServerBusy,
    ServerFault,
    ServerUnavailable,
)
from app.core.events import ModelEvent
from app.core.ports import ChatModel
from app.core.requests import ModelRequest

WORTH_RETRYING = (ConnectionLost, RateLimited, ServerBusy, ServerFault, ServerUnavailable)
PAUSES = (0.5, 1.5)
"""Seconds before the second and the third try, lengthened by up to half at random."""
LONGEST_PAUSE = 10.0
"""A server that asks for a longer wait is not waited for: the person decides."""


class Retrying:
    """A ChatModel around another. A retry against a local model would be a second GPU job."""

    def __init__(
        self,
        model: ChatModel,
        *,
        pauses: Sequence[float] = PAUSES,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._model = model
        self._pauses = pauses
        self._sleep = sleep

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelEvent, None]:
        """The answer of the first try that begins to answer; else the last try's error."""
        for pause in (*self._pauses, None):
            begun = False
            try:
                async with contextlib.aclosing(self._model.stream(request)) as events:
                    async for event in events:
                        begun = True
                        yield event
                return
            except WORTH_RETRYING as error:
                if begun or pause is None or not _worth_waiting(error):
                    raise
                wait = max(pause, error.retry_after or 0.0)
            await self._sleep(wait * random.uniform(1.0, 1.5))  # noqa: S311 - spreads retries, no secret


def _worth_waiting(error: KonsiliumError) -> bool:
    return error.retry_after is None or error.retry_after <= LONGEST_PAUSE
