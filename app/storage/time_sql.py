"""Arithmetic on stored times that both databases do alike."""

import sqlite3
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import BigInteger, ColumnElement, Float, case, literal
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

_DAY = timedelta(days=1)
_QUARTER = timedelta(minutes=15)
"""Clocks change on a quarter of an hour everywhere."""


class seconds_since_epoch(FunctionElement[float]):  # noqa: N801 - named as SQL functions are
    """A stored time as seconds, with their fraction."""

    type = Float()
    inherit_cache = True


@compiles(seconds_since_epoch, "sqlite")
def _seconds_sqlite(element: Any, compiler: Any, **kw: Any) -> str:
    return f"((julianday({compiler.process(element.clauses, **kw)}) - 2440587.5) * 86400.0)"


@compiles(seconds_since_epoch, "postgresql")
def _seconds_postgresql(element: Any, compiler: Any, **kw: Any) -> str:
    return (
        f"CAST(EXTRACT(EPOCH FROM {compiler.process(element.clauses, **kw)}) AS DOUBLE PRECISION)"
    )


class day_since_epoch(FunctionElement[int]):  # noqa: N801
    """The number of the day, from 1970-01-01, of (a stored time, plus so many seconds)."""

    type = BigInteger()
    inherit_cache = True


@compiles(day_since_epoch, "sqlite")
def _day_sqlite(element: Any, compiler: Any, **kw: Any) -> str:
    moment, offset = (compiler.process(clause, **kw) for clause in element.clauses)
    whole_seconds = f"substr({moment}, 1, 19)"
    epoch = (
        f"unixepoch({whole_seconds})"
        if sqlite3.sqlite_version_info >= (3, 38)
        else f"CAST(strftime('%s', {whole_seconds}) AS INTEGER)"
    )
    return f"(({epoch} + {offset}) / 86400)"


@compiles(day_since_epoch, "postgresql")
def _day_postgresql(element: Any, compiler: Any, **kw: Any) -> str:
    moment, offset = (compiler.process(clause, **kw) for clause in element.clauses)
    return f"CAST(FLOOR((EXTRACT(EPOCH FROM {moment}) + {offset}) / 86400) AS BIGINT)"


UtcOffsets = Sequence[tuple[datetime, int]]
"""A zone's offsets from UTC over a period, as `utc_offsets` gives them."""


def local_day(moment: ColumnElement[datetime], offsets: UtcOffsets) -> ColumnElement[int]:
    """The day of `moment` of people whose clocks have those offsets, from 1970-01-01."""
    *changes, (_, now) = offsets
    if not changes:
        return day_since_epoch(moment, literal(now))
    offset = case(
        *((moment < end, literal(seconds)) for end, seconds in changes), else_=literal(now)
    )
    return day_since_epoch(moment, offset)


def local_day_of_hour(hour: ColumnElement[int], offsets: UtcOffsets) -> ColumnElement[int]:
    """The same of an hour as `hour_of` gives it, where the offsets are whole hours."""
    *changes, (_, now) = offsets
    offset: ColumnElement[int] = literal(now // 3600)
    if changes:
        before = ((hour < hour_of(end), literal(seconds // 3600)) for end, seconds in changes)
        offset = case(*before, else_=offset)
    return (hour + offset) // 24


def hour_of(moment: datetime) -> int:
    """The number of the hour from 1970-01-01, UTC."""
    return int(moment.timestamp() // 3600)


def in_whole_hours(since: datetime, offsets: UtcOffsets) -> bool:
    """Whether a period from `since`, and each of its days by those offsets, begins with an hour of UTC."""
    begins = (since, *(end for end, _ in offsets))
    whole = all(moment.timestamp() % 3600 == 0 for moment in begins)
    return whole and all(seconds % 3600 == 0 for _, seconds in offsets)


def utc_offsets(since: datetime, until: datetime, zone: ZoneInfo) -> list[tuple[datetime, int]]:
    """The zone's offsets from UTC in seconds, each with the moment until which it holds."""
    found: list[tuple[datetime, int]] = []
    moment = since.replace(minute=0, second=0, microsecond=0)
    current = _offset(moment, zone)
    while moment < until:
        step = _DAY if _offset(moment + _DAY, zone) == current else _QUARTER
        moment += step
        if (offset := _offset(moment, zone)) != current:
            found.append((moment, current))
            current = offset
    return [*found, (until, current)]


def _offset(moment: datetime, zone: ZoneInfo) -> int:
    local, utc = moment.astimezone(zone), moment.astimezone(UTC)
    return int((local.replace(tzinfo=None) - utc.replace(tzinfo=None)).total_seconds())
