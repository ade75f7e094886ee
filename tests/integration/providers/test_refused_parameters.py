"""What a model refuses is left out or named otherwise, remembered, shown, and tried again in a week."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import web

from app.core.errors import BadRequest, KonsiliumError, Unsupported
from app.core.events import TextDelta
from app.core.messages import Message, alternating
from app.core.requests import JsonSchema, ModelRequest, RawRequest, Sampling
from app.providers.openai_compatible import RefusedParameters, any_server
from app.providers.openai_compatible.refused import (
    DROPPED,
    SCOPE,
    WITH_FORMAT,
    refused_parameter,
)
from app.providers.openai_compatible.server import OpenAICompatibleServer
from app.providers.upstream_errors import error_in_body

REFUSALS = {
    "max_tokens": "Unsupported parameter: 'max_tokens' is not supported with this model. Use"
    " 'max_completion_tokens' instead.",
    "temperature": "Unsupported value: 'temperature' does not support 0.7 with this model.",
    "response_format": "This response_format type is unavailable now",
    "stream_options": "body.stream_options: Extra inputs are not permitted",
}


class Memory:
    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], Mapping[str, Any]] = {}

    async def items(self, scope: str) -> dict[str, Mapping[str, Any]]:
        return {key: value for (within, key), value in self.kept.items() if within == scope}

    async def put(self, scope: str, key: str, value: Mapping[str, Any]) -> None:
        self.kept[scope, key] = value


@asynccontextmanager
async def strict(
    refuses: tuple[str, ...], *, late: bool = False
) -> AsyncIterator[tuple[str, list[dict[str, Any]]]]:
    """A server that refuses those parameters (`late`: with status 200), and what it was sent."""
    bodies: list[dict[str, Any]] = []

    async def complete(request: web.Request) -> web.StreamResponse:
        body = await request.json()
        bodies.append(body)
        for name in refuses:
            if name in body:
                error = {"error": {"message": REFUSALS.get(name, f"odd does not support {name}")}}
                if late:
                    return web.Response(text=f": hi\n\ndata: {json.dumps(error)}\n\n")
                return web.json_response(error, status=400)
        chunk = {"choices": [{"index": 0, "delta": {"content": "ok"}, "finish_reason": "stop"}]}
        return web.Response(text=f"data: {json.dumps(chunk)}\n\ndata: [DONE]\n\n")

    async def models(_: web.Request) -> web.Response:
        return web.json_response({"data": [{"id": "odd"}]})

    app = web.Application()
    app.router.add_post("/v1/chat/completions", complete)
    app.router.add_get("/v1/models", models)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    yield f"http://127.0.0.1:{port}/v1", bodies
    await runner.cleanup()


ASKED = ModelRequest(
    (Message.user("hi"),),
    Sampling(temperature=0.7, max_tokens=50),
    JsonSchema("answer", {"type": "object"}),
)


async def say(server: OpenAICompatibleServer) -> str:
    async with aclosing(server.model("odd").stream(ASKED)) as events:
        return "".join([event.text async for event in events if isinstance(event, TextDelta)])


@pytest.mark.parametrize("names", [("max_tokens",), ("temperature", "max_tokens"), tuple(REFUSALS)])
async def test_a_refused_parameter_is_learned_once(names: tuple[str, ...]) -> None:
    found = {name.replace("response_format", "response_format.json_schema") for name in names}
    async with strict(names) as (url, bodies):
        memory = Memory()
        refused = RefusedParameters(memory)
        async with aclosing(
            OpenAICompatibleServer(any_server("lab", url), refused=refused)
        ) as server:
            assert await say(server) == "ok"
            assert len(bodies) == len(names) + 1
            assert await say(server) == "ok"
            assert len(bodies) == len(names) + 2, "it is known now"
            assert bodies[-1].get("max_completion_tokens") == (
                50 if "max_tokens" in names else None
            )
            (profile,) = (await server.state()).models
            assert set(profile.refused) == found
        later = RefusedParameters(memory)
        await later.load()
        assert set(later.of("lab/odd")) == found
        assert all(scope == SCOPE for scope, _ in memory.kept)


async def test_what_two_processes_find_at_once_is_remembered_both() -> None:
    memory = Memory()
    one, other = RefusedParameters(memory), RefusedParameters(memory)
    for refused, name in ((one, "seed"), (other, "top_p")):
        await refused.load()
        assert refused.learn("lab/a b", {name: 1}, BadRequest(f"{name} is not supported"))
    await asyncio.sleep(0)
    later = RefusedParameters(memory)
    await later.load()
    assert later.of("lab/a b") == {"seed": "", "top_p": ""}


FORMAT_REFUSED = [
    "Invalid value: 'json_schema'. Supported values are: 'text' and 'json_object'. (response_format.type)",
    "'response_format.type' must be 'json_schema' or 'text'",
    "response_format.type: Input should be 'text' or 'json_object'",
    "This model does not support response format `json_schema`. See supported models",
    "JSON mode is not supported for this model",
    "Json mode is not enabled for this model",
    "response_format must be one of: text, json_object",
    "Only response_format type 'json_object' is supported",
    "Unknown response_format type: json_schema",
    "json_schema is not supported by this model",
    "JSON schema is not supported by this model",
]
SCHEMA_REFUSED = [
    "Invalid schema for response_format 'answer': In context=(), 'oneOf' is not permitted.",
    "The schema in response_format uses unsupported keyword 'minLength'",
    "Unknown parameter: 'response_format.json_schema.strict'.",
    "Invalid JSON schema for response_format: 'oneOf' is not permitted",
]
NOT_OF_THE_FORMAT = [
    "'messages' must contain the word 'json' in some form, to use 'response_format' of type 'json_object'.",
    "max_tokens must be at most 4096 with response_format",
]


@pytest.mark.parametrize("words", FORMAT_REFUSED + SCHEMA_REFUSED)
def test_a_format_that_a_model_has_not_is_left_out_and_a_schema_of_which_it_has_others(
    words: str,
) -> None:
    refused = RefusedParameters()
    body: dict[str, Any] = {"response_format": {}, "messages": []}
    assert refused.learn("lab/m", body, BadRequest(words), WITH_FORMAT) == "response_format"
    assert ("response_format" in refused.of("lab/m")) is (words in FORMAT_REFUSED)


async def test_a_model_that_takes_no_schema_is_asked_for_json_all_the_same() -> None:
    refused = RefusedParameters(memory := Memory())
    by_kind: dict[str, dict[str, Any]] = {
        kind: {"response_format": {"type": kind}, "messages": []}
        for kind in ("json_schema", "json_object")
    }
    error = BadRequest(FORMAT_REFUSED[0])
    assert refused.learn("lab/m", by_kind["json_schema"], error, WITH_FORMAT)
    await asyncio.sleep(0)
    later = RefusedParameters(memory)
    await later.load()
    for known in (refused, later):
        assert known.apply("lab/m", by_kind["json_schema"], WITH_FORMAT) == {"messages": []}
        for kind, optional in (("json_object", WITH_FORMAT), ("json_schema", ())):
            assert known.apply("lab/m", by_kind[kind], optional) == by_kind[kind]


@pytest.mark.parametrize("words", NOT_OF_THE_FORMAT)
def test_what_is_said_of_a_format_beside_another_fault_costs_no_model_its_formats(
    words: str,
) -> None:
    body: dict[str, Any] = {"response_format": {}, "messages": []}
    assert refused_parameter(body, BadRequest(words), WITH_FORMAT) is None


async def test_a_refusal_that_comes_with_status_200_is_learned_as_well() -> None:
    async with (
        strict(("temperature", "max_tokens"), late=True) as (url, bodies),
        aclosing(OpenAICompatibleServer(any_server("lab", url))) as server,
    ):
        assert await say(server) == "ok"
        assert len(bodies) == 3
        fields = {"model": "odd", "messages": [], "temperature": 1, "stream": True}
        raw = RawRequest("/chat/completions", fields, stream=True)
        async with aclosing(server.raw("odd").raw_stream(raw)) as pieces:
            assert b"ok" in b"".join([piece.data async for piece in pieces])
        assert len(bodies) == 4


async def test_tools_are_left_out_for_those_alone_who_say_that_they_may_be() -> None:
    async with (
        strict(("tools", "response_format")) as (url, bodies),
        aclosing(OpenAICompatibleServer(any_server("lab", url))) as server,
    ):
        fields = {"messages": [], "stream": True, "tools": [{}], "tool_choice": "auto"}
        strictly = RawRequest("/chat/completions", fields, stream=True)
        leniently = replace(strictly, drops=True, body=fields | {"response_format": {}})
        with pytest.raises((BadRequest, Unsupported)):
            await anext(server.raw("odd").raw_stream(strictly))
        for _ in range(2):
            async with aclosing(server.raw("odd").raw_stream(leniently)) as pieces:
                assert b"ok" in b"".join([piece.data async for piece in pieces])
        assert len(bodies) == 1 + 3 + 1, "it is known the second time"
        assert not {"tools", "tool_choice", "response_format"} & bodies[-1].keys()
        with pytest.raises((BadRequest, Unsupported)):
            await anext(server.raw("odd").raw_stream(strictly))
        asked = replace(ASKED, tools=({"type": "function"},), drops=True)
        async with aclosing(server.model("odd").stream(asked)) as events:
            assert [event async for event in events]


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ("`tools` is not supported with this model", "tools"),
        ("body.tools: Extra inputs are not permitted", "tools"),
        ("Unknown parameter: 'tools[0].strict'.", None),
        ("body.tools.0.function: Extra inputs are not permitted", None),
    ],
)
def test_a_tool_that_is_wrong_costs_no_model_its_tools(words: str, name: str | None) -> None:
    assert refused_parameter({"tools": [{}]}, BadRequest(words), DROPPED) == name


SAID = [
    {"role": "user", "name": "ann", "content": "hi"},
    {"role": "assistant", "content": "ho", "reasoning_content": "hm", "refusal": None},
    {"role": "user", "content": "and?"},
]


@pytest.mark.parametrize(
    ("field", "detail"),
    [
        ("name", "body.messages.0.user.name: Extra inputs are not permitted"),
        ("name", "messages[0].name is not supported"),
        ("reasoning_content", "body.messages.1.assistant.reasoning_content: Extra inputs are not permitted"),
        ("reasoning_content", "'messages.1' : for 'role:assistant' the following must be satisfied"
         "[('messages.1' : property 'reasoning_content' is unsupported)]"),
        ("refusal", "Unrecognized request argument supplied: messages[1].refusal"),
    ],
)  # fmt: skip
def test_a_field_of_messages_that_is_refused_is_left_out_of_all_of_them(field, detail) -> None:
    refused = RefusedParameters()
    body = {"model": "m", "messages": SAID, "temperature": 1}
    assert refused.learn("lab/m", body, BadRequest(detail))
    sent = refused.apply("lab/m", body)
    assert not any(field in message for message in sent["messages"])
    assert [one["content"] for one in sent["messages"]] == ["hi", "ho", "and?"]
    assert sent["temperature"] == 1
    assert not refused.learn("lab/m", sent, BadRequest(detail)), "it is not tried for ever"


@pytest.mark.parametrize(
    "detail",
    [
        "messages.1.content: Input should be a valid string",
        "messages: roles must alternate, name is a required property",
        "messages.0.name: String should match pattern '^[a-z]+$'",
        "Unknown model name; see messages",
    ],
)
def test_what_is_wrong_with_messages_otherwise_is_said(detail: str) -> None:
    body = {"model": "m", "messages": SAID}
    assert not RefusedParameters().learn("lab/m", body, BadRequest(detail))


async def test_a_parameter_that_is_refused_under_both_names_is_left_out() -> None:
    refused = RefusedParameters()
    for name in ("max_tokens", "max_completion_tokens"):
        sent = refused.apply("lab/m", {"max_tokens": 9, "messages": []})
        assert name in sent
        assert refused.learn("lab/m", sent, BadRequest(f"{name} is not supported"))
    assert refused.apply("lab/m", {"max_tokens": 9, "messages": []}) == {"messages": []}
    assert refused.apply("lab/m", {"max_completion_tokens": 9}) == {}


async def test_a_model_that_cannot_stream_is_asked_for_the_whole_answer() -> None:
    refused = RefusedParameters()
    body = {"stream": True, "stream_options": {"include_usage": True}}
    said = "Unsupported value: 'stream' does not support true with this model."
    assert refused.learn("lab/m", body, BadRequest(said))
    assert refused.apply("lab/m", body) == {}


async def test_what_was_learned_is_tried_again_after_a_week() -> None:
    now = [1_000_000.0]
    async with strict(("response_format",)) as (url, bodies):
        refused = RefusedParameters(clock=lambda: now[0])
        async with aclosing(
            OpenAICompatibleServer(any_server("lab", url), refused=refused)
        ) as server:
            for days, sent in ((0.0, 2), (6.9, 1), (0.2, 2), (0.0, 1)):
                now[0] += days * 86_400
                bodies.clear()
                assert await say(server) == "ok"
                assert len(bodies) == sent


async def test_a_format_is_left_out_for_the_chat_whose_prompt_describes_it_and_for_no_client() -> (
    None
):
    async with strict(("response_format",)) as (url, bodies):
        refused = RefusedParameters()
        async with aclosing(
            OpenAICompatibleServer(any_server("lab", url), refused=refused)
        ) as server:
            assert await say(server) == "ok"
            wanted = {"messages": [], "response_format": {"type": "json_object"}}
            with pytest.raises((BadRequest, Unsupported)):
                await server.raw("odd").raw_answer(RawRequest("/chat/completions", wanted))
            assert "response_format" in bodies[-1]


async def test_the_gateways_way_learns_it_too() -> None:
    async with strict(("max_tokens",)) as (url, bodies):
        fields = {"model": "odd", "messages": [], "max_tokens": 5, "stream": True}
        request = RawRequest("/chat/completions", fields, stream=True)
        async with aclosing(OpenAICompatibleServer(any_server("lab", url))) as server:
            for _ in range(2):
                async with aclosing(server.raw("odd").raw_stream(request)) as pieces:
                    assert b"ok" in b"".join([piece.data async for piece in pieces])
        assert [body.get("max_tokens") for body in bodies] == [5, None, None]
        assert bodies[-1]["max_completion_tokens"] == 5


@pytest.mark.parametrize(
    ("body", "words", "name"),
    [
        ({"temperature": 1, "top_p": 1}, "`temperature` and `top_p` cannot both be", "top_p"),
        ({"max_tokens": 9000}, "max_tokens must be at most 4096", None),
        ({"temperature": 1, "top_p": 1}, "temperature and top_p may not both be set", "top_p"),
        ({"temperature": 1, "top_p": 1}, "temperature, top_p are mutually exclusive", "top_p"),
        ({"seed": 1}, "Unknown parameter: seed", "seed"),
        ({"temperature": 1}, "invalid temperature: only 1 is allowed for this model", "temperature"),
        ({"temperature": 1}, "invalid temperature: only 0.6 is allowed for this model", "temperature"),
        ({"temperature": 1}, "temperature may only be set to 1 when thinking is enabled", "temperature"),
        ({"temperature": 1}, "Value error, temperature must be 1.0 for this model", "temperature"),
        ({"temperature": 1}, "temperature is deprecated for this model", "temperature"),
        ({"temperature": 1}, "gpt-5 models don't support temperature=0.7", "temperature"),
        ({"temperature": 1}, "параметр temperature не поддерживается этой моделью", "temperature"),
        ({"temperature": 1}, "параметр temperature не підтримується", "temperature"),
        ({"temperature": 1}, "该模型不支持 temperature 参数", "temperature"),
        ({"temperature": 9}, "temperature: range: 0..1", None),
        ({"temperature": 9}, "temperature must be less than or equal to 2", None),
        ({"max_tokens": 0}, "max_tokens must be 1 or more", None),
        ({"max_tokens": 9}, "max_tokens is too large: this model supports at most 4096", None),
        ({"presence_penalty": 1}, "Argument not supported on this model: presencePenalty", "presence_penalty"),
        ({"seed": 1}, 'Invalid JSON payload received. Unknown name "seed": Cannot find field.', "seed"),
        ({"logprobs": 1}, "property 'logprobs' is unsupported", "logprobs"),
        ({"top_k": 1}, "Malformed input request: #: extraneous key [top_k] is not permitted", "top_k"),
        ({"stream_options": {}}, "Unrecognized request argument supplied: stream_options", "stream_options"),
        ({"stream_options": {}, "stream": 1}, "body.stream_options: Extra inputs are not permitted", "stream_options"),
        ({"stream": 1}, "Your organization must be verified to stream this model.", "stream"),
        ({"stream": 1}, "Streaming is not supported for this model", "stream"),
        ({"stream": 1}, "an unknown error in the upstream", None),
        ({"reasoning_effort": "low"}, "`reasoning_effort` is not supported with this model", "reasoning_effort"),
        ({"temperature": 1}, "This model does not support image input", None),
        ({"response_format": {}}, "json_schema is not supported by this model", None),
        ({"messages": []}, "messages: Extra inputs are not permitted", None),
    ],
)  # fmt: skip
def test_only_a_parameter_that_is_not_taken_at_all_is_left_out(
    body: dict[str, Any], words: str, name: str | None
) -> None:
    error: KonsiliumError = BadRequest(words)
    assert refused_parameter(body, error) == name


@pytest.mark.parametrize(
    "error",
    [
        {"message": "Bad value", "param": "temperature", "code": "unsupported_value"},
        {"message": "failed", "cause": '{"error": {"message": "temperature is not supported"}}'},
        {"message": "Provider returned error", "metadata": {"raw": "temperature: unsupported"}},
    ],
)
def test_a_refusal_names_its_parameter_wherever_it_does(error: dict[str, Any]) -> None:
    for status in (400, 422, 500, None):
        refusal = error_in_body("lab", "m", {"error": error}, status)
        assert refused_parameter({"temperature": 1}, refusal) == "temperature"


def test_roles_alternate_whatever_was_left_unanswered() -> None:
    asked = [Message.system("s"), Message.user("a"), Message.user("b"), Message.assistant("c")]
    assert [(m.role, m.text) for m in alternating(asked)] == [
        ("system", "s"),
        ("user", "a\n\nb"),
        ("assistant", "c"),
    ]
