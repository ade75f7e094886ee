"""JSON that models and other programs write: read, or mended as it was meant, in bounded work."""

import json
from typing import Any

from json_repair.json_parser import JSONParser

from app.core.reading import is_deeper

DEEPEST = 100
"""Levels of objects and arrays: nobody means more, and whoever walks through them recurses."""
MAX_LOOKS = 200_000
"""At characters of a text that is mended: 0.2 to 0.7 s. json-repair looks at each about four times, and at
all of them over and over where quotes, braces or comments are many."""


def json_of(said: str | bytes | bytearray, *, strict: bool = True) -> Any:
    """What that JSON says. Raises ValueError, also where it is nested deeper than `DEEPEST`. `strict`:
    no control characters in texts."""
    try:
        value = json.loads(said, strict=strict)
    except RecursionError as error:
        raise ValueError("nested too deep") from error
    return _flat(value)


def mended(written: str) -> Any:
    """What a model meant by that JSON, however untidy; an empty text where nothing is like it. Raises
    ValueError where it is nested too deep, or mending takes too long."""
    try:
        return json_of(written)
    except ValueError:
        pass
    try:
        return _flat(_Mender(written, None, False, try_valid_json_suffix=True).parse())
    except (_TooLong, RecursionError) as error:
        raise ValueError("too long or too deep to be mended") from error


def object_in(written: str) -> dict[str, Any]:
    """The object that a model wrote, arguments of a tool and the like, however untidy; an empty one where
    there is nothing like it."""
    try:
        found = mended(written or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _flat(value: Any) -> Any:
    if is_deeper(value, DEEPEST):
        raise ValueError("nested too deep")
    return value


class _TooLong(Exception):
    """No ValueError: json-repair goes on after some of those."""


class _Counted(str):
    """A text that its reader may look at so often, whole or in part."""

    reader: "_Mender"

    def __getitem__(self, at: Any) -> str:
        found = super().__getitem__(at)
        self.reader.looks += 1 + len(found) // 32
        if self.reader.looks > MAX_LOOKS:
            raise _TooLong
        return found


class _Mender(JSONParser):
    """Counts how often it looks at its text, which it replaces as it goes."""

    looks = 0

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "json_str":
            value = _Counted(value)
            value.reader = self
        super().__setattr__(name, value)
