"""The days a person chose, as a span of time."""

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from app.core.reports import UsageFilter


def usage_filter(
    first: date | None, last: date | None, zone: str, user_id: str | None
) -> UsageFilter:
    """From the beginning of `first` to the end of `last` in that IANA zone; UTC where it is unknown."""
    try:
        known = ZoneInfo(zone)
    except (KeyError, ValueError, OSError):
        zone, known = "UTC", ZoneInfo("UTC")
    return UsageFilter(
        since=_midnight(first, known) if first else None,
        until=_midnight(last + timedelta(days=1), known) if last and last < date.max else None,
        user_id=user_id,
        zone=zone,
    )


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time.min, tzinfo=zone)
