"""The labelled pairs: nothing false may be served even by a model that always says yes, and on parts
that no rule was tuned on, what is offered is right often enough."""

import math
from collections import Counter

import pytest

from app.completion.caching.matching import OFFER_FROM, compare, interchangeable
from app.completion.caching.words import read
from tests.data.questions.load import LANGUAGES, pairs

PARTS = ["tuning", "test", "later", "people"]


def test_there_are_enough_pairs_a_language_half_of_them_different():
    for language in LANGUAGES:
        some = [pair for pair in pairs() if pair.language == language]
        assert len(some) >= 250
        assert 0.4 <= sum(pair.same for pair in some) / len(some) <= 0.6
        assert len({(pair.folder, pair.first, pair.second) for pair in some}) == len(some)


def test_pairs_around_one_question_are_in_one_part():
    parts: dict[tuple[str, str], str] = {}
    for pair in pairs("tuning", "test", "people"):
        assert parts.setdefault((pair.folder, pair.first), pair.split) == pair.split


def offered(pair) -> bool:
    likeness = compare(read(pair.first), read(pair.second))
    return likeness.score >= OFFER_FROM and not likeness.objections


@pytest.mark.parametrize("part", PARTS)
def test_what_is_offered_is_right_often_enough(part):
    found = Counter((pair.same, offered(pair)) for pair in pairs(part))
    right, wrong = found[True, True], found[False, True]
    assert right / (right + wrong) >= 0.80
    assert right / (right + found[True, False]) >= 0.45


@pytest.mark.parametrize("part", PARTS)
def test_no_model_could_have_a_false_answer_served(part):
    false = [
        (pair.first, pair.second)
        for pair in pairs(part)
        if not pair.same and interchangeable(read(pair.first), read(pair.second))
    ]
    assert false == []


def test_the_verdict_does_not_depend_on_the_order():
    for pair in pairs():
        one, other = read(pair.first), read(pair.second)
        there, back = compare(one, other), compare(other, one)
        assert there.objections == back.objections, pair
        assert math.isclose(there.score, back.score), pair


def test_a_question_may_be_served_its_own_answer():
    for pair in pairs():
        one = read(pair.first)
        assert compare(one, one).score == 1.0
        assert compare(one, one).objections == frozenset()
        assert interchangeable(one, one)
