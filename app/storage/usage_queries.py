"""What the usage records add up to. Sums are SQL's, over whole numbers, so that money stays exact.

Each report reads its period once. For percentiles the same pass hands over the times of a group in
whole milliseconds, joined into one text: exact to a millisecond, and some five bytes a record. A
second pass that counted or ranked them in SQL took longer than all the sums together.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from dataclasses import fields, replace
from datetime import UTC, date, datetime, timedelta
from itertools import chain
from typing import Any, Literal

from sqlalchemy import (
    ColumnElement,
    Integer,
    Row,
    String,
    and_,
    case,
    cast,
    func,
    not_,
    or_,
    select,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from app.core.reports import Dimension, TurnUsage, UsageFilter, UsageGroup, UsageSummary
from app.storage.database import Database
from app.storage.moments import local_day, seconds_since_epoch
from app.storage.tables import threads, usage, users

AnyRow = Row[*tuple[Any, ...]]
Key = tuple[Any, ...]

_DIMENSIONS: dict[Dimension, tuple[ColumnElement[Any], ...]] = {
    "model": (usage.c.server, usage.c.model),
    "server": (usage.c.server,),
    "mode": (usage.c.mode,),
    "user": (usage.c.user_id,),
}
_ANSWERS = ("answer", "synthesis", "dialogue")
_PORTION = 1000


class StoredUsage:
    """Implements `core.ports.UsageReports`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def summary(self, over: UsageFilter) -> UsageSummary:
        """See `UsageReports.summary`."""
        async with self._database.reading() as connection:
            turns = func.count(usage.c.turn_id.distinct()).label("turns")
            (row,) = await connection.execute(select(turns, *_sums()).where(_matching(over)))
        _, (summary,) = await asyncio.to_thread(_whole_and_each, [row])
        return replace(summary, turns=row.turns)

    async def days(self, over: UsageFilter) -> tuple[UsageSummary, list[UsageGroup]]:
        """See `UsageReports.days`."""
        turns = select(func.count(usage.c.turn_id.distinct())).where(_matching(over))
        async with self._database.reading() as connection:
            rows = await _grouped(connection, over, await _day(connection, over))
            asked = (await connection.execute(turns)).scalar_one()
        whole, each = await asyncio.to_thread(_whole_and_each, rows)
        groups = [
            UsageGroup(_written("day", row[:1]), None, summary)
            for row, summary in zip(rows, each, strict=True)
        ]
        return replace(whole, turns=asked), sorted(groups, key=lambda group: group.key)

    async def groups(self, over: UsageFilter, by: Dimension) -> list[UsageGroup]:
        """See `UsageReports.groups`."""
        async with self._database.reading() as connection:
            key = await _day(connection, over) if by == "day" else _DIMENSIONS[by]
            rows = await _grouped(connection, over, key)
            names = await _names(connection, [row[0] for row in rows]) if by == "user" else {}
        _, summaries = await asyncio.to_thread(_whole_and_each, rows)
        groups = [
            UsageGroup(_written(by, row[: len(key)]), names.get(row[0]), summary)
            for row, summary in zip(rows, summaries, strict=True)
        ]
        return sorted(groups, key=lambda g: (g.key,) if by == "day" else (-g.summary.calls, g.key))

    async def turns(
        self, over: UsageFilter, order: Literal["slowest", "dearest"], limit: int
    ) -> list[TurnUsage]:
        """See `UsageReports.turns`."""
        begin = seconds_since_epoch(usage.c.started_at)
        took = func.max(begin + usage.c.total_s) - func.min(begin)
        measure = took if order == "slowest" else func.sum(usage.c.cost_rub)
        query = (
            select(usage.c.turn_id, func.min(usage.c.thread_id).label("thread_id"))
            .where(_matching(over), usage.c.turn_id.is_not(None), usage.c.thread_id.is_not(None))
            .where((usage.c.total_s if order == "slowest" else usage.c.cost_rub).is_not(None))
            .group_by(usage.c.turn_id)
            .order_by(measure.desc(), usage.c.turn_id)
            .limit(limit)
        )
        async with self._database.reading() as connection:
            found = (await connection.execute(query)).all()
            calls = await _calls_of(connection, found)
            names = await _names(connection, [row.user_id for row in calls])
        by_turn: dict[str, list[AnyRow]] = defaultdict(list)
        for row in calls:
            by_turn[row.turn_id].append(row)
        return [_turn(by_turn[row.turn_id], names) for row in found]

    async def records(self, over: UsageFilter) -> AsyncGenerator[Mapping[str, Any], None]:
        """See `UsageReports.records`: a portion at a time, each read anew, so that a slow reader
        holds no connection."""
        query = (
            select(usage, users.c.identifier.label("user"))
            .outerjoin(users, users.c.id == usage.c.user_id)
            .where(_matching(over))
            .order_by(usage.c.started_at, usage.c.id)
            .limit(_PORTION)
        )
        after: ColumnElement[bool] | None = None
        while True:
            async with self._database.reading() as connection:
                portion = query if after is None else query.where(after)
                rows = (await connection.execute(portion)).mappings().all()
            for row in rows:
                yield dict(row)
            if len(rows) < _PORTION:
                return
            last = rows[-1]
            same_moment = and_(usage.c.started_at == last["started_at"], usage.c.id > last["id"])
            after = (usage.c.started_at > last["started_at"]) | same_moment


def _matching(over: UsageFilter) -> ColumnElement[bool]:
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


def _names_of(key: Key) -> tuple[str, ...]:
    """GROUP BY names the columns: PostgreSQL does not see that two bound numbers are the same."""
    return tuple(column.name for column in key)


def _sums() -> tuple[ColumnElement[Any], ...]:
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


_DERIVED = ("turns", "tokens_per_second", "first_token_median_s", "first_token_p95_s")
_COPIED = tuple(field.name for field in fields(UsageSummary) if field.name not in _DERIVED)


async def _grouped(connection: AsyncConnection, over: UsageFilter, key: Key) -> Sequence[AnyRow]:
    query = select(*key, *_sums()).where(_matching(over)).group_by(*_names_of(key))
    return (await connection.execute(query)).all()


def _whole_and_each(rows: Sequence[AnyRow]) -> tuple[UsageSummary, list[UsageSummary]]:
    """In a thread: putting 100,000 times in order takes longer than a token may wait."""
    times = [_in_order(row.first_tokens_ms) for row in rows]
    each = [_summary(row._mapping, own) for row, own in zip(rows, times, strict=True)]
    if len(each) == 1:
        return each[0], each
    return _summary(_together(rows), sorted(chain.from_iterable(times))), each


def _in_order(written: str | None) -> list[int]:
    return sorted(map(int, written.split(","))) if written else []


def _together(rows: Sequence[AnyRow]) -> dict[str, Any]:
    """The sums of groups as those of one."""
    known = {
        name: [row._mapping[name] for row in rows if row._mapping[name] is not None]
        for name in (*_COPIED, "timed_tokens", "timed_s")
    }
    whole: dict[str, Any] = {
        name: sum(values[1:], values[0]) if values else getattr(UsageSummary(), name, None)
        for name, values in known.items()
    }
    return whole | {"most_parallel": max(known["most_parallel"], default=None)}


def _summary(sums: Mapping[Any, Any], times: Sequence[int]) -> UsageSummary:
    tokens = sums["timed_tokens"]
    return UsageSummary(
        turns=None,
        **{name: sums[name] for name in _COPIED},
        tokens_per_second=tokens / sums["timed_s"] if tokens else None,
        first_token_median_s=percentile(times, 50),
        first_token_p95_s=percentile(times, 95),
    )


def percentile(milliseconds: Sequence[int], percent: int) -> float | None:
    """The seconds that `percent` of these times, in order, do not exceed."""
    if not milliseconds:
        return None
    return milliseconds[-(-len(milliseconds) * percent // 100) - 1] / 1000


async def _day(connection: AsyncConnection, over: UsageFilter) -> Key:
    """The day of a record in the zone asked for, whose clock may change within the period."""
    ends = select(func.min(usage.c.started_at), func.max(usage.c.started_at))
    first, last = (await connection.execute(ends)).one()
    since, until = (over.since or first, over.until or last)
    if since is None or until is None:
        since = until = datetime.now(UTC)
    return (local_day(usage.c.started_at, since, until, over.zone).label("day"),)


async def _names(connection: AsyncConnection, ids: Iterable[str | None]) -> dict[str, str]:
    wanted = {user_id for user_id in ids if user_id is not None}
    rows = await connection.execute(
        select(users.c.id, users.c.display_name, users.c.identifier).where(users.c.id.in_(wanted))
    )
    return {row.id: row.display_name or row.identifier for row in rows}


async def _calls_of(connection: AsyncConnection, turns: Sequence[AnyRow]) -> Sequence[AnyRow]:
    """All calls of those turns, in order, with their threads' titles."""
    query = (
        select(usage, threads.c.id.label("kept_thread"), threads.c.title)
        .outerjoin(threads, threads.c.id == usage.c.thread_id)
        .where(usage.c.thread_id.in_([row.thread_id for row in turns]))
        .where(usage.c.turn_id.in_([row.turn_id for row in turns]))
        .order_by(usage.c.started_at)
    )
    return (await connection.execute(query)).all()


def _turn(calls: Sequence[AnyRow], names: Mapping[str, str]) -> TurnUsage:
    answer = next((row for row in reversed(calls) if row.purpose in _ANSWERS), calls[0])
    begin = calls[0].started_at
    ends = [r.started_at + timedelta(seconds=r.total_s) for r in calls if r.total_s is not None]

    def total(name: str) -> Any:
        known = [row._mapping[name] for row in calls if row._mapping[name] is not None]
        return sum(known[1:], known[0]) if known else None

    return TurnUsage(
        turn_id=answer.turn_id,
        thread_id=answer.kept_thread,
        title=answer.title,
        user_id=answer.user_id,
        user=names.get(answer.user_id),
        mode=answer.mode,
        model=f"{answer.server}/{answer.model}",
        started_at=begin,
        seconds=(max(ends) - begin).total_seconds() if ends else None,
        calls=len(calls),
        input_tokens=total("input_tokens"),
        output_tokens=total("output_tokens"),
        cost_rub=total("cost_rub"),
    )


def _written(by: Dimension, key: Sequence[Any]) -> str:
    if by == "day":
        return (date(1970, 1, 1) + timedelta(days=int(key[0]))).isoformat()
    return "/".join(part or "" for part in key)
