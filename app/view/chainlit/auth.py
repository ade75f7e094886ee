"""Chainlit's tokens, cookies and ways of signing in, and the opening of its sockets."""

import logging
import os
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

from app.access.people import LOCAL, People
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


def register(
    people: People,
    threads: Threads,
    mode: str,
    secret: str,
    header: str = "X-Forwarded-User",
) -> None:
    """Registers with Chainlit the way of signing in of that AUTH_MODE (`local` needs none), who may
    read a shared thread, and what becomes of a disabled user's sockets. `secret` signs the cookies."""
    os.environ["CHAINLIT_AUTH_SECRET"] = secret
    os.environ["CHAINLIT_CUSTOM_AUTH"] = (
        "1"  # signing in is required, with or without a form for it
    )
    if mode == "password":
        config.code.password_auth_callback = _password(people)
    elif mode == "header":
        config.code.header_auth_callback = _header(people, header)
    elif mode == "oauth":
        config.code.oauth_callback = _oauth(people)
    setattr(server, "create_jwt", create_token)  # noqa: B010  # upstream exports it to nobody
    config.code.on_shared_thread_view = _is_shared
    sio.on("connect", _connect(threads))
    people.on_revoked(shut_sockets)


async def shut_sockets(user: User) -> None:
    """Sends the user's open pages away; they come back to the sign-in page."""
    await _send_away(page for page in every_browser() if page.user_id == user.id)


async def _send_away(pages: Iterable[Browser]) -> None:
    for page in pages:
        await sio.emit("reload", {}, to=page.session.socket_id)
        await sio.disconnect(page.session.socket_id)


def _connect(threads: Threads) -> Callable[[str, Environ, Environ], Awaitable[bool]]:
    """A socket names the thread it wants. One that is not its user's is never the session's, whatever
    events follow: the session has a thread of its own, and the page is told "not found"."""

    async def connect(sid: str, environ: Environ, auth: Environ) -> bool:
        wanted = str(auth.get("threadId") or "")
        own = bool(wanted) and await _owns(threads, wanted)
        # Chainlit would read the whole thread just to see whose it is.
        accepted: bool = await chainlit_connect(sid, environ, {**auth, "threadId": None})
        session = WebsocketSession.get(sid)
        if wanted and session is not None:
            _name_thread(session, wanted, own=own)
        return accepted

    return connect


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


def named_by_proxy(headers: Headers, header: str) -> str:
    """The name in the proxy's header: UTF-8, as it is or percent-encoded. Empty where there is none, or
    several of which nobody knows the right one."""
    values = headers.getlist(header)
    if len(values) != 1:
        if values:
            log.warning(
                "the header %s came %d times: nobody is signed in by it", header, len(values)
            )
        return ""
    raw = values[0].encode("latin-1")
    try:
        return unquote(raw.decode(), errors="strict").strip()
    except UnicodeDecodeError:  # a proxy that does speak Latin-1
        return values[0].strip()


def _oauth(
    people: People,
) -> Callable[[str, str, dict[str, str], ChainlitUser, str | None], Awaitable[ChainlitUser | None]]:
    async def check(
        _provider: str,
        _token: str,
        _raw: dict[str, str],
        user: ChainlitUser,
        _id_token: str | None = None,
    ) -> ChainlitUser | None:
        return await _admit(people, ChainlitUser(user.identifier, user.display_name))

    return check


async def _admit(people: People, user: ChainlitUser) -> ChainlitUser | None:
    """A newcomer is let in and kept by the data layer; a disabled user is not."""
    if not user.identifier or user.identifier == LOCAL:
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
    """Which tokens still open the app: of a user who is there, given for the password they have now, and
    not signed out."""

    def __init__(self, people: People, sessions: Sessions) -> None:
        self._people = people
        self._sessions = sessions

    async def user(self, token: Token | None) -> User | None:
        """Whose token it is, disabled or not. Raises StorageUnavailable."""
        if token is None:
            return None
        user = await self._people.known(token.identifier)
        if user is not None and token.credentials != credentials(user):
            user = await self._people.fresh(
                token.identifier
            )  # a password may be newer than we know
        if user is None or token.credentials != credentials(user):
            return None
        return None if await self._sessions.ended(token.text) else user

    async def signed_in(self, cookies: Mapping[str, str]) -> str | None:
        """Whom a browser's cookies sign in, disabled or not."""
        user = await self.user(read_token(get_token_from_cookies(dict(cookies))))
        return user.identifier if user is not None else None

    async def end(self, token: Token) -> None:
        """Signs it out; pages that were opened with it are sent away."""
        await self._sessions.end(token.text, token.expires)
        await _send_away(page for page in every_browser() if page.session.token == token.text)


def token_in(headers: Headers) -> Token | None:
    """The token of a request's cookies, or of its Authorization, which Chainlit takes too."""
    text = get_token_from_cookies(cookie_parser(headers.get("cookie", "")))
    if text is None:
        scheme, _, bearer = headers.get("authorization", "").partition(" ")
        text = bearer if scheme.lower() == "bearer" and bearer.count(".") == 2 else None
    return read_token(text)


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
