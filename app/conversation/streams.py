"""Several streams of events at once, none of which outlives its reader."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, Iterable
from typing import Any, Generic, TypeVar

log = logging.getLogger(__name__)

T = TypeVar("T")


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


class Pump(Generic[T]):
    """Runs sources at once, each in a task of its own, ahead of whoever reads `events()`.

    Close it however it ends: `async with contextlib.aclosing(Pump(...)) as pump`. What a source
    raises is raised to the reader, and the other sources end.
    """

    def __init__(self, *sources: AsyncGenerator[T, None]) -> None:
        self.ready = asyncio.Event()
        """Set once there is something to read, or nothing more will come."""
        self._queue: asyncio.Queue[T | asyncio.Task[None]] = asyncio.Queue()
        self._tasks = [asyncio.create_task(self._run(source)) for source in sources]
        for task in self._tasks:
            task.add_done_callback(self._over)

    async def events(self) -> AsyncGenerator[T, None]:
        """The sources' events as they come, each source's in its own order."""
        running = len(self._tasks)
        while running:
            item = await self._queue.get()
            if isinstance(item, asyncio.Task):
                running -= 1
                item.result()
            else:
                yield item

    async def aclose(self) -> None:
        """Ends the sources and waits until they have ended."""
        await ended(self._tasks)

    async def _run(self, source: AsyncGenerator[T, None]) -> None:
        async with contextlib.aclosing(source) as events:
            async for event in events:
                self._queue.put_nowait(event)
                self.ready.set()

    def _over(self, task: asyncio.Task[None]) -> None:
        self._queue.put_nowait(task)
        self.ready.set()


async def merged(*sources: AsyncGenerator[T, None]) -> AsyncGenerator[T, None]:
    """The events of sources that run at once; they end with the reader."""
    async with (
        contextlib.aclosing(Pump(*sources)) as pump,
        contextlib.aclosing(pump.events()) as events,
    ):
        async for event in events:
            yield event
