"""Strengths of models by votes: what they were made with comes back, with honest intervals."""

import random
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from app.core.strengths import ENOUGH, strengths
from app.core.votes import Compared, Vote

AT = datetime(2026, 11, 1, tzinfo=UTC)
TRUE = {"s/a": 1150.0, "s/b": 1050.0, "s/c": 950.0, "s/d": 850.0}


def a_vote(*models, winner=None, verdict=None, seconds=1.0, cost=Decimal(2)):
    sides = tuple(Compared(model, seconds, cost) for model in models)
    verdict = verdict or ("good" if winner is None else "won")
    return Vote("id", "u", AT, "person", "ru", "text", True, sides, verdict, winner)


def votes_of(true, count, seed):
    """Votes as people of the model's theory give them."""
    chance = random.Random(seed)
    for _ in range(count):
        one, other = chance.sample(sorted(true), 2)
        first = chance.random() < 1 / (1 + 10 ** ((true[other] - true[one]) / 400))
        yield a_vote(one, other, winner=0 if first else 1)


def numbers(one):
    """Its low bound, strength and high bound."""
    assert one.low is not None
    assert one.strength is not None
    assert one.high is not None
    return one.low, one.strength, one.high


def test_the_strengths_that_votes_were_made_with_come_back():
    found = strengths(list(votes_of(TRUE, 4000, seed=1)))
    assert [one.model for one in found] == sorted(TRUE)
    for one in found:
        low, strength, high = numbers(one)
        assert strength == pytest.approx(TRUE[one.model], abs=25)
        assert low < strength < high


def test_intervals_hold_the_truth_about_as_often_as_they_say():
    held = []
    for seed in range(40):
        found = strengths(list(votes_of(TRUE, 120, seed)), resamples=200)
        for one in found:
            low, _, high = numbers(one)
            held.append(low <= TRUE[one.model] <= high)
    assert sum(held) / len(held) > 0.88


def test_too_few_votes_are_said_instead_of_a_number():
    few = [a_vote("s/a", "s/b", winner=0)] * (ENOUGH - 1)
    assert [one.strength for one in strengths(few)] == [None, None]
    assert [one.strength is None for one in strengths([*few, few[0]])] == [False, False]


def test_models_that_nothing_compares_have_no_common_scale():
    company = [a_vote("s/a", "s/b", winner=0)] * 20 + [a_vote("s/b", "s/c", winner=1)] * 20
    apart = [a_vote("s/x", "s/y", winner=0)] * 50
    found = {one.model: one.strength for one in strengths(company + apart)}
    assert found["s/x"] is found["s/y"] is None
    assert None not in (found["s/a"], found["s/b"], found["s/c"])


def test_one_that_always_wins_has_a_number_all_the_same():
    best, worst = strengths([a_vote("s/a", "s/b", winner=0)] * 30)
    assert 1000 < numbers(best)[1] < 2000
    assert numbers(best)[1] - 1000 == pytest.approx(1000 - numbers(worst)[1], abs=1)


@pytest.mark.parametrize("verdict", ["good", "bad"])
def test_where_nobody_wins_both_are_equal(verdict):
    one, other = strengths([a_vote("s/a", "s/b", verdict=verdict)] * 12)
    assert one.strength == pytest.approx(other.strength)
    assert (one.won, one.drawn, one.lost) == (0, 12, 0)


def test_the_winner_of_several_has_beaten_each_and_the_others_not_each_other():
    found = {one.model: one for one in strengths([a_vote("s/a", "s/b", "s/c", winner=2)] * 20)}
    assert found["s/c"].won == 20
    assert found["s/a"].strength == pytest.approx(found["s/b"].strength)


def test_a_model_against_itself_counts_for_nothing():
    assert strengths([a_vote("s/a", "s/a", winner=0)] * 20) == ()


def test_no_votes_no_models():
    assert strengths([]) == ()


def test_time_and_cost_are_means_of_what_is_known():
    known = a_vote("s/a", "s/b", winner=0, seconds=3.0, cost=Decimal("0.5"))
    unknown = a_vote("s/a", "s/b", winner=0, seconds=None, cost=None)
    for one in strengths([known, unknown]):
        assert (one.seconds, one.cost_rub) == (3.0, Decimal("0.5"))
