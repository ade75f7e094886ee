"""What an administrator decides about the cache, kept with the other documents of the database."""

import asyncio
import logging
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import timedelta
from typing import Any

from app.completion.caching.matching import OFFER_FROM
from app.completion.caching.words import Aliases
from app.core.errors import KonsiliumError
from app.core.ports import KeyValueStore

log = logging.getLogger(__name__)

FRESH_SECONDS = 5.0
"""How long a process goes by what it last read: a change reaches all replicas within that, and one lookup."""
MEASURED_COSINES = {"e5": 0.98}
"""By a part of an embedding model's name, as measured (docs/answer-cache.md)."""
UNMEASURED_COSINE = 0.95
"""Of a model that nobody measured: few offers, seldom wrong."""
_SCOPE, _KEY = "answer_cache", "policy"


@dataclass(frozen=True, slots=True)
class Policy:
    """Limits and thresholds. Similarities run from 0 to 1."""

    shared: bool = False
    """One cache for all users (a public FAQ), instead of one for each."""
    offer_from: float = OFFER_FROM
    """Share of words that two questions have in common from which the answer to one is offered."""
    cosines: Mapping[str, float] = field(default_factory=dict)
    """By embedding model (`server/model`), the cosine from which an answer is offered, as
    `python -m bench cache` measured it."""
    days: float = 14.0
    entries: int = 50_000
    """In all scopes together."""
    aliases: str = ""
    """A group a line: `ХДУ = Херсонський державний університет`."""

    @property
    def lifetime(self) -> timedelta:
        return timedelta(days=self.days)

    @property
    def names(self) -> Aliases:
        return Aliases.parse(self.aliases)

    def cosine(self, model: str) -> float:
        """From which cosine of that embedding model an answer is offered."""
        if model in self.cosines:
            return self.cosines[model]
        known = (least for name, least in MEASURED_COSINES.items() if name in model.lower())
        return next(known, UNMEASURED_COSINE)

    @classmethod
    def of(cls, stored: Mapping[str, Any] | None) -> "Policy":
        """From what is stored; fields that are missing or of another kind keep their defaults."""
        default = asdict(cls())
        kept: dict[str, Any] = {}
        for each in fields(cls):
            value = (stored or {}).get(each.name)
            if isinstance(default[each.name], float) and type(value) is int:
                value = float(value)
            if type(value) is type(default[each.name]):
                kept[each.name] = value
        return cls(**kept)


class Policies:
    """Reads the policy at most every FRESH_SECONDS."""

    def __init__(self, documents: KeyValueStore) -> None:
        self._documents = documents
        self._policy = Policy()
        self._read_at: float | None = None
        self._reading: asyncio.Task[None] | None = None

    async def current(self) -> Policy:
        """The policy in force. Waits for the database at the first call only: later ones take what is
        known, and have it read again behind them."""
        if self._read_at is None:
            await self._read()
        elif time.monotonic() - self._read_at > FRESH_SECONDS and self._reading is None:
            self._reading = asyncio.create_task(self._read_again())
        return self._policy

    async def latest(self) -> Policy:
        """What the database says now: to show it, or to change some of it."""
        await self._read()
        return self._policy

    async def _read(self) -> None:
        self._policy = Policy.of(await self._documents.get(_SCOPE, _KEY))
        self._read_at = time.monotonic()

    async def _read_again(self) -> None:
        try:
            await self._read()
        except KonsiliumError as error:
            log.warning("the cache's policy stays as it was: %s: %s", error.code, error.detail)
        finally:
            self._reading = None

    async def change(self, policy: Policy) -> None:
        """Puts a new policy in force."""
        await self._documents.put(_SCOPE, _KEY, asdict(policy))
        self._policy, self._read_at = policy, time.monotonic()
