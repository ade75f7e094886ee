"""What watches over the app asks: /health, what works and what does not; /metrics, for Prometheus."""

import asyncio
from collections.abc import Callable
from typing import Any

from app.core.errors import StorageUnavailable
from app.core.ports import KeyStore, Models
from app.gateway.access import Authenticator, has_secret
from app.gateway.http import Exchange

DATABASE_SECONDS = 3.0


async def health(database: KeyStore, models: Models) -> tuple[int, dict[str, Any]]:
    """A status and its JSON: 200 `{"status": "ok", …}`, 503 where the database is not usable."""
    usable = await _usable(database)
    servers = {
        state.name: "ok" if state.reachable else (state.error.code if state.error else "unknown")
        for state in models.states()
    }
    count = sum(len(state.models) for state in models.states())
    body = {
        "status": "ok" if usable else "unavailable",
        "database": "ok" if usable else "unavailable",
        "servers": servers,
        "models": count,
    }
    return (200 if usable else 503), body


async def _usable(database: KeyStore) -> bool:
    try:
        async with asyncio.timeout(DATABASE_SECONDS):
            await database.version()
    except (StorageUnavailable, TimeoutError):
        return False
    return True


class Metrics:
    """Serves what `exposition` gives, made at every scrape."""

    def __init__(
        self, authenticator: Authenticator, exposition: Callable[[], bytes], content_type: str
    ) -> None:
        self._authenticator = authenticator
        self._exposition = exposition
        self._content_type = content_type.encode()

    async def __call__(self, x: Exchange) -> None:
        if has_secret(x) or not self._authenticator.from_here(x):
            await self._authenticator.caller(x, cookies=True)
        await x.reply(200, self._exposition(), content_type=self._content_type)
