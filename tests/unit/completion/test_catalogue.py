import asyncio
import time

import pytest

from app.completion.catalogue import Catalogue
from app.core.errors import ServerUnavailable
from app.core.models import ModelRef, ServerState
from tests.unit.completion.fakes import FakeServer
from tests.waiting import until


@pytest.mark.timing
async def test_all_servers_are_asked_at_once() -> None:
    servers = [FakeServer(f"s{n}", "m", delay=0.05) for n in range(10)]
    start = time.perf_counter()
    states = await Catalogue(servers).refresh()
    assert time.perf_counter() - start < 0.4, "one after another would take 0.5 s"
    assert all(state.reachable for state in states)


async def test_a_server_that_does_not_answer_is_unreachable_and_delays_nobody() -> None:
    slow, quick = FakeServer("slow", "a", delay=5.0), FakeServer("quick", "b")
    catalogue = Catalogue([slow, quick], ask_seconds=0.05)
    start = time.perf_counter()
    states = await catalogue.refresh()
    assert time.perf_counter() - start < 3.0
    assert [state.reachable for state in states] == [False, True]
    assert isinstance(states[0].error, ServerUnavailable)


async def test_whoever_asks_meanwhile_shares_the_answer() -> None:
    server = FakeServer("s", "a", delay=0.02)
    catalogue = Catalogue([server])
    await asyncio.gather(*(catalogue.refresh() for _ in range(20)))
    assert server.asked == 1


async def test_a_reader_who_gives_up_does_not_spoil_the_answer_for_others() -> None:
    server = FakeServer("s", "a", delay=0.03)
    catalogue = Catalogue([server])
    impatient = asyncio.create_task(catalogue.refresh())
    await asyncio.sleep(0.01)
    patient = asyncio.create_task(catalogue.refresh())
    await asyncio.sleep(0)
    impatient.cancel()
    assert (await patient)[0].reachable


async def test_a_dead_server_comes_back_by_itself_and_changes_are_told() -> None:
    server = FakeServer("s", "a")
    server.down = True
    catalogue = Catalogue([server], poll_seconds=0.01)
    told: list[tuple[ServerState, ...]] = []
    unsubscribe = catalogue.subscribe(told.append)
    running = asyncio.create_task(catalogue.run())
    await until(lambda: server.asked > 3)
    assert len(told) == 1, "the same news is told once"
    server.down = False
    await until(lambda: len(told) > 1)
    assert [states[0].reachable for states in told] == [False, True]
    assert catalogue.profile(ModelRef("s", "a")) is not None
    unsubscribe()
    server.down = True
    await until(lambda: not catalogue.states()[0].reachable)
    assert len(told) == 2
    running.cancel()


async def test_a_bug_in_one_adapter_leaves_the_others() -> None:
    class Broken(FakeServer):
        async def state(self) -> ServerState:
            raise ZeroDivisionError

    states = await Catalogue([Broken("bad"), FakeServer("good", "a")]).refresh()
    assert [state.reachable for state in states] == [False, True]


async def test_a_server_not_asked_yet_is_neither_reachable_nor_in_error() -> None:
    state = Catalogue([FakeServer("s")]).states()[0]
    assert not state.reachable
    assert state.error is None


async def test_a_cloud_that_answers_is_left_alone_between_questions() -> None:
    here, cloud = FakeServer("here", "a"), FakeServer("cloud", "b", local=False)
    catalogue = Catalogue([here, cloud], poll_seconds=0.01)
    running = asyncio.create_task(catalogue.run())
    await until(lambda: here.asked > 3)
    running.cancel()
    assert cloud.asked == 1
    await catalogue.refresh()
    assert cloud.asked == 2
