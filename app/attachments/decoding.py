"""Text of any encoding that people's files still have."""

import codecs
import math
from collections.abc import Sequence
from dataclasses import dataclass

from app.core.reading import utf16_without_mark

GOOD_FOR_ONE_BAD = 4
"""A file whose letters beyond ASCII are UTF-8, but for at most one bad byte in so many letters, is
UTF-8 that was cut or damaged: in no other encoding do many letters look like UTF-8 by chance."""
SAMPLE_LETTERS = 4_000
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_CANDIDATES: Sequence[tuple[str, float]] = (
    ("cp1251", 2.0),
    ("cp1252", 0.0),
    ("cp866", 0.0),
    ("koi8-u", 0.0),  # KOI8-R with the Ukrainian letters in place of some frames
    ("mac_cyrillic", -2.0),
)
"""With what speaks for them beforehand, as a logarithm: Windows is what most such files come from."""
_PER_MILLE = {
    **dict(zip("оеаинтсрвлкмдпуяыьгзбчйхжшюцщэфъё", (
        110, 85, 80, 74, 67, 63, 55, 47, 45, 44, 35, 32, 30, 28, 26, 20, 19, 17, 17, 17, 16, 14, 12,
        10, 9, 7, 6, 5, 4, 3, 3, 1, 1,
    ), strict=True)),
    **dict(zip("іїєґ", (30, 3, 4, 0.5), strict=True)),
}  # fmt: skip
"""How often Russian letters are used (Lyashevskaya and Sharov, 2009), and half of that for what
Ukrainian has beside them."""
_LATIN = frozenset("àáâãäåæçèéêëìíîïñòóôõöøùúûüýÿœšžß")
_MARKS = frozenset("«»„“”‘’—–…№§°\xa0€©®•±")
_LETTER_OF_LATIN, _MARK, _STRANGE = math.log(0.02), math.log(0.01), math.log(0.000_05)
_CAPITAL, _CAPITAL_INSIDE = math.log(0.8), math.log(0.02)
_BESIDE_LATIN, _TWO_ACCENTS = math.log(0.05), math.log(0.02)


@dataclass(frozen=True, slots=True)
class Decoded:
    """A text, and how many of its bytes meant nothing: U+FFFD stands for each."""

    text: str
    unreadable: int = 0


def decode(data: bytes) -> Decoded | None:
    """The text of a file; None where its bytes are no text in any encoding that we know.

    UTF-8 first, with a mark for each bad byte where most is good; then the encodings of Windows, DOS,
    Unix and the Mac, by how likely the letters are that each of them would make of it.
    """
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            text = data.decode(encoding, "replace")
            return Decoded(text, text.count("\ufffd"))
    if (wide := utf16_without_mark(data)) is not None:
        return Decoded(data.decode(wide, "replace"))
    text = data.decode("utf-8", "replace")
    bad = text.count("\ufffd")
    if bad == 0:
        return Decoded(text)
    beyond_ascii = sum(letter > "\x7f" for letter in text) - bad
    if beyond_ascii >= GOOD_FOR_ONE_BAD * bad:
        return Decoded(text, bad)
    sample = _around_bytes_beyond_ascii(data)
    score, encoding = max((_likelihood(sample, name) + prior, name) for name, prior in _CANDIDATES)
    if score <= _STRANGE * sum(byte > 0x7F for byte in sample) / 2:
        return None
    text = data.decode(encoding, "replace")
    return Decoded(text, text.count("\ufffd"))


def _around_bytes_beyond_ascii(data: bytes) -> bytes:
    """Those bytes in their surroundings, as many as tell enough: each with the byte before it."""
    kept = bytearray()
    found = 0
    for position, byte in enumerate(data):
        if byte > 0x7F:
            if position and data[position - 1] <= 0x7F:
                kept.append(data[position - 1])
            kept.append(byte)
            found += 1
            if found == SAMPLE_LETTERS:
                break
    return bytes(kept)


def _likelihood(sample: bytes, encoding: str) -> float:
    """The logarithm of how likely a person wrote the letters that `encoding` makes of the bytes."""
    total, before = 0.0, " "
    for letter in sample.decode(encoding, "replace"):
        if letter > "\x7f":
            total += _weight(letter, before)
        before = letter
    return total


def _weight(letter: str, before: str) -> float:
    small = letter.lower()
    if small in _PER_MILLE:
        weight = math.log(_PER_MILLE[small] / 1000)
        if letter != small:
            weight += _CAPITAL_INSIDE if before.islower() else _CAPITAL
        return weight + (_BESIDE_LATIN if before.isascii() and before.isalpha() else 0.0)
    if small in _LATIN:
        return _LETTER_OF_LATIN + (_TWO_ACCENTS if before.isalpha() and before > "\x7f" else 0.0)
    return _MARK if letter in _MARKS else _STRANGE
