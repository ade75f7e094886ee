import contextlib
import itertools
import json
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from app.core.errors import IncompleteAnswer, MalformedAnswer, ServerFault
from app.core.sse import DONE, EventSplitter, encode, payload
from app.providers.openai_compatible.passing import StreamMender
from app.providers.thinking import BARE_CHANNEL, FINALS, LONE, SPEAKER, TAGS

ROLE = {"role": "assistant"}


def chunk(delta, finish=None, **more):
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return {"id": "c", "object": "chat.completion.chunk", "created": 1, "choices": [choice]} | more


def events_of(body: bytes) -> list[Any]:
    """What a client reads of a body: a plain reader after the standard, unlike ours in all else."""
    text = body.decode()
    events: list[Any] = []
    for block in text.replace("\r\n", "\n").replace("\r", "\n").split("\n\n"):
        data = "\n".join(
            line[5:].removeprefix(" ") for line in block.split("\n") if line.startswith("data:")
        )
        if data:
            events.append("[DONE]" if data == "[DONE]" else json.loads(data))
    return events


def passed_through(pieces: list[bytes], *, wants_usage: bool = True) -> bytes:
    splitter, mender = EventSplitter(), StreamMender(wants_usage=wants_usage)
    out = b""
    for piece in pieces:
        block = mender.passed(splitter.feed(piece))
        assert not block or block.endswith(b"\n\n"), "only whole events go out"
        out += block
    return out + mender.closing(splitter.rest())


texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30)
bodies = st.builds(
    lambda words, eol, comments: (words, eol, comments),
    st.lists(texts, max_size=8),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.booleans(),
)


@settings(max_examples=300, deadline=None)
@given(body=bodies, cuts=st.lists(st.integers(0, 4000), max_size=30), ascii=st.booleans())
def test_any_split_of_any_stream_arrives_as_the_same_events(body, cuts, ascii):
    words, eol, comments = body
    text = "".join(words).lower()  # without thinking, which is told apart
    assume(not any(mark in text for mark in (*TAGS, *LONE, BARE_CHANNEL, SPEAKER, *FINALS)))
    chunks = [chunk(ROLE), *(chunk({"content": word}) for word in words), chunk({}, "stop")]
    sent: list[object] = [*chunks, "[DONE]"]
    lines = [e if isinstance(e, str) else json.dumps(e, ensure_ascii=ascii) for e in sent]
    between = eol * 2 + (f": keep{eol}{eol}" if comments else "")
    wire = "".join(f"data: {line}{between}" for line in lines).encode()
    edges = sorted({0, len(wire), *(cut % (len(wire) + 1) for cut in cuts)})
    pieces = [wire[a:b] for a, b in itertools.pairwise(edges)]
    assert events_of(passed_through(pieces)) == sent


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_a_stream_cut_at_every_byte_arrives_whole(size):
    words = ["Привет, ", "👩‍👩‍👧‍👦 ", "a\u0085b\u2028c\x00", '"quoted" \\ \n']
    sent = [chunk(ROLE), *(chunk({"content": w}) for w in words), chunk({}, "length")]
    wire = b"".join(map(encode, sent)) + DONE
    pieces = [wire[i : i + size] for i in range(0, len(wire), size)]
    assert events_of(passed_through(pieces)) == [*sent, "[DONE]"]


def test_untouched_chunks_go_out_byte_for_byte():
    head = b'data: {"choices":[{"index":0,"delta":{"role":"assistant"}}],"x_unknown":[1, 2]}\n\n'
    odd = b'data:  {"choices" : [{"delta":{"content":"x"}, "finish_reason": null}], "z": 1.50}\n\n'
    assert passed_through([head + odd + encode(chunk({}, "stop")) + DONE]).startswith(head + odd)


def test_the_first_delta_gets_a_role_where_the_server_gives_none():
    wire = encode(chunk({"content": "a"})) + encode(chunk({"content": "b"}, "stop")) + DONE
    first, second, _ = events_of(passed_through([wire]))
    assert first["choices"][0]["delta"] == {"role": "assistant", "content": "a"}
    assert "role" not in second["choices"][0]["delta"]


def test_usage_is_noticed_and_shown_only_to_those_who_asked():
    usage = {"prompt_tokens": 3, "completion_tokens": 5, "total_tokens": 8}
    last = {"id": "c", "choices": [], "usage": usage}
    wire = encode(chunk(ROLE)) + encode(chunk({}, "stop")) + encode(last) + DONE
    mender = StreamMender(wants_usage=False)
    assert b"usage" not in mender.passed(wire) + mender.closing()
    assert (mender.usage.input_tokens, mender.usage.output_tokens) == (3, 5)
    assert events_of(passed_through([wire]))[-2] == last


def test_usage_on_the_last_chunk_is_taken_off_it_for_those_who_did_not_ask():
    wire = encode(chunk(ROLE)) + encode(chunk({}, "stop", usage={"prompt_tokens": 1})) + DONE
    assert events_of(passed_through([wire], wants_usage=False))[1] == chunk({}, "stop")


def test_an_empty_finish_reason_becomes_null_and_a_foreign_one_a_known_one():
    wire = encode(chunk(ROLE, "")) + encode(chunk({"content": "a"}, "")) + encode(chunk({}, "eos"))
    reasons = [
        e["choices"][0]["finish_reason"] for e in events_of(passed_through([wire + DONE]))[:3]
    ]
    assert reasons == [None, None, "stop"]


def test_a_done_without_a_finish_reason_gets_one():
    wire = encode(chunk(ROLE)) + encode(chunk({"content": "a"})) + DONE
    *_, last, done = events_of(passed_through([wire]))
    assert last["choices"] == [{"index": 0, "delta": {}, "finish_reason": "stop"}]
    assert (last["id"], done) == ("c", "[DONE]")


def test_a_finish_reason_without_done_is_complete():
    wire = encode(chunk(ROLE)) + encode(chunk({}, "stop"))
    assert passed_through([wire]).endswith(DONE)
    assert passed_through([wire[:-2]]).endswith(DONE), "even without the last blank line"


def test_a_stream_without_an_end_is_never_complete():
    for wire in (b"", b": hi\n\n", encode(chunk(ROLE)), encode(chunk(ROLE)) + b'data: {"ch'):
        with pytest.raises((IncompleteAnswer, MalformedAnswer)):
            passed_through([wire])


def test_of_several_answers_each_has_its_own_end():
    def of(index, delta, reason=None):
        return encode({"choices": [{"index": index, "delta": delta, "finish_reason": reason}]})

    said = of(0, ROLE) + of(1, ROLE) + of(0, {"content": "a"}) + of(0, {}, "stop")
    for rest, whole in (
        (b"", False),
        (of(1, {"content": "b"}), False),
        (of(1, {}, "length"), True),
        (DONE, True),
    ):
        mender = StreamMender(wants_usage=False, choices=2)
        mender.passed(said + rest)
        with contextlib.nullcontext() if whole else pytest.raises(IncompleteAnswer):
            assert mender.closing().endswith(DONE)


def test_an_error_in_mid_stream_is_raised_whatever_form_it_has():
    for error in ({"error": {"message": "boom", "code": 500}}, {"error": "boom"}):
        with pytest.raises(ServerFault, match="boom"):
            passed_through([encode(chunk(ROLE)) + encode(error)])
    with pytest.raises(ServerFault):
        passed_through([encode(chunk(ROLE)) + encode(chunk({}, "error"))])


def test_text_that_speaks_of_the_protocol_is_only_text():
    said = '"finish_reason":"stop" "usage":{ "error":{ data: [DONE]\n\n[DONE]'
    sent = [chunk(ROLE), chunk({"content": said}), chunk({}, "stop")]
    assert events_of(passed_through([b"".join(map(encode, sent)) + DONE])) == [*sent, "[DONE]"]


def test_nothing_after_done_is_passed_on():
    wire = encode(chunk(ROLE)) + encode(chunk({}, "stop")) + DONE + encode(chunk({"content": "x"}))
    assert passed_through([wire]).endswith(DONE)


def test_a_large_event_in_small_pieces_takes_no_quadratic_time():
    wire = (
        encode(chunk(ROLE))
        + encode(chunk({"content": "x" * 5_000_000}))
        + encode(chunk({}, "stop"))
    )
    pieces = [wire[i : i + 4096] for i in range(0, len(wire), 4096)]
    assert len(passed_through(pieces)) == len(wire) + len(DONE)


def test_data_over_several_lines_is_one_payload():
    assert payload(b'event: x\ndata: {"a":\ndata: 1}\nid: 4\n\n') == b'{"a":\n1}'
    assert payload(b": comment\n\n") is None
