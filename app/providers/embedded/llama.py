"""One llama.cpp process: started, told from without when it has ended, and ended."""

import asyncio
import contextlib
import json
import logging
import os
import re
import secrets
import sys
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import asdict
from pathlib import Path

from app.core.errors import ServerUnavailable
from app.providers.embedded.process import ServerOptions

log = logging.getLogger(__name__)

ROOT = Path(__file__).parents[3]
COMMAND = (sys.executable, "-m", "app.providers.embedded.process")
STOP_SECONDS = 2.0
LAST_LINES = 50
_PREFIX = re.compile(r"^[\d.]+ [EW] ")
"""llama.cpp's own clock and level before each line."""


class Llama:
    """A running server with its model loaded; `started` makes it and ends it."""

    def __init__(self, url: str, key: str, process: asyncio.subprocess.Process) -> None:
        self.url, self.key = url, key
        self._process = process
        self.exited = asyncio.create_task(process.wait())
        """Done when the process has ended, for whatever reason; its return code."""

    @property
    def pid(self) -> int:
        return self._process.pid


@contextlib.asynccontextmanager
async def started(
    path: Path, alias: str, *, window: int, slots: int, server: str, exact: bool = False
) -> AsyncIterator[Llama]:
    """Runs the model; at the end, and when cancelled while it loads, the process is gone.

    Raises ServerUnavailable, with llama.cpp's reason, where it ends before it has loaded the model.
    """
    key = secrets.token_urlsafe(32)
    start = ServerOptions(str(path), alias, key, window, slots, os.getpid(), exact)
    process = await _process(server)
    said: deque[str] = deque(maxlen=LAST_LINES)
    listening = asyncio.create_task(_listen(process, said))
    try:
        url = await _loaded(process, start)
        if url is None:
            await process.wait()
            await listening
            raise ServerUnavailable(_why(process.returncode, said), server=server)
        log.info("llama.cpp runs %s at %s, process %d", alias, url, process.pid)
        llama = Llama(url, key, process)
        try:
            yield llama
        finally:
            await _end(process)
            await llama.exited
    finally:
        await _end(process)
        listening.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await listening


async def _process(server: str) -> asyncio.subprocess.Process:
    pipe = asyncio.subprocess.PIPE
    try:
        return await asyncio.create_subprocess_exec(
            *COMMAND, cwd=ROOT, stdin=pipe, stdout=pipe, stderr=pipe
        )
    except OSError as error:
        raise ServerUnavailable(f"no process could be started: {error}", server=server) from error


async def _loaded(process: asyncio.subprocess.Process, start: ServerOptions) -> str | None:
    """The server's address once it answers; None where the process ends first."""
    if process.stdin is None or process.stdout is None:
        raise RuntimeError("a process without pipes")
    with contextlib.suppress(ConnectionError):  # it has ended already: that shows below
        process.stdin.write(json.dumps(asdict(start)).encode() + b"\n")
        await process.stdin.drain()
    line = await process.stdout.readline()
    return line.decode().strip() or None


async def _listen(process: asyncio.subprocess.Process, said: deque[str]) -> None:
    """Keeps llama.cpp's last lines, and reads on, lest it waits for us."""
    if process.stderr is None:
        return
    while line := await process.stderr.readline():
        text = _PREFIX.sub("", line.decode("utf-8", "replace").rstrip())
        said.append(text)
        log.debug("llama.cpp: %s", text)


async def _end(process: asyncio.subprocess.Process) -> None:
    """Closes its standard input, which ends it; kills it where it does not."""
    if process.returncode is not None:
        return
    if process.stdin is not None:
        process.stdin.close()
    try:
        async with asyncio.timeout(STOP_SECONDS):
            await process.wait()
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def _why(code: int | None, said: deque[str]) -> str:
    lines = [line for line in said if "error" in line.lower() or "not installed" in line]
    reason = lines[0] if lines else (said[-1] if said else "it said nothing")
    return f"the process ended while it was starting (code {code}): {reason}"
