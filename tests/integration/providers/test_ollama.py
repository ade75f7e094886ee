"""An Ollama server's models: listed, loaded, fetched, removed, and called with one num_ctx each."""

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import aiohttp
import pytest

from app.completion.catalogue import Catalogue
from app.completion.models import Models
from app.completion.pricing import Prices
from app.completion.transcription import Transcription
from app.core.errors import (
    ContextTooLong,
    DiskFull,
    KonsiliumError,
    LibraryUnreachable,
    ModelNotFound,
    NotAllowed,
    ServerBusy,
    ServerFault,
    ServerOutdated,
    ServerUnavailable,
    SignInNeeded,
    SilenceTimeout,
    Unsupported,
)
from app.core.events import Finished
from app.core.messages import ImagePart, Message
from app.core.models import Capability, ModelProfile, ModelRef, Recommendation
from app.core.ports import Call, ModelServer, ModelStore
from app.core.requests import ModelRequest
from app.core.usage import Purpose, Usage
from app.providers.deadline import Timeouts
from app.providers.ollama import OllamaServer
from tests.clients import real_ollama
from tests.simulators import OllamaSimulator
from tests.simulators.base import SimModel
from tests.waiting import until

QUICK = Timeouts(connect=5.0, first_token=10.0, silence=2.0, listing=1.0, ending=0.5)


@pytest.fixture
async def simulator() -> AsyncIterator[OllamaSimulator]:
    models = [
        SimModel("gemma2:2b", context_length=8192),
        SimModel("small", context_length=2048),
        SimModel("own", num_ctx=16384, context_length=131072),
        "thinking",
        "tools",
        "nomic-embed-text",
    ]
    async with OllamaSimulator(models) as simulator:
        yield simulator


@pytest.fixture
async def server(simulator: OllamaSimulator) -> AsyncIterator[OllamaServer]:
    server = OllamaServer("ollama", simulator.url, timeouts=QUICK)
    yield server
    await server.aclose()


async def models_of(server: ModelServer) -> dict[str, ModelProfile]:
    state = await server.state()
    assert state.error is None
    return {model.ref.name: model for model in state.models}


async def ask(server: ModelServer, model: str) -> None:
    async for _ in server.model(model).stream(ModelRequest((Message.user("hi"),))):
        pass


async def test_models_come_with_size_window_and_capabilities(server: OllamaServer) -> None:
    state = await server.state()
    assert (state.name, state.kind, state.version) == ("ollama", "ollama", "0.33.0")
    assert state.reachable
    assert (state.latency_s or 9) < 1
    models = await models_of(server)
    gemma = models["gemma2:2b"]
    assert (gemma.size_bytes, gemma.family, gemma.quantization) == (1_629_518_495, "gemma2", "Q4_0")
    assert gemma.local
    assert gemma.modified_at is not None
    assert gemma.modified_at.tzinfo is not None
    assert models["thinking"].can(Capability.THINKING)
    assert models["tools"].can(Capability.TOOLS)
    assert models["nomic-embed-text"].capabilities == frozenset({Capability.EMBEDDING})


async def test_what_ollama_recommends_is_asked_once_an_hour_where_it_recommends(
    server: OllamaServer, simulator: OllamaSimulator
) -> None:
    for _ in range(3):
        state = await server.state()
        assert state.recommended == (
            Recommendation(
                "qwen3.5:cloud", "Reasoning, coding, and agentic tool use with vision", local=False
            ),
            Recommendation("gemma4", "Reasoning and code generation locally", 12_000_000_000),
        )
    assert len(simulator.bodies("/api/experimental/model-recommendations")) == 1


async def test_an_ollama_without_recommendations_is_listed_as_ever() -> None:
    async with OllamaSimulator(["gemma2:2b"], version="0.12.11") as old:
        server = OllamaServer("ollama", old.url, timeouts=QUICK)
        state = await server.state()
        await server.aclose()
    assert (state.error, state.recommended) == (None, ())
    assert [model.ref.name for model in state.models] == ["gemma2:2b"]


async def test_a_window_is_known_before_a_model_is_loaded(server: OllamaServer) -> None:
    models = await models_of(server)
    assert models["gemma2:2b"].window == 4096, "what any Ollama gives"
    assert models["small"].window == 2048, "never more than the model was made for"
    assert models["own"].window == 16384, "the Modelfile's own"
    assert models["own"].longest == 131072


async def test_a_loaded_model_shows_where_and_with_which_window(
    server: OllamaServer, simulator: OllamaSimulator
) -> None:
    simulator.default_context = 8192
    await ask(server, "gemma2:2b")
    load = (await models_of(server))["gemma2:2b"].load
    assert load is not None
    assert load.gpu_share == 1.0
    assert load.context_length == 8192
    assert load.expires_at is not None


def sent_windows(simulator: OllamaSimulator) -> list[int | None]:
    return [body["options"].get("num_ctx") for body in simulator.bodies("/api/chat")]


async def ended(server: ModelServer, model: str, request: ModelRequest) -> Usage:
    *_, last = [event async for event in server.model(model).stream(request)]
    assert isinstance(last, Finished)
    return last.usage


def words(count: int, word: str = "word", **fields: Any) -> ModelRequest:
    return ModelRequest((Message.user(" ".join([word] * count)),), **fields)


async def test_no_num_ctx_is_sent_where_nobody_asks_for_one(
    server: OllamaServer, simulator: OllamaSimulator
) -> None:
    await server.state()
    await server.load("own")
    for _ in range(3):
        await ask(server, "own")
        await server.state()
        await ask(server, "gemma2:2b")
    assert simulator.reloads == []
    assert set(sent_windows(simulator)) == {None}


async def test_other_programs_that_say_no_window_make_no_model_load_again(
    server: OllamaServer, simulator: OllamaSimulator
) -> None:
    simulator.default_context = 5000
    await server.state()
    other = {"model": "gemma2:2b", "messages": [{"role": "user", "content": "hi"}]}
    for _ in range(3):
        await ask(server, "gemma2:2b")
        async with aiohttp.ClientSession() as session:
            await (await session.post(f"{simulator.url}/api/chat", json=other)).read()
        assert (await models_of(server))["gemma2:2b"].window == 5000
    assert simulator.reloads == []


async def test_the_first_answer_tells_which_window_it_had(
    server: OllamaServer, simulator: OllamaSimulator
) -> None:
    simulator.default_context = 6000
    await server.state()
    assert (await ended(server, "gemma2:2b", words(10))).window == 6000
    assert (await ended(server, "gemma2:2b", words(10))).window == 6000


@pytest.mark.parametrize("theirs", [6000, 4096, 1000])
async def test_a_model_that_another_program_loaded_keeps_its_window(
    server: OllamaServer, simulator: OllamaSimulator, theirs: int
) -> None:
    simulator.loaded.add("gemma2:2b")
    simulator.contexts["gemma2:2b"] = theirs
    assert (await models_of(server))["gemma2:2b"].window == theirs
    assert (await ended(server, "gemma2:2b", words(10))).window == theirs
    assert simulator.reloads == []


async def test_a_window_taken_for_the_usual_one_is_asked_for_where_it_is_not(
    server: OllamaServer, simulator: OllamaSimulator
) -> None:
    simulator.default_context = 1000
    simulator.loaded.add("gemma2:2b")
    simulator.contexts["gemma2:2b"] = 4096
    await server.state()
    usage = await ended(server, "gemma2:2b", words(2000, needs=3000))
    assert (usage.window, usage.input_tokens) == (4096, 2004)
    assert sent_windows(simulator) == [None, 4096]


@pytest.mark.parametrize("version", ["0.12.11", "0.33.0"])
@pytest.mark.parametrize("needs", [None, 6100])
async def test_a_prompt_longer_than_the_window_is_never_cut_but_widens_it(
    server: OllamaServer, simulator: OllamaSimulator, version: str, needs: int | None
) -> None:
    simulator.version = version
    await server.state()
    usage = await ended(server, "gemma2:2b", words(5000, needs=needs))
    assert (usage.window, usage.input_tokens) == (8192, 5004)
    await ask(server, "gemma2:2b")
    await server.state()
    await ask(server, "gemma2:2b")
    assert len(simulator.reloads) <= 1, "it stays as wide, and is not loaded again each time"


@pytest.mark.parametrize("version", ["0.12.11", "0.33.0"])
async def test_a_prompt_longer_than_the_model_was_made_for_is_refused(
    server: OllamaServer, simulator: OllamaSimulator, version: str
) -> None:
    simulator.version = version
    await server.state()
    with pytest.raises(ContextTooLong) as caught:
        await ended(server, "small", words(3000, needs=4000))
    assert caught.value.window == (2048 if version == "0.33.0" else None)


async def test_a_window_that_there_is_no_memory_for_is_refused_as_too_long(
    server: OllamaServer, simulator: OllamaSimulator
) -> None:
    simulator.most_context = 5000
    await server.state()
    with pytest.raises(ContextTooLong):
        await ended(server, "gemma2:2b", words(5000, needs=6000))
    assert (await models_of(server))["gemma2:2b"].widest == 4096
    await ask(server, "gemma2:2b")


async def test_a_person_says_which_window_it_is_to_be(
    server: OllamaServer, simulator: OllamaSimulator
) -> None:
    await server.state()
    assert (await ended(server, "own", words(10, window=20_000))).window == 20_000
    assert (await ended(server, "small", words(10, window=20_000))).window == 2048
    assert sent_windows(simulator) == [20_000, 2048]
    with pytest.raises(ContextTooLong):
        await ended(server, "own", words(600, window=512))


async def test_a_configured_num_ctx_is_for_every_model(simulator: OllamaSimulator) -> None:
    server = OllamaServer("o", simulator.url, num_ctx=4000)
    assert (await models_of(server))["own"].window == 4000
    await ask(server, "own")
    simulator.loaded.add("gemma2:2b")
    simulator.contexts["gemma2:2b"] = 4096
    assert (await models_of(server))["gemma2:2b"].window == 4000
    usage = await ended(server, "gemma2:2b", words(10, needs=9000))
    assert usage.window == 4000
    assert sent_windows(simulator) == [4000, 4000]
    await server.aclose()


async def test_two_names_of_one_model_share_what_is_loaded(
    server: OllamaServer, simulator: OllamaSimulator
) -> None:
    simulator.models["alias"] = SimModel("alias", digest=simulator.models["gemma2:2b"].digest)
    await server.state()
    await ask(server, "gemma2:2b")
    models = await models_of(server)
    assert models["alias"].load is not None
    assert models["alias"].load == models["gemma2:2b"].load


async def test_a_server_that_cuts_all_the_same_tells_it_by_its_count(
    server: OllamaServer, simulator: OllamaSimulator
) -> None:
    simulator.version = "0.12.5"
    await server.state()
    usage = await ended(server, "gemma2:2b", words(4100, "a"))
    assert usage.input_tokens == usage.window == 4096
    with pytest.raises(ContextTooLong, match="would cut"):
        await ended(server, "small", words(9000))


async def test_facts_are_asked_once_and_again_where_a_model_changed(
    server: OllamaServer, simulator: OllamaSimulator
) -> None:
    for _ in range(3):
        await server.state()
    assert len(simulator.bodies("/api/show")) == 6
    simulator.models["small"] = SimModel("small", context_length=1024, digest="f" * 64)
    assert (await models_of(server))["small"].window == 1024


async def test_a_server_that_is_down_says_why_and_one_that_is_back_is_back(
    server: OllamaServer, simulator: OllamaSimulator, caplog: pytest.LogCaptureFixture
) -> None:
    await simulator.stop()
    state = await server.state()
    assert (
        caplog.messages == []
    )  # it is asked every few seconds; that it went is for the catalogue to say
    assert isinstance(state.error, ServerUnavailable)
    assert "refused" in state.error.detail
    await simulator.start()
    assert (await server.state()).reachable


async def test_a_server_that_does_not_answer_is_given_up(
    server: OllamaServer, simulator: OllamaSimulator
) -> None:
    simulator.latency = 5.0
    start = time.perf_counter()
    state = await server.state()
    assert time.perf_counter() - start < 3.0
    assert isinstance(state.error, ServerUnavailable)


async def test_texts_become_vectors(server: OllamaServer) -> None:
    vectors, usage = await server.embed("nomic-embed-text", ["один", "два три"])
    assert len(vectors) == 2
    assert len(vectors[0]) == 64
    assert usage.input_tokens == 3
    with pytest.raises(ModelNotFound):
        await server.embed("nobody", ["x"])
    with pytest.raises(Unsupported):
        await server.embed("gemma2:2b", ["x"])


async def test_a_model_is_loaded_and_unloaded(
    server: OllamaServer, simulator: OllamaSimulator
) -> None:
    await server.load("gemma2:2b")
    assert simulator.loaded == {"gemma2:2b"}
    await server.unload("gemma2:2b")
    assert simulator.loaded == set()


async def test_a_model_is_removed_once(server: OllamaServer, simulator: OllamaSimulator) -> None:
    await server.remove("small")
    assert "small" not in simulator.models
    with pytest.raises(ModelNotFound):
        await server.remove("small")


async def test_a_pull_tells_how_much_of_each_layer_has_come(
    server: OllamaServer, simulator: OllamaSimulator
) -> None:
    assert isinstance(server, ModelStore)
    lines = [line async for line in server.pull("qwen3:8b")]
    assert lines[0].status == "pulling manifest"
    assert lines[-1].status == "success"
    layers = {line.digest: line.total for line in lines if line.digest}
    assert sorted(layers.values()) == [50_000_000, 1_000_000_000]  # type: ignore[type-var]  # a layer has a total
    assert "qwen3:8b" in simulator.models


async def test_a_pull_that_breaks_says_why_and_goes_on_from_there(
    server: OllamaServer, simulator: OllamaSimulator
) -> None:
    with pytest.raises(ServerFault, match="unexpected EOF"):
        async for _ in server.pull("pull-error"):
            pass
    again = [line.completed async for line in server.pull("pull-error") if line.completed]
    assert again[0] > 500_000_000


async def test_a_pull_that_is_closed_is_cancelled_and_resumes(
    server: OllamaServer, simulator: OllamaSimulator
) -> None:
    async with contextlib.aclosing(server.pull("pull-slow")) as lines:
        async for line in lines:
            if (line.completed or 0) > 100_000_000:
                break
    await until(lambda: simulator.open_connections == 0)
    have = max(simulator.pulled.values())
    assert have < 500_000_000, "the server stopped fetching"
    async with contextlib.aclosing(server.pull("pull-slow")) as lines:
        async for line in lines:
            if line.completed:
                assert line.completed > have
                break


async def test_a_pull_whose_checking_takes_longer_than_a_silence_goes_on(
    server: OllamaServer,
) -> None:
    lines = [line.status async for line in server.pull("pull-verify")]
    assert lines[-1] == "success"


async def test_a_pull_that_stalls_is_given_up(server: OllamaServer) -> None:
    with pytest.raises(SilenceTimeout):
        async for _ in server.pull("pull-stall"):
            pass


@pytest.mark.parametrize(
    ("model", "kind"),
    [
        ("pull-full", DiskFull),
        ("pull-unknown", ModelNotFound),
        ("pull-denied", NotAllowed),
        ("pull-nohost", LibraryUnreachable),
        ("pull-newer", ServerOutdated),
        ("pull-limited", ServerBusy),
    ],
)
async def test_a_pull_that_cannot_be_says_why(
    server: OllamaServer, model: str, kind: type[KonsiliumError]
) -> None:
    with pytest.raises(kind):
        async for _ in server.pull(model):
            pass


async def test_a_key_of_the_environment_goes_to_nobody(simulator: OllamaSimulator) -> None:
    os.environ["OLLAMA_API_KEY"] = "borrowed"
    try:
        server = OllamaServer("o", simulator.url)
        await server.state()
        await server.load("gemma2:2b")
        await ask(server, "gemma2:2b")
        await server.embed("nomic-embed-text", ["x"])
        await server.aclose()
    finally:
        del os.environ["OLLAMA_API_KEY"]
    assert len(simulator.requests) > 8
    assert not any("authorization" in request.headers for request in simulator.requests)


async def test_a_password_in_the_address_is_sent_and_never_shown(
    simulator: OllamaSimulator,
) -> None:
    server = OllamaServer("o", simulator.url.replace("://", "://me:pass%20word@"))
    state = await server.state()
    assert state.reachable
    assert state.url == simulator.url
    await ask(server, "gemma2:2b")
    await server.load("gemma2:2b")
    await server.aclose()
    sent = {request.headers.get("authorization") for request in simulator.requests}
    assert sent == {"Basic bWU6cGFzcyB3b3Jk"}


async def test_the_request_id_goes_through(
    server: OllamaServer, simulator: OllamaSimulator
) -> None:
    request = ModelRequest((Message.user("hi"),), request_id="turn-7")
    async for _ in server.model("gemma2:2b").stream(request):
        pass
    assert simulator.requests[-1].headers["x-request-id"] == "turn-7"


async def test_a_hundred_connections_are_all_closed_in_the_end(simulator: OllamaSimulator) -> None:
    simulator.set_models(["len-50+paced-2ms"])
    server = OllamaServer("o", simulator.url, timeouts=QUICK)
    await asyncio.gather(*(ask(server, "len-50+paced-2ms") for _ in range(100)))
    assert {generation.ended for generation in simulator.generations} == {"done"}
    await server.aclose()
    await until(lambda: simulator.open_connections == 0)


async def test_a_cloud_model_need_not_be_listed_and_says_where_to_sign_in(
    server: OllamaServer, simulator: OllamaSimulator
) -> None:
    await ask(server, "gpt-oss:120b-cloud")
    simulator.signed_in = False
    with pytest.raises(SignInNeeded) as refused:
        await ask(server, "gpt-oss:120b-cloud")
    assert refused.value.url.startswith("https://ollama.com/connect?")


async def test_what_a_model_is_known_not_to_do_is_not_asked_of_it(
    server: OllamaServer, simulator: OllamaSimulator
) -> None:
    await server.state()
    picture = Message.user("what is this?", ImagePart(b"png", "image/png"))
    tool = {"type": "function", "function": {"name": "f", "parameters": {}}}
    requests = [
        ModelRequest((picture,)),
        ModelRequest((Message.user("hi"),), tools=(tool,)),
    ]
    for request in requests:
        with pytest.raises(Unsupported):
            async for _ in server.model("gemma2:2b").stream(request):
                pass
    assert not simulator.bodies("/api/chat")
    chosen_none = ModelRequest((Message.user("hi"),), tools=(tool,), tool_choice="none")
    async for _ in server.model("gemma2:2b").stream(chosen_none):
        pass
    lenient = ModelRequest((Message.user("hi"),), tools=(tool,), think=True, drops=True)
    async for _ in server.model("gemma2:2b").stream(lenient):
        pass
    assert not {"tools", "think"} & simulator.bodies("/api/chat")[-1].keys()
    with pytest.raises(Unsupported):  # what a picture shows is the question itself
        async for _ in server.model("gemma2:2b").stream(replace(requests[0], drops=True)):
            pass


async def _first_of(call: Call) -> None:
    async with contextlib.aclosing(call.events()) as events:
        await anext(events)


async def test_who_waits_in_the_queue_of_ollama_itself_is_known_to_wait() -> None:
    async with OllamaSimulator(["paced-20ms+len-2000"], parallel=1) as simulator:
        server = OllamaServer("ollama", simulator.url, timeouts=QUICK)
        models = Models(Catalogue([server]), Prices())
        await models.refresh()
        ref, request = ModelRef("ollama", "paced-20ms+len-2000"), ModelRequest((Message.user("a"),))
        first, second = models.call(ref, request), models.call(ref, request)
        async with contextlib.aclosing(first.events()) as events:
            came = [await anext(events)]
            waiting = asyncio.create_task(_first_of(second))
            await until(lambda: models.queued(ref))
            assert models.waiting() == {"ollama": 1}
            while len(came) < 7:
                came.append(await anext(events))
        assert first.record.usage.output_tokens == 7, "a stopped answer has the tokens that came"
        assert first.record.usage.estimated
        await waiting
        assert not models.queued(ref)
        assert models.waiting() == {"ollama": 0}
        await server.aclose()


async def test_speech_is_heard_by_a_model_that_can_and_by_no_other():
    hears = SimModel("gemma4", capabilities=("audio", "completion"))
    async with OllamaSimulator(["echo", hears]) as simulator:
        server = OllamaServer("ollama", simulator.url, timeouts=QUICK)
        catalogue, log = Catalogue([server]), UsageSeen()
        await catalogue.refresh()
        voice = Transcription(Models(catalogue, Prices()), log)
        assert voice.model == ModelRef("ollama", "gemma4")
        assert await voice.text(b"RIFF", "ann") == "what was said"
        assert log.seen == [(ModelRef("ollama", "gemma4"), Purpose.TRANSCRIPTION)]
        assert server.raw("echo", "/audio/transcriptions") is None
        assert server.raw("gemma4", "/chat/completions") is None
        await catalogue.aclose()


class UsageSeen:
    def __init__(self) -> None:
        self.seen: list[tuple[ModelRef, Purpose]] = []

    async def add(self, _thread: Any, _user: Any, _turn: Any, calls: Any) -> None:
        self.seen += [(call.model, call.purpose) for call in calls]


async def test_how_much_a_model_may_be_told_to_think_follows_the_servers_version():
    for version, efforts in (("0.12.11", 3), ("0.33.0", 4)):
        async with OllamaSimulator(["thinking"], version=version) as simulator:
            server = OllamaServer("ollama", simulator.url, timeouts=QUICK)
            profile = (await models_of(server))["thinking"]
            assert len(profile.efforts) == efforts
            request = ModelRequest(
                (Message.user("hi"),), extra={"reasoning_effort": profile.efforts[-1]}
            )
            async for _ in server.model("thinking").stream(request):
                pass
            (body,) = simulator.bodies("/api/chat")
            assert body["think"] == profile.efforts[-1]
            await server.aclose()


@pytest.mark.parametrize("version", ["0.12.11", "0.33.0"])
async def test_what_is_tried_at_a_real_server_holds_at_the_simulated_one(version: str) -> None:
    models = [SimModel("json+thinking", size=2), SimModel("big", size=3), "nomic-embed-text"]
    async with OllamaSimulator(models, version=version) as simulator:
        tries = [each async for each in real_ollama.tried(simulator.url)]
        wrong = {what: why for what, why in tries if why}
        assert (len(tries), wrong) == (11, {})
        simulator.models.clear()
        (only,) = [each async for each in real_ollama.tried(simulator.url)]
        assert only == ("the list of models", "there is no model that completes")
