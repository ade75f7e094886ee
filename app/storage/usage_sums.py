"""The summary of what SQL added up, of each group and of all groups together.

For percentiles the times of a group come in whole milliseconds, joined into one text by the pass that
made the sums: exact to a millisecond, and some five bytes a record.
"""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from itertools import chain
from typing import Any

from sqlalchemy import Row

from app.core.reports import UsageSummary

AnyRow = Row[*tuple[Any, ...]]

_DERIVED = ("turns", "tokens_per_second", "first_token_median_s", "first_token_p95_s")
_COPIED = tuple(field.name for field in fields(UsageSummary) if field.name not in _DERIVED)


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
