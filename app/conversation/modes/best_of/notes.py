"""What the steps of a contest know of themselves."""

from collections.abc import Mapping
from dataclasses import dataclass

from app.core.events import StepKind
from app.core.notes import Note


@dataclass(frozen=True, slots=True)
class CandidateScore:
    """How one candidate did."""

    step_id: str
    number: int
    score: float
    vetoes: tuple[str, ...]
    """What ruled it out."""
    parts: Mapping[str, float]
    """What the score is made of."""


@dataclass(frozen=True, slots=True)
class BestOfNote(Note):
    """Which candidate became the answer, and why."""

    key = "best_of"
    steps = (StepKind.ANSWER,)
    element = "Candidates"
    chosen: str
    """Its step."""
    by: str
    """careful, medoid, heuristic, listwise, judge, undecided or person."""
    reason: str
    judge: str
    candidates: tuple[CandidateScore, ...]
    instead_of: str = ""
    """The step that was chosen before a person chose."""


@dataclass(frozen=True, slots=True)
class CandidateNote(Note):
    """How a candidate was sampled, and how it did."""

    steps = (StepKind.CANDIDATE,)
    number: int
    temperature: float | None
    top_p: float | None
    queued: bool
    score: float | None = None
    vetoes: tuple[str, ...] | None = None
    parts: Mapping[str, float] | None = None
    chosen: bool | None = None
