"""The Metrics tab in a real browser, its figures held against the records in the database."""

import csv
import io
from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import expect

from app.core.votes import Compared, Vote
from app.gateway.dashboard_texts import TEXTS
from tests.axe import wait_for_no_violations
from tests.dashboard_house import dashboard_house
from tests.e2e.conftest import picture, provokes, visitor
from tests.usage_samples import HITS, usage_rows

NOW = datetime.now(UTC)
ROWS = list(usage_rows(3000, days=40, end=NOW - timedelta(minutes=5)))
# Where it is day now: just after midnight nobody has asked anything yet today.
ZONE = ZoneInfo("Europe/Kyiv" if 6 <= NOW.hour < 19 else "Pacific/Auckland")


STRONG, WEAK, RARE = "ollama/qwen3:8b", "yandex/yandexgpt-lite", "openai/gpt-5"


def a_vote(number, sides, winner, language="ru"):
    told = tuple(Compared(name, 2.5, Decimal("0.12"), 100) for name in sides)
    at = NOW - timedelta(hours=1)
    return Vote(f"v{number}", "u-anna", at, "person", language, "text", True, told, "won", winner)


VOTES = [
    *[a_vote(n, (STRONG, WEAK), int(n % 4 == 0), "uk" if n < 3 else "ru") for n in range(40)],
    a_vote(40, (STRONG, RARE), 0),
]


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    with dashboard_house(tmp_path_factory.mktemp("house"), ROWS, votes=VOTES) as url:
        yield url


@pytest.fixture
def look(chromium):
    """Opens the dashboard as somebody would see it."""
    open_pages = []

    def look(url, *, query="", zone=ZONE.key, theme=None, **how):
        pages = visitor(chromium, f"{url}/public/favicon.svg", zone=zone, **how)
        page = next(pages)
        if theme:
            page.evaluate("theme => localStorage.setItem('vite-ui-theme', theme)", theme)
        problems: list[str] = []
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.goto(f"{url}/dashboard{query}")
        settled(page)
        assert problems == []
        open_pages.append(pages)
        return page

    yield look
    for pages in open_pages:
        next(pages, None)


def settled(page):
    expect(page.locator("main")).to_have_attribute("aria-busy", "false")


def figure(page, name):
    return page.locator(f'[data-figure="{name}"]').get_attribute("data-value")


def the_last(days):
    first_day = (NOW.astimezone(ZONE) - timedelta(days=days - 1)).date()
    return [row for row in ROWS if row["started_at"].astimezone(ZONE).date() >= first_day]


def total(rows, name):
    return sum(row[name] for row in rows if row[name] is not None)


def test_the_figures_are_those_of_the_database(look, house):
    page, rows = look(house), the_last(30)
    assert figure(page, "calls") == str(len(rows))
    assert figure(page, "tokens") == str(total(rows, "input_tokens") + total(rows, "output_tokens"))
    assert Decimal(figure(page, "cost_rub")) == total(rows, "cost_rub")
    assert figure(page, "failed") == str(sum(row["outcome"] == "failed" for row in rows))
    assert figure(page, "stopped") == str(sum(row["outcome"] == "stopped" for row in rows))
    assert figure(page, "cache") == str(sum(row["cache"] in HITS for row in rows))
    assert figure(page, "parallel") == str(sum(row["parallel"] > 1 for row in rows))
    assert figure(page, "streaming") == str(sum(row["streaming"] for row in rows))
    compressed = [row for row in rows if row["cache"] not in HITS]
    assert figure(page, "saved_by_compression") == str(total(compressed, "saved_tokens"))
    hits = [row for row in rows if row["cache"] in HITS]
    below = page.locator("#cards")
    for name, figures in (
        ("taken", [row for row in rows if row["cache"] == "taken"]),
        ("missed", [row for row in rows if row["cache"] == "miss"]),
    ):
        if figures:
            expect(below).to_contain_text(f"{TEXTS[name].ru}: {len(figures)}")
    if hits:
        expect(below).to_contain_text(TEXTS["spared"].ru)
        expect(below).to_contain_text(f"{TEXTS['saved_cache'].ru}: ")
    times = sorted(row["first_token_s"] for row in compressed if row["first_token_s"] is not None)
    assert float(figure(page, "first_token_median_s")) == pytest.approx(
        times[(len(times) + 1) // 2 - 1], abs=0.0006
    )


def test_the_charts_show_every_day(look, house):
    page, rows = look(house), the_last(30)
    days = Counter(row["started_at"].astimezone(ZONE).date() for row in rows)
    drawn = page.evaluate(
        """() => Chart.getChart(document.querySelector('[data-chart=requests]')).data.datasets
            .map(set => set.data).reduce((a, b) => a.map((value, i) => value + b[i]))"""
    )
    assert drawn == [days[day] for day in sorted(days)]
    assert len(drawn) == 30
    assert page.locator("canvas").count() == 4


def test_breakdowns_follow_the_tabs_and_a_reload_keeps_them(look, house):
    page, rows = look(house), the_last(30)
    for by, key in (
        ("model", lambda row: f"{row['server']}/{row['model']}"),
        ("server", lambda row: row["server"]),
        ("mode", lambda row: row["mode"]),
        ("user", lambda row: row["user_id"]),
        ("day", lambda row: row["started_at"].astimezone(ZONE).date().isoformat()),
    ):
        page.locator(f'#by [data-tab="{by}"]').click()
        settled(page)
        wanted = Counter(map(key, rows))
        lines = page.locator("#groups tbody tr")
        expect(lines).to_have_count(len(wanted))
        for line in lines.all():
            calls = line.locator("td").nth(1).inner_text()
            assert (
                int("".join(filter(str.isdigit, calls))) == wanted[line.get_attribute("data-key")]
            )
    page.reload()
    settled(page)
    expect(page.locator('#by [data-tab="day"]')).to_have_attribute("aria-pressed", "true")


def test_the_dearest_questions_lead_to_their_threads(look, house):
    page, rows = look(house), the_last(30)
    page.locator('#order [data-tab="dearest"]').click()
    settled(page)
    costs: dict[str, Decimal] = {}
    for row in rows:
        costs[row["turn_id"]] = costs.get(row["turn_id"], Decimal(0)) + (row["cost_rub"] or 0)
    shown = [line.get_attribute("data-turn") for line in page.locator("#turns tbody tr").all()]
    assert [costs[turn] for turn in shown] == sorted(costs.values(), reverse=True)[:10]
    threads = {row["turn_id"]: row["thread_id"] for row in rows}
    for line in page.locator("#turns tbody tr:has(a)").all():
        href = line.locator("a").get_attribute("href")
        assert href == f"thread/{threads[line.get_attribute('data-turn')]}"
    page.locator('#order [data-tab="slowest"]').click()
    settled(page)
    assert page.locator("#turns tbody tr").count() == 10


def test_periods_and_the_table_for_a_spreadsheet(look, house):
    page = look(house)
    for period, rows in (("today", the_last(1)), ("days_7", the_last(7)), ("all_time", ROWS)):
        page.locator("#period").select_option(period)
        settled(page)
        expect(page.locator('[data-figure="calls"]')).to_have_attribute(
            "data-value", str(len(rows))
        )
    with page.expect_download() as download:
        page.locator("#csv").click()
    text = download.value.path().read_text("utf-8-sig")
    table = list(csv.DictReader(io.StringIO(text)))
    assert len(table) == len(ROWS)
    assert sum(Decimal(line["cost_rub"] or 0) for line in table) == total(ROWS, "cost_rub")
    page.locator("#period").select_option("chosen_days")
    day = (NOW.astimezone(ZONE) - timedelta(days=3)).date()
    page.locator("#to").fill(day.isoformat())
    page.locator("#from").fill(day.isoformat())
    settled(page)
    there = sum(row["started_at"].astimezone(ZONE).date() == day for row in ROWS)
    expect(page.locator('[data-figure="calls"]')).to_have_attribute("data-value", str(there))


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("tag", ["ru-RU", "uk-UA", "en-US"])
def test_it_reads_well_in_every_language_theme_and_width(look, house, tag, dark, width):
    page = look(house, language=tag, dark=dark, width=width)
    picture(page, f"dashboard-{tag}-{'dark' if dark else 'light'}-{width}")
    language = tag[:2]
    expect(page.locator("h1")).to_have_text(TEXTS["title"][language])
    expect(page.locator("html")).to_have_attribute("lang", language)
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert page.evaluate("document.documentElement.classList.contains('dark')") is dark
    assert "undefined" not in page.locator("body").inner_text()
    assert "NaN" not in page.locator("body").inner_text()
    if tag == "uk-UA":
        wait_for_no_violations(page)


def test_the_chats_theme_goes_before_the_systems(look, house):
    page = look(house, dark=True, theme="light")
    assert page.evaluate("document.documentElement.className") == ""
    page = look(house, dark=False, theme="dark")
    assert page.evaluate("document.documentElement.className") == "dark"


def test_a_user_sees_their_own_and_no_other(look, tmp_path):
    with dashboard_house(tmp_path, ROWS, user_id="u-bohdan", admin=False) as url:
        page = look(url)
        own = [row for row in the_last(30) if row["user_id"] == "u-bohdan"]
        assert figure(page, "calls") == str(len(own))
        assert page.locator('#by [data-tab="user"]').count() == 0


def test_a_new_house_is_told_where_figures_come_from(look, tmp_path):
    with dashboard_house(tmp_path, []) as url:
        page = look(url, language="uk-UA")
        expect(page.get_by_test_id("notice")).to_contain_text(TEXTS["empty_hint"].uk)
        expect(page.locator("#figures")).to_be_hidden()
        picture(page, "dashboard-empty")


def test_a_server_that_went_away_is_said_and_asked_again(look, house):
    page = look(house)
    provokes(page, "net::ERR_FAILED", "TypeError: Failed to fetch")
    page.route("**/dashboard/api/**", lambda route: route.abort())
    page.locator("#period").select_option("days_7")
    settled(page)
    expect(page.get_by_test_id("notice")).to_contain_text(TEXTS["trouble"].ru)
    page.unroute("**/dashboard/api/**")
    page.get_by_test_id("notice").locator("button").click()
    settled(page)
    assert figure(page, "calls") == str(len(the_last(7)))


@pytest.mark.parametrize(
    ("tag", "dark", "width"),
    [("ru-RU", False, 1280), ("uk-UA", True, 390), ("en-US", True, 1280)],
)
def test_models_stand_by_their_votes_and_one_with_few_has_words_for_a_number(
    look, house, tag, dark, width
):
    page = look(house, language=tag, dark=dark, width=width)
    arena = page.get_by_test_id("arena")
    rows = arena.locator("tbody tr")
    expect(rows).to_have_count(3)
    assert [row.get_attribute("data-model") for row in rows.all()] == [STRONG, WEAK, RARE]
    few = TEXTS["few_votes"][tag[:2]]
    expect(rows.nth(2)).to_contain_text(few)
    expect(rows.nth(0)).not_to_contain_text(few)
    expect(rows.nth(0)).to_contain_text("–")
    arena.scroll_into_view_if_needed()
    picture(page, f"arena-{tag}-{width}")
    arena.locator("select[name=language]").select_option("uk")
    expect(rows).to_have_count(2)
    expect(rows.nth(0)).to_contain_text(few)
    with page.expect_download() as download:
        arena.locator("#votes-csv").click()
    told = list(csv.DictReader(io.StringIO(download.value.path().read_text("utf-8-sig"))))
    assert len(told) == 2 * len(VOTES)
