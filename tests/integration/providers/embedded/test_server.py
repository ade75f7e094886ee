"""The real llama.cpp, in its own process, on a tiny model of random weights."""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from app.core.errors import (
    ConnectionLost,
    IncompleteAnswer,
    ModelNotFound,
    ServerUnavailable,
    Unsupported,
)
from app.core.events import Finished, TextDelta
from app.core.messages import Message
from app.core.models import Capability
from app.core.providers import any_server
from app.core.requests import ModelRequest, Sampling
from app.core.usage import Usage
from app.providers.embedded.server import WINDOW, EmbeddedServer
from app.providers.openai_compatible.server import OpenAICompatibleServer
from tests.gguf_model import make_gguf


@dataclass(frozen=True)
class ThisFile:
    file: Path
    last_resort: bool = False
    instruction: str | None = None

    @property
    def name(self) -> str:
        return str(self.file)

    def path(self) -> Path:
        return self.file


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_gguf(tmp_path_factory.mktemp("embedded") / "babbler.gguf")


def connect(url: str, key: str) -> OpenAICompatibleServer:
    return OpenAICompatibleServer(any_server("embedded", url), key)


@contextlib.asynccontextmanager
async def embedded(file: Path, *, idle_seconds: float = 60.0) -> AsyncIterator[EmbeddedServer]:
    server = EmbeddedServer(ThisFile(file), connect, idle_seconds=idle_seconds)
    try:
        yield server
    finally:
        await server.aclose()


@pytest.fixture
async def server(file: Path) -> AsyncIterator[EmbeddedServer]:
    async with embedded(file) as server:
        yield server


def request(tokens: int) -> ModelRequest:
    return ModelRequest((Message.user("Привет, как дела?"),), Sampling(max_tokens=tokens, seed=7))


async def answer(server: EmbeddedServer, tokens: int) -> tuple[str, Usage]:
    text = ""
    async for event in server.model("babbler").stream(request(tokens)):
        match event:
            case TextDelta(delta):
                text += delta
            case Finished(_, usage):
                return text, usage
    raise AssertionError("no end")


def processes() -> list[int]:
    """The llama.cpp processes that this one has started."""
    children = psutil.Process().children(recursive=True)
    return [child.pid for child in children if "embedded.process" in " ".join(child.cmdline())]


def pid_of(server: EmbeddedServer) -> int:
    assert server.supervisor.running is not None
    return server.supervisor.running.llama.pid


async def until(true: object, seconds: float = 5.0) -> float:
    """How long it took until `true()`."""
    assert callable(true)
    start = time.perf_counter()
    while not true():
        assert time.perf_counter() - start < seconds
        await asyncio.sleep(0.02)
    return time.perf_counter() - start


async def test_it_sleeps_until_the_first_question_and_counts_what_it_says(server, file) -> None:
    asleep = await server.state()
    assert asleep.reachable
    assert asleep.kind == "embedded"
    assert asleep.extra == {"state": "asleep"}
    (model,) = asleep.models
    assert (str(model.ref), model.window, model.local) == ("embedded/babbler", WINDOW, True)
    assert model.load is None
    text, usage = await answer(server, 40)
    assert len(text.split()) > 5
    assert usage.output_tokens == 40
    assert (usage.input_tokens or 0) > 5
    assert (usage.load_s or 0) > 0
    awake = await server.state()
    assert awake.extra == {"state": "running"}
    assert awake.latency_s is not None
    (model,) = awake.models
    assert model.window == WINDOW
    assert model.size_bytes == file.stat().st_size
    assert model.load is not None
    assert model.can(Capability.JSON_SCHEMA)
    _, again = await answer(server, 3)
    assert again.load_s is None


async def test_stop_ends_the_generation(server) -> None:
    await answer(server, 3)
    process = psutil.Process(pid_of(server))

    def worked() -> float:
        times = process.cpu_times()
        return float(times.user + times.system)

    stream = server.model("babbler").stream(request(7000))
    async with contextlib.aclosing(stream):
        before = worked()
        await anext(stream)
        await until(lambda: worked() > before + 0.05)
    stopped = before = worked()
    while True:
        await asyncio.sleep(0.5)
        if worked() - before < 0.05:
            break
        before = worked()
        assert before - stopped < 3.0, "the whole answer takes about ten"


async def test_two_are_answered_at_once(server) -> None:
    await answer(server, 3)
    first = server.model("babbler").stream(request(7000))
    async with contextlib.aclosing(first):
        await anext(first)
        second, _ = await asyncio.wait_for(answer(server, 5), 10)
        assert second
        assert isinstance(await anext(first), TextDelta)


async def test_two_first_questions_start_one_process(server) -> None:
    answers = await asyncio.gather(answer(server, 5), answer(server, 5))
    assert all(text for text, _ in answers)
    assert processes() == [pid_of(server)]


async def test_killed_in_mid_answer_it_keeps_what_was_said_and_answers_the_next(server) -> None:
    said: list[str] = []

    async def killed() -> None:
        async for event in server.model("babbler").stream(request(7000)):
            if isinstance(event, TextDelta):
                said.append(event.text)
            if len(said) == 10:
                os.kill(pid_of(server), signal.SIGKILL)

    with pytest.raises((ConnectionLost, IncompleteAnswer)):
        await killed()
    assert len(said) >= 10
    text, usage = await answer(server, 10)
    assert text
    assert usage.output_tokens == 10


async def test_dead_between_questions_it_comes_back_by_itself(server) -> None:
    await answer(server, 3)
    before = pid_of(server)
    os.kill(before, signal.SIGKILL)
    await until(lambda: server.supervisor.starting)
    assert (await server.state()).extra == {"state": "starting"}
    await until(lambda: server.supervisor.running is not None, 20)
    assert pid_of(server) != before


async def test_idle_it_is_unloaded_and_woken_by_the_next_question(file: Path) -> None:
    async with embedded(file, idle_seconds=0.5) as server:
        await answer(server, 3)
        before = pid_of(server)
        await until(lambda: not psutil.pid_exists(before))
        state = await server.state()
        assert state.reachable
        assert state.extra == {"state": "asleep"}
        assert len(state.models) == 1
        _, usage = await answer(server, 3)
        assert (usage.load_s or 0) > 0


async def test_it_is_loaded_ahead_and_unloaded_after_the_answer_under_way(server) -> None:
    await server.load("babbler")
    assert (await server.state()).extra == {"state": "running"}
    before = pid_of(server)
    stream = server.model("babbler").stream(request(7000))
    async with contextlib.aclosing(stream):
        await anext(stream)
        unloading = asyncio.create_task(server.unload("babbler"))
        for _ in range(20):
            await anext(stream)
        assert psutil.pid_exists(before)
    await unloading
    assert not psutil.pid_exists(before)
    assert (await server.state()).extra == {"state": "asleep"}
    assert (await answer(server, 3))[0]
    with pytest.raises(ModelNotFound):
        await server.load("another")


async def test_asked_while_it_is_being_unloaded_it_answers(server) -> None:
    await answer(server, 3)
    unloading = asyncio.create_task(server.unload("babbler"))
    await asyncio.sleep(0)
    assert (await answer(server, 3))[0]
    await unloading


async def test_it_is_not_unloaded_while_it_answers(file: Path) -> None:
    async with embedded(file, idle_seconds=0.2) as server:
        stream = server.model("babbler").stream(request(7000))
        async with contextlib.aclosing(stream):
            await anext(stream)
            before = pid_of(server)
            for _ in range(200):
                await anext(stream)
                await asyncio.sleep(0.005)
            assert psutil.pid_exists(before)


async def test_closed_while_it_loads_nothing_is_left(file: Path) -> None:
    async with embedded(file) as server:
        asked = asyncio.create_task(answer(server, 3))
        await until(processes)
        assert server.supervisor.starting
    with pytest.raises(ServerUnavailable):
        await asked
    assert processes() == []


async def test_a_question_given_up_while_it_loads_leaves_the_others_waiting(server) -> None:
    first, second = (asyncio.create_task(answer(server, 3)) for _ in range(2))
    await until(lambda: server.supervisor.starting)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    assert (await second)[0]


@pytest.fixture
def damaged(file: Path, tmp_path: Path) -> Path:
    damaged = tmp_path / "damaged.gguf"
    damaged.write_bytes(file.read_bytes()[:100_000])
    return damaged


async def test_a_damaged_file_says_what_llama_cpp_says(damaged: Path) -> None:
    async with embedded(damaged) as server:
        with pytest.raises(ServerUnavailable, match="corrupted or incomplete"):
            async for _ in server.model("damaged").stream(request(3)):
                pass
        state = await server.state()
        assert not state.reachable
        assert state.error is not None
        assert "corrupted or incomplete" in state.error.detail


async def test_only_its_own_model_is_there(server) -> None:
    with pytest.raises(ModelNotFound) as caught:
        async for _ in server.model("another").stream(request(3)):
            pass
    assert caught.value.near == ("babbler",)
    with pytest.raises(Unsupported):
        await server.embed("babbler", ["a"])


async def test_no_key_no_answer(server) -> None:
    await answer(server, 3)
    assert server.supervisor.running is not None
    stranger = connect(f"{server.supervisor.running.llama.url}/v1", "guess")
    async with contextlib.aclosing(stranger):
        state = await stranger.state()
    assert state.error is not None
    assert state.error.code == "wrong_key"
    command = " ".join(psutil.Process(pid_of(server)).cmdline())
    assert server.supervisor.running.llama.key not in command
