"""Passwords: argon2id, off the event loop, two at a time (each takes 64 MiB and tens of ms)."""

import asyncio

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

MINIMUM_LENGTH = 8


class Passwords:
    """Hashes passwords and checks them."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher()
        self._turn = asyncio.Semaphore(2)
        self._nobodys: str | None = None

    async def hash(self, password: str) -> str:
        """What is stored in place of the password."""
        async with self._turn:
            return await asyncio.to_thread(self._hasher.hash, password)

    async def matches(self, password: str, password_hash: str | None) -> bool:
        """Whether it is that password. Without a hash it takes as long, and is not."""
        if password_hash is None:
            self._nobodys = self._nobodys or await self.hash("nobody's")
        stored = password_hash or self._nobodys or ""
        async with self._turn:
            right = await asyncio.to_thread(self._verify, stored, password)
        return right and password_hash is not None

    def _verify(self, password_hash: str, password: str) -> bool:
        try:
            return self._hasher.verify(password_hash, password)
        except (VerificationError, InvalidHashError):
            return False
