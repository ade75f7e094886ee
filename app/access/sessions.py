"""Sign-ins that were ended before their tokens run out."""

import hashlib
from typing import Any

from app.core.ports import KeyValueStore
from app.core.turns import now

SCOPE = "ended-sessions"


class Sessions:
    """Keeps which tokens were signed out, in the database, so that every replica knows at once. What is
    kept is their hash; a new password ends tokens by itself (see `auth.credentials`)."""

    def __init__(self, values: KeyValueStore) -> None:
        self._values = values

    async def end(self, token: str, expires: float) -> None:
        """The token opens nothing from now on. `expires` is when it would have run out, in seconds of
        Unix time; what is kept of others that have run out is forgotten."""
        await self._values.put(SCOPE, _hash(token), {"expires": expires})
        for key, kept in (await self._values.items(SCOPE)).items():
            if _moment(kept.get("expires")) < now().timestamp():
                await self._values.delete(SCOPE, key)

    async def ended(self, token: str) -> bool:
        """Whether it was signed out."""
        return await self._values.get(SCOPE, _hash(token)) is not None


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _moment(value: Any) -> float:
    return float(value) if isinstance(value, int | float) else 0.0
