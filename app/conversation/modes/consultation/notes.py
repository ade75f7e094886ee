"""What the steps of a consultation know of themselves."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from app.core.events import StepKind
from app.core.models import Currency
from app.core.notes import Note


@dataclass(frozen=True, slots=True)
class TriageNote(Note):
    """Who decided that a direct answer does."""

    key = "gate"
    steps = (StepKind.ANSWER,)
    need: bool
    by: str
    """rules, model or no_plan."""


@dataclass(frozen=True, slots=True)
class CouncilNote(Note):
    """Which roles are in the final answer."""

    key = "council"
    steps = (StepKind.ANSWER,)
    heard: tuple[str, ...]
    cut_short: tuple[str, ...]
    failed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PlannedSpecialist:
    """One row of the plan."""

    role: str
    question: str
    model: str


@dataclass(frozen=True, slots=True)
class PlanNote(Note):
    """The plan, and about what it takes."""

    key = "plan"
    steps = (StepKind.PLAN,)
    by: str
    """model, request or always."""
    order: str
    """sequential or parallel."""
    reason: str
    specialists: tuple[PlannedSpecialist, ...]
    calls: int
    tokens: int
    money: Mapping[Currency, Decimal] | None
    """By currency; null where a price is unknown, empty where it is free."""


@dataclass(frozen=True, slots=True)
class SpecialistNote(Note):
    """Who speaks in a specialist's step."""

    steps = (StepKind.SPECIALIST,)
    role: str
    number: int
    color: str
    model: str
    empty: bool = False
    """Not a word came."""
