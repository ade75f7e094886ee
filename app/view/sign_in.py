"""The doors: who a request or a socket comes from, before Chainlit sees it.

Chainlit lets every valid token in, even one of a user who has been disabled since, and does not look
at hosts and origins; the middleware here does. In AUTH_MODE=local it also gives whoever opens a page
the one user's cookie, so that no sign-in page is ever seen and deep links open.
"""

import logging
import os
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from chainlit.auth import create_jwt
from chainlit.auth.cookie import get_token_from_cookies, set_auth_cookie
from chainlit.auth.jwt import decode_jwt
from chainlit.config import config
from chainlit.server import sio
from chainlit.session import WebsocketSession, ws_sessions_id
from chainlit.socket import connect as chainlit_connect
from chainlit.types import ThreadDict
from chainlit.user import PersistedUser
from chainlit.user import User as ChainlitUser
from fastapi import HTTPException
from jwt import InvalidTokenError
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request, cookie_parser
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.access.origins import Origins
from app.access.people import LOCAL, People
from app.core.errors import LimitReached, NotFound, StorageUnavailable
from app.core.people import User
from app.storage.threads import Threads
from app.view.chainlit.dicts import persisted
from app.view.chainlit.identity import Identity, identity

log = logging.getLogger(__name__)

Environ = dict[str, Any]

_OPEN = (
    "/login",
    "/logout",
    "/auth/",
    "/public/",
    "/assets/",
    "/favicon",
    "/logo",
    "/health",
    "/project/translations",
    "/project/language",
)
"""Paths that a disabled user's token does not close: to sign in as someone else, on a page with words."""


class AuthMiddleware:
    """ASGI middleware around Chainlit's whole app, sockets included."""

    def __init__(self, app: ASGIApp, people: People, origins: Origins) -> None:
        self._app = app
        self._people = people
        self._origins = origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        address = scope["client"][0] if scope.get("client") else None
        method, socket = scope.get("method", "GET"), _is_socket(scope)
        refusal = self._origins.refusal(method, headers, address, socket=socket)
        if refusal is not None and (self._origins.local or scope["path"] != "/health"):
            log.warning("refused %s %s: %s", method, scope["path"], refusal)
            await _refuse(403, "Forbidden", scope, receive, send)
            return
        user = await self._user(headers)
        if user is not None and not user.enabled and not _stays_open(scope, headers):
            await _refuse(401, "This user is disabled", scope, receive, send)
            return
        enabled = user if user is not None and user.enabled else None
        identity.set(
            Identity(
                enabled.id if enabled else None,
                enabled.identifier if enabled else None,
                headers.get("accept-language", ""),
                address or "",
            )
        )
        if self._origins.local and _opens_page(scope, headers):
            await self._open_page(scope, receive, _secured(scope, headers, send))
        else:
            await self._app(scope, receive, _secured(scope, headers, send))

    async def _user(self, headers: Headers) -> User | None:
        """Whose token it is, disabled or not; None without a valid one."""
        token = _token(headers)
        if token is None:
            return None
        try:
            identifier = decode_jwt(token).identifier
            return await self._people.known(identifier)
        except (InvalidTokenError, TypeError, KeyError):
            return None
        except StorageUnavailable as error:
            log.error("cannot look up who asks: %s", error.detail)
            return None

    async def _open_page(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The page with the local user's cookie; the sign-in page is the first page instead."""
        token = create_jwt(persisted(await self._people.local()))
        request = Request(scope)
        cookies = Response()
        set_auth_cookie(request, cookies, token)

        async def send_with_cookie(message: Message) -> None:
            if message["type"] == "http.response.start":
                added = MutableHeaders(scope=message)
                for value in cookies.headers.getlist("set-cookie"):
                    added.append("set-cookie", value)
            await send(message)

        if scope["path"].rstrip("/").endswith("/login"):
            root = scope.get("root_path", "")
            await RedirectResponse(f"{root}/", 303)(scope, receive, send_with_cookie)
        else:
            await self._app(scope, receive, send_with_cookie)


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
    for session in list(ws_sessions_id.values()):
        who = session.user
        if isinstance(who, PersistedUser) and who.id == user.id:
            await sio.emit("reload", {}, to=session.socket_id)
            await sio.disconnect(session.socket_id)


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
    token = get_token_from_cookies(dict(cookies))
    try:
        return decode_jwt(token).identifier if token else None
    except (InvalidTokenError, TypeError, KeyError):
        return None


def _token(headers: Headers) -> str | None:
    token = get_token_from_cookies(cookie_parser(headers.get("cookie", "")))
    if token is None:
        scheme, _, bearer = headers.get("authorization", "").partition(" ")
        token = bearer if scheme.lower() == "bearer" and bearer.count(".") == 2 else None
    return token


def _is_socket(scope: Scope) -> bool:
    return scope["type"] == "websocket" or "/ws/socket.io" in scope["path"]


def _opens_page(scope: Scope, headers: Headers) -> bool:
    return scope.get("method") == "GET" and "text/html" in headers.get("accept", "")


def _stays_open(scope: Scope, headers: Headers) -> bool:
    path: str = scope["path"]
    return path.startswith(_OPEN) or _opens_page(scope, headers)


def _secured(scope: Scope, headers: Headers, send: Send) -> Send:
    """Marks every cookie Secure where the browser speaks HTTPS, to us or to the proxy before us."""
    proxied = headers.get("x-forwarded-proto", "").partition(",")[0].strip()
    if scope.get("scheme") not in ("https", "wss") and proxied != "https":
        return send

    async def send_secured(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [_secure(*header) for header in message["headers"]]
        await send(message)

    return send_secured


def _secure(name: bytes, value: bytes) -> tuple[bytes, bytes]:
    if name.lower() == b"set-cookie" and b"secure" not in value.lower().split(b"; "):
        return name, value + b"; Secure"
    return name, value


async def _refuse(status: int, detail: str, scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": 4000 + status, "reason": detail})
        return
    await JSONResponse({"detail": detail}, status)(scope, receive, send)
