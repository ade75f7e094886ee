"""What was counted lately, in a small file that the processes of one machine share."""

import asyncio
import logging
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from math import floor
from pathlib import Path

from limits.aio.storage import SlidingWindowCounterSupport, Storage

from app.storage.sqlite import set_write_ahead

log = logging.getLogger(__name__)

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
    " WHERE count + excluded.count <= ? RETURNING count"
)
_ANY = 10**12
"""A limit that lets everything be counted."""
SOON_SECONDS = 0.02
SETTLED_SECONDS = 1
"""So long after its end the count of a window is taken to change no more."""
AHEAD_SECONDS = 1.0
"""A count that was read no longer ago is known; whatever is counted here is written, and read again with it, soon."""
AHEAD_PARTS = 256
"""Of what is left of a limit each process counts one part by itself, and writes it soon: by so much for each
of them a limit may be passed, and one of fewer, which is always asked for in the file, by none."""

Wanted = tuple[str, int, int]
"""A name, its limit, and how many are to be counted."""
Taken = tuple[bool, tuple[int, float, int, float]]
Known = tuple[float, int, int, int]
"""When a count was read, when its window ends, the count of the window before, and it."""
_UNKNOWN: Known = (0.0, 0, 0, 0)


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
        self._waiting: dict[tuple[str, int], int] = {}
        """What is to be counted soon, by name and seconds of its window."""
        self._due: asyncio.TimerHandle | None = None
        self._before: dict[str, tuple[int, int]] = {}
        """Of each name the end of the window before this one, and its count, where that is settled."""
        self._known: dict[str, Known] = {}

    @property
    def base_exceptions(self) -> type[Exception] | tuple[type[Exception], ...]:
        return sqlite3.Error, OSError

    async def acquire_sliding_window_entry(
        self, key: str, limit: int, expiry: int, amount: int = 1
    ) -> bool:
        """Counts `amount` where it still fits."""
        ((admitted, _),) = self._taken_now([(key, limit, amount)], expiry)
        return admitted

    async def take(self, wanted: Sequence[Wanted], expiry: int) -> list[Taken]:
        """Counts one after the other until one does not fit. Tells of each, the refused one too, whether it
        fitted and how its window stands. Where a limit is far, it is counted here at once, and in the file
        within `SOON_SECONDS`, with others: a transaction for each would be a fifth of a request."""
        return self._taken_ahead(wanted, expiry) or self._taken_now(wanted, expiry)

    def _taken_ahead(self, wanted: Sequence[Wanted], expiry: int) -> list[Taken]:
        """The same from what is known; nothing, and nothing is counted, where the file has to be asked."""
        ends, at = self._end(expiry), self._clock()
        taken: list[Taken] = []
        for key, limit, amount in wanted:
            read_at, known_ends, previous, count = self._known.get(key, _UNKNOWN)
            if known_ends != ends or at - read_at > AHEAD_SECONDS:
                return []
            ahead = self._waiting.get((key, expiry), 0) + amount
            rest = limit - floor(previous * (ends - at) / expiry) - count
            if ahead * AHEAD_PARTS > rest:
                return []
            taken.append((True, (previous, ends - at, count + ahead, ends + expiry - at)))
        for key, _, amount in wanted:
            self.add(key, expiry, amount)
        return taken

    def _taken_now(self, wanted: Sequence[Wanted], expiry: int) -> list[Taken]:
        with self._writing() as file:
            taken: list[Taken] = []
            for key, limit, amount in wanted:
                taken.append(self._take(file, key, limit, expiry, amount))
                if not taken[-1][0]:
                    break
            return taken

    def add(self, key: str, expiry: int, amount: int) -> None:
        """Counts it, whatever the limit, with the next that are counted, within `SOON_SECONDS`."""
        self._waiting[key, expiry] = self._waiting.get((key, expiry), 0) + amount
        if self._due is None:
            self._due = asyncio.get_running_loop().call_later(SOON_SECONDS, self._add_now)

    def _add_now(self) -> None:
        self._due = None
        try:
            with self._writing():
                pass
        except sqlite3.Error as error:
            log.warning("counts wait for their file: %s", error)

    def _take(
        self, file: sqlite3.Connection, key: str, limit: int, expiry: int, amount: int
    ) -> Taken:
        ends, at = self._end(expiry), self._clock()
        left = ends - at
        previous = self._previous(file, key, ends - expiry, at)
        room = limit - floor(previous * left / expiry)
        row = (key, ends, amount, room)
        counted = file.execute(ADD, row).fetchall() if amount <= room else []
        if not counted:
            return False, self._window(file, key, expiry)
        self._sweep(file, ends, expiry)
        count = int(counted[0][0])
        self._known[key] = (at, ends, previous, count)
        return True, (previous, left, count, left + expiry)

    def _previous(self, file: sqlite3.Connection, key: str, ended: int, at: float) -> int:
        """The count of the window that ended then."""
        known = self._before.get(key)
        if known is not None and known[0] == ended:
            return known[1]
        count = file.execute(FIND, (key, ended, ended)).fetchall()
        previous = int(count[0][1]) if count else 0
        if at - ended > SETTLED_SECONDS:
            self._before[key] = (ended, previous)
        return previous

    async def get_sliding_window(self, key: str, expiry: int) -> tuple[int, float, int, float]:
        """Counts and seconds left of the previous window and of this one."""
        return self._window(self._file(), key, expiry)

    async def aclose(self) -> None:
        """Writes what waits, and closes the file; whoever counts after that opens it anew."""
        if self._due is not None:
            self._due.cancel()
        if self._waiting:  # also what a file that did not answer has left
            self._add_now()
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    async def clear_sliding_window(self, key: str, expiry: int) -> None:
        await self.clear(key)

    async def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        self._taken_now([(key, _ANY, amount)], expiry)
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
        self._before.clear()
        self._known.clear()
        return self._file().execute("DELETE FROM counters").rowcount

    async def clear(self, key: str) -> None:
        self._before.pop(key, None)
        self._known.pop(key, None)
        self._file().execute("DELETE FROM counters WHERE name = ?", (key,))

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction, in which what waits is counted first."""
        file = self._file()
        file.execute("BEGIN IMMEDIATE")
        try:
            for (key, expiry), amount in self._waiting.items():
                self._take(file, key, _ANY, expiry, amount)
            yield file
        except BaseException:
            file.execute("ROLLBACK")
            raise
        file.execute("COMMIT")
        self._waiting.clear()

    def _window(
        self, file: sqlite3.Connection, key: str, expiry: int
    ) -> tuple[int, float, int, float]:
        ends = self._end(expiry)
        counts: dict[int, int] = dict(file.execute(FIND, (key, ends - expiry, ends)).fetchall())
        left = ends - self._clock()
        return counts.get(ends - expiry, 0), left, counts.get(ends, 0), left + expiry

    def _sweep(self, file: sqlite3.Connection, ends: int, expiry: int) -> None:
        """Forgets what is over for long, once a window."""
        if ends > self._swept:
            file.execute("DELETE FROM counters WHERE ends < ?", (ends - 2 * expiry,))
            self._before, self._known = {}, {}
            self._swept = ends

    def _end(self, expiry: int) -> int:
        """When the present window ends."""
        return (int(self._clock()) // expiry + 1) * expiry

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
