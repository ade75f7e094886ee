"""JSON that comes by the token, and bytes whose encoding nobody says."""

import json
from typing import Any

from pydantic_core import from_json


def read_json(data: bytes) -> Any:
    """The value of that JSON. Raises ValueError.

    Read by pydantic's parser, three times as fast as Python's, which has the last word where the
    other refuses: a model may end a piece with half of a surrogate pair.
    """
    return read_odd_json(data)[0]


def read_careless_json(data: bytes) -> Any:
    """The same where a byte of it is no UTF-8, or a control character stands in a text as it is. Raises
    ValueError."""
    try:
        return read_json(data)
    except ValueError:
        pass
    try:
        return json.loads(data.decode("utf-8-sig", "replace"), strict=False)
    except RecursionError as error:
        raise ValueError("too deep") from error


def read_odd_json(data: bytes) -> tuple[Any, bool]:
    """The value, and whether only Python's parser took it: then texts may hold half a surrogate pair."""
    try:
        return from_json(data), False
    except ValueError:
        pass
    try:
        return json.loads(data), True
    except RecursionError as error:
        raise ValueError("too deep") from error


def is_deeper(value: object, levels: int) -> bool:
    """Whether objects and arrays are nested more than `levels` deep."""
    layer = [value] if isinstance(value, dict | list) else []
    for _ in range(levels):
        if not layer:
            return False
        layer = [
            item
            for outer in layer
            for item in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(item, dict | list)
        ]
    return bool(layer)


class SurrogateJoiner:
    """Joins surrogate pairs that a server cut in two, half in one piece of text, half in the next; a
    half that stays alone becomes U+FFFD."""

    def __init__(self) -> None:
        self.held = ""

    def joined(self, text: str) -> str:
        """The text with what was held before it; half a pair at its end is held for the next."""
        text = self.held + text
        self.held = text[-1] if "\ud800" <= text[-1:] <= "\udbff" else ""
        return clean(text[: len(text) - len(self.held)])

    def rest(self) -> str:
        """What stands for a half whose other half never came."""
        held, self.held = self.held, ""
        return "\ufffd" if held else ""


def clean(text: str) -> str:
    """The text with its surrogate pairs joined and lone halves replaced: it can be stored and sent."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def utf16_without_mark(data: bytes) -> str | None:
    """`utf-16-le` or `utf-16-be` where the bytes are most likely text of that encoding without its mark, as
    some editors and spreadsheets write it; None for anything else.

    In Latin and Cyrillic text every second byte is 0 or 4, but for punctuation (0x20 to 0x22), and the
    others vary.
    """
    head = data[:4096]
    if len(head) < 4 or len(data) % 2 or not (b"\0" in head or b"\4" in head):
        return None
    for encoding, high, low in (
        ("utf-16-le", head[1::2], head[::2]),
        ("utf-16-be", head[::2], head[1::2]),
    ):
        usual = sum(high.count(byte) for byte in (0, 4))
        marks = sum(high.count(byte) for byte in (0x20, 0x21, 0x22))
        odd = sum(low.count(byte) for byte in (0, 4))
        if usual + marks == len(high) and usual >= marks and odd * 5 < len(low):
            text = head[: len(head) // 2 * 2].decode(encoding, "replace")
            if all(letter.isprintable() or letter in "\t\n\r\f\ufeff" for letter in text):
                return encoding
    return None
