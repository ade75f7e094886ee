"""Passwords: argon2id, off the event loop, two at a time (each takes 64 MiB and tens of ms)."""

import asyncio
from collections import Counter
from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager
from typing import Literal

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from app.core.errors import LimitReached

MINIMUM_LENGTH = 8
"""NIST SP 800-63B (revision 4, 2025): 8 where there is a second factor or a throttle; no rules about
kinds of characters, but none of the common ones."""
MAX_WAITING = 32
MAX_WAITING_FROM_ONE = 4
"""Sign-ins that wait for a check, from everywhere and from one address: a flood of wrong passwords is
refused, and does not hold up others."""
BUSY_SECONDS = 1.0
_COMMON = frozenset(
    [
        "12345678",
        "123456789",
        "1234567890",
        "12345678910",
        "123123123",
        "111111111",
        "11111111",
        "00000000",
        "87654321",
        "88888888",
        "987654321",
        "0987654321",
        "147258369",
        "123654789",
        "112233445566",
        "11223344",
        "55555555",
        "66666666",
        "77777777",
        "99999999",
        "123456789a",
        "123456789q",
        "1234qwer",
        "1q2w3e4r",
        "1q2w3e4r5t",
        "1qaz2wsx",
        "1qazxsw2",
        "q1w2e3r4",
        "q1w2e3r4t5",
        "qwer1234",
        "qwerty12",
        "qwerty123",
        "qwerty1234",
        "qwerty12345",
        "qwertyui",
        "qwertyuiop",
        "qwertyqwerty",
        "asdfasdf",
        "asdfghjk",
        "asdfghjkl",
        "asdf1234",
        "zaq12wsx",
        "zxcvbnm1",
        "zxcvbnm123",
        "zxcvbnm,",
        "password",
        "password1",
        "password12",
        "password123",
        "password1234",
        "passw0rd",
        "p@ssw0rd",
        "p@ssword",
        "passwort",
        "passwordpassword",
        "iloveyou",
        "iloveyou1",
        "loveyou1",
        "princess",
        "princess1",
        "sunshine",
        "sunshine1",
        "football",
        "football1",
        "baseball",
        "baseball1",
        "superman",
        "superman1",
        "starwars",
        "batman123",
        "trustno1",
        "whatever",
        "michelle",
        "jennifer",
        "jessica1",
        "computer",
        "computer1",
        "internet",
        "samsung1",
        "corvette",
        "mercedes",
        "maverick",
        "steelers",
        "midnight",
        "metallica",
        "pokemon1",
        "pokemon123",
        "dragon123",
        "monkey123",
        "master123",
        "welcome1",
        "welcome123",
        "welcome01",
        "letmein1",
        "letmein123",
        "changeme",
        "changeme1",
        "changeme123",
        "administrator",
        "admin123",
        "admin1234",
        "admin12345",
        "adminadmin",
        "root1234",
        "rootroot",
        "test1234",
        "testtest",
        "testing1",
        "testtest1",
        "guest123",
        "default1",
        "secret123",
        "abcd1234",
        "abc12345",
        "abcdefgh",
        "abcdefg1",
        "abc123abc",
        "a1b2c3d4",
        "aa123456",
        "a12345678",
        "a123456789",
        "q12345678",
        "google123",
        "facebook",
        "linkedin",
        "chocolate",
        "butterfly",
        "liverpool",
        "liverpool1",
        "arsenal1",
        "chelsea1",
        "barcelona",
        "realmadrid",
        "november",
        "december",
        "september",
        "february",
        "1qaz@wsx",
        "konsilium",
        "konsilium1",
        "konsilium123",
        "пароль12",
        "пароль123",
        "йцукенгш",
        "йцукенгшщз",
        "йцукен123",
        "фывапрол",
        "фывапролд",
        "любовь123",
        "привет123",
        "qazwsxedc",
        "qazwsx123",
        "zxcvbnmm",
        "trustnoone",
        "nintendo",
        "jordan23",
        "hunter123",
        "charlie1",
        "ashley12",
        "michael1",
        "blink182",
        "superstar",
        "spiderman",
        "blahblah",
        "alexander",
        "nicholas",
    ]
)


def weakness(password: str) -> Literal["short", "common"] | None:
    """Why a new password will not do: shorter than MINIMUM_LENGTH, or one that everybody tries first."""
    if len(password.strip()) < MINIMUM_LENGTH:
        return "short"
    return "common" if password.casefold() in _COMMON or len(set(password)) == 1 else None


class Passwords:
    """Hashes passwords and checks them."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher()
        self._turn = asyncio.Semaphore(2)
        self._nobodys: str | None = None
        self._waiting: Counter[str] = Counter()

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

    def admit(self, address: str) -> AbstractContextManager[None]:
        """A place among those who wait for a check. Raises LimitReached where there is none."""
        waiting = self._waiting
        if waiting.total() >= MAX_WAITING or waiting[address] >= MAX_WAITING_FROM_ONE:
            raise LimitReached("too many sign-ins at once", retry_after=BUSY_SECONDS)
        return self._place(address)

    @contextmanager
    def _place(self, address: str) -> Generator[None, None, None]:
        self._waiting[address] += 1
        try:
            yield
        finally:
            self._waiting[address] -= 1
            if not self._waiting[address]:
                del self._waiting[address]

    def _verify(self, password_hash: str, password: str) -> bool:
        try:
            return self._hasher.verify(password_hash, password)
        except (VerificationError, InvalidHashError):
            return False
