"""Unicode's normal forms in time that grows with the text.

`unicodedata.normalize` sorts the marks that follow a letter by insertion: 80,000 of two kinds by turns
take it 11 s, in which nothing else of the process runs. UAX #15 names 30 marks as more than any
language puts on one letter ("Stream-Safe Text Format").
"""

import re
import unicodedata
from typing import Literal

MAX_MARKS = 30
_OF_MARKS = frozenset("\u0f73\u0f75\u0f81\uff9e\uff9f")
"""Characters that are no marks themselves and become some: all of them, by `unicodedata`'s decompositions."""
_LONG = re.compile(r"[^\x00-\x7f]{200,}")
"""Where many marks may follow one another. Shorter ones are sorted quickly enough."""


def normalized(form: Literal["NFC", "NFKC"], text: str) -> str:
    """The text in that form, without the marks of a letter that are more than `MAX_MARKS`."""
    return unicodedata.normalize(form, _LONG.sub(_with_few_marks, text))


def _with_few_marks(found: re.Match[str]) -> str:
    kept: list[str] = []
    marks = 0
    for character in found[0]:
        marks = marks + 1 if unicodedata.combining(character) or character in _OF_MARKS else 0
        if marks <= MAX_MARKS:
            kept.append(character)
    return "".join(kept)
