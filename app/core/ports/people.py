"""Users, their API keys, and the small documents that are theirs."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Protocol

from app.core.keys import ApiKey
from app.core.people import Role, User


class UserStore(Protocol):
    """The people."""

    async def by_identifier(self, identifier: str) -> User | None: ...
    async def by_id(self, user_id: str) -> User | None: ...
    async def all(self) -> tuple[User, ...]: ...

    async def add(
        self,
        identifier: str,
        *,
        display_name: str | None = None,
        role: Role = "user",
        password_hash: str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> User:
        """A new user; the one there is where the identifier is taken."""
        ...

    async def change(self, user_id: str, **values: Any) -> User:
        """Sets display_name, role, password_hash, disabled_at or metadata. Raises NotFound."""
        ...

    async def disabled(self) -> frozenset[str]:
        """The ids of those who may not come in."""
        ...


class KeyStore(Protocol):
    """Where API keys are kept. A failed read or write raises StorageUnavailable."""

    async def version(self) -> str:
        """Changes whenever a key is made or revoked: one quick query, asked about once a second."""
        ...

    async def keys(self) -> Sequence[ApiKey]:
        """All keys, newest first, the revoked ones too."""
        ...

    async def spent(self, since: datetime) -> Mapping[str, Decimal]:
        """Roubles by key id, from the usage records begun at `since` or later."""
        ...

    async def add(self, key: ApiKey) -> None: ...

    async def revoke(self, key_id: str, at: datetime) -> None: ...


class KeyValueStore(Protocol):
    """Small JSON documents by scope and key: a user's defaults, presets, calibration, price edits."""

    async def get(self, scope: str, key: str) -> Mapping[str, Any] | None: ...
    async def put(self, scope: str, key: str, value: Mapping[str, Any]) -> None: ...
    async def delete(self, scope: str, key: str) -> None: ...
    async def items(self, scope: str) -> dict[str, Mapping[str, Any]]: ...
