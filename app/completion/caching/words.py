"""A question read by machine: its words in dictionary form, and all that makes it another question."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from itertools import groupby

import simplemma

from app.completion.caching.vocabulary import CLASSES, NUMBERS, TURNS, UNITS
from app.core.normal_forms import normalized

DICTIONARIES = ("ru", "uk", "en")

_WORD = re.compile(r"[^\W\d_]+(?:['-][^\W\d_]+)*")
_NUMBER = re.compile(r"([-+±~<>≤≥]?[$€£¥₽₴]?)([-+]?\d[\d.,:]*)(?:-?([^\W\d_]{1,9}|[%‰°$€£¥₽₴]))?")
_TURN = re.compile(
    r"(?<!\w)(?:" + "|".join(sorted(map(re.escape, TURNS), key=len, reverse=True)) + r")(?!\w)",
    re.IGNORECASE,
)
_NUMERONYM = re.compile(r"[a-zA-Z]\d{1,2}[a-zA-Z]")
_THOUSANDS = re.compile(r",(?=\d{3}(?:\D|$))")
_APOSTROPHES = str.maketrans(dict.fromkeys("’ʼ`´‘ʹ", "'") | {"−": "-", "\u00a0": " "})
_QUOTES = str.maketrans(dict.fromkeys("«»“”„", '"'))
_OPENING, _CLOSING = "\"'«“„‘([{¿¡*", "\"'»”“’)]}?!,;:…*"
_PAUSES = {"-", "–", "—", "―", "·", "•", ",", ":", "..."}
_ENDS = {"?", "!", ".", "...", "??", "???", "!!", "!!!", "?!", ")", "))", ")))"}
_ENDINGS = frozenset(
    ["й", "я", "е", "го", "му", "м", "х", "ая", "ое", "ые", "ий", "th", "st", "nd", "rd"]
)
_LATIN = (
    ("shch", "щ"), ("sch", "щ"), ("yo", "ё"), ("zh", "ж"), ("kh", "х"), ("ts", "ц"), ("ch", "ч"),
    ("sh", "ш"), ("yu", "ю"), ("ju", "ю"), ("ya", "я"), ("ja", "я"), ("ye", "е"), ("yi", "ї"),
    *zip("abvgdezijklmnoprstufhcyw'qx", "абвгдезийклмнопрстуфхцыв" + "ькх", strict=True),
)  # fmt: skip
_UKRAINIAN = (
    ("kh", "х"),
    ("zh", "ж"),
    ("shch", "щ"),
    ("ch", "ч"),
    ("sh", "ш"),
    ("h", "г"),
    ("ie", "є"),
    ("ia", "я"),
    ("iu", "ю"),
)


@dataclass(frozen=True, slots=True)
class ContentWord:
    """A word that says something."""

    surface: str
    lemma: str
    relation: str = ""
    """The kind of preposition before it: from, to, before, …"""
    name: bool = False
    """Written as a name: a capital inside a sentence, or Latin among Cyrillic."""


@dataclass(frozen=True)
class Reading:
    """What the guards look at. Two questions that want the same answer agree in all of it but words."""

    language: str
    words: tuple[ContentWord, ...]
    numbers: tuple[tuple[str, str], ...]
    """Each with its sign and its unit, in order."""
    code: tuple[str, ...]
    """Whatever is neither word nor number, to the letter: file names, operators, emoji; in order."""
    classes: Counter[str]
    """How many words of each class of the vocabulary there are."""
    persons: tuple[str, ...]
    """Who is spoken of, in order; with a full stop where it is not who acts: `me.` of `мне`."""
    small: tuple[str, ...] = ()
    """Every word of the vocabulary but courtesies at either end, sorted."""
    quoted: tuple[str, ...] = ()
    """What stands in quotation marks, to the letter."""
    guessed: bool = False
    """Written in Latin letters, and read as Cyrillic: endings may have been lost."""

    @property
    def asks(self) -> frozenset[str]:
        """Which kind of question it is."""
        return frozenset(name for name in self.classes if name.startswith("ask "))


def folded(text: str) -> str:
    """NFC with one apostrophe and one minus; `ё` as `е`."""
    text = normalized("NFC", text).translate(_APOSTROPHES)
    return text.replace("ё", "е").replace("Ё", "Е")


def small(word: str) -> str:
    """In small letters; a pattern for which case makes no difference takes Turkish `İ` and `ı` for an `i`."""
    return word.casefold().replace("i\u0307", "i").replace("\u0131", "i")


@lru_cache(maxsize=100_000)
def lemma(word: str, language: str) -> str:
    """The dictionary form in lower case; the word itself where no dictionary has it."""
    if language not in DICTIONARIES:
        return word.casefold()
    return (
        str(simplemma.lemmatize(word, lang=language, low_memory=True)).casefold().replace("ё", "е")
    )


@lru_cache(maxsize=100_000)
def is_known(word: str, language: str) -> bool:
    """Whether the dictionary of the language has the word, written small or as a name."""
    if language not in DICTIONARIES:
        return False
    return any(
        simplemma.is_known(form, lang=language, low_memory=True)
        for form in (word, word.capitalize())
    )


@cache
def read_dictionaries() -> None:
    """Reads them: a second or two of work and some 35 MB of memory, once."""
    for language in DICTIONARIES:
        simplemma.lemmatize("a", lang=language, low_memory=True)


@dataclass(frozen=True)
class Aliases:
    """Names that mean the same, as an administrator keeps them."""

    groups: tuple[tuple[str, ...], ...] = ()

    @classmethod
    @lru_cache(maxsize=8)
    def parse(cls, text: str) -> "Aliases":
        """One group a line: `ХДУ = Херсонський державний університет = KSU`; `#` begins a remark."""
        found = []
        for line in text.splitlines():
            names = [name.strip() for name in line.partition("#")[0].split("=")]
            if len([name for name in names if name]) > 1:
                found.append(tuple(name for name in names if name))
        return cls(tuple(found))

    def applied(self, words: Sequence[ContentWord], language: str) -> tuple[ContentWord, ...]:
        """The words, with every name of a group replaced by the first of it."""
        found = list(words)
        for group, names in enumerate(self.groups):
            whole = [
                [lemma(part.casefold(), language) for part in folded(name).split()]
                for name in sorted(names, key=len, reverse=True)
            ]
            halves = [[parts[0], parts[-1]] for parts in whole if len(parts) > 2]
            for parts, spelt in [(p, f"={group}") for p in whole] + [
                (p, f"={group}, by half")
                for p in halves  # alike, and not the same
            ]:
                for at in range(len(found) - len(parts), -1, -1):
                    run = found[at : at + len(parts)]
                    if [word.lemma for word in run] == parts:
                        one = ContentWord(spelt, f"={group}", run[0].relation, name=True)
                        found[at : at + len(parts)] = [one]
        return tuple(found)


@lru_cache(maxsize=20_000)
def read(text: str, aliases: Aliases = Aliases()) -> Reading:
    """The question taken apart."""
    text = folded(text)
    language, spelling = _language(
        [w for chunk in text.split() for w in _words_of(_trimmed(chunk))]
    )
    guessed = any(word.isascii() and not spelt.isascii() for word, spelt in spelling)
    if guessed:
        in_cyrillic = dict(spelling)
        text = " ".join(in_cyrillic.get(_trimmed(chunk), chunk) for chunk in text.split())
    turned = _TURN.sub(lambda found: TURNS[small(found[0])], text)
    chunks = _without_courtesies(turned.split())
    reading = _Reader(language, shouting=text.isupper()).read(chunks)
    words = aliases.applied(reading.words, language)
    quoted = tuple(text.translate(_QUOTES).split('"')[1::2])
    return replace(reading, words=words, quoted=quoted, guessed=guessed)


def _without_courtesies(said: list[str]) -> list[str]:
    """The chunks without punctuation, and without `hello`, `I would like to know` before the question
    or a `please` set off behind it."""
    chunks = [_trimmed(chunk) for chunk in said]
    start, end = 0, len(chunks)
    while start < end and _is_courtesy(chunks[start]):
        start += 1
    last = end
    while last > start and _is_courtesy(chunks[last - 1]):
        last -= 1
    if last > start and said[last - 1][-1] in ",.?!;":
        end = last
    return chunks[start:end] or chunks


def _is_courtesy(chunk: str) -> bool:
    return not chunk or chunk in _PAUSES or CLASSES.get(chunk.casefold()) == ["idle"]


def _words_of(chunk: str) -> list[str]:
    return chunk.split("-") if _WORD.fullmatch(chunk) else []


def _trimmed(chunk: str) -> str:
    """Without the punctuation around it; brackets that belong to it stay, and so does what is nothing
    but punctuation (`??`, `[]`)."""
    if not any(letter.isalnum() for letter in chunk):
        return chunk
    before = None
    while before != chunk:
        before = chunk
        if chunk[:1] and chunk[0] in _OPENING and len(chunk) > 1:
            pair = {"(": ")", "[": "]", "{": "}"}.get(chunk[0])
            if pair is None or pair not in chunk or chunk.endswith(pair):
                chunk = chunk[1:]
        if chunk[-1:] and chunk[-1] in _CLOSING and len(chunk) > 1:
            pair = {")": "(", "]": "[", "}": "{"}.get(chunk[-1])
            if pair is None or pair not in chunk:
                chunk = chunk[:-1]
        if chunk.endswith(".") and not chunk.startswith(".") and len(chunk) > 1:
            chunk = chunk[:-1]
    return chunk


def _language(words: list[str]) -> tuple[str, list[tuple[str, str]]]:
    """The language, and each word with how it is to be read: a transliterated one in Cyrillic."""
    small = [word.casefold() for word in words]
    same = list(zip(words, words, strict=True))
    cyrillic = [word for word in small if "\u0400" <= word[0] <= "\u04ff"]
    if cyrillic:
        letters = set("".join(cyrillic))
        if letters & set("іїєґ"):
            return "uk", same
        if letters & set("ыэъ"):
            return "ru", same
        return max(("ru", "uk"), key=lambda code: _known(cyrillic, code)), same
    if not small or not all(word.isascii() for word in small):
        return "", same
    if (english := _known(small, "en")) >= 0.6 * len(small):
        return "en", same
    best, language, spelt = english, "", small
    for code in ("ru", "uk"):
        cyrillic = [_spelt(_cyrillic(word, code), code) for word in small]
        if (known := _known(cyrillic, code)) > best and known >= 0.5 * len(small):
            best, language, spelt = known, code, cyrillic
    if not language:
        return ("en" if english else ""), same
    return language, [
        (
            word,
            spelling
            if is_known(spelling, language) or not is_known(word.casefold(), "en")
            else word,
        )
        for word, spelling in zip(words, spelt, strict=True)
    ]


def _known(words: Sequence[str], language: str) -> int:
    return sum(is_known(word, language) for word in words)


def _cyrillic(word: str, language: str) -> str:
    """A word in Latin letters as it would be spelt; the nearest guess."""
    if language == "uk":
        for latin, letter in _UKRAINIAN:
            word = word.replace(latin, letter)
    for latin, letter in _LATIN:
        word = word.replace(latin, letter)
    if language == "uk":
        word = word.translate(str.maketrans("иы", "іи")).replace("э", "е")
    return word


@lru_cache(maxsize=10_000)
def _spelt(word: str, language: str) -> str:
    """The word with the soft sign that Latin letters leave out, if that makes it one."""
    if not is_known(word, language):
        for place in range(2, len(word) + 1):
            if is_known(soft := f"{word[:place]}ь{word[place:]}", language):
                return soft
    return word


class _Reader:
    def __init__(self, language: str, *, shouting: bool) -> None:
        self._language = language
        self._shouting = shouting
        self._words: list[ContentWord] = []
        self._numbers: list[tuple[str, str]] = []
        self._code: list[str] = []
        self._classes: Counter[str] = Counter()
        self._persons: list[str] = []
        self._small: list[str] = []
        self._relation = ""
        self._after_number = False

    def read(self, chunks: Sequence[str]) -> Reading:
        for place, chunk in enumerate(chunks):
            if not chunk:
                continue
            if _WORD.fullmatch(chunk) and not _has_inner_capital(chunk):
                for part in [chunk] if chunk.casefold() in CLASSES else chunk.split("-"):
                    self._take(part, first=not place)
            elif not (chunk in _PAUSES and not self._after_number) and not (
                chunk in _ENDS and place + 1 == len(chunks)
            ):
                self._take_odd(chunk)
        return Reading(
            self._language,
            tuple(self._words),
            tuple(self._numbers),
            tuple(self._code),
            self._classes,
            tuple(self._persons),
            tuple(sorted(self._small)),
        )

    def _take(self, surface: str, *, first: bool) -> None:
        small = surface.casefold()
        unit = UNITS.get(small) or UNITS.get(lemma(small, self._language))
        if self._after_number and unit:
            self._numbers[-1] = (self._numbers[-1][0], unit)
            self._after_number = False
            return
        after_number, self._after_number = self._after_number, False
        acronym = len(surface) > 1 and surface.isupper() and not self._shouting
        if small in NUMBERS and not acronym:
            self._number(NUMBERS[small], joins=after_number)
        elif small in CLASSES and not acronym and not self._is_plain_verb(small):
            self._class(small)
        else:
            if first and surface.istitle():
                surface = small
            foreign = self._language in ("ru", "uk") and surface.isascii()
            if small.startswith("най"):
                self._classes["most"] += 1
            name = (
                acronym
                or foreign
                or not (surface.istitle() or surface.islower())
                or (surface[0].isupper() and not first and not self._shouting)
            )
            self._words.append(
                ContentWord(surface, lemma(small, self._language), self._relation, name)
            )
            self._relation = ""

    def _number(self, value: str, *, joins: bool) -> None:
        last = self._numbers[-1][0] if self._numbers else ""
        if joins and last.isdecimal() and value.isdecimal():
            joined = _joined(int(last), int(value))
            if joined is not None:  # twenty five, two hundred
                self._numbers[-1] = (str(joined), "")
                self._after_number = True
                return
        self._numbers.append((self._bound() + value, ""))
        self._after_number = True

    def _bound(self) -> str:
        """`from 5` and `until 5` are not one number."""
        bound, self._relation = self._relation, ""
        return f"{bound} " if bound in ("from", "until", "before", "after") else ""

    def _is_plain_verb(self, word: str) -> bool:
        """`How do I write …` sets no task, `Write …` does."""
        asks = any(name.startswith("ask ") for name in self._classes)
        return self._language == "en" and asks and not TASKS.isdisjoint(CLASSES[word])

    def _class(self, word: str) -> None:
        self._small.append(word)
        for name in CLASSES[word]:
            if name in _RELATIONS:
                self._relation = name
            elif name in _PERSONS:
                self._persons.append(name if word in _SUBJECTS else f"{name}.")
            if name not in ("idle", "small"):
                self._classes[name] += 1

    def _take_odd(self, chunk: str) -> None:
        """A number with what is attached to it, else code."""
        if _NUMERONYM.fullmatch(chunk):
            self._words.append(ContentWord(chunk, chunk.casefold(), self._relation, name=True))
            return
        found = _NUMBER.fullmatch(chunk)
        unit = (found[3] or "").casefold() if found else ""
        if found and (not unit or unit in UNITS or unit in _ENDINGS):
            sign, figures = found[1], found[2].rstrip(".,:")
            figures = _THOUSANDS.sub("", figures) if self._language == "en" else figures
            figures = figures.replace(",", ".")
            money = UNITS.get(sign[-1:], "") if sign else ""
            value = self._bound() + sign.rstrip("$€£¥₽₴") + figures
            self._numbers.append((value, money or UNITS.get(unit, "")))
            self._after_number = not unit and not money
        else:
            self._code.append(chunk)
            self._after_number = False
            self._relation = ""


TASKS = frozenset(
    ["tell", "write", "translate", "compare", "list", "shorten", "fix", "compute", "check"]
)
_SUBJECTS = frozenset(
    [
        "я",
        "ты",
        "ти",
        "он",
        "він",
        "она",
        "вона",
        "мы",
        "ми",
        "они",
        "вони",
        "вы",
        "ви",
        "i",
        "you",
        "he",
        "she",
        "we",
        "they",
    ]
)
_RELATIONS = frozenset(
    ["from", "to", "until", "in", "for", "before", "after", "with", "against", "than"]
)
_PERSONS = frozenset(["me", "you", "he", "she", "we", "they"])


def _joined(last: int, value: int) -> int | None:
    if value in (100, 1000, 1_000_000) and 0 < last < 1000:
        return last * value
    if last >= 20 and last % 10 == 0 and 0 < value < 10:
        return last + value
    return last + value if last >= 100 and last % 100 == 0 and 0 < value < 100 else None


def _has_inner_capital(chunk: str) -> bool:
    """`mW`, `kWh`: written as code, unlike `ContentWord`, `WORD` and `JavaScript`."""
    if len(chunk) > 3:
        return False
    parts = chunk.split("-")
    return any(not (p.islower() or p.isupper() or p[1:].islower()) for p in parts if len(p) > 1)


def terms_of(reading: Reading, most: int) -> tuple[str, ...]:
    """What a question is found again by: all of it at once, then its rarest words. Sound alone is
    kept of a word, so that a slip of the pen or another alphabet finds it too."""
    words = sorted({sound(word.lemma) for word in reading.words}, key=lambda s: (-len(s), s))
    others = [*reading.code, *(value for value, _ in reading.numbers)]
    if not words and not others:
        return ()
    return (f"#{' '.join(sorted(words))}", *[*words, *others][: most - 1])


@lru_cache(maxsize=100_000)
def sound(word: str) -> str:
    """The consonants of a word in Latin letters, doubled ones once: `приготовить` -> `prgtvt`."""
    letters = [letter for letter in word.translate(_SOUNDS) if letter not in _VOWELS]
    heard = "".join(letter for letter, _ in groupby(letters))
    return heard if len(heard) > 1 else word


_VOWELS = frozenset("aeiouyаеиоуыэюяіїє'-ьъйj")
_SOUNDS = str.maketrans(dict(zip("бвгґджзклмнпрстфхцчшщ", "bvggdzzklmnprstfhccss", strict=True)))
