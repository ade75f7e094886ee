"""API keys: made, hashed, known at once, revoked at once.

All keys are held in memory and compared with the store's version once a second by a timer, so that a
request waits for no database and a key revoked in another process stops working within that second;
in this process, at once.
"""

import asyncio
import hashlib
import logging
import secrets
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

from app.access.budgets import SLOT_SECONDS
from app.core.errors import BadRequest, NotFound, StorageUnavailable
from app.core.keys import ApiKey, KeyCache
from app.core.ports import KeyStore
from app.core.turns import new_id, now

log = logging.getLogger(__name__)

PREFIX = "sk-kons-"
SHOWN = len(PREFIX) + 6
FRESH_SECONDS = 1.0
STALE_SECONDS = 3.0
"""What is known longer ago than this is asked for again before a request is let in."""
NEW_KEY_SECONDS = 0.2
"""An unknown secret of ours may be a new key: the store is asked, at most so often."""
SPENT_SECONDS = 10.0
"""How often the spending of keys with a budget is added up anew; what this process spends itself it
counts at once."""


def hash_of(secret: str) -> str:
    """SHA-256, hex."""
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()


MOST = 10**9
"""Of requests or tokens a minute, of roubles a month: more is a slip of the finger."""


def new_key(  # noqa: PLR0913 - the fields of a key
    name: str,
    user_id: str,
    *,
    models: Sequence[str] = ("*",),
    tools: Sequence[str] = (),
    rpm: int | None = None,
    tpm: int | None = None,
    budget_rub: Decimal | None = None,
    admin: bool = False,
    cache: KeyCache = "off",
    drop_params: bool = False,
    expires_at: datetime | None = None,
) -> tuple[ApiKey, str]:
    """A key and its secret, which nobody can find out later. Raises BadRequest for odd limits."""
    name = "".join(filter(str.isprintable, name)).strip()
    if not name:
        raise BadRequest("A key needs a name.")
    limits = [Decimal(limit) for limit in (rpm, tpm, budget_rub) if limit is not None]
    if not all(limit.is_finite() and 0 < limit <= MOST for limit in limits):
        raise BadRequest(f"A limit must be more than 0, and {MOST} at most.")
    if expires_at is not None and expires_at.tzinfo is None:
        raise BadRequest("An expiry needs a time zone.")
    if expires_at is not None and not 1970 < expires_at.year < 9999:
        raise BadRequest("An expiry must be a year from 1971 to 9998.")
    patterns = tuple(pattern.strip() for pattern in models if pattern.strip())
    if not patterns:
        raise BadRequest("A key needs models; `*` means all.")
    secret = PREFIX + secrets.token_urlsafe(32)
    key = ApiKey(
        id=new_id(),
        name=name,
        prefix=secret[:SHOWN],
        hash=hash_of(secret),
        user_id=user_id,
        created_at=now(),
        models=patterns,
        tools=tuple(filter(None, (glob.strip() for glob in tools))),
        rpm=rpm,
        tpm=tpm,
        budget_rub=budget_rub,
        admin=admin,
        cache=cache,
        drop_params=drop_params,
        expires_at=expires_at,
    )
    return key, secret


class KeyRing:
    """The keys as this process knows them."""

    def __init__(self, store: KeyStore) -> None:
        self._store = store
        self._by_hash: dict[str, ApiKey] = {}
        self._keys: tuple[ApiKey, ...] = ()
        self._version: str | None = None
        self._checked = float("-inf")
        self._spent: dict[str, Decimal] = {}
        self._settled: dict[str, Decimal] = {}
        self._settled_at = 0.0
        self._spent_month: datetime | None = None
        self._spent_checked = float("-inf")
        self._loading: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Keeps what is known fresh until cancelled."""
        while True:
            await asyncio.wait([self._start_refresh()])  # what fails is logged
            await asyncio.sleep(FRESH_SECONDS)

    async def find(self, secret: str) -> ApiKey | None:
        """The live key of that secret, or None.

        Waits for the store only where nothing is known (lately, the store being away), or the secret is
        not but looks like one of ours: it may be new, since the store was last asked, too.
        """
        age = time.monotonic() - self._checked
        if age > STALE_SECONDS:
            await self._refresh()
        elif age > 2 * FRESH_SECONDS:
            self._start_refresh()  # nobody runs the timer
        digest = hash_of(secret)
        key = self._by_hash.get(digest)
        if key is None and secret.startswith(PREFIX):
            asked = time.monotonic()
            await asyncio.sleep(NEW_KEY_SECONDS - (asked - self._checked))
            if self._checked < asked:
                await self._refresh()
            key = self._by_hash.get(digest)
        return key if key is not None and key.live(now()) else None

    async def keys(self) -> tuple[ApiKey, ...]:
        """All keys, newest first, as the store has them now."""
        self._version = None
        await self._refresh()
        return self._keys

    async def add(self, key: ApiKey) -> None:
        """Keeps a new key; it works at once."""
        await self._store.add(key)
        await self._refresh()

    async def revoke(self, id_or_prefix: str) -> ApiKey:
        """Revokes the key of that id, name or shown prefix. Raises NotFound."""
        for key in await self.keys():
            if id_or_prefix in (key.id, key.name, key.prefix) and key.revoked_at is None:
                at = now()
                await self._store.revoke(key.id, at)
                self._by_hash.pop(key.hash, None)
                await self._refresh()
                return replace(key, revoked_at=at)
        raise NotFound(f"There is no key {id_or_prefix!r}.")

    def spent(self, key: ApiKey) -> Decimal:
        """Roubles this key has spent in the present calendar month (UTC)."""
        return self._spent.get(key.id, Decimal(0)) if self._spent_month == _month() else Decimal(0)

    def settled(self, key: ApiKey) -> tuple[float, Decimal]:
        """A moment of POSIX time, a quarter of an hour ago or so, and the roubles of the calls of this
        month that began before it: those that the records have for certain."""
        if self._spent_month != _month():
            return _month().timestamp(), Decimal(0)
        return self._settled_at, self._settled.get(key.id, Decimal(0))

    def spend(self, key_id: str, rub: Decimal) -> None:
        """Counts money at once; the usage records tell the other processes."""
        self._spent[key_id] = self._spent.get(key_id, Decimal(0)) + rub

    def _start_refresh(self) -> asyncio.Task[None]:
        if self._loading is None or self._loading.done():
            self._loading = asyncio.create_task(self._load())
            self._loading.add_done_callback(_log_failure)
        return self._loading

    async def _refresh(self) -> None:
        """Waits for what is known to be fresh; one asks for all who wait."""
        if self._loading is not None and not self._loading.done():
            await asyncio.wait([self._loading])
        await asyncio.shield(self._start_refresh())

    async def _load(self) -> None:
        version = await self._store.version()
        if version != self._version:
            self._keys = tuple(await self._store.keys())
            self._by_hash = {key.hash: key for key in self._keys if key.revoked_at is None}
            self._version = version
        await self._load_spent()
        self._checked = time.monotonic()

    async def _load_spent(self) -> None:
        if not any(key.budget_rub is not None for key in self._by_hash.values()):
            return
        month = _month()
        if month != self._spent_month or time.monotonic() - self._spent_checked > SPENT_SECONDS:
            slot = int(time.time()) // SLOT_SECONDS - 1
            at = max(datetime.fromtimestamp(slot * SLOT_SECONDS, UTC), month)
            lately = await self._store.spent(at)
            self._spent = dict(await self._store.spent(month))
            self._settled_at = at.timestamp()
            self._settled = {
                key: rub - lately.get(key, Decimal(0)) for key, rub in self._spent.items()
            }
            self._spent_month, self._spent_checked = month, time.monotonic()


def _month() -> datetime:
    return now().replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def _log_failure(loading: "asyncio.Task[None]") -> None:
    if loading.cancelled():
        return
    error = loading.exception()
    if isinstance(error, StorageUnavailable):
        log.warning("reading the API keys: %s", error.detail)
    elif error is not None:
        log.error("reading the API keys", exc_info=error)
