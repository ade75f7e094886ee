"""Vectors as a server wrote them: many are passed on without anybody looking at their numbers."""

import json
import math
import re
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Any, overload

from pydantic_core import from_json

from app.core.concurrency import unhurried
from app.core.reading import read_careless_json

MAX_BYTES = 4 * 2**20
"""Of one vector's text; 16,384 numbers have some 400 KB."""
LARGEST = 3.4028234663852886e38
"""The largest number of 32 bits, which vectors are kept and sent in."""
_NUMBERS = re.compile(rb"\[\s*-?\d[\s\d.,eE+-]*+\]")
_PLACE = re.compile(rb"\[(\d+)\]")


class Vectors(Sequence[list[float]]):
    """Vectors, each a JSON array; its numbers are read when they are asked for."""

    def __init__(self, texts: Sequence[bytes]) -> None:
        self.texts = texts

    @classmethod
    def of(cls, vectors: Iterable[Sequence[float]]) -> "Vectors":
        """Of numbers."""
        return cls([json.dumps(list(vector)).encode() for vector in vectors])

    def __len__(self) -> int:
        return len(self.texts)

    @overload
    def __getitem__(self, at: int) -> list[float]: ...
    @overload
    def __getitem__(self, at: slice) -> list[list[float]]: ...
    def __getitem__(self, at: int | slice) -> list[float] | list[list[float]]:
        """Raises ValueError for a text that is none of numbers."""
        if isinstance(at, slice):
            return [_numbers(text) for text in self.texts[at]]
        return _numbers(self.texts[at])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]  # as of a list


def _numbers(text: bytes) -> list[float]:
    try:
        numbers = [float(number) for number in from_json(text, allow_inf_nan=False)]
        if math.hypot(*numbers) <= LARGEST:
            return numbers
    except OverflowError:  # of a whole number of hundreds of digits
        pass
    raise ValueError("a vector of numbers that are too large")


class ExtractedArrays:
    """An answer of whose JSON the arrays of numbers were taken out. In the place of each stands one with
    its number among them alone: no other array of numbers is left. One that tells of an error has all of its
    words, and no vectors."""

    def __init__(self, skeleton: bytes, texts: list[bytes]) -> None:
        self._texts = texts
        self.answer: Any = read_careless_json(skeleton)
        if isinstance(self.answer, dict) and self.answer.get("error"):
            whole = _PLACE.sub(lambda place: texts[int(place[1])], skeleton)
            self._texts, self.answer = [], read_careless_json(whole)

    def text(self, place: object) -> bytes:
        """The array that stood there. Raises TypeError where there was none."""
        if type(place) is list and len(place) == 1 and type(place[0]) is int and self._texts:
            return self._texts[place[0]]
        raise TypeError(f"a vector expected, not {place!r:.100}")


async def lifted(pieces: AsyncIterator[bytes]) -> ExtractedArrays:
    """The answer that comes in these pieces: looked through as they come, never at once. Raises ValueError
    where it is no JSON, or one of its arrays has no end."""
    skeleton: list[bytes] = []
    texts: list[bytes] = []
    begun: list[bytes] = []
    """An array without its end: looked at again where something begins or ends, not with every piece."""
    size = 0
    async for piece in pieces:
        begun.append(piece)
        size += len(piece)
        if len(begun) == 1 or b"[" in piece or b"]" in piece:
            rest = b"".join(begun)
            at = 0
            async for found in unhurried(_NUMBERS.finditer(rest)):
                skeleton += (rest[at : found.start()], b"[%d]" % len(texts))
                texts.append(found[0])
                at = found.end()
            last = rest.rfind(b"[", at)
            cut = last if last >= 0 and rest.find(b"]", last) < 0 else len(rest)
            skeleton.append(rest[at:cut])
            begun = [rest[cut:]] if cut < len(rest) else []
            size = len(rest) - cut
        if size > MAX_BYTES:
            raise ValueError(f"an array of more than {MAX_BYTES} bytes")
    return ExtractedArrays(b"".join((*skeleton, *begun)), texts)
