"""llama.cpp's own HTTP server (PyPI: xllamacpp) in a process of its own, on a model of random weights.

    async with llama_server(folder) as url: ...      # url has no /v1

As a command: python -m tests.llama_server model.gguf alias
"""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.gguf_model import make_gguf

ALIAS = "babbler"
WINDOW = 8192


@asynccontextmanager
async def llama_server(folder: Path, *, fills: bool = False) -> AsyncIterator[str]:
    """The server's URL; it is killed in the end. `fills`: its model takes a suffix."""
    model = make_gguf(folder / "babbler.gguf", fills=fills)
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.llama_server",
        str(model),
        ALIAS,
        cwd=Path(__file__).parents[1],
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        assert process.stdout is not None
        line = await asyncio.wait_for(process.stdout.readline(), 30)
        yield line.decode().strip()
    finally:
        process.kill()
        await process.wait()


def main() -> None:
    import xllamacpp  # loads llama.cpp: only this process should

    params = xllamacpp.CommonParams()
    params.model.path = sys.argv[1]
    params.model_alias = {sys.argv[2]}
    params.port = 0
    params.n_parallel = 2
    params.n_ctx = 2 * WINDOW
    params.n_gpu_layers = 0
    params.cpuparams.n_threads = 1  # more would spin, and take the cores from other tests
    params.endpoint_slots = True
    server = xllamacpp.Server(params)
    print(server.listening_address, flush=True)
    sys.stdin.read()  # until whoever started us is gone


if __name__ == "__main__":
    main()
