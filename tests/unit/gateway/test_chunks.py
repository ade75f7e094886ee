import json
from collections.abc import AsyncIterator
from typing import Any

from app.core.events import (
    Finished,
    ModelEvent,
    ReasoningDelta,
    TextDelta,
    TextWasThinking,
    ToolCallDelta,
)
from app.core.usage import Usage
from app.gateway.openai.chunks import ChunkWriter, CompletionHeader, completion

HEAD = CompletionHeader.new("ollama/gemma2:2b")
USAGE = Usage(input_tokens=3, output_tokens=4)


async def said(*events: ModelEvent) -> AsyncIterator[ModelEvent]:
    for event in events:
        yield event


def parsed(block: bytes) -> list[Any]:
    return [json.loads(event[6:]) for event in block.split(b"\n\n") if event]


def test_chunks_share_id_and_time_and_say_the_text_exactly():
    writer = ChunkWriter(HEAD)
    said = 'При"вет\\ \x00\u2028 🙂\n'
    opening, text = parsed(writer.opening() + writer.event(TextDelta(said)))
    assert opening["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert text["choices"][0] == {
        "index": 0,
        "delta": {"content": said},
        "logprobs": None,
        "finish_reason": None,
    }
    assert opening["id"] == text["id"] == HEAD.id
    assert text["object"] == "chat.completion.chunk"
    assert "usage" not in text


def test_half_a_surrogate_pair_breaks_no_stream():
    assert parsed(ChunkWriter(HEAD).event(TextDelta("\ud83d")))


def test_usage_comes_last_and_only_when_asked_for():
    writer = ChunkWriter(HEAD, wants_usage=True)
    assert parsed(writer.event(TextDelta("x")))[0]["usage"] is None
    last, usage = parsed(writer.event(Finished("stop", USAGE)))
    assert last["choices"][0]["finish_reason"] == "stop"
    assert usage["choices"] == []
    assert usage["usage"] == {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}
    assert len(parsed(ChunkWriter(HEAD).event(Finished("stop", USAGE)))) == 1


def test_tool_calls_have_an_index_an_id_and_end_as_tool_calls():
    writer = ChunkWriter(HEAD)
    (first,) = parsed(writer.event(ToolCallDelta(0, None, "f", '{"a"')))
    (second,) = parsed(writer.event(ToolCallDelta(0, arguments=":1}")))
    (last,) = parsed(writer.event(Finished("stop", USAGE)))
    call = first["choices"][0]["delta"]["tool_calls"][0]
    assert call["index"] == 0
    assert call["id"]
    assert call["function"] == {"name": "f", "arguments": '{"a"'}
    assert second["choices"][0]["delta"]["tool_calls"] == [
        {"index": 0, "function": {"arguments": ":1}"}}
    ]
    assert last["choices"][0]["finish_reason"] == "tool_calls"


async def test_a_whole_answer_gathers_what_the_chunks_would_say():
    answer = await completion(
        HEAD,
        said(
            ReasoningDelta("hm"),
            TextDelta("a"),
            TextDelta("b"),
            ToolCallDelta(0, "c1", "f", "{"),
            ToolCallDelta(0, arguments="}"),
            Finished("stop", USAGE),
        ),
    )
    message = answer["choices"][0]["message"]
    assert (message["content"], message["reasoning_content"]) == ("ab", "hm")
    assert message["tool_calls"] == [
        {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    ]
    assert answer["choices"][0]["finish_reason"] == "tool_calls"
    assert answer["object"] == "chat.completion"


async def test_the_legacy_form_speaks_of_text():
    head = CompletionHeader.new("m", legacy=True)
    writer = ChunkWriter(head)
    assert writer.opening() == b""
    (chunk,) = parsed(writer.event(TextDelta("x")))
    assert chunk["object"] == "text_completion"
    assert chunk["choices"][0]["text"] == "x"
    whole = await completion(head, said(TextDelta("x"), Finished("stop", USAGE)))
    assert whole["choices"][0]["text"] == "x"


async def test_text_that_turns_out_to_be_thinking_is_no_part_of_a_whole_answer():
    events = said(TextDelta("hm"), TextWasThinking(), TextDelta("yes"), Finished("stop", USAGE))
    message = (await completion(HEAD, events))["choices"][0]["message"]
    assert (message["content"], message["reasoning_content"]) == ("yes", "hm")
