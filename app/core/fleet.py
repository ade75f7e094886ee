"""What the processes over one database tell each other of themselves: how busy each of them is."""

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Any

from app.core.ports import Post, PostMessage

TELL_SECONDS = 2.0
"""How often each tells all, though nothing has changed."""
SILENT_SECONDS = 5.0
"""Who is silent for longer counts no more."""
SOON_SECONDS = 0.005
"""Changes of so short a time are told at once."""


class Fleet:
    """The other processes, as they said last of each topic. Alone, there are none, and nothing is told."""

    def __init__(self, post: Post, clock: Callable[[], float] = time.monotonic) -> None:
        self._post = post
        self._clock = clock
        self._topics: dict[str, Callable[[], Any]] = {}
        self._said: dict[str, tuple[float, Mapping[str, Any]]] = {}
        self._hearers: list[Callable[[], None]] = []
        self._due: asyncio.TimerHandle | None = None
        post.on("fleet", self._hear)

    def share(self, topic: str, say: Callable[[], Any]) -> None:
        """From now on the others are told what `say` gives: JSON."""
        self._topics[topic] = say

    def on_news(self, hear: Callable[[], None]) -> None:
        """Is called when another has said something new, or counts no more. Must be quick."""
        self._hearers.append(hear)

    def said(self, topic: str) -> dict[str, Any]:
        """What each of the others said last of that, by its process."""
        return {one: facts[topic] for one, (_, facts) in self._said.items() if topic in facts}

    @property
    def size(self) -> int:
        """How many processes there are, this one among them."""
        return 1 + len(self._said)

    @property
    def id(self) -> str:
        """This process's."""
        return self._post.id

    def changed(self) -> None:
        """Something of what is shared has changed: the others are told soon."""
        if self._due is None and self._post.reaches_others:
            self._due = asyncio.get_running_loop().call_later(SOON_SECONDS, self._tell)

    async def run(self) -> None:
        """Tells and forgets, until it is cancelled."""
        while True:
            if self._post.reaches_others:
                self._tell()
            self.forget_the_silent()
            await asyncio.sleep(TELL_SECONDS)

    def forget_the_silent(self) -> None:
        """Those that have said nothing for `SILENT_SECONDS` count no more."""
        at = self._clock()
        silent = [one for one, (heard, _) in self._said.items() if at - heard > SILENT_SECONDS]
        for one in silent:
            del self._said[one]
        if silent:
            self._news()

    def _tell(self) -> None:
        if self._due is not None:
            self._due.cancel()
            self._due = None
        facts = {topic: say() for topic, say in self._topics.items()}
        self._post.tell_all({"kind": "fleet", "facts": facts})

    def _hear(self, message: PostMessage) -> None:
        facts, before = message["facts"], self._said.get(message["from"])
        self._said[message["from"]] = (self._clock(), facts)
        if before is None or before[1] != facts:
            self._news()

    def _news(self) -> None:
        for hear in self._hearers:
            hear()
