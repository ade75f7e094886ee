"""What SQL adds up is what adding the records up one by one gives, on both databases."""

import time
from collections import defaultdict
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import pytest_asyncio

from app.core.reports import UsageFilter, UsageSummary
from app.gateway.dashboard import usage_filter
from app.storage.tables import threads, usage, users
from app.storage.time_sql import utc_offsets
from app.storage.usage import StoredUsage, percentile
from tests.usage_samples import END, HITS, USERS, usage_rows

ROWS = list(usage_rows(600, days=10))
ALL = UsageFilter()


async def keep(storage, rows):
    people = [
        {"id": id, "identifier": name.lower(), "display_name": name, "role": "user"}
        | {"metadata": {}, "created_at": END}
        for id, name in USERS.items()
    ]

    def work(connection):
        connection.execute(users.insert(), people)
        connection.execute(usage.insert(), rows)

    await storage.database.write(work)


@pytest_asyncio.fixture
async def reports(storage):
    await keep(storage, ROWS)
    return StoredUsage(storage.database)


def total(rows, name):
    known = [row[name] for row in rows if row[name] is not None]
    return sum(known) if known else None


def expected(rows):
    """The summary, by the slow and plain way."""
    asked = [row for row in rows if row["cache"] not in HITS]
    hits = [row for row in rows if row["cache"] in HITS]
    times = sorted(round(r["first_token_s"], 3) for r in asked if r["first_token_s"] is not None)

    def rank(percent):
        return times[-(-len(times) * percent // 100) - 1] if times else None

    tokens = seconds = 0
    for row in asked:
        if row["output_tokens"]:
            tokens += row["output_tokens"]
            seconds += row["generation_s"] or row["total_s"] - row["first_token_s"]
    return UsageSummary(
        calls=len(rows),
        turns=len({row["turn_id"] for row in rows}),
        input_tokens=total(rows, "input_tokens"),
        output_tokens=total(rows, "output_tokens"),
        cached_tokens=total(rows, "cached_tokens"),
        cost_rub=total(rows, "cost_rub"),
        unpriced=sum(row["cost_rub"] is None for row in asked),
        tokens_per_second=pytest.approx(tokens / seconds) if tokens else None,  # type: ignore[arg-type]  # stands for a float
        first_token_median_s=rank(50),
        first_token_p95_s=rank(95),
        failed=sum(row["outcome"] == "failed" for row in rows),
        stopped=sum(row["outcome"] == "stopped" for row in rows),
        cache_exact=sum(row["cache"] == "exact" for row in rows),
        cache_near=sum(row["cache"] == "near" for row in rows),
        cache_taken=sum(row["cache"] == "taken" for row in rows),
        cache_missed=sum(row["cache"] == "miss" for row in rows),
        streaming=sum(row["streaming"] for row in rows),
        parallel=sum(row["parallel"] > 1 for row in rows),
        most_parallel=max((row["parallel"] for row in rows), default=None),
        saved_by_compression=total(asked, "saved_tokens"),
        saved_by_cache=total(hits, "saved_tokens"),
        saved_rub=total(rows, "saved_rub"),
    )


async def test_the_summary_is_exact(reports):
    assert await reports.summary(ALL) == expected(ROWS)


async def test_the_days_come_with_the_summary_of_all(reports):
    over = UsageFilter(zone="Europe/Kyiv")
    assert await reports.days(over) == (expected(ROWS), await reports.groups(over, "day"))


async def test_one_users_summary_counts_their_records_alone(reports):
    own = [row for row in ROWS if row["user_id"] == "u-anna"]
    assert await reports.summary(UsageFilter(user_id="u-anna")) == expected(own)


async def test_one_threads_summary_is_its_owners_alone(reports):
    thread, user = next((r["thread_id"], r["user_id"]) for r in ROWS if r["thread_id"])
    own = [row for row in ROWS if row["thread_id"] == thread and row["user_id"] == user]
    summary = await reports.summary(UsageFilter(user_id=user, thread_id=thread))
    assert summary == replace(expected(own), estimated=sum(row["estimated"] for row in own))
    assert 0 < (summary.estimated or 0) < len(own)
    nobodys = await reports.summary(UsageFilter(user_id="u-nobody", thread_id=thread))
    assert nobodys.calls == 0


@pytest.mark.parametrize(
    ("by", "key"),
    [
        ("model", lambda row: f"{row['server']}/{row['model']}"),
        ("server", lambda row: row["server"]),
        ("mode", lambda row: row["mode"]),
        ("user", lambda row: row["user_id"]),
        (
            "day",
            lambda row: row["started_at"].astimezone(ZoneInfo("Europe/Kyiv")).date().isoformat(),
        ),
    ],
)
async def test_groups_are_exact_and_in_order(reports, by, key):
    wanted = defaultdict(list)
    for row in ROWS:
        wanted[key(row)].append(row)
    groups = await reports.groups(UsageFilter(zone="Europe/Kyiv"), by)
    assert {group.key: group.summary for group in groups} == {
        name: replace(expected(rows), turns=None) for name, rows in wanted.items()
    }
    keys = [group.key for group in groups]
    by_size = sorted(wanted, key=lambda name: (-len(wanted[name]), name))
    assert keys == (sorted(wanted) if by == "day" else by_size)
    assert {g.label for g in groups} == (set(USERS.values()) if by == "user" else {None})


async def test_a_period_takes_its_beginning_and_not_its_end(reports):
    since, until = ROWS[100]["started_at"], ROWS[300]["started_at"]
    summary = await reports.summary(UsageFilter(since, until))
    assert summary == expected(ROWS[100:300])


async def test_sums_of_money_lose_no_kopeck(storage):
    rows = list(usage_rows(50, seed=7))
    for row in rows:
        row["cost_rub"] = (
            Decimal("0.000000001") if row is rows[0] else Decimal("90071992.547409931")
        )
    await keep(storage, rows)
    summary = await StoredUsage(storage.database).summary(ALL)
    assert summary.cost_rub == Decimal("90071992.547409931") * 49 + Decimal("0.000000001")


async def test_days_follow_the_clock_through_its_change(storage):
    zone = ZoneInfo("Europe/Kyiv")  # 2026-10-25, 04:00 -> 03:00
    moments = [
        datetime(2026, 10, 24, 23, 59, 59, 999_999, tzinfo=zone),
        datetime(2026, 10, 25, 0, 0, tzinfo=zone),
        datetime(2026, 10, 25, 23, 59, 59, 999_700, tzinfo=zone),
        datetime(2026, 10, 26, 0, 0, tzinfo=zone),
    ]
    rows = [row | {"started_at": at} for row, at in zip(usage_rows(4), moments, strict=True)]
    await keep(storage, rows)
    groups = await StoredUsage(storage.database).groups(UsageFilter(zone="Europe/Kyiv"), "day")
    counts = {group.key: group.summary.calls for group in groups}
    assert counts == {"2026-10-24": 1, "2026-10-25": 2, "2026-10-26": 1}


def test_the_offsets_of_a_zone_are_cut_where_its_clock_changes():
    since = datetime(2026, 1, 1, 0, 30, tzinfo=UTC)
    found = utc_offsets(since, since + timedelta(days=365), ZoneInfo("Europe/Kyiv"))
    assert [(end.isoformat(), seconds // 3600) for end, seconds in found[:-1]] == [
        ("2026-03-29T01:00:00+00:00", 2),
        ("2026-10-25T01:00:00+00:00", 3),
    ]
    assert found[-1][1] == 7200
    assert len(utc_offsets(since, since, ZoneInfo("UTC"))) == 1


async def test_the_slowest_and_the_dearest_turns_come_whole(storage, reports):
    by_turn = defaultdict(list)
    for row in ROWS:
        by_turn[row["turn_id"]].append(row)

    def took(rows):
        ends = [row["started_at"] + timedelta(seconds=row["total_s"]) for row in rows]
        return (max(ends) - min(row["started_at"] for row in rows)).total_seconds()

    thread: dict[str, Any] = {
        "id": "thread-3",
        "user_id": "u-anna",
        "title": "Про чай",
        "metadata": {},
        "tags": [],
    }
    thread |= {"created_at": END, "active_at": END}
    await storage.database.write(lambda c: c.execute(threads.insert(), thread).close())
    slowest = await reports.turns(ALL, "slowest", 300)
    seconds = [turn.seconds for turn in slowest]
    assert seconds == pytest.approx(sorted(map(took, by_turn.values()), reverse=True), abs=1e-3)
    dearest = await reports.turns(ALL, "dearest", 5)
    costs = sorted((total(rows, "cost_rub") or 0 for rows in by_turn.values()), reverse=True)
    assert [turn.cost_rub for turn in dearest] == costs[:5]
    for turn in slowest:
        rows = by_turn[turn.turn_id]
        assert turn.calls == len(rows)
        assert turn.input_tokens == total(rows, "input_tokens")
        assert turn.model == f"{rows[0]['server']}/{rows[0]['model']}"
        assert turn.user == USERS[rows[0]["user_id"]]
        kept = rows[0]["thread_id"] == "thread-3"
        assert (turn.thread_id, turn.title) == (("thread-3", "Про чай") if kept else (None, None))


async def test_the_records_come_oldest_first_in_portions(storage):
    rows = list(usage_rows(2500, days=0.01))
    for row in rows[900:1200]:
        row["started_at"] = rows[900]["started_at"]  # a portion ends in the middle of a moment
    await keep(storage, rows)
    read = [row async for row in StoredUsage(storage.database).records(ALL)]
    assert [row["started_at"] for row in read] == [row["started_at"] for row in rows]
    assert {row["id"] for row in read} == {row["id"] for row in rows}
    assert read[0]["user"] == USERS[rows[0]["user_id"]].lower()


async def test_an_empty_database_has_an_empty_report(storage):
    reports = StoredUsage(storage.database)
    assert await reports.summary(ALL) == UsageSummary()
    for by in ("model", "day", "user"):
        assert await reports.groups(ALL, by) == []
    assert await reports.days(ALL) == (UsageSummary(), [])
    assert await reports.turns(ALL, "slowest", 10) == []
    assert [row async for row in reports.records(ALL)] == []


def test_percentiles_are_of_the_nearest_rank():
    assert percentile([10], 50) == 0.01
    assert percentile([10, 20, 20, 30], 50) == 0.02
    assert percentile(range(1, 101), 95) == 0.095
    assert percentile([], 95) is None


@pytest.mark.parametrize("zone", ["UTC", "Europe/Kyiv", "Asia/Kathmandu", "America/New_York"])
@pytest.mark.parametrize("years", [(1, 9999), (2, 9998), (1900, 2500)])
async def test_a_period_of_thousands_of_years_is_answered_at_once(storage, zone, years):
    await keep(storage, ROWS)
    reports = StoredUsage(storage.database)
    first, last = (date(year, 1, 1) for year in years)
    over = usage_filter(first, last.replace(month=12, day=31), zone, None)
    start = time.process_time()
    whole, days = await reports.days(over)
    assert await reports.summary(over) == expected(ROWS)
    assert whole.calls == len(ROWS)
    assert sum(day.summary.calls for day in days) == len(ROWS)
    assert len(await reports.turns(over, "slowest", 3)) == 3
    assert len([row async for row in reports.records(over)]) == len(ROWS)
    assert time.process_time() - start < 5, "walking from day to day took 35 s"


async def test_a_period_without_records_is_empty_on_either_side_of_them(storage):
    await keep(storage, ROWS)
    reports = StoredUsage(storage.database)
    for year in (1971, 2999):
        over = usage_filter(date(year, 1, 1), date(year, 12, 31), "Europe/Kyiv", None)
        assert (await reports.summary(over)).calls == 0
        assert (await reports.days(over))[1] == []
