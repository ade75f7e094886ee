"""How strong models are, by votes on their answers: the model of Bradley and Terry, with intervals.

Of two models the stronger one wins with probability 1 / (1 + 10^((b - a) / 400)), as chess ratings have it;
the mean of those compared is 1000. A vote for one answer is a win over each other; "all are good" and "all
are bad" are half a win each. To every model half a win and half a loss against an average one is added, so
that one which has always won has a number at all; it moves numbers that rest on many votes by little.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from statistics import fmean
from typing import Any

import numpy as np

from app.core.votes import Compared, Vote

ENOUGH = 10
"""Votes on a model below which it has no number."""
RESAMPLES = 400
ROUNDS = 200
"""Steps towards the likeliest strengths; 200 are exact to a tenth of a point for a dozen models."""
MEAN, SCALE = 1000.0, 400.0


@dataclass(frozen=True, slots=True)
class Strength:
    """One model by its votes. Unknown is None."""

    model: str
    votes: int
    won: int
    drawn: int
    lost: int
    strength: float | None
    """None where there are not enough votes, or none that compare it, by others, with the rest."""
    low: float | None
    """The interval that 95 of 100 resamples of the votes fall into."""
    high: float | None
    seconds: float | None
    """An answer's, on average."""
    cost_rub: Decimal | None


def strengths(votes: Sequence[Vote], *, resamples: int = RESAMPLES) -> tuple[Strength, ...]:
    """The models of those votes, the strongest first, those without a number last. Votes between answers
    of the same model count for nothing."""
    counted = [vote for vote in votes if len({side.model for side in vote.sides}) > 1]
    names = sorted({side.model for vote in counted for side in vote.sides})
    place = {name: number for number, name in enumerate(names)}
    won = np.zeros((len(counted), len(names), len(names)))
    told: dict[str, list[int]] = {name: [0, 0, 0, 0] for name in names}
    sides: dict[str, list[Compared]] = {name: [] for name in names}
    for number, vote in enumerate(counted):
        _count(vote, won[number], place)
        for at, side in enumerate(vote.sides):
            sides[side.model].append(side)
            result = 2 if vote.winner is None else 1 if vote.winner == at else 3
            told[side.model][result] += 1
            told[side.model][0] += 1
    enough = _comparable(won.sum(axis=0), [told[name][0] for name in names])
    middle, low, high = _fitted(won[:, enough][:, :, enough], resamples)
    numbers = dict(
        zip([names[at] for at in enough], zip(middle, low, high, strict=True), strict=True)
    )
    found = [
        Strength(
            name,
            *(votes_on, wins, draws, losses),
            *(strength, least, most),
            _mean([side.seconds for side in sides[name]]),
            _mean_cost(sides[name]),
        )
        for name in names
        for votes_on, wins, draws, losses in (told[name],)
        for strength, least, most in (numbers.get(name, (None, None, None)),)
    ]
    return tuple(sorted(found, key=lambda one: (-(one.strength or 0.0), -one.votes, one.model)))


def _count(vote: Vote, won: "np.ndarray[Any, Any]", place: dict[str, int]) -> None:
    """Adds the vote's wins: `won[a, b]`, of a over b."""
    for at, one in enumerate(vote.sides):
        for other in vote.sides[at + 1 :]:
            a, b = place[one.model], place[other.model]
            if a == b:
                continue
            if vote.winner is None:
                won[a, b] += 0.5
                won[b, a] += 0.5
            elif vote.winner == at:
                won[a, b] += 1
            elif vote.sides[vote.winner] is other:
                won[b, a] += 1


def _comparable(won: "np.ndarray[Any, Any]", votes: Sequence[int]) -> list[int]:
    """Those with enough votes that are compared with each other, if only by way of others: the largest
    such company."""
    able = [number for number, count in enumerate(votes) if count >= ENOUGH]
    company: list[int] = []
    left = set(able)
    while left:
        reached, waiting = set[int](), [left.pop()]
        while waiting:
            at = waiting.pop()
            reached.add(at)
            near = {other for other in left if won[at, other] + won[other, at] > 0}
            left -= near
            waiting += near
        if len(reached) > max(len(company), 1):
            company = sorted(reached)
    return company


def _fitted(
    won: "np.ndarray[Any, Any]", resamples: int
) -> tuple[list[float], list[float], list[float]]:
    """The strengths, and the bounds of their intervals."""
    votes, count = won.shape[:2]
    if not count:
        return [], [], []
    flat = won.reshape(votes, -1)
    draws = np.random.default_rng(0).multinomial(votes, np.full(votes, 1 / votes), resamples)
    sums = np.concatenate([flat.sum(axis=0, keepdims=True), draws @ flat])
    fitted = _likeliest(sums.reshape(-1, count, count))
    low, high = np.percentile(fitted[1:], [2.5, 97.5], axis=0)
    return fitted[0].tolist(), low.tolist(), high.tolist()


def _likeliest(won: "np.ndarray[Any, Any]") -> "np.ndarray[Any, Any]":
    """The likeliest strengths of each sample, by minorisation and maximisation (Hunter 2004)."""
    met = won + won.transpose(0, 2, 1)
    wins = won.sum(axis=2) + 0.5
    power = np.ones(wins.shape)
    for _ in range(ROUNDS):
        expected = (met / (power[:, :, None] + power[:, None, :])).sum(axis=2) + 1 / (power + 1)
        power = wins / expected
        power /= np.exp(np.log(power).mean(axis=1, keepdims=True))
    return np.asarray(MEAN + SCALE * np.log10(power))


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known else None


def _mean_cost(sides: Sequence[Compared]) -> Decimal | None:
    known = [side.cost_rub for side in sides if side.cost_rub is not None]
    return sum(known, Decimal()) / len(known) if known else None
