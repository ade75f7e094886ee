"""What model calls took, kept for ever, and what it adds up to.

Sums are SQL's, over whole numbers, so that money stays exact. A period of whole hours is read from the
totals where the database keeps them, all else from the records, once each. For percentiles the times
of a group come in whole milliseconds, joined into one text by the pass that made the sums: exact to a
millisecond, and some five bytes a record.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from dataclasses import fields, replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from itertools import chain
from typing import Any, Literal
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, RowMapping, Select, and_, bindparam, case, func, select

from app.core.keys import payer
from app.core.reports import Dimension, TurnUsage, UsageFilter, UsageGroup, UsageSummary
from app.core.usage import CallRecord
from app.storage.database import Database, upsert
from app.storage.rows import AnyRow, call_values
from app.storage.tables import threads, usage, users
from app.storage.time_sql import UtcOffsets, in_whole_hours, utc_offsets
from app.storage.usage_sql import COLUMNS, Records, Totals, matching, sums

_DERIVED = ("turns", "estimated", "tokens_per_second", "first_token_median_s", "first_token_p95_s")
_COPIED = tuple(field.name for field in fields(UsageSummary) if field.name not in _DERIVED)


_ANSWERS = ("answer", "synthesis", "dialogue")
_PORTION = 1000

_OF_THREAD = select(
    func.count(usage.c.turn_id.distinct()).label("turns"),
    func.count(case((usage.c.estimated, 1))).label("estimated"),
    *sums(),
).where(
    usage.c.thread_id == bindparam("thread"),
    # not by the user's index: a thread has far fewer records
    func.coalesce(usage.c.user_id, "") == func.coalesce(bindparam("user"), usage.c.user_id, ""),
)
"""Made once: the panel asks for it with every turn."""


class StoredUsage:
    """The kept usage records, added up, and those made outside of turns (`core.ports.UsageLog`); calls
    of turns are kept by the turns themselves. Sums are exact; percentiles are exact to a millisecond,
    where a store keeps the times of an hour, those of its first 250 calls."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(
        self,
        thread_id: str | None,
        user_id: str | None,
        turn_id: str | None,
        calls: Sequence[CallRecord],
    ) -> None:
        """Keeps calls made outside a turn, or after it: the gateway's, titles, summaries. Those made
        for a key are booked to it and to its user.

        An id never counts twice. Raises StorageUnavailable.
        """
        key = paying.key if (paying := payer()) is not None else None
        key_id, owner = (key.id, key.user_id) if key is not None else (None, None)
        asked = {
            "user_id": user_id or owner,
            "key_id": key_id,
            "thread_id": thread_id,
            "turn_id": turn_id,
        }
        rows = [call_values(call) | asked for call in calls]
        await self._database.write(lambda c: upsert(c, usage, rows, ["id"], []))

    async def summary(self, over: UsageFilter) -> UsageSummary:
        """Everything that matches, as one."""
        if over.thread_id is not None and over.since is over.until is None:
            return await self._database.read(partial(_of_thread, over.thread_id, over.user_id))
        rows, turns = await self._database.read(lambda c: self._sums(c, over, None))
        whole, _ = await asyncio.to_thread(summaries, rows)
        return replace(whole, turns=turns)

    async def days(self, over: UsageFilter) -> tuple[UsageSummary, list[UsageGroup]]:
        """The summary and the groups by day at the price of one."""
        rows, turns = await self._database.read(lambda c: self._sums(c, over, "day"))
        whole, groups = await _groups(rows, "day", {})
        return replace(whole, turns=turns), groups

    async def groups(self, over: UsageFilter, by: Dimension) -> list[UsageGroup]:
        """The same by model, server, mode, user or day: days in order, the rest by calls, most first.

        A day without calls is not there.
        """

        def work(connection: Connection) -> tuple[Sequence[AnyRow], Mapping[str, str]]:
            source, period, offsets = self._source(connection, over)
            rows = connection.execute(source.grouped(period, by, offsets)).all()
            return rows, _names(connection, [row[0] for row in rows]) if by == "user" else {}

        rows, names = await self._database.read(work)
        return (await _groups(rows, by, names))[1]

    async def turns(
        self, over: UsageFilter, order: Literal["slowest", "dearest"], limit: int
    ) -> list[TurnUsage]:
        """The turns that took longest, or cost most."""

        def work(connection: Connection) -> list[TurnUsage]:
            source, period, _ = self._source(connection, over)
            found = connection.execute(source.top_turns(period, order, limit)).all()
            calls = _calls_of(connection, found)
            names = _names(connection, [row.user_id for row in calls])
            by_turn: dict[str, list[AnyRow]] = defaultdict(list)
            for row in calls:
                by_turn[row.turn_id].append(row)
            return [_turn(by_turn[row.turn_id], names) for row in found]

        return await self._database.read(work)

    async def records(self, over: UsageFilter) -> AsyncGenerator[Mapping[str, Any], None]:
        """Every record that matches, oldest first, a row a call, for a table elsewhere: a portion at a
        time, each read anew, so that a slow reader holds no connection."""
        query = (
            select(usage, users.c.identifier.label("user"))
            .outerjoin(users, users.c.id == usage.c.user_id)
            .where(matching(over))
            .order_by(usage.c.started_at, usage.c.id)
            .limit(_PORTION)
        )
        portion = query
        while True:
            rows = await self._database.read(partial(_mappings, portion))
            for row in rows:
                yield dict(row)
            if len(rows) < _PORTION:
                return
            last = rows[-1]
            same_moment = and_(usage.c.started_at == last["started_at"], usage.c.id > last["id"])
            portion = query.where((usage.c.started_at > last["started_at"]) | same_moment)

    def _sums(
        self, connection: Connection, over: UsageFilter, by: Dimension | None
    ) -> tuple[Sequence[AnyRow], int | None]:
        """The sums of each group, and how many turns there were."""
        source, over, offsets = self._source(connection, over)
        rows = connection.execute(source.grouped(over, by, offsets)).all()
        return rows, connection.scalar(source.turn_count(over))

    def _source(
        self, connection: Connection, over: UsageFilter
    ) -> tuple[Records | Totals, UsageFilter, UtcOffsets]:
        """Where to read what of that period has records, and its offsets: however long a period is
        asked for, days without any cost nothing."""
        first, last = (
            select(end(usage.c.started_at)).scalar_subquery() for end in (func.min, func.max)
        )
        ends = connection.execute(select(first, last)).one()
        begin = _hour(ends[0] or datetime.now(UTC))
        end = _hour(ends[1] or begin) + timedelta(hours=1)
        since = max(over.since or begin, begin)
        until = max(min(over.until or end, end), since)
        over = replace(over, since=since, until=until)
        offsets = utc_offsets(since, until, ZoneInfo(over.zone))
        kept = self._database.sqlite and over.thread_id is None
        return Totals() if kept and in_whole_hours(since, offsets) else Records(), over, offsets


def _of_thread(thread_id: str, user_id: str | None, connection: Connection) -> UsageSummary:
    (row,) = connection.execute(_OF_THREAD, {"thread": thread_id, "user": user_id})
    return replace(summaries([row])[0], turns=row.turns, estimated=row.estimated)


def _mappings(query: Select[Any], connection: Connection) -> Sequence[RowMapping]:
    return connection.execute(query).mappings().all()


def _hour(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0)


async def _groups(
    rows: Sequence[AnyRow], by: Dimension, names: Mapping[str, str]
) -> tuple[UsageSummary, list[UsageGroup]]:
    """In a thread: putting 100,000 times in order takes longer than a token may wait."""
    whole, each = await asyncio.to_thread(summaries, rows)
    width = len(COLUMNS[by]) if by != "day" else 1
    groups = [
        UsageGroup(_group_key(by, row[:width]), names.get(row[0]), summary)
        for row, summary in zip(rows, each, strict=True)
    ]
    groups.sort(key=lambda g: (g.key,) if by == "day" else (-g.summary.calls, g.key))
    return whole, groups


def _names(connection: Connection, ids: Iterable[str | None]) -> dict[str, str]:
    wanted = {user_id for user_id in ids if user_id is not None}
    rows = connection.execute(
        select(users.c.id, users.c.display_name, users.c.identifier).where(users.c.id.in_(wanted))
    )
    return {row.id: row.display_name or row.identifier for row in rows}


def _calls_of(connection: Connection, turns: Sequence[AnyRow]) -> Sequence[AnyRow]:
    """All calls of those turns, in order, with their threads' titles."""
    query = (
        select(usage, threads.c.id.label("kept_thread"), threads.c.title)
        .outerjoin(threads, threads.c.id == usage.c.thread_id)
        .where(usage.c.thread_id.in_([row.thread_id for row in turns]))
        .where(usage.c.turn_id.in_([row.turn_id for row in turns]))
        .order_by(usage.c.started_at)
    )
    return connection.execute(query).all()


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


def _group_key(by: Dimension, key: Sequence[Any]) -> str:
    if by == "day":
        return (date(1970, 1, 1) + timedelta(days=int(key[0]))).isoformat()
    return "/".join(part or "" for part in key)


def summaries(rows: Sequence[AnyRow]) -> tuple[UsageSummary, list[UsageSummary]]:
    """The summary of all groups together, and of each."""
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


def _summary(found: Mapping[Any, Any], times: Sequence[int]) -> UsageSummary:
    tokens = found["timed_tokens"]
    return UsageSummary(
        turns=None,
        **{name: found[name] for name in _COPIED},
        tokens_per_second=tokens / found["timed_s"] if tokens else None,
        first_token_median_s=percentile(times, 50),
        first_token_p95_s=percentile(times, 95),
    )


def percentile(milliseconds: Sequence[int], percent: int) -> float | None:
    """The seconds that `percent` of these times, in order, do not exceed."""
    if not milliseconds:
        return None
    return milliseconds[-(-len(milliseconds) * percent // 100) - 1] / 1000
