"""A JSON object read in pieces equals the same object read at once."""

import itertools
import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.conversation.partial_json import PartialObject, whole_characters

texts = st.text(
    st.one_of(
        st.characters(exclude_categories=()),  # lone surrogates too: models write half of a pair
        st.sampled_from('\\"/\n\r\t\b\f{}[]:,u0девʼїґ👩‍👩‍👧\U0001f600'),
    ),
    max_size=40,
)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
objects = st.dictionaries(texts, values, max_size=5)


def pieces_of(text, cuts):
    edges = [0, *sorted(cut % (len(text) + 1) for cut in cuts), len(text)]
    return [text[a:b] for a, b in itertools.pairwise(edges)]


def read(pieces):
    parser = PartialObject()
    grown: dict[str, str] = {}
    for piece in pieces:
        for key, text in parser.feed(piece):
            grown[key] = grown.get(key, "") + text
    return parser, grown


@given(objects, st.booleans(), st.sampled_from([None, 1]), st.lists(st.integers(0), max_size=12))
def test_any_split_of_any_object_gives_the_parsed_whole(value, ascii_only, indent, cuts):
    text = json.dumps(value, ensure_ascii=ascii_only, indent=indent)
    # What both spellings of lone surrogates come to, as the parser promises.
    expected = whole_characters(json.loads(text)) if ascii_only else None
    if expected is None:
        try:
            text.encode()
        except UnicodeEncodeError:
            return  # a Python string with half a pair never comes over a wire
        expected = value
    if len(expected) < len(value):
        return  # two keys that differ only in broken characters
    parser, grown = read(pieces_of(text, cuts))
    assert parser.state == "complete"
    assert parser.fields == expected
    assert {k: v for k, v in grown.items() if v} == {
        k: v for k, v in expected.items() if isinstance(v, str) and v
    }


@given(objects)
def test_one_character_at_a_time_gives_the_parsed_whole(value):
    text = json.dumps(value)
    expected = whole_characters(json.loads(text))
    if len(expected) == len(value):
        parser, _ = read(list(text))
        assert parser.fields == expected


@given(st.text(max_size=60), st.lists(st.integers(0), max_size=6))
def test_no_text_whatever_makes_it_raise_and_no_split_changes_the_result(text, cuts):
    parsers = [read(pieces)[0] for pieces in ([text], ['{"a": ' + text], list('{"a": "' + text))]
    assert all(parser.state for parser in parsers)
    once, split = read(['{"a": "' + text])[1], read(pieces_of('{"a": "' + text, cuts))[1]
    assert once.get("a", "") == split.get("a", "")


def test_text_is_handed_out_before_the_object_is_complete():
    parser = PartialObject()
    assert parser.feed('{"title": "Чай", "mess') == [("title", "Чай")]
    assert parser.feed('age": "Зава') == [("message", "Зава")]
    assert parser.feed("рите\\") == [("message", "рите")]
    assert parser.feed("nего") == [("message", "\nего")]
    assert parser.fields == {"title": "Чай"}
    parser.feed('"}')
    assert parser.state == "complete"


def test_a_surrogate_pair_waits_for_its_second_half():
    parser = PartialObject()
    assert parser.feed('{"m": "\\ud83d') == []
    assert parser.feed("\\ude00!") == [("m", "😀!")]


@pytest.mark.parametrize("before", ["", "\n ", "\ufeff", "```json\n", "```\n", "```JSON {"[:8]])
def test_a_fence_before_the_object_is_passed_over(before):
    parser, grown = read(list(before + '{"m": "x"}\n```'))
    assert (parser.state, grown) == ("complete", {"m": "x"})


@pytest.mark.parametrize("text", ["Hello", "[1]", '"x"', "```\nprint()", "Sure: {"])
def test_what_is_not_an_object_is_known_from_its_first_characters(text):
    assert read(list(text))[0].state == "not_json"


def test_nesting_without_end_breaks_the_object_and_nothing_else():
    parser, _ = read(['{"a": ' + "[" * 100_000 + "]" * 100_000 + "}"])
    assert parser.state == "broken"


def test_latex_and_raw_line_breaks_in_strings_are_kept():
    _, grown = read(['{"m": "\\(x\\) \\underline{a}\nb"}'])
    assert grown["m"] == "\\(x\\) \\underline{a}\nb"


def test_a_decision_is_known_as_soon_as_it_is_written():
    parser = PartialObject()
    parser.feed('{"need": fal')
    assert parser.fields == {}
    parser.feed("se,")
    assert parser.fields == {"need": False}


def test_many_characters_with_escapes_take_linear_time():
    text = json.dumps({"m": "строка\n" * 30_000, "n": [["x"] * 1000] * 20})
    started = time.process_time()
    parser, grown = read(text[i : i + 997] for i in range(0, len(text), 997))
    assert parser.state == "complete"
    assert len(grown["m"]) == 7 * 30_000
    assert time.process_time() - started < 5  # quadratic would take far longer; only that is meant
