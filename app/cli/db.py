"""python -m app db upgrade | backup | export | import."""

import argparse
import zipfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from app.cli.terminal import Terminal
from app.core.text import Text
from app.core.turns import now
from app.storage import transfer
from app.storage.migrations import apply
from app.storage.storage import Storage

CURRENT = Text(
    ru="✅ База данных соответствует этой версии.",
    uk="✅ База даних відповідає цій версії.",
    en="✅ The database is up to date.",
)
COPIED = Text(
    ru="Перед обновлением сделана копия: {path}",
    uk="Перед оновленням зроблено копію: {path}",
    en="A copy was made before: {path}",
)
WRITTEN = Text(ru="✅ Записано: {path}", uk="✅ Записано: {path}", en="✅ Written: {path}")
READ = Text(
    ru="✅ Перенесено: разговоров — {threads}, пользователей — {users}, файлов — {files}.",
    uk="✅ Перенесено: розмов — {threads}, користувачів — {users}, файлів — {files}.",
    en="✅ Imported: conversations: {threads}, users: {users}, files: {files}.",
)
EXISTS = Text(
    ru="Файл {path} уже есть; он не тронут.",
    uk="Файл {path} уже є; його не змінено.",
    en="The file {path} exists already; it was left alone.",
)
NO_FILE = Text(ru="Файла {path} нет.", uk="Файлу {path} немає.", en="There is no file {path}.")
NO_ZIP = Text(
    ru="{path} — не выгрузка Konsilium.",
    uk="{path} — не вивантаження Konsilium.",
    en="{path} is no export of Konsilium.",
)


def register(subparsers: Any) -> None:
    """Adds the group."""
    group = subparsers.add_parser("db", help="the database")
    commands = group.add_subparsers(required=True, metavar="upgrade|backup|export|import")
    commands.add_parser(
        "upgrade", help="bring it up to date (a start of the app does it, too)"
    ).set_defaults(run=upgrade)
    for command, run, about in (
        ("backup", backup, "a copy of the SQLite file and of the files, as a ZIP"),
        ("export", export, "everything as a ZIP that any Konsilium imports, whatever its database"),
    ):
        writing = commands.add_parser(command, help=about)
        writing.add_argument("path", nargs="?", type=Path, help="default: DATA_DIR/backups/...")
        writing.set_defaults(run=run)
    reading = commands.add_parser("import", help="an export, into a database without conversations")
    reading.add_argument("path", type=Path)
    reading.set_defaults(run=import_)


@asynccontextmanager
async def storage(terminal: Terminal) -> AsyncIterator[Storage]:
    """The configured storage, up to date, closed in the end."""
    opened = Storage(terminal.settings.database, terminal.settings.data_dir)
    try:
        await apply.upgrade(opened.database)
        yield opened
    finally:
        await opened.database.aclose()


async def upgrade(args: argparse.Namespace, terminal: Terminal) -> int:
    """Migrates the database."""
    opened = Storage(terminal.settings.database, terminal.settings.data_dir)
    try:
        copy = await apply.upgrade(opened.database)
    finally:
        await opened.database.aclose()
    if copy is not None:
        terminal.say(COPIED.format(path=copy))
    terminal.say(CURRENT)
    return 0


async def backup(args: argparse.Namespace, terminal: Terminal) -> int:
    """Writes a backup; 1 where the file exists."""
    return await _write(args.path, "backup", terminal)


async def export(args: argparse.Namespace, terminal: Terminal) -> int:
    """Writes an export; 1 where the file exists."""
    return await _write(args.path, "export", terminal)


async def _write(path: Path | None, what: str, terminal: Terminal) -> int:
    folder = terminal.settings.data_dir / "backups"
    path = path or folder / f"konsilium-{what}-{now():%Y%m%dT%H%M%S}.zip"
    if path.exists():
        terminal.fail(EXISTS.format(path=path))
        return 1
    async with storage(terminal) as opened:
        if what == "backup":
            await transfer.backup_to(opened, path)
        else:
            await transfer.export_to(opened, path)
    terminal.say(WRITTEN.format(path=path))
    return 0


async def import_(args: argparse.Namespace, terminal: Terminal) -> int:
    """Reads an export; 1 where the file is missing or is none."""
    if not args.path.is_file():
        terminal.fail(NO_FILE.format(path=args.path))
        return 1
    if not zipfile.is_zipfile(args.path):
        terminal.fail(NO_ZIP.format(path=args.path))
        return 1
    async with storage(terminal) as opened:
        counts = await transfer.import_from(opened, args.path)
    terminal.say(READ.format(**{k: counts[k] for k in ("threads", "users", "files")}))
    return 0
