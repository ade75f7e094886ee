"""OpenAI-compatible servers: what is sent to whom, and what their lists say."""

import os
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from app.core.errors import FirstTokenTimeout, ServerUnavailable, WrongKey
from app.core.messages import Message
from app.core.models import Capability, ModelProfile
from app.core.ports import ModelStore
from app.core.providers import any_server, provider_of
from app.core.requests import ModelRequest
from app.providers.deadline import Timeouts
from app.providers.openai_compatible.server import OpenAICompatibleServer
from tests.simulators import OpenAISimulator
from tests.simulators.base import SimModel

QUICK = Timeouts(connect=5.0, first_token=10.0, silence=10.0, listing=5.0, ending=0.5)
KEY = "secret-key-77"


@pytest.fixture
async def simulator() -> AsyncIterator[OpenAISimulator]:
    async with OpenAISimulator(
        ["echo", "text-embedding-3-small", "dall-e-3"], key=KEY
    ) as simulator:
        yield simulator


async def ask(server: OpenAICompatibleServer, model: str = "echo") -> None:
    async for _ in server.model(model).stream(
        ModelRequest((Message.user("hi"),), request_id="turn-7")
    ):
        pass


def plain(simulator: OpenAISimulator, key: str = KEY) -> OpenAICompatibleServer:
    return OpenAICompatibleServer(any_server("lab", simulator.base_url), key, timeouts=QUICK)


def yandex(simulator: OpenAISimulator) -> OpenAICompatibleServer:
    told = {"key": KEY, "folder": "b1gfolder", "url": simulator.base_url}
    return OpenAICompatibleServer(provider_of("yandex").connection(told), KEY, timeouts=QUICK)


async def models_of(server: OpenAICompatibleServer) -> dict[str, ModelProfile]:
    state = await server.state()
    assert state.error is None
    return {model.ref.name: model for model in state.models}


async def test_the_list_holds_what_can_be_used(simulator: OpenAISimulator) -> None:
    server = plain(simulator)
    models = await models_of(server)
    assert list(models) == ["echo", "text-embedding-3-small"]
    assert models["text-embedding-3-small"].capabilities == frozenset({Capability.EMBEDDING})
    assert models["echo"].local, "127.0.0.1 is a machine of ours"
    assert not isinstance(server, ModelStore)
    await server.aclose()


async def test_a_wrong_key_is_said_without_telling_it(simulator: OpenAISimulator) -> None:
    server = plain(simulator, "other-key-88")
    state = await server.state()
    assert isinstance(state.error, WrongKey)
    with pytest.raises(WrongKey) as caught:
        await ask(server)
    assert "other-key-88" not in caught.value.detail
    await server.aclose()


async def test_yandex_gets_its_own_headers_and_ids(simulator: OpenAISimulator) -> None:
    lite = "gpt://b1gfolder/yandexgpt-lite/latest"
    doc = "emb://b1gfolder/text-search-doc/latest"
    simulator.set_models([SimModel(lite), SimModel(doc)])
    server = yandex(simulator)
    models = await models_of(server)
    assert list(models) == ["yandexgpt-lite", "text-search-doc"]
    assert models["yandexgpt-lite"].window == 32_768
    assert not (await server.state()).lists_all
    assert not models["yandexgpt-lite"].local
    await ask(server, "yandexgpt-lite")
    received = simulator.requests[-1]
    assert received.body["model"] == lite
    assert received.headers["authorization"] == f"Api-Key {KEY}"
    assert received.headers["openai-project"] == "b1gfolder"
    assert received.headers["x-data-logging-enabled"] == "false"
    assert received.headers["x-client-request-id"] == "turn-7"
    vectors, usage = await server.embed("text-search-doc", ["один", "два", "три"])
    assert len(vectors) == 3
    assert usage.input_tokens == 3
    inputs = [body["input"] for body in simulator.bodies("/v1/embeddings")]
    assert inputs == ["один", "два", "три"], "one text a call"
    await server.aclose()


async def test_nothing_of_the_environment_leaks_to_a_server(simulator: OpenAISimulator) -> None:
    borrowed = {
        "OPENAI_API_KEY": "env-key",
        "OPENAI_ADMIN_KEY": "env-admin",
        "OPENAI_ORG_ID": "env-org",
        "OPENAI_PROJECT_ID": "env-project",
        "OPENAI_CUSTOM_HEADERS": "X-Spy: env-custom\nAuthorization: Bearer env-header",
        "OPENAI_BASE_URL": "http://127.0.0.1:9",
        "HTTP_PROXY": "http://127.0.0.1:9",
    }
    os.environ.update(borrowed)
    simulator.key = None
    try:
        for server in (plain(simulator), plain(simulator, "")):
            await server.state()
            await ask(server)
            await server.embed("text-embedding-3-small", ["a", "b"])
            await server.aclose()
    finally:
        for name in borrowed:
            del os.environ[name]
    sent = str([(request.headers, request.body) for request in simulator.requests])
    assert len(simulator.requests) >= 8
    assert "env-" not in sent
    assert "x-stainless" not in sent.lower()
    keys = [request.headers.get("authorization") for request in simulator.requests]
    assert set(keys) == {f"Bearer {KEY}", None}


async def test_a_server_without_a_list_of_models_is_not_this_protocol(
    simulator: OpenAISimulator,
) -> None:
    server = OpenAICompatibleServer(any_server("lab", f"{simulator.url}/wrong"), KEY)
    state = await server.state()
    assert state.error is not None
    assert state.models == ()
    await server.aclose()


async def test_a_server_that_is_down_says_so(simulator: OpenAISimulator) -> None:
    server = plain(simulator)
    await simulator.stop()
    state = await server.state()
    assert isinstance(state.error, ServerUnavailable)
    await server.aclose()


async def test_many_texts_go_in_few_requests_and_come_back_in_order(
    simulator: OpenAISimulator,
) -> None:
    server = plain(simulator)
    texts = [f"text {n}" for n in range(300)]
    vectors, _ = await server.embed("text-embedding-3-small", texts)
    assert len(vectors) == 300
    assert len(simulator.bodies("/v1/embeddings")) == 3
    assert (await server.embed("text-embedding-3-small", texts[:1]))[0] == vectors[:1]
    await server.aclose()


@pytest.mark.parametrize("model", ["echo+nodone", "echo+noreason", "echo+nousage"])
async def test_servers_that_leave_something_out_are_understood(
    simulator: OpenAISimulator, model: str
) -> None:
    simulator.set_models([model])
    server = plain(simulator)
    await ask(server, model)
    await server.aclose()


async def test_a_key_is_proved_by_the_path_that_tells_about_it() -> None:
    async with OpenAISimulator(["echo"], key=KEY, public=True) as simulator:
        preset = replace(any_server("lab", simulator.base_url), key_path="/key")
        for key, accepted in (("guess", False), (KEY, True)):
            server = OpenAICompatibleServer(preset, key, timeouts=QUICK)
            models = (await server.state()).models
            if accepted:
                await server.check_key(models)
            else:
                with pytest.raises(WrongKey):
                    await server.check_key(models)
            await server.aclose()
        assert "/v1/chat/completions" not in {request.path for request in simulator.requests}


async def test_a_model_that_loads_for_long_is_waited_for_on_a_machine_of_ours_alone() -> None:
    async with OpenAISimulator(["slow-first-60s"]) as simulator:
        local = any_server("lab", simulator.base_url)
        for preset in (local, replace(local, local=False)):
            server = OpenAICompatibleServer(preset, KEY, timeouts=replace(QUICK, key_check=0.3))
            models = (await server.state()).models
            if preset.local:
                await server.check_key(models)
            else:
                with pytest.raises(FirstTokenTimeout):
                    await server.check_key(models)
            await server.aclose()
