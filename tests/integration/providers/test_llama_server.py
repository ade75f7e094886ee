"""A server that nobody here wrote: llama.cpp's, through the OpenAI-compatible adapter."""

import contextlib
from collections.abc import AsyncIterator

import httpx
import pytest

from app.core.errors import ContextTooLong, Unsupported
from app.core.events import Finished, TextDelta
from app.core.messages import Message
from app.core.providers import any_server
from app.core.requests import ModelRequest, Sampling
from app.providers.openai_compatible.server import OpenAICompatibleServer
from tests.llama_server import ALIAS, WINDOW, llama_server
from tests.waiting import until


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> object:
    return tmp_path_factory.mktemp("llama")


@pytest.fixture
async def llama(folder) -> AsyncIterator[tuple[str, OpenAICompatibleServer]]:
    async with llama_server(folder) as url:
        server = OpenAICompatibleServer(any_server("llama", f"{url}/v1"))
        yield url, server
        await server.aclose()


def ask(tokens: int, text: str = "Привет, как дела?") -> ModelRequest:
    return ModelRequest((Message.user(text),), Sampling(max_tokens=tokens, seed=7))


async def busy_slots(url: str) -> int:
    async with httpx.AsyncClient() as client:
        return sum(slot["is_processing"] for slot in (await client.get(f"{url}/slots")).json())


async def test_its_model_is_listed_with_the_window_it_really_has(llama) -> None:
    _, server = llama
    state = await server.state()
    assert state.reachable
    assert [(m.ref.name, m.window, m.local) for m in state.models] == [(ALIAS, WINDOW, True)]


async def test_it_streams_and_counts(llama) -> None:
    _, server = llama
    deltas, end = [], None
    async for event in server.model(ALIAS).stream(ask(40)):
        match event:
            case TextDelta(text):
                deltas.append(text)
            case Finished():
                end = event
    assert len(deltas) > 10
    assert end is not None
    assert end.finish_reason == "length"
    assert end.usage.output_tokens == 40
    assert (end.usage.input_tokens or 0) > 5
    assert (end.usage.generation_s or 0) > 0


@pytest.mark.timing
async def test_stop_ends_the_generation_within_a_second(llama) -> None:
    url, server = llama
    stream = server.model(ALIAS).stream(ask(7000))
    async with contextlib.aclosing(stream):
        await anext(stream)
        assert await busy_slots(url) == 1

    async def idle() -> bool:
        return await busy_slots(url) == 0

    await until(idle, within=1)


async def test_a_prompt_beyond_the_window_says_both_numbers(llama) -> None:
    _, server = llama
    with pytest.raises(ContextTooLong) as caught:
        async for _ in server.model(ALIAS).stream(ask(5, "слово " * 10_000)):
            pass
    assert caught.value.window == WINDOW
    assert (caught.value.prompt_tokens or 0) > WINDOW


async def test_it_counts_tokens_on_request(llama) -> None:
    _, server = llama
    few, many = [await server.count_tokens(ALIAS, "Привет " * times) for times in (1, 100)]
    assert 0 < few < many


FILLED = ModelRequest(
    (Message.user("Привет"),),
    Sampling(max_tokens=6, seed=7),
    prompt="Привет",
    suffix="слово за словом",
)


async def test_text_is_filled_in_before_a_suffix_by_models_made_for_it(tmp_path) -> None:
    async with llama_server(tmp_path, fills=True) as url:
        server = OpenAICompatibleServer(any_server("llama", f"{url}/v1"))
        events = [event async for event in server.model(ALIAS).stream(FILLED)]
        end = events[-1]
        assert isinstance(end, Finished)
        assert (end.finish_reason, end.usage.output_tokens) == ("length", 6)
        assert sum(isinstance(event, TextDelta) for event in events) > 2
        both = [
            await server.count_tokens(ALIAS, text) for text in (FILLED.prompt or "", FILLED.suffix)
        ]
        assert end.usage.input_tokens in range(sum(both) + 3, sum(both) + 7), "and the three marks"
        await server.aclose()


async def test_a_suffix_is_never_passed_over(llama) -> None:
    _, server = llama
    with pytest.raises(Unsupported, match="Infill is not supported by this model"):
        async for _ in server.model(ALIAS).stream(FILLED):
            pass
