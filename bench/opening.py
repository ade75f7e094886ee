"""A long thread opened in the running app: by its page's own socket, beside somebody else's requests, and
once more with three versions of each question and answer; and another branch of that one shown in a browser."""

import asyncio
import statistics
import time
from pathlib import Path

import httpx
from playwright.async_api import async_playwright
from sqlalchemy import Connection, delete, update

from app.access.people import People
from app.storage.storage import Storage
from app.storage.tables import steps, threads
from bench.report import Report
from bench.storage import FULL, QUICK, Scale, fill
from tests.e2e.conftest import FLAGS
from tests.integration.access.page import Page
from tests.processes import browser_path, konsilium, running, simulator, temporary_folder

BENCH = "opening"
SWITCH = """() => new Promise((done) => {
  const first = () => document.querySelector("[data-step-type]");
  const arrows = document.querySelector("[data-testid=siblings]");
  const [before, start] = [first(), performance.now()];
  const edges = before.closest(".overflow-y-auto").getBoundingClientRect();
  const seen = (place) => place.getBoundingClientRect().top < edges.bottom;
  const shown = () => {
    const steps = [...document.querySelectorAll("[data-step-type]")];
    if ((steps[0] ?? before) === before || [...document.querySelectorAll(".k-later")].some(seen)) return;
    if (steps.length > 4 && seen(steps.at(-1))) return;
    watched.disconnect();
    requestAnimationFrame(() => setTimeout(() => done(performance.now() - start)));
  };
  const watched = new MutationObserver(shown);
  watched.observe(document.body, { childList: true, subtree: true });
  [...arrows.querySelectorAll("button")].slice(0, 2).find((button) => !button.disabled).click();
})"""
"""Presses the arrow of the first question; milliseconds until all that is seen of the other branch is painted."""
READY = """() => {
  const view = document.querySelector("[data-step-type]")?.closest(".overflow-y-auto");
  if (view) view.scrollTop = 0;
  return Boolean(view?.querySelector("[data-step-type], .k-later").querySelector("[data-testid=siblings]"));
}"""
"""Whether the first question stands there with its arrows."""
PAUSE_S = 1.0
"""Between steps that are taken one by one."""


async def run(report: Report) -> None:
    """Opens it again and again; each time somebody else asks for a small thing all the while."""
    scale = QUICK if report.quick else FULL
    with temporary_folder() as name:
        folder = Path(name)
        await _fill(folder / "data", scale)
        models = simulator("ollama", folder)
        app = konsilium(folder, OLLAMA_HOST=models.url, MODEL_NAME="ollama/echo")
        with running(models, app):
            pairs = [
                [await _open_once(app.url, thread) for thread in ("long-0", "branched-0")]
                for _ in range(scale.repeats + 1)
            ][1:]
            times = min(10, scale.repeats)
            alone = await _switch(app.url, "twin-0", times, PAUSE_S)
            in_a_row = await _switch(app.url, "twin-0", times, 0)
            brief = await _switch(app.url, "brief-0", times, PAUSE_S)
    opened, waited = ([figures[0][i] for figures in pairs] for i in (0, 1))
    what = f"thread of {scale.long_thread} messages"
    goal = None if report.quick else 150
    report.add(
        BENCH,
        f"{what}, from connecting to all of it, median",
        statistics.median(opened),
        "ms",
        goal,
    )
    report.add(
        BENCH, f"{what}, longest wait of another meanwhile, median", statistics.median(waited), "ms"
    )
    report.add(
        BENCH,
        f"{what} in 3 versions, from connecting to all of it, of one without",
        statistics.median(branched[0] / plain[0] for plain, branched in pairs),
        "times",
        None if report.quick else 1.2,
    )
    goal = None if report.quick else 100
    for how, took in (("one by one", alone), ("in a row", in_a_row)):
        name = f"{what} in 3 versions: another branch from its beginning on, {how}"
        report.add(BENCH, f"{name}, median", statistics.median(took), "ms", goal)
        report.add(BENCH, f"{name}, longest of {times}", max(took), "ms", goal)
    report.add(
        BENCH,
        f"{what} in 3 versions: the same one by one, of one of 4 messages",
        statistics.median(alone) / statistics.median(brief),
        "times",
    )


async def _fill(folder: Path, scale: Scale) -> None:
    storage = await Storage(f"sqlite+aiosqlite:///{folder / 'konsilium.db'}", folder).open()
    me = await People(storage.users).local()
    await fill(storage, me, "long", 1, scale.long_thread)
    for name in ("branched", "twin", "other"):
        await fill(storage, me, name, 1, scale.long_thread, versions=3)
    for name in ("brief", "curt"):
        await fill(storage, me, name, 1, 4, versions=3)
    await storage.database.exclusive(_join)
    await storage.aclose()


def _join(connection: Connection) -> None:
    """Makes one thread of two, whose first questions are versions of each other."""
    for thread, other in (("twin-0", "other-0"), ("brief-0", "curt-0")):
        moved = update(steps).where(steps.c.thread_id == other)
        connection.execute(moved.values(thread_id=thread))
        connection.execute(delete(threads).where(threads.c.id == other))


async def _switch(url: str, thread: str, times: int, pause: float) -> list[float]:
    """Milliseconds from the press of an arrow to the paint of the branch. The first step, for which the
    page's code is read, is left out."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=browser_path(), args=FLAGS)
        page = await browser.new_page()
        await page.goto(url)
        await page.locator("#chat-input").wait_for()
        await page.goto(f"{url}/thread/{thread}")
        await page.wait_for_function(READY)
        took = []
        for _ in range(times + 1):
            await asyncio.sleep(pause)
            took.append(float(await page.evaluate(SWITCH)))
        await browser.close()
    return took[1:]


async def _open_once(url: str, thread: str) -> tuple[float, float]:
    """Milliseconds until the page was sent the thread, and the longest another request took."""
    page = Page(url)
    await page.http.get("/", headers={"accept": "text/html"})
    async with httpx.AsyncClient(base_url=url) as other:
        waits: list[float] = []
        enough = asyncio.Event()
        asking = asyncio.create_task(_ask_on(other, waits, enough))
        start = time.perf_counter()
        await page.connect(thread)
        await page.hear("resume_thread")
        took = time.perf_counter() - start
        enough.set()
        await asking
    await page.close()
    return took * 1000, max(waits) * 1000


async def _ask_on(client: httpx.AsyncClient, waits: list[float], enough: asyncio.Event) -> None:
    while not enough.is_set():
        start = time.perf_counter()
        await client.get("/project/language")
        waits.append(time.perf_counter() - start)
        await asyncio.sleep(0.005)
