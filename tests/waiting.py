"""Waiting for a condition instead of a time: as quick as the machine is, and patient where it is slow."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, overload

T = TypeVar("T")

POLL_SECONDS = 0.005
MISSED = "it did not happen in time"


@overload
async def until(condition: Callable[[], Awaitable[T | None]], within: float = ...) -> T: ...
@overload
async def until(condition: Callable[[], T | None], within: float = ...) -> T: ...


async def until(condition: Callable[[], Any], within: float = 10.0) -> Any:
    """The first true value of `condition()`, asked again and again; AssertionError after `within`
    seconds. The condition may be a coroutine function."""
    deadline = time.monotonic() + within
    while True:
        value = condition()
        if inspect.isawaitable(value):
            value = await value
        if value:
            return value
        assert time.monotonic() < deadline, MISSED
        await asyncio.sleep(POLL_SECONDS)


def wait_until(condition: Callable[[], T], within: float = 15.0) -> T:
    """The same where no event loop runs: the browser's tests, processes."""
    deadline = time.monotonic() + within
    while not (value := condition()):
        assert time.monotonic() < deadline, MISSED
        time.sleep(POLL_SECONDS)
    return value
