"""Reads the labelled pairs and splits them, by a hash that no rule was tuned on."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Split = Literal["tuning", "test"]
LANGUAGES = ("ru", "uk", "en")


@dataclass(frozen=True)
class Pair:
    """Two questions, and whether one true answer serves both."""

    language: str
    kind: str
    """`same`, or what tells the two apart."""
    first: str
    second: str

    @property
    def same(self) -> bool:
        return self.kind == "same"

    @property
    def split(self) -> Split:
        """By the SHA-256 of the first question: pairs around one question stay together."""
        odd = hashlib.sha256(self.first.encode()).digest()[-1] % 2
        return "test" if odd else "tuning"


def pairs(split: Split | None = None) -> tuple[Pair, ...]:
    """All labelled pairs, or those of one part."""
    return tuple(
        pair
        for language in LANGUAGES
        for pair in _read(language)
        if split is None or pair.split == split
    )


def _read(language: str) -> list[Pair]:
    kind, found = "", []
    path = Path(__file__).with_name(f"{language}.txt")
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("# "):
            kind = line.removeprefix("# ").strip()
        elif line.strip():
            first, second = line.split(" | ")
            found.append(Pair(language, kind, first.strip(), second.strip()))
    return found
