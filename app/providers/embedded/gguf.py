"""What a GGUF file says of itself: its header, read without the weights.

The format: github.com/ggml-org/ggml/blob/master/docs/gguf.md, versions 2 and 3, little-endian.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

MAGIC = b"GGUF"
_STRING, _ARRAY = 8, 9
_SCALARS = {
    0: "B",
    1: "b",
    2: "H",
    3: "h",
    4: "I",
    5: "i",
    6: "f",
    7: "?",
    10: "Q",
    11: "q",
    12: "d",
}
MAX_ENTRIES = 100_000
MAX_STRING_BYTES = 16 * 2**20
MAX_SKIP_BYTES = 2**40

FILE_TYPES = {
    0: "F32", 1: "F16", 2: "Q4_0", 3: "Q4_1", 7: "Q8_0", 8: "Q5_0", 9: "Q5_1", 10: "Q2_K",
    11: "Q3_K_S", 12: "Q3_K_M", 13: "Q3_K_L", 14: "Q4_K_S", 15: "Q4_K_M", 16: "Q5_K_S",
    17: "Q5_K_M", 18: "Q6_K", 19: "IQ2_XXS", 20: "IQ2_XS", 25: "IQ4_NL", 30: "IQ4_XS", 32: "BF16",
}  # fmt: skip
"""llama.cpp's `llama_ftype`, as far as people use them."""


@dataclass(frozen=True, slots=True)
class Header:
    """Unknown is None."""

    architecture: str | None
    size_label: str | None
    """Such as 1.5B."""
    quantization: str | None
    window: int | None
    """Tokens of context it was made for."""
    chat_template: str


def read_header(path: Path) -> Header:
    """The header of that file. Raises ValueError where it is no GGUF file, OSError as files do."""
    with path.open("rb") as file:
        if file.read(4) != MAGIC:
            raise ValueError("is not a GGUF file")
        try:
            said = _entries(file)
        except (struct.error, RecursionError) as error:
            raise ValueError("is not a whole GGUF file") from error
    architecture = said.get("general.architecture")
    return Header(
        architecture if isinstance(architecture, str) else None,
        _text(said.get("general.size_label")),
        _named(said.get("general.file_type")),
        _count(said.get(f"{architecture}.context_length")),
        _text(said.get("tokenizer.chat_template")) or "",
    )


def _entries(file: BinaryIO) -> dict[str, object]:
    version = _number(file, "I")
    if version not in (2, 3):
        raise ValueError(f"is a GGUF file of an unknown version ({version})")
    _number(file, "Q")  # how many tensors
    count = int(_number(file, "Q"))
    if count > MAX_ENTRIES:
        raise ValueError("is not a GGUF file")
    said: dict[str, object] = {}
    for _ in range(count):
        key = _string(file)
        said[key] = _value(file, int(_number(file, "I")))
    return said


def _value(file: BinaryIO, kind: int) -> object:
    if kind == _STRING:
        return _string(file)
    if kind == _ARRAY:
        _skip_array(file)
        return None
    return _number(file, _scalar(kind))


def _skip_array(file: BinaryIO) -> None:
    kind, count = int(_number(file, "I")), int(_number(file, "Q"))
    if kind not in (_STRING, _ARRAY):
        _skip(file, count * struct.calcsize("<" + _scalar(kind)))
        return
    skip: Callable[[BinaryIO], object] = _skip_string if kind == _STRING else _skip_array
    for _ in range(count):
        skip(file)


def _scalar(kind: int) -> str:
    if kind not in _SCALARS:
        raise ValueError("is not a whole GGUF file")
    return _SCALARS[kind]


def _number(file: BinaryIO, code: str) -> int | float | bool:
    form = "<" + code
    (number,) = struct.unpack(form, file.read(struct.calcsize(form)))
    known: int | float | bool = number
    return known


def _string(file: BinaryIO) -> str:
    length = int(_number(file, "Q"))
    if length > MAX_STRING_BYTES:
        raise ValueError("is not a whole GGUF file")
    return file.read(length).decode("utf-8", "replace")


def _skip_string(file: BinaryIO) -> None:
    _skip(file, int(_number(file, "Q")))


def _skip(file: BinaryIO, length: int) -> None:
    if length > MAX_SKIP_BYTES:
        raise ValueError("is not a whole GGUF file")
    file.seek(length, 1)


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None


def _named(value: object) -> str | None:
    return FILE_TYPES.get(value) if isinstance(value, int) else None
