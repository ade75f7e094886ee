"""Applies migrations: under a lock, with a copy of the SQLite file first."""

import asyncio
import logging
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from app.core.turns import now
from app.storage.database import Database, copy_sqlite

log = logging.getLogger(__name__)

_LOCK = 0x6B6F6E73  # any number of our own: PostgreSQL's advisory lock


async def upgrade(database: Database, revision: str = "heads") -> Path | None:
    """Brings the database to `revision`. Returns the copy made of a SQLite file before, if any.

    Several processes may start at once: one migrates, the others wait and find nothing to do.
    """
    async with database.writing() as connection:
        if not database.sqlite:
            await connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        present, wanted = await connection.run_sync(_revisions, revision)
        if present == wanted:
            return None
        backup = None
        if database.path is not None and present:
            backup = database.path.parent / "backups" / _backup_name(database.path, present)
            await asyncio.to_thread(copy_sqlite, database.path, backup)
            log.info("copied the database to %s before migrating it", backup)
        await connection.run_sync(_run, command.upgrade, revision)
        log.info("database migrated from %s to %s", _names(present), _names(wanted))
        return backup


async def downgrade(database: Database, revision: str) -> None:
    """Takes the database back to `revision` (`base`: to nothing)."""
    async with database.writing() as connection:
        await connection.run_sync(_run, command.downgrade, revision)


async def is_current(database: Database) -> bool:
    """Whether there is nothing to migrate."""
    async with database.reading() as connection:
        present, wanted = await connection.run_sync(_revisions, "heads")
        return present == wanted


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


def _run(connection: Connection, action: Any, revision: str) -> None:
    action(_config(connection), revision)


def _revisions(connection: Connection, wanted: str) -> tuple[frozenset[str], frozenset[str]]:
    present = frozenset(MigrationContext.configure(connection).get_current_heads())
    script = ScriptDirectory.from_config(_config())
    return present, frozenset(
        script.get_heads()
        if wanted == "heads"
        else [r.revision for r in script.get_revisions(wanted) if r]
    )


def _names(revisions: frozenset[str]) -> str:
    return ", ".join(sorted(revisions)) or "nothing"


def _backup_name(path: Path, present: frozenset[str]) -> str:
    return f"{path.stem}.{'+'.join(sorted(present))}.{now():%Y%m%dT%H%M%S%f}{path.suffix}"
