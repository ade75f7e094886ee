"""The one loop of attempts: the same model again, or another server, only before the first event."""

import asyncio
import contextlib
import functools
import logging
import random
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from typing import TypeVar

from app.core.errors import (
    ConnectionLost,
    KonsiliumError,
    ModelNotFound,
    NoModels,
    QuotaExceeded,
    RateLimited,
    ServerBusy,
    ServerError,
    ServerFault,
    ServerUnavailable,
    WrongKey,
)

log = logging.getLogger(__name__)

T = TypeVar("T")
Attempt = Callable[[], AsyncGenerator[T, None]]
Pause = Callable[[KonsiliumError, int], float | None]
"""Seconds before the next attempt after the failure of that one (0 is the first); None gives up."""

WORTH_RETRYING = (ConnectionLost, RateLimited, ServerBusy, ServerFault, ServerUnavailable)
PAUSES = (0.5, 1.5)
"""Seconds before the second and the third try, lengthened by up to half at random."""
MAX_PAUSE = 10.0
"""A server that asks for a longer wait is not waited for: the person decides."""
ELSEWHERE = (ServerError, RateLimited, QuotaExceeded, WrongKey, ModelNotFound)
"""Failures that another server with the same model may not have."""


async def first_to_answer(
    attempts: Sequence[Attempt[T]],
    pause: Pause,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> AsyncGenerator[T, None]:
    """What the first attempt gives that gives anything; else the last one's error."""
    for number, attempt in enumerate(attempts):
        begun = False
        try:
            async with contextlib.aclosing(attempt()) as events:
                async for event in events:
                    begun = True
                    yield event
            return
        except KonsiliumError as error:
            wait = None if begun or number + 1 == len(attempts) else pause(error, number)
            if wait is None:
                raise
        if wait:
            await sleep(wait)


def again(
    attempt: Attempt[T],
    pauses: Sequence[float] = PAUSES,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> AsyncGenerator[T, None]:
    """The same attempt, a few times: for clouds. Against a local model it would be a second GPU job."""

    def pause(error: KonsiliumError, number: int) -> float | None:
        if not isinstance(error, WORTH_RETRYING) or (error.retry_after or 0.0) > MAX_PAUSE:
            return None
        wait = max(pauses[number], error.retry_after or 0.0)
        return wait * random.uniform(1.0, 1.5)  # noqa: S311 - spreads retries, no secret

    return first_to_answer([attempt] * (len(pauses) + 1), pause, sleep)


def elsewhere(attempts: Sequence[Attempt[T]]) -> AsyncGenerator[T, None]:
    """One server after the other, at once, where the next may not have the failure of the last."""

    def pause(error: KonsiliumError, _number: int) -> float | None:
        if not may_work_elsewhere(error):
            return None
        log.warning("%s of %s: %s; asking the next", error.code, error.server, error.detail)
        return 0.0

    return first_to_answer(attempts, pause)


def may_work_elsewhere(error: KonsiliumError) -> bool:
    """Whether the next server is worth asking after this failure, before the first token."""
    return isinstance(error, ELSEWHERE) and not isinstance(error, NoModels)


async def whole_elsewhere(attempts: Sequence[Callable[[], Awaitable[T]]]) -> T:
    """`elsewhere` for attempts that give one answer."""
    if len(attempts) == 1:
        return await attempts[0]()

    async def once(attempt: Callable[[], Awaitable[T]]) -> AsyncGenerator[T, None]:
        yield await attempt()

    answers = elsewhere([functools.partial(once, attempt) for attempt in attempts])
    async with contextlib.aclosing(answers):
        return await anext(answers)
