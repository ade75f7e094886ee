"""The dashboard shows a user their own figures and an administrator all."""

import csv
import io
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from fastapi import FastAPI
from httpx import ASGITransport, AsyncClient

from app.core.reports import TurnUsage, UsageGroup, UsageSummary
from app.core.votes import Compared, Vote
from app.gateway.dashboard import COLUMNS, VOTE_COLUMNS, dashboard_router, usage_filter
from app.gateway.dashboard_texts import TEXTS

PUBLIC = Path(__file__).parents[3] / "public"
SUMMARY = UsageSummary(calls=3, turns=2, cost_rub=Decimal("0.000000001"), input_tokens=10)
TURN = TurnUsage(
    turn_id="turn",
    thread_id="thread",
    title="Tea",
    user_id="anna",
    user="Anna",
    mode="chat",
    model="ollama/m",
    started_at=datetime(2026, 9, 30, tzinfo=UTC),
    seconds=1.5,
    calls=1,
    input_tokens=10,
    output_tokens=None,
    cost_rub=None,
)


SIDES = (Compared("=cmd()/m", 1.5, Decimal("0.25"), 10), Compared("b/n", None, None, None))


def a_vote(language, topic, *, winner, source="person"):
    return Vote("v", "anna", TURN.started_at, source, language, topic, True, SIDES, "won", winner)


@dataclass
class Person:
    user_id: str
    admin: bool = False


class FakeReports:
    def __init__(self):
        self.asked = []
        self.rows = [
            {"started_at": TURN.started_at, "model": "=cmd()", "cost_rub": Decimal("1E-9")}
        ]
        self.closed = 0
        self.votes = [
            *[a_vote("ru", "text", winner=0)] * 8,
            *[a_vote("uk", "code", winner=0)] * 8,
            *[a_vote("uk", "code", winner=1, source="judge")] * 30,
        ]

    async def summary(self, over):
        self.asked.append(over)
        return SUMMARY

    async def days(self, over):
        self.asked.append(over)
        return SUMMARY, [UsageGroup("2026-09-30", None, SUMMARY)]

    async def groups(self, over, by):
        self.asked.append((over, by))
        return [UsageGroup("2026-09-30", None, SUMMARY)]

    async def turns(self, over, order, limit):
        self.asked.append((order, limit))
        return [TURN, replace(TURN, turn_id="other", user_id="bob")]

    async def all(self, over):
        self.asked.append(over)
        return self.votes

    async def records(self, over):
        try:
            for row in self.rows:
                yield row
        finally:
            self.closed += 1


@pytest.fixture
def reports():
    return FakeReports()


@pytest.fixture
def client(reports):
    """A client of the routes; the header `x-user` says who it is, `admin` being one."""

    async def identify(request):
        name = request.headers.get("x-user")
        return Person(name, name == "admin") if name else None

    def make(address="127.0.0.1", language="uk-UA,uk;q=0.9"):
        app = FastAPI()
        app.include_router(dashboard_router(reports, reports, identify, PUBLIC))
        return AsyncClient(
            transport=ASGITransport(app, client=(address, 1)),
            base_url="http://test",
            headers={"accept-language": language},
        )

    return make


async def test_a_user_is_given_their_own_figures_and_an_administrator_all(client, reports):
    for name, user_id in (("anna", "anna"), ("admin", None)):
        answer = await client().get("/dashboard/api/summary", headers={"x-user": name})
        assert answer.json()["cost_rub"] == "0.000000001"
        assert answer.json()["output_tokens"] is None
        assert reports.asked[-1].user_id == user_id


async def test_the_period_is_of_whole_days_in_the_readers_zone(client, reports):
    await client().get(
        "/dashboard/api/groups/day",
        params={"from": "2026-10-24", "to": "2026-10-25", "zone": "Europe/Kyiv"},
        headers={"x-user": "anna"},
    )
    over, by = reports.asked[-1]
    assert by == "day"
    assert over.since.astimezone(UTC).isoformat() == "2026-10-23T21:00:00+00:00"
    assert over.until.astimezone(UTC).isoformat() == "2026-10-25T22:00:00+00:00"


def test_an_unknown_zone_is_utc_and_no_days_is_all_time():
    for zone in ("Mars/Olympus", "../../etc/passwd", ""):
        over = usage_filter(date(2026, 1, 1), None, zone, None)
        assert (over.since, over.until, over.zone) == (
            datetime(2026, 1, 1, tzinfo=UTC),
            None,
            "UTC",
        )
    assert usage_filter(None, date.max, "UTC", "u").until is None


@pytest.mark.parametrize(
    "path",
    [
        *("api/summary", "api/days", "api/groups/model", "api/turns", "usage.csv"),
        *("api/groups/user", "api/strengths", "votes.csv"),
    ],
)
async def test_nobody_is_given_nothing(client, reports, path):
    answer = await client().get(f"/dashboard/{path}")
    assert answer.status_code == 401
    assert reports.asked == []
    page = await client().get("/dashboard")
    assert (page.status_code, page.headers["location"]) == (303, "login")


@pytest.mark.parametrize("query", ["from=yesterday", "zone=" + "x" * 65, "limit=0", "order=best"])
async def test_a_wrong_question_is_refused(client, query):
    answer = await client().get(f"/dashboard/api/turns?{query}", headers={"x-user": "anna"})
    assert answer.status_code == 422
    wrong = await client().get("/dashboard/api/groups/colour", headers={"x-user": "anna"})
    assert wrong.status_code == 422


async def test_an_administrator_does_not_see_what_others_talk_about(client):
    answer = await client().get("/dashboard/api/turns", headers={"x-user": "anna"})
    mine, other = answer.json()
    assert (mine["title"], mine["thread_id"], mine["own"]) == ("Tea", "thread", True)
    assert (other["title"], other["thread_id"], other["own"]) == (None, None, False)
    assert mine["started_at"] == "2026-09-30T00:00:00+00:00"


async def test_the_table_opens_in_a_spreadsheet_and_runs_nothing_there(client, reports):
    answer = await client().get("/dashboard/usage.csv", headers={"x-user": "anna"})
    assert answer.headers["content-disposition"] == 'attachment; filename="konsilium-usage.csv"'
    assert answer.content.startswith("\N{ZERO WIDTH NO-BREAK SPACE}started_at".encode())
    (row,) = csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig")))
    assert tuple(row) == COLUMNS
    assert (row["model"], row["cost_rub"], row["user"]) == ("'=cmd()", "0.000000001", "")
    assert reports.closed == 1


@pytest.mark.parametrize(("tag", "language"), [("ru-RU", "ru"), ("uk", "uk"), ("de-DE,de", "en")])
async def test_the_page_speaks_the_readers_language(client, tag, language):
    answer = await client(language=tag).get("/dashboard", headers={"x-user": "anna"})
    assert f'<html lang="{language}"' in answer.text
    assert TEXTS["title"][language] in answer.text
    assert "{{" not in answer.text
    assert "--chart-1:" in answer.text


@pytest.mark.parametrize(
    ("asked", "votes", "first"),
    [
        ({}, 16, "=cmd()/m"),
        ({"language": "uk"}, 8, None),  # not enough for a number
        ({"topic": "text"}, 8, None),
        ({"source": "judge"}, 30, "b/n"),
    ],
)
async def test_strengths_are_of_one_kind_of_votes_and_of_the_questions_asked_for(
    client, asked, votes, first
):
    answer = await client().get(
        "/dashboard/api/strengths", params=asked, headers={"x-user": "anna"}
    )
    found = answer.json()
    assert found["votes"] == votes
    numbered = [one["model"] for one in found["models"] if one["strength"] is not None]
    assert numbered[:1] == ([first] if first else [])
    assert {one["votes"] for one in found["models"]} == {votes}


async def test_a_user_is_given_strengths_by_their_own_votes_and_an_administrator_by_all(
    client, reports
):
    for name, user_id in (("anna", "anna"), ("admin", None)):
        for path in ("api/strengths", "votes.csv"):
            await client().get(f"/dashboard/{path}", headers={"x-user": name})
            assert reports.asked[-1].user_id == user_id


async def test_the_table_of_votes_has_a_row_an_answer_and_runs_nothing(client):
    answer = await client().get("/dashboard/votes.csv", headers={"x-user": "anna"})
    assert answer.headers["content-disposition"] == 'attachment; filename="konsilium-votes.csv"'
    one, other, *_ = csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig")))
    assert tuple(one) == VOTE_COLUMNS
    assert (one["model"], one["won"], one["cost_rub"], one["seconds"]) == (
        "'=cmd()/m",
        "1",
        "0.25",
        "1.5",
    )
    assert (other["model"], other["won"], other["seconds"]) == ("b/n", "0", "")
