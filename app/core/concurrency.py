"""Tasks: those that run at once and end together, and those that nobody waits for."""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Coroutine, Hashable, Iterable
from typing import Any, TypeVar

from app.core.errors import KonsiliumError

log = logging.getLogger(__name__)

T = TypeVar("T")
TURN_SECONDS = 0.002


async def unhurried(items: Iterable[T]) -> AsyncGenerator[T, None]:
    """The items one by one; what else the loop has to do gets its turn whenever the work on them has
    taken 2 ms."""
    since = time.perf_counter()
    for item in items:
        yield item
        if time.perf_counter() - since > TURN_SECONDS:
            await asyncio.sleep(0)
            since = time.perf_counter()


class BackgroundTasks:
    """The tasks of one owner. asyncio itself holds tasks weakly: one that nobody keeps may vanish."""

    def __init__(self) -> None:
        self._tasks: dict[asyncio.Task[Any], Hashable] = {}
        self._by_key: dict[Hashable, asyncio.Task[Any]] = {}

    def __len__(self) -> int:
        return len(self._tasks)

    def start(self, work: Coroutine[Any, Any, T], key: Hashable = None) -> "asyncio.Task[T]":
        """Runs `work` in a task of its own. What it raises is logged, since nobody awaits it. With a
        `key`, it takes over from the task of that key, which is cancelled."""
        task = asyncio.create_task(work, name=getattr(work, "__qualname__", None))
        self._tasks[task] = key
        task.add_done_callback(self._ended)
        if key is not None:
            self.stop(key)
            self._by_key[key] = task
        return task

    def find(self, key: Hashable) -> "asyncio.Task[Any] | None":
        """The task of that key, while it runs."""
        task = self._by_key.get(key)
        return None if task is None or task.done() else task

    def stop(self, key: Hashable) -> None:
        """Cancels the task of that key, if there is one; returns at once."""
        if task := self.find(key):
            task.cancel()

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
        key = self._tasks.pop(task)
        if self._by_key.get(key) is task:
            del self._by_key[key]
        if task.cancelled() or (error := task.exception()) is None:
            return
        if isinstance(error, KonsiliumError):
            log.warning("%s: %s: %s", task.get_name(), error.code, error.detail)
        else:
            log.error("%s failed in the background", task.get_name(), exc_info=error)


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
