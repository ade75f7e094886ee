"""Messages between processes on any machines, through Redis Streams: one stream for each process, and
one for all. Streams are bounded and expire; what is sent while Redis is away is lost."""

import asyncio
import json
import logging
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, cast

from redis.asyncio import Redis
from redis.exceptions import RedisError

from app.core.ports import PostMessage

log = logging.getLogger(__name__)

PREFIX = "konsilium:post:"
ALL = "all"
KEEP = 5_000
"""Batches that a stream holds; more unread ones than that push out the oldest."""
EXPIRE_SECONDS = 60
BLOCK_MS = 1_000
CONNECT_SECONDS = 1.0
ANSWER_SECONDS = 5.0
"""Longer than a read waits by itself."""
RETRY_SECONDS = 0.5
LOOK_SECONDS = 5.0
MAX_WAITING = 20_000
"""Messages kept while Redis does not answer; the rest is lost."""

Hear = Callable[[PostMessage], None]


class RedisPost:
    """Implements `core.ports.Post`. `run()` reads and writes until it is cancelled.

    What is sent while an earlier batch is on its way goes along in the next one, so that a busy process
    writes a few large batches, not many small ones.
    """

    def __init__(self, url: str, id: str, *, look_s: float = LOOK_SECONDS) -> None:
        """`look_s`: how often it is made sure that no stream has begun anew."""
        self.id = id
        self._look_s = look_s
        self._redis = Redis.from_url(
            url,
            decode_responses=True,
            socket_connect_timeout=CONNECT_SECONDS,
            socket_timeout=ANSWER_SECONDS,
        )
        self._hearers: dict[str, list[Hear]] = {}
        self._waiting: list[tuple[str, PostMessage]] = []
        self._some = asyncio.Event()
        self._read: dict[str, str] = {PREFIX + id: "0-0"}
        """By stream, up to where it was read."""
        self._looked = time.monotonic()
        self._away = False

    @property
    def reaches_others(self) -> bool:
        return True

    def send(self, to: str, message: PostMessage) -> None:
        if len(self._waiting) < MAX_WAITING:
            self._waiting.append((to, message))
            self._some.set()

    def tell_all(self, message: PostMessage) -> None:
        self.send(ALL, message)

    def on(self, kind: str, hear: Hear) -> None:
        self._hearers.setdefault(kind, []).append(hear)

    async def run(self) -> None:
        """Carries messages both ways, and comes back after Redis was away."""
        async with asyncio.TaskGroup() as both:
            both.create_task(self._again_and_again(self._receive))
            both.create_task(self._again_and_again(self._write))

    async def aclose(self) -> None:
        self._some.set()
        try:
            await self._write()
        except (RedisError, OSError) as error:
            log.debug("the last messages to other processes are lost: %s", error)
        await self._redis.aclose()

    async def _again_and_again(self, work: Callable[[], Awaitable[None]]) -> None:
        here = asyncio.current_task()
        # The client may lose a cancellation: asyncio.wait_for does, before Python 3.12.
        while here is not None and not here.cancelling():
            try:
                await work()
                if self._away:
                    self._away = False
                    log.warning("Redis is back: processes hear of each other again")
            except (RedisError, OSError) as error:
                if not self._away:
                    self._away = True
                    log.warning("Redis is away, processes do not hear of each other: %s", error)
                await asyncio.sleep(RETRY_SECONDS)

    async def _write(self) -> None:
        await self._some.wait()
        self._some.clear()
        waiting, self._waiting = self._waiting, []
        batches: dict[str, list[PostMessage]] = defaultdict(list)
        for to, message in waiting:
            batches[to].append({**message, "from": self.id})
        async with self._redis.pipeline(transaction=False) as pipe:
            for to, batch in batches.items():
                text = json.dumps(batch, ensure_ascii=False, separators=(",", ":"))
                packed = text.encode("utf-8", "replace")  # a page may say half of a surrogate pair
                pipe.xadd(PREFIX + to, {"m": packed}, maxlen=KEEP, approximate=True)
                pipe.expire(PREFIX + to, EXPIRE_SECONDS)
            await pipe.execute()

    async def _receive(self) -> None:
        everybody = PREFIX + ALL
        if everybody not in self._read:  # what was said before this process began is not for it
            last = cast(list[Any], await self._redis.xrevrange(everybody, count=1))
            self._read[everybody] = last[0][0] if last else "0-0"
        if time.monotonic() - self._looked > self._look_s:
            await self._begin_again_where_emptied()
            self._looked = time.monotonic()
        streams = cast(Any, self._read)
        came = cast(Any, await self._redis.xread(streams, count=500, block=BLOCK_MS))
        for stream, entries in came or ():
            for number, fields in entries:
                self._read[stream] = number
                for message in _messages(fields):
                    self._deliver(message)

    async def _begin_again_where_emptied(self) -> None:
        """A stream that has expired begins anew by the clock of Redis, which may have been set back since."""
        for stream, read in self._read.items():
            last = cast(list[Any], await self._redis.xrevrange(stream, count=1))
            if not last or _number(last[0][0]) < _number(read):
                self._read[stream] = "0-0"

    def _deliver(self, message: PostMessage) -> None:
        if message.get("from") == self.id:
            return
        for hear in self._hearers.get(str(message.get("kind")), ()):
            try:
                hear(message)
            except (KeyError, TypeError, ValueError):  # of another version: the others go on
                log.exception("a message from another process cannot be understood")


def _messages(fields: Mapping[str, str]) -> list[PostMessage]:
    try:
        return [message for message in json.loads(fields["m"]) if isinstance(message, dict)]
    except (KeyError, TypeError, ValueError):
        log.exception("a batch from another process cannot be read")
        return []


def _number(id: str) -> tuple[int, int]:
    """An entry's number in its stream: milliseconds, and which one in them."""
    at, _, nth = id.partition("-")
    return int(at), int(nth)
