"""A SQLite file: a few threads read it, one writes, and writes that wait together commit together.

A statement through an asyncio driver goes to another thread and back through a busy event loop, and a
commit waits for the disk: fifty questions at once waited half a second for one another. Here a whole
transaction runs in one thread, and what came to be written meanwhile shares the next commit (group
commit: DeWitt et al., Implementation Techniques for Main Memory Database Systems, 1984). Writers of
this process queue for the one writing thread and never see "database is locked"; other processes are
waited for (busy timeout). Readers see a snapshot (WAL).
"""

import asyncio
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import aiosqlite
from sqlalchemy import URL, Connection, Engine, create_engine, event, exc
from sqlalchemy.pool import ConnectionPoolEntry

T = TypeVar("T")
Work = Callable[[Connection], T]
"""One transaction's statements."""

BUSY_SECONDS = 15.0
"""How long a writer waits for another process that holds the file; `?timeout=` in its URL says
otherwise."""
READERS = 6
"""Threads that read, each with its connection."""
MAX_GROUP = 16
"""Writes of one commit: those whose write is done go on while the next are written, and other
processes wait less."""
_PAUSE_SECONDS = 0.02


class SqliteFile:
    """The transactions of one SQLite file. All methods raise what `work` raised, or the driver."""

    def __init__(self, url: URL) -> None:
        self.path = Path(url.database or "")
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._reader = _engine(url, size=READERS, writes=False)
        self._writer = _engine(url, size=1, writes=True)
        self._reading = ThreadPoolExecutor(READERS, thread_name_prefix="sqlite-reader")
        self._writing = ThreadPoolExecutor(1, thread_name_prefix="sqlite-writer")
        self._waiting: list[tuple[Work[Any], asyncio.Future[Any]]] = []
        self._committing: asyncio.Task[None] | None = None
        self._closed = False

    async def read(self, work: Work[T]) -> T:
        """What `work` returned, over one consistent view."""
        self._refuse_when_closed()
        return await asyncio.get_running_loop().run_in_executor(self._reading, self._read, work)

    async def write(self, work: Work[T]) -> T:
        """What `work` returned, once it is committed."""
        self._refuse_when_closed()
        future = asyncio.get_running_loop().create_future()
        self._waiting.append((work, future))
        if self._committing is None or self._committing.done():
            self._committing = asyncio.create_task(self._commit_waiting())
        value: T = await future
        return value

    async def exclusive(self, work: Work[T]) -> T:
        """What `work` returned, in a transaction of its own; rolled back when cancelled."""
        self._refuse_when_closed()
        abandoned = threading.Event()
        try:
            return await asyncio.get_running_loop().run_in_executor(
                self._writing, self._write_alone, work, abandoned
            )
        except asyncio.CancelledError:
            abandoned.set()
            raise

    async def aclose(self) -> None:
        """Commits what waits, and closes the connections once nobody uses them."""
        self._closed = True
        if self._committing is not None:
            await asyncio.wait([self._committing])
        for threads, engine in ((self._writing, self._writer), (self._reading, self._reader)):
            await asyncio.to_thread(threads.shutdown)
            engine.dispose()

    def _refuse_when_closed(self) -> None:
        if self._closed:
            raise OSError("the database is closed")

    def _read(self, work: Work[T]) -> T:
        with self._reader.connect() as connection:
            return work(connection)

    def _write_alone(self, work: Work[T], abandoned: threading.Event) -> T:
        def stop_when_abandoned(*_: Any) -> None:
            if abandoned.is_set():
                raise OSError("nobody waits for this transaction any more")

        with self._writer.begin() as connection:
            event.listen(connection, "before_cursor_execute", stop_when_abandoned)
            value = work(connection)
            stop_when_abandoned()
            return value

    async def _commit_waiting(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting:
            group = [each for each in self._waiting[:MAX_GROUP] if not each[1].cancelled()]
            del self._waiting[:MAX_GROUP]
            works = [work for work, _ in group]
            outcomes = await loop.run_in_executor(self._writing, self._commit, works)
            for (_, future), (value, error) in zip(group, outcomes, strict=True):
                if future.cancelled():
                    continue
                if error is None:
                    future.set_result(value)
                else:
                    future.set_exception(error)

    def _commit(self, works: Sequence[Work[Any]]) -> list[tuple[Any, Exception | None]]:
        try:
            with self._writer.begin() as connection:
                return [_outcome(connection, work) for work in works]
        except Exception as error:  # noqa: BLE001 - the file's trouble, which is everybody's
            return [(None, error)] * len(works)


def _outcome(connection: Connection, work: Work[Any]) -> tuple[Any, Exception | None]:
    """What `work` returned, or its own fault, which leaves the others of its commit alone."""
    connection.exec_driver_sql("SAVEPOINT work")
    try:
        value = work(connection)
    except (exc.OperationalError, OSError):  # the disk is full, or the file is locked
        raise
    except Exception as error:  # noqa: BLE001 - for its caller
        connection.exec_driver_sql("ROLLBACK TO work")
        return None, error
    connection.exec_driver_sql("RELEASE work")
    return value, None


def _engine(url: URL, *, size: int, writes: bool) -> Engine:
    """Connections that begin no transaction by themselves, and what each is set to."""
    busy_seconds = float(str(url.query.get("timeout", BUSY_SECONDS)))
    engine = create_engine(
        url.set(drivername="sqlite"),
        pool_size=size,
        max_overflow=0,
        connect_args={"timeout": busy_seconds, "check_same_thread": False},
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: ConnectionPoolEntry) -> None:
        connection.isolation_level = None  # the driver begins nothing by itself; we do, below
        set_write_ahead(connection, busy_seconds, _PAUSE_SECONDS)
        connection.execute("PRAGMA synchronous = FULL")  # a committed question survives a power cut
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA cache_size = -16000")  # KiB
        connection.execute("PRAGMA temp_store = MEMORY")
        if not writes:
            connection.execute("PRAGMA query_only = ON")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def set_write_ahead(file: sqlite3.Connection, patience: float, pause: float) -> None:
    """Puts a new file into WAL mode, where it stays.

    SQLite does not wait for others here, whatever the busy timeout (the switch needs the file to
    itself), so we do: for `patience` seconds, trying every `pause` seconds. Blocks. Raises
    sqlite3.OperationalError.
    """
    until = time.monotonic() + patience
    while True:
        try:
            file.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
        time.sleep(pause)


async def copy_sqlite(source: Path, target: Path) -> None:
    """Makes a consistent copy of a SQLite file, also while it is written to; nothing waits for it."""
    target.parent.mkdir(parents=True, exist_ok=True)
    async with aiosqlite.connect(source) as reader, aiosqlite.connect(target) as writer:
        await reader.backup(writer)
