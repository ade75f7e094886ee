"""What went wrong, in words for a terminal."""

import os
import sys
from types import TracebackType

from app.cli.terminal import language_of_environment
from app.core.errors import KonsiliumError, SettingsInvalid, StorageUnavailable
from app.core.text import Text, language_of
from app.storage.migrations.apply import DatabaseNewer

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
