"""The SQL that adds usage up: over the records, one by one, or over the totals that SQLite keeps."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal

from sqlalchemy import (
    ColumnElement,
    Integer,
    Select,
    String,
    Table,
    and_,
    case,
    cast,
    func,
    not_,
    or_,
    select,
)

from app.core.reports import Dimension, UsageFilter
from app.storage.tables import usage
from app.storage.time_sql import (
    UtcOffsets,
    hour_of,
    local_day,
    local_day_of_hour,
    seconds_since_epoch,
)
from app.storage.usage_totals import AMOUNTS, COUNTS, hours, turns

COLUMNS: dict[Dimension, tuple[str, ...]] = {
    "model": ("server", "model"),
    "server": ("server",),
    "mode": ("mode",),
    "user": ("user_id",),
}
_KIND: Mapping[Dimension, str] = {"model": "model", "server": "model", "mode": "mode"}
"""Of which kind the totals of a dimension are; those of others are `whole`."""


class Records:
    """The usage records: any period, any thread, any database."""

    def grouped(self, over: UsageFilter, by: Dimension | None, offsets: UtcOffsets) -> Select[Any]:
        """The sums of each group, behind its key; without `by` those of all together. `offsets` are the
        zone's over that period."""
        key: list[ColumnElement[Any]] = []
        if by == "day":
            key = [local_day(usage.c.started_at, offsets).label("day")]
        elif by is not None:
            key = [usage.c[name] for name in COLUMNS[by]]
        query = select(*key, *sums()).where(matching(over))
        # by name: PostgreSQL does not see that two bound numbers are the same
        return query.group_by(*(column.name for column in key)) if key else query

    def turn_count(self, over: UsageFilter) -> Select[Any]:
        """How many turns these are."""
        return select(func.count(usage.c.turn_id.distinct())).where(matching(over))

    def top_turns(
        self, over: UsageFilter, order: Literal["slowest", "dearest"], limit: int
    ) -> Select[Any]:
        """The ids of the first turns, and of their threads."""
        begin = seconds_since_epoch(usage.c.started_at)
        took = func.max(begin + usage.c.total_s) - func.min(begin)
        measure = took if order == "slowest" else func.sum(usage.c.cost_rub)
        return (
            select(usage.c.turn_id, func.min(usage.c.thread_id).label("thread_id"))
            .where(matching(over), usage.c.turn_id.is_not(None), usage.c.thread_id.is_not(None))
            .where((usage.c.total_s if order == "slowest" else usage.c.cost_rub).is_not(None))
            .group_by(usage.c.turn_id)
            .order_by(measure.desc(), usage.c.turn_id)
            .limit(limit)
        )


class Totals:
    """The totals by hour and by turn: SQLite's alone, for periods of whole hours."""

    def grouped(self, over: UsageFilter, by: Dimension | None, offsets: UtcOffsets) -> Select[Any]:
        """As `Records.grouped`."""
        c = hours.c
        key: list[ColumnElement[Any]] = []
        if by == "day":
            key = [local_day_of_hour(c.hour, offsets).label("day")]
        elif by is not None:
            key = [c[name] for name in COLUMNS[by]]
        sums = (
            *(func.coalesce(func.sum(c[name]), 0).label(name) for name in COUNTS),
            *(func.sum(c[name]).label(name) for name in AMOUNTS),
            func.max(c.most_parallel).label("most_parallel"),
            func.aggregate_strings(c.first_tokens_ms, ",").label("first_tokens_ms"),
        )
        kind = _KIND.get(by, "whole") if by else "whole"
        query = select(*key, *sums).where(c.kind == kind, *_within(hours, over))
        return query.group_by(*(column.name for column in key)) if key else query

    def turn_count(self, over: UsageFilter) -> Select[Any]:
        """How many turns began then."""
        return select(func.count()).select_from(turns).where(*_within(turns, over))

    def top_turns(
        self, over: UsageFilter, order: Literal["slowest", "dearest"], limit: int
    ) -> Select[Any]:
        """As `Records.top_turns`."""
        c = turns.c
        measure = c.ended_s - c.begun_s if order == "slowest" else c.cost_rub
        return (
            select(c.turn_id, c.thread_id)
            .where(*_within(turns, over), c.thread_id.is_not(None), measure.is_not(None))
            .order_by(measure.desc(), c.turn_id)
            .limit(limit)
        )


def _within(table: Table, over: UsageFilter) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if over.since is not None:
        conditions.append(table.c.hour >= hour_of(over.since))
    if over.until is not None:
        conditions.append(table.c.hour < hour_of(over.until))
    if over.user_id is not None:
        conditions.append(table.c.user_id == over.user_id)
    return conditions


def matching(over: UsageFilter) -> ColumnElement[bool]:
    """Whether a record is one of them."""
    conditions = [usage.c.started_at >= (over.since or datetime(1970, 1, 1, tzinfo=UTC))]
    user: ColumnElement[Any] = usage.c.user_id
    if over.thread_id is not None:
        conditions = [usage.c.thread_id == over.thread_id]
        if over.since is not None:
            conditions.append(usage.c.started_at >= over.since)
        user = func.coalesce(user, "")  # not by the user's index: a thread has far fewer records
    if over.until is not None:
        conditions.append(usage.c.started_at < over.until)
    if over.user_id is not None:
        conditions.append(user == over.user_id)
    return and_(*conditions)


def sums() -> tuple[ColumnElement[Any], ...]:
    """What one pass over the records adds up."""
    c = usage.c
    seconds = case((c.generation_s > 0, c.generation_s), else_=c.total_s - c.first_token_s)
    milliseconds = cast(cast(func.round(c.first_token_s * 1000), Integer), String)
    asked = or_(c.cache.is_(None), c.cache == "miss")  # a model, not the cache
    timed = and_(asked, c.output_tokens > 0, seconds > 0)

    def count(condition: ColumnElement[bool]) -> ColumnElement[int]:
        return func.count(case((condition, 1)))

    return (
        func.count().label("calls"),
        func.sum(c.input_tokens).label("input_tokens"),
        func.sum(c.output_tokens).label("output_tokens"),
        func.sum(c.cached_tokens).label("cached_tokens"),
        func.sum(c.cost_rub).label("cost_rub"),
        count(and_(asked, c.cost_rub.is_(None))).label("unpriced"),
        func.sum(case((timed, c.output_tokens))).label("timed_tokens"),
        func.sum(case((timed, seconds))).label("timed_s"),
        count(c.outcome == "failed").label("failed"),
        count(c.outcome == "stopped").label("stopped"),
        count(c.cache == "exact").label("cache_exact"),
        count(c.cache == "near").label("cache_near"),
        count(c.cache == "taken").label("cache_taken"),
        count(c.cache == "miss").label("cache_missed"),
        count(c.streaming).label("streaming"),
        count(c.parallel > 1).label("parallel"),
        func.max(c.parallel).label("most_parallel"),
        func.sum(case((asked, c.saved_tokens))).label("saved_by_compression"),
        func.sum(case((not_(asked), c.saved_tokens))).label("saved_by_cache"),
        func.sum(c.saved_rub).label("saved_rub"),
        func.aggregate_strings(case((asked, milliseconds)), ",").label("first_tokens_ms"),
    )
