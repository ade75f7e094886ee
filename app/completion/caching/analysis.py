"""A question taken apart: what is asked, about what, with which numbers, names and negations."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Literal

from app.completion.caching.lexicon import LEXICONS, Lexicon
from app.completion.caching.text import folded, lemma, question_language
from app.core.text import Language

Kind = Literal["name", "noun", "verb", "unit", "date", "light"]

_SENTENCE, _QUOTES, _SYMBOLS = ".!?;", '"«»“”„', "%$€₽₴°+*/=<>^-"
_TOKEN = re.compile(
    r"¤\w+|\d+(?:[.,:/]\d+)*(?!\w)|[^\W_]\w*(?:[.'-]\w+)*[+#]*|[\"«»“”„.!?;]|[%$€₽₴°+*/=<>^-]"
)
_SLAVIC_VERB = re.compile(r".{2,}(?:ть|ти|чь)(?:ся|сь)?$|.{2,}(?:тися|тись)$")
_SLAVIC_NOUN = re.compile(
    r".*(?:ость|есть|ність|ость|еть|ять|мать|смерть|часть|память|кровать|печать|путь|нефть|шерсть|дочь|ночь|речь|мелочь|площадь)$"
)
_ROMAN = {"ii": "2", "iii": "3", "iv": "4", "vi": "6", "vii": "7", "viii": "8", "ix": "9"}


@dataclass(frozen=True, slots=True)
class Item:
    """A word that says something. `concept` is what synonyms share."""

    surface: str
    lemma: str
    concept: str
    kind: Kind
    relation: str | None = None
    """What the preposition before it says: from, to, before, ..."""
    inexact: bool = False
    """Stands for a name that was not given in full."""

    @property
    def weight(self) -> float:
        """How much of a question's meaning it carries."""
        return {"name": 1.2, "noun": 1.0, "verb": 0.7, "unit": 0.6, "date": 1.0, "light": 0.1}[
            self.kind
        ]


@dataclass(frozen=True)
class Analysis:
    """All that the guards look at."""

    language: Language
    asks: frozenset[str]
    items: tuple[Item, ...]
    numbers: tuple[str, ...] = ()
    symbols: tuple[str, ...] = ()
    negated: tuple[str, ...] = ()
    """What each negation denies, in order."""
    poles: frozenset[tuple[int, bool]] = frozenset()
    """Opposites that occur: the axis, and which end of it."""
    particles: frozenset[str] = frozenset()

    @cached_property
    def content(self) -> tuple[Item, ...]:
        """The items without light words."""
        return tuple(item for item in self.items if item.kind != "light")


@dataclass(frozen=True)
class Aliases:
    """Names and abbreviations that mean the same, as an administrator keeps them."""

    groups: tuple[tuple[str, ...], ...] = ()

    @classmethod
    def parse(cls, text: str) -> "Aliases":
        """One group a line: `ХДУ = Херсонський державний університет = KSU`; `#` begins a remark."""
        found = []
        for line in text.splitlines():
            names = [name.strip() for name in line.partition("#")[0].split("=")]
            if len([name for name in names if name]) > 1:
                found.append(tuple(name for name in names if name))
        return cls(tuple(found))

    def phrases(self, language: Language) -> tuple[tuple[tuple[str, ...], str], ...]:
        """Every name as lemmas, longest first, with the concept it stands for."""
        return _phrases(self.groups, language)


@cache
def _phrases(
    groups: tuple[tuple[str, ...], ...], language: Language
) -> tuple[tuple[tuple[str, ...], str], ...]:
    found = []
    for number, names in enumerate(groups):
        for name in names:
            words = re.findall(r"[\w'+#.-]*[\w+#]", folded(name).casefold())
            lemmas = tuple(lemma(word, language).casefold() for word in words)
            found.append((lemmas, f"={number}"))
    return tuple(sorted(found, key=lambda pair: -len(pair[0])))


@dataclass(frozen=True)
class Index:
    """A lexicon looked up by lemma."""

    light: frozenset[str]
    generic: frozenset[str]
    concepts: dict[str, str]
    akin: dict[str, frozenset[int]]
    poles: dict[str, frozenset[tuple[int, bool]]]
    numbers: dict[str, str]
    units: dict[str, str]
    dates: dict[str, str]


@cache
def index_of(language: Language) -> Index:
    """The lexicon of a language, by lemma."""
    lexicon = LEXICONS[language]

    def lemmas(words: frozenset[str]) -> frozenset[str]:
        return words | {lemma(word, language).casefold() for word in words}

    def numbered(found: tuple[frozenset[str], ...]) -> dict[str, frozenset[int]]:
        table: dict[str, frozenset[int]] = {}
        for number, group in enumerate(found):
            for word in lemmas(group):
                table[word] = table.get(word, frozenset()) | {number}
        return table

    def named(found: tuple[frozenset[str], ...]) -> dict[str, str]:
        table: dict[str, str] = {}
        for group in found:
            for word in lemmas(group):
                table.setdefault(word, min(group))
        return table

    poles: dict[str, frozenset[tuple[int, bool]]] = {}
    for axis, ends in enumerate(lexicon.opposites):
        for end, group in zip((True, False), ends, strict=True):
            for word in group:
                poles[word] = poles.get(word, frozenset()) | {(axis, end)}
    return Index(
        light=lemmas(lexicon.light),
        generic=lemmas(lexicon.generic),
        concepts=named(lexicon.same),
        akin=numbered(lexicon.akin),
        poles=poles,
        numbers=dict(lexicon.numbers),
        units=named(lexicon.units),
        dates=named(lexicon.dates),
    )


def analyse(text: str, aliases: Aliases = Aliases()) -> Analysis | None:
    """The question taken apart; None in a language we have no lexicon for."""
    language = question_language(text)
    if language is None:
        return None
    reader = _Reader(LEXICONS[language], index_of(language))
    return reader.read(text, aliases)


@dataclass
class _Reader:
    lexicon: Lexicon
    index: Index
    asks: set[str] = field(default_factory=set)
    items: list[Item] = field(default_factory=list)
    numbers: list[str] = field(default_factory=list)
    symbols: list[str] = field(default_factory=list)
    negated: list[str] = field(default_factory=list)
    poles: set[tuple[int, bool]] = field(default_factory=set)
    particles: set[str] = field(default_factory=set)
    relation: str | None = None
    denying: int = 0
    shouting: bool = False

    def read(self, text: str, aliases: Aliases) -> Analysis:
        text = folded(text)
        self.shouting = text.isupper()
        for pattern, replacement in self.lexicon.idioms:
            text = pattern.sub(replacement, text)
        start, quoted = True, False
        for token in _TOKEN.findall(text):
            if token in _QUOTES:
                quoted = not quoted
            elif token in _SENTENCE:
                start = True
            elif token in _SYMBOLS:
                self.symbols += token.strip("-")
            else:
                acronym = token.isupper() and len(token) > 1 and not self.shouting
                named = quoted or acronym or (token[0].isupper() and not start)
                self._take(token, named=named)
                start = False
        self._deny(None)
        return Analysis(
            self.lexicon.language,
            self._asked("?" in text),
            self._aliased(aliases),
            tuple(self.numbers),
            tuple(self.symbols),
            tuple(self.negated),
            frozenset(self.poles),
            frozenset(self.particles),
        )

    def _asked(self, question_mark: bool) -> frozenset[str]:
        asks = set(self.asks)
        for vague in ("yes", "can"):
            if len(asks) > 1:
                asks.discard(vague)
        if not asks and question_mark:
            asks.add("yes")
        return frozenset(asks)

    def _take(self, token: str, *, named: bool) -> None:
        word = token.casefold()
        if token.startswith("¤"):
            self.asks.add(token[1:])
            self._deny(token)
        elif token[0].isdigit() and not any(c.isalpha() for c in token):
            self.numbers.append(token.replace(",", "."))
            self._deny(token)
            self.relation = None
        elif named and not self._functional(token, word):
            self._add(token, word, named=True)
        else:
            self._take_word(token, word)

    def _functional(self, token: str, word: str) -> bool:
        """Whether a capitalised word is a function word all the same (`I`, not `US`)."""
        acronym = token.isupper() and len(token) > 1 and not self.shouting
        lexicon = self.lexicon
        known = word in lexicon.stop or word in lexicon.questions or word in lexicon.particles
        return known and not acronym

    def _take_word(self, token: str, word: str) -> None:
        lexicon = self.lexicon
        self.poles |= self.index.poles.get(word, frozenset())
        if (particle := lexicon.particles.get(word)) is not None:
            self.particles.add(particle)
        elif word in lexicon.negations:
            self.denying += 1
        elif word in lexicon.questions:
            self._ask(lexicon.questions[word])
        elif word in lexicon.prepositions:
            self.relation = lexicon.prepositions[word]
        elif word not in lexicon.stop:
            self._add(token, word, named=False)

    def _ask(self, marker: str) -> None:
        if marker == "yes" and self.items:
            self.particles.add("or")  # `чи` inside a sentence: whether, or
        self.asks.add(marker)

    def _add(self, token: str, word: str, *, named: bool) -> None:
        word = word.removesuffix("'s").removesuffix("'")
        base = lemma(word, self.lexicon.language)
        key = base.casefold()
        self.poles |= self.index.poles.get(key, frozenset())
        if (number := self.index.numbers.get(key) or _ROMAN.get(word)) is not None:
            self.numbers.append(number)
            self._deny(key)
            return
        kind, concept = self._kind(token, word, base, named=named)
        self.items.append(Item(word, key, concept, kind, self.relation))
        self._deny(concept)
        if kind != "light":
            self.relation = None

    def _kind(self, token: str, word: str, base: str, *, named: bool) -> tuple[Kind, str]:
        key, index = base.casefold(), self.index
        if word == "may" and named:
            return "date", "may_"
        for kind, known in (("date", index.dates), ("unit", index.units)):
            if (concept := known.get(key) or known.get(word)) is not None:
                return ("date" if kind == "date" else "unit"), concept
        foreign = self.lexicon.language != "en" and token.isascii()
        if named or foreign or base[0].isupper() or any(c.isdigit() or c in "+#." for c in token):
            return "name", key
        if key in index.light or word in index.light or key in index.generic:
            return "light", key
        return ("verb" if self._verbal(key) else "noun"), index.concepts.get(key, key)

    def _verbal(self, key: str) -> bool:
        if self.lexicon.language == "en":
            return not self.items and bool(self.asks & {"how", "can"})
        return bool(_SLAVIC_VERB.match(key)) and not _SLAVIC_NOUN.match(key)

    def _deny(self, target: str | None) -> None:
        if self.denying:
            self.negated += [target or ""] * self.denying
            self.denying = 0

    def _aliased(self, aliases: Aliases) -> tuple[Item, ...]:
        """The items with every name that has aliases replaced by what it stands for."""
        items = self.items
        for phrase, concept in aliases.phrases(self.lexicon.language):
            items = _replaced(items, phrase, concept)
        return tuple(items)


def _replaced(items: Sequence[Item], phrase: tuple[str, ...], concept: str) -> list[Item]:
    found: list[Item] = []
    at = 0
    while at < len(items):
        length = _spoken(items[at:], phrase)
        if not length:
            found.append(items[at])
            at += 1
            continue
        surface = " ".join(item.surface for item in items[at : at + length])
        inexact = length < len(phrase)
        found.append(Item(surface, " ".join(phrase), concept, "name", items[at].relation, inexact))
        at += length
    return found


def _spoken(items: Sequence[Item], phrase: tuple[str, ...]) -> int:
    """How many of the first items say the phrase; its middle words may be left out."""
    lemmas = [item.lemma for item in items[: len(phrase)]]
    if tuple(lemmas) == phrase:
        return len(phrase)
    if len(phrase) < 3 or not lemmas or lemmas[0] != phrase[0]:
        return 0
    middle = list(phrase[1:-1])
    for length, word in enumerate(lemmas[1:], start=2):
        if word == phrase[-1]:
            return length
        if word not in middle:
            return 0
    return 0
