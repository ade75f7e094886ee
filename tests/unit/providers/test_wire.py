"""What is sent and what is read, for both protocols, as values."""

import json
from base64 import b64encode
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.errors import KonsiliumError
from app.core.events import Finished, ReasoningDelta, TextDelta, ToolCallDelta
from app.core.messages import ImagePart, Message, TextPart, ToolCall
from app.core.providers import PRESETS, any_server
from app.core.requests import JsonObject, JsonSchema, ModelRequest, Sampling
from app.core.usage import Usage
from app.providers.ollama import wire as ollama
from app.providers.openai_compatible import wire as openai
from app.providers.openai_compatible.answers import AnswerReader
from app.providers.upstream_errors import WRONG_SHAPE

IMAGE = ImagePart(b"/etc/passwd", "image/png")
TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
CALLED = Message("assistant", (), tool_calls=(ToolCall("c1", "f", '{"a": 1}'),))
ANSWERED = Message("tool", (TextPart("42"),), name="f", tool_call_id="c1")
FULL = ModelRequest(
    (Message.system("Be brief"), Message.user("что это?", IMAGE), CALLED, ANSWERED),
    Sampling(temperature=0.0, top_p=0.5, max_tokens=9, seed=0, stop=("END",)),
    JsonSchema("answer", {"type": "object", "additionalProperties": False}),
    tools=(TOOL,),
    tool_choice="auto",
    extra={"top_k": 3, "logprobs": True, "reasoning_effort": "low"},
)
PLAIN = ModelRequest((Message.user("hi"),))


def ollama_body(request: ModelRequest, **fields: Any) -> dict[str, Any]:
    return ollama.chat_body("m", request, **({"num_ctx": 4096, "keep_alive": None} | fields))


def test_ollama_is_asked_in_its_own_words() -> None:
    body = ollama_body(FULL, keep_alive="10m")
    assert body["options"] == {
        "num_ctx": 4096,
        "temperature": 0.0,
        "top_p": 0.5,
        "num_predict": 9,
        "seed": 0,
        "stop": ["END"],
        "top_k": 3,
    }
    assert (body["keep_alive"], body["think"], body["logprobs"]) == ("10m", "low", True)
    assert body["format"] == {"type": "object", "additionalProperties": False}
    assert body["tools"] == [TOOL]
    system, user, called, answered = body["messages"]
    assert system == {"role": "system", "content": "Be brief"}
    assert user["images"] == [b64encode(b"/etc/passwd").decode()]
    assert called["tool_calls"][0]["function"] == {"name": "f", "arguments": {"a": 1}}
    assert answered == {"role": "tool", "content": "42", "tool_name": "f", "tool_call_id": "c1"}


def test_ollama_is_not_told_what_nobody_said() -> None:
    body = ollama_body(PLAIN)
    assert body["options"] == {"num_ctx": 4096}
    assert not {"think", "format", "tools", "keep_alive"} & body.keys()
    assert "options" not in ollama_body(PLAIN, num_ctx=None) or not ollama_body(PLAIN, num_ctx=None)["options"]  # fmt: skip


@pytest.mark.parametrize(("think", "effort", "sent"), [(True, None, True), (False, "high", False), (None, "none", False), (None, "max", "max")])  # fmt: skip
def test_thinking_is_asked_for_or_forbidden(think: bool, effort: str, sent: bool) -> None:
    extra = {"reasoning_effort": effort} if effort else {}
    request = ModelRequest(PLAIN.messages, think=think, extra=extra)
    assert ollama_body(request)["think"] == sent


def test_arguments_a_model_wrote_badly_still_reach_ollama_as_an_object() -> None:
    broken = Message("assistant", (), tool_calls=(ToolCall("c", "f", '{"a": '),))
    body = ollama_body(ModelRequest((broken,)))
    function = body["messages"][0]["tool_calls"][0]["function"]
    assert function["arguments"] == {"arguments": '{"a": '}


def test_openai_is_asked_in_its_own_words() -> None:
    body = openai.chat_body(any_server("lab", "http://x/v1"), "m", FULL)
    assert body["stream_options"] == {"include_usage": True}
    assert (body["max_tokens"], body["temperature"], body["seed"]) == (9, 0.0, 0)
    assert (body["top_k"], body["reasoning_effort"], body["logprobs"]) == (3, "low", True)
    assert body["response_format"]["json_schema"]["strict"] is True
    assert body["tool_choice"] == "auto"
    _, user, called, answered = body["messages"]
    assert user["content"][0] == {"type": "text", "text": "что это?"}
    url = user["content"][1]["image_url"]["url"]
    assert url == "data:image/png;base64," + b64encode(b"/etc/passwd").decode()
    assert called["content"] is None
    assert called["tool_calls"][0]["function"]["arguments"] == '{"a": 1}'
    assert answered == {"role": "tool", "content": "42", "tool_call_id": "c1"}


def test_openai_itself_wants_max_completion_tokens() -> None:
    request = ModelRequest(PLAIN.messages, Sampling(max_tokens=5), JsonObject())
    body = openai.chat_body(PRESETS["openai"], "gpt-5", request)
    assert body["max_completion_tokens"] == 5
    assert "max_tokens" not in body
    assert body["response_format"] == {"type": "json_object"}
    assert "temperature" not in body


def test_a_model_with_a_temperature_of_its_own_is_sent_none() -> None:
    request = ModelRequest(PLAIN.messages, Sampling(temperature=0.7, top_p=0.9))
    assert openai.chat_body(PRESETS["openai"], "gpt-4o", request)["temperature"] == 0.7
    for model in ("o3", "o4-mini", "gpt-5-mini"):
        body = openai.chat_body(PRESETS["openai"], model, request)
        assert not {"temperature", "top_p"} & body.keys()


def test_a_tool_chosen_by_name_is_the_only_one_ollama_is_offered() -> None:
    tools = tuple({"type": "function", "function": {"name": name}} for name in ("a", "b"))
    named = {"type": "function", "function": {"name": "b"}}
    allowed = {"mode": "auto", "tools": [named]}
    for choice, offered in (
        ("auto", ["a", "b"]),
        (named, ["b"]),
        ({"type": "allowed_tools", "allowed_tools": allowed}, ["b"]),
        ("none", []),
    ):
        request = ModelRequest(PLAIN.messages, tools=tools, tool_choice=choice)
        body = ollama.chat_body("m", request, num_ctx=None, keep_alive=None)
        assert [tool["function"]["name"] for tool in body.get("tools", [])] == offered


def test_thinking_in_tags_comes_apart_in_both_protocols() -> None:
    pieces = ["<thi", "nk>hm</think", ">\n\nyes", "!"]
    chunks = [choice({"content": piece}) for piece in pieces]
    expected = [ReasoningDelta("hm"), TextDelta("yes"), TextDelta("!")]
    assert openai_events(*chunks)[:-1] == expected
    reader = ollama.AnswerReader("s", "m")
    said = [e for p in pieces for e in reader.read({"message": {"content": p}})]
    assert said == expected
    assert reader.read({"done": True})[:-1] == []


def openai_events(*chunks: dict[str, Any]) -> list[object]:
    reader = AnswerReader("s", "m")
    said = [event for chunk in chunks for event in reader.read(chunk)]
    return [*said, *reader.held_back(), reader.finished()]


def choice(delta: dict[str, Any] | None, reason: str | None = None) -> dict[str, Any]:
    return {"choices": [{"delta": delta, "finish_reason": reason}]}


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
def test_reasoning_has_two_names(field: str) -> None:
    events = openai_events(choice({field: "hm"}), choice({"content": "yes"}, "stop"))
    assert events == [ReasoningDelta("hm"), TextDelta("yes"), Finished("stop", Usage())]


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [("stop", "stop"), ("length", "length"), ("eos", "stop"), ("content_filter", "content_filter")],
)
def test_finish_reasons_are_translated(theirs: str, ours: str) -> None:
    assert openai_events(choice({}, theirs)) == [Finished(ours, Usage())]  # type: ignore[arg-type]  # a str of the right values


def test_choices_may_be_null_or_empty_and_usage_comes_alone() -> None:
    usage = {"prompt_tokens": "12", "completion_tokens": 3, "prompt_cache_hit_tokens": 8}
    events = openai_events(
        {"choices": None}, choice(None), choice({"content": "a"}, "stop"), {"choices": [], "usage": usage}
    )  # fmt: skip
    expected = Usage(input_tokens=12, output_tokens=3, cached_tokens=8)
    assert events == [TextDelta("a"), Finished("stop", expected)]


def test_tool_calls_come_in_pieces_of_one_index() -> None:
    first = {"index": 0, "id": "c", "function": {"name": "f", "arguments": ""}}
    second = {"index": 0, "function": {"arguments": '{"a":1}'}}
    events = openai_events(
        choice({"tool_calls": [first]}), choice({"tool_calls": [second]}), choice({}, "tool_calls")
    )
    assert events[:2] == [ToolCallDelta(0, "c", "f", ""), ToolCallDelta(0, None, None, '{"a":1}')]
    assert isinstance(events[2], Finished)
    assert events[2].finish_reason == "tool_calls"


def test_content_in_parts_is_text() -> None:
    parts = [{"type": "text", "text": "a"}, {"type": "thinking"}, {"type": "text", "text": "b"}]
    assert openai_events(choice({"content": parts}, "stop"))[0] == TextDelta("ab")


def test_ollamas_counts_are_in_seconds_and_absent_ones_unknown() -> None:
    reader = ollama.AnswerReader("s", "m")
    assert reader.read({"done": True, "done_reason": "stop"}) == [Finished("stop", Usage())]
    end = {
        "done": True,
        "total_duration": 5,
        "load_duration": 2_500_000_000,
        "prompt_eval_count": 7,
    }
    assert ollama.AnswerReader("s", "m").read(end) == [
        Finished("stop", Usage(input_tokens=7, output_tokens=0, load_s=2.5))
    ]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(
            ["message", "content", "done", "choices", "delta", "usage", "tool_calls", "function",
             "thinking", "finish_reason", "arguments", "logprobs", "prompt_tokens_details"]
        ),
        inner,
        max_size=4,
    ),
    max_leaves=12,
)  # fmt: skip


@given(st.dictionaries(st.sampled_from(["message", "done", "choices", "usage", "logprobs"]), json_values))  # fmt: skip
def test_json_of_another_shape_is_an_error_we_know(chunk: dict[str, Any]) -> None:
    for reader in (ollama.AnswerReader("s", "m"), AnswerReader("s", "m")):
        try:
            events = reader.read(json.loads(json.dumps(chunk)))
        except (*WRONG_SHAPE, KonsiliumError):
            continue
        for event in events:
            assert not isinstance(event, TextDelta) or isinstance(event.text, str)
