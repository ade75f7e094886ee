"""What the steps of a dialogue know of themselves."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from app.core.events import StepKind
from app.core.notes import Note


@dataclass(frozen=True, slots=True)
class ParticipantNote(Note):
    """Who speaks."""

    key = "participant"
    steps = (StepKind.ANSWER,)
    name: str
    model: str
    number: int
    color: str


@dataclass(frozen=True, slots=True)
class DialogueNote(Note):
    """Why a dialogue is over."""

    key = "dialogue"
    steps = (StepKind.NOTICE,)
    element = "Dialogue"
    props: ClassVar[Mapping[str, Any]] = {"state": "ended"}
    ended: str
    """turns, mark, courtesy, repetition, silence or time."""
    name: str
    """Who brought it about, where somebody did."""
    spoken: int
    """Turns taken."""


@dataclass(frozen=True, slots=True)
class LeftNote(Note):
    """A participant that could not go on."""

    key = "left"
    steps = (StepKind.NOTICE,)
    name: str
    code: str
    """Of the error."""
    server: str = ""
    model: str = ""
