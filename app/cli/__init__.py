"""python -m app: doctor, models, users, keys, cache, db, gateway, reference.

A command group is one module with `register(subparsers)`, which adds its parsers and sets
`run=function` as their default: `run(args, terminal)` returns an exit code, or a coroutine of one.
Exit codes: 0 done, 1 it could not be done, 2 wrong arguments or settings, 130 broken off by Ctrl-C.
"""

import argparse
import asyncio
import inspect
import logging
from collections.abc import Sequence

from app.cli import cache, db, doctor, gateway, keys, models, reference, users
from app.cli.errors import in_words
from app.cli.terminal import Terminal, language_of_environment
from app.core.errors import KonsiliumError, SettingsInvalid
from app.core.text import Text
from app.settings import load_settings
from app.storage.files import make_private

GROUPS = (doctor, models, users, keys, cache, db, gateway, reference)

STOPPED = Text(ru="Прервано.", uk="Перервано.", en="Stopped.")


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    root = argparse.ArgumentParser(prog="python -m app", description="Administers Konsilium.")
    subparsers = root.add_subparsers(required=True, metavar="command")
    for group in GROUPS:
        group.register(subparsers)
    return root


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code."""
    args = parser().parse_args(argv)
    logging.basicConfig(level=logging.CRITICAL)  # commands say themselves what is wrong
    try:
        settings = load_settings()
    except SettingsInvalid as error:
        Terminal(language_of_environment(None)).fail(in_words(error))
        return 2
    terminal = Terminal(language_of_environment(settings.app_language), settings)
    try:
        make_private(settings.data_dir)
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
