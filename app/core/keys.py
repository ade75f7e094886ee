"""API keys: who may use the gateway, with what, and how much."""

import fnmatch
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Literal, Protocol

from app.core.usage import CallRecord

KeyCache = Literal["off", "exact", "near"]


@dataclass(frozen=True, slots=True)
class ApiKey:
    """One key as it is kept: its hash, never the key itself."""

    id: str
    name: str
    prefix: str
    """The key's first characters, by which a person recognises it."""
    hash: str
    """SHA-256 of the key, hex: a key is 256 random bits, so a slow hash would protect nothing more."""
    user_id: str
    """Whose threads it opens, and to whom its usage is counted."""
    created_at: datetime
    models: tuple[str, ...] = ("*",)
    """Globs over `server/model`; what matches none is neither shown nor served."""
    tools: tuple[str, ...] = ()
    """Globs over tools of this server (`calculator`, `server/name`) that it may have its models use."""
    rpm: int | None = None
    """Requests a minute."""
    tpm: int | None = None
    """Tokens a minute, in and out."""
    budget_rub: Decimal | None = None
    """Roubles a calendar month (UTC)."""
    admin: bool = False
    """Whether it may manage keys and servers."""
    drop_params: bool = False
    """Whether what a model does not take is left out of its requests, instead of having them refused."""
    cache: KeyCache = "off"
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    last_used_at: datetime | None = None

    def allows(self, model: str) -> bool:
        """Whether `server/model` matches one of the globs."""
        return any(fnmatch.fnmatchcase(model, pattern) for pattern in self.models)

    def allows_tool(self, name: str) -> bool:
        """Whether a tool, or all tools of a server by its name, match one of the globs."""
        return any(fnmatch.fnmatchcase(name, glob) or glob == f"{name}/*" for glob in self.tools)

    def live(self, at: datetime) -> bool:
        """Neither revoked nor expired at that moment."""
        return self.revoked_at is None and (self.expires_at is None or at < self.expires_at)


class Payer(Protocol):
    """The key for whose request model calls are made."""

    @property
    def key(self) -> ApiKey: ...

    def called(self, record: CallRecord) -> None:
        """One call is over. Quick, and raises nothing."""
        ...


_payer: ContextVar[Payer | None] = ContextVar("payer", default=None)


def payer() -> Payer | None:
    """The key for which this task works; None for people at the screen. Tasks that a request starts,
    a summary in the background too, work for the same key."""
    return _payer.get()


@contextmanager
def paid_by(key: Payer | None) -> Generator[None, None, None]:
    """What is done inside, and in tasks that are started inside, is done for that key."""
    before = _payer.set(key)
    try:
        yield
    finally:
        _payer.reset(before)
