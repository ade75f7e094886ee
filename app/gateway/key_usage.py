"""Keeps what API calls took: written in batches in the background, so that no answer waits for it."""

import asyncio
import contextlib
import logging
from datetime import datetime

from app.core.errors import StorageUnavailable
from app.core.keys import ApiKey
from app.core.ports import GatewayCall, GatewayLog
from app.core.turns import now
from app.core.usage import CallRecord
from app.gateway.access import Caller

log = logging.getLogger(__name__)

BATCH_SECONDS = 0.5
MAX_BATCH = 500
RETRY_SECONDS = 5.0
MAX_KEPT = 20_000
"""Records held while the database does not take them; the oldest go first."""


class KeyUsageRecorder:
    """Notes calls at once and writes them in batches, in a task of its own."""

    def __init__(self, usage: GatewayLog) -> None:
        self._usage = usage
        self._calls: list[GatewayCall] = []
        self._used: dict[str, datetime] = {}
        self._wake = asyncio.Event()
        self._closing = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def used(self, key: ApiKey) -> None:
        """The key was used just now."""
        self._used[key.id] = now()
        self._stir()

    def note(self, caller: Caller, record: CallRecord, mode: str = "chat") -> None:
        """One call is over; what it took of the key's limits is counted already (`Spending`)."""
        key_id = caller.key.id if caller.key else None
        self._calls.append(GatewayCall(record, caller.user_id, key_id, mode))
        self._stir()

    async def aclose(self) -> None:
        """Writes what is left; what the database does not take now is lost, and told in the log."""
        self._closing.set()
        self._wake.set()
        if self._task is not None:
            await asyncio.wait([self._task])
        if self._calls:
            log.error("the usage of %d API calls is lost", len(self._calls))

    def _stir(self) -> None:
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())
        self._wake.set()

    async def _run(self) -> None:
        while not self._closing.is_set():
            await self._wake.wait()
            self._wake.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(BATCH_SECONDS):
                    await self._closing.wait()
            await self._write()
        while (self._calls or self._used) and await self._write_some():
            pass

    async def _write(self) -> None:
        """What there is by now. What comes meanwhile is written with the next: under load it would be a
        transaction for every few calls, each of which takes the interpreter from the loop for a moment."""
        for _ in range(len(self._calls) // MAX_BATCH + 1):
            if not (self._calls or self._used) or not await self._write_some():
                return

    async def _write_some(self) -> bool:
        """One transaction; False where the database did not take it, and all is kept for later."""
        calls, self._calls = self._calls[:MAX_BATCH], self._calls[MAX_BATCH:]
        used, self._used = self._used, {}
        try:
            await self._usage.record(calls, used)
        except StorageUnavailable as error:
            self._keep(calls, used, error)
            return False
        except Exception as error:  # noqa: BLE001  # one of them is what no database takes: the others are kept
            return await self._write_singly(calls, used, error)
        return True

    async def _write_singly(
        self, calls: list[GatewayCall], used: dict[str, datetime], error: Exception
    ) -> bool:
        """A transaction for each; what fails by itself, too, is lost, and told in the log. False as in
        `_write_some`."""
        log.warning("writing %d API calls one by one", len(calls), exc_info=error)
        while calls or used:
            one, key = calls[:1], {} if calls else dict([used.popitem()])
            try:
                await self._usage.record(one, key)
            except StorageUnavailable as outage:
                self._keep(calls, used | key, outage)
                return False
            except Exception:
                log.exception("the usage of an API call is lost: %s", one or key)
            calls = calls[1:]
        return True

    def _keep(
        self, calls: list[GatewayCall], used: dict[str, datetime], error: StorageUnavailable
    ) -> None:
        """For a while later."""
        log.warning("keeping %d API calls: %s", len(calls), error.detail)
        self._calls = (calls + self._calls)[-MAX_KEPT:]
        self._used = used | self._used
        asyncio.get_running_loop().call_later(RETRY_SECONDS, self._wake.set)
