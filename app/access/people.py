"""Who may come in, now: the users, remembered for a moment, and word of those who no longer may."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Any

from app.access.login_throttle import LoginThrottle, network_of
from app.access.oauth import ProviderIdentity
from app.access.passwords import MINIMUM_LENGTH, Passwords, weakness
from app.core.errors import KonsiliumError, SettingsInvalid
from app.core.people import Role, User
from app.core.ports import UserStore
from app.core.turns import now

log = logging.getLogger(__name__)

LOCAL = "local"
"""The identifier of the one user of AUTH_MODE=local."""
FIRST_ADMIN = "admin"
REMEMBERED_SECONDS = 1.0
WATCH_SECONDS = 1.0

MAX_NAME_LENGTH = 320
"""Characters; an e-mail address has no more (RFC 3696). Nobody is called anything longer: what strangers
write is remembered and logged."""
FREE_TRIES_BY_NAME = 20
MAX_WAIT_BY_NAME = 30.0
"""Wrong passwords for one name from many addresses: some 3,000 a day, and whoever knows the right one
waits half a minute at most."""

Revoked = Callable[[User], Awaitable[None]]


class People:
    """The users, as sign-in and the API look them up. `watch()` keeps it true when another process changes them."""

    def __init__(
        self,
        users: UserStore,
        passwords: Passwords | None = None,
        throttle: LoginThrottle | None = None,
    ) -> None:
        self._users = users
        self._passwords = passwords or Passwords()
        self._throttle = throttle or LoginThrottle()
        self._by_name = LoginThrottle(free_tries=FREE_TRIES_BY_NAME, max_wait_s=MAX_WAIT_BY_NAME)
        self._remembered: dict[str, tuple[User, float]] = {}
        self._local: User | None = None
        self._disabled: frozenset[str] | None = None
        """None: not looked yet."""
        self._untold: frozenset[str] = frozenset()
        """Who was disabled, and is still to be sent away."""
        self._on_revoked: list[Revoked] = []
        self._on_look: list[Callable[[], Awaitable[None]]] = []

    async def known(self, identifier: str) -> User | None:
        """The user of that name, disabled or not; at most 1 s old."""
        if found := self._remembered.get(identifier):
            user, at = found
            if time.monotonic() - at < REMEMBERED_SECONDS:
                return user
        known = await self._users.by_identifier(identifier)
        if known is not None:
            self._remembered[identifier] = (known, time.monotonic())
        return known

    async def fresh(self, identifier: str) -> User | None:
        """The user of that name as the database has them now."""
        self._remembered.pop(identifier, None)
        return await self.known(identifier)

    async def all_fresh(self, identifiers: Collection[str]) -> dict[str, User]:
        """Those of them who are there, as the database has them now, disabled or not."""
        users = {user.identifier: user for user in await self._users.named(identifiers)}
        at = time.monotonic()
        self._remembered |= {name: (user, at) for name, user in users.items()}
        return users

    async def check(self, identifier: str, password: str, address: str) -> User | None:
        """The user who signs in; None where name or password is wrong, or they are disabled.

        Raises LimitReached (retry_after) after several wrong tries for that name from that address, or
        many from anywhere, and while too many others sign in.
        """
        identifier = identifier.strip()
        if len(identifier) > MAX_NAME_LENGTH:
            return None
        place = network_of(address)
        key = (identifier.casefold(), place)
        throttles = ((self._throttle, key), (self._by_name, key[0]))
        for throttle, what in throttles:
            throttle.check(what)
        with self._passwords.admit(place):
            for throttle, what in throttles:
                throttle.failed(what)  # before the answer is known: tries all at once count, too
            user = await self._signing_in(identifier, password, address)
        if user is not None:
            for throttle, what in throttles:
                throttle.succeeded(what)
        return user

    async def _signing_in(self, identifier: str, password: str, address: str) -> User | None:
        user = await self._users.by_identifier(identifier)
        usable = user is not None and user.enabled
        stored = user.password_hash if user is not None and usable else None
        if not await self._passwords.matches(password, stored):
            log.warning(
                "wrong password for %r from %s", identifier, address or "an unknown address"
            )
            return None
        return user

    async def add(
        self,
        identifier: str,
        password: str | None,
        role: Role | None = None,
        name: str | None = None,
        provider: str | None = None,
    ) -> User:
        """A new user, or a new password, role or name for the one there is; None leaves it. With
        `provider` they sign in by that OAuth provider from now on, whoever is them there now."""
        hashed = await self._passwords.hash(password) if password is not None else None
        user = await self._users.add(
            identifier.strip(), display_name=name, role=role or "user", password_hash=hashed
        )
        changes = {"role": role, "password_hash": hashed, "display_name": name}
        wanted: dict[str, Any] = {k: value for k, value in changes.items() if value is not None}
        if provider is not None:
            wanted["metadata"] = {**user.metadata, "provider": provider, "subject": None}
        if any(getattr(user, key) != value for key, value in wanted.items()):
            user = await self._users.change(user.id, **wanted)
        self._remembered.pop(user.identifier, None)
        return user

    async def provision(self, identifier: str, name: str | None) -> User:
        """Someone whom a proxy has let in, kept as a user from the first time on."""
        user = await self._users.add(identifier, display_name=name)
        self._remembered.pop(identifier, None)
        return user

    async def from_provider(self, person: ProviderIdentity) -> User | None:
        """The user who is that person at that provider, disabled or not; a newcomer becomes one. None
        where the name is another's here: who signs in another way, at another provider, or with
        another account there that had the name before."""
        marks = {"provider": person.provider, "subject": person.subject}
        user = await self._users.by_identifier(person.identifier)
        if user is None:
            user = await self._users.add(
                person.identifier, display_name=person.name, metadata=marks
            )
        known = user.metadata
        if "provider" not in known:
            # kept before providers were: a verified address is the same person's at each of them
            adopted = not user.password_hash and user.role == "user" and person.by_address
            return await self._mark(user, marks) if adopted else None
        if known["provider"] != person.provider:
            return None
        if known.get("subject") is None and person.subject is not None:
            return await self._mark(user, marks)
        return user if known.get("subject") == person.subject else None

    async def _mark(self, user: User, marks: Mapping[str, Any]) -> User:
        self._remembered.pop(user.identifier, None)
        return await self._users.change(user.id, metadata={**user.metadata, **marks})

    async def set_enabled(self, user: User, *, enabled: bool) -> User:
        """Disables a user, who is out at once wherever they are, or lets them in again."""
        changed = await self._users.change(user.id, disabled_at=None if enabled else now())
        self._remembered.pop(user.identifier, None)
        if not enabled:
            self._untold |= {user.id}
        await self._look()
        return changed

    async def first_admin(self, password: str | None) -> None:
        """Makes `admin` with ADMIN_PASSWORD where there is no administrator yet."""
        admins = [user for user in await self._users.all() if user.role == "admin"]
        if any(user.password_hash for user in admins):
            return
        if password is None:
            log.warning(
                "nobody can administer: set ADMIN_PASSWORD or run `python -m app users add`"
            )
            return
        if (weak := weakness(password)) is not None:
            must = (
                f"at least {MINIMUM_LENGTH} characters" if weak == "short" else "not a common one"
            )
            raise SettingsInvalid("ADMIN_PASSWORD", must)
        await self.add(FIRST_ADMIN, password, "admin")

    async def local(self) -> User:
        """The one user of AUTH_MODE=local; asked of the database once."""
        if self._local is None:
            self._local = await self._users.add(LOCAL, role="admin")
        return self._local

    def is_disabled(self, user_id: str) -> bool:
        """Whether that user was disabled; at most 1 s behind."""
        return user_id in (self._disabled or ())

    # -- word of those who are out ----------------------------------------------------------------

    def on_revoked(self, callback: Revoked) -> None:
        """`callback(user)` is awaited when a user was disabled, here or in another process."""
        self._on_revoked.append(callback)

    def on_look(self, callback: Callable[[], Awaitable[None]]) -> None:
        """`callback()` is awaited about once a second, while `watch` runs."""
        self._on_look.append(callback)

    async def watch(self) -> None:
        """Looks every second who has been disabled, for ever."""
        while True:
            for look in (self._look, *self._on_look):
                try:
                    await look()
                except KonsiliumError as error:
                    log.warning("cannot look who may no longer come in: %s", error.detail)
                except Exception:  # else nobody would look any more, and nobody be sent away
                    log.exception("looking who may no longer come in")
            await asyncio.sleep(WATCH_SECONDS)

    async def _look(self) -> None:
        before, self._disabled = self._disabled, await self._users.disabled()
        if before is not None and before != self._disabled:
            self._remembered.clear()
            self._untold |= self._disabled - before
        self._untold &= self._disabled
        failed: Exception | None = None
        for user_id in self._untold:
            try:
                await self._tell_revoked(user_id)
            except Exception as error:  # noqa: BLE001  # told again, raised below; the others need not wait
                failed = failed or error
            else:
                self._untold -= {user_id}  # not before: the database may go away in between
        if failed is not None:
            raise failed

    async def _tell_revoked(self, user_id: str) -> None:
        user = await self._users.by_id(user_id)
        if user is not None:
            log.info("user %s was disabled", user.identifier)
            for callback in self._on_revoked:
                await callback(user)
