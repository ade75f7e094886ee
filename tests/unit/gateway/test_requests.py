import base64
import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.messages import ImagePart, TextPart, ToolCall
from app.core.requests import JsonObject, JsonSchema
from app.gateway.errors import InvalidField
from app.gateway.http import parse_object
from app.gateway.openai.requests import (
    chat_request,
    embedding_size,
    envelope,
    legacy_request,
)

HELLO = [{"role": "user", "content": "hello"}]


def asked(**fields):
    body = {"model": "m", "messages": HELLO} | fields
    envelope(body)
    return chat_request(body, "id")


def test_messages_keep_their_parts_tools_and_names():
    png = base64.b64encode(b"png").decode()
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}}
    request = asked(
        messages=[
            {"role": "developer", "content": "be brief"},
            {
                "role": "user",
                "name": "Ann",
                "content": [
                    {"type": "text", "text": "see"},
                    {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{png}"}},
                ],
            },
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "c1", "content": "42"},
        ]
    )
    system, user, assistant, tool = request.messages
    assert system.role == "system"
    assert user.parts == (TextPart("see"), ImagePart(b"png", "image/png"))
    assert user.name == "Ann"
    assert assistant.tool_calls == (ToolCall("c1", "f", '{"a":1}'),)
    assert (tool.role, tool.tool_call_id, tool.text) == ("tool", "c1", "42")


def test_sampling_and_formats_are_read_and_unknown_fields_go_along():
    schema = {"type": "object"}
    request = asked(
        temperature=0.2,
        top_p=0.9,
        max_completion_tokens=10,
        max_tokens=99,
        seed=7,
        stop="END",
        response_format={"type": "json_schema", "json_schema": {"name": "x", "schema": schema}},
        reasoning_effort="low",
        top_k=5,
        logprobs=True,
        think=False,
    )
    sampling = request.sampling
    assert (sampling.temperature, sampling.top_p, sampling.max_tokens) == (0.2, 0.9, 10)
    assert (sampling.seed, sampling.stop) == (7, ("END",))
    assert request.response_format == JsonSchema("x", schema)
    assert request.extra == {"reasoning_effort": "low", "top_k": 5, "logprobs": True}
    assert request.think is False
    assert asked(response_format={"type": "json_object"}).response_format == JsonObject()


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "user", "content": 5}]}, "messages[0].content"),
        ({"messages": [{"role": "wizard", "content": "x"}]}, "messages[0].role"),
        ({"messages": HELLO * 5000}, "messages"),
        ({"model": ""}, "model"),
        ({"stream": "yes"}, "stream"),
        ({"temperature": 9}, "temperature"),
        ({"temperature": True}, "temperature"),
        ({"n": 3}, "n"),
        ({"seed": 2**70}, "seed"),
        ({"stop": [1]}, "stop"),
        ({"tools": [1]}, "tools"),
        ({"response_format": {"type": "yaml"}}, "response_format"),
    ],
)
def test_a_field_that_cannot_be_used_is_named(fields, param):
    with pytest.raises(InvalidField) as refused:
        asked(**fields)
    assert refused.value.param == param


@pytest.mark.parametrize(
    "url",
    ["http://10.0.0.1/x.png", "file:///etc/passwd", "/etc/passwd", "data:image/png;base64,%%"],
)
def test_an_image_is_never_fetched_from_anywhere(url):
    part = {"type": "image_url", "image_url": {"url": url}}
    with pytest.raises(InvalidField):
        asked(messages=[{"role": "user", "content": [part]}])


def test_a_legacy_prompt_is_one_question():
    body = {"model": "m", "prompt": ["fn main"], "max_tokens": 5}
    assert envelope(body, legacy=True).characters == 7
    assert legacy_request(body, "id").messages[0].text == "fn main"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{",
        b"\xff\xfe",
        b'{"a": NaN}',
        b'{"a": "\\ud800"}',
        b'{"a":' + b"[" * 200 + b"]" * 200 + b"}",
        b'{"a":' + b"[" * 100_000,
    ],
)
def test_a_body_that_is_no_sound_json_object_is_refused(body):
    with pytest.raises(InvalidField):
        parse_object(body)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)
FIELDS = ["messages", "stream", "stop", "tools", "tool_choice", "n", "seed", "response_format"]
FIELDS += [
    "temperature",
    "max_tokens",
    "stream_options",
    "reasoning_effort",
    "think",
    "prompt",
    "user",
]


@settings(max_examples=200, deadline=None)
@given(fields=st.dictionaries(st.sampled_from(FIELDS), json_values, max_size=6))
def test_any_json_is_either_a_request_or_refused_by_name(fields):
    for build, legacy in ((chat_request, False), (legacy_request, True)):
        body = {"model": "m", "messages": HELLO, "prompt": "p"} | fields
        with contextlib.suppress(InvalidField):
            envelope(body, legacy=legacy)
            build(body, "id")


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
@pytest.mark.parametrize(
    ("value", "expected"), [(-1, None), (0, None), (-1.0, None), (10, 10), (10.0, 10), (None, None)]
)
def test_no_limit_is_said_in_several_ways(name, value, expected):
    assert asked(**{name: value}).sampling.max_tokens == expected


@pytest.mark.parametrize("value", [-2, 1.5, "10", True, [10], float("nan"), 2**63])
def test_a_limit_that_is_no_number_of_tokens_is_refused(value):
    with pytest.raises(InvalidField):
        asked(max_tokens=value)


@pytest.mark.parametrize("calls", [5, "x", True, {"a": 1}])
def test_tool_calls_that_are_no_list_are_refused(calls):
    with pytest.raises(InvalidField):
        asked(messages=[{"role": "assistant", "content": None, "tool_calls": calls}])


@pytest.mark.parametrize(
    ("given", "size"),
    [("abc", 3), (["ab", "c"], 3), ([1, 2, 3], 12), ([[1, 2], [3]], 12), (["ab", [1]], 6)],
)
def test_the_size_of_an_embeddings_request_is_known_beforehand(given, size):
    assert embedding_size({"input": given}) == size


@pytest.mark.parametrize("given", [None, [], 5, {}, [{}], [None], ["x"] * 2049])
def test_an_embeddings_request_without_texts_is_refused(given):
    with pytest.raises(InvalidField):
        embedding_size({"input": given})
