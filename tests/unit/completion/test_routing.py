import asyncio
import contextlib
from dataclasses import replace
from functools import partial

import pytest

from app.completion.attempts import may_work_elsewhere
from app.completion.catalogue import Catalogue
from app.completion.models import Models
from app.completion.pricing import Prices
from app.completion.routing import Router
from app.core.errors import BadRequest, ModelNotFound, ServerBusy, ServerFault, ServerUnavailable
from app.core.events import Finished, TextDelta
from app.core.fleet import SILENT_SECONDS, Fleet
from app.core.messages import Message
from app.core.models import LoadState, ModelProfile, ModelRef, ServerState
from app.core.post import LocalPost
from app.core.requests import ModelRequest
from app.core.turns import now
from app.core.usage import Usage
from tests.fakes import ScriptedModels
from tests.unit.completion.fakes import FakeModel, FakeServer
from tests.waiting import until

LOADED = LoadState(1, 1, None, None)


class Servers(ScriptedModels):
    """`a`, `b` and `c` all have gemma; b has it loaded."""

    def __init__(self) -> None:
        super().__init__({"gemma:latest": "hi", "only-a": "hi"})
        self.down: set[str] = set()

    def states(self):
        return tuple(self._state(name) for name in "abc")

    def state(self, server):
        return next((state for state in self.states() if state.name == server), None)

    def _state(self, name):
        gemma = ModelProfile(ModelRef(name, "gemma:latest"), local=True)
        models = [replace(gemma, load=LOADED) if name == "b" else gemma]
        if name == "a":
            models.append(ModelProfile(ModelRef("a", "only-a"), local=True))
        error = ServerUnavailable("down") if name in self.down else None
        return ServerState(name, "fake", "", True, tuple(models), error, checked_at=now())

    def resolve(self, name):
        server, _, model = name.partition("/")
        if model not in self.scripts:
            raise ModelNotFound(f"no {name}", model=name)
        return ModelRef(server, model)


@contextlib.asynccontextmanager
async def slot(router: Router, ref: ModelRef):
    await router.enter(ref)
    error = None
    try:
        yield
    except BaseException as failure:
        error = failure
        raise
    finally:
        router.leave(ref, error)


def order(router: Router, name: str = "gemma") -> str:
    return "".join(ref.server for ref in router.candidates(name))


def test_a_bare_name_goes_first_where_it_is_loaded():
    assert order(Router(Servers())) == "bac"


def test_a_name_with_a_server_means_that_server_alone():
    assert order(Router(Servers()), "c/gemma:latest") == "c"
    assert order(Router(Servers()), "only-a") == "a"


def test_a_name_nobody_has_is_not_found():
    with pytest.raises(ModelNotFound):
        Router(Servers()).candidates("gema")
    with pytest.raises(ModelNotFound):
        Router(Servers()).candidates("konsilium/nothing")


async def test_the_least_busy_comes_before_the_busier():
    router = Router(Servers())
    async with slot(router, ModelRef("a", "gemma:latest")):
        assert order(router) == "bca"
    assert order(router) == "bac"


def test_a_server_that_is_down_comes_last():
    servers = Servers()
    servers.down = {"b"}
    assert order(Router(servers)) == "acb"


async def test_a_failing_server_rests_longer_each_time_and_is_tried_again():
    time = 0.0
    router = Router(Servers(), rest_seconds=(2, 10), clock=lambda: time)
    ref = ModelRef("b", "gemma:latest")

    async def fail():
        with pytest.raises(ServerFault):
            async with slot(router, ref):
                raise ServerFault("boom")

    await fail()
    assert order(router) == "acb"
    time = 2.1
    assert order(router) == "bac"
    await fail()
    time = 4.2
    assert order(router) == "acb"
    time = 12.2
    async with slot(router, ref):
        pass
    await fail()
    time = 14.3
    assert order(router) == "bac", "a success made it forget"


async def test_a_full_queue_refuses_and_says_when_to_come_back():
    router = Router(Servers(), parallel=1, waiting=2)
    ref = ModelRef("a", "gemma:latest")
    entered: list[int] = []
    leave = asyncio.Event()

    async def call(number: int) -> None:
        async with slot(router, ref):
            entered.append(number)
            await leave.wait()

    calls = [asyncio.create_task(call(number)) for number in range(3)]
    await asyncio.sleep(0)
    assert router.waiting()["a"] == 2
    with pytest.raises(ServerBusy) as refused:
        async with slot(router, ref):
            pass
    assert refused.value.retry_after
    leave.set()
    await asyncio.gather(*calls)
    assert entered == [0, 1, 2], "in the order they came"
    assert router.waiting()["a"] == 0


async def test_a_cloud_that_lets_a_key_make_one_call_at_a_time_is_given_one_at_a_time():
    class OneAtATime(Servers):
        def _state(self, name):
            return replace(super()._state(name), local=False, at_once=1 if name == "a" else None)

    router = Router(OneAtATime())
    running, most = 0, {"a": 0, "b": 0}

    async def call(server: str) -> None:
        nonlocal running
        async with slot(router, ModelRef(server, "gemma:latest")):
            running += 1
            most[server] = max(most[server], running)
            await asyncio.sleep(0)
            running -= 1

    for server in "ab":
        await asyncio.gather(*(call(server) for _ in range(4)))
    assert most == {"a": 1, "b": 4}


async def test_who_leaves_the_queue_leaves_no_gap():
    router = Router(Servers(), parallel=1, waiting=5)
    ref = ModelRef("a", "gemma:latest")
    leave = asyncio.Event()
    done: list[int] = []

    async def call(number: int) -> None:
        async with slot(router, ref):
            await leave.wait()
        done.append(number)

    calls = [asyncio.create_task(call(number)) for number in range(4)]
    await asyncio.sleep(0)
    calls[1].cancel()
    calls[0].cancel()
    await asyncio.sleep(0)
    calls[2].cancel()
    leave.set()
    await asyncio.wait(calls)
    assert done == [3]
    assert router.waiting()["a"] == 0
    async with asyncio.timeout(1), slot(router, ref):
        pass


async def test_calls_that_a_local_server_keeps_waiting_count_as_queued():
    router = Router(Servers())
    ref, other = ModelRef("a", "gemma:latest"), ModelRef("a", "only-a")
    await router.enter(ref)
    await router.enter(ref)
    assert not router.queued(ref), "nobody has had a word yet: the model may be reading"
    router.begun(ref)
    assert router.queued(ref)
    assert not router.queued(other)
    assert router.waiting()["a"] == 1
    router.begun(ref)
    await router.enter(ref)
    router.leave(ref, None, begun=True)
    assert not router.queued(ref), "this server was seen to answer two at once"
    router.leave(ref, None, begun=True)
    router.leave(ref, ServerFault("boom"))
    assert router.waiting()["a"] == 0


def test_another_server_is_asked_only_where_it_may_know_better():
    assert may_work_elsewhere(ServerUnavailable("x"))
    assert may_work_elsewhere(ModelNotFound("x"))
    assert not may_work_elsewhere(BadRequest("x"))


async def test_calls_of_the_chat_stand_in_the_same_queue():
    server = FakeServer("a", "gemma")
    server.playing = FakeModel([TextDelta("hi"), Finished("stop", Usage())])
    models = Models(Catalogue([server]), Prices(), parallel=1, waiting=0)
    await models.refresh()
    ref, request = ModelRef("a", "gemma"), ModelRequest((Message.user("hi"),))
    first, refused, last = (models.call(ref, request) for _ in range(3))
    async with contextlib.aclosing(first.events()) as events:
        await anext(events)
        with pytest.raises(ServerBusy):
            await anext(refused.events())
    assert (refused.record.outcome, refused.record.error) == ("failed", "server_busy")
    assert refused.record.total_s is None, "it never began"
    assert [type(event).__name__ async for event in last.events()] == ["TextDelta", "Finished"]
    assert last.record.outcome == "completed"
    assert models.waiting() == {"a": 0}
    assert models.traffic.open == 0


class Replicas:
    """Routers of several processes before the same servers."""

    def __init__(self, count: int, **options) -> None:
        office: dict[str, LocalPost] = {}
        self.fleets = [Fleet(LocalPost(str(number), office)) for number in range(count)]
        self.routers = [Router(Servers(), fleet=fleet, **options) for fleet in self.fleets]
        self.entered: list[str] = []
        self._leave: dict[str, asyncio.Event] = {}
        self.calls: dict[str, asyncio.Task[None]] = {}

    async def call(self, replica: int, name: str, server: str = "a") -> None:
        """Begins a call there; all have heard of it when this returns."""
        self._leave[name] = asyncio.Event()
        self.calls[name] = asyncio.create_task(self._one(replica, name, server))
        await self.told()

    async def _one(self, replica: int, name: str, server: str) -> None:
        async with slot(self.routers[replica], ModelRef(server, "gemma:latest")):
            self.entered.append(name)
            await self._leave[name].wait()

    def has_entered(self, name: str) -> bool:
        return name in self.entered

    async def end(self, *names: str) -> None:
        for name in names:
            self._leave[name].set()
            await self.calls[name]
        await self.told()

    async def told(self) -> None:
        await asyncio.sleep(0.01)
        for fleet in self.fleets:
            fleet.changed()

        def same() -> bool:
            counts = [router.waiting().get("a", 0) for router in self.routers]
            return len(set(counts)) == 1 and all(f.size == len(self.fleets) for f in self.fleets)

        await until(same)


async def test_the_bound_of_a_server_holds_over_all_replicas_and_who_came_first_goes_first():
    house = Replicas(2, parallel=2, waiting=3)
    for number, replica in enumerate((0, 1, 1, 0, 1)):
        await house.call(replica, str(number))
    assert house.entered == ["0", "1"]
    assert [router.waiting()["a"] for router in house.routers] == [3, 3]
    with pytest.raises(ServerBusy):
        async with slot(house.routers[0], ModelRef("a", "gemma:latest")):
            pass
    for name in ("0", "1", "2"):
        await house.end(name)
        await until(partial(house.has_entered, str(int(name) + 2)))
    await house.end("3", "4")
    assert house.entered == ["0", "1", "2", "3", "4"]
    assert all(not any(router.waiting().values()) for router in house.routers)


async def test_a_replica_that_waits_with_none_running_of_its_own_is_let_in():
    house = Replicas(2, parallel=1, waiting=5)
    await house.call(0, "first")
    await house.call(1, "second")
    await house.call(0, "third")
    await house.end("first")
    await until(lambda: house.entered == ["first", "second"])
    house.calls["second"].cancel()
    await until(lambda: house.entered == ["first", "second", "third"])


async def test_what_a_replica_that_died_was_given_is_free_again():
    clock = [0.0]
    office: dict[str, LocalPost] = {}
    here, there = (Fleet(LocalPost(name, office), lambda: clock[0]) for name in "ab")
    alive, dead = (Router(Servers(), parallel=1, waiting=5, fleet=one) for one in (here, there))
    ref = ModelRef("a", "gemma:latest")
    await dead.enter(ref)
    await until(lambda: here.said("lanes").get("b"))
    waiting = asyncio.create_task(alive.enter(ref))
    await asyncio.sleep(0.02)
    assert not waiting.done()
    clock[0] = SILENT_SECONDS + 1
    here.forget_the_silent()
    await asyncio.wait_for(waiting, 5)


async def test_the_least_busy_and_the_resting_are_those_of_all_replicas():
    house = Replicas(2)
    await house.call(1, "elsewhere", "b")
    await house.call(1, "again", "b")
    assert order(house.routers[0])[0] == "b"  # it has the model loaded
    await house.call(0, "here", "a")
    await house.call(0, "more", "a")
    await house.call(1, "busier", "c")
    assert order(house.routers[0]) == order(house.routers[1]) == "bca"
    with pytest.raises(ServerFault):
        async with slot(house.routers[1], ModelRef("b", "gemma:latest")):
            raise ServerFault("down")
    await until(lambda: order(house.routers[0]) == "cab")
    await house.end("elsewhere", "again", "here", "more", "busier")


async def test_that_another_answer_is_running_is_known_of_another_replica_too():
    house = Replicas(2)
    ref = ModelRef("a", "gemma:latest")
    await house.call(0, "answering")
    house.routers[0].begun(ref)
    await house.call(1, "silent")
    await until(lambda: house.routers[1].queued(ref))
    assert not house.routers[0].queued(ref)
    house.routers[1].begun(ref)
    assert not house.routers[1].queued(ref)
    for call in house.calls.values():
        call.cancel()
