"""The one door to the database: `read(work)` and `write(work)`, and `exclusive(work)` for what changes
everything at once.

`work` is a function over a plain connection, one transaction; it returns plain values or rows, never
a result that is still to be fetched.
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, Protocol, TypeVar

from sqlalchemy import URL, ColumnElement, Connection, Insert, Table, exc, make_url
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import create_async_engine

from app.core.errors import NotFound, SettingsInvalid, StorageUnavailable
from app.storage.sqlite import SqliteFile, Work

T = TypeVar("T")

CONNECT_SECONDS = 5.0
_CODE_FAULTS = (exc.ProgrammingError, exc.DataError, exc.IntegrityError)
"""Faults of the code, which waiting does not mend: they are raised as they are."""


class Database:
    """One database, SQLite or PostgreSQL, by its SQLAlchemy URL. Raises SettingsInvalid for another.

    Its methods raise what `work` raises, and StorageUnavailable where the database or the disk fails.
    """

    def __init__(self, url: str) -> None:
        parsed = make_url(url)
        self._backend: _Backend
        self.path: Path | None = None
        """The SQLite file."""
        if parsed.drivername == "sqlite+aiosqlite":
            self._backend = file = SqliteFile(parsed)
            self.path = file.path
        elif parsed.drivername == "postgresql+asyncpg":
            self._backend = _PostgreSQL(parsed)
        else:
            raise SettingsInvalid(
                "DATABASE_URL",
                f"sqlite+aiosqlite:// or postgresql+asyncpg://, not {parsed.drivername}://",
            )

    @property
    def sqlite(self) -> bool:
        """Whether it is a SQLite file."""
        return self.path is not None

    async def read(self, work: Work[T]) -> T:
        """What `work` returned: over one consistent view on SQLite."""
        with translated_errors():
            return await self._backend.read(work)

    async def write(self, work: Work[T]) -> T:
        """What `work` returned, once it is committed; nothing of it is kept if it raises.

        On SQLite the commit is shared with those who write at the same moment, so `work` is short,
        and does nothing but write: if the shared commit fails, all of them fail.
        """
        with translated_errors():
            return await self._backend.write(work)

    async def exclusive(self, work: Work[T]) -> T:
        """The same for a migration or an import: a commit of its own, however long it takes. On
        SQLite nobody else writes meanwhile."""
        with translated_errors():
            return await self._backend.exclusive(work)

    async def aclose(self) -> None:
        """Closes all connections, once what was begun has ended."""
        await self._backend.aclose()


class _Backend(Protocol):
    async def read(self, work: Work[T]) -> T: ...
    async def write(self, work: Work[T]) -> T: ...
    async def exclusive(self, work: Work[T]) -> T: ...
    async def aclose(self) -> None: ...


class _PostgreSQL:
    """A pool of connections; the server itself lets many write at once, and groups their commits."""

    def __init__(self, url: URL) -> None:
        self._engine = create_async_engine(
            url,
            pool_size=10,
            max_overflow=10,
            pool_pre_ping=True,
            pool_timeout=30,
            connect_args={"timeout": CONNECT_SECONDS},
        )

    async def read(self, work: Work[T]) -> T:
        async with self._engine.connect() as connection:
            return await connection.run_sync(work)

    async def write(self, work: Work[T]) -> T:
        async with self._engine.begin() as connection:
            return await connection.run_sync(work)

    exclusive = write

    async def aclose(self) -> None:
        await self._engine.dispose()


@contextmanager
def translated_errors() -> Iterator[None]:
    """Turns a driver's failure into StorageUnavailable, with the driver's words for the log, and a value
    that no column can hold (an id with a NUL, a number beyond 64 bits) into NotFound."""
    try:
        yield
    except (UnicodeEncodeError, OverflowError, exc.StatementError) as error:
        if _is_unstorable(error):
            raise NotFound(f"a value that no row has ({type(error).__name__})") from error
        if not isinstance(error, exc.DBAPIError) or isinstance(error, _CODE_FAULTS):
            raise
        cause = getattr(error, "orig", None) or error
        raise StorageUnavailable(f"{type(cause).__name__}: {cause}") from error
    except exc.TimeoutError as error:
        raise StorageUnavailable(f"{type(error).__name__}: {error}") from error
    except _driver_errors() as error:
        raise StorageUnavailable(f"{type(error).__name__}: {error}") from error


def _is_unstorable(error: Exception) -> bool:
    """SQLite's driver and the columns' types raise Python's own errors, PostgreSQL's a ValueError for
    what it cannot send, the server a "data exception" (class 22 of the SQL standard)."""
    if not isinstance(error, exc.StatementError):
        return True
    cause = error.orig
    if not isinstance(error, exc.DBAPIError):
        return isinstance(cause, UnicodeEncodeError | OverflowError)
    state = str(getattr(cause, "sqlstate", None) or "")
    return state.startswith("22") or isinstance(getattr(cause, "__cause__", None), ValueError)


def _driver_errors() -> tuple[type[Exception], ...]:
    """What comes from a driver as it is. PostgreSQL's takes a third of a second to import, and raises
    nothing where nobody has imported it."""
    asyncpg = sys.modules.get("asyncpg")
    if asyncpg is None:
        return (OSError,)
    return (asyncpg.PostgresError, asyncpg.InterfaceError, OSError)


Row = Mapping[str, Any]


def upsert(
    connection: Connection,
    table: Table,
    rows: Sequence[Row],
    key: Sequence[str],
    update: Sequence[str],
    only_if_same: str | None = None,
) -> None:
    """Inserts `rows`; of those whose `key` exists, the columns `update` are set (none: left alone).

    With `only_if_same`, an existing row is changed only where that column is equal.
    """
    if rows:
        dialect = connection.dialect.name
        statement = _upserting(dialect, table, tuple(key), tuple(update), only_if_same)
        connection.execute(statement, list(rows))


def insert_new(connection: Connection, table: Table, row: Row, key: Sequence[str]) -> bool:
    """Inserts the row where none has its `key`; says whether it did."""
    statement = _upserting(connection.dialect.name, table, tuple(key), (), None)
    return connection.execute(statement, row).rowcount == 1


@cache
def _upserting(
    dialect: str,
    table: Table,
    key: tuple[str, ...],
    update: tuple[str, ...],
    only_if_same: str | None,
) -> Insert:
    """Made once each: making it takes ten times as long as running it."""
    statement: Any = (sqlite if dialect == "sqlite" else postgresql).insert(table)
    excluded = statement.excluded
    if not update:
        nothing: Insert = statement.on_conflict_do_nothing(index_elements=list(key))
        return nothing
    where: ColumnElement[bool] | None = (
        table.c[only_if_same] == excluded[only_if_same] if only_if_same else None
    )
    setting: Insert = statement.on_conflict_do_update(
        index_elements=list(key), set_={name: excluded[name] for name in update}, where=where
    )
    return setting
