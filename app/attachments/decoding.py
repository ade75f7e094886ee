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
RARE_LETTERS = 6.0
"""What a word or two may be unlikelier than text is: `Юг`, `ёж`."""
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
_LETTERS = "абвгдеёжзийклмнопрстуфхцчшщъыьэюяіїєґ"
_ROWS = (
    "4424357534534323242344553659885645668", "9434346436323327333265454459998449649", "2676825973953532925929686945377553999",
    "2766526552944542643449665779369952999", "2678349983963651929539989799999994998", "2637526462943632335638647889449743999",
    "8444356446333326423285544559999669779", "7645477347633227635177377577677775477", "2696317672945624977739975799999794999",
    "1433347773945323546649689998459544999", "4435437535333335542255444459899547669", "8456288788832323752274744388888887888",
    "1946739772963641934429968759998993999", "2895926592955852986539896999529333999", "2549726992944431475827989999468943999",
    "2675426672948932794337955589349533989", "8323248345433336423265554469997559579", "3999827892953951715439998899669853999",
    "2635526572957542665439679559458643999", "3647535693923533354149565697538624999", "2639626872946642534738996899429654999",
    "6333259349333237332297463459799379749", "1888838882884682826448558886558883888", "2834348783884541838238867688888883888",
    "2658818882868856887838877878438322888", "1999924991847733999249978499959984999", "2658814881833843557338868868848783888",
    "2888813862888851888648888888856885888", "5555522555455555555555555555555515555", "8325428846233348433378384378875888888",
    "9544555935619323792397957377999449999", "7777677777614577746175477574775577777", "6348368648485468823188662838888466838",
    "7544346636414349653279434669799457749", "4424179548332425543359564459999548449", "7727377247475427773577177777777774235",
    "7727377777757277745177757377777377353", "1444344444444444434424444444444443443",
)  # fmt: skip
_AFTER = {
    before: dict(zip(_LETTERS, map(int, row), strict=True))
    for before, row in zip(" " + _LETTERS, _ROWS, strict=True)
}
"""How unlikely a letter is after another one, or at the beginning of a word, as a negative logarithm: counted in
240,000 letters of Russian and Ukrainian, this project's own texts and dialogues."""
_LATIN = frozenset("àáâãäåæçèéêëìíîïñòóôõöøùúûüýÿœšžß")
_MARKS = frozenset("«»„“”‘’—–…№§°\xa0€©®•±")
_LETTER_OF_LATIN, _MARK, _STRANGE = math.log(0.02), math.log(0.01), math.log(0.000_05)
_CAPITAL, _CAPITAL_INSIDE = math.log(0.8), math.log(0.02)
_BESIDE_LATIN, _TWO_ACCENTS, _MARK_BEFORE_SMALL = math.log(0.05), math.log(0.02), math.log(0.01)


@dataclass(frozen=True, slots=True)
class DecodedText:
    """A text, and how many of its bytes meant nothing: U+FFFD stands for each."""

    text: str
    unreadable: int = 0


def decode(data: bytes) -> DecodedText | None:
    """The text of a file; None where its bytes are no text in any encoding that we know.

    UTF-8 first, with a mark for each bad byte where most is good; then the encodings of Windows, DOS,
    Unix and the Mac, by how likely the letters are that each of them would make of it.
    """
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            text = data.decode(encoding, "replace")
            return DecodedText(text, text.count("\ufffd"))
    if (wide := utf16_without_mark(data)) is not None:
        return DecodedText(data.decode(wide, "replace"))
    text = data.decode("utf-8", "replace")
    bad = text.count("\ufffd")
    if bad == 0:
        return DecodedText(text)
    beyond_ascii = sum(letter > "\x7f" for letter in text) - bad
    if beyond_ascii >= GOOD_FOR_ONE_BAD * bad:
        return DecodedText(text, bad)
    sample = _around_bytes_beyond_ascii(data)
    score, encoding = max((_likelihood(sample, name) + prior, name) for name, prior in _CANDIDATES)
    if score <= _STRANGE * sum(byte > 0x7F for byte in sample) / 2 - RARE_LETTERS:
        return None
    text = data.decode(encoding, "replace")
    return DecodedText(text, text.count("\ufffd"))


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
    if small in _AFTER:
        weight = -float(_AFTER.get(before.lower(), _AFTER[" "])[small])
        if letter != small:
            weight += _CAPITAL_INSIDE if before.islower() else _CAPITAL
        elif before in _MARKS:
            weight += _MARK_BEFORE_SMALL
        return weight + (_BESIDE_LATIN if before.isascii() and before.isalpha() else 0.0)
    if small in _LATIN:
        return _LETTER_OF_LATIN + (_TWO_ACCENTS if before.isalpha() and before > "\x7f" else 0.0)
    return _MARK if letter in _MARKS else _STRANGE
