"""One file on its way from the hub: resumed where it broke off, checked before it counts."""

import asyncio
import errno
import glob
import hashlib
import logging
import os
import shutil
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from app.core.errors import (
    ConnectionLost,
    DiskFull,
    KonsiliumError,
    MalformedAnswer,
    ServerFault,
    ServerUnavailable,
    SilenceTimeout,
    StorageUnavailable,
)
from app.providers.embedded.hub import Hub, HubFacts, HubFile

log = logging.getLogger(__name__)

BLOCK_BYTES = 2**20
TRIES = 5
"""In a row without a byte."""
FIRST_PAUSE_SECONDS = 1.0
SPEED_SECONDS = 5.0
"""Over which the speed is measured."""

PASSING = (ConnectionLost, SilenceTimeout, ServerFault, ServerUnavailable)
"""What trying again may mend."""


class Download:
    """`run` it once; `completed`, `size` and `speed` tell how far it is meanwhile."""

    def __init__(
        self, hub: Hub, file: HubFile, target: Path, *, first_pause: float = FIRST_PAUSE_SECONDS
    ) -> None:
        self._hub = hub
        self._file = file
        self._target = target
        self._first_pause = first_pause
        self._marks: deque[tuple[float, int]] = deque()
        self._hash = hashlib.sha256()
        self.completed = 0
        self.size: int | None = None

    @property
    def speed(self) -> float | None:
        """Bytes a second of late; None before there is anything to measure, or when nothing comes."""
        if len(self._marks) < 2 or time.monotonic() - self._marks[-1][0] > SPEED_SECONDS:
            return None
        (first, before), (last, after) = self._marks[0], self._marks[-1]
        return (after - before) / (last - first) if last > first else None

    async def run(self) -> None:
        """Brings the file. Raises ModelNotFound or WrongKey (the hub refuses), MalformedAnswer (the
        checksum differs), DiskFull, StorageUnavailable (it may not be written), or what broke it off, when trying again
        did not help. What has come stays, but for a file with a wrong checksum.
        """
        facts, tries = None, 0
        while True:
            before = self.completed
            try:
                facts = facts or await self._hub.facts(self._file)
                await self._once(facts)
            except PASSING as error:
                tries = tries + 1 if self.completed <= before else 1
                if tries >= TRIES:
                    raise
                pause = self._first_pause * 2 ** (tries - 1)
                log.info("%s: %s; again in %g s", self._file.name, error.detail, pause)
                await asyncio.sleep(pause)
            except OSError as error:
                raise _unwritten(error) from error
            else:
                return

    async def _once(self, facts: HubFacts) -> None:
        sha256 = self._file.sha256 or facts.sha256
        part = part_of(self._target, sha256)
        part.parent.mkdir(parents=True, exist_ok=True)
        self.size = facts.size
        await asyncio.to_thread(self._take_up, part)
        if self.size is None or self.completed != self.size:
            self._make_sure_of_room(part)
            await self._fetch(part)
        if self.size is not None and self.completed < self.size:
            raise ConnectionLost(f"the download broke off at {self.completed} of {self.size} bytes")
        wrong_size = self.size is not None and self.completed != self.size
        if wrong_size or (sha256 is not None and self._hash.hexdigest() != sha256):
            part.unlink()
            self.completed = 0
            raise MalformedAnswer(
                f"{self._file.name} came damaged: its checksum differs; start anew"
            )
        os.replace(part, self._target)
        log.info("%s is here, %d bytes", self._file.name, self.completed)

    async def _fetch(self, part: Path) -> None:
        async with self._hub.body(self._file, self.completed) as body:
            if body.start not in (0, self.completed):
                raise MalformedAnswer("the model hub sends another part than was asked for")
            self.size = self.size or body.size
            with open(part, "ab") as file:  # noqa: ASYNC230  # opening and cutting take no time
                if body.start != self.completed:
                    self.completed, self._hash = 0, hashlib.sha256()
                    file.truncate(0)
                self._marks.clear()
                await self._write(file.fileno(), body.pieces)

    async def _write(self, descriptor: int, pieces: AsyncIterator[bytes]) -> None:
        waiting = bytearray()
        try:
            async for piece in pieces:
                waiting += piece
                self.completed += len(piece)
                if len(waiting) >= BLOCK_BYTES:
                    block, waiting = bytes(waiting), bytearray()
                    await _apart(self._keep, descriptor, block)
                self._mark()
        finally:
            self._keep(descriptor, bytes(waiting))  # less than a block, also when broken off
        await _apart(os.fsync, descriptor)

    def _keep(self, descriptor: int, block: bytes) -> None:
        view = memoryview(block)
        while view:
            written = os.write(descriptor, view)
            self._hash.update(view[:written])
            view = view[written:]

    def _mark(self) -> None:
        moment = time.monotonic()
        self._marks.append((moment, self.completed))
        while moment - self._marks[0][0] > SPEED_SECONDS:
            self._marks.popleft()

    def _take_up(self, part: Path) -> None:
        """Reads what came before: it counts for the checksum too."""
        self._hash, self.completed = hashlib.sha256(), 0
        if not part.is_file():
            return
        with part.open("rb") as file:
            while block := file.read(BLOCK_BYTES):
                self._hash.update(block)
                self.completed += len(block)
        if self.size is not None and self.completed > self.size:
            part.unlink()
            self._hash, self.completed = hashlib.sha256(), 0

    def _make_sure_of_room(self, part: Path) -> None:
        needed = (self.size or 0) - self.completed
        free = shutil.disk_usage(part.parent).free
        if needed > free:
            raise DiskFull(
                f"the disk is full: {needed:,} bytes more are needed, {free:,} are free in {part.parent}"
            )


async def _apart(function: Callable[..., object], *arguments: object) -> None:
    """In a thread, and to its end also when cancelled: the file must not be closed under it."""
    writing = asyncio.ensure_future(asyncio.to_thread(function, *arguments))
    try:
        await asyncio.shield(writing)
    finally:
        await asyncio.wait({writing})


def part_of(target: Path, sha256: str | None) -> Path:
    """Where a file is kept until it is whole; another checksum is another file."""
    mark = f".{sha256[:12]}" if sha256 else ""
    return target.with_name(f"{target.name}{mark}.part")


def fetched_before(target: Path) -> int:
    """How many bytes of it earlier downloads have left, whichever checksum they went by."""
    parts = target.parent.glob(f"{glob.escape(target.name)}*.part")
    return max((part.stat().st_size for part in parts), default=0)


def _unwritten(error: OSError) -> KonsiliumError:
    if error.errno == errno.ENOSPC:
        return DiskFull("the disk is full; what has come is kept")
    return StorageUnavailable(f"the file cannot be written: {error}")
