"""What a request's body may be, whoever sends it and whatever route it goes to."""

import asyncio
import contextlib
import logging
import re
from collections.abc import Callable

from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.gateway.errors import InvalidField

log = logging.getLogger(__name__)

IDLE_SECONDS = 30.0
"""Between two pieces of a body; a sender that is slower has gone, or means harm."""
LINGER_BYTES = 64 * 1024 * 1024
LINGER_SECONDS = 5.0
"""What is still taken, and thrown away, of a body that is refused, once the answer is on its way: many clients
read nothing before they have sent all, and one that finds its connection reset meanwhile never does."""
MAX_DEPTH = 64
MAX_CONTAINERS = 50_000
"""Objects and arrays in one JSON body: 10,000 messages with parts have about 30,000."""
MAX_VALUES = 500_000
"""Commas outside of strings; a request for embeddings may have 300,000 token ids (OpenAI's bound)."""
MAX_NAMES = 150_000
"""Colons outside of strings: each name is kept apart, and so costs more than a value."""
_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*+(?:"|\\?\Z)', re.DOTALL)
"""Also one that does not end: else each of its quotes would be looked at as a beginning."""


class BodyBounds:
    """ASGI middleware, the outermost: no body is larger than its route allows, whatever the transfer
    coding says, and none trickles in for ever. Nothing of a body beyond its bound is kept."""

    def __init__(
        self,
        app: ASGIApp,
        limit: Callable[[str], int],
        *,
        idle_s: float = IDLE_SECONDS,
        linger_bytes: int = LINGER_BYTES,
        too_large: Callable[[Scope], Response | None] = lambda scope: None,
    ) -> None:
        """`limit` tells the bytes that a path may be sent, `too_large` the answer where it is sent more,
        if not TOO_LARGE in JSON."""
        self._app = app
        self._limit = limit
        self._idle_s = idle_s
        self._linger_bytes = linger_bytes
        self._too_large = too_large

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if "\0" in scope["path"]:
            await _BoundedExchange(scope, receive, send, 0, self._idle_s).refuse(
                _refusal(404, "unknown_url", "No path has a NUL.")
            )
            return
        exchange = _BoundedExchange(
            scope,
            receive,
            send,
            self._limit(scope["path"]),
            self._idle_s,
            self._linger_bytes,
            self._too_large,
        )
        if _announced(scope) > exchange.limit:
            await exchange.refuse_size(linger=not _waits(scope))
            return
        try:
            await self._app(scope, exchange.receive, exchange.send)
        except Exception as error:
            if not (exchange.refused or exchange.left):
                raise
            why = "refused" if exchange.refused else "the client left"
            log.info("%s %s: %s (%s)", scope["method"], scope["path"], why, type(error).__name__)


TOO_LARGE = "The request's body is too large."


def _refusal(status: int, code: str, text: str) -> Response:
    """The shape that OpenAI's clients read, and `detail`, which the page's script shows."""
    error = {"message": text, "type": "invalid_request_error", "code": code}
    return JSONResponse({"error": error, "detail": text}, status)


class _BoundedExchange:
    """One request's way in and out; once refused, the application hears that the client has gone, and
    what it says to that is not sent."""

    def __init__(
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
        limit: int,
        idle_s: float,
        linger_bytes: int = 0,
        too_large: Callable[[Scope], Response | None] = lambda scope: None,
    ) -> None:
        self.limit = limit
        self.refused = False
        self.left = False
        """Whether the client was gone before its body was whole: not every app knows what to do then."""
        self._scope = scope
        self._receive = receive
        self._send = send
        self._idle_s = idle_s
        self._linger_bytes = linger_bytes
        self._too_large = too_large
        self._read = 0
        self._whole = False
        self._started = False

    async def receive(self) -> Message:
        if self.refused:
            return {"type": "http.disconnect"}
        if self._whole:
            return await self._receive()
        try:
            async with asyncio.timeout(self._idle_s):
                message = await self._receive()
        except TimeoutError:
            slow = "The request's body did not come in time."
            await self.refuse(_refusal(408, "request_timeout", slow))
            return {"type": "http.disconnect"}
        self.left = message["type"] == "http.disconnect"
        self._read += len(message.get("body", b""))
        self._whole = not message.get("more_body", False)
        if self._read > self.limit:
            await self.refuse_size(linger=not self._whole)
            return {"type": "http.disconnect"}
        return message

    async def send(self, message: Message) -> None:
        if not self.refused:
            self._started = True
            await self._send(message)

    async def refuse_size(self, *, linger: bool) -> None:
        answer = self._too_large(self._scope) or _refusal(413, "request_too_large", TOO_LARGE)
        await self.refuse(answer, linger=linger)

    async def refuse(self, answer: Response, *, linger: bool = False) -> None:
        self.refused = True
        if self._started:
            return
        answer.headers["connection"] = "close"
        await answer(self._scope, self._receive, self._said_first if linger else self._send)

    async def _said_first(self, message: Message) -> None:
        """The end of the answer closes the connection: it waits for the rest of the body."""
        if message["type"] == "http.response.body":
            await self._send({**message, "more_body": True})
            await self._throw_away_the_rest()
            message = {"type": "http.response.body", "body": b"", "more_body": False}
        await self._send(message)

    async def _throw_away_the_rest(self) -> None:
        taken = 0
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LINGER_SECONDS):
                while taken < self._linger_bytes:
                    message = await self._receive()
                    if not message.get("more_body", False):
                        return
                    taken += len(message["body"])


def check_structure(body: bytes) -> None:
    """Refuses JSON of so many objects, arrays and values that reading it would hold up everybody else:
    Python's reader keeps the interpreter to itself meanwhile. Raises InvalidField. Costs next to
    nothing where the characters are few; strings are looked through only where they are many."""
    if _has_many(body) and _has_many(_STRING.sub(b"", body)):
        raise InvalidField("The JSON body has too many values.")


def _has_many(body: bytes) -> bool:
    containers = body.count(b"[") + body.count(b"{")
    return (
        containers > MAX_CONTAINERS or body.count(b",") > MAX_VALUES or body.count(b":") > MAX_NAMES
    )


def _waits(scope: Scope) -> bool:
    """Whether the client sends nothing before it is told to: `Expect: 100-continue`."""
    return any(name == b"expect" for name, _ in scope["headers"])


def _announced(scope: Scope) -> int:
    """The length that the request announces; 0 where it announces none, or no number."""
    for name, value in scope["headers"]:
        if name == b"content-length":
            return int(value) if value.isdigit() else 0
    return 0
