"""Reads the labelled pairs and splits them, by a hash that no rule was tuned on."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Split = Literal["tuning", "test", "later", "people"]
LANGUAGES = ("ru", "uk", "en")


@dataclass(frozen=True)
class Pair:
    """Two questions, and whether one true answer serves both."""

    language: str
    kind: str
    """`same`, or what tells the two apart."""
    first: str
    second: str
    folder: str = "."
    """`later`: written after the first rules were fixed; `more`: for tuning alone; `people`: written
    for the second rules, as people type, with negatives of every kind."""

    @property
    def same(self) -> bool:
        return self.kind == "same"

    @property
    def split(self) -> Split:
        """By the SHA-256 of the first question: pairs around one question stay together."""
        if self.folder in ("later", "more"):
            return "later" if self.folder == "later" else "tuning"
        odd = hashlib.sha256(self.first.encode()).digest()[-1] % 2
        held_out: Split = "test" if self.folder == "." else "people"
        return held_out if odd else "tuning"


def pairs(*splits: Split) -> tuple[Pair, ...]:
    """All labelled pairs, or those of the parts named."""
    return tuple(
        pair
        for folder in (".", "later", "more", "people")
        for language in LANGUAGES
        for pair in _read(language, folder)
        if not splits or pair.split in splits
    )


def _read(language: str, folder: str) -> list[Pair]:
    kind, found = "", []
    file = Path(__file__).parent / folder / f"{language}.txt"
    for line in file.read_text(encoding="utf-8").splitlines():
        if line.startswith("# "):
            kind = line.removeprefix("# ").strip()
        elif line.strip():
            first, second = line.split(" | ")
            found.append(Pair(language, kind, first.strip(), second.strip(), folder))
    return found
