"""Pulls go on by themselves, are joined, cancelled and resumed, and say why they failed."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass

import pytest

from app.completion.catalogue import Catalogue
from app.completion.pulls import REMEMBERED_SECONDS, Pull, Pulls, Stores
from app.core.errors import DiskFull, KonsiliumError, Unsupported
from tests.unit.completion.fakes import FakeServer
from tests.waiting import until


@dataclass
class Line:
    status: str
    digest: str | None = None
    total: int | None = None
    completed: int | None = None


class Store(FakeServer):
    """Gives its lines one by one, as the gate lets them."""

    def __init__(self, name: str, *lines: Line | KonsiliumError) -> None:
        super().__init__(name)
        self.lines = lines
        self.gate = asyncio.Semaphore(0)
        self.pulling = 0
        self.pulled = 0

    async def pull(self, model: str) -> AsyncGenerator[Line, None]:
        self.pulling += 1
        self.pulled += 1
        try:
            for line in self.lines:
                await self.gate.acquire()
                if isinstance(line, KonsiliumError):
                    raise line
                yield line
            self.models.append(self.profile(model))
        finally:
            self.pulling -= 1

    async def remove(self, model: str) -> None:
        self.models = [profile for profile in self.models if profile.ref.name != model]

    async def load(self, model: str) -> None: ...
    async def unload(self, model: str) -> None: ...

    def let(self, lines: int) -> None:
        for _ in range(lines):
            self.gate.release()


class Clock:
    moment = 0.0

    def __call__(self) -> float:
        return self.moment


def half(completed: int) -> Line:
    return Line("pulling a", "a", 100, completed)


def pulls_of(*stores: FakeServer, clock: Clock | None = None) -> Pulls:
    return Pulls(Stores(Catalogue(list(stores))), clock=clock or Clock())


def test_it_tells_each_layer_its_speed_and_the_time_left():
    pull = Pull("ollama", "m", clock=Clock())
    pull.take(half(10), 0.0)
    pull.take(half(30), 2.0)
    assert (pull.completed, pull.total, pull.speed, pull.left_s) == (30, 100, 10.0, 7.0)


def test_one_line_makes_no_speed():
    pull = Pull("ollama", "m", clock=Clock())
    pull.take(half(10), 0.0)
    assert pull.speed is None


def test_what_an_earlier_pull_had_fetched_does_not_count_as_speed():
    pull = Pull("ollama", "m", clock=Clock())
    pull.take(half(90), 0.0)
    pull.take(half(91), 1.0)
    assert pull.speed == 1.0


def test_the_speed_is_that_of_the_last_seconds():
    pull = Pull("ollama", "m", clock=Clock())
    for second in range(20):
        pull.take(half(second if second < 10 else 10 + 3 * (second - 10)), float(second))
    assert pull.speed == 3.0


def test_a_server_that_fell_silent_has_no_speed_and_no_time_left():
    clock = Clock()
    pull = Pull("ollama", "m", clock=clock)
    pull.take(half(10), 0.0)
    pull.take(half(30), 2.0)
    clock.moment = 8.0
    assert (pull.speed, pull.left_s) == (None, None)


def test_a_layer_that_was_there_before_leaves_the_speed_of_the_next_one_alone():
    pull = Pull("ollama", "m", clock=Clock())
    pull.take(half(100), 0.0)
    pull.take(Line("pulling b", "b", 100, 0), 1.0)
    pull.take(Line("pulling b", "b", 100, 20), 2.0)
    assert pull.speed == 10.0


async def test_a_second_start_joins_the_first():
    store = Store("ollama", half(10))
    pulls = pulls_of(store)
    assert pulls.start("ollama", "m") is pulls.start("ollama", "m")
    await until(lambda: store.pulling == 1)
    await pulls.aclose()
    assert store.pulled == 1


async def test_when_it_is_done_the_model_is_listed_at_once():
    store = Store("ollama", half(100))
    catalogue = Catalogue([store])
    pulls = Pulls(Stores(catalogue))
    pull = pulls.start("ollama", "m")
    store.let(1)
    await until(lambda: pull.state == "done")
    assert [str(profile.ref) for profile in catalogue.known] == ["ollama/m"]


async def test_cancelling_closes_the_stream_and_a_later_pull_is_a_new_one():
    store = Store("ollama", half(10), half(20))
    pulls = pulls_of(store)
    first = pulls.start("ollama", "m")
    store.let(1)
    await until(lambda: first.completed == 10)
    await pulls.cancel("ollama", "m")
    assert (first.state, store.pulling) == ("cancelled", 0)
    second = pulls.start("ollama", "m")
    assert second is not first
    assert pulls.all() == (second,)
    await pulls.aclose()


async def test_one_cancelled_before_it_began_is_cancelled():
    pulls = pulls_of(Store("ollama"))
    pull = pulls.start("ollama", "m")
    await pulls.cancel("ollama", "m")
    assert pull.state == "cancelled"


async def test_a_failure_stays_visible_with_its_reason_and_goes_in_time():
    clock = Clock()
    store = Store("ollama", DiskFull("no space left on device", server="ollama"))
    pulls = pulls_of(store, clock=clock)
    pull = pulls.start("ollama", "m")
    store.let(1)
    await until(lambda: pull.state == "failed")
    assert isinstance(pull.error, DiskFull)
    assert pulls.all() == (pull,)
    clock.moment += REMEMBERED_SECONDS + 1
    assert pulls.all() == ()


async def test_a_server_that_keeps_no_models_says_so():
    pulls = pulls_of(FakeServer("cloud"))
    with pytest.raises(Unsupported):
        pulls.start("cloud", "m")
    assert pulls.all() == ()


async def test_removing_a_model_shows_in_the_list_at_once():
    store = Store("ollama")
    store.models = [store.profile("m")]
    catalogue = Catalogue([store])
    stores = Stores(catalogue)
    await stores.look("ollama")
    await stores.remove("ollama", "m")
    assert catalogue.known == ()
