"""The chat under 1, 8 and 50 simultaneous chats, beside the model server asked directly and beside a
plain Chainlit app as people write it, in one run.

Measured in the browser's place, by real socket.io clients: the time to the first word, the server's
CPU per 1,000 characters at full speed, memory per open chat, the time from start to the first page.
"""

import asyncio
import json
import statistics
import sys
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil
import socketio

from bench.report import Report
from tests.processes import (
    CHAINLIT,
    Process,
    clean_environment,
    free_port,
    konsilium,
    running,
    simulator,
    temporary_folder,
)

PACED = "slow-first-100ms+paced-20ms+len-150"
"""Speaks its first token after 100 ms, then 50 a second, for three seconds."""
BURST = "burst-2000"
"""2,000 tokens, as fast as they can be taken."""


@dataclass
class Identity:
    """One open chat: a socket.io client that speaks as Chainlit's own does."""

    url: str
    cookies: str = ""
    session: str = field(default_factory=lambda: str(uuid.uuid4()))
    thread: str = ""
    """The one that the page opens, or has begun."""
    socket: Any = None
    words: asyncio.Event = field(default_factory=asyncio.Event)
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    first_word_at: float = 0.0
    written: dict[str, int] = field(default_factory=dict)
    """Characters on the screen, by message."""

    async def open(self) -> None:
        """Loads the page (and with it the cookie of local mode) and connects."""
        async with httpx.AsyncClient(base_url=self.url) as http:
            await http.get("/", headers={"Accept": "text/html"})
            self.cookies = "; ".join(f"{key}={value}" for key, value in http.cookies.items())
        self.socket = socketio.AsyncClient()
        for event in ("new_message", "stream_start", "update_message"):
            self.socket.on(event, self._message)
        self.socket.on("stream_token", self._token)
        self.socket.on("first_interaction", self._begun)
        self.socket.on("resume_thread", self._opened)
        self.socket.on("task_end", lambda _: self.ended.set())
        auth = {"sessionId": self.session, "clientType": "webapp", "userEnv": "{}"}
        auth["threadId"] = self.thread
        await self.socket.connect(
            self.url,
            headers={"Cookie": self.cookies, "Origin": self.url, "Accept-Language": "en-US"},
            auth=auth,
            socketio_path="/ws/socket.io",
            transports=["websocket"],
            wait_timeout=60,
        )
        await self.socket.emit("connection_successful")
        await asyncio.sleep(0.3)

    async def ask(self, text: str, modes: dict[str, str]) -> float:
        """Asks, and returns the seconds to the first word once the answer is whole."""
        self.words.clear()
        self.ended.clear()
        self.written.clear()
        asked = time.perf_counter()
        message = {
            "id": str(uuid.uuid4()),
            "threadId": "",
            "name": "User",
            "type": "user_message",
            "output": text,
            "createdAt": "2026-01-01T00:00:00.000Z",
            "modes": modes,
        }
        await self.socket.emit("client_message", {"message": message, "fileReferences": []})
        await asyncio.wait_for(self.words.wait(), 120)
        await asyncio.wait_for(self.ended.wait(), 120)
        return self.first_word_at - asked

    async def close(self) -> None:
        await self.socket.disconnect()

    @property
    def characters(self) -> int:
        """How long the answer is that the screen has."""
        return sum(self.written.values())

    def _begun(self, data: dict[str, Any]) -> None:
        self.thread = data["thread_id"]

    def _opened(self, thread: dict[str, Any]) -> None:
        for step in thread["steps"]:
            self._message(step)

    def _message(self, step: dict[str, Any]) -> None:
        if step.get("type") == "assistant_message" and step.get("output"):
            self._has(step["id"], len(step["output"]))

    def _token(self, data: dict[str, Any]) -> None:
        self._has(data["id"], self.written.get(data["id"], 0) + len(data["token"]))

    def _has(self, message: str, characters: int) -> None:
        if not self.words.is_set():
            self.first_word_at = time.perf_counter()
            self.words.set()
        self.written[message] = characters


async def direct_first_token(server: str, model: str, chats: int) -> float:
    """Median seconds to the first line of the model server itself, asked by `chats` at once."""

    async def one(client: httpx.AsyncClient) -> float:
        body = {"model": model, "messages": [{"role": "user", "content": "hi"}], "stream": True}
        asked = time.perf_counter()
        first = 0.0
        async with client.stream("POST", "/api/chat", json=body) as response:
            async for line in response.aiter_lines():
                if not first and json.loads(line).get("message", {}).get("content"):
                    first = time.perf_counter() - asked
        return first

    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(base_url=server, timeout=120, limits=limits) as client:
        return statistics.median(await asyncio.gather(*(one(client) for _ in range(chats))))


async def measure(app: Process, chats: int, modes: dict[str, str]) -> tuple[float, float]:
    """(median seconds to the first word, MB of memory per open chat)."""
    process = psutil.Process(app.pid)
    before = process.memory_info().rss
    visitors = [Identity(app.url) for _ in range(chats)]
    for visitor in visitors:
        await visitor.open()
    firsts = await asyncio.gather(*(visitor.ask("hello", modes) for visitor in visitors))
    memory = (process.memory_info().rss - before) / chats / 1e6
    for visitor in visitors:
        await visitor.close()
    return statistics.median(firsts), memory


async def cpu_per_thousand(app: Process, modes: dict[str, str]) -> float:
    """Milliseconds of the app's CPU per 1,000 characters: 8 chats at full speed."""
    process = psutil.Process(app.pid)
    visitors = [Identity(app.url) for _ in range(8)]
    for visitor in visitors:
        await visitor.open()
    await visitors[0].ask("warm up", modes)
    start = process.cpu_times()
    await asyncio.gather(*(visitor.ask("go", modes) for visitor in visitors))
    end = process.cpu_times()
    spent: float = (end.user + end.system) - (start.user + start.system)
    characters = sum(visitor.characters for visitor in visitors)
    for visitor in visitors:
        await visitor.close()
    return spent * 1000 / (characters / 1000)


def plain_app(folder: Path, server: str, model: str) -> Process:
    """The yardstick over the same model server."""
    port = free_port()
    environment = clean_environment(
        CHAINLIT_APP_ROOT=str(folder / "plain-root"), OLLAMA_HOST=server, MODEL_NAME=model
    )
    (folder / "plain-root").mkdir(exist_ok=True)
    app = str(Path(__file__).with_name("plain_chainlit_app.py"))
    command = [str(CHAINLIT), "run", app, "--headless", "--port", str(port)]
    return Process(command, f"http://127.0.0.1:{port}", environment, folder / f"plain-{port}.log")


async def run(report: Report) -> None:
    """All of it; `report.quick` leaves out the 50."""
    counts = (1, 8) if report.quick else (1, 8, 50)
    with temporary_folder() as name:
        folder = Path(name)
        server = simulator("ollama", folder, PACED, BURST)
        with running(server):
            ours = konsilium(folder / "ours", OLLAMA_HOST=server.url)
            await _first_tokens(report, ours, plain_app(folder, server.url, PACED), server, counts)
            await _full_speed(report, folder, server)


async def _first_tokens(
    report: Report, ours: Process, plain: Process, server: Process, counts: tuple[int, ...]
) -> None:
    ours_modes = {"mode": "chat", "model": f"ollama/{PACED}"}
    with running(ours):
        report.add("chat", "start to first page, first run", ours.seconds_to_ready, "s")
    with running(ours, plain):
        seconds = ours.seconds_to_ready
        report.add("chat", "start to first page, second run", seconds, "s", 4.0)
        for chats in counts:
            direct = await direct_first_token(server.url, PACED, chats)
            first, memory = await measure(ours, chats, ours_modes)
            plain_first, plain_memory = await measure(plain, chats, {})
            goal = 60.0 if chats == 50 else None
            added, plain_added = (first - direct) * 1000, (plain_first - direct) * 1000
            report.add("chat", f"first token added, {chats} chats", added, "ms", goal)
            report.add("chat", f"first token added, {chats} chats, plain app", plain_added, "ms")
            if chats == 50:
                report.add("chat", "memory per open chat", memory, "MB", 3.0)
                report.add("chat", "memory per open chat, plain app", plain_memory, "MB")


async def _full_speed(report: Report, folder: Path, server: Process) -> None:
    ours = konsilium(folder / "fast", OLLAMA_HOST=server.url)
    plain = plain_app(folder, server.url, BURST)
    with running(ours, plain):
        spent = await cpu_per_thousand(ours, {"mode": "chat", "model": f"ollama/{BURST}"})
        plain_spent = await cpu_per_thousand(plain, {})
    report.add("chat", "CPU per 1,000 characters", spent, "ms")
    report.add("chat", "CPU per 1,000 characters, plain app", plain_spent, "ms")
    report.add("chat", "CPU, share of the plain app's", spent / plain_spent, "", 0.2)


if __name__ == "__main__":
    asyncio.run(run(Report(quick="--quick" in sys.argv)))
