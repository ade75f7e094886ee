"""The stores with 10,000 threads of 20 messages, beside Chainlit's own SQLAlchemyDataLayer on the same
data in the same run: the sidebar's first page, search, opening a thread, fifty users writing at once.

Measured is what the server does for the browser's request: the data layer's call and its JSON.
"""

import asyncio
import json
import random
import statistics
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

from chainlit.data.sql_alchemy import SQLAlchemyDataLayer
from chainlit.types import Pagination, ThreadFilter
from sqlalchemy import Connection, insert, text

from app.access.people import People
from app.conversation.state import TurnState
from app.core.errors import StorageUnavailable
from app.core.events import StepDelta, StepEnded, StepKind, StepStarted
from app.core.models import ModelRef
from app.core.options import ChatOptions
from app.core.people import User
from app.core.turns import Question, StepRecord, TurnRequest, new_id, now
from app.core.usage import CallRecord, Outcome, Purpose, Usage
from app.storage.branches import join_up
from app.storage.rows import fold, step_values
from app.storage.storage import Storage
from app.storage.tables import steps, threads
from app.view.chainlit.data_layer import DataLayer
from app.view.chainlit.identity import Identity, identity
from bench.report import Report
from tests.postgres import running_postgres
from tests.processes import temporary_folder

BENCH = "storage"
COMMON, RARE = "который", "ёжевика"
PAGE = Pagination(first=35)

CHAINLITS_TABLES = (
    """CREATE TABLE users ("id" TEXT PRIMARY KEY, "identifier" TEXT NOT NULL UNIQUE,
    "metadata" TEXT NOT NULL, "createdAt" TEXT)""",
    """CREATE TABLE threads ("id" TEXT PRIMARY KEY, "createdAt" TEXT, "name" TEXT, "userId" TEXT,
    "userIdentifier" TEXT, "tags" TEXT, "metadata" TEXT,
    FOREIGN KEY ("userId") REFERENCES users("id") ON DELETE CASCADE)""",
    """CREATE TABLE steps ("id" TEXT PRIMARY KEY, "name" TEXT NOT NULL, "type" TEXT NOT NULL,
    "threadId" TEXT NOT NULL, "parentId" TEXT, "streaming" BOOLEAN NOT NULL, "waitForAnswer" BOOLEAN,
    "isError" BOOLEAN, "metadata" TEXT, "tags" TEXT, "input" TEXT, "output" TEXT, "createdAt" TEXT,
    "command" TEXT, "start" TEXT, "end" TEXT, "generation" TEXT, "showInput" TEXT, "language" TEXT,
    "indent" INT, "defaultOpen" BOOLEAN, "autoCollapse" BOOLEAN, "modes" TEXT,
    FOREIGN KEY ("threadId") REFERENCES threads("id") ON DELETE CASCADE)""",
    """CREATE TABLE elements ("id" TEXT PRIMARY KEY, "threadId" TEXT, "type" TEXT, "url" TEXT,
    "chainlitKey" TEXT, "name" TEXT NOT NULL, "display" TEXT, "objectKey" TEXT, "size" TEXT,
    "page" INT, "language" TEXT, "forId" TEXT, "mime" TEXT, "props" TEXT)""",
    """CREATE TABLE feedbacks ("id" TEXT PRIMARY KEY, "forId" TEXT NOT NULL,
    "threadId" TEXT NOT NULL, "value" INT NOT NULL, "comment" TEXT)""",
)
"""The tables of its documentation, as SQLite takes them."""


@dataclass(frozen=True)
class Scale:
    """How much of everything."""

    threads: int
    messages: int
    long_thread: int
    writers: int
    turns: int
    repeats: int


FULL = Scale(threads=10_000, messages=20, long_thread=1_000, writers=50, turns=10, repeats=30)
QUICK = Scale(threads=60, messages=6, long_thread=40, writers=10, turns=2, repeats=3)


async def run(report: Report) -> None:
    """Ours on SQLite and PostgreSQL, then Chainlit's on SQLite."""
    scale = QUICK if report.quick else FULL
    with temporary_folder() as name, running_postgres() as postgres:
        folder = Path(name)
        sqlite = f"sqlite+aiosqlite:///{folder / 'ours.db'}"
        for where, url in (("SQLite", sqlite), ("PostgreSQL", postgres.database())):
            async with AsyncExitStack() as stack:
                storage = await Storage(url, folder / where).open()
                stack.push_async_callback(storage.aclose)
                await _ours(report, scale, storage, where)
        await _chainlits(report, scale, folder)


async def _ours(report: Report, scale: Scale, storage: Storage, where: str) -> None:
    ann = await storage.users.add("ann")
    identity.set(Identity(ann.id, ann.identifier))
    layer = DataLayer(People(storage.users), storage.threads, storage.elements)
    few = await storage.users.add("few")
    await fill(storage, few, "few", min(50, scale.threads), scale.messages)
    await fill(storage, ann, "ann", scale.threads, scale.messages)
    await fill(storage, ann, "long", 1, scale.long_thread)
    await fill(storage, ann, "branched", 1, scale.long_thread, versions=3)
    goal = not report.quick

    async def listed(search: str | None = None, user: User = ann) -> str:
        page = await layer.list_threads(PAGE, ThreadFilter(userId=user.id, search=search))
        return json.dumps(page.to_dict())

    async def opened(thread: str = "long-0") -> str:
        return json.dumps(await layer.get_thread(thread))

    async def history(thread: str = "long-0") -> object:
        return await storage.conversations.history(thread)

    measured = (
        ("first page of the sidebar", listed, 15),
        (f"search: {RARE!r}, in 3 messages", lambda: listed(RARE), 50),
        (f"search: {COMMON!r}, in most messages", lambda: listed(COMMON), 50),
        ("search: two words by their beginnings", lambda: listed("котор сло1"), 50),
        (f"thread of {scale.long_thread} messages", opened, 150),
    )
    for what, call, limit in measured:
        await _measure(report, f"{where}: {what}", call, scale.repeats, limit if goal else None)
    both: tuple[tuple[str, Callable[[str], Awaitable[object]]], ...] = (
        ("opened", opened),
        ("read for a prompt", history),
    )
    for what, read in both:
        pair = [
            await _median(partial(read, name), scale.repeats) for name in ("branched-0", "long-0")
        ]
        report.add(
            BENCH,
            f"{where}: thread of {scale.long_thread} messages in 3 versions {what}, of one without",
            pair[0] / pair[1],
            "times",
            1.2 if goal else None,
        )
    sizes = len(await listed()), len(await listed(user=few))
    report.add(
        BENCH,
        f"{where}: first page with {scale.threads:,} threads, of its size with 50",
        sizes[0] / sizes[1],
        "times",
        1.2 if goal else None,
    )
    await _write_at_once(report, scale, storage, where)


async def _write_at_once(report: Report, scale: Scale, storage: Storage, where: str) -> None:
    """Whole turns of many users at the same time, each begun, checkpointed and settled."""
    refused = 0
    waits: list[float] = []

    async def write(number: int) -> None:
        nonlocal refused
        user = await storage.users.add(f"writer {number}")
        for _ in range(scale.turns):
            try:
                waits.append(await _turn(storage, user, f"writer-{number}"))
            except StorageUnavailable:
                refused += 1

    start = time.perf_counter()
    await asyncio.gather(*(write(number) for number in range(scale.writers)))
    seconds = time.perf_counter() - start
    done = text("SELECT count(*) FROM steps WHERE thread_id LIKE 'writer-%' AND output = 'Done.'")
    stored = await storage.database.read(lambda c: c.scalar(done))
    wanted = scale.writers * scale.turns
    name = f"{where}: {scale.writers} users writing at once"
    report.add(BENCH, f"{name}, turns lost or refused", wanted - stored + refused, "turns", 0)
    report.add(BENCH, f"{name}, whole turns a second", wanted / seconds, "/s")
    report.add(BENCH, f"{name}, until the question is stored, p95", _percentile(waits), "ms")


async def _turn(storage: Storage, user: User, thread_id: str) -> float:
    """One turn in three transactions; returns the milliseconds until its question was stored."""
    question = Question(new_id(), "How is it?")
    request = TurnRequest(thread_id, user.id, question, ChatOptions.clean({}, "chat"))
    state = TurnState(request)
    start = time.perf_counter()
    await storage.turns.begin(request, state.opening())
    waited = (time.perf_counter() - start) * 1000
    step = new_id()
    state.apply(StepStarted(step, StepKind.ANSWER, "model"))
    state.apply(StepDelta(step, "Done."))
    await storage.turns.checkpoint(state.changed_steps())
    ref, outcome = ModelRef("bench", "model"), Outcome.COMPLETED
    call = CallRecord(new_id(), Purpose.ANSWER, ref, now(), outcome, Usage(10, 5), step_id=step)
    state.apply(StepEnded(step, call=call))
    await storage.turns.settle(state.settle(outcome, None, (call,)))
    return waited


# -- the data -----------------------------------------------------------------------------------


def _texts(count: int, seed: int) -> Iterator[str]:
    """Messages of 40 words, some common, most not."""
    chosen = random.Random(seed)
    words = [f"сло{n}во" for n in range(4000)]
    for number in range(count):
        said = [words[int(chosen.paretovariate(0.6)) % 4000] for _ in range(38)]
        if chosen.random() < 0.8:
            said.append(COMMON)
        if number in (5, count // 2, count - 3):
            said.append(RARE.upper() if number == 5 else RARE)
        yield " ".join(said)


def _records(
    prefix: str, threads_count: int, messages: int, seed: int, versions: int = 1
) -> Iterator[StepRecord]:
    """Questions, turns and answers, thread by thread, a second apart; each question but the first and each
    answer in so many versions, of which the last goes on."""
    at = now() - timedelta(days=400)
    said = _texts(threads_count * messages, seed)
    for number in range(threads_count):
        thread_id = f"{prefix}-{number}"
        before: str | None = None
        for _ in range(messages // 2):
            at += timedelta(seconds=1)
            words, answer = next(said), next(said)
            kept: Any = {"thread_id": thread_id, "created_at": at, "ended_at": at}
            for _ in range(versions if before else 1):
                question = new_id()
                asked: Any = {"type": "user_message", "name": "ann", "kind": "question"}
                yield StepRecord(
                    question, parent_id=before, turn_id=new_id(), output=words, **asked, **kept
                )
            for _ in range(versions):
                turn = new_id()
                kept["turn_id"] = turn
                yield StepRecord(
                    turn, type="run", name="on_message", kind="turn", parent_id=question, **kept
                )
                yield StepRecord(
                    new_id(),
                    type="assistant_message",
                    name="model",
                    kind=StepKind.ANSWER,
                    parent_id=turn,
                    output=answer,
                    metadata={"metrics": {"seconds": 1.5, "output_tokens": 100}},
                    **kept,
                )
            before = turn


async def fill(
    storage: Storage,
    user: User,
    prefix: str,
    threads_count: int,
    messages: int,
    versions: int = 1,
) -> None:
    """Puts whole threads into the tables, past the turns but through the same rows."""

    def work(connection: Connection) -> None:
        rows: list[dict[str, Any]] = []
        for number in range(threads_count):
            at = now() - timedelta(days=400, seconds=-number * messages // 2)
            title = f"Разговор номер {number}"
            row: dict[str, Any] = {
                "id": f"{prefix}-{number}",
                "user_id": user.id,
                "title": title,
                "tags": [],
            }
            row |= {"titled_by": "question", "folded_title": fold(title), "metadata": {}}
            row |= {"created_at": at, "active_at": at}
            rows.append(row)
        connection.execute(insert(threads), rows)
        batch: list[dict[str, Any]] = []
        records = _records(prefix, threads_count, messages, threads_count, versions)
        for record in records:
            batch.append(step_values(record, user.id))
            if len(batch) == 5_000:
                connection.execute(insert(steps), batch)
                batch = []
        if batch:
            connection.execute(insert(steps), batch)
        join_up(connection)

    await storage.database.exclusive(work)
    if not storage.database.sqlite:
        await storage.database.write(lambda c: c.execute(text("ANALYZE")).close())


# -- Chainlit's own layer -------------------------------------------------------------------------


async def _chainlits(report: Report, scale: Scale, folder: Path) -> None:
    layer = SQLAlchemyDataLayer(f"sqlite+aiosqlite:///{folder / 'chainlit.db'}")
    async with layer.engine.begin() as connection:
        for statement in CHAINLITS_TABLES:
            await connection.execute(text(statement))
        await connection.execute(text("INSERT INTO users VALUES ('u', 'ann', '{}', '')"))
        for prefix, count, messages in (
            ("ann", scale.threads, scale.messages),
            ("long", 1, scale.long_thread),
        ):
            await _fill_chainlits(connection, prefix, count, messages)

    async def listed(search: str | None = None) -> str:
        page = await layer.list_threads(PAGE, ThreadFilter(userId="u", search=search))
        return json.dumps(page.to_dict())

    async def opened() -> str:
        return json.dumps(await layer.get_thread("long-0"))

    repeats = max(2, scale.repeats // 10)
    name = "Chainlit's layer, SQLite"
    for what, call in (
        ("first page of the sidebar", listed),
        (f"search: {RARE!r} (in the latest 1,000 threads alone)", lambda: listed(RARE)),
        (f"thread of {scale.long_thread} messages", opened),
    ):
        await _measure(report, f"{name}: {what}", call, repeats, None)
    await layer.engine.dispose()


async def _fill_chainlits(connection: Any, prefix: str, count: int, messages: int) -> None:
    for number in range(count):
        values = {"id": f"{prefix}-{number}", "name": f"Разговор номер {number}"}
        await connection.execute(
            text("INSERT INTO threads VALUES (:id, '', :name, 'u', 'ann', '[]', '{}')"), values
        )
    statement = text(
        'INSERT INTO steps ("id", "name", "type", "threadId", "parentId", "streaming", "isError",'
        ' "metadata", "input", "output", "createdAt", "start", "end") VALUES (:id, :name, :type,'
        " :thread_id, :parent_id, false, false, '{}', '', :output, :at, :at, :at)"
    )
    batch: list[dict[str, Any]] = []
    for step in _records(prefix, count, messages, seed=count):
        row: dict[str, Any] = {
            "id": step.id,
            "name": step.name,
            "type": step.type,
            "thread_id": step.thread_id,
        }
        row |= {"parent_id": step.parent_id, "output": step.output}
        batch.append(row | {"at": step.created_at.isoformat()})
        if len(batch) == 5_000:
            await connection.execute(statement, batch)
            batch = []
    if batch:
        await connection.execute(statement, batch)


# -- the clock ------------------------------------------------------------------------------------


async def _measure(
    report: Report,
    what: str,
    call: Callable[[], Awaitable[object]],
    repeats: int,
    goal: float | None,
) -> None:
    """Median and 95th percentile in milliseconds, once warm; the goal is the median's."""
    took = await _times(call, repeats)
    report.add(BENCH, f"{what}, median", statistics.median(took), "ms", goal)
    report.add(BENCH, f"{what}, p95", _percentile(took), "ms")


async def _times(call: Callable[[], Awaitable[object]], repeats: int) -> list[float]:
    """Milliseconds, once warm."""
    await call()
    took = []
    for _ in range(repeats):
        start = time.perf_counter()
        await call()
        took.append((time.perf_counter() - start) * 1000)
    return took


async def _median(call: Callable[[], Awaitable[object]], repeats: int) -> float:
    return statistics.median(await _times(call, repeats))


def _percentile(values: list[float]) -> float:
    return statistics.quantiles(values, n=20)[-1] if len(values) > 1 else values[0]
