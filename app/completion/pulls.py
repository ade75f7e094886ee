"""Models on their way to a server: one task each, seen by whoever looks, wherever it was begun."""

import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from app.completion.catalogue import Catalogue
from app.core.concurrency import BackgroundTasks
from app.core.errors import KonsiliumError, ServerFault, Unsupported
from app.core.ports import ModelLoader, ModelStore, PullProgress

log = logging.getLogger(__name__)


class Stores:
    """The servers of the catalogue whose models can be changed from here."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue

    def loads(self, server: str) -> bool:
        """Whether that server's models can be loaded and unloaded."""
        return isinstance(self._catalogue.servers.get(server), ModelLoader)

    def has(self, server: str) -> bool:
        """Whether that server's models can be fetched and removed, too."""
        return isinstance(self._catalogue.servers.get(server), ModelStore)

    def of(self, server: str) -> ModelStore:
        """The store of that server. Raises Unsupported where it is none, or not there."""
        store: object = self._catalogue.servers.get(server)
        if isinstance(store, ModelStore):
            return store
        raise Unsupported(f"the models of {server} are not kept here", server=server)

    def _loader(self, server: str) -> ModelLoader:
        loader: object = self._catalogue.servers.get(server)
        if isinstance(loader, ModelLoader):
            return loader
        raise Unsupported(f"{server} loads its models by itself", server=server)

    async def load(self, server: str, model: str) -> None:
        """Loads the model into memory ahead of the first question."""
        await self._loader(server).load(model)
        await self._catalogue.look(server)

    async def unload(self, server: str, model: str) -> None:
        """Frees the model's memory."""
        await self._loader(server).unload(model)
        await self._catalogue.look(server)

    async def remove(self, server: str, model: str) -> None:
        """Deletes the model from the server's disk. Raises ModelNotFound."""
        await self.of(server).remove(model)
        await self._catalogue.look(server)

    async def look(self, server: str) -> None:
        """Lists the server's models anew."""
        await self._catalogue.look(server)


REMEMBERED_SECONDS = 300.0
"""How long a pull that has ended is still shown."""
SPEED_SECONDS = 5.0
"""The speed is the average over so long."""

PullState = Literal["running", "done", "failed", "cancelled"]


@dataclass(slots=True)
class Layer:
    """One file of a model, in bytes."""

    digest: str
    total: int
    completed: int = 0


@dataclass(slots=True)
class Pull:
    """How far one model has come; it changes while it runs."""

    server: str
    model: str
    state: PullState = "running"
    status: str = ""
    """The server's own word for what it does."""
    layers: dict[str, Layer] = field(default_factory=dict)
    error: KonsiliumError | None = None
    ended_at: float | None = None
    """By the monotonic clock."""
    clock: Callable[[], float] = time.monotonic
    _seen: deque[tuple[float, int]] = field(default_factory=deque)
    _found: int = 0
    """Bytes that were there before."""

    @property
    def total(self) -> int:
        """Bytes of the layers heard of so far."""
        return sum(layer.total for layer in self.layers.values())

    @property
    def completed(self) -> int:
        """Bytes that are there."""
        return sum(layer.completed for layer in self.layers.values())

    @property
    def speed(self) -> float | None:
        """Bytes a second over the last few; None where too little was seen, or nothing of late."""
        if self.state != "running" or len(self._seen) < 2:
            return None
        (start, before), (end, after) = self._seen[0], self._seen[-1]
        if self.clock() - end > SPEED_SECONDS:
            return None
        return (after - before) / (end - start) if end - start > 0.2 else None

    @property
    def left_s(self) -> float | None:
        """Seconds to go at that speed; None where it is not known."""
        speed = self.speed
        return (self.total - self.completed) / speed if speed else None

    def take(self, line: PullProgress, moment: float) -> None:
        """One line of the server's."""
        self.status = line.status
        if not line.digest or not line.total:
            return
        if line.digest not in self.layers:
            self.layers[line.digest] = Layer(line.digest, line.total)
            self._found += (
                line.completed or 0
            )  # what an earlier pull has fetched is no speed of now
        layer = self.layers[line.digest]
        layer.completed = max(layer.completed, line.completed or 0)
        self._seen.append((moment, self.completed - self._found))
        while len(self._seen) > 2 and moment - self._seen[0][0] > SPEED_SECONDS:
            self._seen.popleft()


class Pulls:
    """All pulls of this process. They go on when the page that began them is closed."""

    def __init__(self, stores: Stores, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._stores = stores
        self._clock = clock
        self._pulls: dict[tuple[str, str], Pull] = {}
        self._tasks = BackgroundTasks()

    def all(self) -> tuple[Pull, ...]:
        """Those under way and those that ended lately, in the order they were begun."""
        moment = self._clock()
        for key, pull in list(self._pulls.items()):
            if pull.ended_at is not None and moment - pull.ended_at > REMEMBERED_SECONDS:
                del self._pulls[key]
        return tuple(self._pulls.values())

    def find(self, server: str, model: str) -> Pull | None:
        """The latest pull of that model there."""
        return self._pulls.get((server, model))

    def start(self, server: str, model: str) -> Pull:
        """Begins to fetch the model, or joins who does already. Raises Unsupported."""
        key = (server, model)
        if self._tasks.find(key):
            return self._pulls[key]
        store = self._stores.of(server)
        self._pulls.pop(key, None)  # begun anew, it is shown last
        pull = self._pulls[key] = Pull(server, model, clock=self._clock)
        task = self._tasks.start(self._run(store, pull), key)
        task.add_done_callback(lambda _: self._settle(pull))
        return pull

    async def cancel(self, server: str, model: str) -> None:
        """Stops it; what has come is kept by the server, and the next pull goes on from there."""
        if task := self._tasks.find((server, model)):
            task.cancel()
            await asyncio.wait([task])

    async def aclose(self) -> None:
        """Stops all."""
        await self._tasks.cancel()

    async def _run(self, store: ModelStore, pull: Pull) -> None:
        try:
            async with contextlib.aclosing(store.pull(pull.model)) as lines:
                async for line in lines:
                    pull.take(line, self._clock())
            await self._stores.look(pull.server)
            self._end(pull, "done")
            log.info("pulled %s/%s", pull.server, pull.model)
        except asyncio.CancelledError:
            self._end(pull, "cancelled")
            raise
        except KonsiliumError as error:
            self._end(pull, "failed", error)
            log.warning("pulling %s/%s: %s", pull.server, pull.model, error.detail)
        except Exception as error:  # nobody awaits this task: whoever looks must see that it ended
            self._end(pull, "failed", ServerFault(repr(error), server=pull.server))
            log.exception("pulling %s/%s", pull.server, pull.model)

    def _settle(self, pull: Pull) -> None:
        if pull.state == "running":  # cancelled before it could begin
            self._end(pull, "cancelled")

    def _end(self, pull: Pull, state: PullState, error: KonsiliumError | None = None) -> None:
        pull.state, pull.error, pull.ended_at = state, error, self._clock()
