"""The numbers and dates of a text, by their value: what must agree before a citation holds."""

import contextlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from app.completion.caching.vocabulary import UNITS
from app.completion.caching.words import folded, small
from app.knowledge.terms import forms_of, is_telling, number_value, tokens


@dataclass(frozen=True, slots=True)
class Figure:
    """A number or a date in a text, from `start` to `end`: any of these values is meant by it."""

    start: int
    end: int
    values: frozenset[str]
    weight: float = 1.0
    """How many words it is worth as evidence: hardly any text has `184.6` by chance, many have a `2`."""


def _numbered(listed: str) -> dict[str, int]:
    lines = enumerate(listed.strip().splitlines(), start=1)
    return {name: number for number, names in lines for name in names.split()}


_MONTHS = _numbered("""
январь января январе січень січня січні january jan
февраль февраля феврале лютий лютого лютому february feb
март марта марте березень березня березні march mar
апрель апреля апреле квітень квітня квітні april apr
май мая мае травень травня травні may
июнь июня июне червень червня червні june jun
июль июля июле липень липня липні july jul
август августа августе серпень серпня серпні august aug
сентябрь сентября сентябре вересень вересня вересні september sep sept
октябрь октября октябре жовтень жовтня жовтні october oct
ноябрь ноября ноябре листопад листопада листопаді november nov
декабрь декабря декабре грудень грудня грудні december dec
""")
_DAYS = _numbered("""
понедельник понедельника понедельникам понеділок понеділка понеділки понеділками monday mondays
вторник вторника вторникам вівторок вівторка вівторки tuesday tuesdays
среда среду среды средам середа середу середи середам wednesday wednesdays
четверг четверга четвергам четвер четверга четверги thursday thursdays
пятница пятницу пятницы пятницам п'ятниця п'ятницю п'ятниці friday fridays
суббота субботу субботы субботам субота суботу суботи суботам saturday saturdays
воскресенье воскресенья воскресеньям неділя неділю неділі неділям sunday sundays
""")
_ALSO_WORDS = "may march mar jan sep sept dec среды среда среду середи"
_NOT_ALONE = frozenset(_ALSO_WORDS.split())
"""Names that mean something else, too: read with a number, and otherwise as words."""
_MONTH = "|".join(sorted(_MONTHS, key=len, reverse=True))
_DATE = re.compile(
    rf"\b(?:(?P<y1>\d{{4}})-(?P<m1>\d{{1,2}})-(?P<d1>\d{{1,2}})"
    rf"|(?P<d2>\d{{1,2}})[./](?P<m2>\d{{1,2}})[./](?P<y2>\d{{4}})"
    rf"|(?P<d3>\d{{1,2}})(?:st|nd|rd|th|-?го)?\s+(?:of\s+)?(?P<n3>{_MONTH})\.?,?\s+(?P<y3>\d{{4}})"
    rf"|(?P<n4>{_MONTH})\.?\s+(?P<d4>\d{{1,2}})(?:st|nd|rd|th)?,?\s+(?P<y4>\d{{4}})"
    rf"|(?P<d5>\d{{1,2}})(?:st|nd|rd|th|-?го)?\s+(?:of\s+)?(?P<n5>{_MONTH})"
    rf"|(?P<n6>{_MONTH})\s+(?P<d6>\d{{1,2}})(?:st|nd|rd|th)?"
    r"|(?P<h2>1[0-2]|0?[1-9])(?::(?P<i2>[0-5]\d))?\s?(?P<a2>[ap])\.?m\b\.?"
    r"|(?P<s>\d{1,3}:\d{1,3})(?![:\d])(?<!:\d\d)"
    r"|(?P<h1>[01]?\d|2[0-4]):(?P<i1>[0-5]\d)(?=\s*(?:год\b|час|$|[^\w.,:]|[.,:](?!\d)))(?<=:\d\d))(?!\w)",
    re.IGNORECASE,
)
_NAMED = re.compile(
    rf"\b(?:(?P<month>{_MONTH})|(?P<day>{'|'.join(sorted(_DAYS, key=len, reverse=True))}))\b(?!')",
    re.IGNORECASE,
)
_NUMBER = re.compile(
    r"(?P<n>\d{1,3}(?:[\u00a0\u202f\u2009 ]\d{3})+(?:[.,]\d+)?(?!\d)|\d+(?:[.,]\d+)*)"
    r"(?:[\u00a0\u202f\u2009 ]?(?P<k>тыс|тис|thousand|k\b|к\b|млн|million|mln|m\b|млрд|billion|bn\b))?",
    re.IGNORECASE,
)
_RANGE = re.compile(r"\s*(?:[-–—]|to|and|до|по|и|та)\s*[$€£]?", re.IGNORECASE)
_THOUSANDS_OR_FRACTION = re.compile(r"[1-9]\d{0,2}[.,]\d{3}")
_YEAR = re.compile(r"(?:19|20)\d\d")
_SCALE = {"т": 1_000, "k": 1_000, "к": 1_000, "b": 1_000_000_000}
_TELLING_DIGITS = 3

_WORDS = {
    word: str(number)
    for number, words in (
        (2, "two два две двух двум двумя дві двох двом двома двое двоє"),
        (3, "three три трех трем тремя трьох трьом трьома трое троє"),
        (4, "four четыре четырех четырем чотири чотирьох чотирьом"),
        (5, "five пять пяти п'ять п'яти"),
        (6, "six шесть шести шість шести"),
        (7, "seven семь семи сім семи"),
        (8, "eight восемь восьми вісім восьми"),
        (9, "nine девять девяти дев'ять дев'яти"),
        (10, "ten десять десяти"),
        (11, "eleven одиннадцать одиннадцати одинадцять"),
        (12, "twelve двенадцать двенадцати дванадцять дванадцяти"),
        (13, "thirteen тринадцать тринадцати тринадцять тринадцяти"),
        (14, "fourteen четырнадцать четырнадцати чотирнадцять чотирнадцяти"),
        (15, "fifteen пятнадцать пятнадцати п'ятнадцять"),
        (16, "sixteen шестнадцать шестнадцати шістнадцять"),
        (17, "seventeen семнадцать семнадцати сімнадцять"),
        (18, "eighteen восемнадцать восемнадцати вісімнадцять"),
        (19, "nineteen девятнадцать девятнадцати дев'ятнадцять"),
        (20, "twenty двадцать двадцати двадцять"),
        (30, "thirty тридцать тридцати тридцять"),
        (40, "forty сорок сорока"),
        (50, "fifty пятьдесят пятидесяти п'ятдесят"),
        (60, "sixty шестьдесят шестидесяти шістдесят"),
        (70, "seventy семьдесят семидесяти сімдесят"),
        (80, "eighty восемьдесят восьмидесяти вісімдесят"),
        (90, "ninety девяносто дев'яносто"),
        (100, "hundred сто ста"),
    )
    for word in words.replace("'", "").split()
}
_TIMES = {
    word: values
    for values, words in (
        (("2",), "twice дважды двічі вдвое вдвічі удвічі"),
        (("3",), "thrice трижды тричі втрое втричі утричі"),
        (("4",), "четырежды вчетверо"),
        (("0.5", "50"), "half половина половину половины половине пополам вполовину навпіл половини"),
        (("2",), "double двойн подвійн двукратн дворазов"),
        (("3",), "triple тройн потрійн трехкратн триразов"),
    )
    for word in words.split()
}  # fmt: skip
"""Words that say how many times, some without their endings: as exact as figures."""
_TIMES_WORD = re.compile(
    rf"\b(?P<w>(?<!and a )(?:{'|'.join(_TIMES)})(?! an? ))(?:(?<=[нв])[а-яії]{{1,3}})?\b(?!-)",
    re.IGNORECASE,
)
_SPANS = {
    word: words.split()[0]
    for words in (
        "year годы год лет рік роки років",
        "month месяц місяць",
        "week неделя тиждень",
        "day день дні дня днів дней сутки доба",
        "kw квт kilowatt киловатт",
        "gb гб гигабайт гігабайт gigabyte",
        "mb мб мегабайт megabyte",
        "г g",
        "mg мг миллиграмм міліграм milligram",
    )
    for word in words.split()
}
_SIGN_WORDS = {
    "$": "usd",
    "€": "eur",
    "£": "gbp",
    "₽": "rub",
    "₴": "uah",
    "%": "percent",
    "°": "degree",
}
_SIGNS = frozenset(_SIGN_WORDS)
_PRICE = re.compile(rf"([$€£₽₴])[\u00a0\u202f ]?({_NUMBER.pattern})", re.IGNORECASE)
_PARTS = re.compile(r"[.!?;:,|\n]+(?!\d)|\s[—–-]\s")
_UNIT = re.compile(r"(?P<before>[$€£₽₴])|[\u00a0\u202f\u2009 ]?(?P<after>[%°$€£₽₴]|[^\W\d_]+)")


def figures(text: str) -> list[Figure]:
    """The numbers and dates of a text, and the words that count."""
    found: list[Figure] = []
    at = 0
    for date in _DATE.finditer(text):
        found += _numbers(text, at, date.start())
        found.append(Figure(date.start(), date.end(), _moment(date), 3.0))
        at = date.end()
    found += _numbers(text, at, len(text))
    for word in _TIMES_WORD.finditer(text):
        values = frozenset(_TIMES[small(word["w"])])
        found.append(Figure(word.start(), word.end(), values))
    return found


def figures_of(text: str) -> frozenset[str]:
    """Every value that a text may be cited for: dates by their parts, too, and numbers in words."""
    values: set[str] = set()
    for one in figures(text):
        values |= one.values
        for value in one.values:
            year, _, rest = value.partition("-")
            if rest:  # of a date its parts may be told alone
                values |= {year, f"-{rest}", *(part.lstrip("0") for part in rest.split("-"))}
            hour, _, minutes = value.partition(":")
            values |= {hour} if minutes == "00" else set()
    return frozenset((*values, *map(in_figures, tokens(text)))) - {""}


def _moment(date: re.Match[str]) -> frozenset[str]:
    """A date as `2024-03-15`, without its year `-03-15`; a time as `16:48`, a full hour as its number, too;
    a score as `3:1`."""
    parts = {name[0]: value for name, value in date.groupdict().items() if value}
    if "s" in parts:
        return frozenset({parts["s"]})
    if "h" in parts:
        hour = int(parts["h"])
        if "a" in parts:
            hour = hour % 12 + (12 if parts["a"].casefold() == "p" else 0)
        minutes = parts.get("i", "00")
        whole = {str(hour)} if minutes == "00" else set()
        return frozenset({f"{hour}:{minutes}", *whole})
    month = int(parts["m"]) if "m" in parts else _MONTHS[small(parts["n"])]
    return frozenset({f"{parts.get('y', '')}-{month:02}-{int(parts['d']):02}"})


def _numbers(text: str, start: int, end: int) -> Iterator[Figure]:
    found = list(_NUMBER.finditer(text, start, end))
    for one, following in zip_longest(found, found[1:]):
        values = _values(one["n"])
        scale = one["k"]
        if not scale and following and _RANGE.fullmatch(text, one.end(), following.start()):
            scale = following["k"]  # `190–200 million`
        if scale:
            with contextlib.suppress(ValueError):  # a version, `1.2.3`
                value = float(number_value(one["n"])) * _times(scale)
                values.add(f"{value:.6f}".rstrip("0").rstrip("."))
        yield Figure(one.start("n"), one.end("n"), frozenset(values), _weight(one["n"]))


def _values(written: str) -> set[str]:
    values = {number_value(written)}
    if _THOUSANDS_OR_FRACTION.fullmatch(written):
        whole = re.sub(r"\D", "", written)
        values = {whole} if written.endswith("000") else values | {whole}
    return values


def _times(scale: str) -> int:
    kind = scale.casefold()
    if kind in ("thousand", "тыс", "тис"):
        return 1_000
    return 1_000_000_000 if kind == "млрд" else _SCALE.get(kind[0], 1_000_000)


def _weight(written: str) -> float:
    digits = sum(map(str.isdigit, written))
    if digits >= _TELLING_DIGITS:
        return 1.0 if _YEAR.fullmatch(written) else 3.0
    return 1.0 if digits > 1 else 0.5


def counted(text: str, reach: int = 1) -> Iterator[tuple[str, frozenset[str]]]:
    """Each number, in figures or in a word, and what it counts, by the telling ones of so many words behind
    it: `7`, `year` of `seven years`; units in one spelling."""
    for value, behind in _counts(text, reach):
        yield value, frozenset(filter(None, map(_noun, behind)))


def measured(text: str) -> frozenset[tuple[str, str]]:
    """Each number with the unit of measure, money or time that it has, in one spelling."""
    found = set()
    for value, behind in _counts(text, 2):
        units = (measure(word) for word in behind if word not in _NO_UNITS)
        unit = next(filter(None, units), "")
        if unit and not (unit in _YEARS and value.isdigit() and len(value) == len("1871")):
            found.add((value, unit))
    return frozenset(found)


_NO_UNITS = frozenset("сc")
"""A preposition oftener than a second."""
_YEARS = frozenset({"year", "г"})
"""What stands behind a date: `1871 г.`, `2024 году`."""


def _counts(text: str, reach: int) -> Iterator[tuple[str, Sequence[str]]]:
    """Each number, and so many words behind it, as far as the part of the sentence goes."""
    text = _PRICE.sub(r" \2 \1 ", text)
    for sign in _SIGNS & set(text):
        text = text.replace(sign, f" {_SIGN_WORDS[sign]} ")
    for part in _PARTS.split(text):
        words = tokens(part)
        for place, word in enumerate(words):
            if value := word if word[0].isdigit() else in_figures(word):
                behind = words[place + 1 : place + 1 + reach]
                yield value, behind


def _noun(word: str) -> str:
    telling = len(word) > 2 and not word[0].isdigit() and is_telling(word)
    return measure(word) or (min(forms_of(word)) if telling else "")


def measure(word: str) -> str:
    """A unit of measure, money or time in one spelling; empty for other words."""
    forms = forms_of(word) if word else ()
    return next((known[form] for form in forms for known in (UNITS, _SPANS) if form in known), "")


def in_figures(word: str) -> str:
    """`7` for `seven`, in any of its forms; empty for other words."""
    return next((_WORDS[form] for form in forms_of(word) if form in _WORDS), "")


def units_of(text: str) -> frozenset[str]:
    """The units of measure and money in a text, each in one spelling: those of one letter stand behind a
    number, and signs before it or behind."""
    found = {UNITS[word] for word in tokens(text) if len(word) > 1 and word in UNITS}
    plain = folded(text)
    for one in _NUMBER.finditer(plain):
        behind = _UNIT.match(plain, one.end())
        for sign in (plain[one.start() - 1 : one.start()], behind["after"] if behind else ""):
            if sign and (unit := UNITS.get(sign.casefold())):
                found.add(unit)
    return frozenset(found)


def calendar(text: str) -> tuple[frozenset[str], frozenset[str]]:
    """The months and the days of the week that a text names; all from one to the other, where it says so."""
    found: tuple[set[str], set[str]] = (set(), set())
    last: tuple[int, int, int] | None = None
    text = folded(text)
    for one in _NAMED.finditer(text):
        kind = 0 if one["month"] else 1
        names: Sequence[dict[str, int]] = (_MONTHS, _DAYS)
        name = small(one[0])
        number, size = names[kind][name], (12, 7)[kind]
        if name in _NOT_ALONE and not _beside_a_number(text, one):
            continue
        found[kind].add(str(number))
        if last and last[0] == kind and _span(text[last[2] : one.start()]):
            step = last[1]
            while step != number:
                step = step % size + 1
                found[kind].add(str(step))
        last = (kind, number, one.end())
    return frozenset(found[0]), frozenset(found[1])


def _beside_a_number(text: str, name: re.Match[str]) -> bool:
    around = text[max(0, name.start() - 6) : name.start()], text[name.end() : name.end() + 7]
    return bool(re.search(r"\d[a-z]{0,2}\s+(?:of\s+)?$", around[0])) or bool(re.match(r",?\s+\d", around[1]))  # fmt: skip


def _span(between: str) -> bool:
    return bool(re.fullmatch(r"[\s\d.,]*(?:[-–—]|по|до|to|through|till|until)[\s\d.,]*", between))  # fmt: skip
