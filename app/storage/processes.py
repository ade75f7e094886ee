"""Which processes share the database, what a dead one left unfinished, and which turns run where.

Each process writes a sign of life every second, every 10 s where they share a SQLite file. Turns of one
that is dead are marked INTERRUPTED, with the text they had: at once where its pid on this machine is
gone, else after the silence that its row names, and after a minute where its pid is there but it hangs. Silence is measured by the clock of who listens, and
only while that can write itself: neither clocks that differ nor a database that was away kill anybody.
"""

import asyncio
import logging
import os
import socket
import sys
import time
from collections.abc import Callable, Collection, Sequence
from functools import partial
from pathlib import Path

from sqlalchemy import Connection, bindparam, delete, select, update

from app.core.errors import StorageUnavailable
from app.core.ports import Lease
from app.core.turns import new_id, now
from app.storage.database import Database, upsert
from app.storage.rows import AnyRow
from app.storage.tables import processes, running_turns, threads
from app.storage.turns import interrupt

log = logging.getLogger(__name__)

HEARTBEAT_SECONDS = 1.0
"""So that the turns of a process that died are marked within some 5 s: its last sign of life is seen after
a beat at most, and `SILENCE_SECONDS` later it is dead. Pages that follow them notice within 1.5 s more
(`conversation.replicas`): well within the 10 s that are promised, also on a machine that is short of breath."""
ALONE_SECONDS = 10.0
"""On SQLite all processes are on this machine, where the dead are known by their pid."""
SILENCE_SECONDS = 4
LONG_SILENCE_SECONDS = 60
"""Of a process whose version names none, and of one whose pid lives."""


class Process:
    """This process among those on one database."""

    def __init__(
        self,
        database: Database,
        clock: Callable[[], float] = time.monotonic,
        data_dir: Path | None = None,
    ) -> None:
        """In `data_dir` it leaves a token, by which the others see that they share that folder."""
        self.id = new_id()
        self._database = database
        self._data_dir = data_dir
        self._met: set[str] = set()
        """Those whose token was looked for."""
        self._clock = clock
        self._every = ALONE_SECONDS if database.sqlite else HEARTBEAT_SECONDS
        self._silence = LONG_SILENCE_SECONDS if database.sqlite else SILENCE_SECONDS
        self._beating: asyncio.Task[None] | None = None
        self._last_beat = 0.0
        self._heard: dict[str, tuple[object, float]] = {}
        """Of each other process its last sign of life, and when we first saw that."""
        self.alive: frozenset[str] = frozenset()
        """The processes that live, this one among them, as of the last beat."""

    @property
    def alone(self) -> bool:
        """Whether no other process shares the database: none did at the last beat, and none has left its token
        since."""
        if self._data_dir is None or not self.alive <= {self.id}:
            return False
        try:
            return os.listdir(_token(self._data_dir, self.id).parent) == [self.id]
        except OSError:
            return False

    async def join(self) -> None:
        """Makes itself known, mends what dead processes left, and goes on doing both."""
        if self._data_dir is not None:
            await asyncio.to_thread(_leave_token, _token(self._data_dir, self.id))
        await self.heartbeat()
        self._beating = asyncio.create_task(self._keep_beating())

    async def leave(self) -> None:
        """Says that it is gone."""
        if self._beating is not None:
            self._beating.cancel()
            await asyncio.wait([self._beating])
        if self._data_dir is not None:
            _token(self._data_dir, self.id).unlink(missing_ok=True)
        this = delete(processes).where(processes.c.id == self.id)
        try:
            await self._database.write(lambda c: c.execute(this).close())
        except StorageUnavailable as error:
            log.warning("could not sign off: %s", error.detail)

    async def heartbeat(self) -> int:
        """One sign of life; returns how many turns of dead processes were marked INTERRUPTED."""
        known = await self._database.write(self._mark_alive)
        dead = self._dead(known)
        self.alive = frozenset(other.id for other in known) - dead
        if self._data_dir is not None:
            self._look_at_tokens(self._data_dir, known, dead)
        turns = await self._database.write(partial(_bury, dead))
        if turns:
            log.warning("%d turns were interrupted by the end of their process", turns)
        return turns

    def _mark_alive(self, connection: Connection) -> Sequence[AnyRow]:
        row = {"id": self.id, "host": PLACE, "pid": os.getpid(), "seen_at": now()}
        row["silence"] = self._silence
        upsert(connection, processes, [row], ["id"], ["seen_at"])
        return connection.execute(select(processes)).all()

    def _look_at_tokens(
        self, data_dir: Path, known: Sequence[AnyRow], dead: frozenset[str]
    ) -> None:
        for other in known:
            if other.id in dead:
                _token(data_dir, other.id).unlink(missing_ok=True)
            elif other.id not in self._met:
                self._met.add(other.id)
                if other.silence and not shares_files(data_dir, other.id):  # older ones leave none
                    log.warning(
                        "process %s has another DATA_DIR: give all processes of one database the same,"
                        " or they do not find each other's files",
                        other.pid,
                    )

    def _dead(self, known: Sequence[AnyRow]) -> frozenset[str]:
        at, before = self._clock(), self._last_beat
        self._last_beat = at
        if (
            at - before > self._every + HEARTBEAT_SECONDS
        ):  # we were away ourselves: who else was cannot be told
            self._heard.clear()
        heard = {one.id: self._heard.get(one.id, (None, at)) for one in known if one.id != self.id}
        for other in known:
            if other.id in heard and heard[other.id][0] != other.seen_at:
                heard[other.id] = (other.seen_at, at)
        self._heard = heard
        return frozenset(one.id for one in known if one.id in heard and self._is_dead(one, at))

    def _is_dead(self, other: AnyRow, at: float) -> bool:
        silent = at - self._heard[other.id][1]
        if other.host == PLACE and sys.platform != "win32":
            gone = other.pid == os.getpid() or not _runs(other.pid)
            return gone or silent >= LONG_SILENCE_SECONDS
        named: int = other.silence or LONG_SILENCE_SECONDS
        return silent >= named - HEARTBEAT_SECONDS / 2  # beats are not quite a second apart

    async def _keep_beating(self) -> None:
        while True:
            await asyncio.sleep(self._every)
            try:
                await self.heartbeat()
            except StorageUnavailable as error:
                log.warning("no sign of life could be written: %s", error.detail)


class Leases:
    """Implements `core.ports.TurnLeases`: a turn has its thread by its row, and one row a thread."""

    def __init__(self, database: Database, process: Process) -> None:
        self._database = database
        self._process = process

    async def find(self, thread_id: str) -> Lease | None:
        row = await self._database.read(lambda c: c.execute(_HOLDER, {"thread": thread_id}).first())
        return Lease(*row) if row else None

    async def living(self, turn_ids: Collection[str]) -> frozenset[str]:
        asked = {"turns": list(turn_ids)}
        return await self._database.read(lambda c: frozenset(c.scalars(_LIVING, asked)))

    async def ask_to_stop(self, turn_id: str, user_id: str | None = None) -> bool:
        asked = update(running_turns).where(running_turns.c.turn_id == turn_id)
        if user_id is not None:
            own = select(threads.c.id).where(threads.c.user_id == user_id)
            asked = asked.where(running_turns.c.thread_id.in_(own))
        asked = asked.values(stopping=True)
        return await self._database.write(lambda c: c.execute(asked).rowcount > 0)

    async def asked_to_stop(self) -> frozenset[str]:
        if self._process.alone:
            return frozenset()
        mine = {"process": self._process.id}
        return await self._database.read(lambda c: frozenset(c.scalars(_STOPPING, mine)))


_HOLDER = select(
    running_turns.c.turn_id, running_turns.c.thread_id, running_turns.c.process_id
).where(running_turns.c.thread_id == bindparam("thread"))
_LIVING = select(running_turns.c.turn_id).where(
    running_turns.c.turn_id.in_(bindparam("turns", expanding=True))
)
_STOPPING = select(running_turns.c.turn_id).where(
    running_turns.c.process_id == bindparam("process"), running_turns.c.stopping
)


def _bury(dead: frozenset[str], connection: Connection) -> int:
    connection.execute(delete(processes).where(processes.c.id.in_(dead)))
    left = running_turns.c.process_id.not_in(select(processes.c.id))
    of_turn = (running_turns.c.thread_id, running_turns.c.turn_id)
    turns = connection.execute(delete(running_turns).where(left).returning(*of_turn)).all()
    for turn in turns:
        interrupt(connection, turn.thread_id, turn.turn_id)
    return len(turns)


def shares_files(data_dir: Path, process_id: str) -> bool:
    """Whether that process has left its token in this folder."""
    return _token(data_dir, process_id).exists()


def _token(data_dir: Path, process_id: str) -> Path:
    return data_dir / "processes" / process_id


def _leave_token(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()


def _place() -> str:
    """Where pids mean the same: this boot of this machine and, in a container, its own numbering."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot}/{Path('/proc/self/ns/pid').stat().st_ino}"
    except OSError:  # no Linux: its name must do
        return socket.gethostname()


PLACE = _place()


def _runs(pid: int) -> bool:
    """A process that has ended and that its parent has not looked at yet does not."""
    try:
        os.kill(pid, 0)
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except ProcessLookupError:
        return False
    except (OSError, IndexError):  # another user's; or no Linux, where there is no /proc
        return True
    return state not in ("Z", "X")
