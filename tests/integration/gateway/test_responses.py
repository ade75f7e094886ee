"""OpenAI's own package against /v1/responses, over a translated server, an OpenAI-compatible one, and
the councils."""

import json
from typing import Any

import httpx
import openai
import pytest
from openai import AsyncOpenAI
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import BaseModel, TypeAdapter

from tests.answers import MemoryDocuments
from tests.gateway import make_key
from tests.integration.gateway.conftest import open_house
from tests.simulators.script import EXOTIC, THOUGHTS, Cycle

SERVERS = ["ollama", "gpu"]
both = pytest.mark.parametrize("server", SERVERS)
QUESTION = "Як справи, 👩‍👩‍👧‍👦?"
WEATHER: Any = {
    "type": "function",
    "name": "weather",
    "description": "Tells the weather.",
    "parameters": {"type": "object", "properties": {"echo": {"type": "string"}}},
    "strict": False,
}
PATCH: Any = {
    "type": "custom",
    "name": "apply_patch",
    "description": "Edits files.",
    "format": {"type": "grammar", "syntax": "lark", "definition": "start: /.+/"},
}
STREAM: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)


@pytest.fixture
async def house():
    async with open_house(documents=MemoryDocuments()) as house:
        yield house


def client(house, **given: Any) -> AsyncOpenAI:
    options: dict[str, Any] = {"api_key": "none", "max_retries": 0} | given
    return AsyncOpenAI(base_url=house.base, **options)


async def create(house, model: str, said: Any = QUESTION, **options: Any) -> Any:
    async with client(house) as ai:
        return await ai.responses.create(model=model, input=said, **options)


async def events_of(house, model: str, said: Any = QUESTION, **options: Any) -> list[Any]:
    """The raw events of a stream, checked against the package's types, with their numbers in order."""
    body = {"model": model, "input": said, "stream": True} | options
    found = []
    async with httpx.AsyncClient() as http:
        answer = await http.post(f"{house.base}/responses", json=body, timeout=30)
    assert answer.status_code == 200, answer.text
    for event in answer.text.split("\n\n"):
        lines = dict(line.split(": ", 1) for line in event.split("\n") if line)
        if "data" in lines:
            data = json.loads(lines["data"])
            assert data["type"] == lines["event"]
            found.append(STREAM.validate_python(data))
    assert [event.sequence_number for event in found] == list(range(len(found)))
    return found


def asked_of(house, server: str) -> Any:
    if server == "ollama":
        return house.ollama.bodies("/api/chat")[-1]
    return house.openai.bodies("/v1/chat/completions")[-1]


@both
async def test_an_answer_has_the_form_of_openais_own(house, server):
    answer = await create(house, f"{server}/echo", instructions="Be brief.")
    Response.model_validate(answer.model_dump(by_alias=True))
    assert answer.output_text == QUESTION
    assert answer.status == "completed"
    assert answer.usage.input_tokens > 0
    assert answer.usage.total_tokens == answer.usage.input_tokens + answer.usage.output_tokens
    assert asked_of(house, server)["messages"][0] == {"role": "system", "content": "Be brief."}


@both
async def test_the_events_of_a_stream_come_in_their_order(house, server):
    events = await events_of(house, f"{server}/echo", EXOTIC.strip())
    kinds = [event.type for event in events]
    deltas = kinds.count("response.output_text.delta")
    assert kinds == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
        *["response.output_text.delta"] * deltas,
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ]
    text = "".join(e.delta for e in events if e.type == "response.output_text.delta")
    assert text == EXOTIC.strip() == events[-1].response.output_text
    assert events[0].response.id == events[-1].response.id
    assert events[-1].response.usage.output_tokens > 0


@both
async def test_the_package_gathers_a_stream_to_the_same_response(house, server):
    async with (
        client(house) as ai,
        ai.responses.stream(model=f"{server}/echo", input=QUESTION) as stream,
    ):
        async for _ in stream:
            pass
        whole = await stream.get_final_response()
    assert whole.output_text == QUESTION


@both
async def test_a_tool_is_called_and_its_output_goes_back(house, server):
    await house.serve("tools")
    first = await create(
        house, f"{server}/tools", tools=[WEATHER], tool_choice="auto", parallel_tool_calls=True
    )
    call = first.output[-1]
    assert call.type == "function_call"
    assert (call.name, json.loads(call.arguments)) == ("weather", {"echo": QUESTION})
    said = [
        {"role": "user", "content": QUESTION},
        *[item.model_dump(exclude_none=True, by_alias=True) for item in first.output],
        {"type": "function_call_output", "call_id": call.call_id, "output": "19 degrees"},
        {"role": "user", "content": [{"type": "input_text", "text": "And?"}]},
    ]
    again = await create(house, f"{server}/echo", said)
    assert again.output_text == "And?"
    messages = asked_of(house, server)["messages"]
    assert [message["role"] for message in messages] == ["user", "assistant", "tool", "user"]
    assert messages[2]["tool_call_id"] == call.call_id
    assert messages[2]["content"] == "19 degrees"


@both
async def test_only_the_tools_that_are_allowed_are_told(house, server):
    await house.serve("tools")
    allowed: Any = {
        "type": "allowed_tools",
        "mode": "required",
        "tools": [{"type": "function", "name": "weather"}],
    }
    clock: Any = {"type": "function", "name": "clock", "parameters": {"type": "object"}}
    await create(house, f"{server}/tools", tools=[clock, WEATHER], tool_choice=allowed)
    told = asked_of(house, server)["tools"]
    assert [tool["function"]["name"] for tool in told] == ["weather"]


@both
async def test_a_tools_arguments_come_in_pieces(house, server):
    await house.serve("tools")
    events = await events_of(house, f"{server}/tools", tools=[WEATHER])
    kinds = [event.type for event in events]
    assert kinds[-3:] == [
        "response.function_call_arguments.done",
        "response.output_item.done",
        "response.completed",
    ]
    pieces = [e.delta for e in events if e.type == "response.function_call_arguments.delta"]
    assert json.loads("".join(pieces)) == {"echo": QUESTION}


async def test_a_tool_of_free_text_is_called_with_free_text(house):
    """Codex edits files by such a tool."""
    await house.serve("tools")
    answer = await create(house, "gpu/tools", tools=[PATCH])
    call = answer.output[-1]
    assert call.type == "custom_tool_call"
    assert QUESTION in call.input
    events = await events_of(house, "gpu/tools", tools=[PATCH])
    assert "response.custom_tool_call_input.done" in [event.type for event in events]
    function = asked_of(house, "gpu")["tools"][0]["function"]
    assert function["parameters"]["required"] == ["input"]
    assert "lark" in function["description"]
    said = [
        {"role": "user", "content": "Do it."},
        {"type": "custom_tool_call", "call_id": "c1", "name": "apply_patch", "input": "*** x"},
        {"type": "custom_tool_call_output", "call_id": "c1", "output": "Done."},
    ]
    await create(house, "gpu/echo", said, tools=[PATCH])
    sent = asked_of(house, "gpu")["messages"][1]["tool_calls"][0]["function"]
    assert json.loads(sent["arguments"]) == {"input": "*** x"}


@both
async def test_tools_of_a_namespace_are_called_by_it(house, server):
    """Codex has its sub-agents in one."""
    await house.serve("tools")
    parameters = {"type": "object", "properties": {"echo": {"type": "string"}}}
    inner = [{"type": "function", "name": "spawn", "strict": False, "parameters": parameters}]
    tools = [
        {"type": "namespace", "name": "agents", "description": "Sub-agents.", "tools": inner},
        {"type": "tool_search", "execution": "client"},
    ]
    answer = await create(house, f"{server}/tools", tools=tools)
    call = answer.output[-1]
    assert (call.type, call.namespace, call.name) == ("function_call", "agents", "spawn")
    assert [each["function"]["name"] for each in asked_of(house, server)["tools"]] == [
        "agents__spawn"
    ]
    said = [
        {"role": "user", "content": "Do it."},
        {
            "type": "function_call",
            "call_id": "c1",
            "namespace": "agents",
            "name": "spawn",
            "arguments": "{}",
        },
        {"type": "function_call_output", "call_id": "c1", "output": "Done."},
    ]
    await create(house, f"{server}/tools", said, tools=tools)
    sent = asked_of(house, server)["messages"][1]["tool_calls"][0]["function"]
    assert sent["name"] == "agents__spawn"


@both
async def test_thinking_is_an_item_of_its_own(house, server):
    await house.serve("thinking")
    answer = await create(house, f"{server}/thinking", reasoning={"effort": "medium"})
    assert [item.type for item in answer.output] == ["reasoning", "message"]
    assert answer.output[0].summary[0].text == "".join(THOUGHTS)
    events = await events_of(house, f"{server}/thinking")
    kinds = [event.type for event in events]
    done = kinds.index("response.reasoning_summary_text.done")
    assert kinds[done : done + 4] == [
        "response.reasoning_summary_text.done",
        "response.reasoning_summary_part.done",
        "response.output_item.done",
        "response.output_item.added",
    ]


@both
async def test_what_codex_sends_is_understood(house, server):
    body: Any = {
        "model": f"{server}/echo",
        "instructions": "You are Codex.",
        "input": [
            {
                "type": "message",
                "role": "developer",
                "content": [{"type": "input_text", "text": "Rules."}],
            },
            {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "x"},
            {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hi"}]},
        ],
        "tools": [{"type": "web_search", "external_web_access": False}],
        "tool_choice": "auto",
        "parallel_tool_calls": False,
        "reasoning": {"effort": "medium", "summary": "auto"},
        "store": False,
        "include": ["reasoning.encrypted_content"],
        "prompt_cache_key": "abc",
        "text": {"verbosity": "low"},
        "client_metadata": {},
    }
    events = await events_of(house, body.pop("model"), body.pop("input"), **body)
    assert events[-1].type == "response.completed"
    assert events[-1].response.output_text == "Hi"
    assert events[-1].response.store is False
    asked = asked_of(house, server)
    assert [message["content"] for message in asked["messages"]][-1] == "Hi"
    assert not asked.get("tools")


@both
async def test_json_by_a_schema_is_parsed_by_the_package(house, server):
    class Answer(BaseModel):
        answer: str

    await house.serve("json")
    async with client(house) as ai:
        answer = await ai.responses.parse(
            model=f"{server}/json", input=QUESTION, text_format=Answer
        )
    assert answer.output_parsed is not None
    assert answer.output_parsed.answer == QUESTION


@both
async def test_an_answer_that_hits_its_bound_is_incomplete(house, server):
    await house.serve("len-50")
    answer = await create(house, f"{server}/len-50", max_output_tokens=5)
    assert answer.status == "incomplete"
    assert answer.incomplete_details.reason == "max_output_tokens"
    assert answer.output_text == "".join(Cycle(5))
    events = await events_of(house, f"{server}/len-50", max_output_tokens=5)
    assert events[-1].type == "response.incomplete"
    assert answer.output[0].status == events[-1].response.output[0].status == "incomplete"


async def test_images_reach_the_model_also_those_that_a_tool_gave(house):
    image = {"type": "input_image", "image_url": "data:image/png;base64,cG5n", "detail": "auto"}
    said = [
        {"role": "user", "content": [{"type": "input_text", "text": "See"}, image]},
        {"type": "function_call", "call_id": "c1", "name": "a", "arguments": "{}"},
        {"type": "function_call", "call_id": "c2", "name": "b", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c1", "output": [image]},
        {"type": "function_call_output", "call_id": "c2", "output": "ok"},
    ]
    await house.serve("llava")
    await create(house, "ollama/llava", said)
    messages = asked_of(house, "ollama")["messages"]
    assert [m["role"] for m in messages] == ["user", "assistant", "tool", "tool", "user"]
    assert len(messages[1]["tool_calls"]) == 2
    assert messages[0]["images"] == messages[-1]["images"] == ["cG5n"]


@both
async def test_a_response_is_continued_by_its_id(house, server):
    async with client(house) as ai:
        first = await ai.responses.create(model=f"{server}/echo", input="One")
        second = await ai.responses.create(
            model=f"{server}/echo", input="Two", previous_response_id=first.id
        )
        third = await ai.responses.create(
            model=f"{server}/echo", input="Three", previous_response_id=second.id, stream=True
        )
        last = [event async for event in third][-1]
    assert last.type == "response.completed"
    assert last.response.previous_response_id == second.id
    said = [message["content"] for message in asked_of(house, server)["messages"]]
    assert said == ["One", "One", "Two", "Two", "Three"]


async def test_items_are_referred_to_by_their_ids(house):
    """The AI SDK does so by default."""
    await house.serve("tools")
    first = await create(house, "gpu/tools", tools=[WEATHER])
    call = first.output[-1]
    said = [
        {"role": "user", "content": QUESTION},
        {"type": "item_reference", "id": call.id},
        {"type": "function_call_output", "call_id": call.call_id, "output": "19"},
    ]
    await create(house, "gpu/echo", said)
    assert asked_of(house, "gpu")["messages"][1]["tool_calls"][0]["id"] == call.call_id
    with pytest.raises(openai.NotFoundError):
        await create(house, "gpu/echo", [{"type": "item_reference", "id": "msg_nothing_0"}])


async def test_a_response_is_shown_and_deleted_and_only_to_its_own_caller(house):
    _, one = await make_key(house.services)
    _, other = await make_key(house.services)
    async with client(house, api_key=one) as ai, client(house, api_key=other) as stranger:
        made = await ai.responses.create(model="gpu/echo", input="Hi")
        found = await ai.responses.retrieve(made.id)
        assert found.output_text == "Hi"
        items = await ai.responses.input_items.list(made.id)
        assert len(items.data) == 1
        said: Any = [{"role": "user", "content": text} for text in "abcd"]
        several = await ai.responses.create(model="gpu/echo", input=said)
        for order, expected in (("asc", "abcd"), ("desc", "dcba")):
            pages = ai.responses.input_items.list(several.id, order=order, limit=3)  # type: ignore[arg-type]  # both are orders
            assert "".join([item.content async for item in pages]) == expected  # type: ignore[union-attr,misc]  # all are messages
        with pytest.raises(openai.NotFoundError):
            await stranger.responses.retrieve(made.id)
        with pytest.raises(openai.NotFoundError):
            await stranger.responses.create(
                model="gpu/echo", input="x", previous_response_id=made.id
            )
        with pytest.raises(openai.BadRequestError, match="background"):
            await ai.responses.cancel(made.id)
        with pytest.raises(openai.BadRequestError, match="background"):
            await ai.responses.retrieve(made.id, stream=True)
        with pytest.raises(openai.NotFoundError, match="not compacted"):
            await ai.responses.compact(model="gpu/echo", input="x")
        await ai.responses.delete(made.id)
        with pytest.raises(openai.NotFoundError):
            await ai.responses.retrieve(made.id)
        unkept = await ai.responses.create(model="gpu/echo", input="Hi", store=False)
        with pytest.raises(openai.NotFoundError):
            await ai.responses.retrieve(unkept.id)


async def test_a_council_answers(house):
    body: Any = {"konsilium": {"model": "ollama/echo"}}
    answer = await create(house, "konsilium/best-of", extra_body=body)
    assert [item.type for item in answer.output] == ["reasoning", "message"]


async def test_tokens_are_estimated_before_anything_is_asked(house):
    async with client(house) as ai:
        counted = await ai.responses.input_tokens.count(
            model="ollama/echo", input="word " * 1000, tools=[WEATHER]
        )
        with pytest.raises(openai.NotFoundError):
            await ai.responses.input_tokens.count(model="ollama/nothing", input="word")
    assert 700 < counted.input_tokens < 2000
    assert not house.ollama.bodies("/api/chat")


@pytest.mark.parametrize(
    "wrong",
    [
        {"input": 5},
        {"input": []},
        {"input": [7]},
        {"input": [{"type": "magic"}]},
        {"input": [{"role": "user", "content": [{"type": "input_file", "file_id": "f"}]}]},
        {"tools": {"type": "function"}},
        {"tools": [7]},
        {"tools": [{"type": "code_interpreter", "container": {"type": "auto"}}]},
        {"tools": [{"type": "custom"}]},
        {"text": {"format": {"type": "yaml"}}},
        {"text": 5},
        {"reasoning": "hard"},
        {"background": True},
        {"conversation": "conv_1"},
        {"previous_response_id": 7},
        {"instructions": 5},
        {"tool_choice": {"type": "mcp"}},
        {"metadata": 5, "input": None},
        {"max_output_tokens": "5"},
        {"max_output_tokens": 1.5},
    ],
)
async def test_what_is_not_to_be_had_is_a_400_that_says_so(house, wrong):
    body = {"model": "gpu/echo", "input": "Hi"} | wrong
    async with httpx.AsyncClient() as http:
        answer = await http.post(f"{house.base}/responses", json=body)
    assert answer.status_code == 400, answer.text
    error = answer.json()["error"]
    assert error["message"]
    assert error["param"].startswith(tuple(wrong)), "a field that the client knows"


@both
@pytest.mark.parametrize("fault", ["cut", "reset", "error", "torn"])
async def test_a_stream_that_breaks_fails_and_never_looks_whole(house, server, fault):
    model = f"{fault}-after-3"
    await house.serve(model)
    events = await events_of(house, f"{server}/{model}")
    assert [event.type for event in events[-2:]] == ["error", "response.failed"]
    assert events[-1].response.status == "failed"
    assert events[-1].response.error.message
