"""Which server answers: a model asked for without one, servers that fail, queues that are full.

A bare name goes to the server that has the model loaded, then to the least busy one. A server that
fails rests, longer each time, and is tried again. A local server has a bounded queue.

Where several processes ask the same servers (`core.fleet`), all this is counted over all of them, and who
came first goes first, wherever. They tell each other within milliseconds, so that two calls of the same
moment may both take the last place.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from app.completion.metering import Places
from app.core.errors import ModelNotFound, QueueFull, ServerBusy, ServerError
from app.core.fleet import Fleet
from app.core.models import GATEWAY_SERVER, ModelProfile, ModelRef, ServerState

MAX_PARALLEL = 64
"""Calls at once that one local server is given; it queues them further by its own rules."""
MAX_WAITING = 128
"""Calls that wait for one local server; more are refused."""
REST_SECONDS = (2.0, 5.0, 15.0, 30.0, 60.0)
"""How long a server rests after so many failures in a row; the last holds for more."""
RETRY_AFTER_SECONDS = 5.0


class ServerStates(Protocol):
    """The servers and their models, as last seen."""

    def states(self) -> Sequence[ServerState]: ...

    def state(self, server: str) -> ServerState | None: ...

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


Ticket = tuple[float, str]
"""When a call began to wait, and in which process: by this the calls of all of them are in order."""


@dataclass(frozen=True, slots=True)
class _Elsewhere:
    """What the other processes have before one server."""

    running: int = 0
    waiting: tuple[Ticket, ...] = ()
    resting_until: float = 0.0
    answers: Mapping[str, tuple[int, int, int]] = field(default_factory=dict)
    """By model: calls that are silent, that are running, and as many as it was seen to answer at once."""

    @property
    def queued(self) -> int:
        return sum(silent for silent, running, most in self.answers.values() if running >= most)


_NOBODY = _Elsewhere()


@dataclass(slots=True)
class _Lane:
    running: int = 0
    limit: int = MAX_PARALLEL
    waiting: deque[tuple[float, "asyncio.Future[None]"]] = field(default_factory=deque)
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
        models: ServerStates,
        *,
        parallel: int = MAX_PARALLEL,
        waiting: int = MAX_WAITING,
        rest_seconds: tuple[float, ...] = REST_SECONDS,
        clock: Callable[[], float] = time.monotonic,
        fleet: Fleet | None = None,
    ) -> None:
        self._models = models
        self._fleet = fleet
        self._others: dict[str, _Elsewhere] = {}
        if fleet is not None:
            fleet.share("lanes", self._facts)
            fleet.on_news(self._hear)
        self._parallel = parallel
        self._most_waiting = waiting
        self._rest_seconds = rest_seconds
        self._clock = clock
        self._lanes: dict[str, _Lane] = {}

    def candidates(self, name: str) -> tuple[ModelRef, ...]:
        """Where to ask for `name`, best first: `server/model` means that server alone.

        Raises ModelNotFound with near names, or NoModels.
        """
        server, slash, model = name.partition("/")
        if slash and model and self._models.state(server) is not None:
            return (self._models.resolve(name),)
        if server == GATEWAY_SERVER:
            raise ModelNotFound(f"no {name}", server=server, model=model)
        states = self._models.states()
        found = [(state, profile) for state in states for profile in _named(state, name)]
        if not found:
            return (self._models.resolve(name),)
        found.sort(key=lambda each: self._rank(*each))
        return tuple(profile.ref for _, profile in found)

    def _rank(self, state: ServerState, profile: ModelProfile) -> tuple[bool, bool, bool, int]:
        lane, others = self._lane(state.name), self._elsewhere(state.name)
        return (
            max(lane.resting_until, others.resting_until) > self._clock(),
            not state.reachable,
            profile.local and profile.load is None,
            lane.running + len(lane.waiting) + others.running + len(others.waiting),
        )

    async def enter(self, ref: ModelRef) -> None:
        """Takes a place at the model's server for a call; waits its turn at one that is given so many at
        once.

        Raises QueueFull where its queue is full. `leave` gives the place back.
        """
        lane = self._lane(ref.server)
        state = self._models.state(ref.server)
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
        self._changed()

    def begun(self, ref: ModelRef) -> None:
        """The first piece of a call's answer has come: it waits no more."""
        answers = self._lane(ref.server).of(ref)
        answers.silent -= 1
        answers.running += 1
        answers.most = max(answers.most, answers.running)
        self._changed()

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
        self._leave(lane, ref.server)

    def waiting(self) -> dict[str, int]:
        """How many calls wait for each server: before it, and at a local one behind its other answers; of
        all processes."""
        counts = self.waiting_here()
        for name, others in self._others.items():
            counts[name] = counts.get(name, 0) + len(others.waiting) + others.queued
        return counts

    def waiting_here(self) -> dict[str, int]:
        """The same of this process alone."""
        return {
            name: len(lane.waiting)
            + (sum(each.queued for each in lane.answers.values()) if lane.local else 0)
            for name, lane in self._lanes.items()
        }

    def queued(self, ref: ModelRef) -> bool:
        """Whether a call of that model, of which nothing has come, waits for other answers, whoever asked
        for them."""
        lane, own = self._lane(ref.server), self._lane(ref.server).of(ref)
        if lane.waiting or not lane.local:
            return bool(lane.waiting)
        _, running, most = self._elsewhere(ref.server).answers.get(ref.name, (0, 0, 1))
        return own.silent > 0 and own.running + running >= max(own.most, most)

    def _lane(self, server: str) -> _Lane:
        lane = self._lanes.get(server)
        if lane is None:
            lane = self._lanes[server] = _Lane()
        return lane

    async def _turn(self, lane: _Lane, server: str) -> None:
        """Takes a place, now or when one is handed over."""
        others = self._elsewhere(server)
        taken, before = lane.running + others.running, len(lane.waiting) + len(others.waiting)
        if taken < lane.limit and not before:
            lane.running += 1
            return
        if before >= self._most_waiting:
            raise QueueFull(
                f"The queue of {server} is full: {taken} under way, {before} waiting.",
                server=server,
                retry_after=RETRY_AFTER_SECONDS,
            )
        turn = asyncio.get_running_loop().create_future()
        waits = (time.time(), turn)
        lane.waiting.append(waits)
        self._advance(lane, server)
        self._changed()
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():
                self._leave(lane, server)  # the place was handed over in the same moment
            elif waits in lane.waiting:
                lane.waiting.remove(waits)
                self._changed()
            raise

    def _leave(self, lane: _Lane, server: str) -> None:
        lane.running -= 1
        self._advance(lane, server)
        self._changed()

    def _advance(self, lane: _Lane, server: str) -> None:
        """Hands free places to those of us who wait longest, once those who wait longer elsewhere could
        have theirs."""
        others = self._elsewhere(server)
        while lane.waiting:
            since, turn = lane.waiting[0]
            own = (since, self._fleet.id if self._fleet else "")
            ahead = sum(1 for ticket in others.waiting if ticket < own) if others.waiting else 0
            if lane.running + others.running + ahead >= lane.limit:
                return
            lane.waiting.popleft()
            if not turn.done():
                lane.running += 1
                turn.set_result(None)

    # -- the other processes ----------------------------------------------------------------------

    def _elsewhere(self, server: str) -> _Elsewhere:
        return self._others.get(server, _NOBODY)

    def _changed(self) -> None:
        if self._fleet is not None:
            self._fleet.changed()

    def _facts(self) -> dict[str, Any]:
        """What the others are told."""
        at = self._clock()
        return {
            server: {
                "running": lane.running,
                "waiting": [since for since, _ in lane.waiting],
                "rests": max(0.0, lane.resting_until - at),
                "answers": {
                    name: (each.silent, each.running, each.most)
                    for name, each in lane.answers.items()
                    if lane.local and (each.silent or each.running)
                },
            }
            for server, lane in self._lanes.items()
            if lane.running or lane.waiting or lane.resting_until > at
        }

    def _hear(self) -> None:
        """Adds up what the others say, and hands on what they have given back."""
        at, others = self._clock(), dict[str, _Elsewhere]()
        for process, lanes in (self._fleet.said("lanes") if self._fleet else {}).items():
            for server, said in lanes.items():
                before, answers = others.get(server, _NOBODY), dict[str, tuple[int, int, int]]()
                for name, (silent, running, most) in said["answers"].items():
                    known = before.answers.get(name, (0, 0, 1))
                    answers[name] = (known[0] + silent, known[1] + running, max(known[2], most))
                others[server] = _Elsewhere(
                    before.running + said["running"],
                    before.waiting + tuple((since, process) for since in said["waiting"]),
                    max(before.resting_until, at + said["rests"] if said["rests"] else 0.0),
                    {**before.answers, **answers},
                )
        self._others = others
        for server, lane in self._lanes.items():
            self._advance(lane, server)

    def _failed(self, lane: _Lane) -> None:
        rest = self._rest_seconds[min(lane.failures, len(self._rest_seconds) - 1)]
        lane.failures += 1
        lane.resting_until = self._clock() + rest


def _named(state: ServerState, name: str) -> list[ModelProfile]:
    names = {name, f"{name}:latest"}
    return [profile for profile in state.models if profile.ref.name in names]
