"""Calls whose pieces a server writes by turns."""

import json

import pytest

from app.core.errors import MalformedAnswer
from app.core.events import Finished, TextDelta, ToolCallDelta
from app.core.usage import Usage
from app.gateway.anthropic.face import MessageWriter
from app.gateway.face import CallsInTurn

END = Finished("tool_calls", Usage())


def events_of(*events):
    calls = CallsInTurn()
    return [each for event in events for each in calls.ordered(event)]


def test_pieces_that_come_by_turns_are_written_call_after_call():
    ordered = events_of(
        ToolCallDelta(0, "a", "one", ""),
        ToolCallDelta(1, "b", "two", '{"y"'),
        ToolCallDelta(0, None, None, '{"x": 1}'),
        ToolCallDelta(1, None, None, ": 2}"),
        END,
    )
    assert ordered == [
        ToolCallDelta(0, "a", "one", ""),
        ToolCallDelta(0, None, None, '{"x": 1}'),
        ToolCallDelta(1, "b", "two", '{"y": 2}'),
        END,
    ]


def test_words_between_end_the_calls_before_them():
    first, second = ToolCallDelta(0, "a", "one", "{}"), ToolCallDelta(1, "b", "two", "{}")
    said = TextDelta("and")
    third = ToolCallDelta(2, "c", "three", "{}")
    assert events_of(first, second, said, third, END) == [first, second, said, third, END]


def test_a_call_that_goes_on_after_other_words_is_no_whole_one():
    with pytest.raises(MalformedAnswer):
        events_of(
            ToolCallDelta(0, "a", "one", "{"), TextDelta("x"), ToolCallDelta(0, None, None, "}")
        )


def test_blocks_of_anthropics_stream_never_go_on_once_they_have_stopped():
    writer = MessageWriter("m", 1, shows_thinking=False)
    pieces = [
        ToolCallDelta(0, "a", "one", "{"),
        ToolCallDelta(1, "b", "two", "{"),
        ToolCallDelta(0, None, None, "}"),
        ToolCallDelta(1, None, None, "}"),
    ]
    sent = b"".join(map(writer.event, events_of(*pieces, END))).decode()
    stopped: set[int] = set()
    said: dict[int, str] = {}
    for line in sent.splitlines():
        if not line.startswith("data: "):
            continue
        data = json.loads(line[6:])
        if data["type"] == "content_block_stop":
            stopped.add(data["index"])
        elif data["type"] == "content_block_delta":
            assert data["index"] not in stopped
            said[data["index"]] = said.get(data["index"], "") + data["delta"]["partial_json"]
    assert said == {0: "{}", 1: "{}"}
