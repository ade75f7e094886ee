"""python -m app users add | list | disable | enable."""

import argparse
import getpass
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from app.access.passwords import MINIMUM_LENGTH, weakness
from app.access.people import People
from app.cli.terminal import Terminal
from app.core.people import Role, User
from app.core.text import Text
from app.storage.database import Database
from app.storage.migrations import apply
from app.storage.users import Users

PASSWORD = Text(ru="Пароль: ", uk="Пароль: ", en="Password: ")
AGAIN = Text(ru="Ещё раз: ", uk="Ще раз: ", en="Again: ")
DIFFERENT = Text(
    ru="Пароли не совпали.", uk="Паролі не збіглися.", en="The passwords are not the same."
)
SHORT = Text(
    ru="Пароль короче {length} символов.",
    uk="Пароль коротший за {length} символів.",
    en="The password is shorter than {length} characters.",
)
COMMON = Text(
    ru="Этот пароль слишком распространён: его пробуют первым.",
    uk="Цей пароль надто поширений: його пробують першим.",
    en="This password is too common: it is among the first to be tried.",
)
ADDED = Text(
    ru="✅ Пользователь {name} может войти.",
    uk="✅ Користувач {name} може ввійти.",
    en="✅ The user {name} can sign in.",
)
DISABLED = Text(
    ru="Пользователь {name} отключён: его страницы закрываются, войти он не может.",
    uk="Користувача {name} вимкнено: його сторінки закриваються, увійти він не може.",
    en="The user {name} is disabled: their pages close, and they cannot sign in.",
)
ENABLED = Text(
    ru="Пользователь {name} снова может войти.",
    uk="Користувач {name} знову може ввійти.",
    en="The user {name} can sign in again.",
)
UNKNOWN = Text(
    ru="Пользователя {name} нет.", uk="Користувача {name} немає.", en="There is no user {name}."
)
NOBODY = Text(ru="Пользователей нет.", uk="Користувачів немає.", en="There are no users.")
OFF = Text(ru="отключён", uk="вимкнено", en="disabled")


def register(subparsers: Any) -> None:
    """Adds the group."""
    group = subparsers.add_parser("users", help="who may sign in (AUTH_MODE=password, oauth)")
    commands = group.add_subparsers(required=True, metavar="add|list|disable|enable")
    adding = commands.add_parser(
        "add",
        help="a new user, or a new password for one; read from the terminal or standard input",
    )
    adding.add_argument("name", help="what they sign in with")
    adding.add_argument("--admin", action="store_true", help="may administer")
    adding.add_argument(
        "--provider",
        help="signs in by this OAuth provider (generic, google, github, …), not by a password",
    )
    adding.add_argument("--display-name", help="how they are called on screen")
    adding.set_defaults(run=add)
    commands.add_parser("list", help="everybody").set_defaults(run=listed)
    for command, enabled in (("disable", False), ("enable", True)):
        switching = commands.add_parser(command, help=f"{command} a user, at once")
        switching.add_argument("name")
        switching.set_defaults(run=switch, enabled=enabled)


@asynccontextmanager
async def people(terminal: Terminal) -> AsyncIterator[tuple[People, Users]]:
    """The users of the configured database, brought up to date first."""
    database = Database(terminal.settings.database)
    try:
        await apply.upgrade(database)
        users = Users(database)
        yield People(users), users
    finally:
        await database.aclose()


async def add(args: argparse.Namespace, terminal: Terminal) -> int:
    """Makes the user; 1 where the password will not do."""
    password = None if args.provider else _password(terminal)
    if password is None and not args.provider:
        terminal.fail(DIFFERENT)
        return 1
    if password is not None and (weak := weakness(password)) is not None:
        terminal.fail(COMMON if weak == "common" else SHORT.format(length=MINIMUM_LENGTH))
        return 1
    async with people(terminal) as (known, _):
        role: Role | None = "admin" if args.admin else None
        user = await known.add(args.name, password, role, args.display_name, args.provider)
    terminal.say(ADDED.format(name=user.identifier))
    return 0


async def listed(_args: argparse.Namespace, terminal: Terminal) -> int:
    """Prints everybody."""
    async with people(terminal) as (_, users):
        everybody = await users.all()
    if not everybody:
        terminal.say(NOBODY)
        return 0
    terminal.table(_row(user, terminal) for user in everybody)
    return 0


async def switch(args: argparse.Namespace, terminal: Terminal) -> int:
    """Disables or enables; 1 where there is no such user."""
    async with people(terminal) as (known, users):
        user = await users.by_identifier(args.name)
        if user is None:
            terminal.fail(UNKNOWN.format(name=args.name))
            return 1
        await known.set_enabled(user, enabled=args.enabled)
    terminal.say((ENABLED if args.enabled else DISABLED).format(name=args.name))
    return 0


def _row(user: User, terminal: Terminal) -> list[str]:
    state = "" if user.enabled else OFF[terminal.language]
    since = f"{user.created_at:%Y-%m-%d}"
    return [user.identifier, user.display_name or "—", user.role, since, state]


def _password(terminal: Terminal) -> str | None:
    """From the terminal, twice; from standard input where there is none. None: not the same."""
    if not terminal.stdin.isatty():
        return terminal.stdin.readline().rstrip("\r\n")
    first = getpass.getpass(PASSWORD[terminal.language])
    return first if first == getpass.getpass(AGAIN[terminal.language]) else None
