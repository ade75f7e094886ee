"""The shape of a lexicon, and how its word lists are written: one group a line."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from app.core.text import Language

Marker = str
"""What kind of answer is asked for: which, count, who, whom, when, where, whence, whither, why, how,
can, define, cost, long, often, far."""


@dataclass(frozen=True)
class Lexicon:
    """One language. Words stand in lower case, in any form where lemmas are meant; `ё` is `е`."""

    language: Language
    idioms: tuple[tuple[re.Pattern[str], str], ...]
    """Turns of phrase and what they come to, tried in order: `¤how`, `¤when` are question markers."""
    questions: Mapping[str, Marker]
    stop: frozenset[str]
    """Words that say nothing here."""
    light: frozenset[str]
    """Lemmas that colour a question but seldom change its answer."""
    generic: frozenset[str]
    """Nouns too general to be what a question is about."""
    negations: frozenset[str]
    particles: Mapping[str, str]
    """Small words that must be alike for an answer to be shared: tense (past, future), person (me,
    you, he, she, they), or, only, most."""
    prepositions: Mapping[str, str]
    """A preposition and the relation it stands for: from, to, before, after, than, ..."""
    same: tuple[frozenset[str], ...]
    """Groups of lemmas that may stand for one another."""
    akin: tuple[frozenset[str], ...]
    """Groups that often, not always, mean the same: enough to offer, not to serve."""
    opposites: tuple[tuple[frozenset[str], frozenset[str]], ...]
    numbers: Mapping[str, str]
    """Number words and ordinals (`#1`) by lemma."""
    units: tuple[frozenset[str], ...]
    dates: tuple[frozenset[str], ...]
    reversals: frozenset[frozenset[str]]
    """Pairs of verb prefixes that undo each other; "" is a bare verb."""
    prefixes: tuple[str, ...]
    """Verb prefixes, longest first."""
    functional: frozenset[str]
    """Words that tell this language from its neighbours."""


def words(text: str) -> frozenset[str]:
    """The words of a list."""
    return frozenset(text.split())


def groups(text: str) -> tuple[frozenset[str], ...]:
    """One group of words a line."""
    return tuple(words(line) for line in text.strip().splitlines() if line.strip())


def table(text: str) -> dict[str, str]:
    """Lines of `value: word word`, as a mapping from each word to its value."""
    found: dict[str, str] = {}
    for line in text.strip().splitlines():
        value, _, members = line.partition(":")
        found |= dict.fromkeys(members.split(), value.strip())
    return found


def pairs(text: str) -> tuple[tuple[frozenset[str], frozenset[str]], ...]:
    """Lines of `word word / word word`: opposites."""
    found = []
    for line in text.strip().splitlines():
        one, _, other = line.partition("/")
        found.append((words(one), words(other)))
    return tuple(found)


def idioms(text: str) -> tuple[tuple[re.Pattern[str], str], ...]:
    """Lines of `pattern => replacement`; a pattern matches whole words, whatever their case."""
    found = []
    for line in text.strip().splitlines():
        pattern, _, replacement = line.partition("=>")
        compiled = re.compile(rf"(?<!\w)(?:{pattern.strip()})(?!\w)", re.IGNORECASE)
        found.append((compiled, f" {replacement.strip()} "))
    return tuple(found)


def twos(text: str) -> frozenset[frozenset[str]]:
    """Pairs written `one/other`; `-` is the empty word."""
    return frozenset(
        frozenset("" if word == "-" else word for word in pair.split("/")) for pair in text.split()
    )


def longest_first(prefixes: str) -> tuple[str, ...]:
    """Prefixes in the order to try them."""
    return tuple(sorted(prefixes.split(), key=len, reverse=True))
