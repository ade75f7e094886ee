"""A killed app leaves no llama.cpp behind."""

import subprocess
import sys
from pathlib import Path

import psutil

from tests.gguf_model import make_gguf
from tests.waiting import wait_until

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
    wait_until(lambda: not llama.is_running() or llama.status() == psutil.STATUS_ZOMBIE, within=2)
