"""Anthropic's own package against /v1/messages, over a translated server, an OpenAI-compatible one,
and the councils."""

import base64
import json
from typing import Any

import anthropic
import httpx
import pytest
from anthropic import AsyncAnthropic
from anthropic.types import Message, MessageTokensCount, ModelInfo, RawMessageStreamEvent
from pydantic import TypeAdapter

from tests.gateway import make_key
from tests.simulators.script import EXOTIC, THOUGHTS, Cycle

SERVERS = ["ollama", "gpu"]
both = pytest.mark.parametrize("server", SERVERS)
QUESTION = "Як справи, 👩‍👩‍👧‍👦?"
WEATHER: Any = {
    "name": "weather",
    "description": "Tells the weather.",
    "input_schema": {"type": "object", "properties": {"echo": {"type": "string"}}},
}
THINK: Any = {"type": "enabled", "budget_tokens": 1024}


def client(house, **given: Any) -> AsyncAnthropic:
    options: dict[str, Any] = {"api_key": "none", "max_retries": 0} | given
    return AsyncAnthropic(base_url=house.url, **options)


def ask(content: Any = QUESTION) -> Any:
    return [{"role": "user", "content": content}]


async def create(house, model: str, messages: Any = None, **options: Any) -> Message:
    async with client(house) as ai:
        answer: Message = await ai.messages.create(
            model=model, max_tokens=1000, messages=messages or ask(), **options
        )
        return answer


async def events_of(house, model: str, **options: Any) -> list[Any]:
    """The raw events of a stream, checked against the package's types."""
    checked: TypeAdapter[Any] = TypeAdapter(RawMessageStreamEvent)
    body = {"model": model, "max_tokens": 1000, "messages": ask(), "stream": True} | options
    found = []
    async with httpx.AsyncClient() as http:
        answer = await http.post(f"{house.base}/messages", json=body, timeout=30)
    for event in answer.text.split("\n\n"):
        lines = dict(line.split(": ", 1) for line in event.split("\n") if line)
        if lines and lines["event"] != "ping":
            data = json.loads(lines["data"])
            assert data["type"] == lines["event"]
            found.append(checked.validate_python(data) if data["type"] != "error" else data)
    return found


@both
async def test_an_answer_has_the_form_of_anthropics_own(house, server):
    answer = await create(house, f"{server}/echo", system="Be brief.")
    Message.model_validate(answer.model_dump())
    assert [block.type for block in answer.content] == ["text"]
    assert answer.content[0].text == QUESTION  # type: ignore[union-attr]  # a text, as was just seen
    assert answer.role == "assistant"
    assert answer.stop_reason == "end_turn"
    assert answer.stop_sequence is None
    assert answer.usage.input_tokens > 0
    assert answer.usage.output_tokens > 0
    assert answer._request_id  # noqa: SLF001 - how the package names it


@both
async def test_a_stream_is_gathered_by_the_package_to_the_same_message(house, server):
    async with (
        client(house) as ai,
        ai.messages.stream(
            model=f"{server}/echo", max_tokens=1000, messages=ask(EXOTIC.strip())
        ) as stream,
    ):
        text = "".join([piece async for piece in stream.text_stream])
        whole = await stream.get_final_message()
    assert text == EXOTIC.strip()
    assert whole.stop_reason == "end_turn"
    assert whole.content[0].text == text  # type: ignore[union-attr]
    assert whole.usage.output_tokens > 0


@both
async def test_the_events_of_a_stream_come_in_their_order(house, server):
    events = await events_of(house, f"{server}/echo")
    kinds = [event.type for event in events]
    deltas = kinds.count("content_block_delta")
    assert deltas > 0
    assert kinds == [
        "message_start",
        "content_block_start",
        *["content_block_delta"] * deltas,
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]
    assert events[0].message.content == []
    assert events[-2].delta.stop_reason == "end_turn"
    assert events[-2].usage.output_tokens > 0


@both
async def test_a_tool_is_called_and_its_result_goes_back(house, server):
    await house.serve("tools")
    answer = await create(house, f"{server}/tools", tools=[WEATHER])
    assert answer.stop_reason == "tool_use"
    call = answer.content[-1]
    assert call.type == "tool_use"
    assert (call.name, call.input) == ("weather", {"echo": QUESTION})
    messages = [
        *ask(),
        {"role": "assistant", "content": [block.model_dump() for block in answer.content]},
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": call.id, "content": "19 degrees"},
                {"type": "text", "text": "And?"},
            ],
        },
    ]
    again = await create(house, f"{server}/echo", messages)
    assert again.content[0].text == "And?"  # type: ignore[union-attr]
    simulator, path = {
        "ollama": (house.ollama, "/api/chat"),
        "gpu": (house.openai, "/v1/chat/completions"),
    }[server]
    asked = simulator.bodies(path)[-1]["messages"]
    assert [message["role"] for message in asked] == ["user", "assistant", "tool", "user"]
    assert asked[1]["tool_calls"][0]["function"]["name"] == "weather"
    assert asked[2]["tool_call_id"] == call.id
    assert asked[2]["content"] == "19 degrees"


@both
async def test_a_tools_input_comes_in_pieces_of_json(house, server):
    await house.serve("tools")
    events = await events_of(house, f"{server}/tools", tools=[WEATHER])
    start = next(event for event in events if event.type == "content_block_start")
    assert start.content_block.type == "tool_use"
    assert start.content_block.input == {}
    pieces = [e.delta.partial_json for e in events if e.type == "content_block_delta"]
    assert json.loads("".join(pieces)) == {"echo": QUESTION}
    assert events[-2].delta.stop_reason == "tool_use"


@both
async def test_thinking_is_a_block_of_its_own_for_those_who_ask(house, server):
    await house.serve("thinking")
    answer = await create(house, f"{server}/thinking", thinking=THINK)
    assert [block.type for block in answer.content] == ["thinking", "text"]
    assert answer.content[0].thinking == "".join(THOUGHTS)  # type: ignore[union-attr]
    events = await events_of(house, f"{server}/thinking", thinking=THINK)
    blocks = [e.content_block.type for e in events if e.type == "content_block_start"]
    assert blocks == ["thinking", "text"]
    deltas = [e.delta.type for e in events if e.type == "content_block_delta"]
    assert deltas[deltas.index("text_delta") - 1] == "signature_delta"


@both
async def test_thinking_that_nobody_asked_for_is_not_shown(house, server):
    await house.serve("thinking")
    answer = await create(house, f"{server}/thinking")
    assert [block.type for block in answer.content] == ["text"]
    events = await events_of(house, f"{server}/thinking")
    assert [e.content_block.type for e in events if e.type == "content_block_start"] == ["text"]


@both
async def test_what_was_thought_before_is_taken_back_without_complaint(house, server):
    said = [
        {"type": "thinking", "thinking": "Hm.", "signature": "unsigned"},
        {"type": "redacted_thinking", "data": "xyz"},
        {"type": "text", "text": ""},
        {"type": "text", "text": "Yes."},
    ]
    messages = [*ask("A?"), {"role": "assistant", "content": said}, *ask("B?")]
    answer = await create(house, f"{server}/echo", messages)
    assert answer.content[0].text == "B?"  # type: ignore[union-attr]


async def test_a_model_that_does_not_think_answers_all_the_same(house):
    """Claude Code asks every model to think; Ollama refuses it for models that cannot."""
    answer = await create(house, "ollama/echo", thinking=THINK)
    assert answer.content[0].text == QUESTION  # type: ignore[union-attr]
    assert "think" not in house.ollama.bodies("/api/chat")[-1]


async def test_images_reach_the_model_also_those_that_a_tool_gave(house):
    png = base64.b64encode(b"png").decode()
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": png}}
    call = {"type": "tool_use", "id": "t1", "name": "shot", "input": {}}
    result = {"type": "tool_result", "tool_use_id": "t1", "content": [image], "is_error": False}
    messages = [
        *ask([image, {"type": "text", "text": "What is it?"}]),
        {"role": "assistant", "content": [call]},
        *ask([result]),
    ]
    await house.serve("llava")
    await create(house, "ollama/llava", messages)
    asked = house.ollama.bodies("/api/chat")[-1]["messages"]
    assert asked[0]["images"] == [png]
    assert asked[-2]["role"] == "tool"
    assert asked[-1]["images"] == [png]


async def test_a_result_that_is_an_error_says_so(house):
    call = {"type": "tool_use", "id": "t1", "name": "run", "input": {"x": 1}}
    result = {"type": "tool_result", "tool_use_id": "t1", "content": "no file", "is_error": True}
    messages = [*ask(), {"role": "assistant", "content": [call]}, *ask([result])]
    await create(house, "gpu/echo", messages)
    asked = house.openai.bodies("/v1/chat/completions")[-1]["messages"]
    assert asked[-1] == {"role": "tool", "tool_call_id": "t1", "content": "Error: no file"}
    assert json.loads(asked[1]["tool_calls"][0]["function"]["arguments"]) == {"x": 1}


@both
async def test_what_claude_code_sends_is_understood(house, server):
    """A system prompt in blocks, cache marks, metadata, betas, a query and any model's bound."""
    mark = {"type": "ephemeral"}
    body = {
        "model": f"{server}/echo",
        "max_tokens": 32000,
        "stream": True,
        "metadata": {"user_id": "user_1"},
        "system": [
            {"type": "text", "text": "You are Claude Code.", "cache_control": mark},
            {"type": "text", "text": "Be brief.", "cache_control": mark},
        ],
        "messages": ask([{"type": "text", "text": "Hi", "cache_control": mark}]),
        "tools": [WEATHER | {"cache_control": mark}] if server == "gpu" else [],
        "tool_choice": {"type": "auto", "disable_parallel_tool_use": True},
        "stop_sequences": ["END"],
        "temperature": 1,
        "context_management": {"edits": []},
    }
    headers = {"anthropic-version": "2023-06-01", "anthropic-beta": "claude-code-20250219"}
    async with httpx.AsyncClient(headers=headers) as http:
        answer = await http.post(f"{house.base}/messages?beta=true", json=body)
    assert answer.status_code == 200, answer.text
    assert "message_stop" in answer.text
    simulator, path = {
        "ollama": (house.ollama, "/api/chat"),
        "gpu": (house.openai, "/v1/chat/completions"),
    }[server]
    asked = simulator.bodies(path)[-1]
    assert asked["messages"][0]["content"] == "You are Claude Code.\n\nBe brief."
    assert (asked.get("stop") or asked["options"]["stop"]) == ["END"]
    if server == "ollama":
        assert "num_predict" not in asked["options"], "the window has but 8192"


@both
async def test_an_answer_that_hits_its_bound_says_so(house, server):
    await house.serve("len-50")
    async with client(house) as ai:
        answer = await ai.messages.create(model=f"{server}/len-50", max_tokens=5, messages=ask())
    assert answer.stop_reason == "max_tokens"
    assert answer.content[0].text == "".join(Cycle(5))  # type: ignore[union-attr]
    whole: Any = 5.0  # as a program says it whose numbers are all alike
    async with client(house) as ai:
        answer = await ai.messages.create(
            model=f"{server}/len-50", max_tokens=whole, messages=ask()
        )
    assert answer.stop_reason == "max_tokens"


async def test_json_by_a_schema_comes_as_asked(house):
    await house.serve("json")
    schema = {"type": "object", "properties": {"answer": {"type": "string"}}}
    config: Any = {"format": {"type": "json_schema", "schema": schema}}
    answer = await create(house, "ollama/json", output_config=config)
    assert json.loads(answer.content[0].text)["answer"] == QUESTION  # type: ignore[union-attr]


async def test_tokens_are_estimated_before_anything_is_asked(house):
    async with client(house) as ai:
        few = await ai.messages.count_tokens(model="ollama/echo", messages=ask("Hi"))
        many = await ai.messages.count_tokens(
            model="ollama/echo", messages=ask("word " * 1000), system="s", tools=[WEATHER]
        )
    MessageTokensCount.model_validate(few.model_dump())
    assert 0 < few.input_tokens < 20
    assert 700 < many.input_tokens < 2000
    assert not house.ollama.bodies("/api/chat")


async def test_the_models_are_listed_in_anthropics_form(house):
    async with client(house) as ai:
        listed = [model async for model in await ai.models.list()]
        one = await ai.models.retrieve("ollama/echo")
    assert {"ollama/echo", "gpu/echo"} <= {model.id for model in listed}
    for model in (*listed, one):
        ModelInfo.model_validate(model.model_dump())


async def test_a_council_answers_and_its_deliberation_is_thinking(house):
    body: Any = {"konsilium": {"model": "ollama/echo"}}
    answer = await create(house, "konsilium/best-of", extra_body=body)
    assert [block.type for block in answer.content] == ["text"]
    answer = await create(house, "konsilium/best-of", extra_body=body, thinking=THINK)
    assert [block.type for block in answer.content] == ["thinking", "text"]
    with pytest.raises(anthropic.BadRequestError, match="tools"):
        await create(house, "konsilium/best-of", extra_body=body, tools=[WEATHER])


async def test_errors_come_in_anthropics_form(house):
    with pytest.raises(anthropic.NotFoundError) as missing:
        await create(house, "ollama/nothing")
    said: Any = missing.value.body
    assert said["type"] == "error"
    assert said["error"]["type"] == "not_found_error"
    assert "nothing" in said["error"]["message"]
    await house.serve("context", "error-429", "error-500")
    with pytest.raises(anthropic.BadRequestError, match="prompt is too long"):
        await create(house, "gpu/context")
    with pytest.raises(anthropic.RateLimitError):
        await create(house, "gpu/error-429")
    with pytest.raises(anthropic.BadRequestError, match="messages"):
        await create(house, "gpu/echo", [{"role": "robot", "content": "x"}])
    async with httpx.AsyncClient() as http:
        for sent in ("{", "[]", '{"model": "gpu/echo"}'):
            answer = await http.post(f"{house.base}/messages", content=sent)
            assert answer.status_code == 400
            assert answer.json()["error"]["type"] == "invalid_request_error"
        wrong = await http.get(f"{house.base}/messages")
        assert (wrong.status_code, wrong.json()["type"]) == (405, "error")
    servers = [{"type": "url", "name": "x", "url": "https://mcp.example"}]
    with pytest.raises(anthropic.BadRequestError, match="mcp_servers"):
        await create(house, "gpu/echo", extra_body={"mcp_servers": servers})


async def test_a_key_goes_by_either_header_and_has_its_limits(house):
    _, secret = await make_key(house.services, models=("ollama/*",))
    for options in ({"api_key": secret}, {"api_key": None, "auth_token": secret}):
        async with client(house, **options) as ai:
            answer = await ai.messages.create(
                model="ollama/echo", max_tokens=10, messages=ask("Hi")
            )
            assert answer.content[0].text == "Hi"  # type: ignore[union-attr]
            with pytest.raises(anthropic.NotFoundError):
                await ai.messages.create(model="gpu/echo", max_tokens=10, messages=ask())
    async with client(house, api_key="sk-kons-unknown") as ai:
        with pytest.raises(anthropic.AuthenticationError) as refused:
            await ai.messages.create(model="ollama/echo", max_tokens=10, messages=ask())
    said: Any = refused.value.body
    assert said["error"]["type"] == "authentication_error"


@both
@pytest.mark.parametrize("fault", ["cut", "reset", "error", "torn"])
async def test_a_stream_that_breaks_ends_in_an_error_and_never_looks_whole(house, server, fault):
    model = f"{fault}-after-3"
    await house.serve(model)
    events = await events_of(house, f"{server}/{model}")
    assert events[-1]["type"] == "error"
    assert events[-1]["error"]["type"] == "api_error"
    assert not [e for e in events[:-1] if e.type in ("message_delta", "message_stop")]
    async with client(house) as ai:
        with pytest.raises(anthropic.APIError):
            async with ai.messages.stream(
                model=f"{server}/{model}", max_tokens=100, messages=ask()
            ) as stream:
                await stream.get_final_message()


async def test_while_a_model_loads_pings_keep_the_stream_alive(house):
    await house.serve("load-1s")
    async with (
        client(house) as ai,
        ai.messages.stream(model="ollama/load-1s", max_tokens=99, messages=ask("Hi")) as stream,
    ):
        assert (await stream.get_final_message()).content[0].text == "Hi"  # type: ignore[union-attr]
    body = {"model": "ollama/load-1s+echo", "max_tokens": 9, "messages": ask(), "stream": True}
    await house.serve("load-1s+echo")
    async with httpx.AsyncClient() as http:
        answer = await http.post(f"{house.base}/messages", json=body, timeout=30)
    assert answer.text.startswith("event: ping\n")
