"""The labelled pairs: on parts that no rule was tuned on, nothing false is served."""

import itertools
import math
from collections import Counter

import pytest

from app.completion.caching.analysis import analyse
from app.completion.caching.matching import compare
from tests.data.questions.load import LANGUAGES, pairs


def counted(part):
    found: Counter[tuple[bool, str]] = Counter()
    for pair in pairs(part):
        one, other = analyse(pair.first), analyse(pair.second)
        found[pair.same, compare(one, other).kind if one and other else "different"] += 1
    return found


def test_there_are_at_least_150_pairs_a_language_half_of_them_different():
    for language in LANGUAGES:
        some = [pair for pair in pairs("tuning", "test") if pair.language == language]
        assert len(some) >= 150
        assert 0.45 <= sum(pair.same for pair in some) / len(some) <= 0.55
        assert len({(pair.first, pair.second) for pair in some}) == len(some)


def test_pairs_around_one_question_are_in_one_part():
    parts: dict[str, str] = {}
    for pair in pairs("tuning", "test"):
        assert parts.setdefault(pair.first, pair.split) == pair.split


@pytest.mark.parametrize("part", ["tuning", "test", "later"])
def test_served_and_offered_answers_are_right_often_enough(part):
    found = counted(part)
    same = sum(number for (truth, _), number in found.items() if truth)
    served = found[True, "serve"]
    offered = served + found[True, "suggest"]
    wrong = found[False, "suggest"]
    assert found[False, "serve"] == 0
    assert served / same >= 0.15
    assert offered / same >= 0.50
    assert offered / (offered + wrong) >= 0.80


def test_the_verdict_does_not_depend_on_the_order():
    for pair in pairs():
        one, other = analyse(pair.first), analyse(pair.second)
        if one and other:
            there, back = compare(one, other), compare(other, one)
            assert there.kind == back.kind, pair
            assert math.isclose(there.score, back.score), pair


def test_a_question_is_served_its_own_answer():
    for pair in pairs():
        analysis = analyse(pair.first)
        if analysis and analysis.content:
            assert compare(analysis, analysis).kind == "serve", pair.first


def test_questions_of_two_languages_never_meet():
    by_language = [[analyse(p.first) for p in pairs() if p.language == code] for code in LANGUAGES]
    for one, other in itertools.combinations(by_language, 2):
        for a, b in zip(one, other, strict=False):
            assert not (a and b) or compare(a, b).kind == "different"
