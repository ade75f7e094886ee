"""What a person set about sampling, as the call is told it."""

import pytest

from app.conversation.answer import limit_of, sampling_of
from app.conversation.modes.council.options import LENGTH as MEMBER
from app.conversation.modes.dialogue.options import LENGTH as LINE
from app.core.options import ChatOptions


def chosen(**values: object) -> ChatOptions:
    return ChatOptions.clean(values, "dialogue", (LINE, MEMBER))


def test_what_stands_untouched_is_left_to_the_model():
    sampling = sampling_of(chosen())
    assert (sampling.temperature, sampling.top_p, sampling.seed, sampling.max_tokens) == (None,) * 4


def test_top_p_and_a_seed_are_sent_where_they_were_set():
    sampling = sampling_of(chosen(top_p=0.5, seed=42))
    assert (sampling.top_p, sampling.seed) == (0.5, 42)


@pytest.mark.parametrize(
    ("values", "limit"),
    [
        ({}, 500),  # the line's own
        ({"max_tokens": 200}, 200),  # an answer's length holds for a line, too
        ({"max_tokens": 3000}, 500),  # and never makes it longer
        ({"max_tokens": 200, "dialogue_tokens": 800}, 800),  # unless it was set apart
        ({"max_tokens": 200, "dialogue_tokens": 0}, 0),
        ({"dialogue_tokens": 0}, 0),
    ],
)
def test_the_length_of_an_answer_limits_a_line_unless_that_was_set_apart(values, limit):
    assert limit_of(chosen(**values), LINE) == limit


def test_so_it_does_a_members_answer():
    assert limit_of(chosen(max_tokens=100), MEMBER) == 100
    assert limit_of(chosen(), MEMBER) == 2000
