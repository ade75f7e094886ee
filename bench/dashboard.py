"""The dashboard over 100,000 usage records on SQLite: each of its queries, and the page in Chromium."""

import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from playwright.async_api import async_playwright

from app.core.usage import TokenGaps
from app.gateway.dashboard import usage_filter
from app.observability.prometheus import CallMetrics
from app.storage.storage import Storage
from app.storage.usage import StoredUsage
from bench.report import Report
from tests.dashboard_house import dashboard_house, fill
from tests.processes import browser_path
from tests.usage_samples import usage_rows

RECORDS = 100_000
QUERY_MS = 200.0
PAGE_S = 1.0
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking")


async def run(report: Report) -> None:
    """Queries one by one, then the page, cold browser first; Prometheus' figures before there are
    100,000 records in memory to be looked through for garbage."""
    _tokens(report)
    count = RECORDS // 20 if report.quick else RECORDS
    rows = list(usage_rows(count, end=datetime.now(UTC)))
    with tempfile.TemporaryDirectory() as folder:
        queries, page = Path(folder, "queries"), Path(folder, "page")
        await _queries(report, queries, rows)
        with dashboard_house(page, rows) as url:
            await _page(report, url)


async def _queries(report: Report, folder: Path, rows: list[dict[str, Any]]) -> None:
    url = f"sqlite+aiosqlite:///{folder / 'usage.db'}"
    storage = await Storage(url, folder).open()
    await fill(storage, rows)
    await storage.aclose()  # the page cache of a database just written is no measure
    storage = await Storage(url, folder).open()
    try:
        reports = StoredUsage(storage.database)
        today = datetime.now(UTC).date()  # what the page asks for, with all the records in it
        over = usage_filter(
            today - timedelta(days=31), today + timedelta(days=1), "Europe/Kyiv", None
        )
        queries: dict[str, Callable[[], Awaitable[object]]] = {
            "summary": lambda: reports.summary(over),
            "days and summary": lambda: reports.days(over),
            "by model": lambda: reports.groups(over, "model"),
            "by server": lambda: reports.groups(over, "server"),
            "by mode": lambda: reports.groups(over, "mode"),
            "by user": lambda: reports.groups(over, "user"),
            "slowest turns": lambda: reports.turns(over, "slowest", 10),
            "dearest turns": lambda: reports.turns(over, "dearest", 10),
        }
        for name, query in queries.items():
            report.add("dashboard", name, await _median_ms(query, 7), "ms", QUERY_MS)
        start = time.perf_counter()
        async for _ in reports.records(over):
            pass
        report.add("dashboard", "all records read", time.perf_counter() - start, "s")
    finally:
        await storage.aclose()


async def _median_ms(query: Callable[[], Awaitable[object]], times: int) -> float:
    taken = []
    for _ in range(times):
        start = time.perf_counter()
        await query()
        taken.append((time.perf_counter() - start) * 1000)
    return sorted(taken)[times // 2]


async def _page(report: Report, url: str) -> None:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=browser_path(), args=FLAGS)
        for name in ("page opened", "page opened again"):
            page = await browser.new_page()
            start = time.perf_counter()
            await page.goto(f"{url}/dashboard")
            await page.locator("main[aria-busy=false] canvas").first.wait_for()
            report.add("dashboard", name, time.perf_counter() - start, "s", PAGE_S)
            await page.close()
        await browser.close()


def _tokens(report: Report) -> None:
    """What the figures for Prometheus cost a streamed token, and a scrape with 50 models."""
    metrics, tokens = CallMetrics(), 100_000
    gaps = TokenGaps()
    start = time.perf_counter()
    for number in range(tokens):
        gaps.add(number % 7 / 100)
    metrics.gaps("ollama/m0", gaps)
    report.add("metrics", "a pause counted", (time.perf_counter() - start) / tokens * 1e6, "µs")
    for number in range(50):
        metrics.first_token(f"ollama/m{number}", 0.1)
        metrics.gaps(f"ollama/m{number}", gaps)
    start = time.perf_counter()
    metrics.exposition()
    report.add("metrics", "a scrape, 50 models", (time.perf_counter() - start) * 1000, "ms")


if __name__ == "__main__":
    asyncio.run(run(Report()))
