"""Which processes share the database, and what a dead one left unfinished.

Each process writes that it lives every 10 s. Turns of one that is dead are marked INTERRUPTED, with
the text they had: at once where its pid on this machine is gone, else after a minute of silence.
"""

import asyncio
import logging
import os
import platform
import socket
import sys
from dataclasses import replace
from datetime import timedelta

from sqlalchemy import Connection, delete, select

from app.core.errors import StorageUnavailable
from app.core.events import StepKind
from app.core.turns import StepRecord, new_id, now
from app.core.usage import Outcome
from app.storage.branches import write_steps
from app.storage.database import Database, upsert
from app.storage.rows import AnyRow, step_from
from app.storage.tables import processes, running_turns, steps

log = logging.getLogger(__name__)

HEARTBEAT_SECONDS = 10.0
DEAD_AFTER = timedelta(seconds=60)


class Process:
    """This process among those on one database."""

    def __init__(self, database: Database) -> None:
        self.id = new_id()
        self._database = database
        self._beating: asyncio.Task[None] | None = None

    async def join(self) -> None:
        """Makes itself known, mends what dead processes left, and goes on doing both."""
        await self.heartbeat()
        self._beating = asyncio.create_task(self._keep_beating())

    async def leave(self) -> None:
        """Says that it is gone."""
        if self._beating is not None:
            self._beating.cancel()
            await asyncio.wait([self._beating])
        this = delete(processes).where(processes.c.id == self.id)
        try:
            await self._database.write(lambda c: c.execute(this).close())
        except StorageUnavailable as error:
            log.warning("could not sign off: %s", error.detail)

    async def heartbeat(self) -> int:
        """One sign of life; returns how many turns of dead processes were marked INTERRUPTED."""
        turns = await self._database.write(self._mark_alive)
        if turns:
            log.warning("%d turns were interrupted by the end of their process", turns)
        return turns

    def _mark_alive(self, connection: Connection) -> int:
        row = {"id": self.id, "host": _host(), "pid": os.getpid(), "seen_at": now()}
        upsert(connection, processes, [row], ["id"], ["seen_at"])
        known = connection.execute(select(processes)).all()
        alive = [other.id for other in known if other.id == self.id or _alive(other)]
        left = running_turns.c.process_id.not_in(alive)
        of_turn = (running_turns.c.thread_id, running_turns.c.turn_id)
        turns = connection.execute(delete(running_turns).where(left).returning(*of_turn)).all()
        for turn in turns:
            _interrupt(connection, turn.thread_id, turn.turn_id)
        connection.execute(delete(processes).where(processes.c.id.not_in(alive)))
        return len(turns)

    async def _keep_beating(self) -> None:
        while True:
            await asyncio.sleep(HEARTBEAT_SECONDS)
            try:
                await self.heartbeat()
            except StorageUnavailable as error:
                log.warning("no sign of life could be written: %s", error.detail)


def _interrupt(connection: Connection, thread_id: str, turn_id: str) -> None:
    """What of the turn was running is INTERRUPTED, its answers say so, and a notice offers a retry."""
    found = connection.execute(
        select(steps)
        .where(steps.c.thread_id == thread_id, steps.c.turn_id == turn_id)
        .where(steps.c.outcome == Outcome.RUNNING.value)
        .order_by(steps.c.seq)
    )
    left = [(step_from(row), row.user_id) for row in found]
    for step, user_id in left:
        metadata = dict(step.metadata)
        if step.kind == StepKind.ANSWER:
            metadata["metrics"] = {"outcome": "interrupted", "characters": len(step.output)}
        ended = replace(step, outcome=Outcome.INTERRUPTED, ended_at=now(), metadata=metadata)
        write_steps(connection, [ended], user_id)
    for step, user_id in left[:1]:
        write_steps(connection, [_notice(step)], user_id)


def _notice(step: StepRecord) -> StepRecord:
    return StepRecord(
        id=new_id(),
        thread_id=step.thread_id,
        turn_id=step.turn_id,
        parent_id=step.turn_id,
        type="assistant_message",
        kind=StepKind.NOTICE,
        name="Konsilium",
        metadata={"error": {"code": "interrupted"}},
        outcome=Outcome.INTERRUPTED,
        ended_at=now(),
        is_error=True,
    )


def _host() -> str:
    return f"{socket.gethostname()}/{platform.node()}"


def _alive(process: AnyRow) -> bool:
    if process.host == _host() and sys.platform != "win32":
        return process.pid != os.getpid() and _runs(process.pid)
    return bool(now() - process.seen_at < DEAD_AFTER)


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
