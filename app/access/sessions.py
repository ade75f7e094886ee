"""Sign-ins: whose are open, and which were ended before their tokens run out."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from app.core.errors import NotFound
from app.core.ports import KeyValueStore
from app.core.turns import now

SCOPE = "ended-sessions"
_KNOWN_AT_MOST = 20_000


@dataclass(frozen=True, slots=True)
class Session:
    """One sign-in, as its owner is shown it."""

    id: str
    """Opens nothing: the hash of its token."""
    since: datetime
    expires: float
    """Seconds of Unix time."""
    agent: str
    """The browser's User-Agent."""
    address: str


class Sessions:
    """Keeps which sign-ins a user has and which were ended, in the database, so that every replica
    knows at once. What is kept of a token is its hash; a new password ends tokens by itself (see
    `auth.credentials`)."""

    def __init__(self, values: KeyValueStore) -> None:
        self._values = values
        self._known: set[str] = set()

    async def seen(
        self, user_id: str, token: str, expires: float, *, agent: str, address: str
    ) -> None:
        """A token that holds was used: from the first time on it is among its user's sign-ins."""
        id = id_of(token)
        if id in self._known:
            return
        if len(self._known) >= _KNOWN_AT_MOST:
            self._known.clear()
        if await self._values.get(_scope(user_id), id) is None:
            facts: dict[str, Any] = {"since": now().timestamp(), "expires": expires}
            facts |= {"agent": agent[:500], "address": address}
            await self._values.put(_scope(user_id), id, facts)
        self._known.add(id)

    async def of(self, user_id: str) -> tuple[Session, ...]:
        """The user's sign-ins that are open, the newest first. Others that are kept are forgotten."""
        kept = await self._values.items(_scope(user_id))
        ended = await self._values.among(SCOPE, kept)
        sessions = []
        for id, facts in kept.items():
            session = _session(id, facts)
            if id in ended or session.expires < now().timestamp():
                await self._values.delete(_scope(user_id), id)
            else:
                sessions.append(session)
        return tuple(sorted(sessions, key=lambda one: one.since, reverse=True))

    async def end(self, token: str, expires: float) -> None:
        """The token opens nothing from now on. `expires` is when it would have run out, in seconds of
        Unix time; what is kept of others that have run out is forgotten."""
        await self._end(id_of(token), expires)

    async def end_listed(self, user_id: str, id: str) -> None:
        """The same for one of the user's sign-ins. Raises NotFound where it is none."""
        facts = await self._values.get(_scope(user_id), id)
        if facts is None:
            raise NotFound(f"sign-in {id}")
        await self._end(id, _moment(facts.get("expires")))
        await self._values.delete(_scope(user_id), id)

    async def _end(self, id: str, expires: float) -> None:
        await self._values.put(SCOPE, id, {"expires": expires})
        for key, kept in (await self._values.items(SCOPE)).items():
            if _moment(kept.get("expires")) < now().timestamp():
                await self._values.delete(SCOPE, key)

    async def ended(self, token: str) -> bool:
        """Whether it was signed out."""
        return await self._values.get(SCOPE, id_of(token)) is not None

    async def ended_among(self, tokens: Iterable[str]) -> frozenset[str]:
        """Those of the tokens that were signed out."""
        by_id = {id_of(token): token for token in tokens}
        return frozenset(by_id[id] for id in await self._values.among(SCOPE, by_id))


def id_of(token: str) -> str:
    """The id of a token's session."""
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()


def _scope(user_id: str) -> str:
    return f"sessions/{user_id}"


def _session(id: str, facts: Any) -> Session:
    since = datetime.fromtimestamp(_moment(facts.get("since")), UTC)
    said = (str(facts.get(name) or "") for name in ("agent", "address"))
    return Session(id, since, _moment(facts.get("expires")), *said)


def _moment(value: Any) -> float:
    return float(value) if isinstance(value, int | float) else 0.0
