"""What the steps of a peer council know of themselves."""

from dataclasses import dataclass

from app.conversation.modes.council.report import Contradiction, Point
from app.core.events import StepKind
from app.core.notes import Note


@dataclass(frozen=True, slots=True)
class Peer:
    """One seat of a council."""

    name: str
    model: str
    system: str = ""


@dataclass(frozen=True, slots=True)
class PeersNote(Note):
    """Who sits in a council; the element offers to go on where it was broken off."""

    key = "peers"
    steps = (StepKind.GROUP,)
    element = "CouncilState"
    resumable = True
    members: tuple[Peer, ...]
    calls: int
    """As planned."""
    tokens: int
    done: int | None = None
    """Answers that are complete, from which it can go on; None in what older versions wrote."""


@dataclass(frozen=True, slots=True)
class MemberNote(Note):
    """Who answers in a member's step, and whether the answer was taken over from an earlier try."""

    key = "council_member"
    steps = (StepKind.MEMBER,)
    number: int
    name: str
    model: str
    color: str
    kept: bool = False


@dataclass(frozen=True, slots=True)
class BallotNote:
    """One judge's orders: members' numbers, best first."""

    judge: int
    orders: tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True)
class RankingNote(Note):
    """How the members ranked each other, as far as it has come."""

    key = "ranking"
    steps = (StepKind.GROUP,)
    ballots: tuple[BallotNote, ...]


@dataclass(frozen=True, slots=True)
class MemberResult:
    """How one member did."""

    number: int
    letter: str
    step_id: str
    name: str
    model: str
    state: str
    """heard, cut or silent."""
    points: float | None = None
    place: int | None = None


@dataclass(frozen=True, slots=True)
class CouncilReportNote(Note):
    """The council's report: who took part, how they were ranked, where they agree and where not."""

    key = "report"
    steps = (StepKind.ANSWER,)
    element = "CouncilReport"
    resumable = True
    told = True
    members: tuple[MemberResult, ...]
    chairman: str
    """The model that wrote the answer; empty where nobody had to."""
    agreed: bool = False
    """All gave the same short answer."""
    agreement: float | None = None
    """Kendall's W."""
    level: str = ""
    """high, medium or low."""
    consensus: tuple[Point, ...] = ()
    contradictions: tuple[Contradiction, ...] = ()
    partial: tuple[Point, ...] = ()
    unique: tuple[Point, ...] = ()
    blind_spots: tuple[str, ...] = ()
    dropped_quotes: int = 0
    dropped_judges: tuple[str, ...] = ()
    steering: tuple[str, ...] = ()
    """Who told the judges what to do, in words that they were not shown."""
    reported: bool = False
    """There is a report; without it its lists are empty."""
    check: str = ""
    """passed, found (something), failed; empty where there was none."""
    missing: tuple[str, ...] = ()
    unsupported: tuple[str, ...] = ()
    chosen: str = ""
    """The step of the member whose answer a person put in place of the council's."""
    own: str = ""
    """The council's answer, while another stands in its place."""
