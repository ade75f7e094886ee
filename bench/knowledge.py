"""Knowledge bases: search over 100,000 passages on both databases, by words alone and with vectors; and a
PDF of 300 pages that is added while an answer streams."""

import asyncio
import random
import statistics
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import numpy as np

from app.core.knowledge import Document, Passage, Vectors
from app.core.turns import new_id, now
from app.knowledge.embedding import Embeddings
from app.knowledge.library import Library
from app.knowledge.terms import terms_of
from app.storage.storage import Storage
from bench.report import Report
from tests.attachment_files import a_pdf
from tests.data.knowledge import DOCUMENTS, questions
from tests.postgres import running_postgres
from tests.processes import temporary_folder

BENCH = "knowledge"
GOAL_MS, GOAL_PDF_SECONDS, GOAL_GAP_MS = 50.0, 20.0, 100.0
_WORDS = 120
_MODEL = "none/none"
_SIDE = 384


async def run(report: Report) -> None:
    """All of it, on SQLite and PostgreSQL."""
    passages = 2_000 if report.quick else 100_000
    with temporary_folder() as folder:
        url = f"sqlite+aiosqlite:///{Path(folder) / 'k.db'}"
        await _database(report, "SQLite", url, Path(folder), passages)
        with running_postgres() as server:
            await _database(report, "PostgreSQL", server.database(), Path(folder), passages)
        await _pdf(report, Path(folder), 30 if report.quick else 300)


async def _database(report: Report, name: str, url: str, folder: Path, passages: int) -> None:
    storage = await Storage(url, folder / name).open()
    user = (await storage.users.add("ann")).id
    base = await storage.knowledge.create(user, "Large")
    await _fill(storage, base.id, user, passages)

    async def embed(_model: str, _texts: object) -> list[list[float]]:
        return [[random.gauss(0, 1) for _ in range(_SIDE)]]

    embeddings = Embeddings(storage.knowledge, _MODEL, embed)
    plain = Library(storage.knowledge)
    both = Library(storage.knowledge, embeddings=embeddings)
    asked = [one.question for one in questions()]
    for words, library in (("words", plain), ("words and vectors", both)):

        async def search(question: str, library: Library = library) -> None:
            await library.search([base.id], user, question)

        await search(asked[0])  # the dictionaries, and the vectors into memory
        figure = f"search by {words} over {passages:,} passages, {name}, median"
        report.add(BENCH, figure, await _median_ms(search, asked), "ms", GOAL_MS)
    await storage.aclose()


async def _median_ms(work: Callable[[str], Awaitable[None]], asked: list[str]) -> float:
    times = []
    for question in asked:
        begun = time.perf_counter()
        await work(question)
        times.append(time.perf_counter() - begun)
    return statistics.median(times) * 1000


async def _fill(storage: Storage, base: str, user: str, count: int) -> None:
    """Documents of 1,000 passages: words of the measured set, drawn at random as often as they stand there."""
    words = " ".join(path.read_text("utf-8") for path in DOCUMENTS).split()
    draw = random.Random(7)
    numbers = np.random.default_rng(7)
    for first in range(0, count, 1_000):
        passages = []
        for number in range(min(1_000, count - first)):
            text = " ".join(draw.choices(words, k=_WORDS))
            passages.append(Passage(number, text, terms=terms_of(text, "ru")))
        document = Document(
            new_id(),
            base,
            f"{first}.txt",
            "text/plain",
            str(first),
            1,
            None,
            1,
            len(passages),
            now(),
        )
        await storage.knowledge.put(document, passages, b"x", user)
        made = numbers.standard_normal((len(passages), _SIDE), dtype=np.float32)
        made /= np.linalg.norm(made, axis=1, keepdims=True)
        await storage.knowledge.put_vectors(
            _MODEL, Vectors(document.id, len(passages), made.tobytes())
        )


async def _pdf(report: Report, folder: Path, pages: int) -> None:
    """How long the PDF takes, and the longest waits of a task that should run every 10 ms meanwhile."""
    storage = await Storage(f"sqlite+aiosqlite:///{folder / 'pdf.db'}", folder / "pdf").open()
    user = (await storage.users.add("ann")).id
    base = await storage.knowledge.create(user, "Book")
    words = DOCUMENTS[0].read_text("utf-8").split()
    draw = random.Random(7)
    text = [
        " ".join(w for w in draw.choices(words, k=350) if w.isascii()) or "plain"
        for _ in range(pages)
    ]
    path = folder / "book.pdf"
    path.write_bytes(
        a_pdf(
            *[f"Page {n}. " + one + " plain words of the page " * 60 for n, one in enumerate(text)]
        )
    )
    gaps: list[float] = []

    async def stream() -> None:
        while True:
            before = time.perf_counter()
            await asyncio.sleep(0.01)
            gaps.append((time.perf_counter() - before - 0.01) * 1000)

    streaming = asyncio.create_task(stream())
    begun = time.perf_counter()
    await Library(storage.knowledge).add(base.id, user, path, "book.pdf")
    took = time.perf_counter() - begun
    streaming.cancel()
    gap = statistics.quantiles(gaps, n=100)[98]
    report.add(BENCH, f"a PDF of {pages} pages is added", took, "s", GOAL_PDF_SECONDS)
    report.add(BENCH, "gap of a stream meanwhile, p99", gap, "ms", GOAL_GAP_MS)
    await storage.aclose()
