"""/health: what works and what does not."""

import asyncio
from typing import Any

from app.core.errors import StorageUnavailable
from app.core.ports import KeyStore, Models

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
