"""Arithmetic on stored times that both databases do alike."""

import sqlite3
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import BigInteger, ColumnElement, Float, case, literal
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

_DAY = timedelta(days=1)
_QUARTER = timedelta(minutes=15)
"""Clocks change on a quarter of an hour everywhere."""


class seconds_since_epoch(FunctionElement[float]):
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


class day_since_epoch(FunctionElement[int]):
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


def local_day(
    moment: ColumnElement[datetime], since: datetime, until: datetime, zone: str
) -> ColumnElement[int]:
    """The day of `moment` (between the two) as people of that time zone count it, from 1970-01-01."""
    *changes, (_, now) = offsets(since, until, ZoneInfo(zone))
    if not changes:
        return day_since_epoch(moment, literal(now))
    offset = case(
        *((moment < end, literal(seconds)) for end, seconds in changes), else_=literal(now)
    )
    return day_since_epoch(moment, offset)


def offsets(since: datetime, until: datetime, zone: ZoneInfo) -> list[tuple[datetime, int]]:
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
