"""Which server answers: a model asked for without one, servers that fail, queues that are full.

A bare name goes to the server that has the model loaded, then to the least busy one. A server that
fails rests, longer each time, and is tried again. A local server has a bounded queue.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from app.completion.metering import Places
from app.core.errors import ModelNotFound, QueueFull, ServerBusy, ServerError
from app.core.models import GATEWAY_SERVER, ModelProfile, ModelRef, ServerState

MAX_PARALLEL = 64
"""Calls at once that one local server is given; it queues them further by its own rules."""
MAX_WAITING = 128
"""Calls that wait for one local server; more are refused."""
REST_SECONDS = (2.0, 5.0, 15.0, 30.0, 60.0)
"""How long a server rests after so many failures in a row; the last holds for more."""
RETRY_AFTER_SECONDS = 5.0


class Listed(Protocol):
    """The servers and their models, as last seen."""

    def states(self) -> Sequence[ServerState]: ...

    def resolve(self, name: str) -> ModelRef: ...


@dataclass(slots=True)
class _Answers:
    """Of one model of a local server, which may answer fewer calls at once than we give it: Ollama
    queues the others, without a word."""

    silent: int = 0
    """Calls that it has been given and has not begun to answer."""
    running: int = 0
    most: int = 1
    """As many as it was seen to answer at once."""

    @property
    def queued(self) -> int:
        return self.silent if self.running >= self.most else 0


@dataclass(slots=True)
class _Lane:
    running: int = 0
    limit: int = MAX_PARALLEL
    waiting: deque["asyncio.Future[None]"] = field(default_factory=deque)
    failures: int = 0
    resting_until: float = 0.0
    local: bool = False
    answers: dict[str, _Answers] = field(default_factory=dict)

    def of(self, ref: ModelRef) -> _Answers:
        return self.answers.setdefault(ref.name, _Answers())


class Router(Places):
    """Orders the servers that have a model, and keeps the queue before each."""

    def __init__(
        self,
        models: Listed,
        *,
        parallel: int = MAX_PARALLEL,
        waiting: int = MAX_WAITING,
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

    async def enter(self, ref: ModelRef) -> None:
        """Takes a place at the model's server for a call; waits its turn at one that is given so many at
        once.

        Raises QueueFull where its queue is full. `leave` gives the place back.
        """
        lane = self._lane(ref.server)
        state = next((each for each in self._models.states() if each.name == ref.server), None)
        limit = None
        if state is not None:
            lane.local = state.local
            limit = self._parallel if state.local else state.at_once
        if limit is None:
            lane.running += 1
        else:
            lane.limit = limit
            await self._turn(lane, ref.server)
        lane.of(ref).silent += 1

    def begun(self, ref: ModelRef) -> None:
        """The first piece of a call's answer has come: it waits no more."""
        answers = self._lane(ref.server).of(ref)
        answers.silent -= 1
        answers.running += 1
        answers.most = max(answers.most, answers.running)

    def leave(self, ref: ModelRef, error: BaseException | None, *, begun: bool = False) -> None:
        """The call is over; what it raised counts for or against the server."""
        lane = self._lane(ref.server)
        answers = lane.of(ref)
        if begun:
            answers.running -= 1
        else:
            answers.silent -= 1
        if error is None:
            lane.failures, lane.resting_until = 0, 0.0
        elif isinstance(error, ServerError) and not isinstance(error, ServerBusy):
            self._failed(lane)
        self._leave(lane)

    def waiting(self) -> dict[str, int]:
        """How many calls wait for each server: here, and at a local one behind its other answers."""
        return {
            name: len(lane.waiting)
            + (sum(each.queued for each in lane.answers.values()) if lane.local else 0)
            for name, lane in self._lanes.items()
        }

    def queued(self, ref: ModelRef) -> bool:
        """Whether a call of that model, of which nothing has come, waits for other answers."""
        lane = self._lane(ref.server)
        return bool(lane.waiting) or (lane.local and lane.of(ref).queued > 0)

    def _lane(self, server: str) -> _Lane:
        lane = self._lanes.get(server)
        if lane is None:
            lane = self._lanes[server] = _Lane()
        return lane

    async def _turn(self, lane: _Lane, server: str) -> None:
        """Takes a place, now or when one is handed over."""
        if lane.running < lane.limit and not lane.waiting:
            lane.running += 1
            return
        if len(lane.waiting) >= self._most_waiting:
            raise QueueFull(
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
        while lane.waiting and lane.running < lane.limit:
            turn = lane.waiting.popleft()
            if not turn.done():
                lane.running += 1
                turn.set_result(None)

    def _failed(self, lane: _Lane) -> None:
        rest = self._rest_seconds[min(lane.failures, len(self._rest_seconds) - 1)]
        lane.failures += 1
        lane.resting_until = self._clock() + rest


def _named(state: ServerState, name: str) -> list[ModelProfile]:
    names = {name, f"{name}:latest"}
    return [profile for profile in state.models if profile.ref.name in names]
