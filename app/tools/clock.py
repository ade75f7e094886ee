"""The tool `now`: the date and the time, which no model knows by itself."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from app.core.text import Text
from app.core.tools import Tool, ToolCaller, ToolResult
from app.core.turns import now

_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
"""In English whatever the machine's locale: a model reads it."""


def described(moment: datetime) -> str:
    """A moment as a model can reckon with it: `Sunday, 2026-11-29 04:05:06 UTC+02:00, week 48`."""
    written = moment.isoformat(" ", "seconds")
    return f"{_DAYS[moment.weekday()]}, {written[:19]} UTC{written[19:]}, week {moment.isocalendar().week}"


async def _call(arguments: Mapping[str, Any], _caller: ToolCaller) -> ToolResult:
    zone = str(arguments.get("timezone") or "").strip()
    if not zone:
        return ToolResult(f"{described(now().astimezone())} (the server's own time zone)")
    try:
        return ToolResult(f"{described(now().astimezone(ZoneInfo(zone)))} ({zone})")
    except (ZoneInfoNotFoundError, ValueError, OSError):  # a folder of the database is an OSError
        return ToolResult(f"no time zone is called {zone!r}; for example Europe/Kyiv", failed=True)


NOW = Tool(
    name="now",
    title=Text(ru="Дата и время", uk="Дата й час", en="Date and time"),
    description="Tells the present date, weekday and time. Use it whenever an answer depends on "
    "today's date or on the time.",
    schema={
        "type": "object",
        "properties": {
            "timezone": {
                "type": "string",
                "description": "An IANA name such as Europe/Kyiv; left out: the server's own",
            }
        },
        "additionalProperties": False,
    },
    call=_call,
    read_only=True,
)
