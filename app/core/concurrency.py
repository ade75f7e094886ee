"""Tasks: those that run at once and end together, and those that nobody waits for."""

import asyncio
import logging
from collections.abc import Coroutine, Iterable
from typing import Any

log = logging.getLogger(__name__)


class BackgroundTasks:
    """The tasks of one owner. asyncio itself holds tasks weakly: one that nobody keeps may vanish."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    def __len__(self) -> int:
        return len(self._tasks)

    def start(self, work: Coroutine[Any, Any, Any]) -> "asyncio.Task[Any]":
        """Runs `work` in a task of its own. What it raises is logged, since nobody awaits it."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    async def drain(self, timeout_s: float | None = None) -> None:
        """Waits until all have ended, those that start meanwhile too, or `timeout_s` is over."""
        deadline = None if timeout_s is None else asyncio.get_running_loop().time() + timeout_s
        while self._tasks:
            left = None if deadline is None else deadline - asyncio.get_running_loop().time()
            if left is not None and left <= 0:
                return
            await asyncio.wait(self._tasks, timeout=left)

    async def cancel(self) -> None:
        """Cancels all and waits until they have ended."""
        while self._tasks:
            for task in self._tasks:
                task.cancel()
            await asyncio.wait(self._tasks)

    def _ended(self, task: "asyncio.Task[Any]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("%s failed in the background", task.get_coro(), exc_info=error)


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
