"""What must be alike before two questions are compared at all."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property

from app.completion.caching.text import normalise
from app.core.messages import Message
from app.core.models import ModelRef
from app.core.options import Scalar
from app.core.requests import Sampling

VERSION = 1
"""Of the rules and of what is kept: raised where older entries must not be served any more."""
SHARED = "shared"
"""The owner of entries that an administrator shares among users."""


@dataclass(frozen=True)
class Scope:
    """Whoever asks, whatever answers, and how: an answer never leaves its scope."""

    owner: str
    model: ModelRef
    digest: str | None = None
    """Of the model's file, where its server tells: another download is another model."""
    sampling: Sampling = field(default_factory=Sampling)
    system: str = ""
    """The system text as it is sent."""
    language: str = ""
    mode: str = "chat"
    choices: Mapping[str, Scalar] = field(default_factory=dict)
    """Every other choice that could change an answer."""

    @cached_property
    def key(self) -> str:
        """SHA-256 of it all."""
        return _hash({"version": VERSION, **asdict(self)})


def question_key(question: str) -> str:
    """SHA-256 of the exact form of a first question."""
    return _hash({"first": normalise(question)})


def context_key(messages: tuple[Message, ...]) -> str:
    """SHA-256 of everything that was said, to the letter; system texts are part of the scope."""
    return _hash({"context": [(m.role, m.text) for m in messages if m.role != "system"]})


def _hash(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
