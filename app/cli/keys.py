"""python -m app keys create | list | revoke."""

import argparse
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from app.access.keys import KeyRing, new_key
from app.access.people import FIRST_ADMIN, LOCAL
from app.cli.terminal import Terminal
from app.core.errors import NotFound
from app.core.keys import ApiKey
from app.core.text import Text
from app.core.turns import now
from app.storage.storage import Storage

MADE = Text(
    ru="Ключ «{name}» создан. Он показан один раз, сохраните его:",
    uk="Ключ «{name}» створено. Його показано один раз, збережіть його:",
    en="The key “{name}” is made. It is shown this once, keep it:",
)
NONE = Text(
    ru="Ключей нет. Создать: python -m app keys create --name …",
    uk="Ключів немає. Створити: python -m app keys create --name …",
    en="There are no keys. Make one: python -m app keys create --name …",
)
REVOKED = Text(
    ru="Ключ «{name}» отозван.", uk="Ключ «{name}» відкликано.", en="The key “{name}” is revoked."
)
UNKNOWN = Text(
    ru="Нет действующего ключа {name}.",
    uk="Немає чинного ключа {name}.",
    en="There is no working key {name}.",
)
NO_USER = Text(
    ru="Нет пользователя {name}.", uk="Немає користувача {name}.", en="There is no user {name}."
)
WORKS = Text(ru="действует", uk="чинний", en="works")
EXPIRED = Text(ru="истёк", uk="сплив", en="expired")
OUT = Text(ru="отозван", uk="відкликано", en="revoked")


def register(subparsers: Any) -> None:
    """Adds the group."""
    group = subparsers.add_parser("keys", help="make, list and revoke API keys")
    commands = group.add_subparsers(required=True, metavar="create|list|revoke")
    create = commands.add_parser("create", help="make a key and show it, once")
    create.add_argument("--name", required=True, help="what people call it")
    create.add_argument(
        "--models", default="*", help="globs over server/model, comma-separated: 'ollama/*'"
    )
    create.add_argument(
        "--tools", default="", help="globs over tools, comma-separated: 'calculator,notes/*'"
    )
    create.add_argument("--rpm", type=int, help="requests a minute")
    create.add_argument("--tpm", type=int, help="tokens a minute, in and out")
    create.add_argument("--budget-rub", type=_money, help="roubles a calendar month")
    create.add_argument("--expires-days", type=_days, help="works for so many days")
    create.add_argument("--admin", action="store_true", help="may manage keys")
    create.add_argument("--cache", choices=("off", "exact", "near"), default="off")
    create.add_argument(
        "--drop-params",
        action="store_true",
        help="leave out what a model does not take, instead of refusing it",
    )
    create.add_argument("--user", help="whose threads and usage; unless given, the local user's")
    create.set_defaults(run=create_key)
    listing = commands.add_parser("list", help="every key, without the keys themselves")
    listing.set_defaults(run=list_keys)
    revoke = commands.add_parser("revoke", help="make a key useless, at once")
    revoke.add_argument("key", help="its name, id or first characters")
    revoke.set_defaults(run=revoke_key)


def _money(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:
        raise argparse.ArgumentTypeError(f"{text!r} is no amount") from None


def _days(text: str) -> timedelta:
    """Raises ArgumentTypeError for less than a moment and for more than the calendar has: a key that was to
    end is none that lasts for ever."""
    try:
        days = timedelta(days=float(text))
        until = now() + days
    except (ValueError, OverflowError):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of days") from None
    if until <= now():
        raise argparse.ArgumentTypeError(f"{text!r} days are over already")
    return days


@asynccontextmanager
async def storage(terminal: Terminal) -> AsyncIterator[Storage]:
    """The database, migrated, closed in the end."""
    opened = Storage(terminal.settings.database, terminal.settings.data_dir)
    try:
        await opened.open()
        yield opened
    finally:
        await opened.aclose()


async def create_key(args: argparse.Namespace, terminal: Terminal) -> int:
    """Prints the key alone on standard output, so that a script can take it."""
    async with storage(terminal) as store:
        user_id = await owner_of(args.user, store, terminal)
        if user_id is None:
            terminal.fail(
                NO_USER.format(name=FIRST_ADMIN if args.user is None else args.user or "''")
            )
            return 1
        expires = None if args.expires_days is None else now() + args.expires_days
        key, secret = new_key(
            args.name,
            user_id,
            models=args.models.split(","),
            tools=args.tools.split(","),
            rpm=args.rpm,
            tpm=args.tpm,
            budget_rub=args.budget_rub,
            admin=args.admin,
            cache=args.cache,
            drop_params=args.drop_params,
            expires_at=expires,
        )
        await store.keys.add(key)
    terminal.fail(MADE.format(name=key.name))
    print(secret)
    return 0


async def owner_of(identifier: str | None, store: Storage, terminal: Terminal) -> str | None:
    """The id of that user; unless named, of the local user or the first administrator. None where
    there is none."""
    if identifier is None and terminal.settings.auth_mode == "local":
        return (await store.users.add(LOCAL, role="admin")).id
    user = await store.users.by_identifier(FIRST_ADMIN if identifier is None else identifier)
    return user.id if user is not None else None


async def list_keys(_args: argparse.Namespace, terminal: Terminal) -> int:
    """Prints the keys, newest first."""
    async with storage(terminal) as store:
        keys = await store.keys.keys()
        month = now().replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        spent = await store.keys.spent(month)
    if not keys:
        terminal.fail(NONE)
        return 0
    terminal.table([_row(key, spent.get(key.id, Decimal(0)), terminal) for key in keys])
    return 0


def _row(key: ApiKey, spent: Decimal, terminal: Terminal) -> list[str]:
    state = OUT if key.revoked_at else WORKS if key.live(now()) else EXPIRED
    budget = f"{spent:.2f}/{key.budget_rub:f} ₽" if key.budget_rub is not None else f"{spent:.2f} ₽"
    return [
        key.prefix + "…",
        key.name,
        ",".join(key.models),
        f"{key.rpm or '—'} rpm",
        f"{key.tpm or '—'} tpm",
        budget,
        _day(key.last_used_at),
        state[terminal.language],
    ]


def _day(moment: datetime | None) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M}" if moment else "—"


async def revoke_key(args: argparse.Namespace, terminal: Terminal) -> int:
    """Revokes; running gateways know within a second."""
    async with storage(terminal) as store:
        try:
            key = await KeyRing(store.keys).revoke(args.key)
        except NotFound:
            terminal.fail(UNKNOWN.format(name=args.key))
            return 1
    terminal.say(REVOKED.format(name=key.name))
    return 0
