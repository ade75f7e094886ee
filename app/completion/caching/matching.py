"""Whether two questions ask for the same answer: pure, without storage or models.

Words are paired first (the same, akin, of one root); what stays unpaired and what the guards find
decides. A `hard` finding means another question; a `soft` one means it may be offered, not served.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

from app.completion.caching.analysis import Analysis, Item, index_of
from app.completion.caching.lexicon import LEXICONS
from app.completion.caching.lexicon.shape import twos

Kind = Literal["serve", "suggest", "different"]

AKIN, ROOT, STEM = 0.9, 0.85, 0.75
"""How much of a match words make that are akin, prefixed otherwise, or share a stem."""
SERVE_FROM = 0.7
SUGGEST_FROM = 0.5
_NEIGHBOURS = twos(
    "which/count which/what how/what how/can how/which what/can which/cost count/long "
    "count/cost how/with what/with count/often which/with yes/can which/define what/define "
    "when/which which/long can/with who/which count/far yes/which why/what where/can where/which "
    "why/purpose"
)
"""Kinds of question whose answers may serve one another well enough to be offered."""
_OPPOSED = twos("from/to from/until before/after until/after for_/against under/over")
_PERSONS = frozenset({"me", "you", "he", "she", "they"})
_PAST = re.compile(r"(?:л|ла|ло|ли|в)(?:ся|сь)?$")
_DEGREE = re.compile(r"(?:er|est)$")
_ADJECTIVE = re.compile(r"[ыи]й$")
_PARTICIPLE = re.compile(r"[a-z](?:ed|en|ing)$")
_ACTORS = frozenset({"who", "whom", "which", "what"})
"""Kinds of question that ask for one who does, or is done to."""
_NEUTRAL = {None, "of", "for"}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What two questions are to one another, how alike (0 to 1), and what was found against it."""

    kind: Kind
    score: float
    hard: tuple[str, ...] = ()
    soft: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Pairing:
    """Which words of two questions answer to one another."""

    same: tuple[tuple[int, int], ...]
    """Indexes into the content of each where the concept is the same."""
    alike: tuple[tuple[Item, Item, float], ...]
    left: tuple[Item, ...]
    right: tuple[Item, ...]
    """Words without a counterpart."""


def compare(
    one: Analysis,
    other: Analysis,
    *,
    serve_from: float = SERVE_FROM,
    suggest_from: float = SUGGEST_FROM,
) -> Verdict:
    """The verdict on two questions; the order of the two does not matter."""
    if one.language != other.language:
        return Verdict("different", 0.0, ("language",))
    pairing = pair_words(one, other)
    score = similarity(one, other, pairing)
    hard = tuple(dict.fromkeys(_hard(one, other, pairing)))
    soft = tuple(dict.fromkeys(_soft(one, other, pairing)))
    if hard or score < suggest_from:
        return Verdict("different", score, hard, soft)
    served = not soft and score >= serve_from
    return Verdict("serve" if served else "suggest", score, hard, soft)


def pair_words(one: Analysis, other: Analysis) -> Pairing:
    """Pairs equal concepts first, then words akin, then words of one root or stem."""
    left, right = dict(enumerate(one.content)), dict(enumerate(other.content))
    same = []
    for i, a in list(left.items()):
        for j, b in list(right.items()):
            if a.concept == b.concept or a.lemma == b.lemma:
                same.append((i, j))
                del left[i], right[j]
                break
    alike = []
    candidates = [
        (quality, i, j)
        for i, a in left.items()
        for j, b in right.items()
        if (quality := kinship(a, b, one))
    ]
    for quality, i, j in sorted(candidates, key=lambda c: -c[0]):
        if i in left and j in right:
            alike.append((left.pop(i), right.pop(j), quality))
    return Pairing(tuple(same), tuple(alike), tuple(left.values()), tuple(right.values()))


def kinship(a: Item, b: Item, where: Analysis) -> float:
    """How nearly two different words mean the same; 0 where nothing speaks for it."""
    if not {a.kind, b.kind} <= {"noun", "verb"}:
        return 0.0
    akin = index_of(where.language).akin
    if akin.get(a.lemma, frozenset()) & akin.get(b.lemma, frozenset()):
        return AKIN
    if a.kind == b.kind == "verb" and any(True for _ in _prefixes(a.lemma, b.lemma, where)):
        return ROOT
    common = next(
        (n for n, (x, y) in enumerate(zip(a.lemma, b.lemma, strict=False)) if x != y),
        min(len(a.lemma), len(b.lemma)),
    )
    return STEM if common >= max(4, 0.6 * min(len(a.lemma), len(b.lemma))) else 0.0


def similarity(one: Analysis, other: Analysis, pairing: Pairing) -> float:
    """The weighted share of words that have a counterpart, 0 to 1 (a soft Jaccard index)."""
    shared = sum((one.content[i].weight + other.content[j].weight) / 2 for i, j in pairing.same)
    close = sum(min(a.weight, b.weight) * quality for a, b, quality in pairing.alike)
    full = sum(max(a.weight, b.weight) for a, b, _ in pairing.alike)
    lonely = sum(item.weight for item in (*pairing.left, *pairing.right))
    whole = shared + full + lonely
    return (shared + close) / whole if whole else 0.0


def _hard(one: Analysis, other: Analysis, pairing: Pairing) -> Iterator[str]:
    if one.asks and other.asks and not _askable(one.asks, other.asks):
        yield "asks"
    if one.numbers != other.numbers or one.symbols != other.symbols:
        yield "number"
    if len(one.negated) != len(other.negated):
        yield "negation"
    for axis in {axis for axis, _ in one.poles}:
        ends = [{end for a, end in side.poles if a == axis} for side in (one, other)]
        if ends[0] and ends[1] and not ends[0] & ends[1]:
            yield "opposite"
    lonely = (*pairing.left, *pairing.right)
    if any(item.kind == "name" for item in lonely):
        yield "name"
    if any(item.kind == "date" for item in lonely):
        yield "date"
    if _both(pairing, "unit"):
        yield "unit"
    if _both(pairing, "noun"):
        yield "thing"
    if any(_reversed(a.lemma, b.lemma, one) for a in pairing.left for b in pairing.right) or any(
        _reversed(a.lemma, b.lemma, one) for a, b, _ in pairing.alike
    ):
        yield "prefix"
    yield from _roles(one, other, pairing, hard=True)


def _soft(one: Analysis, other: Analysis, pairing: Pairing) -> Iterator[str]:
    if one.asks != other.asks:
        yield "asks"
    if sorted(one.negated) != sorted(other.negated):
        yield "negation"
    if one.poles != other.poles:
        yield "opposite"
    if pairing.alike or pairing.left or pairing.right:
        yield "words"
    if _particles(one) != _particles(other) or _persons_differ(one, other):
        yield "particles"
    if _light_differ(one, other):
        yield "light"
    if any(item.inexact for item in (*one.items, *other.items)):
        yield "alias"
    yield from _roles(one, other, pairing, hard=False)


def _particles(side: Analysis) -> frozenset[str]:
    return side.particles - _PERSONS


def _persons_differ(one: Analysis, other: Analysis) -> bool:
    """`I` against `you`; a question without a person goes with any."""
    a, b = one.particles & _PERSONS, other.particles & _PERSONS
    return bool(a and b) and not a & b


def _light_differ(one: Analysis, other: Analysis) -> bool:
    """A light word more does no harm in `how` and `which`; a different one, or a modal of a yes/no
    question, may."""
    a, b = ({i.lemma for i in side.items if i.kind == "light"} for side in (one, other))
    judged = one.asks | other.asks
    return a != b if judged & {"yes", "can"} else bool(a - b and b - a)


def _askable(one: frozenset[str], other: frozenset[str]) -> bool:
    if one & other:
        return True
    return any(frozenset((a, b)) in _NEIGHBOURS for a in one for b in other)


def _both(pairing: Pairing, kind: str) -> bool:
    return all(any(i.kind == kind for i in side) for side in (pairing.left, pairing.right))


def _roles(one: Analysis, other: Analysis, pairing: Pairing, *, hard: bool) -> Iterator[str]:
    """Who does what to whom: the order of shared words, their cases, their prepositions."""
    slavic = LEXICONS[one.language].language != "en"
    paired = [(one.content[i], other.content[j], i, j) for i, j in pairing.same]
    shared = [pair for pair in paired if "verb" not in (pair[0].kind, pair[1].kind)]
    if not hard and any(_reformed(a, b, slavic=slavic) for a, b, _, _ in paired):
        yield "form"
    for a, b, _, _ in shared:
        if hard and frozenset((a.relation, b.relation)) in _OPPOSED:
            yield "direction"
        if not hard and a.relation != b.relation and not {a.relation, b.relation} <= _NEUTRAL:
            yield "relation"
    aside = not (one.asks | other.asks) & _ACTORS
    for (a, b, i, j), (c, d, k, m) in combinations(shared, 2):
        crossed = a.relation == d.relation and c.relation == b.relation
        if hard and crossed and a.relation != b.relation:
            yield "direction"
        if (i < k) == (j < m):
            continue
        moved = a.relation == b.relation and c.relation == d.relation
        if moved and (a.relation or c.relation):
            continue
        inflected = a.surface != b.surface or c.surface != d.surface
        bound = any((a.relation, b.relation, c.relation, d.relation))
        harmless = aside and (bound or _describes(a, b) or _describes(c, d))
        if hard == (not harmless and (inflected or not slavic)):
            yield "order"


def _describes(a: Item, b: Item) -> bool:
    """Whether a word that stands in both is no one's name: an adjective, or a verb made passive."""
    participle = any(i.surface != i.lemma and _PARTICIPLE.search(i.surface) for i in (a, b))
    return participle or bool(_ADJECTIVE.search(a.lemma))


def _reformed(a: Item, b: Item, *, slavic: bool) -> bool:
    """Whether the same word stands in a form that may change who does what, when, or how much."""
    if a.surface == b.surface or "=" in (a.concept[0], b.concept[0]):
        return False
    if not slavic:
        return bool(_DEGREE.search(a.surface)) != bool(_DEGREE.search(b.surface))
    if a.lemma == b.lemma:
        return None in (a.relation, b.relation) or a.kind == "verb"
    return a.kind == "verb" and bool(_PAST.search(a.surface)) != bool(_PAST.search(b.surface))


def _prefixes(one: str, other: str, where: Analysis) -> Iterator[frozenset[str]]:
    """The pairs of prefixes by which two verbs of one root differ."""
    prefixes = (*LEXICONS[where.language].prefixes, "")
    for p in prefixes:
        if one.startswith(p):
            for q in prefixes:
                root = one[len(p) :]
                if p != q and other == q + root and len(root) >= 3:
                    yield frozenset((p, q))


def _reversed(one: str, other: str, where: Analysis) -> bool:
    reversals = LEXICONS[where.language].reversals
    return any(pair in reversals for pair in _prefixes(one, other, where))


def terms_of(analysis: Analysis) -> Sequence[str]:
    """What a question is found again by: first its gist, then its words, most telling first.

    The gist is all its concepts at once: questions that may share an answer have the same one. Empty
    for a question without content.
    """
    weights = {item.lemma: item.weight for item in analysis.content}
    concepts = " ".join(sorted(item.concept for item in analysis.content))
    words = [term for term, _ in Counter(weights).most_common()]
    return [f"#{concepts}", *words] if words else []
