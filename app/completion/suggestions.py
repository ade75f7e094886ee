"""A first model for this machine: one that fits its memory with room for everything else."""

import os
import sys
from dataclasses import dataclass
from pathlib import Path

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


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A model by its name in Ollama's library, with the size of its download in bytes."""

    name: str
    size_bytes: int
    memory_bytes: int
    """The least memory of a machine on which it leaves room for others."""


SUGGESTIONS = (
    Suggestion("gemma3:12b", 8_100_000_000, 30_000_000_000),
    Suggestion("gemma3:4b", 3_300_000_000, 12_000_000_000),
    Suggestion("gemma2:2b", 1_600_000_000, 5_000_000_000),
    Suggestion("gemma3:1b", 815_000_000, 0),
)
"""The largest first. Sizes as ollama.com/library lists them, 4-bit, as of 2025-06; they speak Russian
and Ukrainian. About a quarter of the memory: the context and the person's programs need some too."""

MODEST = SUGGESTIONS[2]
"""Where the memory is not known, or the server is on another machine."""


def suggestion(memory_bytes: int | None) -> Suggestion:
    """The largest model that suits a machine with so much memory."""
    if memory_bytes is None:
        return MODEST
    return next(one for one in SUGGESTIONS if memory_bytes >= one.memory_bytes)
