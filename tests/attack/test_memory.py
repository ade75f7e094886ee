"""Questions without end leave nothing behind in memory.

Until SQLite's page cache is full (16 MB a connection, some 6,000 turns), it grows with the database by about
4 MB a thousand; after that by nothing.
"""

import asyncio
import os

import httpx
import psutil
import pytest

from tests.processes import konsilium, running, simulator

TURNS = int(os.environ.get("ATTACK_TURNS", "300"))
WARM = min(6_000, TURNS // 2)
GROWN_MB = 4 if WARM == 6_000 else 15
"""Of a short run, the cache is still filling."""
A_THREAD = 10
MODEL = "len-6"


@pytest.mark.timeout(900 + TURNS)
async def test_turns_leave_nothing_behind(tmp_path):
    upstream = simulator("openai", tmp_path, MODEL)
    with running(upstream):
        servers = {"OLLAMA_HOST": "", "OPENAI_SERVERS": f"gpu={upstream.url}/v1"}
        app = konsilium(tmp_path, **servers, MODEL_NAME=f"gpu/{MODEL}", LOG_LEVEL="WARNING")
        with running(app):
            async with httpx.AsyncClient(base_url=app.url, timeout=120) as http:
                await turns(http, WARM)
                before = rss(app.pid)
                await turns(http, TURNS - WARM)
                grown = rss(app.pid) - before
    assert grown < GROWN_MB, f"{grown:.1f} MB by {TURNS - WARM} turns"


async def turns(http, count):
    """Asks so many questions, four at once, ten to a thread."""
    left = iter(range(count))

    async def ask():
        thread = None
        for number in left:
            body = {"message": f"Hello {number}"} | ({"chatId": thread} if thread else {})
            answer = await http.post("/api/chat", json=body)
            answer.raise_for_status()
            thread = answer.json()["chatId"] if number % A_THREAD else None

    await asyncio.gather(*(ask() for _ in range(4)))


def rss(pid):
    return psutil.Process(pid).memory_info().rss / 1e6
