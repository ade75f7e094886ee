"""How alike two questions are, and what speaks against it: pure, without storage or models."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise

from rapidfuzz.distance import OSA

from app.completion.caching.vocabulary import UNITS
from app.completion.caching.words import TASKS, ContentWord, Reading, is_known, sound

OFFER_FROM = 0.7
MAX_ODD_WORDS = 10
"""Two questions with more words than that without an equal are not alike, however these are spelt."""
_OTHER_VERB = 0.4
_CLOSE_ASKS = [
    {"ask how", "ask what"},
    {"ask how", "ask which"},
    {"ask what", "ask which"},
    {"ask count", "ask which"},
    {"ask count", "ask what"},
    {"ask count", "ask long"},
    {"ask count", "ask cost"},
    {"ask cost", "ask which"},
    {"ask cost", "ask what"},
    {"ask different", "ask what"},
    {"ask different", "ask how"},
    {"ask where", "ask whither"},
]
_VOWELS = frozenset("аеиоуыэюяіїєaeiou")
_VERB = re.compile(r"(?:ть|ти|чь)(?:ся|сь)?$")
_MODALS = frozenset({"must", "need", "can", "should"})
_DUTIES = {"must", "need"}
_SCOPES = frozenset(["all", "some", "only", "more", "less", "most", "or", "out", "up", "down"])
_OPPOSED = (
    {"from", "to"},
    {"from", "until"},
    {"before", "after"},
    {"until", "after"},
    {"with", "against"},
    {"for", "against"},
    {"for", "from"},
)


@dataclass(frozen=True, slots=True)
class Likeness:
    """The share of words that two questions have in common, 0 to 1, and what objects to offering the
    answer of one to the other."""

    score: float
    objections: frozenset[str]


@dataclass(frozen=True, slots=True)
class Pairing:
    """Which words of two questions answer to one another, as indexes, with how surely (0 to 1)."""

    pairs: tuple[tuple[int, int, float], ...]
    left: tuple[ContentWord, ...]
    right: tuple[ContentWord, ...]


def compare(one: Reading, other: Reading) -> Likeness:
    """How alike the two are; the order of the two does not matter."""
    if one.language != other.language:
        return Likeness(0.0, frozenset({"language"}))
    pairing = paired(one, other)
    whole = len(one.words) + len(other.words)
    alike = sum(sure for _, _, sure in pairing.pairs)
    if _verbs_alone(one, other, pairing):
        alike += _OTHER_VERB
    score = 2 * alike / whole if whole else 1.0
    return Likeness(score, frozenset(_objections(one, other, pairing)))


def interchangeable(one: Reading, other: Reading) -> bool:
    """Whether every guard is silent: the same words in the same forms, and all else equal. Only then
    may a model's yes have the answer served."""
    return _signature(one) == _signature(other)


def _signature(reading: Reading) -> object:
    free = [word.surface for word in reading.words if not word.relation]
    bound = sorted((w.relation, w.surface) for w in reading.words if w.relation)
    return (
        reading.language,
        free,
        bound,
        reading.numbers,
        reading.code,
        reading.small,
        reading.persons,
        reading.quoted,
    )


def paired(one: Reading, other: Reading) -> Pairing:
    """Pairs the surest first."""
    left, right = dict(enumerate(one.words)), dict(enumerate(other.words))
    pairs: list[tuple[int, int, float]] = []
    for i, a in enumerate(one.words):
        j = next((j for j, b in right.items() if a.lemma == b.lemma), None)
        if j is not None:
            del left[i], right[j]
            pairs.append((i, j, 1.0))
    if max(len(left), len(right)) > MAX_ODD_WORDS:
        return Pairing(tuple(sorted(pairs)), tuple(left.values()), tuple(right.values()))
    found = [
        (-sure, i, j)
        for i, a in left.items()
        for j, b in right.items()
        if (sure := kinship(a, b, one.language))
    ]
    for sure, i, j in sorted(found):
        if i in left and j in right:
            del left[i], right[j]
            pairs.append((i, j, -sure))
    for here, there, swap in ((left, right, False), (right, left, True)):
        for i, word in list(here.items()):
            if run := _spelt_out(word, there):
                sure = (1 + len(run)) / 2
                pairs.append((run[0], i, sure) if swap else (i, run[0], sure))
                del here[i]
                for j in run:
                    del there[j]
    return Pairing(tuple(sorted(pairs)), tuple(left.values()), tuple(right.values()))


def kinship(a: ContentWord, b: ContentWord, language: str) -> float:
    """How surely two words mean the same."""
    if a.lemma == b.lemma or a.surface.casefold() == b.surface.casefold():
        return 1.0
    one, other = a.surface.casefold(), b.surface.casefold()
    if _misspelt(one, other, language) or _misspelt(a.lemma, b.lemma, language):
        return 0.95
    if (unit := UNITS.get(one) or UNITS.get(a.lemma)) and unit == (
        UNITS.get(other) or UNITS.get(b.lemma)
    ):
        return 0.95
    if any(_shortened(x.surface, y) for x, y in ((a, b), (b, a))):
        return 0.9
    common = next(
        (n for n, (x, y) in enumerate(zip(a.lemma, b.lemma, strict=False)) if x != y),
        min(len(a.lemma), len(b.lemma)),
    )
    return 0.85 if common >= 5 and common >= 0.6 * max(len(a.lemma), len(b.lemma)) else 0.0


def _misspelt(a: str, b: str, language: str) -> bool:
    """Whether one is the other with a slip of the pen: exactly one of them is in the dictionary."""
    if min(len(a), len(b)) < 4:
        return False
    known = is_known(a, language), is_known(b, language)
    if not any(known):
        return len(sound(a)) > 3 and sound(a) == sound(b)
    return not all(known) and (
        OSA.distance(a, b) <= (1 if max(len(a), len(b)) < 9 else 2)
        or (len(sound(a)) > 3 and sound(a) == sound(b) and a[0] == b[0])
    )


def _shortened(said: str, word: ContentWord) -> bool:
    """`комп` and `компьютер`, `зп` and `зарплата`, `JS` and `JavaScript`, `k8s` and `Kubernetes`."""
    short, full = said.casefold(), word.lemma
    if (
        "".join(letter for letter in word.surface if letter.isupper()).casefold()
        == short
        != full[:1]
    ):
        return True
    if len(full) < len(short) + 3 or not short or short[0] != full[0]:
        return False
    if short[1:-1].isdigit():
        return short[1:-1] == str(len(full) - 2) and short[-1] == full[-1]
    if len(short) > 2 and full.startswith(short):
        return True
    if not 2 <= len(short) <= 3 or not _VOWELS.isdisjoint(short):
        return False
    letters = iter(full)
    return all(letter in letters for letter in short)


def _spelt_out(word: ContentWord, there: dict[int, ContentWord]) -> list[int]:
    """The words in a row whose first letters an acronym is: `США`, `ВНЖ`."""
    letters = word.surface.casefold()
    places = sorted(there)
    if not 2 <= len(letters) <= 6:
        return []
    for start in range(len(places) - len(letters) + 1):
        run = places[start : start + len(letters)]
        if [there[place].surface.casefold()[0] for place in run] == list(letters):
            return run
    for start in range(len(places) - 1):  # with a preposition between: `ВНЖ`
        run = places[start : start + len(letters) - 1]
        initials = "".join(there[place].surface.casefold()[0] for place in run)
        if word.surface.isupper() and len(run) > 1 and initials == letters[0] + letters[2:]:
            return run
    return []


def _objections(one: Reading, other: Reading, pairing: Pairing) -> Iterator[str]:
    """What makes it another question, as far as rules can tell."""
    if sorted(one.numbers) != sorted(other.numbers):
        yield "number"
    if _loosely(one.code) != _loosely(other.code):
        yield "code"
    a, b = one.classes, other.classes
    if a["not"] != b["not"]:
        yield "negation"
    modals, others = _MODALS & a.keys(), _MODALS & b.keys()
    if modals and others and modals != others and ("not" in a or modals | others != _DUTIES):
        yield "modal"
    if any((name in a) != (name in b) for name in _SCOPES):
        yield "scope"
    if (TASKS & a.keys()) - {"tell"} != (TASKS & b.keys()) - {"tell"}:
        yield "task"
    if one.asks and other.asks and not _askable(one.asks, other.asks):
        yield "question"
    if _names(one) != _names(other) and one.persons and other.persons:
        yield "person"
    if pairing.left and pairing.right and not _verbs_alone(one, other, pairing):
        yield "thing"
    if any(word.name for word in (*pairing.left, *pairing.right)):
        yield "name"
    yield from _roles(one, other, pairing)


def _names(reading: Reading) -> list[str]:
    """Who is spoken of; whoever asks how it is done may say I, you, or we."""
    names = [name.rstrip(".") for name in reading.persons]
    if "ask how" in reading.classes:
        return sorted({"me" if name in ("you", "we") else name for name in names})
    return names


def _askable(one: frozenset[str], other: frozenset[str]) -> bool:
    return bool(one & other) or one | other in _CLOSE_ASKS


def _verbs_alone(one: Reading, other: Reading, pairing: Pairing) -> bool:
    """Whether the only words that differ are what is done to the same things, and the two are no
    opposites made of one root (`включить`, `выключить`; `lock`, `unlock`)."""
    if len(pairing.left) != 1 or len(pairing.right) != 1 or len(pairing.pairs) < 3:
        return False
    a, b = pairing.left[0], pairing.right[0]
    if one.language == "en":
        verbs = one.words[0] is a and other.words[0] is b
    else:
        verbs = bool(_VERB.search(a.lemma) and _VERB.search(b.lemma))
    return verbs and a.lemma[-4:] != b.lemma[-4:]


def _loosely(code: Sequence[str]) -> list[str]:
    """Case counts where a word is short (`-d`, `mW`), not in `JavaScript`."""
    return sorted(word if len(word) < 4 or not word.isalpha() else word.casefold() for word in code)


def _roles(one: Reading, other: Reading, pairing: Pairing) -> Iterator[str]:
    """Who does what to whom: forms, prepositions and the order of the words that both have."""
    shared = [(one.words[i], other.words[j], i, j) for i, j, _ in pairing.pairs]
    if any({a.relation, b.relation} in _OPPOSED for a, b, _, _ in shared):
        yield "direction"
    same_people = _names(one) == _names(other) and one.persons != other.persons
    if same_people and any(_moved(a, b) and a.lemma == b.lemma for a, b, _, _ in shared):
        yield "person"
    for (a, b, i, j), (c, d, k, m) in combinations(shared, 2):
        if a.relation == d.relation != b.relation == c.relation:
            yield "direction"
        if j > m and not (a.relation or b.relation or c.relation or d.relation):
            swapped = len(one.words) == len(other.words) and (i, k) == (m, j)
            if swapped if one.language not in ("ru", "uk") else _moved(a, b) and _moved(c, d):
                yield "order"
    if one.classes == other.classes and not pairing.left and not pairing.right:
        odd = [(a, b) for a, b, _, _ in shared if a.surface != b.surface]
        if all(j < m for (_, _, _, j), (_, _, _, m) in pairwise(shared)):
            exact = not (one.guessed or other.guessed)
            if exact and any(_reformed(a, b, one.language) for a, b in odd):
                yield "form"
            if len(odd) == 1 and not _moved(*odd[0]):
                yield "case"


def _moved(a: ContentWord, b: ContentWord) -> bool:
    return a.surface.casefold() != b.surface.casefold()


def _reformed(a: ContentWord, b: ContentWord, language: str) -> bool:
    """Whether a word stands in another form, both of which the dictionary knows."""
    one, other = a.surface.casefold(), b.surface.casefold()
    if one == other or a.lemma != b.lemma or min(len(one), len(other)) < 4:
        return False
    return is_known(one, language) and is_known(other, language)
