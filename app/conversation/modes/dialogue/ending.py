"""When a conversation is over: its mark, courtesies, repetition. Pure functions and one filter."""

import itertools
import re
from collections.abc import Sequence

from app.conversation.language import words_of
from app.conversation.modes.dialogue.prompts import END_MARK

OVERLAP = 0.6
"""Share of a turn's word trigrams found in one of the speaker's own last two turns: more is repetition."""
LOOK_BACK = 2
COURTESY_WORDS = 25
"""Words up to which a turn can be mere courtesy."""

_COURTESY = re.compile(
    r"\b(?:спасиб|благодар|рад[аы]?\b|приятн|до свидан|до встреч|всего (?:добр|хорош|наилучш)|удач|"
    r"хорошего (?:дня|вечера)|взаимно|обращайтесь|не за что|"
    r"дяку|вдячн|радий\b|приємн|до побач|до зустріч|на все добре|щасти\b|гарного (?:дня|вечора)|"
    r"навзаєм|звертайтес|нема за що|"
    r"thank|you.re welcome|goodbye|good-bye|bye\b|farewell|take care|pleasure|my honou?r|"
    r"great (?:talk|chat)|all the best|good luck|have a (?:nice|great|good)|likewise|see you)",
    re.IGNORECASE,
)
MARKS = 6
"""Characters after a name in which its colon must come, emphasis and spaces included."""
_SENTENCE = re.compile(r"[^.!?…\n]+")


class Voice:
    """What is shown of a turn while it streams: without the speaker's own name in front and without
    the end mark. What could still become one of these is held back; `rest()` gives it at the end."""

    def __init__(self, name: str) -> None:
        self.ended = False
        """The turn's last word was the end mark."""
        self._held = ""
        self._begun = False
        self._name = re.compile(
            rf"\s*(?:\*\*|__)?\s*{re.escape(name)}\s*(?:\*\*|__)?\s*:\s*(?:\*\*|__)?\s*",
            re.IGNORECASE,
        )
        self._own = name.casefold()

    def visible(self, text: str) -> str:
        """The next words to show."""
        self._held += text
        if not self._begun:
            if self._may_be_name():
                return ""
            self._strip_name()
        return self._flow()

    def rest(self) -> str:
        """What was held back, at the end."""
        if not self._begun:
            self._strip_name()
        shown = self._flow()
        held, self._held = self._held, ""
        return shown + held

    def _may_be_name(self) -> bool:
        said = self._held.lstrip(" \t\n*_").casefold()
        if not said or len(said) < len(self._own):
            return self._own.startswith(said)
        return said.startswith(self._own) and len(said) < len(self._own) + MARKS

    def _strip_name(self) -> None:
        self._begun = True
        name = self._name.match(self._held)
        if name is not None:
            self._held = self._held[name.end() :]

    def _flow(self) -> str:
        shown = []
        while (at := self._held.upper().find(END_MARK)) >= 0:
            shown.append(self._held[:at])
            self._held = self._held[at + len(END_MARK) :]
            self.ended = True
        keep = next(
            (n for n in range(len(END_MARK) - 1, 0, -1) if END_MARK.startswith(self._tail(n))), 0
        )
        text = self._held[: len(self._held) - keep]
        self._held = self._held[len(text) :]
        if text.strip():
            self.ended = False
        return "".join(shown) + text

    def _tail(self, length: int) -> str:
        tail = self._held[-length:].upper()
        return tail if len(tail) == length else "\0"


def is_courtesy(text: str) -> bool:
    """Whether a turn is nothing but thanks, praise and goodbyes."""
    if not 0 < len(words_of(text)) <= COURTESY_WORDS:
        return False
    sentences = [s for s in _SENTENCE.findall(text) if words_of(s)]
    polite = sum(bool(_COURTESY.search(sentence)) for sentence in sentences)
    return polite * 2 > len(sentences)


def repeats(text: str, own_earlier: Sequence[str]) -> bool:
    """Whether a turn says again what its speaker said in one of the last two."""
    return any(overlap(text, before) > OVERLAP for before in own_earlier[-LOOK_BACK:])


def overlap(text: str, before: str) -> float:
    """The share of the text's word trigrams that are in `before`, 0 to 1; of texts shorter than three
    words, whether they are the same."""
    new, old = _trigrams(text), _trigrams(before)
    if not new:
        return float(words_of(text) == words_of(before))
    return len(new & old) / len(new)


def _trigrams(text: str) -> set[tuple[str, ...]]:
    words = words_of(text)
    return set(zip(*(itertools.islice(words, i, None) for i in range(3)), strict=False))
