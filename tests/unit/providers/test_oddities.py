"""What servers make of the protocol, read alike by all who read it: the chat, a stream that is passed on at
/v1, and a whole answer there. A row more is a server more."""

import json
from collections.abc import Callable

import pytest

from app.core.errors import KonsiliumError
from app.core.events import TextDelta
from app.core.sse import StreamReader
from app.providers.chunks import ChunkReader
from app.providers.openai_compatible.answers import AnswerReader
from app.providers.openai_compatible.passing import StreamMender
from app.providers.openai_compatible.whole_answers import mended_answer

ANSWER = "Ответ"


def chunk(delta: object, finish: object = None, **more: object) -> dict[str, object]:
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}], **more}


def sse(*values: object, end: str = "\n\n", done: str = "data: [DONE]") -> bytes:
    texts = [f"data: {json.dumps(value, ensure_ascii=False)}{end}" for value in values]
    return ("".join(texts) + done + end).encode()


SAID = chunk({"content": ANSWER})
ENDED = chunk({}, "stop")
WHOLE = sse(SAID, ENDED)

UNDERSTOOD = {
    "lines end in CR LF": sse(SAID, ENDED, end="\r\n\r\n"),
    "lines end in CR": sse(SAID, ENDED, end="\r\r"),
    "a byte order mark": b"\xef\xbb\xbf" + WHOLE,
    "comments and signs of life": b": hi\n\n:\n\nevent: ping\ndata: {}\n\ndata:\n\n" + WHOLE,
    "a heartbeat in words": b"event: heartbeat\ndata: alive\n\n" + WHOLE,
    "ids and a name": b"id: 1\nretry: 5\nevent: message\n" + WHOLE,
    "no choices at first": sse({"choices": []}, {"choices": None}, SAID, ENDED),
    "no delta": sse(chunk(None), {"choices": [{"index": 0}]}, SAID, ENDED),
    "no index": sse({"choices": [{"delta": {"content": ANSWER}}]}, ENDED),
    "a reason of its own": sse(SAID, chunk({}, "eos_token")),
    "a reason that is no word": sse(SAID, chunk({}, 1)),
    "an empty reason": sse(chunk({"content": ANSWER}, ""), ENDED),
    "usage that is none": sse(SAID, chunk({}, "stop", usage="n/a"), {"choices": [], "usage": []}),
    "an end in small letters": sse(SAID, ENDED, done="data: [done]"),
    "a line a value": "\n".join(map(json.dumps, (SAID, ENDED))).encode() + b"\n",
    "all in one list": json.dumps([SAID, ENDED]).encode(),
    "parts": sse(chunk({"content": [{"type": "text", "text": ANSWER}]}), ENDED),
    "parts of the other protocol": sse(chunk({"content": [{"type": "output_text", "text": ANSWER}]}), ENDED),
    "bare parts": sse(chunk({"content": ["От", "вет"]}), ENDED),
    "thinking as an object": sse(chunk({"reasoning": {"content": "мысль"}}), SAID, ENDED),
    "thinking in details": sse(chunk({"reasoning_details": [{"text": "мысль"}]}), SAID, ENDED),
    "thinking in blocks": sse(chunk({"thinking_blocks": [{"thinking": "мысль"}]}), SAID, ENDED),
    "hidden thinking": sse(chunk({"reasoning_details": [{"data": "x"}]}), SAID, ENDED),
    "numbers that are none": WHOLE.replace(b'"index": 0', b'"index": 0, "logprobs": NaN', 1),
    "a byte that is no UTF-8": WHOLE.replace(b'"index": 0', b'"index": 0, "x": "\xff"', 1),
    "a raw control character": WHOLE.replace(b'"index": 0', b'"index": 0, "x": "a\tb"', 1),
}  # fmt: skip
BROKEN_OFF = {
    "error in words": sse(SAID, {"error": "boom"}),
    "error as a list": sse(SAID, {"error": ["boom"]}),
    "error as an object": sse(SAID, {"error": {"message": "boom"}}),
    "errors": sse(SAID, {"errors": [{"message": "boom"}]}),
    "a detail": sse(SAID, {"detail": "boom"}),
    "an event of that name": sse(SAID, done="event: error\ndata: boom"),
    "an error among the events without their form": sse(
        SAID, done='{"error": {"message": "boom"}}'
    ),
    "in a choice": sse(
        SAID, {"choices": [{"index": 0, "delta": {}, "error": {"message": "boom"}}]}
    ),
    "as the reason": sse(SAID, chunk({}, "error", message="boom")),
    "a code beside": sse(SAID, {"code": 500, "msg": "boom", "data": None}),
    "MiniMax' own": sse(SAID, {"base_resp": {"status_code": 1004, "status_msg": "boom"}}),
}


def in_the_chat(stream: bytes) -> str:
    reader, chunks = AnswerReader("lab", "m"), ChunkReader("lab", "m")
    events = [
        event
        for piece in (stream, b"")
        for one, odd in chunks.read(piece)
        for event in reader.read(one, odd=odd)
    ]
    assert chunks.done or reader.complete
    return "".join(e.text for e in [*events, *reader.held_back()] if isinstance(e, TextDelta))


def passed_on(stream: bytes) -> str:
    mender, values = StreamMender("lab", "m", wants_usage=True), StreamReader()
    said = mender.passed(values.events(stream))
    if mender.failure is not None:
        raise mender.failure
    said += mender.closing(values.rest_events())
    chunks = [json.loads(line[6:]) for line in said.splitlines() if line.startswith(b"data: {")]
    choices = [choice for one in chunks for choice in one.get("choices") or ()]
    deltas = [choice.get("delta") or {} for choice in choices]
    return "".join(delta.get("content") or "" for delta in deltas)


def as_a_whole(stream: bytes) -> str:
    body, _ = mended_answer("lab", "m", stream.strip())
    return str(json.loads(body)["choices"][0]["message"]["content"])


READERS = pytest.mark.parametrize("read", [in_the_chat, passed_on, as_a_whole])


@READERS
@pytest.mark.parametrize("form", UNDERSTOOD)
def test_an_answer_is_read_in_whatever_form_it_comes(
    form: str, read: Callable[[bytes], str]
) -> None:
    assert read(UNDERSTOOD[form]) == ANSWER


@READERS
@pytest.mark.parametrize("form", BROKEN_OFF)
def test_an_answer_that_breaks_off_is_an_error_in_the_server_s_words(
    form: str, read: Callable[[bytes], str]
) -> None:
    with pytest.raises(KonsiliumError) as refused:
        read(BROKEN_OFF[form])
    assert "boom" in refused.value.detail
