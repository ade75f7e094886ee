"""Who is best by the others' judgement: ballots, Borda's count, and how far the judges agree.

Every member ranks the others and never itself, so the ballots are incomplete by design: points are means
of what each judge gave, and Kendall's W is taken in the form for incomplete blocks (J. Durbin, 1951).
"""

import itertools
import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.conversation.modes.council.blind import LETTERS, letter_in
from app.conversation.structured import Structure
from app.core.requests import JsonSchema

HIGH, MEDIUM = 0.7, 0.4
"""Kendall's W from which agreement is called high and medium."""


@dataclass(frozen=True, slots=True)
class Ballot:
    """One judge's order: members' numbers, best first, once for every order in which it was asked."""

    judge: int
    orders: tuple[tuple[int, ...], ...]

    def ranks(self) -> dict[int, float]:
        """The mean rank of each, 1 the best."""
        judged = self.orders[0]
        return {
            one: sum(order.index(one) + 1 for order in self.orders) / len(self.orders)
            for one in judged
        }


def borda(members: Sequence[int], ballots: Sequence[Ballot]) -> dict[int, float | None]:
    """Points from 0 (always last) to 1 (always first), the mean over judges; None whom nobody ranked."""
    points: dict[int, list[float]] = {member: [] for member in members}
    for ballot in ballots:
        ranks = ballot.ranks()
        for member, rank in ranks.items():
            if len(ranks) > 1 and member in points:
                points[member].append((len(ranks) - rank) / (len(ranks) - 1))
    return {one: sum(given) / len(given) if given else None for one, given in points.items()}


def ranked(points: Mapping[int, float | None]) -> list[int]:
    """The members, best first; equals, and those whom nobody ranked, by their numbers."""
    return sorted(points, key=lambda one: (-(points[one] or 0.0), points[one] is None, one))


def kendall_w(members: Sequence[int], ballots: Sequence[Ballot]) -> float | None:
    """Kendall's coefficient of concordance, 0 to 1: how far the sums of ranks are from what chance gives,
    of the farthest that these judges could have them. None where fewer than two judged."""
    ranks = [ballot.ranks() for ballot in ballots]
    if len(ranks) < 2:
        return None
    spread = _spread(members, ranks)
    most = max(
        _spread(members, [_in_order(order, judged) for judged in ranks])
        for order in itertools.permutations(members)
    )
    return min(1.0, spread / most) if most else None


def _spread(members: Sequence[int], ranks: Sequence[Mapping[int, float]]) -> float:
    return sum(
        sum(judged[one] - (len(judged) + 1) / 2 for judged in ranks if one in judged) ** 2
        for one in members
    )


def _in_order(order: Sequence[int], judged: Mapping[int, float]) -> dict[int, float]:
    return {one: float(rank) for rank, one in enumerate((x for x in order if x in judged), 1)}


def level(agreement: float | None) -> str:
    """`high`, `medium` or `low`; empty where it is not known."""
    if agreement is None:
        return ""
    return "high" if agreement >= HIGH else "medium" if agreement >= MEDIUM else "low"


def lettered(judge: int, others: Sequence[int], turn_id: str) -> list[int]:
    """The order in which a judge is shown the others: A, B, C …, another one for every judge."""
    shuffled = list(others)
    random.Random(f"{turn_id}/{judge}").shuffle(shuffled)  # noqa: S311 - no secret
    return shuffled


_PLACES = ("rank", "place", "position")


def _listed(given: object) -> list[Any]:
    """A ranking as a list, best first, in whatever form it was written: places beside the letters count
    before the order in which they stand. Raises ValueError where it is none."""
    if isinstance(given, str):
        return [part for part in re.split(r"[>,;\n]", given) if part.strip()]
    if isinstance(given, dict):
        given = [{"letter": letter, "rank": place} for letter, place in given.items()]
    if not isinstance(given, list):
        raise ValueError('"ranking" is missing')
    placed = [
        (one[key], one)
        for one in given
        if isinstance(one, dict)
        for key in _PLACES
        if isinstance(one.get(key), int | float)
    ]
    if not placed:
        return given
    places = [place for place, _ in placed]
    if len(placed) != len(given) or len(set(places)) != len(places):
        raise ValueError("every place must be given once")
    return [one for _, one in sorted(placed, key=lambda pair: pair[0])]


def ranking_of(count: int) -> Structure[tuple[int, ...]]:
    """The form of a ranking of so many answers; read as their places, 0 for A, best first."""
    letters = LETTERS[:count]

    def read(value: Mapping[str, Any]) -> tuple[int, ...]:
        listed = _listed(value.get("ranking"))
        order = tuple(letters.index(letter_in(one, letters)) for one in listed)
        if sorted(order) != list(range(count)):
            raise ValueError(f'"ranking" must name each of {", ".join(letters)} once')
        return order

    schema = {
        "type": "object",
        "properties": {
            "reason": {"type": "string"},
            "ranking": {
                "type": "array",
                "items": {"type": "string", "enum": list(letters)},
                "minItems": count,
                "maxItems": count,
            },
        },
        "required": ["reason", "ranking"],
        "additionalProperties": False,
    }
    example = ", ".join(f'"{letter}"' for letter in reversed(letters))
    return Structure(
        JsonSchema("ranking", schema), f'{{"reason": "…", "ranking": [{example}]}}', read
    )
