"""What chunks and bodies of OpenAI-compatible servers say, wherever they put it."""

import json
from typing import Any

import pytest

from app.core.errors import (
    ContextTooLong,
    IncompleteAnswer,
    KonsiliumError,
    MalformedAnswer,
    QuotaExceeded,
    RateLimited,
    ServerBusy,
    ServerFault,
)
from app.core.events import Finished, ReasoningDelta, TextDelta, ToolCallDelta
from app.core.reading import SurrogateJoiner, read_odd_json
from app.core.sse import DONE, StreamReader, encode, payload, payloads
from app.core.usage import Usage
from app.providers.openai_compatible.answers import AnswerReader
from app.providers.openai_compatible.passing import StreamMender
from app.providers.openai_compatible.tool_calls import ToolCallIndexes
from app.providers.openai_compatible.usage import usage_of
from app.providers.openai_compatible.whole_answers import _plainly_ended, mended_answer
from app.providers.upstream_errors import says_error


def choice(delta: Any, reason: str | None = None, **more: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": reason, **more}]}


def events_of(*chunks: dict[str, Any]) -> list[object]:
    reader = AnswerReader("s", "m")
    said = [event for chunk in chunks for event in reader.read(chunk)]
    return [*said, *reader.held_back(), reader.finished()]


def passed(*chunks: dict[str, Any], **options: Any) -> list[Any]:
    """What a client is sent of a stream of these chunks, `[DONE]` left out."""
    mender = StreamMender("s", "m", **({"wants_usage": True} | options))
    body = b"".join(mender.passed(encode(chunk)) for chunk in chunks)
    body += mender.passed(DONE) + mender.closing()
    assert body.endswith(DONE)
    return [json.loads(data) for data in payloads(body) if data != b"[DONE]"]


USAGES = [
    ({"prompt_tokens": 10, "completion_tokens": 4, "total_tokens": 14}, (10, 4, None, None)),
    ({"prompt_tokens": "10", "completion_tokens": "4"}, (10, 4, None, None)),
    ({"prompt_tokens": 10.0, "completion_tokens": 4.0}, (10, 4, None, None)),
    ({"input_tokens": 10, "output_tokens": 4}, (10, 4, None, None)),
    ({"prompt_tokens": -1, "completion_tokens": None}, (None, None, None, None)),
    ({"prompt_tokens": True, "completion_tokens": "many"}, (None, None, None, None)),
    (
        {"prompt_tokens": 10, "completion_tokens": 4, "prompt_tokens_details": {"cached_tokens": 3}},
        (10, 4, 3, None),
    ),
    ({"prompt_tokens": 10, "completion_tokens": 4, "prompt_cache_hit_tokens": 3}, (10, 4, 3, None)),
    ({"prompt_tokens": 10, "completion_tokens": 4, "cached_tokens": 3}, (10, 4, 3, None)),
    (
        {
            "prompt_tokens": 10,
            "completion_tokens": 9,
            "total_tokens": 19,
            "completion_tokens_details": {"reasoning_tokens": 5},
        },
        (10, 9, None, 5),
    ),
    (
        {
            "prompt_tokens": 10,
            "completion_tokens": 4,
            "total_tokens": 19,
            "completion_tokens_details": {"reasoning_tokens": 5},
        },
        (10, 9, None, 5),
    ),
    ({"prompt_tokens": 10, "completion_tokens": 4, "total_tokens": 19}, (10, 9, None, 5)),
    (
        {"prompt_tokens": 10, "completion_tokens": 4, "total_tokens": 17, "cached_tokens": 3},
        (10, 4, 3, None),
    ),
    (
        {
            "prompt_tokens": 10,
            "completion_tokens": 9,
            "total_tokens": 30,
            "completion_tokens_details": {"reasoning_tokens": 5},
        },
        (10, 9, None, 5),
    ),
    ({"prompt_tokens": " 10 ", "completion_tokens": "9.0"}, (10, 9, None, None)),
    ({"prompt_tokens": "-1", "completion_tokens": "9.5"}, (None, None, None, None)),
    ({"prompt_tokens": 10**10, "completion_tokens": "9" * 5000}, (None, None, None, None)),
    ({"prompt_tokens": "²", "completion_tokens": float("inf")}, (None, None, None, None)),
    ({"prompt_tokens": 10, "total_tokens": 14}, (10, 4, None, None)),
    ({"prompt_tokens": 10, "completion_tokens_details": None, "total_tokens": 4}, (10, None, None, None)),
]  # fmt: skip


@pytest.mark.parametrize(("usage", "expected"), USAGES)
def test_usage_is_read_from_any_of_its_forms(usage: Any, expected: tuple[int | None, ...]) -> None:
    found = usage_of(usage)
    counted = (found.input_tokens, found.output_tokens, found.cached_tokens, found.reasoning_tokens)
    assert counted == expected


COUNTED = {"prompt_tokens": "3", "completion_tokens": 5, "total_tokens": 8}
PLACES = [
    [choice({"content": "a"}, "stop"), {"choices": [], "usage": COUNTED}],
    [choice({"content": "a"}, "stop") | {"usage": COUNTED}],
    [choice({"content": "a"}), choice({}, "stop", usage=COUNTED)],
    [choice({"content": "a"}), choice({}, "stop") | {"x_groq": {"id": "r", "usage": COUNTED}}],
    [choice({"content": "a"}, "stop") | {"usage": None}, {"choices": None, "usage": COUNTED}],
]


@pytest.mark.parametrize("chunks", PLACES)
def test_usage_is_found_where_servers_put_it_on_both_ways(chunks: list[dict[str, Any]]) -> None:
    expected = Usage(input_tokens=3, output_tokens=5)
    assert events_of(*chunks)[-1] == Finished("stop", expected)
    mender = StreamMender(wants_usage=True)
    sent = b"".join(mender.passed(encode(chunk)) for chunk in chunks) + mender.closing()
    assert mender.usage == expected
    told = [json.loads(data).get("usage") for data in payloads(sent) if data != b"[DONE]"]
    assert {"prompt_tokens": 3, "completion_tokens": 5, "total_tokens": 8} in told


def call(id: str | None = None, name: str | None = None, **more: Any) -> dict[str, Any]:
    function: dict[str, Any] = {"arguments": "{}"} | ({"name": name} if name else {})
    return {"function": function, **({"id": id} if id else {}), **more}


@pytest.mark.parametrize(
    ("deltas", "indexes"),
    [
        ([[call("a", "f")], [call("b", "f")]], [0, 1]),
        ([[call("a", "f"), call("b", "f")]], [0, 1]),
        ([[call(None, "f"), call(None, "g")]], [0, 1]),
        ([[call("a", "f")], [call()], [call()]], [0, 0, 0]),
        ([[call("a", "f")], [call("a")], [call("b", "g")], [call("b")]], [0, 0, 1, 1]),
        ([[call("a", "f", index=0)], [call(index=0)], [call("b", "g", index=1)]], [0, 0, 1]),
        ([[call("a", "f", index=0)], [call("b", "g", index=0)]], [0, 1]),
        ([[call("a", "f", index="0")], [call("a", index="0")]], [0, 0]),
        ([[call("a", "f", index=1)], [call(index=1)]], [0, 0]),
        ([[call("x", "f"), call("x", "f")]], [0, 1]),
        ([[call("a", "f", index=None)], [call("b", "f", index=None)]], [0, 1]),
    ],
)
def test_every_tool_call_has_an_index_of_its_own(
    deltas: list[list[dict[str, Any]]], indexes: list[int]
) -> None:
    known = ToolCallIndexes()
    assert [known.of(one, at) for delta in deltas for at, one in enumerate(delta)] == indexes
    chunks = [choice({"tool_calls": delta}) for delta in deltas]
    *said, end = events_of(*chunks, choice({}, "stop"))
    assert [event.index for event in said if isinstance(event, ToolCallDelta)] == indexes
    assert isinstance(end, Finished)
    assert end.finish_reason == "tool_calls"
    *sent, last = passed(*json.loads(json.dumps(chunks)), choice({}, "stop"))
    calls = [one for chunk in sent for one in chunk["choices"][0]["delta"]["tool_calls"]]
    assert [one["index"] for one in calls] == indexes
    assert last["choices"][0]["finish_reason"] == "tool_calls"
    assert all(one["id"] and one["type"] for one in calls if one["function"].get("name"))


def test_arguments_as_an_object_are_text() -> None:
    one = {"id": "a", "function": {"name": "f", "arguments": {"city": "Київ"}}}
    said = events_of(choice({"tool_calls": [one]}), choice({}, "stop"))[0]
    assert said == ToolCallDelta(0, "a", "f", '{"city": "Київ"}')
    sent = passed(choice({"tool_calls": [one]}), choice({}, "stop"))
    function = sent[0]["choices"][0]["delta"]["tool_calls"][0]["function"]
    assert function["arguments"] == '{"city": "Київ"}'


ERRORS: list[tuple[dict[str, Any], type[KonsiliumError], str]] = [
    ({"error": {"message": "boom", "code": 500}}, ServerFault, "boom"),
    ({"error": "boom"}, ServerFault, "boom"),
    ({"error": ["boom", "bang"]}, ServerFault, "boom; bang"),
    ({"object": "error", "message": "boom", "code": 500}, ServerFault, "boom"),
    (
        {"type": "error", "error": {"type": "overloaded_error", "message": "boom"}},
        ServerBusy,
        "boom",
    ),
    ({"message": "boom", "code": "429"}, RateLimited, "boom"),
    ({"error": {"message": "boom", "type": "insufficient_quota"}}, QuotaExceeded, "boom"),
    ({"detail": [{"loc": ["body", "n"], "msg": "boom"}]}, ServerFault, "body.n: boom"),
    ({"errors": [{"message": "boom"}]}, ServerFault, "boom"),
    ({"error_msg": "boom", "error_code": 17}, ServerFault, "boom"),
    ({"error": {"error": {"message": "boom"}}}, ServerFault, "boom"),
    ({"error": "Bad Request", "message": "maximum context length is 8192"}, ContextTooLong, "8192"),
    (choice({}, "error", error={"message": "boom"}), ServerFault, "boom"),
    (choice({}, "error") | {"error": {"message": "boom", "code": 502}}, ServerFault, "boom"),
    (choice({"error": {"message": "boom"}}, "error"), ServerFault, "boom"),
    (choice({}, "insufficient_system_resource"), ServerBusy, "insufficient"),
    (choice({}, "abort"), ServerFault, "abort"),
]


@pytest.mark.parametrize(("chunk", "kind", "words"), ERRORS)
def test_an_error_in_mid_stream_is_one_whatever_form_it_has(
    chunk: dict[str, Any], kind: type[KonsiliumError], words: str
) -> None:
    mender = StreamMender("s", "m", wants_usage=False)
    mender.passed(encode(choice({"content": "half"})))
    with pytest.raises(kind, match=words):
        mender.passed(encode(chunk))
    together = StreamMender("s", "m", wants_usage=False)
    assert b"half" in together.passed(encode(choice({"content": "half"})) + encode(chunk))
    assert type(together.failure) is kind
    with pytest.raises(kind, match=words):
        together.closing()
    if says_error(chunk):
        return
    reader = AnswerReader("s", "m")
    with pytest.raises(kind, match=words):
        reader.read(chunk)


@pytest.mark.parametrize(
    "chunk",
    [
        choice({"content": "a"}),
        choice({"content": "a"}) | {"error": None},
        {"choices": [], "usage": {"prompt_tokens": 1}},
        {"id": "c", "object": "chat.completion.chunk"},
        {"message": {"role": "assistant", "content": "a"}, "done": False},
    ],
)
def test_what_is_no_error_is_not_taken_for_one(chunk: dict[str, Any]) -> None:
    assert not says_error(chunk)


def test_an_event_named_error_is_one_with_or_without_json() -> None:
    assert (
        payload(b'event: error\ndata: {"message": "boom"}\n\n') == b'{"error": {"message": "boom"}}'
    )
    assert payload(b"event: error\ndata: boom\n\n") == b'{"error": "boom"}'
    assert payload(b'event: message\ndata: {"a": 1}\n\n') == b'{"a": 1}'


@pytest.mark.parametrize(
    "empty", [b"data:\n\n", b"data: \n\n", b"data\n\n", b"event: ping\n\n", b":\n\n"]
)
def test_an_event_without_data_is_passed_over(empty: bytes) -> None:
    first, last = encode(choice({"content": "a"})), encode(choice({}, "stop"))
    assert [
        d for d in StreamReader().payloads(empty + first + empty + last + empty) if d.strip()
    ] == [
        first[6:-2],
        last[6:-2],
    ]
    mender = StreamMender(wants_usage=False)
    sent = mender.passed(empty + first + empty + empty + last + empty) + mender.closing()
    assert [d for d in payloads(sent) if b"choices" in d][1:] == [last[6:-2]]
    assert sent.endswith(DONE)


@pytest.mark.parametrize(
    ("body", "values"),
    [
        (b'data: {"a":1}\n\ndata: [DONE]\n\n', [b'{"a":1}', b"[DONE]"]),
        (b'\n\n: hi\n\ndata: {"a":1}\n\n', [b'{"a":1}']),
        (b'event: x\r\ndata: {"a":1}\r\n\r\n', [b'{"a":1}']),
        (b'{"a":1}\n{"b":2}\n', [b'{"a":1}', b'{"b":2}']),
        (b'\xef\xbb\xbf\n\n{"a":1}\n{"b":2}', [b'{"a":1}', b'{"b":2}']),
        (b'{\n  "a": 1,\n  "b": 2\n}', [b'{\n  "a": 1,\n  "b": 2\n}']),
        (b'[{"error": {}}]', [b'[{"error": {}}]']),
        (b"<html>no</html> at all", [b"<html>no</html> at all"]),
        (b"oops", [b"oops"]),
        (b"", []),
    ],
)
@pytest.mark.parametrize("size", [1, 2, 5, 1000])
def test_the_first_bytes_tell_the_form_of_an_answer(
    body: bytes, values: list[bytes], size: int
) -> None:
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    reader = StreamReader()
    seen = [value for piece in pieces for value in reader.payloads(piece)] + reader.rest()
    assert [value for value in seen if value] == values
    reader = StreamReader()
    block = b"".join(map(reader.events, pieces)) + reader.rest_events()
    assert [json.loads(d) for d in payloads(block) if d[:1] in b"{[" and d != b"[DONE]"] == [
        json.loads(v) for v in values if v[:1] in b"{[" and v != b"[DONE]"
    ]


@pytest.mark.parametrize(
    ("pieces", "text"),
    [
        (["Да \ud83d", "\ude00!"], "Да 😀!"),
        (["\ud83d", "\ude00\ud83d", "\ude01"], "😀😁"),
        (["a\ud83d", "b"], "a\ufffdb"),
        (["a\ude00b"], "a\ufffdb"),
        (["a\ud83d"], "a\ufffd"),
        (["😀"], "😀"),
    ],
)
def test_the_halves_of_a_pair_are_joined_on_both_ways(pieces: list[str], text: str) -> None:
    halves = SurrogateJoiner()
    assert "".join([*map(halves.joined, pieces), halves.rest()]) == text
    datas = [json.dumps(choice({"content": piece})).encode() for piece in pieces]
    reader = AnswerReader("s", "m")
    events: list[Any] = []
    for data in datas:
        chunk, odd = read_odd_json(data)
        events += reader.read(chunk, odd=odd)
    events += reader.held_back()
    assert "".join(event.text for event in events) == text
    mender = StreamMender(wants_usage=False)
    sent = b"".join(mender.passed(b"data: " + data + b"\n\n") for data in datas)
    sent += mender.passed(encode(choice({}, "stop"))) + mender.closing()
    said = [json.loads(d)["choices"][0]["delta"] for d in payloads(sent) if d != b"[DONE]"]
    assert "".join(delta.get("content") or "" for delta in said) == text


@pytest.mark.parametrize(
    "delta",
    [
        {"reasoning_content": "hm"},
        {"reasoning": "hm"},
        {"reasoning_details": [{"type": "reasoning.text", "text": "hm"}]},
        {"reasoning_details": [{"type": "reasoning.summary", "summary": "hm"}]},
        {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}]},
        {"content": [{"type": "thinking", "thinking": "hm"}]},
    ],
)
def test_thinking_under_any_name_is_thinking(delta: dict[str, Any]) -> None:
    said = events_of(choice(delta), choice({"content": "yes"}), choice({}, "stop"))
    assert said[:2] == [ReasoningDelta("hm"), TextDelta("yes")]
    sent = passed(choice(delta), choice({"content": "yes"}), choice({}, "stop"))
    assert "".join(c["choices"][0]["delta"].get("content") or "" for c in sent) == "yes"


WHOLE = {"id": "c", "object": "chat.completion", "choices": [{"index": 0, "finish_reason": "stop"}]}


def whole(message: dict[str, Any], reason: str = "stop", **more: Any) -> dict[str, Any]:
    return WHOLE | {"choices": [{"index": 0, "message": message, "finish_reason": reason}]} | more


@pytest.mark.parametrize(
    ("message", "content", "thinking"),
    [
        ({"content": "yes"}, "yes", None),
        ({"content": "<think>hm</think>\n\nyes"}, "yes", "hm"),
        ({"content": "hm\n</think>\n\nyes"}, "yes", "hm\n"),
        ({"content": [{"type": "text", "text": "yes"}]}, "yes", None),
        ({"content": None}, None, None),
    ],
)
def test_a_whole_answer_is_mended_like_a_stream(
    message: dict[str, Any], content: str | None, thinking: str | None
) -> None:
    body = json.dumps(whole(message, usage={"prompt_tokens": "2"})).encode()
    sent, finished = mended_answer("s", "m", body)
    said = json.loads(sent)["choices"][0]["message"]
    assert (said["content"], said.get("reasoning_content")) == (content, thinking)
    assert json.loads(sent)["usage"] == {"prompt_tokens": 2}
    assert finished.usage.input_tokens == 2


def test_a_whole_answer_without_faults_goes_out_byte_for_byte() -> None:
    body = json.dumps(whole({"content": "yes"}), indent=1).encode()
    assert mended_answer("s", "m", body)[0] == body


COUNTS = {"prompt_tokens": 2, "completion_tokens": 3, "total_tokens": 5}


@pytest.mark.parametrize(
    ("message", "fields"),
    [
        ({"content": "yes"}, {"usage": COUNTS}),
        ({"content": "yes", "refusal": None, "tool_calls": []}, {"usage": COUNTS, "error": None}),
        ({"content": ""}, {"usage": COUNTS, "timings": {"prompt_ms": 5, "predicted_ms": 7.5}}),
        ({"content": "a < b"}, {"usage": COUNTS | {"total_tokens": 9}}),
        ({"content": "yes"}, {"usage": COUNTS | {"prompt_tokens_details": {"cached_tokens": 1}}}),
        ({"content": "yes"}, {"usage": COUNTS | {"precached_prompt_tokens": 7}}),
        ({"content": "yes"}, {"usage": COUNTS | {"reasoning_tokens": 3, "total_tokens": 8}}),
        ({"content": "yes"}, {"usage": COUNTS | {"total_tokens": "5"}}),
        ({"content": "yes"}, {"usage": COUNTS | {"cost": None}}),
        ({"content": "yes"}, {"usage": COUNTS, "error": []}),
        ({"content": "yes", "reasoning": "hm"}, {"usage": COUNTS}),
        ({"content": "<think>hm</think>yes"}, {"usage": COUNTS}),
        ({"content": "analysishm assistantfinalyes"}, {"usage": COUNTS}),
    ],
)
def test_an_answer_that_is_looked_at_briefly_comes_out_as_if_looked_at_closely(
    message: dict[str, Any], fields: dict[str, Any]
) -> None:
    body = json.dumps(whole(message, **fields)).encode()
    if (message, fields) == ({"content": "yes"}, {"usage": COUNTS}):
        assert _plainly_ended(body) is not None, "the usual one is looked at briefly"
    sent, finished = mended_answer("s", "m", body)
    closely, ended = mended_answer("s", "m", b"\n" + body)
    assert json.loads(sent) == json.loads(closely)
    assert finished == ended


def test_a_whole_tool_call_ends_as_one() -> None:
    body = json.dumps(whole({"content": None, "tool_calls": [call("a", "f")]})).encode()
    sent, finished = mended_answer("s", "m", body)
    assert json.loads(sent)["choices"][0]["finish_reason"] == "tool_calls"
    assert finished.finish_reason == "tool_calls"


def test_a_stream_where_a_whole_answer_was_asked_for_becomes_one() -> None:
    chunks = [
        choice({"reasoning_content": "hm"}),
        choice({"content": "a"}),
        choice({"content": "b", "tool_calls": [call("c", "f")]}),
        choice({}, "stop") | {"usage": {"prompt_tokens": 2, "completion_tokens": 3}},
    ]
    for body in (
        b"".join(map(encode, chunks)) + DONE,
        b"".join(json.dumps(chunk).encode() + b"\n" for chunk in chunks),
    ):
        sent, finished = mended_answer("s", "m", body)
        answer = json.loads(sent)
        message = answer["choices"][0]["message"]
        assert (message["content"], message["reasoning_content"]) == ("ab", "hm")
        assert message["tool_calls"][0]["function"] == {"name": "f", "arguments": "{}"}
        assert answer["choices"][0]["finish_reason"] == "tool_calls"
        assert finished.usage.output_tokens == 3
    with pytest.raises(IncompleteAnswer):
        mended_answer("s", "m", b"".join(map(encode, chunks[:2])))


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b'{"error": {"message": "x", "code": 429}}', RateLimited),
        (b'[{"error": {"message": "x", "code": 429, "status": "X"}}]', RateLimited),
        (b'{"object": "error", "message": "x"}', ServerFault),
        (b"<html></html>", MalformedAnswer),
        (b'{"a": 1}', MalformedAnswer),
        (b'{"choices": 5}', MalformedAnswer),
        (b'{"choices": [5]}', MalformedAnswer),
        (b"[" * 100_000, MalformedAnswer),
        (b"", MalformedAnswer),
    ],
)
def test_a_body_that_is_no_completion_is_an_error(body: bytes, kind: type[KonsiliumError]) -> None:
    with pytest.raises(kind):
        mended_answer("s", "m", body)


def test_of_several_answers_none_loses_a_word_while_another_is_undecided() -> None:
    def of(index: int, delta: dict[str, Any], reason: str | None = None) -> dict[str, Any]:
        return {"choices": [{"index": index, "delta": delta, "finish_reason": reason}]}

    sent = passed(
        of(0, {"content": "<thi"}),
        of(1, {"content": "yes"}),
        of(0, {"content": "nk>hm</think>no"}),
        of(1, {"content": "!"}, "stop"),
        of(0, {}, "stop"),
        choices=2,
    )
    texts = {0: "", 1: ""}
    for chunk in sent:
        one = chunk["choices"][0]
        texts[one["index"]] += one["delta"].get("content") or ""
    assert texts == {0: "no", 1: "yes!"}
