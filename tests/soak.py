"""Many clients and random faults for a while; then nothing may be left: counted at both ends.

The gateway, both simulators and the clients share one loop, so that every task, connection and
descriptor can be counted.
"""

import asyncio
import gc
import os
import random
import time
from collections import Counter
from dataclasses import dataclass, field

import aiohttp
import psutil

from tests.integration.gateway.conftest import House, open_house

MODELS = (
    "echo",
    "len-50+paced-5ms",
    "burst-500",
    "thinking+len-20",
    "slow-first-300ms+len-10",
    "len-100+split-7",
    "len-40+reset-after-9",
    "len-40+close-after-9",
    "len-40+cut-after-9",
    "len-40+torn-after-9",
    "len-40+error-after-9",
    "len-40+stall-after-9",
    "stall",
    "reset",
    "error-500",
    "error-429+retry-1",
    "html-200",
    "flaky-3+len-5",
    "len-30+nodone",
    "len-30+noreason",
    "len-30+linger",
    "comments+len-30",
)


@dataclass
class Tally:
    """What happened, and what was left."""

    outcomes: Counter[str] = field(default_factory=Counter)
    broken: list[str] = field(default_factory=list)
    """Answers that looked complete and were not, or were no answers at all."""
    left: dict[str, int] = field(default_factory=dict)
    """Tasks, connections, descriptors, generations more than before."""
    grown_mb: float = 0.0


async def soak(seconds: float, clients: int = 50, seed: int = 7) -> Tally:
    """Runs the clients for so long, and counts."""
    tally = Tally()
    dice = random.Random(seed)
    async with open_house() as house:
        await house.serve(*MODELS)
        await _round(house, 2.0, clients, dice, Tally())  # what is made once and kept
        before, memory = await _count(house), _memory()
        await _round(house, seconds, clients, dice, tally)
        after = await _count(house)
        tally.left = {name: after[name] - before[name] for name in after}
        tally.grown_mb = _memory() - memory
    return tally


async def _round(house: House, seconds: float, clients: int, dice: random.Random, tally: Tally):
    until = time.monotonic() + seconds
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:

        async def client() -> None:
            while time.monotonic() < until:
                await _ask(http, house, dice, tally)
                house.store.calls.clear()  # records of ours, which would be taken for a leak
                house.ollama.forget()
                house.openai.forget()

        await asyncio.gather(*(client() for _ in range(clients)))


async def _ask(
    http: aiohttp.ClientSession, house: House, dice: random.Random, tally: Tally
) -> None:
    model = f"{dice.choice(('ollama', 'gpu'))}/{dice.choice(MODELS)}"
    streaming, leaves = dice.random() < 0.8, dice.random() < 0.25
    body = {"model": model, "stream": streaming, "messages": [{"role": "user", "content": "a b c"}]}
    read = b""
    try:
        async with http.post(house.base + "/chat/completions", json=body) as answer:
            if leaves:
                await asyncio.sleep(dice.random() * 0.2)
                answer.close()
                tally.outcomes["left"] += 1
                return
            while data := await answer.content.readany():
                read += data
                if dice.random() < 0.01:
                    await asyncio.sleep(0.05)
            tally.outcomes[str(answer.status)] += 1
            if answer.status == 200 and streaming:
                _check(model, read, tally)
    except (aiohttp.ClientError, TimeoutError) as error:
        tally.broken.append(f"{model}: {error!r} after {read[-200:]!r}")


def _check(model: str, read: bytes, tally: Tally) -> None:
    complete = read.endswith(b"data: [DONE]\n\n")
    failed = b'"error"' in read.rpartition(b"data: ")[2]
    tally.outcomes["complete" if complete else "failed"] += 1
    if complete == failed:
        tally.broken.append(f"{model}: neither whole nor failed: {read[-200:]!r}")
    if complete and "-after-" in model and "len-40" in model:
        tally.broken.append(f"{model}: a cut that looks complete")


async def _count(house: House) -> dict[str, int]:
    await house.idle(5.0)
    for _ in range(150):  # idle connections are closed 4 to 8 s after their last use
        await asyncio.sleep(0.1)
        sims = (house.ollama, house.openai)
        if not any(sim.open_generations or sim.open_connections for sim in sims):
            break
    gc.collect()
    return {
        "tasks": len(asyncio.all_tasks()),
        "descriptors": psutil.Process(os.getpid()).num_fds(),
        "generations": house.ollama.open_generations + house.openai.open_generations,
        "connections": house.ollama.open_connections + house.openai.open_connections,
        "places": house.models.traffic.open + sum(house.models.waiting().values()),
    }


def _memory() -> float:
    return float(psutil.Process().memory_info().rss / 1e6)
