"""Who uses Konsilium."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

Role = Literal["admin", "user"]


@dataclass(frozen=True, slots=True)
class User:
    """A person. `identifier` is what they sign in with; `id` is what everything of theirs hangs on."""

    id: str
    identifier: str
    created_at: datetime
    display_name: str | None = None
    role: Role = "user"
    password_hash: str | None = field(default=None, repr=False)
    disabled_at: datetime | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)

    @property
    def enabled(self) -> bool:
        """Whether they may come in."""
        return self.disabled_at is None
