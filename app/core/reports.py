"""What the kept usage records add up to: the values behind the dashboard."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Literal

Dimension = Literal["model", "server", "mode", "user", "day"]


@dataclass(frozen=True, slots=True)
class UsageFilter:
    """Which records: begun at `since` or later and before `until` (aware); None leaves it open."""

    since: datetime | None = None
    until: datetime | None = None
    user_id: str | None = None
    """One user's records; None: everybody's."""
    thread_id: str | None = None
    """One thread's records; None: all, and those of no thread."""
    zone: str = "UTC"
    """IANA name of the time zone in which a day begins and ends."""


@dataclass(frozen=True, slots=True)
class UsageSummary:
    """Model calls added up. What is not known of any of them is None."""

    calls: int = 0
    turns: int | None = 0
    """Questions that these calls answered; of a group it is not counted."""
    input_tokens: int | None = None
    output_tokens: int | None = None
    cached_tokens: int | None = None
    cost_rub: Decimal | None = None
    estimated: int | None = None
    """Calls whose tokens we counted, not the server; only of one thread's calls is it known."""
    unpriced: int = 0
    """Calls whose price is not known: not in `cost_rub`."""
    tokens_per_second: float | None = None
    """All output tokens over all the seconds they took, of calls of which both are known."""
    first_token_median_s: float | None = None
    """Of answers that a model gave: the cache is not asked how fast it is."""
    first_token_p95_s: float | None = None
    failed: int = 0
    stopped: int = 0
    cache_exact: int = 0
    cache_near: int = 0
    cache_taken: int = 0
    """Suggestions taken."""
    cache_missed: int = 0
    streaming: int = 0
    parallel: int = 0
    """Calls that began while another was under way."""
    most_parallel: int | None = None
    saved_by_compression: int | None = None
    saved_by_cache: int | None = None
    saved_rub: Decimal | None = None
    """Money spared by the cache, as far as prices were known."""


@dataclass(frozen=True, slots=True)
class UsageGroup:
    """The calls of one model, server, mode, user or day."""

    key: str
    """`server/model`, a server's name, a mode's id, a user's id, or a day such as 2026-09-30."""
    label: str | None
    """What people call it, where that is another: a user's name."""
    summary: UsageSummary


@dataclass(frozen=True, slots=True)
class TurnUsage:
    """One turn and all its calls."""

    turn_id: str
    thread_id: str | None
    """None where the thread was deleted since."""
    title: str | None
    user_id: str | None
    user: str | None
    """The user's name."""
    mode: str | None
    model: str
    """Of its answer, written `server/model`."""
    started_at: datetime
    seconds: float | None
    """From the beginning of its first call to the end of its last."""
    calls: int
    input_tokens: int | None
    output_tokens: int | None
    cost_rub: Decimal | None
