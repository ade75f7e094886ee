"""A long thread opened in the running app: by its page's own socket, beside somebody else's requests."""

import asyncio
import statistics
import time
from pathlib import Path

import httpx

from app.access.people import People
from app.storage.storage import Storage
from bench.report import Report
from bench.storage import FULL, QUICK, Scale, fill
from tests.integration.access.page import Page
from tests.processes import konsilium, running, simulator, temporary_folder

BENCH = "opening"


async def run(report: Report) -> None:
    """Opens it again and again; each time somebody else asks for a small thing all the while."""
    scale = QUICK if report.quick else FULL
    with temporary_folder() as name:
        folder = Path(name)
        await _fill(folder / "data", scale)
        models = simulator("ollama", folder)
        app = konsilium(folder, OLLAMA_HOST=models.url, MODEL_NAME="ollama/echo")
        with running(models, app):
            figures = [await _open_once(app.url) for _ in range(scale.repeats + 1)][1:]
    opened, waited = ([figure[i] for figure in figures] for i in (0, 1))
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


async def _fill(folder: Path, scale: Scale) -> None:
    storage = await Storage(f"sqlite+aiosqlite:///{folder / 'konsilium.db'}", folder).open()
    me = await People(storage.users).local()
    await fill(storage, me, "long", 1, scale.long_thread)
    await storage.aclose()


async def _open_once(url: str) -> tuple[float, float]:
    """Milliseconds until the page was sent the thread, and the longest another request took."""
    page = Page(url)
    await page.http.get("/", headers={"accept": "text/html"})
    async with httpx.AsyncClient(base_url=url) as other:
        waits: list[float] = []
        enough = asyncio.Event()
        asking = asyncio.create_task(_ask_on(other, waits, enough))
        start = time.perf_counter()
        await page.connect("long-0")
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
