"""Thinking in tags comes apart from the answer, however the tags are cut."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.events import ReasoningDelta, TextDelta, TextWasThinking
from app.providers.thinking import ThinkTags, whole


def split(pieces: list[str], *, begun: bool = False) -> tuple[str, str]:
    tags, thought, answer = ThinkTags(begun=begun), "", ""
    for piece in [*pieces, None]:
        if tags.over and piece and "<" not in piece and "[" not in piece:
            answer += piece
            tags.before = piece
            continue
        for event in tags.rest() if piece is None else tags.split(piece):
            match event:
                case ReasoningDelta(text):
                    thought += text
                case TextDelta(text):
                    answer += text
                case TextWasThinking():
                    thought, answer = thought + answer, ""
    return thought, answer


def cut(text: str, cuts: list[int]) -> list[str]:
    edges = sorted({0, len(text), *(c for c in cuts if c < len(text))})
    return [text[a:b] for a, b in pairwise(edges)]


CASES = [
    ("<think>a < b</think>\n\nyes", "a < b", "yes"),
    ("\n<think>\nhm\n</think>да", "\nhm\n", "да"),
    ("<think></think>yes", "", "yes"),
    ("<think>never closed </thin", "never closed </thin", ""),
    ("yes <think>no</think>", "", "yes <think>no</think>"),
    ("<thing>", "", "<thing>"),
    ("<th", "", "<th"),
    ("  plain", "", "  plain"),
    ("", "", ""),
    ("<thinking>a</thinking>yes", "a", "yes"),
    ("<thought>\na\n</thought>\nyes", "\na\n", "yes"),
    ("[THINK]a [1]</think>[/THINK]yes", "a [1]</think>", "yes"),
    ("<THINK>a</THINK>yes", "a", "yes"),
    ("◁think▷a◁/think▷yes", "a", "yes"),
    ("<|begin_of_thought|>a<|end_of_thought|>\n\nyes", "a", "yes"),
    ("a is\nb\n</think>\n\nyes", "a is\nb\n", "yes"),
    ("hm.\n</think>yes", "hm.\n", "yes"),
    ("hm.</think>\n\nyes", "hm.", "yes"),
    ("hm.\n</thinking>\nyes", "hm.\n", "yes"),
    ("all of it\n</think>", "all of it\n", ""),
    ("The tag </think> ends it.", "", "The tag </think> ends it."),
    ("Say `</think>`\nthen go on", "", "Say `</think>`\nthen go on"),
    ("So:\n<think>\na\n</think>\nend", "", "So:\n<think>\na\n</think>\nend"),
    ("a <b>bold</b> [link](x) </i>", "", "a <b>bold</b> [link](x) </i>"),
    (
        "<|channel|>analysis<|message|>a<|end|><|start|>assistant<|channel|>final<|message|>yes<|return|>",
        "a",
        "yes",
    ),
    ("<|start|>assistant<|channel|>final<|message|>yes", "", "yes"),
    (
        "<|channel|>analysis<|message|>a<|end|><|channel|>commentary<|message|>b<|end|>"
        "<|start|>assistant<|channel|>final<|message|>yes",
        "ab",
        "yes",
    ),
]


@pytest.mark.parametrize(("text", "thought", "answer"), CASES)
@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(0, 90), max_size=12))
def test_thinking_is_found_wherever_it_is_cut(
    text: str, thought: str, answer: str, cuts: list[int]
) -> None:
    assert split(cut(text, cuts)) == (thought, answer)
    assert split(list(text)) == (thought, answer)
    assert whole(text) == (thought, answer)


@pytest.mark.parametrize(
    ("text", "thought", "answer"),
    [
        ("analysisWe need a city.assistantfinalKyiv", "We need a city.", "Kyiv"),
        ("analysis of the data", "", "analysis of the data"),
        ("Analysis", "", "Analysis"),
        ("analysisWe never end", "We never end", "We never end"),
    ],
)
@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(8, 60), max_size=12))
def test_channels_whose_marks_were_dropped_begin_with_one_token(
    text: str, thought: str, answer: str, cuts: list[int]
) -> None:
    assert split(cut(text, cuts)) == (thought, answer)
    assert whole(text) == (thought, answer)


@pytest.mark.parametrize(
    ("text", "thought", "answer"),
    [
        ("hm </think>yes", "hm ", "yes"),
        ("hm\n</thinking>\n\nyes", "hm\n", "yes"),
        ("<think>hm</think>yes", "hm", "yes"),
        ("an answer at once", "an answer at once", "an answer at once"),
    ],
)
@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(0, 30), max_size=8))
def test_a_model_known_to_think_without_a_word_about_it_is_taken_at_that(
    text: str, thought: str, answer: str, cuts: list[int]
) -> None:
    assert split(cut(text, cuts), begun=True) == (thought, answer)


def test_an_answer_that_begins_otherwise_is_not_held_back() -> None:
    tags = ThinkTags()
    assert tags.split("Да") == [TextDelta("Да")]
    assert tags.over


def test_thinking_that_was_cut_off_is_no_answer() -> None:
    tags = ThinkTags(begun=True)
    assert tags.split("hm, so") == [ReasoningDelta("hm, so")]
    assert tags.rest(complete=False) == []


def test_where_a_server_separates_thinking_a_closing_tag_is_the_answers_own() -> None:
    tags = ThinkTags()
    tags.no_more()
    assert tags.split("a\n</think>\n\nb") == [TextDelta("a\n</think>\n\nb")]
