"""python -m app cache show | set | aliases | purge: the answer cache."""

import argparse
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from app.cli.db import storage
from app.cli.terminal import Terminal
from app.completion.caching.policy import Policies, Policy
from app.completion.caching.words import Aliases
from app.core.text import Text

PURGED = Text(
    ru="Удалено ответов: {count}.",
    uk="Видалено відповідей: {count}.",
    en="Answers deleted: {count}.",
)
KEPT = Text(
    ru="Групп имён: {count}. Действуют в течение нескольких секунд.",
    uk="Груп назв: {count}. Набудуть чинності за кілька секунд.",
    en="Groups of names: {count}. In force within seconds.",
)
WRONG = Text(
    ru="Не годится: {given}. Пример: offer_from=0.8",
    uk="Не підходить: {given}. Приклад: offer_from=0.8",
    en="Does not fit: {given}. For example: offer_from=0.8",
)
_SWITCHES = {"on": True, "true": True, "1": True, "off": False, "false": False, "0": False}


def register(subparsers: Any) -> None:
    """Adds the group."""
    group = subparsers.add_parser("cache", help="what the answer cache keeps and offers")
    commands = group.add_subparsers(required=True, metavar="show|set|aliases|purge")
    show = commands.add_parser("show", help="the limits and thresholds in force")
    show.set_defaults(run=run_show)
    change = commands.add_parser("set", help="change them: shared=on offer_from=0.8 days=30")
    change.add_argument("values", nargs="+", metavar="name=value")
    change.set_defaults(run=run_set)
    aliases = commands.add_parser("aliases", help="show the aliases, or take them from a file")
    aliases.add_argument("file", nargs="?", type=Path, help="a group a line: KSU = Kherson State …")
    aliases.set_defaults(run=run_aliases)
    purge = commands.add_parser("purge", help="delete cached answers")
    purge.add_argument("--model", help="only of this one: server/model")
    purge.add_argument("--owner", help="only of user:<id>, key:<id> or shared")
    purge.set_defaults(run=run_purge)


async def run_show(_args: argparse.Namespace, terminal: Terminal) -> int:
    """Names and values; aliases have a command of their own."""
    async with storage(terminal) as store:
        policy = await Policies(store.key_values).current()
    _print(policy, terminal)
    return 0


async def run_set(args: argparse.Namespace, terminal: Terminal) -> int:
    """Changes some values."""
    async with storage(terminal) as store:
        policies = Policies(store.key_values)
        policy = await policies.current()
        for given in args.values:
            name, _, value = given.partition("=")
            try:
                policy = _changed(policy, name, value)
            except (ValueError, KeyError):
                terminal.fail(WRONG.format(given=given))
                return 2
        await policies.change(policy)
    _print(policy, terminal)
    return 0


async def run_aliases(args: argparse.Namespace, terminal: Terminal) -> int:
    """Shows them, or puts those of a file in their place."""
    async with storage(terminal) as store:
        policies = Policies(store.key_values)
        policy = await policies.current()
        if args.file is None:
            terminal.say(policy.aliases)
            return 0
        try:
            text = args.file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            terminal.fail(f"{args.file}: {error}")
            return 1
        await policies.change(replace(policy, aliases=text))
    terminal.say(KEPT.format(count=len(Aliases.parse(text).groups)))
    return 0


async def run_purge(args: argparse.Namespace, terminal: Terminal) -> int:
    """Deletes all, or what matches."""
    async with storage(terminal) as store:
        count = await store.answers.purge(model=args.model, owner=args.owner)
    terminal.say(PURGED.format(count=count))
    return 0


def _print(policy: Policy, terminal: Terminal) -> None:
    values = asdict(policy)
    del values["aliases"]
    terminal.table((name, str(value)) for name, value in values.items())


def _changed(policy: Policy, name: str, value: str) -> Policy:
    """The policy with one value changed, read as the kind it has. Raises KeyError or ValueError."""
    values = asdict(policy)
    present = values[name]
    if name == "aliases":
        raise KeyError(name)
    if name == "cosines":  # of one embedding model: cosines=ollama/bge-m3:0.8
        model, _, least = value.rpartition(":")
        values[name] = {**present, model: float(least)}
    elif isinstance(present, bool):
        values[name] = _SWITCHES[value.lower()]
    elif isinstance(present, str):
        values[name] = value
    else:
        values[name] = type(present)(value)
        if not values[name] >= 0:
            raise ValueError(value)
    return Policy(**values)
