"""Lines and events come out the same however their bytes were cut."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.errors import MalformedAnswer
from app.core.sse import MAX_EVENT_BYTES, LineSplitter, StreamReader

texts = st.text(alphabet=st.characters(exclude_characters="\n\r", codec="utf-8"), max_size=12)


def cut(data: bytes, points: list[int]) -> list[bytes]:
    edges = sorted({0, len(data), *(p % (len(data) + 1) for p in points)})
    return [data[a:b] for a, b in pairwise(edges)]


@given(st.lists(texts, max_size=8), st.lists(st.integers(0, 10_000), max_size=30))
def test_lines_do_not_depend_on_how_their_bytes_arrive(lines: list[str], points: list[int]) -> None:
    data = "".join(f"{line}\n" for line in lines).encode() + b"rest"
    reader = LineSplitter()
    seen = [line for piece in cut(data, points) for line in reader.feed(piece)]
    assert [line.decode() for line in seen] == lines
    assert reader.rest() == b"rest"


@given(
    st.lists(texts.filter(bool), max_size=8),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.sampled_from(["", ": a comment\n", "event: message\nid: 7\n", "retry: 3\n\n\n"]),
    st.booleans(),
    st.lists(st.integers(0, 10_000), max_size=60),
)
def test_events_do_not_depend_on_how_their_bytes_arrive(
    said: list[str], end: str, between: str, space: bool, points: list[int]
) -> None:
    colon = "data: " if space else "data:"
    said = [text.lstrip(" ") or "x" for text in said]
    stream = "".join(f"{between}{colon}{text}\n\n" for text in said).replace("\n", end).encode()
    reader = StreamReader()
    seen = [event for piece in cut(stream, points) for event in reader.payloads(piece)]
    assert [event.decode() for event in seen + reader.rest()] == said


def test_an_event_of_several_data_lines_is_joined_by_line_feeds() -> None:
    assert StreamReader().payloads(b"data: a\ndata: b\n\n") == [b"a\nb"]


def test_an_event_without_its_blank_line_is_the_rest() -> None:
    reader = StreamReader()
    assert reader.payloads(b"data: a\n\ndata: b") == [b"a"]
    assert reader.rest() == [b"b"]


def test_a_byte_order_mark_before_the_stream_is_passed_over() -> None:
    assert StreamReader().payloads(b"\xef\xbb\xbfdata: a\n\n") == [b"a"]


def test_a_line_without_end_is_refused_before_it_eats_the_memory() -> None:
    lines = LineSplitter()
    piece = b"x" * (MAX_EVENT_BYTES // 4 + 1)
    for _ in range(3):
        lines.feed(piece)
    with pytest.raises(MalformedAnswer):
        lines.feed(piece)
