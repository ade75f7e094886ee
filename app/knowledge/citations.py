"""Whether the citations of an answer hold: each mark against the passage that it names.

A mark `[1]` speaks for the part of its sentence that stands before it (or after, where nothing does:
`By [1], …`). It holds where a quotation of that part stands in the passage word for word, or where
enough of its words and all of its numbers do. Words are compared in dictionary form, numbers and dates
by their value. No model is asked here: what words cannot decide is handed out as doubts, for one.
"""

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property
from typing import NamedTuple

from app.completion.caching.vocabulary import UNITS
from app.completion.caching.words import DICTIONARIES, folded, is_known
from app.core.notes import Mark
from app.core.tools import Source
from app.knowledge.figures import (
    Figure,
    calendar,
    counted,
    figures,
    figures_of,
    in_figures,
    measured,
    units_of,
)
from app.knowledge.stance import Clause, axis_of, clauses_of, contradicts, denies
from app.knowledge.terms import forms_of, is_telling, tokens

ENOUGH = 0.55
"""Share of a claim's words that must stand in the passage. Tuned with tests/data/knowledge."""
ENOUGH_OF_ONE = 0.3
"""The same of each passage, where several are named together and share the claim."""
_MISQUOTED = 0.8
"""The same of a claim with a quotation that is not word for word."""
_DENYING = 0.85
"""The same of a claim that a word of it seems to turn into the opposite. Tuned with hard-tuned.txt."""
_PAIR = 1.5
"""Words that a number is worth besides, which counts the same thing in the passage: `12 dollars`."""
_FEW = 2
"""A claim of fewer words and numbers (`Yes [1].`) is read together with the question."""

_NAMED = r"(?:(?:source|passage|document|источник|отрывок|документ|джерело|уривок)\s*)?[№#^]?\s*"
_MARK = re.compile(
    rf"\[\s*{_NAMED}(\d{{1,3}}(?:\s*[,;–-]\s*{_NAMED}\d{{1,3}})*)\s*\](?!\(|\[\^?[^\d\s\]]|:\s)"
    r"|【\s*(\d{1,3})[^】\n]{0,60}】",
    re.IGNORECASE,
)
_BLOCK = re.compile(r"^(```|~~~).*?(?:^\1|\Z)", re.DOTALL | re.MULTILINE)
_CODE = re.compile(r"(?<!`)(`++)[^`].*?\1", re.DOTALL)
_ADDRESS = re.compile(r"https?://\S+")
_FORMULA = re.compile(
    r"\$\$.*?\$\$|\$[^$\n]+\$"
    r"|(?<!\\)\\\((?:(?!(?<!\\)\\\().)*?\\\)|(?<!\\)\\\[(?:(?!(?<!\\)\\\[).)*?\\\]",
    re.DOTALL,
)
_ORDINAL = re.compile(r"^(?:[^\S\n]|[>|*_#-])*+\d{1,3}[.)](?=\s)", re.MULTILINE)
_PAGE = re.compile(
    r"\b(?:pp?\.|pages?|с\.|стр\.?|страниц\w*|сторінк\w*)\s*\d+(?:\s*[–-]\s*\d+)?", re.IGNORECASE
)
_SUFFIX = re.compile(r"(?<=\d)-?(?:й|го|му|м|я|е|х|ти|та|ша|ій|ою|st|nd|rd|th)\b")
_END = re.compile(
    r"(?<![.!?])[.!?]++…?[\"'»”)*_\]]*(?:\s+(?=[\"'«“„(*_\[]*[A-ZА-ЯЁІЇЄҐ\d\[【])|\s*$)"
    r"|…[\"'»”)*_\]]*\s+(?=[\"«“„(*_]*[A-ZА-ЯЁІЇЄҐ])|\n"
)
_SHORT = re.compile(
    r"(?:^|[^\w])(?:\w|стр|рис|табл|гг|ст|пп|им|руб|грн|коп|тыс|тис|млн|млрд|напр|см|ул|вул|art|fig|no|mr|"
    r"mrs|ms|dr|prof|vs|etc|approx|sec|vol|inc|ltd)\.$",
    re.IGNORECASE,
)
_LONGEST = 8
"""Characters before a point that tell whether one of these stands there."""
_BEHIND = re.compile(rf"[ \t]*(?:{_MARK.pattern})[.,;]?[ \t]*", re.IGNORECASE)
_QUOTED = re.compile(r"«([^«»]+)»|“([^“”]+)”|„([^„“”]+)[“”]|\"([^\"\n]+)\"")
_QUOTED_WORDS = 3
_LONG_QUOTED_WORDS = 4
_NAME = re.compile(
    r"(?:(?<=[^\W\d_]\s)|(?<=[^\W\d_],\s))(?:[A-ZА-ЯЁІЇЄҐ][a-zа-яёіїєґ']{2,}|[a-z]+[A-Z]\w+)"
)
_OF_TITLE = 4
_SENTENCE_WORDS = 4
_CONTEXT = 300
"""Characters of an answer before a sentence that a doubt about it brings along."""
_GAP = re.compile(r"(?:(?<!\s)\s++)?(?:\[?…\]?|\[?\.\.\.\]?)\s*")
_DASH = r"[\u2010-\u2015\u2212-]"
_SIGN = r"[%‰°$¢£¥\u20a0-\u20cf]"
_UNSPOKEN = re.compile(
    rf"(?<=\d)(?P<between>[\W_]+)(?=\d)"
    rf"|(?:(?!(?<!\w)-\d|(?<=\d){_SIGN}|(?<=\d\s){_SIGN}|{_SIGN}\s?-?\d)[\W_])+"
)
_BREAK = re.compile(r"[.,;:!?…][\W_]*\s")
_IN_NUMBER = frozenset("0123456789 .-/:")
"""What stands before or behind digits, as `_spoken` has them, of which the number is not yet whole."""


@dataclass(frozen=True)
class _Passage:
    """A source as claims are compared with it."""

    source: Source

    @cached_property
    def whole(self) -> str:
        one = self.source
        return f"{one.title}\n{one.heading}\n{one.date}\n{one.text}"

    @cached_property
    def figures(self) -> frozenset[str]:
        """Of a title only what may be a year or an article: a `3` of its name proves nothing."""
        named = {value for value in figures_of(self.source.title) if len(value) >= _OF_TITLE}
        one = self.source
        return figures_of(f"{one.heading}\n{one.date}\n{one.text}") | named

    @cached_property
    def counted(self) -> dict[str, set[str]]:
        """By number, what it counts: two words behind it, for the first may be a mere `full`."""
        found: dict[str, set[str]] = {}
        for value, nouns in counted(self.whole, 2):
            found.setdefault(value, set()).update(nouns or [""])
        return found

    @cached_property
    def measured(self) -> frozenset[tuple[str, str]]:
        return measured(self.whole)

    @cached_property
    def sentences(self) -> frozenset[str]:
        """As `_spoken` gives them; a heading or a word alone says nothing."""
        text = self.source.text
        parts = (text[start:end] for start, end in _sentences(text))
        return frozenset(_spoken(part) for part in parts if len(tokens(part)) >= _SENTENCE_WORDS)

    @cached_property
    def calendar(self) -> tuple[frozenset[str], frozenset[str]]:
        """Where months are named, those of its dates in figures count, too: `15.03.2024` is in March."""
        months, days = calendar(f"{self.source.heading}\n{self.source.text}")
        dated = {one.split("-")[1].lstrip("0") for one in self.figures if one.count("-") == 2}
        return (months | dated if months else months), days

    @cached_property
    def clauses(self) -> list[Clause]:
        return clauses_of(f"{self.source.heading}\n{self.source.text}")

    @cached_property
    def words(self) -> frozenset[str]:
        return frozenset(form for word in set(tokens(self.whole)) for form in forms_of(word))

    @cached_property
    def units(self) -> frozenset[str]:
        return units_of(self.whole)

    @cached_property
    def axes(self) -> frozenset[int]:
        return frozenset(axis for clause in self.clauses for axis in clause.sides)

    @cached_property
    def beginnings(self) -> frozenset[str]:
        return frozenset(filter(None, map(_beginning, self.words)))

    @cached_property
    def spoken(self) -> str:
        return _spoken(self.whole)

    def has(self, word: str) -> bool:
        """In any form, as a derivation, a unit's other name, a number, or one of two opposites: which of
        the two, is looked at by itself."""
        forms = forms_of(word)
        return (
            not self.words.isdisjoint(forms)
            or any(begun in self.beginnings for begun in map(_beginning, forms) if begun)
            or any(UNITS[form] in self.units for form in forms if form in UNITS)
            or in_figures(word) in self.figures
            or axis_of(word) in self.axes
        )


def _beginning(word: str) -> str:
    """By which a word is known in all its derivations: `гарант` of `гарантийный`; empty for short ones."""
    return word[: max(5, len(word) * 6 // 10)][:8] if len(word) >= 5 and word[0].isalpha() else ""


def _spoken(text: str) -> str:
    """A text without spaces, hyphens, case and points; a number keeps what tells its value: the points and
    dashes in it, its minus, its `%` or `$`."""
    return _UNSPOKEN.sub(_kept, folded(text)).casefold()


def _kept(found: re.Match[str]) -> str:
    """What becomes of the signs between two letters or digits."""
    between = found["between"]
    if not between:
        return ""
    if between.isspace():
        return " "
    if _BREAK.match(between):  # `in 2019. 24 of them`
        return ";"
    return re.sub(_DASH, "-", "".join(between.split())).replace(",", ".")


@dataclass
class _Claim:
    """What some marks that stand together speak for."""

    marks: list[tuple[int, int, tuple[int, ...]]] = field(default_factory=list)
    """From, to, and the numbers named."""
    text: str = ""

    @property
    def numbers(self) -> list[int]:
        return list(dict.fromkeys(number for *_, numbers in self.marks for number in numbers))


class Support(Enum):
    """What of a claim is found in a passage that it cites."""

    EXACTLY = "exactly"
    """Word for word: a quotation, or the whole sentence."""
    IN_WORDS = "in words"
    """Enough of its words and all of its numbers, and nothing speaks against it."""
    OTHERWISE = "otherwise"
    """Too few of its words: in other words, in another language, or not at all."""
    DENIED = "denied"
    """Its words are there, and the passage seems to say something else."""
    NOT = "not"
    """There is no such passage, or a number, a unit or a quotation is not in it."""


_SURE = (Support.EXACTLY, Support.NOT)
_HOLDS = (Support.EXACTLY, Support.IN_WORDS)


@dataclass(frozen=True, slots=True)
class Doubt:
    """A claim of which words alone do not tell whether it holds."""

    text: str
    before: str
    """What the answer says before it: whom its `he` means."""
    numbers: tuple[int, ...]
    """Of the passages that it may rest on."""
    marks: tuple[int, ...]
    """Which of the marks speak for it, by their places among them."""


class CitationFindings(NamedTuple):
    """What was found of an answer's citations."""

    marks: tuple[Mark, ...]
    unsourced: tuple[tuple[int, int], ...]
    """Where numbers stand that none of the sources named in their sentence has."""
    doubts: tuple[Doubt, ...]


def check(text: str, sources: Sequence[Source], question: str = "") -> CitationFindings:
    """The marks of an answer, each with whether it holds. Takes milliseconds; the dictionaries must be
    loaded."""
    passages = [_Passage(source) for source in sources]
    marks: list[Mark] = []
    unsourced: list[tuple[int, int]] = []
    doubts: list[Doubt] = []
    said = _blanked(text, _BLOCK, _ADDRESS)
    known = list(_MARK.finditer(_blanked(said, _CODE)))
    for start, end in _sentences(said) if known else ():
        here = [mark for mark in known if start <= mark.start() < end]
        claims = list(_claims(said, start, end, here))
        for claim in claims:
            named = {n: passages[n - 1] for n in claim.numbers if 1 <= n <= len(passages)}
            found = _found(claim.text, named, question)
            doubtful: list[int] = []
            for first, last, numbers in claim.marks:
                for n in numbers:
                    one = found.get(n, Support.NOT)
                    doubtful += [] if one in _SURE else [len(marks)]
                    marks.append(Mark(first, last, n, one in _HOLDS, one is Support.OTHERWISE))
            if doubtful:
                before = _plain(said[max(0, start - _CONTEXT) : start])
                doubts.append(Doubt(_plain(claim.text), before, tuple(named), tuple(doubtful)))
        if claims:
            cited = [passages[n - 1] for c in claims for n in c.numbers if 1 <= n <= len(passages)]
            told = _blanked(said[start:end], _MARK, _FORMULA, _ORDINAL, _PAGE)
            unsourced += (
                (start + one.start, start + one.end)
                for one in figures(told)
                if all(one.values.isdisjoint(passage.figures) for passage in cited)
            )
    return CitationFindings(tuple(marks), tuple(unsourced), tuple(doubts))


def _plain(text: str) -> str:
    return " ".join(_MARK.sub(" ", text).split())


def _blanked(text: str, *patterns: re.Pattern[str]) -> str:
    for pattern in patterns:
        text = pattern.sub(lambda at: re.sub(r"[^\n]", " ", at[0]), text)
    return text


def _sentences(text: str) -> Iterator[tuple[int, int]]:
    """From, to: a sentence with the marks that stand right behind it."""
    start = 0
    for end in _END.finditer(text):
        stop = end.end()
        if stop <= start:
            continue
        if text[end.start()] != "\n":
            if _SHORT.search(text[max(start, end.start() - _LONGEST) : end.start() + 1]):
                continue
            while behind := _BEHIND.match(text, stop):
                stop = behind.end()
        yield start, stop
        start = stop
    if start < len(text):
        yield start, len(text)


def _claims(text: str, start: int, end: int, marks: Sequence[re.Match[str]]) -> Iterator[_Claim]:
    claims: list[_Claim] = []
    at = start
    for mark in marks:
        said = text[at : mark.start()]
        if not claims or tokens(said):
            claims.append(_Claim(text=said))
        claims[-1].marks.append((mark.start(), mark.end(), _named(mark[1] or mark[2])))
        at = mark.end()
    behind = [claim.text for claim in claims[1:]] + [text[at:end]]
    for claim, more in zip(claims, behind, strict=False):  # none of the one, the tail of the other
        if len(_telling(claim.text)) + len(figures(claim.text)) < _FEW:
            claim.text += more
        yield claim


def _named(written: str) -> tuple[int, ...]:
    """`1, 3-5` -> 1, 3, 4, 5."""
    numbers: list[int] = []
    for part in re.split(r"[,;]", written):
        ends = [int(number) for number in re.findall(r"\d+", part)]
        numbers += range(ends[0], min(ends[-1], ends[0] + 20) + 1) if len(ends) > 1 else ends
    return tuple(dict.fromkeys(numbers))


def _telling(text: str) -> list[str]:
    """The words that say something, each once; what is denied is looked at by itself."""
    said = (word for word in tokens(text) if not word[0].isdigit())
    telling = (word for word in said if is_telling(word) or axis_of(word) is not None)
    return list(dict.fromkeys(word for word in telling if not denies(word)))


def _found(claim: str, named: dict[int, _Passage], question: str) -> dict[int, Support]:
    """What of the claim stands in each of those passages."""
    claim = _blanked(claim, _MARK, _ORDINAL)
    whole_sentence = _spoken(claim)
    claim = _blanked(claim, _PAGE, _SUFFIX)
    quotations = list(_quotations(claim))
    exact = {
        n: Support.EXACTLY
        for n, one in named.items()
        if any(stands_in(q, one.spoken) for q in quotations) or whole_sentence in one.sentences
    }
    if exact and (len(named) == 1 or len(exact) == len(named)):
        return exact

    def others(found: Support) -> dict[int, Support]:
        return dict.fromkeys(named, found) | exact

    said = figures(claim)
    words = _telling(claim)
    if len(words) + len(said) < _FEW:
        words = list(dict.fromkeys((*words, *_telling(question))))
    if not (words or said) or _has_other_figures(claim, said, list(named.values())):
        return others(Support.NOT)
    names = {word for name in _NAME.findall(folded(claim)) for word in tokens(name)}
    misquoted = not exact and any(len(q.split()) >= _LONG_QUOTED_WORDS for q in quotations)
    enough = _MISQUOTED if misquoted else ENOUGH
    has = {n: {word for word in words if one.has(word)} for n, one in named.items()}
    pairs = {(value, noun) for value, nouns in counted(claim) for noun in nouns}
    alike = {
        n: _PAIR * sum(noun in one.counted.get(value, ()) for value, noun in pairs)
        for n, one in named.items()
    }
    weight = {
        n: _worth(has[n], names)
        + alike[n]
        + sum(f.weight for f in said if not f.values.isdisjoint(one.figures))
        for n, one in named.items()
    }
    figured = sum(figure.weight for figure in said) + max(alike.values(), default=0.0)
    whole = _worth(words, names) + figured
    there = _worth(set().union(*has.values()), names) + figured
    if there < enough * whole:
        return others(Support.NOT if misquoted else Support.OTHERWISE)
    # a word against one that stands in a sentence of other words may well be another way to say it
    against = Support.DENIED if there >= _DENYING * whole else Support.OTHERWISE
    strange = names.difference(*has.values(), tokens(question))
    if any(not any(is_known(name, one) for one in DICTIONARIES) for name in strange):
        return others(
            Support.DENIED
        )  # a name that no dictionary has is no other word for something
    if _speaks_against(claim, said, words, list(named.values())):
        return others(against)
    each = enough if len(named) == 1 else ENOUGH_OF_ONE
    alone = {n: has[n] - set().union(*(has[m] for m in named if m != n)) for n in named}
    in_words = (n for n in named if weight[n] >= each * whole or len(alone[n]) >= _FEW)
    return dict.fromkeys(named, Support.DENIED) | dict.fromkeys(in_words, Support.IN_WORDS) | exact


def _worth(words: Collection[str], names: set[str]) -> int:
    """Words as evidence: a name counts twice."""
    return len(words) + sum(word in names for word in words)


def _has_other_figures(claim: str, said: Sequence[Figure], named: Sequence[_Passage]) -> bool:
    """Whether a number of the claim, or the unit that it has, is in none of the passages."""
    numbers = frozenset[str]().union(*(one.figures for one in named))
    if any(one.values.isdisjoint(numbers) for one in said if claim[one.start].isdigit()):
        return True
    units: dict[str, set[str]] = {}
    for one in named:
        for value, unit in one.measured:
            units.setdefault(value, set()).add(unit)
    return any(unit not in units.get(value, {unit}) for value, unit in measured(claim))


def _speaks_against(
    claim: str, said: Sequence[Figure], words: Sequence[str], named: Sequence[_Passage]
) -> bool:
    """Whether something in the claim seems to be other than in all passages that it names: a `twice`, what
    is counted, a month, a day, or what is denied."""
    numbers = frozenset[str]().union(*(one.figures for one in named))
    if any(one.values.isdisjoint(numbers) for one in said):
        return True
    there: dict[str, set[str]] = {}
    for one in named:
        for value, counts in one.counted.items():
            there.setdefault(value, set()).update(counts)
    every = set[str]().union(*there.values())
    in_words = set(map(in_figures, words))
    for value, things in counted(claim):
        if things & every:
            others = there.get(value, set())
            small = value.isdigit() and len(value) < _OF_TITLE
            if value in in_words and value not in numbers:  # `seven layers`
                return True
            if small and others and others.isdisjoint({*things, ""}):  # two lemons, three cloves
                return True
    for kind, names in enumerate(calendar(claim)):
        theirs = frozenset[str]().union(*(one.calendar[kind] for one in named))
        if theirs and names - theirs:
            return True
    return contradicts(claim, [clause for one in named for clause in one.clauses])


def _quotations(claim: str) -> Iterator[str]:
    for found in _QUOTED.finditer(claim):
        quotation = next(filter(None, found.groups()))
        if len(tokens(quotation)) >= _QUOTED_WORDS:
            yield quotation


def spoken_of(source: Source) -> str:
    """A source as `stands_in` looks for quotations in it. Takes 0.3 s for 400,000 characters."""
    return _Passage(source).spoken


def stands_in(quotation: str, spoken: str, least: int = 0) -> bool:
    """Whether all of it stands in the source `spoken_of` word for word, up to spaces, hyphens, points and
    case, in order, and no number cut short; `…` in it stands for anything. Each part between these must
    have `least` words."""
    at = 0
    for part in filter(str.strip, _GAP.split(quotation)):
        if len(tokens(part)) < least:
            return False
        at = _end_of(_spoken(part), spoken, at)
        if at < 0:
            return False
    return True


def _end_of(part: str, spoken: str, at: int) -> int:
    """Where it ends in the source, from that place on; -1 where it does not stand there."""
    while (found := spoken.find(part, at)) >= 0:
        end = found + len(part)
        begun = part[:1].isdigit() and spoken[found - 1 : found] in _IN_NUMBER
        if not begun and not (part[-1:].isdigit() and spoken[end : end + 1] in _IN_NUMBER):
            return end
        at = found + 1
    return -1
