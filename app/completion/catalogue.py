"""What models there are: all servers asked at once, none waited for by the others."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from app.core.errors import KonsiliumError, ServerFault, ServerUnavailable
from app.core.models import ModelProfile, ModelRef, ServerState
from app.core.ports import ModelServer
from app.core.turns import now

log = logging.getLogger(__name__)

ASK_SECONDS = 3.0
POLL_SECONDS = 10.0
"""How often local servers are asked, and clouds that are down: models come and go, load and unload."""
CLOUD_POLL_SECONDS = 300.0
"""How often a cloud that answers is asked; whoever opens a list of models asks it anyway."""

Listener = Callable[[tuple[ServerState, ...]], None]


class Catalogue:
    """The servers as last seen. `refresh` asks them; `run` keeps asking, so the dead come back."""

    def __init__(
        self,
        servers: Sequence[ModelServer],
        *,
        ask_seconds: float = ASK_SECONDS,
        poll_seconds: float = POLL_SECONDS,
        cloud_poll_seconds: float = CLOUD_POLL_SECONDS,
    ) -> None:
        self._servers = {server.name: server for server in servers}
        self._ask_seconds = ask_seconds
        self._poll_seconds = poll_seconds
        self._cloud_poll_seconds = cloud_poll_seconds
        self._due: dict[str, float] = {}
        self._states: dict[str, ServerState] = {}
        self._known: dict[str, dict[ModelRef, ModelProfile]] = {name: {} for name in self._servers}
        self._listeners: list[Listener] = []
        self._asking: asyncio.Task[None] | None = None

    @property
    def servers(self) -> dict[str, ModelServer]:
        """By name, in the order they were configured."""
        return self._servers

    def add(self, server: ModelServer) -> None:
        """One more server from now on; it is asked with the next refresh. Raises ValueError where
        its name is taken."""
        if server.name in self._servers:
            raise ValueError(f"a server {server.name} is there already")
        self._servers[server.name] = server
        self._known[server.name] = {}

    async def replace(self, server: ModelServer) -> None:
        """Puts it in place of the server of its name, which is closed, or adds it."""
        former = self._servers.pop(server.name, None)
        self._states.pop(server.name, None)
        self.add(server)
        await self.look(server.name)
        if former is not None:
            await former.aclose()

    async def remove(self, name: str) -> None:
        """Lets the server of that name go and closes it; does nothing where there is none."""
        server = self._servers.pop(name, None)
        if server is None:
            return
        self._states.pop(name, None)
        self._known.pop(name, None)
        self._tell()
        await server.aclose()

    def states(self) -> tuple[ServerState, ...]:
        """As last seen; a server not asked yet is neither reachable nor in error."""
        return tuple(self._states.get(name, _unasked(s)) for name, s in self._servers.items())

    def state(self, name: str) -> ServerState | None:
        """Of that server; None where there is none of that name."""
        server = self._servers.get(name)
        return None if server is None else self._states.get(name) or _unasked(server)

    def profile(self, ref: ModelRef) -> ModelProfile | None:
        """The model as last seen, even if its server is away now."""
        return self._known.get(ref.server, {}).get(ref)

    @property
    def known(self) -> tuple[ModelProfile, ...]:
        """Every model ever seen and not seen removed, in the servers' order."""
        return tuple(p for profiles in self._known.values() for p in profiles.values())

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Calls `listener` with the states whenever a model, a load or a server comes or goes.

        Returns the way to end it. It is called in the event loop and must be quick.
        """
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    async def refresh(self) -> tuple[ServerState, ...]:
        """Asks all servers at once; whoever comes meanwhile shares the answer."""
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._ask_all(list(self._servers.values())))
        await asyncio.shield(self._asking)
        return self.states()

    async def look(self, name: str) -> None:
        """Asks that one server now: something there has just been changed. Raises KeyError."""
        await self._ask_all([self._servers[name]])

    async def run(self) -> None:
        """Keeps the list fresh until cancelled."""
        while True:
            moment = time.monotonic()
            due = [s for name, s in self._servers.items() if self._due.get(name, 0.0) <= moment]
            await self._ask_all(due)
            await asyncio.sleep(self._poll_seconds)

    async def aclose(self) -> None:
        """Ends what is being asked and closes the servers' connections."""
        if self._asking is not None:
            self._asking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._asking
        for server in self._servers.values():
            await server.aclose()

    async def _ask_all(self, servers: Sequence[ModelServer]) -> None:
        states = await asyncio.gather(*(self._ask(server) for server in servers))
        before = self.states()
        for state in states:
            self._learn(state)
        if [_gist(state) for state in before] != [_gist(state) for state in self.states()]:
            self._tell()

    def _tell(self) -> None:
        for listener in tuple(self._listeners):
            listener(self.states())

    async def _ask(self, server: ModelServer) -> ServerState:
        try:
            async with asyncio.timeout(self._ask_seconds):
                return await server.state()
        except TimeoutError:
            late = f"no answer within {self._ask_seconds:g} s"
            return self._failed(server, ServerUnavailable(late, server=server.name))
        except KonsiliumError as error:
            return self._failed(server, error)
        except Exception as error:  # an adapter's bug must not take the other servers away
            log.exception("asking %s", server.name)
            return self._failed(server, ServerFault(repr(error), server=server.name))

    def _failed(self, server: ModelServer, error: KonsiliumError) -> ServerState:
        return replace(
            self._states.get(server.name, _unasked(server)),
            models=(),
            error=error,
            latency_s=None,
            checked_at=now(),
        )

    def _learn(self, state: ServerState) -> None:
        if state.name not in self._servers:  # it has left while it was being asked
            return
        last = self._states.get(state.name)
        self._states[state.name] = state
        rarely = state.error is None and not state.local
        self._due[state.name] = time.monotonic() + (self._cloud_poll_seconds if rarely else 0.0)
        if state.error is not None and (last is None or last.error is None):
            log.warning("server %s: %s", state.name, state.error.detail)
        if state.error is None and last is not None and last.error is not None:
            log.info("server %s is back", state.name)
        if state.error is None:
            self._known[state.name] = {profile.ref: profile for profile in state.models}


def _unasked(server: ModelServer) -> ServerState:
    return ServerState(server.name, "", "", server.local)


def _gist(state: ServerState) -> object:
    """What a change of is worth telling: not the moment, the latency or when memory is freed."""
    return (
        state.name,
        type(state.error),
        tuple(
            replace(m, load=m.load and replace(m.load, expires_at=None), price=None)
            for m in state.models
        ),
    )
