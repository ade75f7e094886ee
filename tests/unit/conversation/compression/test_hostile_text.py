"""Whatever is pasted into a chat, reading it for exact things stays quick."""

import time

import pytest

from app.conversation.compression.corrections import Corrections, is_stale
from app.conversation.compression.details import details_of, missing, unfounded, vocabulary
from app.core.turns import HistoryMessage

SIZE = 50_000


@pytest.mark.parametrize(
    "piece",
    ["x", "_a", "a_", "1,", "1.", "A ", "Ab ", "a.", "@", "a@b.", "/a", "not ", "«a ", '"a', "не ", "x->", "aA", "- "],
)  # fmt: skip
def test_no_text_takes_long(piece):
    text = piece * (SIZE // len(piece))
    for role in ("user", "assistant"):
        message = HistoryMessage("1", role, text)
        start = time.process_time()
        found = details_of([message])
        said = Corrections([message])
        missing(found[:50], [text[:300]])
        unfounded(text[:300], vocabulary([message]))
        is_stale(text[:300], 0, said)
        assert time.process_time() - start < 1.0


def test_a_conversation_full_of_corrections_is_read_quickly():
    turns = 1000
    messages = [
        HistoryMessage(str(at), "user", f"The knob is {3000 + at}, not {7000 + at}.")
        for at in range(turns)
    ]
    start = time.process_time()
    said = Corrections(messages)
    assert all(is_stale(f"knob: {7000 + at}", 0, said) for at in range(turns))
    assert time.process_time() - start < 2.0
