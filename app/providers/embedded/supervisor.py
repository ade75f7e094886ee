"""Supervises the llama.cpp process: started when needed, again when it dies, ended when it is not."""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

from app.core.errors import (
    FirstTokenTimeout,
    KonsiliumError,
    ServerError,
    ServerFault,
    ServerUnavailable,
)
from app.core.ports import ModelServer
from app.providers.embedded.llama import Llama

log = logging.getLogger(__name__)

IDLE_SECONDS = 15 * 60.0
FIRST_PAUSE_SECONDS = 0.5
MAX_PAUSE_SECONDS = 60.0
STEADY_SECONDS = 60.0
"""A process that lived so long did not die of how it was started."""
DEATH_SECONDS = 0.3
"""How long after a broken connection it shows whether the process died."""

Connect = Callable[[str, str], ModelServer]
"""The server that speaks OpenAI's protocol at a URL with a key."""
Begin = Callable[[], AbstractAsyncContextManager[Llama]]


@dataclass(frozen=True, slots=True)
class Running:
    """The process and the way to it."""

    llama: Llama
    server: ModelServer


class ProcessSupervisor:
    """One task lives as long as the process and its successors do; requests wait for its word."""

    def __init__(
        self,
        begin: Begin,
        connect: Connect,
        *,
        idle_seconds: float = IDLE_SECONDS,
        first_pause: float = FIRST_PAUSE_SECONDS,
    ) -> None:
        self._begin = begin
        self._connect = connect
        self._idle_seconds = idle_seconds
        self._first_pause = first_pause
        self._ready: asyncio.Future[Running] | None = None
        self._life: asyncio.Task[None] | None = None
        self._users = 0
        self._unused = asyncio.Event()
        self._used_at = 0.0
        self.failed: tuple[float, KonsiliumError] | None = None
        """When (monotonic) and why the last start failed; None where it did not."""

    @property
    def starting(self) -> bool:
        return self._ready is not None and not self._ready.done()

    @property
    def running(self) -> Running | None:
        """What answers now; None where it would have to be started."""
        if self._ready is None or not self._ready.done() or self._ready.exception() is not None:
            return None
        return self._ready.result()

    @property
    def ends_in(self) -> float:
        """Seconds until the process is ended, if nobody asks it anything."""
        if self._users:
            return self._idle_seconds
        return max(0.0, self._used_at + self._idle_seconds - time.monotonic())

    @contextlib.asynccontextmanager
    async def in_use(self, patience: float, server: str) -> AsyncIterator[Running]:
        """The running process, started where it was not; it is not ended meanwhile.

        Raises ServerUnavailable where it cannot start, FirstTokenTimeout after `patience` seconds.
        """
        self._users += 1
        self._unused.clear()
        try:
            running = await self._awake(patience, server)
            try:
                yield running
            except ServerError:
                # the next question must not meet a corpse
                await asyncio.wait({running.llama.exited}, timeout=DEATH_SECONDS)
                raise
        finally:
            self._users -= 1
            self._used_at = time.monotonic()
            if not self._users:
                self._unused.set()

    async def rest(self) -> None:
        """Ends the process as idleness would, after the answers under way; Ollama does so too."""
        while self._users:
            await self._unused.wait()
        ending, self._ready = self._life, None
        if ending is not None:
            ending.cancel()
            await asyncio.wait({ending})

    async def aclose(self) -> None:
        """Ends the process; whoever waits for it is told that it is gone."""
        if self._life is not None:
            self._life.cancel()
            await asyncio.wait({self._life})
        self._give_up(None)

    async def _awake(self, patience: float, server: str) -> Running:
        if self._ready is None:
            self._ready = asyncio.get_running_loop().create_future()
            self._life = asyncio.create_task(self._live(self._life))
        try:
            async with asyncio.timeout(patience):
                return await asyncio.shield(self._ready)
        except TimeoutError as error:
            late = f"the model was not loaded within {patience:g} s"
            raise FirstTokenTimeout(late, server=server) from error

    async def _live(self, before: "asyncio.Task[None] | None") -> None:
        if before is not None:
            await asyncio.wait({before})
        pause = self._first_pause
        while True:
            since = time.monotonic()
            try:
                died = await self._one_life()
            except KonsiliumError as error:
                self._give_up(error)
                return
            except Exception as error:  # a bug must not leave those who wait waiting
                log.exception("the embedded model")
                self._give_up(ServerFault(repr(error)))
                return
            if not died:
                return
            if time.monotonic() - since > STEADY_SECONDS:
                pause = self._first_pause
            await asyncio.sleep(pause)
            pause = min(pause * 2, MAX_PAUSE_SECONDS)

    async def _one_life(self) -> bool:
        """From the start to the end of one process; whether it died, and those who ask now wait."""
        async with (
            self._begin() as llama,
            contextlib.aclosing(self._connect(f"{llama.url}/v1", llama.key)) as server,
        ):
            self.failed = None
            self._used_at = time.monotonic()
            if self._ready is not None:
                self._ready.set_result(Running(llama, server))
            died = await self._until_over(llama)
            self._ready = asyncio.get_running_loop().create_future() if died else None
            if died:
                log.warning("llama.cpp's process ended by itself: code %s", llama.exited.result())
            else:
                log.info("nobody asked the embedded model for a while: it is unloaded")
            return died

    async def _until_over(self, llama: Llama) -> bool:
        while (left := self.ends_in) > 0:
            done, _ = await asyncio.wait({llama.exited}, timeout=left)
            if done:
                return True
        return False

    def _give_up(self, error: KonsiliumError | None) -> None:
        """Tells those who wait; the next question tries again. None: the app is ending."""
        if error is not None:
            log.warning("the embedded model: %s", error.detail)
            self.failed = (time.monotonic(), error)
        ready, self._ready = self._ready, None
        if ready is not None and not ready.done():
            ready.set_exception(error or ServerUnavailable("the app is ending"))
            ready.exception()  # seen, also where nobody waits
