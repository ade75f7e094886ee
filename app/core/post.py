"""Messages between processes, where there is one process: `core.ports.Post` without a wire."""

import asyncio
import json
from collections.abc import Callable

from app.core.ports import PostMessage

Hear = Callable[[PostMessage], None]


class LocalPost:
    """One process's post. Those that share an `office` reach one another; alone, it reaches nobody."""

    def __init__(self, id: str, office: "dict[str, LocalPost] | None" = None) -> None:
        self.id = id
        self._office = {} if office is None else office
        self._office[id] = self
        self._hearers: dict[str, list[Hear]] = {}

    @property
    def reaches_others(self) -> bool:
        return len(self._office) > 1

    def send(self, to: str, message: PostMessage) -> None:
        if other := self._office.get(to):
            told = json.loads(json.dumps({**message, "from": self.id}))
            asyncio.get_running_loop().call_soon(other.deliver, told)

    def tell_all(self, message: PostMessage) -> None:
        for other in self._office:
            if other != self.id:
                self.send(other, message)

    def on(self, kind: str, hear: Hear) -> None:
        self._hearers.setdefault(kind, []).append(hear)

    async def run(self) -> None:
        """There is nothing to be carried."""

    async def aclose(self) -> None:
        self._office.pop(self.id, None)

    def deliver(self, message: PostMessage) -> None:
        """Hands a message that has come to those who hear its kind."""
        for hear in self._hearers.get(str(message.get("kind")), ()):
            hear(message)
