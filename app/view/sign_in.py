"""Signing in: who a request or a socket comes from, before Chainlit sees it.

Chainlit lets every valid token in, even one of a user who has been disabled since, and does not look
at hosts and origins; the middleware here does. In AUTH_MODE=local it also gives whoever opens a page
the one user's cookie, so that no sign-in page is ever seen and deep links open.
"""

import logging
import secrets
from collections.abc import Mapping

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse, RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.access.origins import Origins
from app.access.people import People
from app.core.errors import StorageUnavailable
from app.core.people import User
from app.view.chainlit.auth import (
    Token,
    Tokens,
    cookies_for,
    named_by_proxy,
    token_in,
    with_token_alone,
)
from app.view.chainlit.identity import Identity, identity

log = logging.getLogger(__name__)

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
"""Paths that are not closed to those who are not signed in, or disabled: they sign in there, on a page
with words."""
_TO_STRANGERS = ("/set-session-cookie", *_OPEN)
_CHANGING = ("POST", "PUT", "PATCH", "DELETE")
COPY_HEADER = "x-konsilium-copy"
_COPY = secrets.token_hex(4)
"""Names this process in the answers where a page's socket is opened, refusals too: by it `doctor` sees whether
a balancer keeps a browser with one copy of the app."""


class AuthMiddleware:
    """ASGI middleware around Chainlit's whole app, sockets included."""

    def __init__(
        self,
        app: ASGIApp,
        people: People,
        tokens: Tokens,
        origins: Origins,
        root: str = "",
        header: str | None = None,
        policy: str = "",
    ) -> None:
        """`policy` is the Content-Security-Policy of pages that bring none of their own; `root` is the path the app is served under; `header`, in AUTH_MODE=header, the one that the
        proxy names the user in."""
        self._app = app
        self._people = people
        self._tokens = tokens
        self._origins = origins
        self._root = root
        self._header = header
        self._policy = policy

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        method, socket = scope.get("method", "GET"), _is_socket(scope)
        send = _with_policy(self._policy, send, {COPY_HEADER: _COPY} if socket else {})
        address = scope["client"][0] if scope.get("client") else None
        refusal = self._origins.refusal(method, headers, address, socket=socket)
        if refusal is not None and (self._origins.local or scope["path"] != "/health"):
            log.warning("refused %s %s: %s", method, scope["path"], refusal)
            await _refuse(403, "Forbidden", scope, receive, send)
            return
        token = token_in(headers)
        user = await self._user(token, headers)
        scope = with_token_alone(scope, token if user is not None else None)
        path = scope["path"].removeprefix(self._root)
        if token is not None and method == "POST" and path == "/logout":
            await self._tokens.end(token)
        if user is not None and not user.enabled and not _stays_open(path, scope, headers):
            await _refuse(401, "This user is disabled", scope, receive, send)
            return
        opens = self._origins.local and _opens_page(scope, headers)
        local = await self._people.local() if opens else None
        enabled = user if user is not None and user.enabled else local
        does = socket or method in _CHANGING
        if enabled is None and does and not path.startswith(_TO_STRANGERS):
            # nothing is read of what they send
            await _refuse(401, "Unauthorized", scope, receive, send)
            return
        if enabled is not None and token is not None and not self._origins.local:
            await self._remember(enabled, token, headers, address)
        identity.set(
            Identity(
                enabled.id if enabled else None,
                enabled.identifier if enabled else None,
                headers.get("accept-language", ""),
                address or "",
                token.text if enabled is not None and token is not None else "",
                headers.get("x-konsilium-project"),
            )
        )
        if local is not None:
            await self._open_page(local, scope, receive, _secured(scope, headers, send))
        else:
            await self._app(scope, receive, _secured(scope, headers, send))

    async def _user(self, token: Token | None, headers: Headers) -> User | None:
        """Whose token it is, disabled or not; None without one that still holds. Where a proxy names
        another user than the token does, or nobody, the proxy is right."""
        named = named_by_proxy(headers, self._header) if self._header else None
        if token is None or (named is not None and named != token.identifier):
            return None
        try:
            return await self._tokens.user(token)
        except StorageUnavailable as error:
            log.error("cannot look up who asks: %s", error.detail)
            return None

    async def _remember(
        self, user: User, token: Token, headers: Headers, address: str | None
    ) -> None:
        agent = headers.get("user-agent", "")
        try:
            await self._tokens.sessions.seen(
                user.id, token.text, token.expires, agent=agent, address=address or ""
            )
        except StorageUnavailable as error:
            log.error("cannot list a sign-in: %s", error.detail)

    async def _open_page(self, user: User, scope: Scope, receive: Receive, send: Send) -> None:
        """The page with the local user's cookie; the sign-in page is the first page instead."""
        cookies = cookies_for(user, scope)

        async def send_with_cookie(message: Message) -> None:
            if message["type"] == "http.response.start":
                added = MutableHeaders(scope=message)
                for value in cookies:
                    added.append("set-cookie", value)
            await send(message)

        if scope["path"].rstrip("/").endswith("/login"):
            root = scope.get("root_path", "")
            await RedirectResponse(f"{root}/", 303)(scope, receive, send_with_cookie)
        else:
            await self._app(scope, receive, send_with_cookie)


def _with_policy(policy: str, send: Send, added: Mapping[str, str]) -> Send:
    """Sends pages with what they may load and run, and nothing that a browser takes for another type; and the
    headers in `added`."""

    async def send_with_policy(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers.update(added)
            headers.setdefault("X-Content-Type-Options", "nosniff")
            if policy and headers.get("content-type", "").startswith("text/html"):
                headers.setdefault("Content-Security-Policy", policy)
                headers.setdefault("Referrer-Policy", "same-origin")
        await send(message)

    return send_with_policy


def _is_socket(scope: Scope) -> bool:
    return scope["type"] == "websocket" or "/ws/socket.io" in scope["path"]


def _opens_page(scope: Scope, headers: Headers) -> bool:
    return scope.get("method") == "GET" and "text/html" in headers.get("accept", "")


def _stays_open(path: str, scope: Scope, headers: Headers) -> bool:
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
