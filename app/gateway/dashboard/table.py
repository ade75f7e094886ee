"""Usage records as a table for a spreadsheet."""

import csv
import io
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from datetime import datetime
from typing import Any

COLUMNS = (
    "started_at",
    "user",
    "mode",
    "purpose",
    "server",
    "model",
    "outcome",
    "error",
    "input_tokens",
    "output_tokens",
    "cached_tokens",
    "reasoning_tokens",
    "estimated",
    "saved_tokens",
    "saved_rub",
    "first_token_s",
    "total_s",
    "generation_s",
    "cost_rub",
    "cost_amount",
    "cost_currency",
    "cache",
    "streaming",
    "parallel",
    "finish_reason",
    "thread_id",
    "turn_id",
    "key_id",
    "id",
)
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_ROWS = 500
_BYTE_ORDER_MARK = "\N{ZERO WIDTH NO-BREAK SPACE}"
"""Tells spreadsheets that this is UTF-8."""


async def csv_of(records: AsyncGenerator[Mapping[str, Any], None]) -> AsyncGenerator[bytes, None]:
    """The records as CSV, some hundreds of rows at a time; what is not known is an empty cell."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    buffer.write(_BYTE_ORDER_MARK)
    writer.writerow(COLUMNS)
    waiting = 0
    async with aclosing(records):
        async for record in records:
            writer.writerow([_cell(record.get(column)) for column in COLUMNS])
            waiting += 1
            if waiting == _ROWS:
                yield buffer.getvalue().encode()
                buffer.seek(0)
                buffer.truncate()
                waiting = 0
    yield buffer.getvalue().encode()


def _cell(value: Any) -> str:
    match value:
        case None:
            return ""
        case datetime():
            return value.isoformat()
        case bool():
            return str(int(value))
        case str() if value.startswith(_FORMULA):
            return f"'{value}"  # a name is never a formula
        case _:
            return str(value) if not hasattr(value, "as_tuple") else format(value.normalize(), "f")
