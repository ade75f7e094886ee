"""python -m app knowledge list | add | remove | search: the knowledge bases."""

import argparse
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from app.access.people import FIRST_ADMIN
from app.attachments import refusal_text, silent_text
from app.cli.db import storage
from app.cli.keys import owner_of
from app.cli.terminal import Terminal
from app.core.errors import AttachmentRefused, NotFound
from app.core.knowledge import KnowledgeBase
from app.core.text import Text
from app.knowledge.folders import files_in
from app.knowledge.library import Library

Run = Callable[[argparse.Namespace, Terminal], Awaitable[int]]

NONE = Text(
    ru="Баз знаний нет. Создать: python -m app knowledge add ИМЯ ПАПКА…",
    uk="Баз знань немає. Створити: python -m app knowledge add НАЗВА ТЕКА…",
    en="There are no knowledge bases. Make one: python -m app knowledge add NAME FOLDER…",
)
UNKNOWN = Text(
    ru="Нет базы знаний «{name}».",
    uk="Немає бази знань «{name}».",
    en="There is no knowledge base “{name}”.",
)
NO_USER = Text(
    ru="Нет пользователя {name}.", uk="Немає користувача {name}.", en="There is no user {name}."
)
NO_FILE = Text(ru="Файла {path} нет.", uk="Файлу {path} немає.", en="There is no file {path}.")
ADDED = Text(
    ru="✅ {name}: фрагментов — {count}",
    uk="✅ {name}: фрагментів — {count}",
    en="✅ {name}: passages: {count}",
)
SUMMARY = Text(
    ru="Добавлено: {added}, без изменений: {same}, не прочитано: {refused}.",
    uk="Додано: {added}, без змін: {same}, не прочитано: {refused}.",
    en="Added: {added}, unchanged: {same}, not read: {refused}.",
)
REMOVED = Text(ru="Удалено: {name}.", uk="Видалено: {name}.", en="Removed: {name}.")
LISTED = Text(
    ru="документов: {documents}, фрагментов: {passages}",
    uk="документів: {documents}, фрагментів: {passages}",
    en="documents: {documents}, passages: {passages}",
)
SHARED = Text(ru="общая", uk="спільна", en="shared")
NOTHING = Text(ru="Ничего не нашлось.", uk="Нічого не знайдено.", en="Nothing was found.")
PAGE = Text(ru="с. {page}", uk="с. {page}", en="p. {page}")


class NoSuchName(Exception):
    """A base or a user that is not there, in words."""

    def __init__(self, words: Text) -> None:
        super().__init__(words.en)
        self.words = words


def register(subparsers: Any) -> None:
    """Adds the group."""
    group = subparsers.add_parser("knowledge", help="documents that answers may rest on")
    commands = group.add_subparsers(required=True, metavar="list|add|remove|search")
    listing = commands.add_parser("list", help="the bases, or the documents of one")
    listing.add_argument("name", nargs="?")
    listing.set_defaults(run=said(run_list))
    add = commands.add_parser("add", help="read files into a base; again: only what has changed")
    add.add_argument("name", help="of the base, which is made where there is none")
    add.add_argument("paths", nargs="+", type=Path, metavar="path", help="files and folders")
    add.add_argument("--shared", action="store_true", help="everyone here may search it")
    add.set_defaults(run=said(run_add))
    remove = commands.add_parser("remove", help="delete a base, or one document of it")
    remove.add_argument("name")
    remove.add_argument("document", nargs="?")
    remove.set_defaults(run=said(run_remove))
    search = commands.add_parser("search", help="the passages that a question finds")
    search.add_argument("name")
    search.add_argument("question")
    search.set_defaults(run=said(run_search))
    for command in (listing, add, remove, search):
        command.add_argument("--user", help="whose bases; unless given, the local user's")


def said(run: Run) -> Run:
    """The command, which says a name that is none and ends with 1."""

    async def command(args: argparse.Namespace, terminal: Terminal) -> int:
        try:
            return await run(args, terminal)
        except NoSuchName as none:
            terminal.fail(none.words)
            return 1

    return command


async def run_list(args: argparse.Namespace, terminal: Terminal) -> int:
    """A line a base, or a line a document."""
    async with opened(args, terminal) as (library, user):
        if args.name:
            base = await library.named(args.name, user)
            documents = await library.store.documents(base.id, user)
            terminal.table((one.name, f"{one.passages}", one.mime) for one in documents)
            return 0
        bases = await library.store.bases(user)
        if bases:
            terminal.table([_row(base, terminal) for base in bases])
        else:
            terminal.say(NONE)
    return 0


def _row(base: KnowledgeBase, terminal: Terminal) -> tuple[str, ...]:
    counted = LISTED.format(documents=base.documents, passages=base.passages)
    shared = terminal.words(SHARED) if base.shared else ""
    return base.name, base.owner, terminal.words(counted), shared


async def run_add(args: argparse.Namespace, terminal: Terminal) -> int:
    """Reads what is new or has changed; 1 where something could not be read."""
    missing = [path for path in args.paths if not path.exists()]
    if missing:
        terminal.fail(NO_FILE.format(path=missing[0]))
        return 1
    counts = {"added": 0, "same": 0, "refused": 0}
    async with opened(args, terminal) as (library, user):
        own = [one for one in await library.store.bases(user) if one.user_id == user]
        base = next((one for one in own if args.name in (one.id, one.name)), None)
        base = base or await library.store.create(user, args.name)
        if args.shared:
            await library.store.share(base.id, user, True)
        for path, name in files_in(args.paths):
            try:
                document, changed = await library.add(base.id, user, path, name)
            except AttachmentRefused as refused:
                counts["refused"] += 1
                terminal.fail(refusal_text(refused.reason, refused.facts))
                continue
            counts["added" if changed else "same"] += 1
            if changed:
                terminal.say(ADDED.format(name=name, count=document.passages))
                silent = await library.store.silent_pages(base.id, user)
                if pages := silent.get(document.id):
                    terminal.say(silent_text(pages))
    terminal.say(SUMMARY.format(**counts))
    return 1 if counts["refused"] else 0


async def run_remove(args: argparse.Namespace, terminal: Terminal) -> int:
    """Deletes it with its files."""
    async with opened(args, terminal) as (library, user):
        base = await library.named(args.name, user)
        if args.document is None:
            await library.store.remove(base.id, user)
        else:
            documents = await library.store.documents(base.id, user)
            found = [one for one in documents if args.document in (one.id, one.name)]
            if not found:
                terminal.fail(NO_FILE.format(path=args.document))
                return 1
            await library.store.remove_document(found[0].id, user)
    terminal.say(REMOVED.format(name=args.document or base.name))
    return 0


async def run_search(args: argparse.Namespace, terminal: Terminal) -> int:
    """The passages, best first."""
    async with opened(args, terminal) as (library, user):
        base = await library.named(args.name, user)
        found = await library.search([base.id], user, args.question)
    if not found:
        terminal.say(NOTHING)
    for number, one in enumerate(found, 1):
        page = one.passage.page
        where = [one.document.name, one.passage.heading]
        where += [terminal.words(PAGE.format(page=page))] if page else []
        terminal.say(f"{number}. {' · '.join(part for part in where if part)}")
        terminal.say(f"   {' '.join(one.passage.text.split())[:300]}")
    return 0


@asynccontextmanager
async def opened(
    args: argparse.Namespace, terminal: Terminal
) -> AsyncIterator[tuple[Library, str]]:
    """The bases, and whose they are. Raises NoSuchName, which the group says."""
    async with storage(terminal) as store:
        user = await owner_of(args.user, store, terminal)
        if user is None:
            raise NoSuchName(NO_USER.format(name=args.user or FIRST_ADMIN))
        try:
            yield Library(store.knowledge), user
        except NotFound as error:
            raise NoSuchName(UNKNOWN.format(name=args.name)) from error
