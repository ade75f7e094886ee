"""GigaChat, as its documentation has it: tokens of half an hour, one answer at a time, functions."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from app.core.errors import SettingsInvalid, WrongKey
from app.core.events import Finished, TextDelta, ToolCallDelta
from app.core.messages import Message, TextPart, ToolCall
from app.core.providers import PRESETS, Preset, provider_of
from app.core.requests import ModelRequest, RawRequest, Sampling
from app.core.usage import Usage
from app.providers.deadline import CLOUD
from app.providers.openai_compatible import check_authorities
from app.providers.openai_compatible.access_tokens import AccessTokens
from app.providers.openai_compatible.server import OpenAICompatibleServer
from app.providers.transport import Transport
from tests.simulators import GigaChatSimulator
from tests.simulators.gigachat import FORBIDDEN, KEY

WEATHER = {
    "type": "function",
    "function": {"name": "weather", "parameters": {"type": "object"}, "strict": True},
}


def preset_of(sber: GigaChatSimulator) -> Preset:
    values = {"url": sber.base_url, "token_url": sber.token_url, "key": KEY}
    return provider_of("gigachat").connection(values)


@pytest.fixture
async def sber() -> AsyncIterator[GigaChatSimulator]:
    async with GigaChatSimulator(["echo", "tools", "Embeddings"]) as simulator:
        yield simulator


@pytest.fixture
async def server(sber: GigaChatSimulator) -> AsyncIterator[OpenAICompatibleServer]:
    server = OpenAICompatibleServer(preset_of(sber), KEY)
    yield server
    await server.aclose()


async def events_of(
    server: OpenAICompatibleServer, model: str, request: ModelRequest | str
) -> list[Any]:
    if isinstance(request, str):
        request = ModelRequest((Message.user(request),))
    async with contextlib.aclosing(server.model(model).stream(request)) as events:
        return [event async for event in events]


async def test_one_token_serves_many_requests_and_carries_what_it_was_asked_for(
    sber: GigaChatSimulator, server: OpenAICompatibleServer
) -> None:
    for _ in range(3):
        await events_of(server, "echo", "раз")
    [asked] = [one for one in sber.requests if one.path == "/oauth"]
    assert asked.headers["authorization"] == f"Basic {KEY}"
    assert len(asked.headers["rquid"]) == 36
    assert "scope=GIGACHAT_API_PERS" in str(asked.body)


async def test_all_who_need_a_token_at_once_wait_for_the_same_one(
    sber: GigaChatSimulator, server: OpenAICompatibleServer
) -> None:
    sber.latency = 0.05
    states = await asyncio.gather(*(server.state() for _ in range(8)))
    assert all(state.error is None for state in states)
    assert sber.tokens == ["token-1"]


async def test_a_token_that_is_refused_before_its_time_is_fetched_anew_once(
    sber: GigaChatSimulator, server: OpenAICompatibleServer
) -> None:
    await events_of(server, "echo", "раз")
    sber.end_tokens()
    assert TextDelta("два") in await events_of(server, "echo", "два")
    assert sber.tokens == ["token-1", "token-2"]


async def test_a_token_is_renewed_a_minute_before_it_ends(sber: GigaChatSimulator) -> None:
    now = [1_000_000.0]
    sber.lasts = 1800.0
    transport = Transport(CLOUD, local=True)
    tokens = AccessTokens(sber.token_url, "PERS", KEY, transport, "gigachat", lambda: now[0])
    await tokens.current()
    until = tokens.until
    for moment, token in ((until - 1, "token-1"), (until, "token-2")):
        now[0] = moment
        assert await tokens.current() == token
    await transport.aclose()


async def test_a_key_that_is_none_is_a_wrong_key(sber: GigaChatSimulator) -> None:
    server = OpenAICompatibleServer(preset_of(sber), "bm9uZTpub25l")
    state = await server.state()
    assert isinstance(state.error, WrongKey)
    assert "bm9uZTpub25l" not in state.error.detail
    await server.aclose()


async def test_tools_go_and_come_as_functions(
    sber: GigaChatSimulator, server: OpenAICompatibleServer
) -> None:
    called = Message("assistant", (), tool_calls=(ToolCall("c1", "weather", '{"at": "Омск"}'),))
    told = Message("tool", (TextPart("+5"),), tool_call_id="c1")
    messages = (Message.user("?"), called, told, Message.system("Кратко."), Message.user("Омск"))
    request = ModelRequest(
        messages, Sampling(temperature=0.0, max_tokens=5), tools=(WEATHER,), tool_choice="auto"
    )
    events = await events_of(server, "tools", request)
    assert events[0] == ToolCallDelta(0, None, "weather", '{"echo": "Омск"}')
    assert events[-1].finish_reason == "tool_calls"
    body = sber.bodies("/api/v1/chat/completions")[-1]
    assert body["functions"] == [{"name": "weather", "parameters": {"type": "object"}}]
    assert (body["function_call"], body["temperature"], body["max_tokens"]) == ("auto", 0.001, 5)
    assert body["messages"] == [
        {"role": "system", "content": "Кратко."},
        {"role": "user", "content": "?"},
        {
            "role": "assistant",
            "content": "",
            "function_call": {"name": "weather", "arguments": {"at": "Омск"}},
        },
        {"role": "function", "name": "weather", "content": '{"result": "+5"}'},
        {"role": "user", "content": "Омск"},
    ]


@pytest.mark.parametrize("streaming", [True, False])
async def test_a_client_of_the_gateway_sees_tools(
    server: OpenAICompatibleServer, streaming: bool
) -> None:
    asked = {
        "messages": [{"role": "user", "content": [{"type": "text", "text": "Омск"}]}],
        "tools": [WEATHER],
        "tool_choice": {"type": "function", "function": {"name": "weather"}},
        "stream": streaming,
    }
    request = RawRequest("/chat/completions", asked, stream=streaming)
    if streaming:
        pieces = [piece async for piece in server.raw("tools").raw_stream(request)]
        said = b"".join(piece.data for piece in pieces).decode()
        chunks = [json.loads(line[6:]) for line in said.splitlines() if line.startswith("data: {")]
        choices = [chunk["choices"][0] for chunk in chunks if chunk["choices"]]
        [call] = next(one["delta"]["tool_calls"] for one in choices if "tool_calls" in one["delta"])
        assert choices[-1]["finish_reason"] == "tool_calls"
        assert all(chunk["object"] == "chat.completion.chunk" for chunk in chunks)
    else:
        answer = json.loads((await server.raw("tools").raw_answer(request)).body)
        [choice] = answer["choices"]
        [call] = choice["message"]["tool_calls"]
        assert choice["finish_reason"] == "tool_calls"
        assert "function_call" not in choice["message"]
    assert call["id"].startswith("call_")
    assert call["function"] == {"name": "weather", "arguments": '{"echo": "Омск"}'}


async def test_a_forbidden_subject_ends_with_the_filter_and_kept_tokens_are_counted(
    server: OpenAICompatibleServer,
) -> None:
    *_, end = await events_of(server, "echo", FORBIDDEN)
    assert end.finish_reason == "content_filter"
    *_, end = await events_of(server, "echo", "раз два")
    assert isinstance(end, Finished)
    assert end.usage == Usage(input_tokens=6, output_tokens=2, cached_tokens=3)


async def test_tokens_are_counted_by_the_server_itself(server: OpenAICompatibleServer) -> None:
    assert await server.count_tokens("echo", "раз два три") == 3


async def test_a_client_is_told_of_kept_tokens_as_openai_tells_it(
    server: OpenAICompatibleServer,
) -> None:
    body = {"messages": [{"role": "user", "content": "раз два"}]}
    answer = await server.model("echo").raw_answer(RawRequest("/chat/completions", body))
    usage = json.loads(answer.body)["usage"]
    assert (usage["prompt_tokens"], usage["completion_tokens"], usage["total_tokens"]) == (6, 2, 8)
    assert usage["prompt_tokens_details"] == {"cached_tokens": 3}


async def test_vectors_are_asked_for_one_at_a_time_and_their_tokens_added_up(
    server: OpenAICompatibleServer,
) -> None:
    vectors, usage = await server.embed("Embeddings", ["раз", "два", "три"])
    assert len(vectors) == 3
    assert usage.input_tokens == 6


async def test_one_answer_at_a_time_is_what_a_person_is_let_and_ten_a_company(
    sber: GigaChatSimulator, server: OpenAICompatibleServer
) -> None:
    assert (await server.state()).at_once == 1
    values = {"key": KEY, "scope": "GIGACHAT_API_CORP"}
    assert provider_of("gigachat").connection(values).at_once == 10


def test_authorities_that_cannot_be_read_are_named_at_the_start(tmp_path: Any) -> None:
    wrong = tmp_path / "ca.pem"
    wrong.write_text("none")
    for path in (wrong, tmp_path / "absent.pem"):
        with pytest.raises(SettingsInvalid, match="GIGACHAT_CA_BUNDLE_FILE"):
            check_authorities(
                replace(PRESETS["gigachat"], ca_file=str(path)), "GIGACHAT_CA_BUNDLE_FILE"
            )
