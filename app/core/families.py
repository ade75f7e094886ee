"""What is known of models by their names, where a server's list says no more: the table models.toml."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from app.core.models import Capability

TABLE = Path(__file__).with_name("models.toml")

CHAT = frozenset(
    {Capability.COMPLETION, Capability.TOOLS, Capability.JSON_MODE, Capability.JSON_SCHEMA}
)
_ABLE: Mapping[str, frozenset[Capability]] = {
    "chat": CHAT,
    "vision": frozenset({Capability.VISION}),
    "thinking": frozenset({Capability.THINKING}),
    "embedding": frozenset({Capability.EMBEDDING}),
    "transcription": frozenset({Capability.TRANSCRIPTION}),
    "speech": frozenset({Capability.SPEECH}),
}


@dataclass(frozen=True, slots=True)
class Family:
    """What the table says of a model's name. Unknown is None."""

    capabilities: frozenset[Capability] = CHAT
    window: int | None = None
    """Tokens of context, prompt and answer together."""
    window_as_of: date | None = None
    sampled: bool = True
    """Takes a temperature: OpenAI's reasoning models refuse any but their own."""
    one_sampler: bool = False
    """Takes a temperature or a top_p, not both."""
    retires: date | None = None
    """When its maker's own cloud takes it away."""


@lru_cache(maxsize=4096)
def family_of(name: str) -> Family:
    """The family of a model's name or id: for each fact, the first row that states it."""
    rows = [row for pattern, row in _rows() if pattern.search(name)]
    window = next((row for row in rows if "window" in row), {})
    return Family(
        next((_capabilities(row["can"]) for row in rows if "can" in row), CHAT),
        window.get("window"),
        window.get("as_of"),
        next((row["sampled"] for row in rows if "sampled" in row), True),
        any(row.get("one_sampler", False) for row in rows),
        next((row["retires"] for row in rows if "retires" in row), None),
    )


@cache
def _rows() -> tuple[tuple[re.Pattern[str], Mapping[str, Any]], ...]:
    table = tomllib.loads(TABLE.read_text(encoding="utf-8"))
    return tuple((re.compile(row["match"], re.IGNORECASE), row) for row in table["family"])


def _capabilities(words: list[str]) -> frozenset[Capability]:
    return frozenset[Capability]().union(*(_ABLE[word] for word in words))
