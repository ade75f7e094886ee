"""Applies migrations: under a lock, with a copy of the SQLite file first."""

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from app.core.errors import StorageUnavailable
from app.core.turns import now
from app.storage.database import Database
from app.storage.sqlite import copy_sqlite

log = logging.getLogger(__name__)

_LOCK = 0x6B6F6E73  # any number of our own: PostgreSQL's advisory lock


class DatabaseNewer(StorageUnavailable):
    """A newer version of Konsilium has migrated the database; the detail names its revision."""


async def upgrade(database: Database, revision: str = "heads") -> Path | None:
    """Brings the database to `revision`. Returns the copy made of a SQLite file before, if any.
    Raises DatabaseNewer, StorageUnavailable.

    Several processes may start at once: one migrates, the others wait and find nothing to do.
    """
    backup = await _copied(database, revision) if database.path is not None else None
    migrated = await database.exclusive(partial(_upgrade, database.sqlite, revision))
    if backup is not None and not migrated:
        backup.unlink()  # another process was first
        return None
    return backup


async def _copied(database: Database, revision: str) -> Path | None:
    """A copy of the file as it is, where there is something to migrate."""
    file, present = database.path, await database.read(_present)
    if file is None or not present or present == _wanted(revision):
        return None
    backup = file.parent / "backups" / _backup_name(file, present)
    await copy_sqlite(file, backup)
    log.info("copied the database to %s before migrating it", backup)
    return backup


def _upgrade(sqlite: bool, revision: str, connection: Connection) -> bool:
    """Whether there was anything to do."""
    if not sqlite:
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
    present = _present(connection)
    wanted = _wanted(revision)
    if present == wanted:
        return False
    command.upgrade(_config(connection), revision)
    log.info("database migrated from %s to %s", _names(present), _names(wanted))
    return True


async def downgrade(database: Database, revision: str) -> None:
    """Takes the database back to `revision` (`base`: to nothing)."""
    await database.exclusive(lambda c: command.downgrade(_config(c), revision))


async def check(database: Database) -> None:
    """Raises DatabaseNewer or StorageUnavailable where this version cannot work with the database."""
    await database.read(_present)


def check_before_start(url: str) -> None:
    """The same of the database at that URL, before a server starts: what it raises then comes as a
    traceback. Blocks."""

    async def open_and_check() -> None:
        database = Database(url)
        try:
            await check(database)
        finally:
            await database.aclose()

    with ThreadPoolExecutor(1) as thread:  # this one may have a loop that runs
        thread.submit(asyncio.run, open_and_check()).result()


def latest() -> frozenset[str]:
    """The revisions that this version brings a database to."""
    return frozenset(ScriptDirectory.from_config(_config()).get_heads())


def all_revisions() -> frozenset[str]:
    """Every revision that this version knows."""
    script = ScriptDirectory.from_config(_config())
    return frozenset(revision.revision for revision in script.walk_revisions())


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def _present(connection: Connection) -> frozenset[str]:
    present = frozenset(MigrationContext.configure(connection).get_current_heads())
    if unknown := present - all_revisions():
        raise DatabaseNewer(_names(unknown))
    return present


def _wanted(revision: str) -> frozenset[str]:
    script = ScriptDirectory.from_config(_config())
    if revision == "heads":
        return frozenset(script.get_heads())
    return frozenset(found.revision for found in script.get_revisions(revision) if found)


def _names(revisions: frozenset[str]) -> str:
    return ", ".join(sorted(revisions)) or "nothing"


def _backup_name(path: Path, present: frozenset[str]) -> str:
    return f"{path.stem}.{'+'.join(sorted(present))}.{now():%Y%m%dT%H%M%S%f}{path.suffix}"
