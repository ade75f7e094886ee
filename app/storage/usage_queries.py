"""What the usage records add up to. Sums are SQL's, over whole numbers, so that money stays exact.

A period of whole hours is read from the totals where the database keeps them (`usage_totals`), all
else from the records, once each (`usage_records`).
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any, Literal, Protocol
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Connection, Select, and_, bindparam, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from app.core.reports import Dimension, TurnUsage, UsageFilter, UsageGroup, UsageSummary
from app.storage import usage_records, usage_totals
from app.storage.database import Database
from app.storage.tables import threads, usage, users
from app.storage.time_sql import UtcOffsets, in_whole_hours, utc_offsets
from app.storage.usage_records import COLUMNS, matching, sums
from app.storage.usage_sums import AnyRow, summaries

_ANSWERS = ("answer", "synthesis", "dialogue")
_PORTION = 1000

_OF_THREAD = select(func.count(usage.c.turn_id.distinct()).label("turns"), *sums()).where(
    usage.c.thread_id == bindparam("thread"),
    # not by the user's index: a thread has far fewer records
    func.coalesce(usage.c.user_id, "") == func.coalesce(bindparam("user"), usage.c.user_id, ""),
)
"""Made once: the panel asks for it with every turn."""


class _Source(Protocol):
    """Where sums come from."""

    def grouped(
        self, over: UsageFilter, by: Dimension | None, offsets: UtcOffsets
    ) -> Select[Any]: ...
    def asked(self, over: UsageFilter) -> Select[Any]: ...
    def leading(
        self, over: UsageFilter, order: Literal["slowest", "dearest"], limit: int
    ) -> Select[Any]: ...


class StoredUsage:
    """Implements `core.ports.UsageReports`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def summary(self, over: UsageFilter) -> UsageSummary:
        """See `UsageReports.summary`."""
        if over.thread_id is not None and over.since is over.until is None:
            return await self._database.read(partial(_of_thread, over.thread_id, over.user_id))
        async with self._database.reading() as connection:
            source, over, offsets = await self._source(connection, over)
            (row,) = await connection.execute(source.grouped(over, None, offsets))
            turns = await connection.scalar(source.asked(over))
        whole, _ = await asyncio.to_thread(summaries, [row])
        return replace(whole, turns=turns)

    async def days(self, over: UsageFilter) -> tuple[UsageSummary, list[UsageGroup]]:
        """See `UsageReports.days`."""
        async with self._database.reading() as connection:
            source, over, offsets = await self._source(connection, over)
            rows = (await connection.execute(source.grouped(over, "day", offsets))).all()
            turns = await connection.scalar(source.asked(over))
        whole, groups = await _groups(rows, "day", {})
        return replace(whole, turns=turns), groups

    async def groups(self, over: UsageFilter, by: Dimension) -> list[UsageGroup]:
        """See `UsageReports.groups`."""
        async with self._database.reading() as connection:
            source, over, offsets = await self._source(connection, over)
            rows = (await connection.execute(source.grouped(over, by, offsets))).all()
            names = await _names(connection, [row[0] for row in rows]) if by == "user" else {}
        return (await _groups(rows, by, names))[1]

    async def turns(
        self, over: UsageFilter, order: Literal["slowest", "dearest"], limit: int
    ) -> list[TurnUsage]:
        """See `UsageReports.turns`."""
        async with self._database.reading() as connection:
            source, over, _ = await self._source(connection, over)
            found = (await connection.execute(source.leading(over, order, limit))).all()
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
            .where(matching(over))
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

    async def _source(
        self, connection: AsyncConnection, over: UsageFilter
    ) -> tuple[_Source, UsageFilter, UtcOffsets]:
        """Where to read that period, whose open ends are where the records end, and its offsets."""
        first, last = (
            select(end(usage.c.started_at)).scalar_subquery() for end in (func.min, func.max)
        )
        since, until = over.since, over.until
        if since is None or until is None:
            ends = (await connection.execute(select(first, last))).one()
            since = since or _hour(ends[0] or datetime.now(UTC))
            until = until or _hour(ends[1] or since) + timedelta(hours=1)
        over = replace(over, since=since, until=until)
        offsets = utc_offsets(since, until, ZoneInfo(over.zone))
        kept = self._database.sqlite and over.thread_id is None
        source: _Source = usage_totals if kept and in_whole_hours(since, offsets) else usage_records
        return source, over, offsets


def _of_thread(thread_id: str, user_id: str | None, connection: Connection) -> UsageSummary:
    (row,) = connection.execute(_OF_THREAD, {"thread": thread_id, "user": user_id})
    return replace(summaries([row])[0], turns=row.turns)


def _hour(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0)


async def _groups(
    rows: Sequence[AnyRow], by: Dimension, names: Mapping[str, str]
) -> tuple[UsageSummary, list[UsageGroup]]:
    """In a thread: putting 100,000 times in order takes longer than a token may wait."""
    whole, each = await asyncio.to_thread(summaries, rows)
    width = len(COLUMNS[by]) if by != "day" else 1
    groups = [
        UsageGroup(_written(by, row[:width]), names.get(row[0]), summary)
        for row, summary in zip(rows, each, strict=True)
    ]
    groups.sort(key=lambda g: (g.key,) if by == "day" else (-g.summary.calls, g.key))
    return whole, groups


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
