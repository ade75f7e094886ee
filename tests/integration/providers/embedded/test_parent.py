"""A killed app leaves no llama.cpp behind."""

import subprocess
import sys
import time
from pathlib import Path

import psutil

from tests.gguf_model import make_gguf

APP = """
import asyncio, sys
from pathlib import Path
from app.providers.embedded.llama import started

async def main():
    async with started(Path(sys.argv[1]), "babbler", window=512, slots=1, server="embedded") as llama:
        print(llama.pid, flush=True)
        await asyncio.sleep(60)

asyncio.run(main())
"""


def test_its_parent_killed_it_is_gone_within_two_seconds(tmp_path: Path) -> None:
    model = make_gguf(tmp_path / "babbler.gguf")
    command = [sys.executable, "-c", APP, str(model)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=Path(__file__).parents[4]) as app:
        assert app.stdout is not None
        llama = psutil.Process(int(app.stdout.readline()))
        app.kill()
    start = time.perf_counter()
    while llama.is_running() and llama.status() != psutil.STATUS_ZOMBIE:
        assert time.perf_counter() - start < 2.0
        time.sleep(0.02)
