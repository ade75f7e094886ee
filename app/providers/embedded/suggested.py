"""Small models worth suggesting: those that follow instructions in Russian, Ukrainian and English,
under a licence that lets anybody use them.

Sizes, checksums and licences: the repositories' pages, as of the day beside each.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from app.providers.embedded.source import HubFile

MEMORY_SHARE = 0.5
"""Of the machine's memory, for the model with its context: the rest is the system's and ours."""
CONTEXT_BYTES = 10**9
"""About what two answers' contexts and llama.cpp itself take beside the weights of such models."""


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A file of the hub, and what there is to know before one agrees."""

    file: HubFile
    size_bytes: int
    licence: str
    as_of: date


SUGGESTIONS = (
    Suggestion(
        HubFile(
            "unsloth/Qwen3-4B-Instruct-2507-GGUF",
            "Qwen3-4B-Instruct-2507-Q4_K_M.gguf",
            "3605803b982cb64aead44f6c1b2ae36e3acdb41d8e46c8a94c6533bc4c67e597",
        ),
        2_497_281_120,
        "Apache-2.0",
        date(2026, 11, 20),
    ),
    Suggestion(
        HubFile(
            "Qwen/Qwen2.5-1.5B-Instruct-GGUF",
            "qwen2.5-1.5b-instruct-q4_k_m.gguf",
            "6a1a2eb6d15622bf3c96857206351ba97e1af16c30d7a74ee38970e434e9407e",
        ),
        1_117_320_736,
        "Apache-2.0",
        date(2026, 11, 20),
    ),
)
"""The more able first."""


def fitting(suggestions: Sequence[Suggestion], memory: int | None) -> tuple[Suggestion, ...]:
    """Those that a machine with so many bytes of memory can run; unknown: the last, the smallest."""
    if memory is None:
        return tuple(suggestions[-1:])
    room = memory * MEMORY_SHARE
    return tuple(one for one in suggestions if one.size_bytes + CONTEXT_BYTES <= room)
