"""CPU per streamed token: our adapters with the meter, beside the packages' own streams, in one run.

The simulated servers run in processes of their own; measured is this process alone.
"""

import asyncio
import contextlib
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import ollama
import openai

from app.completion.catalogue import Catalogue
from app.completion.models import Models
from app.completion.pricing import Prices
from app.core.events import TextDelta
from app.core.messages import Message
from app.core.models import ModelRef
from app.core.ports import ModelServer
from app.core.providers import any_server
from app.core.requests import ModelRequest
from app.providers.ollama import OllamaServer
from app.providers.openai_compatible.server import OpenAICompatibleServer
from bench.report import Report

BENCH = "models"
STREAMS = 8
QUESTION = "Скільки буде два плюс два?"
Reader = Callable[[], Awaitable[int]]


@asynccontextmanager
async def simulator(kind: str, model: str) -> AsyncIterator[str]:
    """The URL of a simulated server in a process of its own."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.simulators", kind, "--models", f"{model},echo",
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        yield (await process.stdout.readline()).decode().strip()
    finally:
        process.terminate()
        await process.wait()


async def measured(read: Reader) -> tuple[float, float]:
    """(tokens a second, CPU microseconds a token) of STREAMS readers at once."""
    await read()
    wall, cpu = time.perf_counter(), time.process_time()
    tokens = sum(await asyncio.gather(*(read() for _ in range(STREAMS))))
    return tokens / (time.perf_counter() - wall), (time.process_time() - cpu) / tokens * 1e6


async def run(report: Report) -> None:
    """Both protocols, ours and the package's."""
    length = 500 if report.quick else 5000
    for kind in ("ollama", "openai"):
        model = f"burst-{length}"
        async with simulator(kind, model) as url, contextlib.AsyncExitStack() as stack:
            server: ModelServer
            if kind == "ollama":
                server = OllamaServer("bench", url)
                package = _ollama_package(url, model)
            else:
                server = OpenAICompatibleServer(any_server("bench", f"{url}/v1"))
                package = _openai_package(f"{url}/v1", model)
            catalogue = Catalogue([server])
            stack.push_async_callback(catalogue.aclose)
            await catalogue.refresh()
            speed, cost = await measured(_ours(Models(catalogue, Prices()), model))
            theirs, their_cost = await measured(package)
        goal = 25_000 if kind == "ollama" else 60_000
        report.add(BENCH, f"{kind}: adapter and meter", speed, "tokens/s", goal, at_least=True)
        report.add(BENCH, f"{kind}: the package alone", theirs, "tokens/s")
        report.add(BENCH, f"{kind}: adapter and meter, CPU", cost, "µs/token", their_cost / 2)
        report.add(BENCH, f"{kind}: the package alone, CPU", their_cost, "µs/token")


def _ours(models: Models, model: str) -> Reader:
    async def read() -> int:
        call = models.call(ModelRef("bench", model), ModelRequest((Message.user(QUESTION),)))
        async with contextlib.aclosing(call.events()) as events:
            return sum([1 async for event in events if type(event) is TextDelta])

    return read


def _ollama_package(url: str, model: str) -> Reader:
    client = ollama.AsyncClient(url)

    async def read() -> int:
        parts = await client.chat(model, [{"role": "user", "content": QUESTION}], stream=True)
        return sum([1 async for part in parts if part.message.content])

    return read


def _openai_package(url: str, model: str) -> Reader:
    client = openai.AsyncOpenAI(api_key="none", base_url=url)

    async def read() -> int:
        stream = await client.chat.completions.create(
            model=model, messages=[{"role": "user", "content": QUESTION}], stream=True
        )
        async with stream:
            return sum([1 async for c in stream if c.choices and c.choices[0].delta.content])

    return read
