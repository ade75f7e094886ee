"""Who is asking, and whether they may: a key, a signed-in browser, or the one user of this machine."""

import base64
import contextlib
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from app.access.keys import PREFIX, KeyRing
from app.access.origins import hostname, is_loopback, netloc
from app.core.keys import ApiKey
from app.gateway.errors import NotSignedIn
from app.gateway.http import Exchange

DROPS = b"x-konsilium-drop-params"
"""In a request, `true`: what a model or a council does not take is left out, instead of refused."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody who was let in."""

    user_id: str
    name: str = ""
    """As shown beside what they say."""
    admin: bool = False
    key: ApiKey | None = None

    def may_use(self, model: str) -> bool:
        """Whether `server/model` is one of theirs."""
        return self.key is None or self.key.allows(model)

    def may_call(self, tool: str) -> bool:
        """Whether that tool, or all of a server by its name, may be called for them."""
        return self.key is None or self.key.allows_tool(tool)

    def drops(self, x: Exchange) -> bool:
        """Whether what a model does not take is left out, instead of refused: as the request says, else as
        the key does."""
        said = x.header(DROPS).strip().lower()
        if said in ("1", "true", "0", "false"):
            return said in ("1", "true")
        return self.key is not None and self.key.drop_params


SignedIn = Callable[[Mapping[str, str]], Awaitable[Caller | None]]
"""Who the cookies of a request sign in."""

_FORWARDED = (b"forwarded", b"x-forwarded-for", b"x-forwarded-host", b"x-real-ip")
"""Of a proxy. A page elsewhere may send them too, since our preflight allows every header: whoever does
is not this machine."""


class Authenticator:
    """Lets requests in.

    `local` tells the caller of requests without a key in AUTH_MODE=local; None demands a key. They must
    come from this machine, name it in Host, not come through a proxy, and not be sent by another
    site's page: a page anywhere can make a browser call 127.0.0.1.
    """

    def __init__(
        self,
        keys: KeyRing,
        *,
        local: Callable[[], Awaitable[Caller]] | None = None,
        require_key: bool = False,
        signed_in: SignedIn | None = None,
        hosts: frozenset[str] = frozenset(),
        origins: frozenset[str] = frozenset(),
        is_disabled: Callable[[str], bool] = lambda user_id: False,
    ) -> None:
        self._keys = keys
        self._local = None if require_key else local
        self._signed_in = signed_in
        self._is_disabled = is_disabled
        """Whether a user was disabled: their keys open nothing any more."""
        self._names = hosts
        self._hosts = hosts | {"localhost", "127.0.0.1", "::1"}
        self._origins = origins
        """Of pages elsewhere that may ask all the same."""

    async def caller(self, x: Exchange, *, cookies: bool = False) -> Caller:
        """Who asks. Raises NotSignedIn; `cookies` accepts a signed-in browser too."""
        if secret := _bearer(x):
            key = await self._keys.find(secret)
            if key is not None and not self._is_disabled(key.user_id):
                return Caller(key.user_id, key.name, key.admin, key)
            if secret.startswith(PREFIX):  # meant as one of ours: nobody goes on without its limits
                raise NotSignedIn("The API key is not known, was revoked, or has expired.")
        if self._local is not None and self.from_here(x):
            return await self._local()
        if cookies and self._signed_in is not None and self._same_origin(x):
            caller = await self._signed_in(_cookies(x.header(b"cookie")))
            if caller is not None:
                return caller
        if secret:
            raise NotSignedIn("The API key is not known, was revoked, or has expired.")
        raise NotSignedIn("An API key is needed: `Authorization: Bearer <key>`.")

    def from_here(self, x: Exchange) -> bool:
        """Whether a program on this machine asks, by itself."""
        client = x.scope.get("client")
        return (
            client is not None
            and is_loopback(client[0])
            and not any(name in x.headers for name in _FORWARDED)
            and hostname(x.header(b"host")) in self._hosts
            and self._same_origin(x)
        )

    def _same_origin(self, x: Exchange) -> bool:
        """Whether no page asks, or one of our own: other ports of this machine are others' pages."""
        origin = x.header(b"origin").lower()
        if not origin:
            return x.header(b"sec-fetch-site") in ("", "same-origin", "none")
        asking = netloc(origin)
        ours = (x.header(b"host").lower(), x.header(b"x-forwarded-host").lower())
        listed = origin in self._origins or hostname(asking) in self._names
        return listed or (asking != "" and asking in ours)  # "null" names nobody


def has_secret(x: Exchange) -> bool:
    """Whether the request brings a key, good or bad."""
    return bool(_bearer(x))


_OURS = re.compile(rf"{PREFIX}[\w-]*", re.ASCII)


_SECRETS = (b"authorization", b"x-api-key", b"api-key")
"""The headers that a secret may be in, each of which may come more than once."""


def _opened(sent: str) -> str:
    """What a header says, also where it is a name and a password."""
    scheme, _, secret = sent.partition(" ")
    if scheme.lower() == "basic":
        with contextlib.suppress(ValueError):
            return base64.b64decode(secret).decode("latin-1")
    return sent


def _bearer(x: Exchange) -> str:
    """The secret that a request brings. One of ours counts wherever it stands, beside another one, in quotes,
    without `Bearer`, as a password: whoever sends it means its limits."""
    header = x.header(b"authorization")
    scheme, _, secret = header.partition(" ")
    for wanted in _SECRETS:
        for name, value in x.scope["headers"]:
            if name == wanted and (ours := _OURS.search(_opened(value.decode("latin-1")))):
                return ours[0]
    others = [x.header(name) for name in (b"x-api-key", b"api-key")]
    if scheme.lower() == "bearer":
        return secret.strip()
    return next(filter(None, others), "")


def _cookies(header: str) -> dict[str, str]:
    pairs = (part.strip().partition("=") for part in header.split(";"))
    return {name: value.strip('"') for name, _, value in pairs if name}
