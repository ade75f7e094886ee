"""What a user said later: corrections, cancellations, loosened demands, carried in their own words.

They are found in the originals each time a prompt is built, so that no summariser is trusted with them
and a correction counts from the moment it is said. Nothing is dropped for one: `said_later` picks
sentences by cues chosen for recall, and `overturned_by` tells which of them stands beside which note.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from app.conversation.compression.details import (
    PROHIBITION,
    figures,
    own_words,
    sentences,
    values,
    words,
)
from app.core.turns import HistoryMessage

LOOKED_AT = 4000
"""Characters of a message in which corrections are looked for."""
CARRIED_CHARACTERS = 400
_LATER = re.compile(
    r"\b(?:correct(?:ion|ed)|actually|scratch|forget|never ?mind|ignore|disregard|i meant|i mean|chang\w+|switch\w*|"
    r"updat\w+|revers\w+|revert\w*|instead|no longer|not any ?more|any ?more|from now on|now on|moved|mov(?:e|ing)|"
    r"postpon\w+|resched\w+|rais\w+|lower\w+|reduc\w+|increas\w+|cut to|bump\w*|cancel\w*|drop(?:ped)?|call(?:ed)? off|"
    r"after all|may now|can now|allowed|fine now|ok(?:ay)? (?:now|to)|lift\w*|wrong|mistake|typo|sorry|oops|"
    r"rather|but now|turns out|went|go with|"
    r"исправ\w+|поправ\w*|ошиб\w+|опечат\w+|на самом деле|передума\w+|отмен\w+|отмена|отбой|теперь|меня[ею]\w*|измен\w+|"
    r"помен\w+|вместо|перен[её]с\w*|перенос\w*|сдвин\w+|забуд\w+|неважно|не важно|больше не|уже не|уточн\w+|точнее|вернее|"
    r"вообще-то|отказ\w+|переех\w+|отныне|лучше|оказ\w+|всё-таки|все-таки|всё же|все же|можно|разреш\w+|снима\w+|снят\w*|повы[сш]\w+|пони[зж]\w+|увелич\w+|"
    r"уменьш\w+|урез\w+|подня\w+|сниз\w+|стал[оаи]?|верн\w+|обнов\w+|прости|извини|сорри|"
    r"виправ\w+|помил\w+|насправді|передум\w+|скас\w+|тепер|змін\w+|замість|перен[еі]с\w*|перенес\w*|зсун\w+|забуд\w+|"
    r"більше не|вже не|уточн\w+|точніше|взагалі-то|пересун\w+|відмов\w+|переїх\w+|відтепер|краще|виявл\w+|все-таки|все ж|можна|дозвол\w+|знят\w+|зніма\w+|підвищ\w+|"
    r"збільш\w+|зменш\w+|підня\w+|зниз\w+|став|стал[аои]|поверн\w+|онов\w+|вибач\w*)\b"
    r"|(?:^|[\s,(—–-])(?:не|not|ні|no)\s+\S{1,30}(?:\s+\S{1,30}){0,3},?\s+(?:а|but|it's|it is)\b|,\s*(?:а\s+)?(?:не|not)\s+\S"
    r"|\b(?:с|from|із|з)\s+\S{1,40}\s+(?:на|to|до)\s+\S|(?:→|->|=>)",
    re.IGNORECASE,
)
"""Cues of something said later that may touch what was said earlier: recall matters, not precision."""

_VALUE = r"[«\"“`]?((?<![\w@+%./:-])[\w@+%./:-]{1,60}(?: [\w@+%./:-]{1,60}){0,3}?)[»\"”`]?"
_END = r"(?=\s*(?:[,.;:!?)—–]|$)| (?:but|for|in|on|at|to|as|а|для|в|на|у|по|—) )"
_EXPLICIT = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"\b(?:not|instead of|rather than|no longer) {_VALUE}{_END}",
        rf"\bfrom {_VALUE} to \S",
        rf"\b(?:was|were) {_VALUE}, (?:it is |they are )?now\b",
        rf"\b(?:не|вместо|замість) {_VALUE}{_END}",
        rf"\b(?:был|була?)[оаи]? {_VALUE}, (?:а )?(?:стал|теперь|тепер)",
        rf"{_VALUE} ?(?:→|->|=>) ?\S",
    )
)
_PASSED_OVER = re.compile(rf"\b(?:over|а не|чем|ніж) {_VALUE}{_END}", re.IGNORECASE)
_CUE = re.compile(
    r"\b(?:correction|actually|scratch that|i meant|changed|change of plan|switch(?:ed|ing)?"
    r"|update[ds]?|revers\w+|revert\w*|instead|from now on"
    r"|исправ\w+|поправк\w*|ошиб(?:ся|лась)|на самом деле|передума\w+|отменя\w+|теперь|меняем"
    r"|измени\w+|вместо|виправ\w+|помил\w+|насправді|скасову\w+|тепер|змін\w+|замість)",
    re.IGNORECASE,
)
_GIVES = re.compile(
    r"(?:—|–|:|=|\b(?:is|are|be|to|будет|буде|станет|стане|теперь|тепер))\s+(?:\w+\s+)?"
    r"[«\"'`]?[\dA-ZА-ЯЁЇІЄҐ]"
)
"""A value after what it is the value of: "the port is 9090", not "now tell me about the port"."""
_LIFT = re.compile(
    r"\b(?:after all|may now|can now|allowed (?:now|again)|is fine now|lift\w*"
    r"|теперь можно|всё-таки можно|разрешаю|снимаю запрет|запрет снят"
    r"|тепер можна|все ж можна|дозволяю|знімаю заборону)\b",
    re.IGNORECASE,
)
_COMMON = frozenset(
    words(
        "the and for with that this not but use uses will now from are was were have has been never"
        " actually correction instead after again this must should changed mind update let"
        " это что как для или теперь вместо меняем исправление передумал никогда нельзя"
        " це що як для або тепер замість виправлення ніколи можна"
    )
)


@dataclass(frozen=True, slots=True)
class Correction:
    """A sentence that takes something back, as comparable words."""

    old: tuple[frozenset[str], ...]
    """Each value it names as no longer true; empty where it only gives the new one."""
    new: frozenset[str]
    """All its words but the old values."""
    values: frozenset[str]
    """The exact values among the new words."""
    about: frozenset[str]
    """What it speaks of."""
    cue: bool
    lifts: bool
    """It allows what was forbidden."""
    sentence: str = ""


class Corrections:
    """The corrections of a conversation, in order, to be found by the words of a note."""

    def __init__(self, messages: Sequence[HistoryMessage]) -> None:
        """All that the user corrected in those messages."""
        self.found: list[tuple[int, Correction]] = []
        """Each with the index of its message."""
        self._by_old: dict[str, list[int]] = {}
        self._by_new: dict[str, list[int]] = {}
        self._by_cued: dict[str, list[int]] = {}
        for at, message in enumerate(messages):
            if message.role == "user":
                for correction in _parsed(message.text[:LOOKED_AT]):
                    self._add(at, correction)

    def _add(self, at: int, correction: Correction) -> None:
        number = len(self.found)
        self.found.append((at, correction))
        for old in correction.old:
            self._by_old.setdefault(min(old), []).append(number)
        for word in correction.new:
            self._by_new.setdefault(word, []).append(number)
            if correction.cue or correction.lifts:
                self._by_cued.setdefault(word, []).append(number)

    def touching(self, line: "_Line", since: int) -> list[int]:
        """Numbers of those from message `since` on that may be about the note, in order."""
        numbers = {n for word in line.affirmed for n in self._by_old.get(word, ())}
        numbers |= {n for word in line.about for n in self._by_cued.get(word, ())}
        return sorted(number for number in numbers if self.found[number][0] >= since)

    def restored(self, value: frozenset[str], after: int) -> bool:
        """Whether a correction later than number `after` names that value as true again."""
        exact = frozenset(word for word in value if not word.isalpha()) or value
        again = self._by_new.get(min(exact), ())
        return any(exact <= self.found[number][1].new for number in again if number > after)


@lru_cache(maxsize=4096)
def _parsed(text: str) -> tuple[Correction, ...]:
    found: list[Correction] = []
    for sentence in sentences(text):
        old = denied(sentence)
        cue = bool(_CUE.search(sentence) and _GIVES.search(sentence))
        lifts = bool(_LIFT.search(sentence))
        if old or cue or lifts:
            new = frozenset(words(sentence)).difference(*old)
            exact = frozenset(word for value in values(sentence) for word in words(value)) & new
            found.append(Correction(old, new, exact, _topic(new) - exact, cue, lifts, sentence))
    return tuple(found)


def denied(sentence: str) -> tuple[frozenset[str], ...]:
    """The words of each value that a sentence says is not so, or no longer."""
    found = (match.group(1) for pattern in _EXPLICIT for match in pattern.finditer(sentence))
    return tuple(filter(None, (frozenset(words(value)) for value in dict.fromkeys(found))))


@dataclass(frozen=True, slots=True)
class _Line:
    """A note as comparable words."""

    affirmed: frozenset[str]
    """All its words but those it denies itself."""
    about: frozenset[str]
    exact: frozenset[str]
    forbids: bool


@lru_cache(maxsize=8192)
def _line(text: str) -> _Line:
    passed_over = (frozenset(words(match.group(1))) for match in _PASSED_OVER.finditer(text))
    affirmed = frozenset(words(text)).difference(*denied(text), *passed_over)
    subject, colon, _ = text.partition(":")
    exact = frozenset(word for value in figures(text) for word in words(value))
    named = colon and not _CUE.search(subject)  # not "I changed my mind: ..."
    about = _topic(words(subject if named else text)) - exact
    return _Line(affirmed, about, exact, bool(PROHIBITION.search(text)))


def _topic(found: Iterable[str]) -> frozenset[str]:
    return frozenset(word for word in found if len(word) > 3) - _COMMON


def overturned_by(note: str, since: int, said: Corrections) -> str | None:
    """What the user said since message `since` that overturns a note on it; None where it holds."""
    line = _line(note)
    for number in said.touching(line, since):
        correction = said.found[number][1]
        taken = _taken_back(correction, line)
        if taken is not None:
            return None if said.restored(taken, number) else correction.sentence
    return None


def is_stale(note: str, since: int, said: Corrections) -> bool:
    """Whether a note on messages from index `since` on no longer holds, by what was said since."""
    return overturned_by(note, since, said) is not None


def said_later(messages: Sequence[HistoryMessage]) -> list[str]:
    """The user's own sentences that may correct, cancel or loosen something, in order."""
    return [
        sentence
        for message in messages
        if message.role == "user"
        for sentence in _cued(message.text[:LOOKED_AT])
    ]


@lru_cache(maxsize=4096)
def _cued(text: str) -> tuple[str, ...]:
    return tuple(
        s for s in sentences(own_words(text)) if len(s) <= CARRIED_CHARACTERS and _LATER.search(s)
    )


def _meet(first: frozenset[str], second: frozenset[str]) -> bool:
    """Whether they share a word; the stems of one word may differ by its ending."""
    if first & second:
        return True
    return any(
        one.startswith(other) or other.startswith(one)
        for one in first
        for other in second
        if len(one) > 3 and len(other) > 3 and one.isalpha()
    )


def _taken_back(correction: Correction, line: _Line) -> frozenset[str] | None:
    """The words of the note that the correction overturns; None where it does not."""
    if correction.lifts and line.forbids:
        shared = line.about & correction.new
        return line.affirmed if len(shared) * 2 >= len(line.about) else None
    if correction.values and correction.values <= line.affirmed:
        return None  # the note says the new value already
    for old in correction.old:
        about = correction.about
        if old <= line.affirmed and (not about or _meet(about, line.affirmed)):
            return old
    if correction.cue and line.about and line.about <= correction.new:
        value = line.exact or line.affirmed - line.about - _COMMON
        # a figure for a figure, a name for a name
        alike = any(word.isalpha() is not bool(line.exact) for word in correction.values)
        if value and alike and not value <= correction.new:
            return value
    return None
