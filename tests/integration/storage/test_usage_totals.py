"""The totals that SQLite keeps beside the records say what the records say."""

from dataclasses import replace
from datetime import timedelta

import pytest

from app.core.models import ModelRef
from app.core.usage import CallRecord, Outcome, Purpose
from app.gateway.dashboard import usage_filter
from app.storage.database import Database
from app.storage.migrations import apply
from app.storage.storage import Storage
from app.storage.tables import usage
from app.storage.transfer import export_to, import_from
from app.storage.usage import StoredUsage
from app.storage.usage_totals import MAX_FIRST_TOKEN_TIMES, hours
from tests.integration.storage.conftest import sqlite_url
from tests.integration.storage.test_usage_queries import ROWS, expected, keep
from tests.usage_samples import END, usage_rows

OUTCOME = Outcome.COMPLETED
LAST = END.date()
TEN_DAYS = (LAST - timedelta(days=10), LAST)


@pytest.mark.parametrize("zone", ["Europe/Kyiv", "UTC", "America/New_York", "Asia/Kathmandu"])
@pytest.mark.parametrize("user", [None, "u-anna"])
async def test_local_days_add_up_whether_they_begin_with_an_hour_or_not(storage, zone, user):
    await keep(storage, ROWS)
    over = usage_filter(LAST - timedelta(days=6), LAST - timedelta(days=2), zone, user)
    within = [
        row
        for row in ROWS
        if over.since <= row["started_at"] < over.until and user in (None, row["user_id"])
    ]
    whole, days = await StoredUsage(storage.database).days(over)
    assert whole == expected(within)
    assert sum(day.summary.calls for day in days) == len(within)


async def test_records_from_before_the_totals_are_in_them(tmp_path):
    database = Database(sqlite_url(tmp_path))
    await apply.upgrade(database, "0004_cached_answers")
    await database.write(lambda c: c.execute(usage.insert(), ROWS[:400]).close())
    await apply.upgrade(database)
    await database.write(lambda c: c.execute(usage.insert(), ROWS[400:]).close())
    reports = StoredUsage(database)
    over = usage_filter(*TEN_DAYS, "Europe/Kyiv", None)
    assert await reports.summary(over) == expected(ROWS)
    assert sum(g.summary.calls for g in await reports.groups(over, "model")) == len(ROWS)
    await database.aclose()


async def test_totals_come_anew_with_an_import(tmp_path):
    url = sqlite_url(tmp_path)
    storage = await Storage(url, tmp_path).open()
    await keep(storage, ROWS)
    await export_to(storage, tmp_path / "all.zip")
    await import_from(storage, tmp_path / "all.zip")
    over = usage_filter(*TEN_DAYS, "Europe/Kyiv", None)
    assert await StoredUsage(storage.database).summary(over) == expected(ROWS)
    await storage.aclose()


async def test_a_record_written_twice_counts_once(storage):
    call = CallRecord("c1", Purpose.SUMMARY, ModelRef("o", "m"), ROWS[0]["started_at"], OUTCOME)
    again = replace(call, id="c2", total_s=2.5)
    for calls in ([call], [call, again], [again]):
        await storage.usage.add("t", "u", "turn", calls)
    reports = StoredUsage(storage.database)
    over = usage_filter(*TEN_DAYS, "UTC", "u")
    summary = await reports.summary(over)
    assert (summary.calls, summary.turns, summary.unpriced) == (2, 1, 2)
    (slowest,) = await reports.turns(over, "slowest", 5)
    assert (slowest.calls, slowest.seconds) == (2, 2.5)
    assert await reports.turns(over, "dearest", 5) == []


async def test_of_a_very_busy_hour_the_first_times_stand_for_it(tmp_path):
    storage = await Storage(sqlite_url(tmp_path), tmp_path).open()
    rows = list(usage_rows(2 * MAX_FIRST_TOKEN_TIMES, days=0.03, end=END - timedelta(minutes=1)))
    for number, row in enumerate(rows):
        row |= {"user_id": "u-anna", "mode": "chat", "cache": None, "first_token_s": number / 1000}
    await keep(storage, rows)
    kept = await storage.database.read(lambda c: c.execute(hours.select()).all())
    whole = next(row for row in kept if row.kind == "whole")
    times = [int(time) for time in whole.first_tokens_ms.split(",")]
    assert whole.calls == len(rows)
    assert MAX_FIRST_TOKEN_TIMES <= len(times) < len(rows)
    assert times == list(range(len(times)))
    await storage.aclose()
