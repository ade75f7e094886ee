"""What the steps of a comparison know of themselves."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app.core.events import StepKind
from app.core.notes import Note


@dataclass(frozen=True, slots=True)
class ColumnsNote(Note):
    """Its answers stand side by side."""

    key = "columns"
    steps = (StepKind.GROUP,)
    element = "Columns"
    count: int
    hidden: bool = False
    """Whose they are is not shown yet."""


@dataclass(frozen=True, slots=True)
class SideNote(Note):
    """Who answers in one column."""

    key = "side"
    steps = (StepKind.MEMBER,)
    letter: str
    name: str
    model: str
    hidden: bool = False


@dataclass(frozen=True, slots=True)
class ComparedAnswer:
    """One answer of a comparison."""

    step_id: str
    letter: str
    name: str
    model: str
    state: str
    """heard, cut or silent."""


@dataclass(frozen=True, slots=True)
class ComparisonNote(Note):
    """Who was compared, and how the person voted. The columns show the words, so its step shows none."""

    key = "comparison"
    steps = (StepKind.ANSWER,)
    element = "Comparison"
    told = True
    sides: tuple[ComparedAnswer, ...]
    blind: bool
    """The vote is without names."""
    hidden: bool = False
    verdict: str = ""
    """won, good (all are) or bad; empty while nobody has voted."""
    winner: str = ""
    """The step of the answer that won."""

    @classmethod
    def drawn(cls, facts: Mapping[str, Any]) -> Mapping[str, Any]:
        """Without the names, while they are hidden: the page would hold them otherwise."""
        if not facts.get("hidden"):
            return facts
        sides = [{**side, "name": "", "model": ""} for side in facts["sides"]]
        return {**facts, "sides": sides}


def names_hidden(metadata: Mapping[str, Any]) -> bool:
    """Whether a step with these notes must not tell which model wrote it."""
    notes = (metadata.get(note.key) for note in (SideNote, ComparisonNote))
    return any(isinstance(note, Mapping) and note.get("hidden") for note in notes)
