"""What a model call took: tokens, seconds, money."""

from bisect import bisect_left
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Literal

from app.core.models import Currency, ModelRef


class Purpose(StrEnum):
    """Why a model was called."""

    ANSWER = "answer"
    GATE = "gate"
    SPECIALIST = "specialist"
    SYNTHESIS = "synthesis"
    DIALOGUE = "dialogue"
    CANDIDATE = "candidate"
    MEMBER = "member"
    RANKING = "ranking"
    REPORT = "report"
    CHECK = "check"
    JUDGE = "judge"
    SUMMARY = "summary"
    TITLE = "title"
    REPAIR = "repair"
    CACHE_CHECK = "cache_check"
    EMBEDDING = "embedding"
    TRANSCRIPTION = "transcription"
    SPEECH = "speech"


class Outcome(StrEnum):
    """How a turn, a step or a call ended."""

    RUNNING = "running"
    COMPLETED = "completed"
    STOPPED = "stopped"
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    """The process died in the middle; found at the next start."""


CacheHit = Literal["exact", "near", "taken", "miss"]
"""`taken`: a suggestion the person took; `miss`: looked up in vain, and so asked of the model."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens and the server's own timings. Unknown is None."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    cached_tokens: int | None = None
    reasoning_tokens: int | None = None
    estimated: bool = False
    """True where we counted, not the server: shown with `≈`."""
    load_s: float | None = None
    """Time the server spent loading the model."""
    window: int | None = None
    """Tokens of context that the call had, where its server lets that be known."""
    prompt_s: float | None = None
    generation_s: float | None = None


@dataclass(frozen=True, slots=True)
class Cost:
    """Money in the price's own currency and in roubles; Decimal throughout."""

    amount: Decimal
    currency: Currency
    rub: Decimal


@dataclass(frozen=True, slots=True)
class CallRecord:
    """One model call, as it is kept and counted."""

    id: str
    purpose: Purpose
    model: ModelRef
    started_at: datetime
    outcome: Outcome
    usage: Usage = Usage()
    first_token_s: float | None = None
    total_s: float | None = None
    characters: int = 0
    """Characters of the answer, reasoning not counted."""
    cost: Cost | None = None
    finish_reason: str | None = None
    cache: CacheHit | None = None
    error: str | None = None
    """The code of the error, where it failed."""
    request_id: str | None = None
    step_id: str | None = None
    """The step this call wrote, where there is one."""
    streaming: bool = True
    saved_tokens: int | None = None
    """Tokens that compression or the cache spared."""
    saved_rub: Decimal | None = None
    """Money that the cache spared, where the spared call's cost is known."""
    parallel: int | None = None
    """Calls under way in this process when it began, itself included; 1 for a call alone."""

    @property
    def from_cache(self) -> bool:
        """Whether no model was asked."""
        return self.cache is not None and self.cache != "miss"

    @property
    def tokens_per_second(self) -> float | None:
        """Generation speed: by the server's clock, else from the first token to the end."""
        tokens = self.usage.output_tokens
        if not tokens:
            return None
        seconds = self.usage.generation_s
        if not seconds and self.total_s is not None and self.first_token_s is not None:
            seconds = self.total_s - self.first_token_s
        return tokens / seconds if seconds and seconds > 0 else None


GAP_BOUNDS_S = (0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.2, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0)
"""Upper bounds in seconds into which the pauses between the pieces of an answer are counted."""


@dataclass(slots=True)
class TokenGaps:
    """The pauses between the pieces of one answer: a bisection a piece, no lock, no allocation.

    The call that streams counts here alone and hands the whole to `CallObserver.gaps` at its end.
    """

    counts: list[int] = field(default_factory=lambda: [0] * (len(GAP_BOUNDS_S) + 1))
    """Pauses no longer than each of GAP_BOUNDS_S (and longer than the one before); last: the rest."""
    total_s: float = 0.0

    def add(self, seconds: float) -> None:
        """One more pause."""
        self.counts[bisect_left(GAP_BOUNDS_S, seconds)] += 1
        self.total_s += seconds
