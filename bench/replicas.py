"""One replica and two over the same PostgreSQL and Redis: 100 paced chats, and what it costs that an answer
is followed at another replica than its own.
"""

import asyncio
import statistics
from pathlib import Path
from typing import NamedTuple

import psutil

from bench.chat import PACED, Identity, direct_first_token
from bench.report import Report
from tests.postgres import running_postgres
from tests.processes import Process, konsilium, running, simulator, temporary_folder
from tests.redis_server import running_redis
from tests.simulators.script import WORDS
from tests.waiting import until

CHARACTERS = sum(len(WORDS[i % len(WORDS)]) for i in range(150))
"""Of one answer of PACED."""
MODES = {"mode": "chat", "model": f"ollama/{PACED}"}
MAX_CONCURRENT_OPENINGS = 10


class Measured(NamedTuple):
    """What some chats at once were like."""

    first: float
    """Median seconds to the first word."""
    cpu: float
    """Seconds of all replicas together."""
    lost: int
    """Characters that pages did not get, or got twice."""


def _cpu(replicas: list[Process]) -> float:
    times = [psutil.Process(replica.pid).cpu_times() for replica in replicas]
    return float(sum(each.user + each.system for each in times))


async def _open(visitors: list[Identity]) -> None:
    some = asyncio.Semaphore(MAX_CONCURRENT_OPENINGS)

    async def one(visitor: Identity) -> None:
        async with some:
            await visitor.open()

    await asyncio.gather(*(one(visitor) for visitor in visitors))


async def _chats(replicas: list[Process], count: int, followers: list[Process]) -> Measured:
    """`count` chats over the replicas, each followed at the replica of the same place in `followers`."""
    visitors = [Identity(replicas[i % len(replicas)].url) for i in range(count)]
    await _open(visitors)
    await asyncio.gather(*(visitor.ask("warm up", MODES) for visitor in visitors))
    watching = [
        Identity(followers[i % len(followers)].url, thread=visitor.thread)
        for i, visitor in enumerate(visitors)
        if followers
    ]
    await _open(watching)
    for page in watching:
        page.written.clear()
    before = _cpu(replicas)
    firsts = await asyncio.gather(*(visitor.ask("go", MODES) for visitor in visitors))
    spent = _cpu(replicas) - before
    await until(lambda: all(_last(page) == CHARACTERS for page in watching), within=60)
    lost = sum(abs(CHARACTERS - _last(page)) for page in (*visitors, *watching))
    for page in (*visitors, *watching):
        await page.close()
    return Measured(statistics.median(firsts), spent, lost)


def _last(page: Identity) -> int:
    """How long the latest answer is on that page."""
    return list(page.written.values())[-1] if page.written else 0


async def run(report: Report) -> None:
    """100 chats; `report.quick` makes it 10."""
    chats = 10 if report.quick else 100
    with temporary_folder() as name, running_postgres() as postgres, running_redis() as redis:
        folder = Path(name)
        server = simulator("ollama", folder, PACED)
        shared = {"OLLAMA_HOST": server.url, "REDIS_URL": redis.url}
        shared["DATABASE_URL"] = postgres.database()
        one, two = konsilium(folder, **shared), konsilium(folder, **shared)
        with running(server):
            direct = await direct_first_token(server.url, PACED, chats)
            plain = konsilium(folder / "plain", OLLAMA_HOST=server.url)
            with running(plain):
                _say(report, "SQLite, one process", chats, direct, await _chats([plain], chats, []))
            with running(one):
                alone = await _chats([one], chats, [])
                _say(report, "one replica", chats, direct, alone)
            with running(one, two):
                both = await _chats([one, two], chats, [])
                _say(report, "two replicas", chats, direct, both)
                away = await _chats([one, two], chats, [two, one])
                here = await _chats([one, two], chats, [one, two])
    _say(report, "two replicas, each chat followed at the other", chats, direct, away)
    _say(report, "two replicas, each chat followed at its own", chats, direct, here)
    more = (away.cpu - here.cpu) / (chats * CHARACTERS / 1000) * 1000
    report.add("replicas", "CPU of following at another replica, per 1,000 characters", more, "ms")


def _say(report: Report, what: str, chats: int, direct: float, measured: Measured) -> None:
    written = chats * CHARACTERS / 1000
    added = (measured.first - direct) * 1000
    report.add("replicas", f"first token added, {chats} chats, {what}", added, "ms")
    report.add("replicas", f"CPU per 1,000 characters, {what}", measured.cpu / written * 1000, "ms")
    report.add("replicas", f"characters lost or doubled, {what}", measured.lost, "", 0)
