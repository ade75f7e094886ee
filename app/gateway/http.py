"""One HTTP exchange over plain ASGI: no framework between a token and the socket."""

import asyncio
import contextlib
import json
import logging
import re
import zlib
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Sequence
from typing import Any

from starlette.types import ASGIApp as App
from starlette.types import Message, Receive, Scope, Send

from app.core.ids import random_hex
from app.core.reading import is_deeper
from app.gateway.bodies import MAX_DEPTH, check_structure
from app.gateway.errors import Answer, BodyTooLarge, InvalidField, WrongCoding, answer_to

log = logging.getLogger(__name__)

Header = tuple[bytes, bytes]
ErrorForm = Callable[[Answer], dict[str, Any]]
"""How a protocol says an error."""
EVENTS = b"text/event-stream; charset=utf-8"
PIECE_BYTES = 256 * 1024
"""Of an answer that is written in one go: between two of them others get their turn."""
WATCHED_AFTER_SECONDS = 0.05
"""An answer that has come by then costs no task that looks whether its client is still there."""
MAX_BODY_BYTES = 32 * 1024 * 1024
MAX_MEMBERS = 100
"""Of a packed body: parts of gzip that follow one another. To go on to the next costs a copy of the rest."""
CORS: tuple[Header, ...] = (
    (b"access-control-allow-origin", b"*"),
    (
        b"access-control-expose-headers",
        b"x-request-id, request-id, retry-after, x-should-retry, x-ratelimit-limit-requests, "
        b"x-ratelimit-remaining-requests, x-ratelimit-reset-requests, x-ratelimit-limit-tokens, "
        b"x-ratelimit-remaining-tokens, x-ratelimit-reset-tokens, x-konsilium-cache",
    ),
)
_REQUEST_ID = re.compile(rb"[\w.:-]{1,128}", re.ASCII)
_TRACEPARENT = re.compile(rb"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
_TRACESTATE = re.compile(r"[ -~]{1,512}")
_MEANT = re.compile(
    r"/(chat/completions|completions|embeddings|models|messages|responses|audio/transcriptions"
    r"|audio/translations|audio/speech|images/generations|moderations|rerank)$"
)
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")


class ClientGone(Exception):
    """The client closed its connection, or was dropped since it reads nothing any more."""


class Exchange:
    """A request and its answer. `started`: a status was sent; `finished`: the last byte too."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scope = scope
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.headers: dict[bytes, bytes] = dict(scope["headers"])
        self.request_id = request_id_of(self.headers)
        self.started = False
        self.writing = False
        """A write has begun that has not ended: the client reads slowly."""
        self.written_at = asyncio.get_running_loop().time()
        self.extra: list[Header] = [(b"x-request-id", self.request_id.encode())]
        """Headers that any answer to this request carries."""
        self.errors: ErrorForm = openai_error
        """The form of an error, that of the protocol which is asked."""
        self._object: dict[str, Any] | None = None
        self._receive = receive
        self._send = send
        self.finished = False

    # -- the request ----------------------------------------------------------------------------

    def header(self, name: bytes) -> str:
        """A header's value, empty where it is missing. `name` in lower case."""
        return self.headers.get(name, b"").decode("latin-1")

    @property
    def trace(self) -> dict[str, str]:
        """`traceparent`, and `tracestate` beside it; nothing where it is not of W3C's form."""
        parent, state = self.headers.get(b"traceparent", b""), self.header(b"tracestate")
        if not _TRACEPARENT.fullmatch(parent):
            return {}
        known = {"traceparent": parent.decode()}
        return known | ({"tracestate": state} if _TRACESTATE.fullmatch(state) else {})

    async def body(self, limit: int = MAX_BODY_BYTES) -> bytes:
        """The whole body, unpacked where it came as gzip. Raises BodyTooLarge, WrongCoding or
        InvalidField, and ClientGone where it breaks off."""
        coding = self.header(b"content-encoding").strip().lower()
        if coding in ("", "identity"):
            return await self._read(limit)
        if coding not in ("gzip", "x-gzip"):
            raise WrongCoding("The body may be sent as it is, or as gzip.")
        return await asyncio.to_thread(_unpacked, await self._read(limit), limit)

    async def _read(self, limit: int) -> bytes:
        length = self.header(b"content-length")
        if length.isdigit() and int(length) > limit:
            raise BodyTooLarge(f"The request's body is larger than {limit} bytes.")
        parts: list[bytes] = []
        size = 0
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise ClientGone
            part: bytes = message.get("body", b"")
            size += len(part)
            if size > limit:
                raise BodyTooLarge(f"The request's body is larger than {limit} bytes.")
            parts.append(part)
            if not message.get("more_body", False):
                return parts[0] if len(parts) == 1 else b"".join(parts)

    async def json(self) -> dict[str, Any]:
        """The body as a JSON object. Raises InvalidField where it is none, or nested too deeply."""
        if self._object is None:
            self._object = parse_object(await self.body())
        return self._object

    # -- the answer -----------------------------------------------------------------------------

    async def reply(
        self,
        status: int,
        body: bytes | Sequence[bytes] = b"",
        headers: Iterable[Header] = (),
        content_type: bytes = b"application/json",
    ) -> None:
        """A whole answer; its body may come in pieces, which are not put together."""
        self.started = True
        pieces = (body,) if isinstance(body, bytes) else body
        if content_type == b"application/json" and not all(map(bytes.isascii, pieces)):
            pieces = (one_line(b"".join(pieces)),)
        size = sum(map(len, pieces))
        length = (b"content-length", str(size).encode())
        own = [(b"content-type", content_type), length] if status != 204 else []
        await self._send(
            {
                "type": "http.response.start",
                "status": status,
                "headers": [*own, *CORS, *self.extra, *headers],
            }
        )
        self.finished = True
        for piece in _of_one_size(pieces):
            size -= len(piece)
            await self._send({"type": "http.response.body", "body": piece, "more_body": size > 0})
            if size > 0:
                await asyncio.sleep(
                    0
                )  # a socket that takes it all lets nobody else come in between

    async def reply_json(self, value: object, status: int = 200) -> None:
        """A whole answer of JSON."""
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        await self.reply(status, text.encode("utf-8", "replace"))

    async def reply_error(self, error: BaseException) -> None:
        """The error as an answer of its own."""
        await self.reply_answer(answer_to(error))

    async def reply_answer(self, answer: Answer) -> None:
        body = json.dumps(self.errors(answer), ensure_ascii=False).encode("utf-8", "replace")
        await self.reply(answer.status, body, answer.headers)

    async def begin_stream(self, content_type: bytes = EVENTS) -> None:
        """Commits the status 200 of a stream. Does nothing where it is committed."""
        if self.started:
            return
        self.started = True
        await self._send(
            {
                "type": "http.response.start",
                "status": 200,
                "headers": [
                    (b"content-type", content_type),
                    (b"cache-control", b"no-cache"),
                    (b"x-accel-buffering", b"no"),
                    *CORS,
                    *self.extra,
                ],
            }
        )

    async def write(self, data: bytes) -> None:
        """Sends a piece of a stream; returns once the socket's bounded buffer has room."""
        self.writing, self.written_at = True, asyncio.get_running_loop().time()
        body = one_line(data)
        await self._send({"type": "http.response.body", "body": body, "more_body": True})
        self.writing = False

    async def end_stream(self, data: bytes = b"") -> None:
        """The last piece: the answer is over."""
        self.writing = self.finished = True
        body = one_line(data)
        await self._send({"type": "http.response.body", "body": body, "more_body": False})
        self.writing = False

    # -- the other side leaving -----------------------------------------------------------------

    @contextlib.asynccontextmanager
    async def while_connected(self) -> AsyncGenerator[None, None]:
        """Cancels what is inside when the client leaves, and raises ClientGone then.

        Enter it after the body was read.
        """
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("an exchange runs in a task")
        gone = False

        async def watch() -> None:
            nonlocal gone
            while (await self._receive())["type"] != "http.disconnect":
                pass
            if not self.finished:
                gone = True
                task.cancel()

        watcher: asyncio.Task[None] | None = None

        def begin() -> None:
            nonlocal watcher
            watcher = asyncio.create_task(watch())

        beginning = asyncio.get_running_loop().call_later(WATCHED_AFTER_SECONDS, begin)
        try:
            yield
        except asyncio.CancelledError:
            if gone and task.uncancel() == 0:
                raise ClientGone from None
            raise
        finally:
            beginning.cancel()
            if watcher is not None:
                watcher.cancel()


def openai_error(answer: Answer) -> dict[str, Any]:
    """OpenAI's form, which is also ours."""
    return answer.envelope


def one_line(data: bytes) -> bytes:
    """JSON with U+0085, U+2028 and U+2029 escaped: clients that split lines as Unicode does (Python's
    `splitlines`, httpx) would cut a text there. They are nothing but text in JSON."""
    if data.isascii():  # a hundred times as quick as a search: vectors are many megabytes
        return data
    if b"\xe2\x80" in data:
        data = data.replace(b"\xe2\x80\xa8", rb"\u2028").replace(b"\xe2\x80\xa9", rb"\u2029")
    return data.replace(b"\xc2\x85", rb"\u0085") if b"\xc2\x85" in data else data


def _of_one_size(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes, `PIECE_BYTES` at a time or some fewer."""
    kept: list[bytes] = []
    size = 0
    for piece in pieces:
        for start in range(0, len(piece), PIECE_BYTES):
            part = piece[start : start + PIECE_BYTES]
            if size + len(part) > PIECE_BYTES:
                yield b"".join(kept)
                kept, size = [], 0
            kept.append(part)
            size += len(part)
    yield b"".join(kept)


def _unpacked(body: bytes, limit: int) -> bytes:
    """A body of gzip, which may be several put together (RFC 1952, 2.2)."""
    whole = bytearray()
    for _ in range(MAX_MEMBERS):
        unpacking = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
        try:
            whole += unpacking.decompress(body, limit + 1 - len(whole))
        except zlib.error as error:
            raise InvalidField("The body is not valid gzip.") from error
        if len(whole) > limit:
            raise BodyTooLarge(f"The request's body is larger than {limit} bytes.")
        if not unpacking.eof:
            raise InvalidField("The body is not valid gzip.")
        body = unpacking.unused_data
        if not body:
            return bytes(whole)
    raise InvalidField(f"The body has more than {MAX_MEMBERS} parts of gzip.")


def meant(path: str) -> str:
    """What to say to a client whose base address is wrong, without /v1, with it twice or behind something
    else; nothing where the path is like none of ours."""
    found = _MEANT.search(re.sub("//+", "/", path))
    return f" Did you mean /v1/{found[1]}?" if found else ""


def request_id_of(headers: dict[bytes, bytes]) -> str:
    """The caller's `x-request-id` where it is a plain word, else one of ours."""
    given = headers.get(b"x-request-id", b"")
    return given.decode() if _REQUEST_ID.fullmatch(given) else f"req_{random_hex()}"


def parse_object(body: bytes) -> dict[str, Any]:
    """A JSON object from a request's body. Raises InvalidField, saying what is wrong with it."""
    check_structure(body)
    try:
        value = json.loads(body, parse_constant=_no_constant)
    except RecursionError:
        raise InvalidField("The JSON body is nested too deeply.") from None
    except UnicodeDecodeError:
        raise InvalidField("The body is not UTF-8.") from None
    except ValueError as error:
        raise InvalidField(f"The body is not valid JSON: {error}") from None
    if not isinstance(value, dict):
        raise InvalidField("The body must be a JSON object.")
    if is_deeper(value, MAX_DEPTH):
        raise InvalidField(f"The JSON body is nested more than {MAX_DEPTH} deep.")
    if _SURROGATE.search(body):
        try:
            json.dumps(value, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            raise InvalidField("The body holds half of a surrogate pair.") from None
    return value


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


__all__ = ["App", "ClientGone", "Exchange", "Header", "Message", "Receive", "Scope", "Send"]
