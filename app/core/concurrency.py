"""Coroutines that run at once and end together: none outlives whoever waits for them."""

import asyncio
import logging
from collections.abc import Coroutine, Iterable
from typing import Any

log = logging.getLogger(__name__)


async def ended(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancels the tasks and returns when all are over, also where the caller is cancelled meanwhile
    (it is told so afterwards): when this is left, nothing of theirs runs any more."""
    tasks = list(tasks)
    for task in tasks:
        task.cancel()
    cancelled: asyncio.CancelledError | None = None
    while pending := [task for task in tasks if not task.done()]:
        try:
            await asyncio.wait(pending)
        except asyncio.CancelledError as error:
            cancelled = error
    for task in tasks:
        if not task.cancelled() and (failure := task.exception()):
            log.debug("%s had failed: %r", task.get_name(), failure)
    if cancelled is not None:
        raise cancelled


async def at_once(*work: Coroutine[Any, Any, None]) -> None:
    """Runs all at the same time. What the first to fail raises is raised here, when the others have
    been ended; cancelling the caller ends all."""
    tasks = [asyncio.create_task(one) for one in work]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
    finally:
        await ended(tasks)
    for task in tasks:
        if not task.cancelled():
            task.result()
