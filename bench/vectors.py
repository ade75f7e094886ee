"""A model server of either kind that has a thousand vectors ready, `python -m bench.vectors PORT`; and
somebody who asks for them again and again, `python -m bench.vectors URL MODEL KEY`."""

import asyncio
import json
import random
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from aiohttp import web

from tests.processes import Process, clean_environment, free_port

TEXTS, DIMENSIONS = 1_000, 1_536
MODEL = "vectors"


def process(folder: Path) -> Process:
    """It, in a process of its own."""
    port = free_port()
    command = [sys.executable, "-m", "bench.vectors", str(port)]
    url = f"http://127.0.0.1:{port}"
    return Process(command, url, clean_environment(), folder / "vectors.log", "/api/version")


@contextmanager
def asking(url: str, model: str, key: str) -> Iterator[None]:
    """Has a process of its own ask there, one request after the other, from when the first is answered."""
    command = [sys.executable, "-m", "bench.vectors", url, model, key]
    with subprocess.Popen(command, env=clean_environment(), stdout=subprocess.PIPE) as client:
        assert client.stdout is not None
        client.stdout.readline()
        yield
        client.kill()


def ask(url: str, model: str, key: str) -> None:
    """The same, here. Says a word when the first is answered."""
    body = json.dumps({"model": model, "input": ["a text of some words"] * TEXTS}).encode()
    headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
    while True:
        asked = urllib.request.Request(url + "/v1/embeddings", body, headers)  # noqa: S310 - loopback
        with urllib.request.urlopen(asked) as answer:  # noqa: S310 - loopback
            while answer.read(2**20):
                pass
        print("answered", flush=True)


def answering(body: object) -> Any:
    """A handler that answers so, whatever is asked."""
    ready = json.dumps(body).encode()

    async def handle(request: web.Request) -> web.Response:
        await request.read()
        return web.Response(body=ready, content_type="application/json")

    return handle


def app() -> web.Application:
    """The server."""
    numbers = random.Random(7)
    rows = [[numbers.uniform(-1, 1) for _ in range(DIMENSIONS)] for _ in range(TEXTS)]
    data = [{"object": "embedding", "index": at, "embedding": row} for at, row in enumerate(rows)]
    usage = {"prompt_tokens": TEXTS, "total_tokens": TEXTS}
    served = web.Application(client_max_size=64 * 2**20)
    served.router.add_get("/v1/models", answering({"data": [{"id": MODEL}]}))
    served.router.add_post(
        "/v1/embeddings",
        answering({"object": "list", "data": data, "model": MODEL, "usage": usage}),
    )
    served.router.add_get("/api/version", answering({"version": "0.20.0"}))
    named = {"name": f"{MODEL}:latest", "model": f"{MODEL}:latest", "details": {}}
    served.router.add_get("/api/tags", answering({"models": [named]}))
    served.router.add_get("/api/ps", answering({"models": []}))
    served.router.add_post("/api/show", answering({"capabilities": ["embedding"]}))
    served.router.add_post(
        "/api/embed", answering({"model": MODEL, "embeddings": rows, "prompt_eval_count": TEXTS})
    )
    return served


async def _serve(port: int) -> None:
    runner = web.AppRunner(app())
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    if len(sys.argv) > 2:
        ask(*sys.argv[1:])
    else:
        asyncio.run(_serve(int(sys.argv[1])))
