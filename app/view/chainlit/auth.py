"""Chainlit's tokens, cookies and ways of signing in, and the opening of its sockets."""

import logging
import os
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import unquote

import jwt
from chainlit import server
from chainlit.auth.cookie import get_token_from_cookies, set_auth_cookie
from chainlit.config import config
from chainlit.server import sio
from chainlit.session import WebsocketSession
from chainlit.socket import connect as chainlit_connect
from chainlit.types import ThreadDict
from chainlit.user import User as ChainlitUser
from fastapi import HTTPException
from starlette.datastructures import Headers
from starlette.requests import Request, cookie_parser
from starlette.responses import Response
from starlette.types import Scope

from app.access.oauth import ProviderIdentity
from app.access.people import LOCAL, MAX_NAME_LENGTH, People
from app.access.sessions import Sessions
from app.core.errors import LimitReached, NotFound, StorageUnavailable
from app.core.people import User
from app.core.turns import new_id, now
from app.storage.threads import Threads
from app.view.chainlit.browser import Browser, every_browser
from app.view.chainlit.dicts import credentials, persisted
from app.view.chainlit.identity import identity

log = logging.getLogger(__name__)

Environ = dict[str, Any]

ALGORITHM = "HS256"
PAGES_OF_A_USER = 200
"""Open, or gone for less than Chainlit remembers them (an hour)."""
_COOKIE = os.environ.get("CHAINLIT_AUTH_COOKIE_NAME", "access_token")
"""As Chainlit names it; with a number behind it where the token is long."""
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def register(
    people: People,
    threads: Threads,
    mode: str,
    secret: str,
    header: str = "X-Forwarded-User",
    allowed: frozenset[str] = frozenset(),
) -> None:
    """Registers with Chainlit the way of signing in of that AUTH_MODE (`local` needs none), who may
    read a shared thread, and what becomes of a disabled user's sockets. `secret` signs the cookies;
    `allowed` are the domains and addresses of OAUTH_ALLOWED."""
    os.environ["CHAINLIT_AUTH_SECRET"] = secret
    os.environ["CHAINLIT_CUSTOM_AUTH"] = (
        "1"  # signing in is required, with or without a form for it
    )
    if mode == "password":
        config.code.password_auth_callback = _password(people)
    elif mode == "header":
        config.code.header_auth_callback = _header(people, header)
    elif mode == "oauth":
        config.code.oauth_callback = _oauth(people, allowed)
    setattr(server, "create_jwt", create_token)  # noqa: B010  # upstream exports it to nobody
    config.code.on_shared_thread_view = _is_shared
    sio.on("connect", _connect(threads, bounded=mode != "local"))
    people.on_revoked(shut_sockets)


async def shut_sockets(user: User) -> None:
    """Sends the user's open pages away; they come back to the sign-in page."""
    await _send_away(page for page in every_browser() if page.user_id == user.id)


async def _send_away(pages: Iterable[Browser]) -> None:
    for page in pages:
        await sio.emit("reload", {}, to=page.session.socket_id)
        await sio.disconnect(page.session.socket_id)


def _connect(
    threads: Threads, *, bounded: bool
) -> Callable[[str, Environ, object], Awaitable[bool]]:
    """A socket names the thread it wants. One that is not its user's is never the session's, whatever
    events follow: the session has a thread of its own, and the page is told "not found".

    It names its session, too, and the folder of its uploads is called like that: only a UUID is one,
    as pages make them. Of all else that a page may say here nothing is needed. `bounded`: a user has
    at most `PAGES_OF_A_USER` pages, so that nobody fills the memory with sessions."""

    async def connect(sid: str, environ: Environ, auth: object) -> bool:
        said = auth if isinstance(auth, dict) else {}
        session_id = str(said.get("sessionId"))
        if not _UUID.fullmatch(session_id):
            raise ConnectionRefusedError("no session")
        wanted = str(said.get("threadId") or "")
        own = bool(wanted) and await _owns(threads, wanted)
        if bounded:
            await _make_room(session_id)
        # Chainlit would read the whole thread just to see whose it is.
        asked = {"sessionId": session_id, "clientType": "webapp", "threadId": None}
        accepted: bool = await chainlit_connect(sid, environ, asked)
        session = WebsocketSession.get(sid)
        if wanted and session is not None:
            _name_thread(session, wanted, own=own)
        return accepted

    return connect


async def _make_room(session_id: str) -> None:
    """Forgets the oldest of the user's pages that are gone, where they have as many as one may; raises
    ConnectionRefusedError where all of them are open."""
    user_id = identity.get().user_id
    pages = [page for page in every_browser() if page.user_id == user_id and page.id != session_id]
    if len(pages) < PAGES_OF_A_USER:
        return
    left = next((page for page in pages if not page.connected), None)
    if left is None:
        log.warning("user %s has %d open pages: no more are let in", user_id, len(pages))
        raise ConnectionRefusedError("too many pages")
    await left.session.delete()


def _name_thread(session: WebsocketSession, wanted: str, *, own: bool) -> None:
    """What the page is sent once it is connected: after a broken connection, all of the thread anew,
    because nobody knows what it missed."""
    if not session.restored:
        session.thread_id_to_resume = wanted
        if own:
            session.thread_id = wanted
    elif own and wanted == session.thread_id:
        session.thread_id_to_resume = wanted


async def _owns(threads: Threads, thread_id: str) -> bool:
    user_id = identity.get().user_id
    try:
        return (await threads.find(thread_id, user_id)).user_id == user_id
    except NotFound:
        return False


async def _is_shared(thread: ThreadDict, _reader: ChainlitUser | None) -> bool:
    return bool((thread.get("metadata") or {}).get("is_shared"))


def _password(people: People) -> Callable[[str, str], Awaitable[ChainlitUser | None]]:
    async def check(identifier: str, password: str) -> ChainlitUser | None:
        try:
            user = await people.check(identifier, password, identity.get().address)
        except LimitReached as error:
            wait = str(round(error.retry_after or 1) or 1)
            raise HTTPException(429, "credentialssignin", {"Retry-After": wait}) from error
        except StorageUnavailable as error:
            log.error("cannot sign in: %s", error.detail)
            raise HTTPException(503, "default") from error
        return persisted(user) if user else None

    return check


def _header(people: People, header: str) -> Callable[[Headers], Awaitable[ChainlitUser | None]]:
    """The proxy in front names the user; it must take that header from nobody else."""

    async def check(headers: Headers) -> ChainlitUser | None:
        identifier = named_by_proxy(headers, header)
        return await _admit(people, ChainlitUser(identifier)) if identifier else None

    return check


def named_by_proxy(headers: Headers, header: str) -> str | None:
    """The name in the proxy's header: UTF-8, as it is or percent-encoded. None where there is no such
    header; empty where it names nobody for certain: several names, of which nobody knows the right one
    (a comma in a name comes as %2C), or bytes that are no UTF-8, in which two names might be one."""
    values = headers.getlist(header)
    if not values:
        return None
    if len(values) > 1 or "," in values[0]:
        log.warning("the header %s names several: nobody is signed in by it", header)
        return ""
    try:
        return unquote(values[0].encode("latin-1").decode(), errors="strict").strip()
    except UnicodeDecodeError:
        log.warning("the name in the header %s is no UTF-8: nobody is signed in by it", header)
        return ""


def _oauth(
    people: People, allowed: frozenset[str]
) -> Callable[[str, str, dict[str, Any], ChainlitUser, str | None], Awaitable[ChainlitUser | None]]:
    async def check(
        provider: str,
        _token: str,
        raw: dict[str, Any],
        user: ChainlitUser,
        _id_token: str | None = None,
    ) -> ChainlitUser | None:
        identifier = str(user.identifier or "")
        person = ProviderIdentity.of(provider, identifier, user.display_name, raw)
        refusal = person.refusal(allowed)
        if refusal is not None or not _may_be_named(identifier):
            log.warning("%r is not let in: %s", identifier, refusal or "nobody is called so")
            return None
        kept = await people.from_provider(person)
        if kept is None:
            log.warning(
                "%r of %s is not let in: that name is another's here; `users add NAME --provider %s`"
                " gives it to them",
                identifier,
                provider,
                provider,
            )
        return persisted(kept) if kept is not None and kept.enabled else None

    return check


def _may_be_named(identifier: str) -> bool:
    """Whether somebody whom others name may be called so here."""
    fits = 0 < len(identifier) <= MAX_NAME_LENGTH
    return fits and identifier != LOCAL and identifier.isprintable()


async def _admit(people: People, user: ChainlitUser) -> ChainlitUser | None:
    """A newcomer is let in and kept by the data layer; a disabled user is not."""
    if not _may_be_named(user.identifier):
        return None
    known = await people.known(user.identifier)
    user.metadata["credentials"] = credentials(known)
    return user if known is None or known.enabled else None


@dataclass(frozen=True, slots=True)
class Token:
    """What a request says of who sends it, once its signature was checked."""

    text: str
    identifier: str
    credentials: str
    """Which password it was given for; see `credentials`."""
    expires: float


class Tokens:
    """Which tokens still open the app: of a user who is there, given for the password they have now,
    not signed out, and of a kind that AUTH_MODE lets in. `mode` None: whatever that is."""

    def __init__(self, people: People, sessions: Sessions, mode: str | None = None) -> None:
        self.sessions = sessions
        self._people = people
        self._mode = mode

    async def user(self, token: Token | None) -> User | None:
        """Whose token it is, disabled or not. Raises StorageUnavailable."""
        if token is None:
            return None
        user = await self._people.known(token.identifier)
        if user is not None and token.credentials != credentials(user):
            user = await self._people.fresh(
                token.identifier
            )  # a password may be newer than we know
        if user is None or not self._holds(token, user):
            return None
        return None if await self.sessions.ended(token.text) else user

    def _holds(self, token: Token, user: User) -> bool:
        match self._mode:  # a cookie may be older than the mode
            case "local":
                signs_in = user.identifier == LOCAL
            case "password":
                signs_in = user.password_hash is not None
            case "oauth":
                signs_in = "provider" in user.metadata
            case "header":
                signs_in = user.identifier != LOCAL
            case _:
                signs_in = True
        return signs_in and token.credentials == credentials(user)

    async def signed_in(self, cookies: Mapping[str, str]) -> str | None:
        """Whom a browser's cookies sign in, disabled or not."""
        user = await self.user(read_token(get_token_from_cookies(dict(cookies))))
        return user.identifier if user is not None else None

    async def end(self, token: Token) -> None:
        """Signs it out; pages that were opened with it are sent away."""
        await self.sessions.end(token.text, token.expires)
        await _send_away(page for page in every_browser() if page.session.token == token.text)

    async def look(self) -> None:
        """Sends away every open page whose sign-in holds no more: another process may have ended it, or
        changed the password. Raises StorageUnavailable."""
        pages = [page for page in every_browser() if page.connected]
        if not pages:
            return
        tokens = {text: read_token(text) for page in pages if (text := page.session.token)}
        users = await self._people.all_fresh({one.identifier for one in tokens.values() if one})
        ended = await self.sessions.ended_among(tokens)

        def holds(text: str | None) -> bool:
            token = tokens.get(text or "")
            user = users.get(token.identifier) if token is not None else None
            return bool(token and user and self._holds(token, user) and text not in ended)

        await _send_away([page for page in pages if not holds(page.session.token)])


def token_in(headers: Headers) -> Token | None:
    """The token of a request's cookies, or of its Authorization, which Chainlit takes too."""
    cookies: dict[str, str] = {}
    for header in headers.getlist("cookie"):
        cookies |= cookie_parser(header)
    text = get_token_from_cookies(cookies)
    if text is None:
        scheme, _, bearer = headers.get("authorization", "").partition(" ")
        text = bearer.strip() if scheme.lower() == "bearer" else None
    return read_token(text)


def with_token_alone(scope: Scope, token: Token | None) -> Scope:
    """The request as Chainlit may see it: with the token that was checked, or none. There are several
    ways to bring one, and Chainlit believes every one that is signed."""
    cookies = "; ".join(
        value.decode("latin-1") for name, value in scope["headers"] if name == b"cookie"
    )
    kept = [one for one in cookies.split(";") if one and not one.strip().startswith(_COOKIE)]
    if token is not None:
        kept.append(f"{_COOKIE}={token.text}")
    others = [pair for pair in scope["headers"] if pair[0] not in (b"cookie", b"authorization")]
    together = "; ".join(one.strip() for one in kept).encode("latin-1")
    return {**scope, "headers": [*others, *([(b"cookie", together)] if together else [])]}


def read_token(text: str | None) -> Token | None:
    """None without a valid one. A clock that was set back makes none invalid: when it was given does
    not matter, as in Chainlit's own reading it would."""
    if not text:
        return None
    try:
        claims = jwt.decode(text, _secret(), [ALGORITHM], {"verify_iat": False})
        known = (claims.get("metadata") or {}).get("credentials", "")
        return Token(text, str(claims["identifier"]), str(known), float(claims["exp"]))
    except (jwt.InvalidTokenError, TypeError, KeyError, ValueError, AttributeError):
        return None


def create_token(user: ChainlitUser) -> str:
    """Chainlit's token without the moment it was given at: a clock that is set back later would make
    Chainlit take it for one of the future and refuse it."""
    claims: dict[str, Any] = user.to_dict()
    claims["jti"] = new_id()  # two sign-ins within a second are two
    claims["exp"] = now() + timedelta(seconds=config.project.user_session_timeout)
    return jwt.encode(claims, _secret(), ALGORITHM)


def cookies_for(user: User, scope: Scope) -> list[str]:
    """The Set-Cookie headers that sign the sender of a request in as that user."""
    cookies = Response()
    set_auth_cookie(Request(scope), cookies, create_token(persisted(user)))
    return cookies.headers.getlist("set-cookie")


def _secret() -> str:
    return os.environ["CHAINLIT_AUTH_SECRET"]
