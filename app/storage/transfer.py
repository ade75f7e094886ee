"""Everything in one ZIP file that any Konsilium can read, whichever database either uses.

manifest.json       {"format": 1, "revisions": [...], "counts": {...}, "exported_at": ...}
tables/<name>.jsonl a row a line; times in ISO 8601, money as decimal strings, bytes in base64
files/<thread>/<file>

It holds password hashes and the hashes of API keys: the file is readable by its owner alone.
"""

import base64
import io
import json
import os
import zipfile
import zlib
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from pathlib import Path, PurePosixPath
from typing import IO, Any, Literal, cast

from sqlalchemy import (
    Column,
    Connection,
    LargeBinary,
    Table,
    delete,
    exc,
    func,
    insert,
    or_,
    select,
)

from app.core.errors import BadRequest, KonsiliumError, NotAllowed, NotFound
from app.core.turns import now
from app.storage.branches import join_up
from app.storage.files import LocalFiles
from app.storage.migrations import apply
from app.storage.sqlite import copy_sqlite
from app.storage.storage import Storage
from app.storage.tables import Money, UtcDateTime, metadata, threads, usage
from app.storage.usage_totals import delete_totals

FORMAT = 1
_OF_DAMAGE = (
    *(zipfile.BadZipFile, zlib.error, EOFError),
    *(RuntimeError, NotImplementedError),  # encrypted, or packed in a way that is not known here
    *(KeyError, ValueError, TypeError, AttributeError, ArithmeticError, RecursionError),
)
"""What reading raises where bytes, JSON or values are not what they should be."""
_OF_PROCESSES = ("processes", "running_turns")
"""Tables of what runs, which is nothing elsewhere."""
_BATCH = 500
_BUFFER_BYTES = 100_000
MAX_BATCH_BYTES = 8_000_000
MAX_ROW_BYTES = 64_000_000
"""A row is in memory as a whole: a longer one is read only where whoever imports says so."""
MAX_MANIFEST_BYTES = 1_000_000


class ExportRefused(BadRequest):
    """A file that cannot be imported: it is no export, or one of a newer version, or `place` in it is
    damaged, or a row that is longer than may be read."""

    def __init__(
        self, reason: Literal["no_export", "newer", "damaged", "long_row"], place: str = ""
    ) -> None:
        super().__init__(f"{reason} {place}".rstrip())
        self.reason = reason
        self.place = place


async def export_to(storage: Storage, path: Path) -> dict[str, int]:
    """Writes everything but temporary threads to a ZIP file at `path`, whole or not at all; returns rows
    by table, and files.

    The rows are of one moment (SQLite). Raises StorageUnavailable.
    """
    partial = path.with_name(f".{path.name}.partial")
    try:
        with _private(partial) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            counts = await storage.database.read(
                lambda c: {table.name: _write_table(archive, c, table) for table in _tables()}
            )
            unkept = await storage.database.read(lambda c: set(c.scalars(_TEMPORARY)))
            counts["files"] = _write_files(archive, storage.data_dir / "files", unkept)
            manifest = {"format": FORMAT, "revisions": sorted(apply.latest()), "counts": counts}
            manifest |= {"exported_at": now().isoformat()}
            archive.writestr("manifest.json", json.dumps(manifest))
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return counts


async def import_from(
    storage: Storage, path: Path, longest_row: int = MAX_ROW_BYTES
) -> dict[str, int]:
    """Reads what `export_to` wrote into a database without threads; its users are replaced.

    One transaction: all or nothing. Whatever the size of the file, a few megabytes of it are in memory
    at a time, or one row of no more than `longest_row` bytes. Raises NotAllowed where there are threads already, ExportRefused, StorageUnavailable.
    """
    if not zipfile.is_zipfile(path):
        raise ExportRefused("no_export")
    with _damage_in(lambda: path.name):
        archive = zipfile.ZipFile(path)
    with archive:
        with _damage_in(lambda: "manifest.json"):
            expected = _expected_counts(archive)

        def work(connection: Connection) -> dict[str, int]:
            if connection.scalar(select(func.count()).select_from(threads)):
                raise NotAllowed("there are conversations already: import into an empty database")
            for table in reversed(_tables()):
                connection.execute(delete(table))
            delete_totals(connection)
            counts = {
                table.name: _read_table(archive, connection, table, longest_row)
                for table in _tables()
            }
            for name, count in counts.items():
                _refuse_missing(name, count, expected)
            join_up(connection)  # an export of a version without branches
            return counts | {"files": _read_files(archive, storage.files, expected)}

        return await storage.database.exclusive(work)


def _tables() -> list[Table]:
    return [table for table in metadata.sorted_tables if table.name not in _OF_PROCESSES]


_TEMPORARY = select(threads.c.id).where(threads.c.temporary)


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
    if table is threads:
        query = query.where(~threads.c.temporary)
    elif "thread_id" in table.c and table is not usage:  # figures stay, words do not
        query = query.where(or_(table.c.thread_id.is_(None), table.c.thread_id.not_in(_TEMPORARY)))
    for row in connection.execution_options(yield_per=_BATCH).execute(query):
        values = {name: _plain(value) for name, value in row._mapping.items()}
        yield json.dumps(values, ensure_ascii=False).encode() + b"\n"


def _read_table(
    archive: zipfile.ZipFile, connection: Connection, table: Table, longest_row: int
) -> int:
    count = 0
    name = f"tables/{table.name}.jsonl"
    if name not in archive.namelist():
        return 0
    with _damage_in(lambda: f"{name}:{count + 1}"), archive.open(name) as file:
        for lines in _batches(file, name, longest_row):
            connection.execute(insert(table), [_row(table, json.loads(line)) for line in lines])
            count += len(lines)
    return count


def _batches(file: IO[bytes], name: str, longest_row: int) -> Iterator[list[bytes]]:
    """The lines, as many together as fit into one statement and into MAX_BATCH_BYTES."""
    count = 0
    batch: list[bytes] = []
    size = 0
    lines = io.BufferedReader(cast(io.RawIOBase, file), _BUFFER_BYTES)
    while line := lines.readline(longest_row + 1):
        count += 1
        if len(line) > longest_row:
            raise ExportRefused("long_row", f"{name}:{count}")
        batch.append(line)
        size += len(line)
        if len(batch) == _BATCH or size >= MAX_BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


@contextmanager
def _damage_in(place: Callable[[], str]) -> Iterator[None]:
    """What a damaged archive raises, of whichever of its layers, is ExportRefused."""
    try:
        yield
    except (exc.OperationalError, KonsiliumError) as error:
        if isinstance(error, NotFound):  # a name that leads out of the folder of files
            raise ExportRefused("damaged", place()) from error
        raise
    except exc.StatementError as error:
        if isinstance(error, exc.DBAPIError) and error.connection_invalidated:
            raise
        raise ExportRefused("damaged", place()) from error
    except _OF_DAMAGE as error:
        raise ExportRefused("damaged", place()) from error


def _row(table: Table, values: dict[str, Any]) -> dict[str, Any]:
    """Where a version that knew no such column wrote the line, the database puts in what it has for it."""
    return {
        column.name: _typed(column, values.get(column.name))
        for column in _columns(table)
        if column.name in values or column.server_default is None
    }


def _plain(value: Any) -> Any:
    match value:
        case datetime():
            return value.isoformat()
        case Decimal():
            return str(value)
        case bytes():
            return base64.b64encode(value).decode()
        case _:
            return value


def _typed(column: Column[Any], value: Any) -> Any:
    if value is None:
        return None
    if isinstance(column.type, UtcDateTime):
        return datetime.fromisoformat(value)
    if isinstance(column.type, Money):
        return Decimal(value)
    if isinstance(column.type, LargeBinary):
        return base64.b64decode(value, validate=True)
    return value


def _write_files(archive: zipfile.ZipFile, folder: Path, unkept: Collection[str] = ()) -> int:
    """All but those of the threads `unkept`."""
    count = 0
    for file in _files_in(folder):
        if file.parent.name in unkept:
            continue
        archive.write(file, f"files/{file.parent.name}/{file.name}", zipfile.ZIP_STORED)
        count += 1
    return count


def _files_in(folder: Path) -> Iterator[Path]:
    """The files of threads, without those that are being written."""
    return (file for file in sorted(folder.glob("*/*")) if not file.name.startswith("."))


def _read_files(archive: zipfile.ZipFile, files: LocalFiles, expected: Mapping[str, int]) -> int:
    written: list[Path] = []
    try:
        for name in archive.namelist():
            match PurePosixPath(name).parts:
                case ("files", thread_id, file):
                    _read_file(archive, name, files, thread_id, file)
                    written.append(files.path(thread_id, file))
        _refuse_missing("files", len(written), expected)
    except BaseException:
        for path in written:
            path.unlink(missing_ok=True)
        raise
    return len(written)


def _read_file(
    archive: zipfile.ZipFile, name: str, files: LocalFiles, thread_id: str, file: str
) -> None:
    with _damage_in(lambda: name), archive.open(name) as source:
        files.copy_from(source, thread_id, file)


def _refuse_missing(name: str, count: int, expected: Mapping[str, int]) -> None:
    if count != expected.get(name, count):
        raise ExportRefused("damaged", f"{name}: {count} / {expected[name]}")


def _expected_counts(archive: zipfile.ZipFile) -> Mapping[str, int]:
    """How many rows of each table, and files, the manifest tells of; older ones tell nothing."""
    try:
        with archive.open("manifest.json") as file:
            manifest = json.loads(file.read(MAX_MANIFEST_BYTES))
        wanted, revisions = manifest["format"], set(manifest["revisions"])
    except (KeyError, ValueError, TypeError) as error:
        raise ExportRefused("no_export") from error
    if wanted != FORMAT or not revisions <= apply.all_revisions():
        raise ExportRefused("newer")
    return dict(manifest.get("counts", {}))


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
        await copy_sqlite(source, copy)
        with _private(partial) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.write(copy, source.name)
            _write_files(archive, storage.data_dir / "files")
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
        copy.unlink(missing_ok=True)
