"""/metrics, for Prometheus: open to programs on this machine, to others with a key or signed in."""

from collections.abc import Callable

from app.gateway.access import Authenticator, has_secret
from app.gateway.errors import WrongMethod
from app.gateway.http import Exchange


class Metrics:
    """Serves what `exposition` gives, made at every scrape."""

    def __init__(
        self, authenticator: Authenticator, exposition: Callable[[], bytes], content_type: str
    ) -> None:
        self._authenticator = authenticator
        self._exposition = exposition
        self._content_type = content_type.encode()

    async def __call__(self, x: Exchange) -> None:
        if x.method not in ("GET", "HEAD"):
            raise WrongMethod(f"{x.method} is not allowed on {x.path}.")
        if has_secret(x) or not self._authenticator.from_here(x):
            await self._authenticator.caller(x, cookies=True)
        await x.reply(200, self._exposition(), content_type=self._content_type)
