"""Which server answers: a model asked for without one, servers that fail, queues that are full.

A bare name goes to the server that has the model loaded, then to the least busy one. A server that
fails rests, longer each time, and is tried again. A local server has a bounded queue.
"""

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field, replace

from app.core.errors import (
    KonsiliumError,
    ModelNotFound,
    NoModels,
    QuotaExceeded,
    RateLimited,
    ServerBusy,
    ServerError,
    WrongKey,
)
from app.core.events import ModelEvent
from app.core.models import GATEWAY_SERVER, ModelProfile, ModelRef, ServerState
from app.core.ports import Call, Models
from app.core.requests import ModelRequest
from app.core.usage import CallRecord, Outcome

PARALLEL = 64
"""Calls at once that one local server is given; it queues them further by its own rules."""
WAITING = 128
"""Calls that wait for one local server; more are refused."""
REST_SECONDS = (2.0, 5.0, 15.0, 30.0, 60.0)
"""How long a server rests after so many failures in a row; the last holds for more."""
RETRY_AFTER_SECONDS = 5.0

ELSEWHERE = (ServerError, RateLimited, QuotaExceeded, WrongKey, ModelNotFound)
"""Failures that another server with the same model may not have."""


@dataclass(frozen=True, slots=True)
class QueueLength:
    """One server's calls: under way, and waiting for their turn."""

    running: int
    waiting: int


@dataclass(slots=True)
class _Lane:
    running: int = 0
    waiting: deque["asyncio.Future[None]"] = field(default_factory=deque)
    failures: int = 0
    resting_until: float = 0.0


class Router:
    """Orders the servers that have a model, and keeps the queue before each."""

    def __init__(
        self,
        models: Models,
        *,
        parallel: int = PARALLEL,
        waiting: int = WAITING,
        rest_seconds: tuple[float, ...] = REST_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._models = models
        self._parallel = parallel
        self._most_waiting = waiting
        self._rest_seconds = rest_seconds
        self._clock = clock
        self._lanes: dict[str, _Lane] = {}

    def candidates(self, name: str) -> tuple[ModelRef, ...]:
        """Where to ask for `name`, best first: `server/model` means that server alone.

        Raises ModelNotFound with near names, or NoModels.
        """
        states = self._models.states()
        server, slash, model = name.partition("/")
        if slash and model and any(state.name == server for state in states):
            return (self._models.resolve(name),)
        if server == GATEWAY_SERVER:
            raise ModelNotFound(f"no {name}", server=server, model=model)
        found = [(state, profile) for state in states for profile in _named(state, name)]
        if not found:
            return (self._models.resolve(name),)
        found.sort(key=lambda each: self._rank(*each))
        return tuple(profile.ref for _, profile in found)

    def _rank(self, state: ServerState, profile: ModelProfile) -> tuple[bool, bool, bool, int]:
        lane = self._lane(state.name)
        return (
            lane.resting_until > self._clock(),
            not state.reachable,
            profile.local and profile.load is None,
            lane.running + len(lane.waiting),
        )

    @contextlib.asynccontextmanager
    async def slot(self, ref: ModelRef) -> AsyncGenerator[None, None]:
        """A place at the model's server while a call lasts; waits its turn at a local one.

        What the call raises counts for or against the server. Raises ServerBusy where its queue is
        full.
        """
        lane = self._lane(ref.server)
        if self._is_local(ref.server):
            await self._turn(lane, ref.server)
        else:
            lane.running += 1
        try:
            yield
        except ServerError as error:
            if not isinstance(error, ServerBusy):
                self._failed(lane)
            raise
        else:
            lane.failures, lane.resting_until = 0, 0.0
        finally:
            self._leave(lane)

    def queues(self) -> dict[str, QueueLength]:
        """The calls of every server that has been asked."""
        return {
            name: QueueLength(lane.running, len(lane.waiting)) for name, lane in self._lanes.items()
        }

    def waiting(self) -> dict[str, int]:
        """How many calls wait for each server: for the metrics."""
        return {name: len(lane.waiting) for name, lane in self._lanes.items()}

    def resting(self, server: str) -> bool:
        """Whether the server failed lately and is asked last."""
        return self._lane(server).resting_until > self._clock()

    def _lane(self, server: str) -> _Lane:
        lane = self._lanes.get(server)
        if lane is None:
            lane = self._lanes[server] = _Lane()
        return lane

    def _is_local(self, server: str) -> bool:
        return any(state.local for state in self._models.states() if state.name == server)

    async def _turn(self, lane: _Lane, server: str) -> None:
        """Takes a place, now or when one is handed over."""
        if lane.running < self._parallel and not lane.waiting:
            lane.running += 1
            return
        if len(lane.waiting) >= self._most_waiting:
            raise ServerBusy(
                f"The queue of {server} is full: {lane.running} under way, {len(lane.waiting)}"
                " waiting.",
                server=server,
                retry_after=RETRY_AFTER_SECONDS,
            )
        turn = asyncio.get_running_loop().create_future()
        lane.waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():
                self._leave(lane)  # the place was handed over in the same moment
            elif turn in lane.waiting:
                lane.waiting.remove(turn)
            raise

    def _leave(self, lane: _Lane) -> None:
        """Hands the place to whoever waits longest."""
        lane.running -= 1
        while lane.waiting and lane.running < self._parallel:
            turn = lane.waiting.popleft()
            if not turn.done():
                lane.running += 1
                turn.set_result(None)

    def _failed(self, lane: _Lane) -> None:
        rest = self._rest_seconds[min(lane.failures, len(self._rest_seconds) - 1)]
        lane.failures += 1
        lane.resting_until = self._clock() + rest


class Queued:
    """Implements `core.ports.Models`: calls take their places before their servers."""

    def __init__(self, models: Models, router: Router) -> None:
        self._models = models
        self._router = router
        self.states = models.states
        self.refresh = models.refresh
        self.resolve = models.resolve
        self.profile = models.profile
        self.embed = models.embed

    def call(self, ref: ModelRef, request: ModelRequest) -> "QueuedCall":
        """See `Models.call`; its events raise ServerBusy where the server's queue is full."""
        return QueuedCall(self._models.call(ref, request), ref, self._router)


class QueuedCall:
    """Implements `core.ports.Call`."""

    def __init__(self, call: Call, ref: ModelRef, router: Router) -> None:
        self._call = call
        self._ref = ref
        self._router = router
        self._never_began: CallRecord | None = None

    @property
    def record(self) -> CallRecord:
        return self._never_began or self._call.record

    async def events(self) -> AsyncGenerator[ModelEvent, None]:
        """The call's events, once it is its turn."""
        record = self._call.record
        self._never_began = replace(record, outcome=Outcome.STOPPED)
        try:
            async with self._router.slot(self._ref):
                self._never_began = None
                async with contextlib.aclosing(self._call.events()) as events:
                    async for event in events:
                        yield event
        except ServerBusy as error:
            if self._never_began is not None:
                self._never_began = replace(record, outcome=Outcome.FAILED, error=error.code)
            raise


def _named(state: ServerState, name: str) -> list[ModelProfile]:
    names = {name, f"{name}:latest"}
    return [profile for profile in state.models if profile.ref.name in names]


def may_work_elsewhere(error: KonsiliumError) -> bool:
    """Whether the next server is worth asking after this failure, before the first token."""
    return isinstance(error, ELSEWHERE) and not isinstance(error, NoModels)
