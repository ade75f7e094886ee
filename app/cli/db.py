"""python -m app db upgrade | backup | export | import."""

import argparse
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from app.attachments.limits import MEGABYTE
from app.cli.terminal import Terminal
from app.core.errors import NotAllowed
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
REFUSED = {
    "no_export": Text(
        ru="{path} — не выгрузка Konsilium.",
        uk="{path} — не вивантаження Konsilium.",
        en="{path} is no export of Konsilium.",
    ),
    "newer": Text(
        ru="{path} выгрузила более новая версия Konsilium: обновите эту.",
        uk="{path} вивантажила новіша версія Konsilium: оновіть цю.",
        en="{path} was exported by a newer version of Konsilium: update this one.",
    ),
    "damaged": Text(
        ru="Файл {path} повреждён: {place}. Ничего не перенесено.",
        uk="Файл {path} пошкоджено: {place}. Нічого не перенесено.",
        en="The file {path} is damaged: {place}. Nothing was imported.",
    ),
    "long_row": Text(
        ru="В {path} слишком длинная строка: {place}. Ничего не перенесено. Если файл ваш, задайте --longest-row больше (в МБ).",
        uk="У {path} задовгий рядок: {place}. Нічого не перенесено. Якщо файл ваш, задайте --longest-row більше (у МБ).",
        en="{path} has too long a row: {place}. Nothing was imported. If the file is yours, allow longer ones by --longest-row (in MB).",
    ),
}
NOT_EMPTY = Text(
    ru="В базе данных уже есть разговоры: выгрузку переносят в пустую.",
    uk="У базі даних уже є розмови: вивантаження переносять у порожню.",
    en="The database has conversations already: an export is imported into an empty one.",
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
    reading.add_argument(
        "--longest-row",
        type=int,
        default=transfer.MAX_ROW_BYTES // MEGABYTE,
        metavar="MB",
        help="a longer row is refused; each is in memory as a whole (default: %(default)s)",
    )
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


async def upgrade(_args: argparse.Namespace, terminal: Terminal) -> int:
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
    """Reads an export; 1 where the file is missing, damaged or none, or the database not empty."""
    if not args.path.is_file():
        terminal.fail(NO_FILE.format(path=args.path))
        return 1
    try:
        async with storage(terminal) as opened:
            counts = await transfer.import_from(opened, args.path, args.longest_row * MEGABYTE)
    except transfer.ExportRefused as error:
        terminal.fail(REFUSED[error.reason].format(path=args.path, place=error.place))
        return 1
    except NotAllowed:
        terminal.fail(NOT_EMPTY)
        return 1
    terminal.say(READ.format(**{k: counts[k] for k in ("threads", "users", "files")}))
    return 0
