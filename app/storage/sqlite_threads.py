"""SQLite's transactions, each in one go in a thread; writes that wait together commit together.

A statement through an asyncio driver goes to another thread and back through a busy event loop, and a
commit waits for the disk: fifty questions at once waited half a second for one another. Here a whole
transaction runs in one thread, and what came to be written meanwhile shares the next commit (group
commit: DeWitt et al., Implementation Techniques for Main Memory Database Systems, 1984).
"""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, exc

T = TypeVar("T")
Work = Callable[[Connection], Any]
"""One transaction's statements. It may be run again, if one that shared its commit failed."""

_AT_ONCE = 16
"""Those whose write is done go on while the next are written; other processes wait less."""


class Readers:
    """Threads that read, each transaction in one go."""

    def __init__(self, engine: Engine, threads: int) -> None:
        self._engine = engine
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="sqlite-reader")

    async def run(self, work: Callable[[Connection], T]) -> T:
        """What `work` returned; raises what it raised, or the driver."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._read, work)

    async def aclose(self) -> None:
        """Closes the connections once nobody reads."""
        await asyncio.to_thread(self._threads.shutdown)
        self._engine.dispose()

    def _read(self, work: Callable[[Connection], T]) -> T:
        with self._engine.connect() as connection:
            return work(connection)


class GroupCommit:
    """The one writing thread of a SQLite file. `turn` is held while a transaction is open."""

    def __init__(self, engine: Engine, turn: asyncio.Lock) -> None:
        self._engine = engine
        self._turn = turn
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="sqlite-writer")
        self._waiting: list[tuple[Work, asyncio.Future[Any]]] = []
        self._committing: asyncio.Task[None] | None = None
        self._closed = False

    async def write(self, work: Work) -> Any:
        """What `work` returned, once it is committed; raises what it raised, or the driver."""
        if self._closed:
            raise OSError("the database is closed")
        future = asyncio.get_running_loop().create_future()
        self._waiting.append((work, future))
        if self._committing is None or self._committing.done():
            self._committing = asyncio.create_task(self._commit_all())
        return await future

    async def aclose(self) -> None:
        """Commits what waits, and closes the connection."""
        self._closed = True
        if self._committing is not None:
            await asyncio.wait([self._committing])
        await asyncio.get_running_loop().run_in_executor(self._thread, self._engine.dispose)
        self._thread.shutdown()

    async def _commit_all(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting:
            async with self._turn:
                group = [each for each in self._waiting[:_AT_ONCE] if not each[1].cancelled()]
                del self._waiting[:_AT_ONCE]
                works = [work for work, _ in group]
                outcomes = await loop.run_in_executor(self._thread, self._commit, works)
            for (_, future), (value, error) in zip(group, outcomes, strict=True):
                if future.cancelled():
                    continue
                if error is None:
                    future.set_result(value)
                else:
                    future.set_exception(error)

    def _commit(self, works: Sequence[Work]) -> list[tuple[Any, Exception | None]]:
        try:
            with self._engine.begin() as connection:
                return [(work(connection), None) for work in works]
        except (exc.OperationalError, OSError) as error:  # the database's trouble is everybody's
            return [(None, error)] * len(works)
        except Exception as error:  # noqa: BLE001 - that of one, for its caller alone
            if len(works) == 1:
                return [(None, error)]
        return [outcome for work in works for outcome in self._commit([work])]
