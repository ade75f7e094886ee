"""What a command is given: a language, the settings, and somewhere to write."""

import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from types import TracebackType
from typing import TextIO

from app.core.errors import KonsiliumError, SettingsInvalid, StorageUnavailable
from app.core.text import Language, Text, language_of
from app.settings import Settings
from app.storage.migrations.apply import DatabaseNewer


def language_of_environment(
    forced: Language | None, environment: Mapping[str, str] = os.environ
) -> Language:
    """APP_LANGUAGE, else the terminal's locale (LC_ALL, LC_MESSAGES, LANG), else English."""
    if forced is not None:
        return forced
    for variable in ("LC_ALL", "LC_MESSAGES", "LANG"):
        if value := environment.get(variable):
            return language_of(value)
    return "en"


class Terminal:
    """Writes texts in the person's language."""

    def __init__(
        self,
        language: Language,
        settings: Settings | None = None,
        out: TextIO | None = None,
        err: TextIO | None = None,
        stdin: TextIO | None = None,
    ) -> None:
        self.language = language
        self.stdin = stdin or sys.stdin
        self._settings = settings
        self._out, self._err = out or sys.stdout, err or sys.stderr
        self._rewriting = False

    @property
    def settings(self) -> Settings:
        """The settings, which a command always has."""
        assert self._settings is not None, "made for a command"  # noqa: S101 - a bug, not an input
        return self._settings

    def say(self, text: Text | str = "") -> None:
        """One line."""
        print(self.words(text), file=self._out)

    def fail(self, text: Text | str) -> None:
        """One line of what went wrong, on standard error."""
        print(self.words(text), file=self._err)

    def words(self, text: Text | str) -> str:
        """The text in the terminal's language."""
        return text if isinstance(text, str) else text[self.language]

    def table(self, rows: Iterable[Sequence[str]], indent: str = "") -> None:
        """Columns wide enough for their longest cell."""
        rows = [list(row) for row in rows]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        for row in rows:
            cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
            self.say((indent + "  ".join(cells)).rstrip())

    def line(self, text: str) -> None:
        """Rewrites the current line where the output is a terminal; else writes nothing."""
        if self._out.isatty():
            self._out.write(f"\r\033[K{text}")
            self._out.flush()
            self._rewriting = True

    def end_line(self) -> None:
        """Leaves the line that was being rewritten as it is."""
        if self._rewriting:
            self._out.write("\n")
            self._rewriting = False

    def ask(self, question: Text) -> bool:
        """Yes or no; no where nobody is there to answer."""
        if not self.stdin.isatty():
            return False
        yes = ("y", "yes", "д", "да", "т", "так")
        return input(f"{self.words(question)} ").strip().lower() in yes


INVALID = Text(
    ru="Неверная настройка {why}", uk="Хибне налаштування {why}", en="Wrong setting {why}"
)
NEWER = Text(
    ru="Базу данных уже обновила более новая версия Konsilium ({why}). Запустите ту версию или верните копию базы из DATA_DIR/backups.",
    uk="Базу даних уже оновила новіша версія Konsilium ({why}). Запустіть ту версію або поверніть копію бази з DATA_DIR/backups.",
    en="A newer version of Konsilium has already migrated the database ({why}). Start that version, or put back a copy from DATA_DIR/backups.",
)
UNAVAILABLE = Text(
    ru="База данных или диск не отвечает: {why}",
    uk="База даних або диск не відповідає: {why}",
    en="The database or the disk does not answer: {why}",
)


def in_words(error: KonsiliumError) -> Text | str:
    """One line for a person; what has no words of its own comes by its code."""
    why = error.detail.splitlines()[0] if error.detail else error.code
    match error:
        case SettingsInvalid():
            return INVALID.format(why=error.detail)
        case DatabaseNewer():
            return NEWER.format(why=why)
        case StorageUnavailable():
            return UNAVAILABLE.format(why=why)
        case _:
            return f"{error.code}: {error.detail}"


def end_in_words(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    """Where a server cannot start for a reason that a person can mend: the reason, and no traceback.
    For `sys.excepthook`."""
    if not isinstance(error, KonsiliumError):
        sys.__excepthook__(kind, error, trace)
        return
    forced = os.environ.get("APP_LANGUAGE")
    language = language_of_environment(language_of(forced) if forced else None)
    words = in_words(error)
    print(words if isinstance(words, str) else words[language], file=sys.stderr)
