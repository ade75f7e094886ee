"""/metrics, for Prometheus: open to programs on this machine, to others with a key or signed in."""

from collections.abc import Callable

from app.gateway.access import Door
from app.gateway.errors import WrongMethod
from app.gateway.http import Exchange


class Metrics:
    """Serves what `exposition` gives, made at every scrape."""

    def __init__(self, door: Door, exposition: Callable[[], bytes], content_type: str) -> None:
        self._door = door
        self._exposition = exposition
        self._content_type = content_type.encode()

    async def __call__(self, x: Exchange) -> None:
        if x.method not in ("GET", "HEAD"):
            raise WrongMethod(f"{x.method} is not allowed on {x.path}.")
        if not self._door.from_here(x):
            await self._door.caller(x, cookies=True)
        await x.reply(200, self._exposition(), content_type=self._content_type)
