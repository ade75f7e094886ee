"""Thinking in tags comes apart from the answer, however the tags are cut."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.events import ReasoningDelta, TextDelta
from app.providers.thinking import ThinkTags


def split(pieces: list[str]) -> tuple[str, str]:
    tags, thought, answer = ThinkTags(), "", ""
    for piece in [*pieces, None]:
        if tags.over:
            answer += piece or ""
            continue
        for event in tags.rest() if piece is None else tags.split(piece):
            match event:
                case ReasoningDelta(text):
                    thought += text
                case TextDelta(text):
                    answer += text
    return thought, answer


@pytest.mark.parametrize(
    ("text", "thought", "answer"),
    [
        ("<think>a < b</think>\n\nyes", "a < b", "yes"),
        ("\n<think>\nhm\n</think>да", "\nhm\n", "да"),
        ("<think></think>yes", "", "yes"),
        ("<think>never closed </thin", "never closed </thin", ""),
        ("yes <think>no</think>", "", "yes <think>no</think>"),
        ("<thing>", "", "<thing>"),
        ("<th", "", "<th"),
        ("  plain", "", "  plain"),
        ("", "", ""),
    ],
)
@given(st.lists(st.integers(0, 60), max_size=12))
def test_tags_are_found_at_the_beginning_wherever_they_are_cut(
    text: str, thought: str, answer: str, cuts: list[int]
) -> None:
    edges = sorted({0, len(text), *(c for c in cuts if c < len(text))})
    pieces = [text[a:b] for a, b in pairwise(edges)]
    assert split(pieces) == (thought, answer)


def test_an_answer_that_begins_otherwise_is_not_held_back() -> None:
    tags = ThinkTags()
    assert tags.split("Да") == [TextDelta("Да")]
    assert tags.over
