"""The gateway beside the upstream asked directly, nginx without buffers and, where it is installed,
LiteLLM's proxy, in one run: first token, gaps, full speed, small requests, memory. One worker, a
checked key, two cores for everybody."""

import asyncio
import logging
import statistics
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

import aiohttp
import psutil

from bench.proxies import BURST, PACED, SMALL, WARM, House, Target, house
from bench.report import Report
from bench.vectors import asking
from tests.processes import Process
from tests.soak import soak as random_faults

BENCH = "gateway"
SLOW = "litellm"
FULL_SPEED = {"passed": 60_000.0, "translated": 25_000.0}
"""Tokens a second: the goals, by target."""
SMALL_REQUESTS = {"passed": 2_000.0}
"""Requests a second, likewise."""


@dataclass
class Stream:
    """One streamed answer as its reader saw it."""

    first: float = 0.0
    gaps: list[float] = field(default_factory=list)
    tokens: int = 0
    complete: bool = False


def session(target: Target) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0),
        headers={"authorization": f"Bearer {target.key}", "content-type": "application/json"},
        timeout=aiohttp.ClientTimeout(total=120),
    )


async def stream(http: aiohttp.ClientSession, target: Target, model: str) -> Stream:
    """Reads one answer, noting when its words came."""
    seen = Stream()
    start = last = time.perf_counter()
    tail = b""
    async with http.post(
        target.url + "/v1/chat/completions", data=target.body(model, stream=True)
    ) as answer:
        answer.raise_for_status()
        while data := await answer.content.readany():
            at = time.perf_counter()
            tokens = data.count(b'"content"')
            if tokens and not seen.first:
                if b'"content":""' not in data.replace(b'": ""', b'":""') or tokens > 1:
                    seen.first = at - start
            elif tokens:
                seen.gaps.append(at - last)
            last = at
            seen.tokens += tokens
            tail = (tail + data)[-64:]
    seen.complete = tail.endswith(b"data: [DONE]\n\n")
    return seen


async def paced(targets: list[Target], report: Report) -> None:
    """50 streams at 50 tokens a second, target after target, three times over: the first tokens
    beside those of the upstream (first of the targets) in the same round, and the later gaps."""
    rounds: dict[str, list[tuple[float, float, float]]] = {target.name: [] for target in targets}
    for _ in range(1 if report.quick else 3):
        for target in targets:
            rounds[target.name].append(await paced_round(target))
    own = rounds[targets[0].name]
    for target in targets:
        p50, p99, gap = (statistics.median(each) for each in zip(*rounds[target.name], strict=True))
        note(report, target, "first token, 50 streams, median", p50, "ms")
        note(report, target, "first token, 50 streams, 99th", p99, "ms")
        goal = 100.0 if target.prefix else None
        report.add(BENCH, f"{target.name}: gap, 99.9th", gap, "ms", goal)
        if target.prefix:
            beside = list(zip(rounds[target.name], own, strict=True))
            added = statistics.median(mine[0] - its[0] for mine, its in beside)
            late = statistics.median(mine[1] - its[1] for mine, its in beside)
            name = f"{target.name}: first token after upstream"
            report.add(BENCH, f"{name}, median", added, "ms", 15)
            report.add(BENCH, f"{name}, 99th", late, "ms", 40)


async def bursts(targets: dict[str, Target], report: Report) -> None:
    """50 questions in one instant, beside nginx in the same round: right after others, and when every
    connection and every key has been idle; with a key that is checked, and with one that nobody knows."""
    asked = [targets["nginx"], targets["passed"], targets["stranger"], targets["translated"]]
    warm, cold = (3, 0) if report.quick else (10, 3)
    await bursts_in_rounds("warm", asked, warm, report)
    await bursts_in_rounds("cold", asked, cold, report, idle=35.0)


async def bursts_in_rounds(
    state: str, asked: list[Target], count: int, report: Report, idle: float = 0.0
) -> None:
    """So many rounds of one burst to each, nginx first of all, the others in turns; `idle` seconds
    before each round, or right after a burst to the same target."""
    late: dict[str, list[tuple[float, float]]] = {target.name: [] for target in asked[1:]}
    for at in range(count):
        await asyncio.sleep(idle)
        others = asked[1:]
        order = [asked[0], *others[at % len(others) :], *others[: at % len(others)]]
        seen = {}
        for target in order:
            if not idle:
                await burst(target)
            seen[target.name] = await burst(target)
        median, last = seen.pop(asked[0].name)
        for name, own in seen.items():
            late[name].append((own[0] - median, own[1] - last))
    for name, each in late.items():
        for part, goal, values in zip(
            ("median", "99th"), (8, 20), zip(*each, strict=True), strict=False
        ):
            what = f"{name}: 50 in one instant, {state}, after nginx, {part}"
            report.add(BENCH, what, statistics.median(values), "ms", goal)


async def burst(target: Target) -> tuple[float, float]:
    """Milliseconds to the first token: the median and the last of 50."""
    async with session(target) as http:
        streams = await asyncio.gather(*(stream(http, target, WARM) for _ in range(50)))
    firsts = sorted(each.first * 1000 for each in streams)
    return statistics.median(firsts), firsts[-1]


async def paced_round(target: Target) -> tuple[float, float, float]:
    """Milliseconds: first token at the median and the 99th percentile, gap at the 99.9th."""
    async with session(target) as http:
        await asyncio.gather(*(whole(http, target, WARM) for _ in range(50)))
        streams = await asyncio.gather(*(stream(http, target, PACED) for _ in range(50)))
    assert all(s.complete for s in streams), "a stream was cut"
    firsts = sorted(s.first * 1000 for s in streams)
    gaps = sorted(gap * 1000 for s in streams for gap in s.gaps)
    return statistics.median(firsts), firsts[-1], gaps[int(len(gaps) * 0.999)]


async def full_speed(target: Target, report: Report, goal: float | None, rounds: int) -> None:
    """8 streams of 2,000 tokens, unpaced, several times over."""
    rounds = min(rounds, 2) if report.quick else rounds
    async with session(target) as http:
        await stream(http, target, BURST)
        start = time.perf_counter()
        tokens = 0
        for _ in range(rounds):
            streams = await asyncio.gather(*(stream(http, target, BURST) for _ in range(8)))
            assert all(s.complete for s in streams), "a stream was cut"
            tokens += 8 * 2000
        seconds = time.perf_counter() - start
    report.add(
        BENCH, f"{target.name}: full speed", tokens / seconds, "tokens/s", goal, at_least=True
    )


async def alone(targets: dict[str, Target], report: Report) -> None:
    """One question at a time, in turns: the first token beside that of nginx just before."""
    asked = [targets[name] for name in ("nginx", "passed", "stranger", "translated")]
    late: dict[str, list[float]] = {target.name: [] for target in asked[1:]}
    async with AsyncExitStack() as stack:
        sessions = [await stack.enter_async_context(session(target)) for target in asked]
        for at in range(16 if report.quick else 101):
            firsts = [
                (await stream(http, target, WARM)).first * 1000
                for http, target in zip(sessions, asked, strict=True)
            ]
            if at:  # the first round opens connections
                for target, first in zip(asked[1:], firsts[1:], strict=True):
                    late[target.name].append(first - firsts[0])
    for name, each in late.items():
        what = f"{name}: one question, first token after nginx, median"
        report.add(BENCH, what, statistics.median(each), "ms", 1)


async def beside_vectors(there: House, report: Report) -> None:
    """The longest gap in 50 streams while a thousand vectors go through as fast as they can."""
    for name, vectors in there.vectors.items():
        target = there.targets["translated" if name == "translated" else name]
        longest = []
        for _ in range(1 if report.quick else 3):
            async with session(target) as http:
                with asking(vectors.url, vectors.prefix, vectors.key):
                    streams = await asyncio.gather(
                        *(stream(http, target, PACED) for _ in range(50))
                    )
            longest.append(max(gap for each in streams for gap in each.gaps) * 1000)
        what = f"{target.name}: longest gap beside a thousand vectors"
        goal = 30 if target.prefix else None
        report.add(BENCH, what, statistics.median(longest), "ms", goal)


async def small(
    target: Target, report: Report, goal: float | None, gateway: Process | None = None
) -> None:
    """One-token answers, not streamed, 8 at once; and the CPU that each takes of the gateway."""
    seconds = 1.0 if report.quick else 5.0
    async with session(target) as http:
        await whole(http, target)
        until = time.perf_counter() + seconds

        async def ask() -> int:
            count = 0
            while time.perf_counter() < until:
                await whole(http, target)
                count += 1
            return count

        start, spent = time.perf_counter(), cpu_seconds(gateway)
        counts = await asyncio.gather(*(ask() for _ in range(8)))
        took, spent = time.perf_counter() - start, cpu_seconds(gateway) - spent
    if gateway is not None:
        each = spent / sum(counts) * 1000
        report.add(BENCH, f"{target.name}: CPU a small request", each, "ms", 0.5)
    report.add(
        BENCH,
        f"{target.name}: small requests",
        sum(counts) / took,
        "requests/s",
        goal,
        at_least=True,
    )


async def whole(http: aiohttp.ClientSession, target: Target, model: str = SMALL) -> None:
    async with http.post(
        target.url + "/v1/chat/completions", data=target.body(model, stream=False)
    ) as answer:
        answer.raise_for_status()
        await answer.read()


async def leave_early(http: aiohttp.ClientSession, target: Target) -> None:
    """Asks for a stream, reads a little and goes."""
    async with http.post(
        target.url + "/v1/chat/completions", data=target.body(PACED, stream=True)
    ) as answer:
        await answer.content.readany()
        answer.close()


async def memory(target: Target, report: Report, process: Process) -> None:
    """What many requests and many abandoned streams leave behind, once what is kept on purpose is
    full: of it the most are SQLite's pages, which reach their 16 MB with some 30,000 records."""
    warm, requests, abandoned = (400, 2_000, 100) if report.quick else (40_000, 30_000, 1_000)
    async with session(target) as http:

        async def each(count: int, work: Callable[[], Awaitable[None]]) -> None:
            for _ in range(count):
                await work()

        async def many(count: int, work: Callable[[], Awaitable[None]]) -> None:
            await asyncio.gather(*(each(count // 20, work) for _ in range(20)))

        await many(warm, lambda: whole(http, target))
        await many(40, lambda: leave_early(http, target))
        await asyncio.sleep(1.5)
        before = rss(process)
        report.add(BENCH, f"memory after {warm:,} requests", before, "MB")
        await many(requests, lambda: whole(http, target))
        await asyncio.sleep(1.5)
        report.add(BENCH, f"memory grown by {requests:,} requests", rss(process) - before, "MB", 3)
        before = rss(process)
        await many(abandoned, lambda: leave_early(http, target))
        await asyncio.sleep(1.5)
        grown = rss(process) - before
        report.add(BENCH, f"memory grown by {abandoned:,} abandoned streams", grown, "MB", 3)
        report.add(BENCH, "memory at the end", rss(process), "MB")


def cpu_seconds(process: Process | None) -> float:
    if process is None:
        return 0.0
    times = psutil.Process(process.pid).cpu_times()
    return float(times.user + times.system)


def rss(process: Process) -> float:
    return float(psutil.Process(process.pid).memory_info().rss / 1e6)


def note(report: Report, target: Target, name: str, value: float, unit: str) -> None:
    report.add(BENCH, f"{target.name}: {name}", value, unit)


async def run(report: Report) -> None:
    """The figures of the gateway, and of what stands beside it."""
    with house() as there:
        targets = there.targets
        await alone(targets, report)
        await bursts(targets, report)
        await beside_vectors(there, report)
        del targets["stranger"]  # is like `passed` in all that follows
        await paced(list(targets.values()), report)
        for name, target in targets.items():
            await full_speed(target, report, FULL_SPEED.get(name), 1 if name == SLOW else 5)
        for name, target in targets.items():
            gateway = there.gateway if target.url == there.gateway.url else None
            await small(target, report, SMALL_REQUESTS.get(name), gateway)
        await memory(targets["passed"], report, there.gateway)
        if there.litellm is not None:
            note(report, targets[SLOW], "memory at the end", rss(there.litellm), "MB")


async def soak(report: Report) -> None:
    """50 clients and random faults for ten minutes, and what that leaves behind."""
    logging.disable(logging.WARNING)  # each fault is told there; what was not expected is an ERROR
    tally = await random_faults(20.0 if report.quick else 600.0)
    for name, count in sorted(tally.outcomes.items()):
        report.add(BENCH, f"soak: {name}", count, "answers")
    report.add(BENCH, "soak: answers that lie", len(tally.broken), "answers", 0)
    for name, count in tally.left.items():
        report.add(BENCH, f"soak: {name} left", count, "", 0)
    report.add(BENCH, "soak: memory grown", tally.grown_mb, "MB", 20)
