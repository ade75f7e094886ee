"""Whether the citations of an answer hold: each mark against the passage that it names.

A mark `[1]` speaks for the part of its sentence that stands before it (or after, where nothing does:
`By [1], …`). It holds where a quotation of that part stands in the passage word for word, or where
enough of its words and all of its numbers do. Words are compared in dictionary form, numbers and dates
by their value. No model is asked: what holds can be seen by whoever opens the passage.
"""

import contextlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise

from app.completion.caching.words import folded
from app.core.notes import Mark
from app.core.tools import Source
from app.knowledge.terms import in_dictionary_form, is_telling, number_value, tokens

ENOUGH = 0.55
"""Share of a claim's words that must stand in the passage. Tuned with tests/data/knowledge."""
ENOUGH_OF_ONE = 0.3
"""The same of each passage, where several are named together and share the claim."""
_MISQUOTED = 0.8
"""The same of a claim with a quotation that is not word for word."""
_FEW = 2
"""A claim of fewer words and numbers (`Yes [1].`) is read together with the question."""

_NAMED = r"(?:(?:source|passage|document|источник|отрывок|документ|джерело|уривок)\s*)?[№#^]?\s*"
_MARK = re.compile(
    rf"\[\s*{_NAMED}(\d{{1,3}}(?:\s*[,;–-]\s*{_NAMED}\d{{1,3}})*)\s*\](?!\(|\[\^?[^\d\s\]]|:\s)"
    r"|【\s*(\d{1,3})[^】\n]{0,60}】",
    re.IGNORECASE,
)
_CODE = re.compile(r"^(```|~~~).*?(?:^\1|\Z)|(?<!`)(`++)[^`].*?\2", re.DOTALL | re.MULTILINE)
_ADDRESS = re.compile(r"https?://\S+")
_FORMULA = re.compile(r"\$\$.*?\$\$|\$[^$\n]+\$|\\\(.*?\\\)|\\\[.*?\\\]", re.DOTALL)
_ORDINAL = re.compile(r"^(?:[^\S\n]|[>|*_#-])*+\d{1,3}[.)](?=\s)", re.MULTILINE)
_PAGE = re.compile(
    r"\b(?:pp?\.|pages?|с\.|стр\.?|страниц\w*|сторінк\w*)\s*\d+(?:\s*[–-]\s*\d+)?", re.IGNORECASE
)
_END = re.compile(
    r"[.!?]+…?[\"'»”)*_\]]*(?:\s+(?=[\"'«“„(*_\[]*[A-ZА-ЯЁІЇЄҐ\d\[【])|\s*$)"
    r"|…[\"'»”)*_\]]*\s+(?=[\"«“„(*_]*[A-ZА-ЯЁІЇЄҐ])|\n"
)
_SHORT = re.compile(
    r"(?:^|[^\w])(?:\w|стр|рис|табл|гг|ст|пп|им|руб|грн|коп|тыс|тис|млн|млрд|напр|см|ул|вул|art|fig|no|mr|"
    r"mrs|ms|dr|prof|vs|etc|approx|sec|vol|inc|ltd)\.$",
    re.IGNORECASE,
)
_BEHIND = re.compile(rf"[ \t]*(?:{_MARK.pattern})[.,;]?[ \t]*", re.IGNORECASE)
_QUOTED = re.compile(r"«([^«»]+)»|“([^“”]+)”|„([^„“”]+)[“”]|\"([^\"\n]+)\"")
_QUOTED_WORDS = 3
_LONG_QUOTED_WORDS = 4
_GAP = re.compile(r"(?:(?<!\s)\s++)?(?:\[?…\]?|\[?\.\.\.\]?)\s*")
_HYPHEN = re.compile(r"[\u00ad\u2010-\u2015-]\s*")
_UNSPOKEN = re.compile(r"[\W_]+")

_MONTHS = {
    name: number
    for number, names in enumerate(
        (
            "январь января січень січня january jan",
            "февраль февраля лютий лютого february feb",
            "март марта березень березня march mar",
            "апрель апреля квітень квітня april apr",
            "май мая травень травня may",
            "июнь июня червень червня june jun",
            "июль июля липень липня july jul",
            "август августа серпень серпня august aug",
            "сентябрь сентября вересень вересня september sep sept",
            "октябрь октября жовтень жовтня october oct",
            "ноябрь ноября листопад листопада november nov",
            "декабрь декабря грудень грудня december dec",
        ),
        start=1,
    )
    for name in names.split()
}
_MONTH = "|".join(sorted(_MONTHS, key=len, reverse=True))
_DATE = re.compile(
    rf"\b(?:(?P<y1>\d{{4}})-(?P<m1>\d{{1,2}})-(?P<d1>\d{{1,2}})"
    rf"|(?P<d2>\d{{1,2}})[./](?P<m2>\d{{1,2}})[./](?P<y2>\d{{4}})"
    rf"|(?P<d3>\d{{1,2}})(?:st|nd|rd|th|-?го)?\s+(?:of\s+)?(?P<n3>{_MONTH})\.?,?\s+(?P<y3>\d{{4}})"
    rf"|(?P<n4>{_MONTH})\.?\s+(?P<d4>\d{{1,2}})(?:st|nd|rd|th)?,?\s+(?P<y4>\d{{4}})"
    rf"|(?P<d5>\d{{1,2}})(?:st|nd|rd|th|-?го)?\s+(?:of\s+)?(?P<n5>{_MONTH})"
    rf"|(?P<n6>{_MONTH})\s+(?P<d6>\d{{1,2}})(?:st|nd|rd|th)?"
    r"|(?P<h1>[01]?\d|2[0-4]):(?P<i1>[0-5]\d)(?=\s*(?:[ap]m\b|год\b|час|$|[^\w.,:]|[.,:](?!\d)))(?<=:\d\d))(?!\w)",
    re.IGNORECASE,
)
_NUMBER = re.compile(
    r"(?P<n>\d{1,3}(?:[\u00a0\u202f\u2009 ]\d{3})+(?:[.,]\d+)?(?!\d)|\d+(?:[.,]\d+)*)"
    r"(?:[\u00a0\u202f\u2009 ]?(?P<k>тыс|тис|thousand|k\b|к\b|млн|million|mln|m\b|млрд|billion|bn\b))?",
    re.IGNORECASE,
)
_THOUSANDS_OR_FRACTION = re.compile(r"[1-9]\d{0,2}[.,]\d{3}")
_SCALE = {"т": 1_000, "k": 1_000, "к": 1_000, "b": 1_000_000_000}


_WORDS = {
    word: str(number)
    for number, words in (
        (2, "two два две двух двум двумя дві двох двом двома"),
        (3, "three три трех трем тремя трьох трьом трьома"),
        (4, "four четыре четырех четырем чотири чотирьох чотирьом"),
        (5, "five пять пяти п'ять п'яти"),
        (6, "six шесть шести шість шести"),
        (7, "seven семь семи сім семи"),
        (8, "eight восемь восьми вісім восьми"),
        (9, "nine девять девяти дев'ять дев'яти"),
        (10, "ten десять десяти"),
        (11, "eleven одиннадцать одиннадцати одинадцять"),
        (12, "twelve двенадцать двенадцати дванадцять дванадцяти"),
        (14, "fourteen четырнадцать четырнадцати чотирнадцять чотирнадцяти"),
        (15, "fifteen пятнадцать пятнадцати п'ятнадцять"),
        (20, "twenty двадцать двадцати двадцять"),
        (30, "thirty тридцать тридцати тридцять"),
        (100, "hundred сто"),
    )
    for word in words.replace("'", "").split()
}


@dataclass(frozen=True, slots=True)
class Figure:
    """A number or a date in a text, from `start` to `end`: any of these values is meant by it."""

    start: int
    end: int
    values: frozenset[str]


def figures(text: str) -> list[Figure]:
    """The numbers and dates of a text."""
    found: list[Figure] = []
    at = 0
    for date in _DATE.finditer(text):
        found += _numbers(text, at, date.start())
        found.append(Figure(date.start(), date.end(), frozenset({_moment(date)})))
        at = date.end()
    return [*found, *_numbers(text, at, len(text))]


def _moment(date: re.Match[str]) -> str:
    """A date as `2024-03-15`, without its year `-03-15`; a time as `16:48`."""
    parts = {name[0]: value for name, value in date.groupdict().items() if value}
    if "h" in parts:
        return f"{int(parts['h'])}:{parts['i']}"
    month = int(parts["m"]) if "m" in parts else _MONTHS[parts["n"].casefold()]
    return f"{parts.get('y', '')}-{month:02}-{int(parts['d']):02}"


def _numbers(text: str, start: int, end: int) -> Iterator[Figure]:
    for one in _NUMBER.finditer(text, start, end):
        values = {number_value(one["n"])}
        if _THOUSANDS_OR_FRACTION.fullmatch(one["n"]):
            values.add(re.sub(r"\D", "", one["n"]))
        if one["k"]:
            kind = one["k"].casefold()
            scale = _SCALE.get(kind[0], 1_000_000)
            scale = 1_000 if kind in ("thousand", "тыс", "тис") else scale
            scale = 1_000_000_000 if kind == "млрд" else scale
            with contextlib.suppress(ValueError):  # a version, `1.2.3`
                values.add(f"{float(number_value(one['n'])) * scale:.6f}".rstrip("0").rstrip("."))
        yield Figure(one.start("n"), one.end("n"), frozenset(values))


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
        values: set[str] = set()
        for one in figures(self.whole):
            values |= one.values
            for value in one.values:
                year, _, rest = value.partition("-")
                if rest:  # of a date its parts may be told alone
                    values |= {year, f"-{rest}", *(part.lstrip("0") for part in rest.split("-"))}
                hour, _, minutes = value.partition(":")
                values |= {hour} if minutes == "00" else set()
        return frozenset(values | {value for value, _ in self.counted})

    @cached_property
    def counted(self) -> frozenset[tuple[str, str]]:
        return frozenset(_counted(self.whole))

    @cached_property
    def words(self) -> frozenset[str]:
        return frozenset(form for word in set(tokens(self.whole)) for form in _forms(word))

    @cached_property
    def beginnings(self) -> frozenset[str]:
        return frozenset(filter(None, map(_beginning, self.words)))

    @cached_property
    def spoken(self) -> str:
        return _spoken(self.whole)

    def has(self, word: str) -> bool:
        return not self.words.isdisjoint(_forms(word)) or any(
            begun in self.beginnings for begun in map(_beginning, _forms(word)) if begun
        )


def _counted(text: str) -> Iterator[tuple[str, str]]:
    """Each number, in figures or in a word, and the word behind it: `7`, `year` of `seven years`."""
    words = tokens(text)
    for word, behind in pairwise([*words, ""]):
        value = word if word[0].isdigit() else _number_word(word)
        if value:
            yield value, min(_forms(behind), default="") if behind else ""


def _number_word(word: str) -> str:
    return next((_WORDS[form] for form in _forms(word) if form in _WORDS), "")


def _forms(word: str) -> set[str]:
    languages = ("en",) if word.isascii() else ("ru", "uk")
    return {word, *(in_dictionary_form(word, one) for one in languages)}


def _beginning(word: str) -> str:
    """By which a word is known in all its derivations: `гарант` of `гарантийный`; empty for short ones."""
    return word[: max(5, len(word) * 6 // 10)][:8] if len(word) >= 6 and word[0].isalpha() else ""


def _spoken(text: str) -> str:
    """Letters and digits alone: what is left of a text when spaces, hyphens, case and points go."""
    return _UNSPOKEN.sub("", _HYPHEN.sub("", folded(text)).casefold())


@dataclass
class _Claim:
    """What some marks that stand together speak for."""

    marks: list[tuple[int, int, tuple[int, ...]]] = field(default_factory=list)
    """From, to, and the numbers named."""
    text: str = ""

    @property
    def numbers(self) -> list[int]:
        return list(dict.fromkeys(number for *_, numbers in self.marks for number in numbers))


def check(
    text: str, sources: Sequence[Source], question: str = ""
) -> tuple[tuple[Mark, ...], tuple[tuple[int, int], ...]]:
    """The marks of an answer, each with whether it holds; and where numbers stand that none of the
    sources named in their sentence has. Takes milliseconds; the dictionaries must be loaded."""
    passages = [_Passage(source) for source in sources]
    marks: list[Mark] = []
    unsourced: list[tuple[int, int]] = []
    plain = _blanked(text, _CODE, _ADDRESS)
    found = list(_MARK.finditer(plain))
    for start, end in _sentences(plain) if found else ():
        here = [mark for mark in found if start <= mark.start() < end]
        claims = list(_claims(plain, start, end, here))
        for claim in claims:
            named = {n: passages[n - 1] for n in claim.numbers if 1 <= n <= len(passages)}
            holding = _holding(claim.text, named, question)
            for first, last, numbers in claim.marks:
                marks += (Mark(first, last, number, number in holding) for number in numbers)
        if claims:
            cited = [passages[n - 1] for c in claims for n in c.numbers if 1 <= n <= len(passages)]
            said = _blanked(plain[start:end], _MARK, _FORMULA, _ORDINAL, _PAGE)
            unsourced += (
                (start + one.start, start + one.end)
                for one in figures(said)
                if all(one.values.isdisjoint(passage.figures) for passage in cited)
            )
    return tuple(marks), tuple(unsourced)


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
            if _SHORT.search(text[start : end.start() + 1]):
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
    """The words that say something, each once."""
    return list(dict.fromkeys(w for w in tokens(text) if not w[0].isdigit() and is_telling(w)))


def _holding(claim: str, named: dict[int, _Passage], question: str) -> set[int]:
    """The numbers of those passages in which the claim stands."""
    claim = _blanked(claim, _ORDINAL, _PAGE)
    quotations = list(_quotations(claim))
    quoted = {n for n, one in named.items() if any(_stands(q, one) for q in quotations)}
    if quoted and (len(named) == 1 or len(quoted) == len(named)):
        return quoted
    said = figures(claim)
    words = _telling(claim)
    if len(words) + len(said) < _FEW:
        words = list(dict.fromkeys((*words, *_telling(question))))
    misquoted = not quoted and any(len(q.split()) >= _LONG_QUOTED_WORDS for q in quotations)
    enough = _MISQUOTED if misquoted else ENOUGH
    if not (words or said) or not named:
        return quoted
    has = {n: {word for word in words if one.has(word)} for n, one in named.items()}
    together = set().union(*has.values())
    numbers = frozenset().union(*(one.figures for one in named.values()))
    if words and len(together) < enough * len(words):
        return quoted
    if any(one.values.isdisjoint(numbers) for one in said):
        return quoted
    counted = {(n, noun) for one in named.values() for n, noun in one.counted}
    nouns = {noun for _, noun in counted}
    words_for_numbers = [w for w in words if _number_word(w)]
    if words_for_numbers and any(
        noun in nouns and (value, noun) not in counted for value, noun in _counted(claim) if noun
    ):
        return quoted
    each = enough if len(named) == 1 else ENOUGH_OF_ONE
    return quoted | {n for n in named if len(has[n]) >= each * len(words)}


def _quotations(claim: str) -> Iterator[str]:
    for found in _QUOTED.finditer(claim):
        quotation = next(filter(None, found.groups()))
        if len(tokens(quotation)) >= _QUOTED_WORDS:
            yield quotation


def _stands(quotation: str, passage: _Passage) -> bool:
    """Whether all of it stands there, in order; `…` in it stands for anything."""
    at = 0
    for part in map(_spoken, _GAP.split(quotation)):
        found = passage.spoken.find(part, at)
        if found < 0:
            return False
        at = found + len(part)
    return True
