"""What was counted lately, in a small file that the processes of one machine share."""

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import floor
from pathlib import Path

from limits.aio.storage import SlidingWindowCounterSupport, Storage

from app.storage.sqlite import set_write_ahead

BUSY_SECONDS = 0.5
"""How long another process is waited for; it holds the file for some 20 µs."""
CREATE = (
    "PRAGMA synchronous = OFF",  # a power cut may cost the counts of a minute
    "CREATE TABLE IF NOT EXISTS counters (name TEXT, ends INTEGER, count INTEGER NOT NULL,"
    " PRIMARY KEY (name, ends)) WITHOUT ROWID",
)
FIND = "SELECT ends, count FROM counters WHERE name = ? AND ends IN (?, ?)"
ADD = (
    "INSERT INTO counters VALUES (?, ?, ?)"
    " ON CONFLICT (name, ends) DO UPDATE SET count = count + excluded.count"
)


class Counters(Storage, SlidingWindowCounterSupport):
    """A storage of the `limits` library for its sliding window.

    Asked in the loop's own thread: going to another one costs five times what a statement does.
    """

    def __init__(self, path: Path, clock: Callable[[], float] = time.time) -> None:
        super().__init__()
        self._path = path
        self._clock = clock
        self._connection: sqlite3.Connection | None = None
        self._swept = 0

    @property
    def base_exceptions(self) -> type[Exception] | tuple[type[Exception], ...]:
        return sqlite3.Error, OSError

    async def acquire_sliding_window_entry(
        self, key: str, limit: int, expiry: int, amount: int = 1
    ) -> bool:
        """Counts `amount` where it still fits."""
        with self._writing() as file:
            previous, left, current, _ = self._window(file, key, expiry)
            if floor(previous * left / expiry + current) + amount > limit:
                return False
            self._add(file, key, expiry, amount)
            return True

    async def get_sliding_window(self, key: str, expiry: int) -> tuple[int, float, int, float]:
        """Counts and seconds left of the previous window and of this one."""
        return self._window(self._file(), key, expiry)

    async def clear_sliding_window(self, key: str, expiry: int) -> None:
        await self.clear(key)

    async def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        with self._writing() as file:
            self._add(file, key, expiry, amount)
        return await self.get(key)

    async def get(self, key: str) -> int:
        live = "SELECT coalesce(sum(count), 0) FROM counters WHERE name = ? AND ends > ?"
        return int(self._file().execute(live, (key, self._clock())).fetchone()[0])

    async def get_expiry(self, key: str) -> float:
        ends = self._file().execute("SELECT max(ends) FROM counters WHERE name = ?", (key,))
        return float(ends.fetchone()[0] or self._clock())

    async def check(self) -> bool:
        self._file()
        return True

    async def reset(self) -> int:
        with self._writing() as file:
            return file.execute("DELETE FROM counters").rowcount

    async def clear(self, key: str) -> None:
        with self._writing() as file:
            file.execute("DELETE FROM counters WHERE name = ?", (key,))

    def _window(
        self, file: sqlite3.Connection, key: str, expiry: int
    ) -> tuple[int, float, int, float]:
        ends = self._end(expiry)
        counts: dict[int, int] = dict(file.execute(FIND, (key, ends - expiry, ends)).fetchall())
        left = ends - self._clock()
        return counts.get(ends - expiry, 0), left, counts.get(ends, 0), left + expiry

    def _add(self, file: sqlite3.Connection, key: str, expiry: int, amount: int) -> None:
        ends = self._end(expiry)
        file.execute(ADD, (key, ends, amount))
        if ends > self._swept:
            file.execute("DELETE FROM counters WHERE ends < ?", (ends - 2 * expiry,))
            self._swept = ends

    def _end(self, expiry: int) -> int:
        """When the present window ends."""
        return (int(self._clock()) // expiry + 1) * expiry

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        file = self._file()
        file.execute("BEGIN IMMEDIATE")
        try:
            yield file
        finally:
            file.execute("COMMIT")

    def _file(self) -> sqlite3.Connection:
        if self._connection is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = _opened(self._path)
        return self._connection


def _opened(path: Path) -> sqlite3.Connection:
    """The file, made anew where a power cut has left it unreadable."""
    file = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)
    try:
        file.execute("PRAGMA page_size = 512")
        set_write_ahead(file, BUSY_SECONDS, pause=0.005)
        for statement in CREATE:
            file.execute(statement)
        file.execute("SELECT sum(count) FROM counters").fetchone()
    except sqlite3.OperationalError:
        file.close()
        raise
    except sqlite3.DatabaseError:
        file.close()
        for name in (path.name, f"{path.name}-wal", f"{path.name}-shm"):
            path.with_name(name).unlink(missing_ok=True)
        return _opened(path)
    return file
