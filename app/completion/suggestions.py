"""A first model for this machine, from the table suggestions.toml: one that fits its memory with room
for everything else."""

import os
import re
import sys
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

from app.core.text import Language

TABLE = Path(__file__).with_name("suggestions.toml")
MODEST_BYTES = 8_000_000_000
"""What a machine is taken to have whose memory is not known."""

CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")


def memory_bytes(limit: Path = CGROUP_LIMIT) -> int | None:
    """Its memory, or what its container may use of it; None where the system does not say."""
    if sys.platform == "win32":
        return _windows_memory()
    try:
        whole = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError):
        return None
    try:
        allowed = limit.read_text(encoding="ascii").strip()
    except OSError:
        return whole
    return min(whole, int(allowed)) if allowed.isdigit() else whole


def _windows_memory() -> int | None:
    import ctypes

    class Status(ctypes.Structure):
        _fields_ = (
            ("length", ctypes.c_ulong),
            ("load", ctypes.c_ulong),
            ("total", ctypes.c_ulonglong),
            ("rest", ctypes.c_ulonglong * 6),
        )

    status = Status(length=ctypes.sizeof(Status))
    known = ctypes.CDLL("kernel32").GlobalMemoryStatusEx(ctypes.byref(status))
    return int(status.total) if known else None


@cache
def table() -> dict[str, list[dict[str, Any]]]:
    """The rows as they are written, by where the models run: `ollama`, `embedded`."""
    return tomllib.loads(TABLE.read_text(encoding="utf-8"))


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A model by its name in Ollama's library, with the size of its download in bytes."""

    name: str
    size_bytes: int
    memory_bytes: int
    """The least memory of a machine on which it leaves room for others."""
    licence: str
    languages: tuple[str, ...]
    """Which of the app's it speaks."""
    needs: str
    """The oldest Ollama that runs it; empty: any."""
    as_of: date


SUGGESTIONS = tuple(
    Suggestion(
        row["name"],
        row["bytes"],
        row["memory"],
        row["licence"],
        tuple(row["languages"]),
        row.get("needs", ""),
        row["as_of"],
    )
    for row in table()["ollama"]
)
"""The largest first."""


def suggestion(
    memory_bytes: int | None,
    language: Language = "en",
    version: str | None = None,
    suggestions: Sequence[Suggestion] = SUGGESTIONS,
) -> Suggestion:
    """The first that suits a machine with so much memory and an Ollama of that version (unknown: any),
    and, if there is one, speaks the language."""
    memory = MODEST_BYTES if memory_bytes is None else memory_bytes
    fitting = [s for s in suggestions if memory >= s.memory_bytes and runs(s, version)]
    fitting = fitting or list(suggestions[-1:])
    return next((one for one in fitting if language in one.languages), fitting[0])


def runs(suggested: Suggestion, version: str | None) -> bool:
    """Whether an Ollama of that version runs it; an unknown one is believed to."""
    return not version or _numbers(version) >= _numbers(suggested.needs)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version)[:3])
