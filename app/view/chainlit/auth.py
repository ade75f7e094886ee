"""Chainlit's tokens, cookies and ways of signing in, and the opening of its sockets."""

import logging
import os
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from chainlit.auth import create_jwt
from chainlit.auth.cookie import get_token_from_cookies, set_auth_cookie
from chainlit.auth.jwt import decode_jwt
from chainlit.config import config
from chainlit.server import sio
from chainlit.session import WebsocketSession
from chainlit.socket import connect as chainlit_connect
from chainlit.types import ThreadDict
from chainlit.user import User as ChainlitUser
from fastapi import HTTPException
from jwt import InvalidTokenError
from starlette.datastructures import Headers
from starlette.requests import Request, cookie_parser
from starlette.responses import Response
from starlette.types import Scope

from app.access.people import LOCAL, People
from app.core.errors import LimitReached, NotFound, StorageUnavailable
from app.core.people import User
from app.storage.threads import Threads
from app.view.chainlit.browser import every_browser
from app.view.chainlit.dicts import persisted
from app.view.chainlit.identity import identity

log = logging.getLogger(__name__)

Environ = dict[str, Any]


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
    config.code.on_shared_thread_view = _is_shared
    sio.on("connect", _connect(threads))
    people.on_revoked(shut_sockets)


async def shut_sockets(user: User) -> None:
    """Sends the user's open pages away; they come back to the sign-in page."""
    for page in every_browser():
        if page.user_id == user.id:
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


async def _is_shared(thread: ThreadDict, reader: ChainlitUser | None) -> bool:
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
        identifier = headers.get(header, "").strip()
        return await _admit(people, ChainlitUser(identifier)) if identifier else None

    return check


def _oauth(
    people: People,
) -> Callable[[str, str, dict[str, str], ChainlitUser, str | None], Awaitable[ChainlitUser | None]]:
    async def check(
        provider: str,
        token: str,
        raw: dict[str, str],
        user: ChainlitUser,
        id_token: str | None = None,
    ) -> ChainlitUser | None:
        return await _admit(people, ChainlitUser(user.identifier, user.display_name))

    return check


async def _admit(people: People, user: ChainlitUser) -> ChainlitUser | None:
    """A newcomer is let in and kept by the data layer; a disabled user is not."""
    if not user.identifier or user.identifier == LOCAL:
        return None
    known = await people.known(user.identifier)
    return user if known is None or known.enabled else None


def identifier_of(cookies: Mapping[str, str]) -> str | None:
    """Whom a browser's cookies sign in, disabled or not; None without a valid token."""
    return _identifier(get_token_from_cookies(dict(cookies)))


def identifier_in(headers: Headers) -> str | None:
    """The same of a request's cookies or its Authorization, which Chainlit takes too."""
    token = get_token_from_cookies(cookie_parser(headers.get("cookie", "")))
    if token is None:
        scheme, _, bearer = headers.get("authorization", "").partition(" ")
        token = bearer if scheme.lower() == "bearer" and bearer.count(".") == 2 else None
    return _identifier(token)


def _identifier(token: str | None) -> str | None:
    try:
        return decode_jwt(token).identifier if token else None
    except (InvalidTokenError, TypeError, KeyError):
        return None


def cookies_for(user: User, scope: Scope) -> list[str]:
    """The Set-Cookie headers that sign the sender of a request in as that user."""
    cookies = Response()
    set_auth_cookie(Request(scope), cookies, create_jwt(persisted(user)))
    return cookies.headers.getlist("set-cookie")
