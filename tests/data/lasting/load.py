"""Reads the questions that may be answered from memory, and those that may not; split by a hash."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

LANGUAGES = ("ru", "uk", "en")


@dataclass(frozen=True)
class Asked:
    """A question, and what it is: `lasting`, or `passing` (bound to now), `anew` (to be made up anew),
    `talk` (means the talk before), `me` (means another thing to another person)."""

    language: str
    kind: str
    text: str

    @property
    def held_out(self) -> bool:
        """Whether no rule was tuned on it."""
        return hashlib.sha256(self.text.encode()).digest()[-1] % 2 == 1


def questions(*, held_out: bool) -> tuple[Asked, ...]:
    """One half of them."""
    return tuple(asked for asked in _all() if asked.held_out is held_out)


def _all() -> list[Asked]:
    kind, found = "", []
    for language in LANGUAGES:
        file = Path(__file__).parent / f"{language}.txt"
        for line in file.read_text(encoding="utf-8").splitlines():
            if line.startswith("# "):
                kind = line.removeprefix("# ").strip()
            elif line.strip():
                found.append(Asked(language, kind, line.strip()))
    return found
