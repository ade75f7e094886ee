"""SQLite's write-ahead log, which several processes may ask for at once."""

import sqlite3
import time
from collections.abc import Callable
from typing import Any


def write_ahead(file: Any, patience: float, pause: Callable[[], None]) -> None:
    """Puts a new file into WAL mode, where it stays; `file` has `execute`, `pause` waits a moment.

    SQLite does not wait for others here, whatever the busy timeout (the switch needs the file to
    itself), so we do, for `patience` seconds. Raises sqlite3.OperationalError.
    """
    until = time.monotonic() + patience
    while True:
        try:
            file.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
        pause()
