"""Everything in one ZIP file that any Konsilium can read, whichever database either uses.

manifest.json       {"format": 1, "revisions": [...], "exported_at": ...}
tables/<name>.jsonl a row a line; times in ISO 8601, money as decimal strings
files/<thread>/<file>

It holds password hashes and the hashes of API keys: the file is readable by its owner alone.
"""

import asyncio
import io
import json
import os
import zipfile
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from pathlib import Path, PurePosixPath
from typing import Any

from sqlalchemy import Column, Connection, Table, delete, func, insert, select

from app.core.errors import BadRequest, NotAllowed
from app.core.turns import now
from app.storage.columns import Money, UtcDateTime
from app.storage.files import LocalFiles
from app.storage.migrations import apply
from app.storage.sqlite import copy_sqlite
from app.storage.storage import Storage
from app.storage.tables import metadata, threads
from app.storage.usage_totals import delete_totals

FORMAT = 1
_OF_PROCESSES = ("processes", "running_turns")
"""Tables of what runs, which is nothing elsewhere."""
_BATCH = 500


async def export_to(storage: Storage, path: Path) -> dict[str, int]:
    """Writes everything to a ZIP file at `path`, whole or not at all; returns rows by table, and files.

    The rows are of one moment (SQLite). Raises StorageUnavailable.
    """
    partial = path.with_name(f".{path.name}.partial")
    try:
        with _private(partial) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            counts = await storage.database.read(
                lambda c: {table.name: _write_table(archive, c, table) for table in _tables()}
            )
            counts["files"] = _write_files(archive, storage.data_dir / "files")
            manifest = {"format": FORMAT, "revisions": sorted(apply.latest())}
            manifest |= {"exported_at": now().isoformat()}
            archive.writestr("manifest.json", json.dumps(manifest))
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return counts


async def import_from(storage: Storage, path: Path) -> dict[str, int]:
    """Reads what `export_to` wrote into a database without threads; its users are replaced.

    One transaction: all or nothing. Raises NotAllowed where there are threads already, BadRequest for
    a file that is no export of this version or an older one, StorageUnavailable.
    """
    with zipfile.ZipFile(path) as archive:
        _check_manifest(archive)

        def work(connection: Connection) -> dict[str, int]:
            if connection.scalar(select(func.count()).select_from(threads)):
                raise NotAllowed("there are conversations already: import into an empty database")
            for table in reversed(_tables()):
                connection.execute(delete(table))
            delete_totals(connection)
            counts = {table.name: _read_table(archive, connection, table) for table in _tables()}
            return counts | {"files": _read_files(archive, storage.files)}

        return await storage.database.exclusive(work)


def _tables() -> list[Table]:
    return [table for table in metadata.sorted_tables if table.name not in _OF_PROCESSES]


def _columns(table: Table) -> list[Column[Any]]:
    """All but the numbers that a database gives out itself: the order of the lines stands for them."""
    return [column for column in table.columns if column.name != "seq"]


def _write_table(archive: zipfile.ZipFile, connection: Connection, table: Table) -> int:
    count = 0
    with archive.open(f"tables/{table.name}.jsonl", "w", force_zip64=True) as out:
        for line in _lines(connection, table):
            out.write(line)
            count += 1
    return count


def _lines(connection: Connection, table: Table) -> Iterator[bytes]:
    order = [table.c.seq] if "seq" in table.c else list(table.primary_key.columns)
    query = select(*_columns(table)).order_by(*order)
    for row in connection.execution_options(yield_per=_BATCH).execute(query):
        values = {name: _plain(value) for name, value in row._mapping.items()}
        yield json.dumps(values, ensure_ascii=False).encode() + b"\n"


def _read_table(archive: zipfile.ZipFile, connection: Connection, table: Table) -> int:
    count = 0
    name = f"tables/{table.name}.jsonl"
    if name not in archive.namelist():
        return 0
    with archive.open(name) as lines:
        batch: list[dict[str, Any]] = []
        for line in io.TextIOWrapper(lines, "utf-8"):
            batch.append(_row(table, json.loads(line)))
            count += 1
            if len(batch) == _BATCH:
                connection.execute(insert(table), batch)
                batch = []
        if batch:
            connection.execute(insert(table), batch)
    return count


def _row(table: Table, values: dict[str, Any]) -> dict[str, Any]:
    return {column.name: _typed(column, values.get(column.name)) for column in _columns(table)}


def _plain(value: Any) -> Any:
    match value:
        case datetime():
            return value.isoformat()
        case Decimal():
            return str(value)
        case _:
            return value


def _typed(column: Column[Any], value: Any) -> Any:
    if value is None:
        return None
    if isinstance(column.type, UtcDateTime):
        return datetime.fromisoformat(value)
    if isinstance(column.type, Money):
        return Decimal(value)
    return value


def _write_files(archive: zipfile.ZipFile, folder: Path) -> int:
    count = 0
    for file in _files_in(folder):
        archive.write(file, f"files/{file.parent.name}/{file.name}", zipfile.ZIP_STORED)
        count += 1
    return count


def _files_in(folder: Path) -> Iterator[Path]:
    """The files of threads, without those that are being written."""
    return (file for file in sorted(folder.glob("*/*")) if not file.name.startswith("."))


def _read_files(archive: zipfile.ZipFile, files: LocalFiles) -> int:
    count = 0
    for name in archive.namelist():
        match PurePosixPath(name).parts:
            case ("files", thread_id, file):
                files.write_now(thread_id, file, archive.read(name))
                count += 1
    return count


def _check_manifest(archive: zipfile.ZipFile) -> None:
    try:
        manifest = json.loads(archive.read("manifest.json"))
        wanted, revisions = manifest["format"], set(manifest["revisions"])
    except (KeyError, ValueError, TypeError) as error:
        raise BadRequest("this file is no export of Konsilium") from error
    if wanted != FORMAT or not revisions <= apply.all_revisions():
        raise BadRequest("this export was made by a newer Konsilium")


def _private(path: Path) -> io.BufferedWriter:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    return os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb")


async def backup_to(storage: Storage, path: Path) -> None:
    """A copy of the SQLite file and of the files, in a ZIP that is unpacked over DATA_DIR to restore.

    Raises BadRequest on PostgreSQL, which has its own means.
    """
    source = storage.database.path
    if source is None:
        raise BadRequest("PostgreSQL is backed up with pg_dump, or with `db export`")
    partial, copy = path.with_name(f".{path.name}.partial"), path.with_name(f".{path.name}.db")
    try:
        await asyncio.to_thread(copy_sqlite, source, copy)
        with _private(partial) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.write(copy, source.name)
            _write_files(archive, storage.data_dir / "files")
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
        copy.unlink(missing_ok=True)
