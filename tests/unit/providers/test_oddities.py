"""What servers make of the protocol, read alike by all who read it: the chat, a stream that is passed on at
/v1, and a whole answer there."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from app.core.errors import IncompleteAnswer, KonsiliumError, ServerError
from app.core.events import (
    Finished,
    ModelEvent,
    ReasoningDelta,
    TextDelta,
    TextWasThinking,
    ToolCallDelta,
)
from app.core.sse import StreamReader
from app.core.usage import Usage
from app.providers.chunks import ChunkReader
from app.providers.ollama import wire as ollama
from app.providers.openai_compatible.answers import AnswerReader
from app.providers.openai_compatible.passing import StreamMender
from app.providers.openai_compatible.whole_answers import mended_answer
from tests import odd_lines
from tests.odd_streams import BROKEN_OFF, ODD, SAID, WHOLE, Odd, sse

Calls = dict[int, list[str]]


def pieces(body: bytes, size: int) -> Iterator[bytes]:
    for at in range(0, len(body), size or len(body)):
        yield body[at : at + (size or len(body))]


def heard(
    text: str, thinking: str, calls: Calls, reason: str | None, usage: Usage, row: Odd
) -> Odd:
    """What a reader made of it, in the form of the row."""
    return Odd(
        row.body,
        text.strip(),
        thinking.strip(),
        tuple((name, arguments) for _, (name, arguments) in sorted(calls.items())),
        reason or "",
        (usage.input_tokens or 0, usage.output_tokens or 0) if row.usage else None,
    )


def fold(calls: Calls, index: int, name: str | None, arguments: str | None) -> None:
    call = calls.setdefault(index, ["", ""])
    call[0] += name or ""
    call[1] += arguments or ""


def in_the_chat(row: Odd, size: int = 0) -> Odd:
    reader, chunks = AnswerReader("lab", "m"), ChunkReader("lab", "m")
    events: list[ModelEvent] = []
    try:
        for piece in (*pieces(row.body, size), b""):
            for one, odd in chunks.read(piece):
                events += reader.read(one, odd=odd)
    except ServerError:
        if not (chunks.done or reader.complete):
            raise
    assert chunks.done or reader.complete
    return told([*events, *reader.held_back()], reader.finished(), row)


def told(events: list[ModelEvent], end: Finished, row: Odd) -> Odd:
    text, thinking, calls = "", "", Calls()
    for event in events:
        match event:
            case TextDelta(more):
                text += more
            case ReasoningDelta(more):
                thinking += more
            case TextWasThinking():
                text, thinking = "", thinking + text
            case ToolCallDelta(index, _, name, arguments):
                fold(calls, index, name, arguments)
    return heard(text, thinking, calls, end.finish_reason, end.usage, row)


def from_ollama(row: Odd, size: int = 0) -> Odd:
    reader, chunks = ollama.AnswerReader("lab", "m"), ChunkReader("lab", "m")
    events: list[ModelEvent] = []
    ends: list[Finished] = []

    def sort(read: list[ModelEvent]) -> None:
        for event in read:
            (ends if isinstance(event, Finished) else events).append(event)  # type: ignore[arg-type]

    try:
        for piece in (*pieces(row.body, size), b""):
            for one, odd in chunks.read(piece):
                sort(reader.read(one, odd=odd))
        if chunks.done and not ends:
            sort(reader.closing())
    except ServerError:
        if not ends:
            raise
    assert ends
    return told(events, ends[-1], row)


def passed_on(row: Odd, size: int = 0) -> Odd:
    mender, values = StreamMender("lab", "m", wants_usage=True), StreamReader()
    sent = b""
    for piece in pieces(row.body, size):
        sent += mender.passed(values.events(piece))
        if mender.failure is not None:
            raise mender.failure
    sent += mender.closing(values.rest_events())
    chunks = [json.loads(line[6:]) for line in sent.splitlines() if line.startswith(b"data: {")]
    told: dict[str, Any] = next((one["usage"] for one in chunks if one.get("usage")), {})
    text, thinking, calls, reason = "", "", Calls(), None
    for choice in (choice for one in chunks for choice in one.get("choices") or ()):
        delta = choice.get("delta") or {}
        text += delta.get("content") or ""
        thinking += delta.get("reasoning_content") or delta.get("reasoning") or ""
        reason = choice.get("finish_reason") or reason
        for call in delta.get("tool_calls") or ():
            function = call["function"]
            fold(calls, call["index"], function.get("name"), function.get("arguments"))
    if row.usage:
        assert "prompt_tokens" in told, "the client is told, by the names it knows"
    return heard(text, thinking, calls, reason, mender.finished().usage, row)


def as_a_whole(row: Odd, size: int = 0) -> Odd:
    body, finished = mended_answer("lab", "m", row.body.strip())
    answer = json.loads(body)
    choice = answer["choices"][0]
    message = choice["message"]
    functions = [call["function"] for call in message.get("tool_calls") or ()]
    assert all(call["id"] for call in message.get("tool_calls") or ())
    calls = {at: [one["name"], one["arguments"]] for at, one in enumerate(functions)}
    thinking = message.get("reasoning_content") or message.get("reasoning") or ""
    if row.usage:
        assert answer["usage"]["prompt_tokens"] == row.usage[0]
    return heard(
        message.get("content") or "",
        thinking,
        calls,
        choice["finish_reason"],
        finished.usage,
        row,
    )


READERS = pytest.mark.parametrize("read", [in_the_chat, passed_on, as_a_whole])


@READERS
@pytest.mark.parametrize("form", ODD)
def test_an_answer_is_read_in_whatever_form_it_comes(
    form: str, read: Callable[[Odd, int], Odd]
) -> None:
    row = ODD[form]
    for size in (0, 1, 7):
        assert read(row, size) == row


@READERS
@pytest.mark.parametrize("form", BROKEN_OFF)
def test_an_answer_that_breaks_off_is_an_error_in_the_server_s_words(
    form: str, read: Callable[[Odd], Odd]
) -> None:
    with pytest.raises(KonsiliumError) as refused:
        read(Odd(BROKEN_OFF[form]))
    assert "boom" in refused.value.detail


@READERS
def test_an_answer_without_an_end_is_never_whole(read: Callable[[Odd], Odd]) -> None:
    for cut in (sse(SAID, done=""), sse(SAID, done="")[:-1], WHOLE[:90]):
        with pytest.raises((IncompleteAnswer, AssertionError)):
            read(Odd(cut))


@pytest.mark.parametrize("form", odd_lines.ODD)
def test_an_answer_of_ollama_s_is_read_in_whatever_form_it_comes(form: str) -> None:
    row = odd_lines.ODD[form]
    for size in (0, 1, 7):
        assert from_ollama(row, size) == row


@pytest.mark.parametrize("form", odd_lines.BROKEN_OFF)
def test_an_answer_of_ollama_s_that_breaks_off_is_an_error_in_its_words(form: str) -> None:
    with pytest.raises(KonsiliumError) as refused:
        from_ollama(Odd(odd_lines.BROKEN_OFF[form]))
    assert "boom" in refused.value.detail


def test_an_answer_of_ollama_s_without_an_end_is_never_whole() -> None:
    for cut in (odd_lines.lines(odd_lines.SAID), odd_lines.WHOLE[:-9], odd_lines.WHOLE[:60]):
        with pytest.raises((IncompleteAnswer, AssertionError)):
            from_ollama(Odd(cut))


def test_events_that_one_line_feed_parts_come_as_they_arrive() -> None:
    values = StreamReader()
    lines = [b'data: {"a": 1}\n', b'data: {"a": 2}\n', b'data: {"a": 3}\n']
    assert [values.payloads(line) for line in lines] == [[], [b'{"a": 1}'], [b'{"a": 2}']]
    assert values.rest() == [b'{"a": 3}']


def test_a_client_that_offered_functions_is_answered_in_their_form() -> None:
    row = replace(ODD["calls: the form before"], text="")
    mender, values = StreamMender(wants_usage=True, functions=False), StreamReader()
    sent = mender.passed(values.events(row.body))
    assert b'"function_call":{"name":"f"' in sent
    assert b"tool_calls" not in sent
    assert b'"finish_reason": "function_call"' in sent
