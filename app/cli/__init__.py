"""konsilium, or python -m app: run, doctor, models, users, keys, cache, knowledge, tools, arena, db, gateway,
import, reference.

A command group is one module of its name with `register(subparsers)`, which adds its parsers and sets
`run=function` as their default: `run(args, terminal)` returns an exit code, or a coroutine of one.
Exit codes: 0 done, 1 it could not be done, 2 wrong arguments or settings, 130 broken off by Ctrl-C.
"""

import argparse
import asyncio
import importlib
import inspect
import logging
import os
import sys
from collections.abc import Callable, MutableMapping, Sequence
from pathlib import Path

from app.cli.terminal import Terminal, in_words, language_of_environment
from app.core.errors import KonsiliumError, SettingsInvalid
from app.core.text import Text
from app.settings import load_settings
from app.storage.files import make_private

GROUPS = (
    "run",
    "doctor",
    "models",
    "users",
    "keys",
    "cache",
    "knowledge",
    "tools",
    "arena",
    "db",
    "gateway",
    "import",
    "reference",
)
MODULES = {"import": "histories"}
"""Where a group's name can be no module's."""

NOT_WRITABLE = Text(
    ru="В папку {folder} нельзя писать ({why}). Укажите другую в DATA_DIR.",
    uk="До теки {folder} не можна писати ({why}). Вкажіть іншу в DATA_DIR.",
    en="The folder {folder} cannot be written to ({why}). Name another one in DATA_DIR.",
)
STOPPED = Text(ru="Прервано.", uk="Перервано.", en="Stopped.")


def parser(group: str | None = None) -> argparse.ArgumentParser:
    """The command line: of that group alone, whose module is then the only one imported, or whole."""
    name = "konsilium" if Path(sys.argv[0]).stem == "konsilium" else "python -m app"
    root = argparse.ArgumentParser(prog=name, description="Runs and administers Konsilium.")
    subparsers = root.add_subparsers(required=True, metavar="command")
    for each in [group] if group in GROUPS else GROUPS:
        importlib.import_module(f"app.cli.{MODULES.get(each, each)}").register(subparsers)
    return root


def give_home(environment: MutableMapping[str, str], home: Callable[[], Path] = Path.home) -> None:
    """Makes the folder of the data the home of a user that the machine does not know (a container's `runAsUser`):
    libraries look for one as they are imported."""
    try:
        home()
    except RuntimeError:
        environment["HOME"] = os.path.abspath(environment.get("DATA_DIR") or "data")


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code."""
    give_home(os.environ)
    words = sys.argv[1:] if argv is None else argv
    args = parser(words[0] if words else None).parse_args(words)
    logging.basicConfig(level=logging.CRITICAL)  # commands say themselves what is wrong
    try:
        settings = load_settings()
    except SettingsInvalid as error:
        Terminal(language_of_environment(None)).fail(in_words(error))
        return 2
    terminal = Terminal(language_of_environment(settings.app_language), settings)
    try:
        make_private(settings.data_dir)
    except OSError as error:
        folder, why = settings.data_dir.absolute(), error.strerror
        terminal.fail(NOT_WRITABLE.format(folder=folder, why=why))
        return 1
    try:
        code: object = args.run(args, terminal)
        if inspect.iscoroutine(code):
            code = asyncio.run(code)
    except KonsiliumError as error:
        terminal.fail(in_words(error))
        return 2 if isinstance(error, SettingsInvalid) else 1
    except KeyboardInterrupt:
        terminal.fail(STOPPED)
        return 130
    return code if isinstance(code, int) else 0
