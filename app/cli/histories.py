"""python -m app import FILE: conversations of ChatGPT, Open WebUI, LibreChat or another Konsilium."""

import argparse
import contextlib
import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from app.access.people import LOCAL
from app.cli.terminal import Terminal
from app.conversation.histories import ExportedThread, HistoryRefused, imported
from app.conversation.history_formats import read_histories
from app.conversation.import_candidates import MISSING, STATES, ImportCandidate, refused, summed
from app.core.text import Text
from app.storage.database import Database
from app.storage.history_import import MAX_BYTES, HistoryImporter, read_export
from app.storage.migrations import apply
from app.storage.users import Users

UNKNOWN = Text(
    ru="Пользователя {name} нет. Назовите того, чьи это разговоры: --user.",
    uk="Користувача {name} немає. Назвіть того, чиї це розмови: --user.",
    en="There is no user {name}. Name whose conversations these are: --user.",
)
NO_FILE = Text(
    ru="Файл {file} не прочитать: {why}",
    uk="Файл {file} не прочитати: {why}",
    en="The file {file} cannot be read: {why}",
)
DRY = Text(
    ru="Это была проверка, ничего не сохранено.",
    uk="Це була перевірка, нічого не збережено.",
    en="This was a dry run, nothing is stored.",
)


def register(subparsers: Any) -> None:
    """Adds the command."""
    command = subparsers.add_parser(
        "import",
        help="brings conversations from ChatGPT, Open WebUI, LibreChat or a Konsilium's JSON",
    )
    command.add_argument(
        "file", type=Path, help="conversations.json, ChatGPT's ZIP, or a JSON export"
    )
    command.add_argument("--user", default=LOCAL, help="whose conversations these are")
    command.add_argument(
        "--dry-run", action="store_true", help="say what would come, store nothing"
    )
    command.add_argument("--json", action="store_true", help="say it as JSON, one line")
    command.add_argument("--most", type=int, default=MAX_BYTES, help="bytes of JSON that are read")
    command.add_argument("--memory", type=int, help="bytes of memory that reading it may take")
    command.set_defaults(run=run)


def _read(file: Path, most: int, memory: int | None) -> tuple[ExportedThread, ...]:
    """Raises HistoryRefused, OSError."""
    try:
        with _confined(memory):
            return read_histories(read_export(file, most))
    except MemoryError as error:
        raise HistoryRefused("memory") from error


@contextlib.contextmanager
def _confined(memory: int | None) -> Iterator[None]:
    """A small file may be more than the machine holds, once it is read."""
    try:
        import resource
    except ImportError:  # Windows: the bound of bytes must do
        memory = None
    if memory is None:
        yield
        return
    usual = resource.getrlimit(resource.RLIMIT_AS)
    with contextlib.suppress(ValueError, OSError):  # macOS refuses
        resource.setrlimit(resource.RLIMIT_AS, (memory, usual[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, usual)


async def run(args: argparse.Namespace, terminal: Terminal) -> int:
    """Reads the file, says of each conversation what becomes of it, and stores it. Raises
    StorageUnavailable."""
    try:
        threads = _read(args.file, args.most, args.memory)
    except HistoryRefused as error:
        if args.json:
            terminal.say(json.dumps({"refused": error.reason, "place": error.place}))
        terminal.fail(refused(error.reason, error.place))
        return 1
    except OSError as error:
        terminal.fail(NO_FILE.format(file=args.file, why=error.strerror))
        return 1
    database = Database(terminal.settings.database)
    try:
        await apply.upgrade(database)
        user = await Users(database).by_identifier(args.user)
        if user is None and args.user == LOCAL:
            user = await Users(database).add(LOCAL, role="admin")
        if user is None:
            terminal.fail(UNKNOWN.format(name=args.user))
            return 1
        importer, candidates = HistoryImporter(database), list[ImportCandidate]()
        for thread in threads:
            name = user.display_name or user.identifier
            state = await importer.keep(user.id, imported(thread, user.id, name), dry=args.dry_run)
            candidates.append(ImportCandidate.of(thread, state))
            if not args.json:
                one = candidates[-1]
                state_words = f"{terminal.words(STATES[state]):10}"
                terminal.say(f"{state_words} {one.day}  {one.title}  ({terminal.words(one.about)})")
    finally:
        await database.aclose()
    if args.json:
        terminal.say(json.dumps({"conversations": [asdict(one) for one in candidates]}))
        return 0
    if missing := sum(one.missing for one in candidates):
        terminal.say(MISSING.format(count=missing))
    terminal.say(summed(candidates))
    if args.dry_run:
        terminal.say(DRY)
    return 0
