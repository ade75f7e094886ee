"""The days a person chose, as a span of time."""

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from app.core.reports import UsageFilter

EARLIEST, LATEST = date(1970, 1, 1), date(9998, 12, 30)
"""Beyond these a period is open: no record is there, and a day's end may have no date in UTC."""


def usage_filter(
    first: date | None, last: date | None, zone: str, user_id: str | None
) -> UsageFilter:
    """From the beginning of `first` to the end of `last` in that IANA zone; UTC where it is unknown."""
    try:
        known = ZoneInfo(zone)
    except (KeyError, ValueError, OSError):
        zone, known = "UTC", ZoneInfo("UTC")
    return UsageFilter(
        since=_midnight(first, known) if first and first > EARLIEST else None,
        until=_midnight(last + timedelta(days=1), known) if last and last < LATEST else None,
        user_id=user_id,
        zone=zone,
    )


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time.min, tzinfo=zone)
