"""The way to the database: `reading()`, `write()` and `writing()` are its only doors, errors are ours.

SQLite has one writer at a time, so writers queue here for their turn, and never see "database is
locked"; other processes are waited for (busy timeout). Readers see a snapshot (WAL).
"""

import asyncio
import sqlite3
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event, exc, make_url
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

from app.core.errors import SettingsInvalid, StorageUnavailable
from app.storage.sqlite_threads import GroupCommit, Readers
from app.storage.write_ahead import write_ahead

T = TypeVar("T")

BUSY_SECONDS = 15.0
"""How long a writer waits for another process that holds the SQLite file; `?timeout=` in its URL
says otherwise."""
CONNECT_SECONDS = 5.0
_PAUSE_SECONDS = 0.02
READERS = 2
"""Threads that read a SQLite file for those who want one short answer."""

_OURS_TO_MEND = (exc.ProgrammingError, exc.DataError, exc.IntegrityError)
"""Faults of the code, which waiting does not mend: they are raised as they are."""


class Database:
    """One database, SQLite or PostgreSQL, by its SQLAlchemy URL."""

    def __init__(self, url: str) -> None:
        parsed = make_url(url)
        if parsed.drivername not in ("sqlite+aiosqlite", "postgresql+asyncpg"):
            raise SettingsInvalid(
                "DATABASE_URL",
                f"sqlite+aiosqlite:// or postgresql+asyncpg://, not {parsed.drivername}://",
            )
        self.sqlite = parsed.get_backend_name() == "sqlite"
        self.path = Path(parsed.database or "") if self.sqlite else None
        """The SQLite file."""
        self._turn = asyncio.Lock()
        self._commits: GroupCommit | None = None
        self._readers: Readers | None = None
        if self.path is not None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._reader = _sqlite_engine(url, size=4, writes=False)
            self._writer = _sqlite_engine(url, size=1, writes=True)
            self._commits = GroupCommit(_thread_engine(url, size=1, writes=True), self._turn)
            self._readers = Readers(_thread_engine(url, size=READERS, writes=False), READERS)
        else:
            self._reader = self._writer = create_async_engine(
                url,
                pool_size=10,
                max_overflow=10,
                pool_pre_ping=True,
                pool_timeout=30,
                connect_args={"timeout": CONNECT_SECONDS},
            )

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """A connection to read from: one consistent view on SQLite. Raises StorageUnavailable."""
        with translated():
            async with self._reader.connect() as connection:
                yield connection

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Runs `work` over one consistent view and returns what it returned: the quick way to read.

        Raises StorageUnavailable.
        """
        if self._readers is None:
            async with self.reading() as connection:
                return await connection.run_sync(work)
        with translated():
            return await self._readers.run(work)

    async def write(self, work: Callable[[Connection], T]) -> T:
        """Runs `work` as one transaction and returns what it returned: the quick way to write, and
        on SQLite shared with whoever writes at the same moment. `work` has no effects but in the
        database, and may be run again.

        Raises StorageUnavailable where the database or the disk does not take it.
        """
        if self._commits is None:
            async with self.writing() as connection:
                return await connection.run_sync(work)
        with translated():
            value: T = await self._commits.write(work)
            return value

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncConnection]:
        """One transaction over which the caller waits for other things: committed at the end, rolled
        back on any error.

        Raises StorageUnavailable where the database or the disk does not take it.
        """
        with translated():
            if self._commits is None:
                async with self._writer.begin() as connection:
                    yield connection
            else:
                async with self._turn, self._writer.begin() as connection:
                    yield connection

    async def aclose(self) -> None:
        """Closes all connections."""
        if self._commits is not None and self._readers is not None:
            await self._commits.aclose()
            await self._readers.aclose()
        await self._writer.dispose()
        if self._reader is not self._writer:
            await self._reader.dispose()


@contextmanager
def translated() -> Iterator[None]:
    """Turns a driver's failure into StorageUnavailable, with the driver's words for the log."""
    try:
        yield
    except _OURS_TO_MEND:
        raise
    except (exc.DBAPIError, exc.TimeoutError) as error:
        cause = getattr(error, "orig", None) or error
        raise StorageUnavailable(f"{type(cause).__name__}: {cause}") from error
    except _past_sqlalchemy() as error:
        raise StorageUnavailable(f"{type(error).__name__}: {error}") from error


def _past_sqlalchemy() -> tuple[type[Exception], ...]:
    """What comes from a driver as it is. PostgreSQL's takes a third of a second to import, and raises
    nothing where nobody has imported it."""
    asyncpg = sys.modules.get("asyncpg")
    if asyncpg is None:
        return (OSError,)
    return (asyncpg.PostgresError, asyncpg.InterfaceError, OSError)


def _sqlite_engine(url: str, *, size: int, writes: bool) -> AsyncEngine:
    engine = create_async_engine(
        url,
        pool_size=size,
        max_overflow=0,
        pool_timeout=60,
        connect_args={"timeout": _patience(url)},
    )

    def pause(connection: Any) -> None:
        connection.run_async(lambda _: asyncio.sleep(_PAUSE_SECONDS))

    _prepare(engine.sync_engine, _patience(url), pause, writes=writes)
    return engine


def _thread_engine(url: str, *, size: int, writes: bool) -> Engine:
    """For threads of our own."""
    engine = create_engine(
        make_url(url).set(drivername="sqlite"),
        pool_size=size,
        max_overflow=0,
        connect_args={"timeout": _patience(url), "check_same_thread": False},
    )
    _prepare(engine, _patience(url), lambda _: time.sleep(_PAUSE_SECONDS), writes=writes)
    return engine


def _patience(url: str) -> float:
    return float(str(make_url(url).query.get("timeout", BUSY_SECONDS)))


def _prepare(
    engine: Engine, patience: float, pause: Callable[[Any], None], *, writes: bool
) -> None:
    """What each connection is set to, and how a transaction begins."""

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: ConnectionPoolEntry) -> None:
        connection.isolation_level = None  # the driver begins nothing by itself; we do, below
        cursor = connection.cursor()
        write_ahead(cursor, patience, lambda: pause(connection))
        cursor.execute("PRAGMA synchronous = FULL")  # a committed question survives a power cut
        cursor.execute("PRAGMA foreign_keys = ON")
        cursor.execute("PRAGMA cache_size = -16000")  # KiB
        cursor.execute("PRAGMA temp_store = MEMORY")
        if not writes:
            cursor.execute("PRAGMA query_only = ON")
        cursor.close()

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def copy_sqlite(source: Path, target: Path) -> None:
    """A consistent copy of a SQLite file, also while it is written to. Blocks."""
    target.parent.mkdir(parents=True, exist_ok=True)
    reader = sqlite3.connect(source)
    try:
        writer = sqlite3.connect(target)
        try:
            reader.backup(writer)
        finally:
            writer.close()
    finally:
        reader.close()
