"""It is every N messages or a share of the window, never for too little, never the last turn."""

from app.conversation.compression.layout import source_hash
from app.conversation.compression.policy import CompressionInput, merge_span, next_span
from app.core.compression import Block, Notes
from app.core.turns import HistoryMessage


def a_history(turns, characters=1000):
    return tuple(
        HistoryMessage(f"{role[0]}{turn}", role, "x" * (characters // (4 if role == "user" else 1)))
        for turn in range(turns)
        for role in ("user", "assistant")
    )


def a_situation(history, **fields):
    defaults = {
        "history": history,
        "blocks": (),
        "every": 10,
        "room": 100_000,
        "used": 1000,
        "summariser_room": 50_000,
    }
    return CompressionInput(**(defaults | fields))


def blocks_of(history, size, text="fact: 1"):
    spans = [history[at : at + size] for at in range(0, len(history) - 2, size)]
    return tuple(
        Block(tuple(m.id for m in span), source_hash(span), Notes(facts=(text,)), 1200, 100, "m")
        for span in spans
    )


def test_a_conversation_that_ends_at_n_messages_is_left_alone():
    assert next_span(a_situation(a_history(5))) is None


def test_one_that_outgrew_n_messages_is_compressed_but_for_the_last_turn():
    assert next_span(a_situation(a_history(6))) == (0, 10)


def test_after_that_it_is_every_n_messages():
    history = a_history(10)
    blocks = blocks_of(history[:12], 10)
    assert next_span(a_situation(history[:18], blocks=blocks)) is None
    assert next_span(a_situation(history, blocks=blocks)) == (10, 18)


def test_little_material_waits_whatever_the_count():
    assert next_span(a_situation(a_history(20, characters=100))) is None


def test_a_full_window_does_not_wait_for_the_count():
    history = a_history(3, characters=8000)
    assert next_span(a_situation(history)) is None
    assert next_span(a_situation(history, room=8000, used=7000)) is not None


def test_a_long_thread_is_taken_in_spans_that_begin_with_a_question():
    history = a_history(100)
    start, end = next_span(a_situation(history, summariser_room=2000)) or (0, 0)
    assert (start, history[end].role) == (0, "user")
    assert 2 <= end <= 12


def test_one_turn_longer_than_the_summariser_reads_is_taken_alone():
    history = a_history(6, characters=40_000)
    assert next_span(a_situation(history, summariser_room=2000)) == (0, 2)


def test_on_demand_little_is_enough():
    assert next_span(a_situation(a_history(3), least=300)) == (0, 4)
    assert next_span(a_situation(a_history(1), least=300)) is None


def test_notes_within_their_share_of_the_window_are_not_merged():
    history = a_history(12)
    assert merge_span(a_situation(history, blocks=blocks_of(history, 2))) is None


def test_notes_that_outgrew_it_are_merged_as_far_as_the_summariser_reads():
    history = a_history(12)
    blocks = blocks_of(history, 2, text="f: " + "y" * 1000)
    assert merge_span(a_situation(history, blocks=blocks, room=4000, summariser_room=4000)) == (
        0,
        3,
    )
    assert merge_span(a_situation(history, blocks=blocks, room=4000, summariser_room=1500)) is None
