"""A client of HTTP/1.1 for model servers: connections that are kept, answers byte for byte as they come.

A request in a loop takes 0.016 ms of CPU where aiohttp's client takes 0.055, over the same parser that uvicorn
reads requests with (llhttp). It knows what model servers need: no redirects, no cookies, no proxies (`transport`
has aiohttp for these), no HEAD.
"""

import asyncio
import base64
import os
import random
import socket
import ssl
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import aiohappyeyeballs
import httptools
from yarl import URL

HEAD_BYTES = 64 * 1024
"""Of status and headers, or of what stands between two pieces of a body."""
MAX_HEADERS = 512
"""Lines of them. Apache takes 100, Node 2,000."""
_LISTS = ("connection", "content-encoding", "transfer-encoding")
"""Headers whose lines belong together; of any other the first line counts."""
MAX_MEMBERS = 100
"""Of a packed answer: parts of gzip that follow one another."""
PIECE_BYTES = 256 * 1024
"""A larger body is written in pieces of so much; of an answer nobody reads, about twice as much is kept."""
STALE_SECONDS = 0.5
"""Within which a connection closed before the request was read shows."""
NAMES_SECONDS = 10.0
"""For so long the addresses of a name are known."""
NEXT_ADDRESS_SECONDS = 0.25
"""Of several addresses the next is tried beside one that has not answered for so long (RFC 8305)."""

Origin = tuple[str, str, int]
"""Scheme, host, port."""


class NotConnected(Exception):
    """No connection: the address is none, or nobody answers there. Nothing was sent."""


class ConnectionBroken(Exception):
    """The connection ended before the answer did."""


class BrokenUnanswered(ConnectionBroken):
    """It ended before anything of the answer had come."""


class NotHttp(Exception):
    """What came is no HTTP, or more of it than there may be."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a request goes."""

    origin: Origin
    target: str
    """Path and query, as they are sent."""
    host: str
    """As it is sent."""
    basic: str
    """What the address itself says of who asks, as the header says it; else empty."""


@lru_cache(maxsize=1024)
def address_of(url: str) -> Address:
    """Raises NotConnected where it is none of HTTP, without a word of it: it may hold a password or a key."""
    try:
        parsed = URL(url)
        host, port = parsed.raw_host, parsed.port
    except ValueError:
        raise NotConnected("the server's URL is none") from None
    if parsed.scheme not in ("http", "https") or not host or not port:
        raise NotConnected("the server's URL is none of HTTP")
    basic = ""
    if parsed.user or parsed.password:
        named = f"{parsed.user or ''}:{parsed.password or ''}".encode()
        basic = "Basic " + base64.b64encode(named).decode()
    origin = (parsed.scheme, host.rstrip("."), port)
    return Address(origin, parsed.raw_path_qs, parsed.host_port_subcomponent or host, basic)


class Answer:
    """One answer: its status and headers are there, its body comes. Read it to its end, or close it."""

    def __init__(self, connection: "_Connection") -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        """By names in small letters."""
        self._connection: _Connection | None = connection
        self._loop = connection.loop
        self._parts: list[bytes] = []
        self._size = 0
        self._complete = False
        self._error: Exception | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._unpacking: _Unpacking | None = None

    @property
    def at_end(self) -> bool:
        """Whether all of it was read."""
        return self._complete and not self._parts and not (self._unpacking and self._unpacking.more)

    async def read(self) -> bytes:
        """Some more bytes, all that have come; empty at the end. Cancelling it loses nothing.

        Raises ConnectionBroken, or NotHttp.
        """
        while True:
            if self._unpacking is not None and self._unpacking.more:
                data = b""
            elif self._parts:
                data = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
                self._parts, self._size = [], 0
                if self._connection is not None:
                    self._connection.read_on()
            elif self._error is not None:
                raise self._error
            elif self._complete:
                if self._unpacking is not None and not self._unpacking.whole:
                    raise ConnectionBroken("the packed answer is cut")
                return b""
            else:
                await self.arrival()
                continue
            if self._unpacking is not None:
                data = self._unpacking.unpacked(data)
            if data:
                return data

    async def arrival(self) -> None:
        """Waits for more to happen."""
        self._waiter = self._loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def close(self) -> None:
        """Ends the connection, unless all has come and it serves others by now."""
        if self._connection is not None:
            self._connection.abort()

    # -- the connection's side --------------------------------------------------------------------

    def begin(self, status: int) -> None:
        coding = self.headers.get("content-encoding", "").strip().lower()
        if coding in _PACKED:
            self._unpacking = _Unpacking()
        self.status = status
        self._wake()

    def add(self, data: bytes) -> int:
        """Returns how much waits to be read."""
        self._parts.append(data)
        self._size += len(data)
        self._wake()
        return self._size

    def end(self, error: Exception | None = None) -> None:
        self._complete, self._error = error is None, error
        self._connection = None
        self._wake()

    def result(self) -> bool:
        """Whether it has begun. Raises what ended it before."""
        if self._error is not None and not self.status:
            raise self._error
        return self.status > 0

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


_PACKED = ("gzip", "x-gzip", "deflate")
"""Codings that are unpacked, though nobody asked for them."""
_GZIP = 0x1F
"""How gzip begins; `deflate` is said of zlib's form and of one without any head."""


class _Unpacking:
    """A packed body, unpacked by the piece: a small one may become very much."""

    def __init__(self) -> None:
        self._packed = b""
        self._unpack: Any = None
        self._members = 0
        self.more = False
        """Whether there is more of it without more of the packed one."""

    @property
    def whole(self) -> bool:
        return self._unpack is None or self._unpack.eof

    def unpacked(self, data: bytes) -> bytes:
        """Of what has come by now, one piece. Raises NotHttp."""
        packed = self._packed + data
        try:
            if self._unpack is None or (self._unpack.eof and packed):
                self._members += 1
                if self._members > 1 and (packed[0] != _GZIP or self._members > MAX_MEMBERS):
                    raise NotHttp("a packed answer with something behind its end")
                headed = packed[0] == _GZIP or packed[0] & 15 == zlib.DEFLATED
                self._unpack = zlib.decompressobj(
                    zlib.MAX_WBITS | 32 if headed else -zlib.MAX_WBITS
                )
            piece: bytes = self._unpack.decompress(packed, PIECE_BYTES)
        except zlib.error as error:
            raise NotHttp(f"a packed answer that cannot be unpacked: {error}") from error
        self._packed = self._unpack.unused_data or self._unpack.unconsumed_tail
        self.more = bool(self._packed) or len(piece) == PIECE_BYTES
        return piece


class _Connection(asyncio.Protocol):
    """One connection, and the one exchange at a time that runs over it."""

    transport: asyncio.Transport

    def __init__(
        self, loop: asyncio.AbstractEventLoop, client: "HttpClient", origin: Origin
    ) -> None:
        self.loop = loop
        self.origin = origin
        self.until = 0.0
        """Kept so long, by the loop's clock."""
        self._client = client
        self._parser: Any = httptools.HttpResponseParser(self)
        self._parser.set_dangerous_leniencies(
            lenient_headers=True,
            lenient_optional_cr_before_lf=True,
            lenient_spaces_after_chunk_size=True,
        )  # as aiohttp has it for answers
        self._answer: Answer | None = None
        self._heard = self._paused = self._sending = self._to_the_end = False
        self._headers = 0
        """Lines that came of them."""
        self._unread = 0
        """Bytes since the last of a body: of headers, or of what stands around a body's pieces."""
        self._room: asyncio.Future[None] | None = None

    async def ask(self, head: bytes, body: bytes) -> Answer:
        """Sends the request and waits for the answer's headers. Raises ConnectionBroken, BrokenUnanswered, NotHttp."""
        answer = self._answer = Answer(self)
        self._heard = self._to_the_end = False
        self._sending, self._headers, self._unread = True, 0, 0
        try:
            if len(body) <= PIECE_BYTES:
                self.transport.write(head + body)
                self._sending = False
            else:
                await self._send(answer, head, body)
            while not answer.result():
                await answer.arrival()
        except BaseException:
            self.abort()
            raise
        return answer

    async def _send(self, answer: Answer, head: bytes, body: bytes) -> None:
        """As fast as the server takes it; a server that answers before it has all gets no more."""
        self.transport.write(head)
        for start in range(0, len(body), PIECE_BYTES):
            if self._room is not None:
                await self._room
            if answer.result():
                return
            self.transport.write(memoryview(body)[start : start + PIECE_BYTES])
        self._sending = False

    def abort(self) -> None:
        """Closes it at once."""
        self._fail(ConnectionBroken("closed here"))

    def read_on(self) -> None:
        """What has come was taken."""
        if self._paused:
            self._paused = False
            self.transport.resume_reading()

    # -- asyncio's side ---------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # of a stream it is one
        self.transport = transport
        self._client.opened(self)

    def data_received(self, data: bytes) -> None:
        if self._answer is None:  # nobody asked
            self.transport.abort()
            return
        self._heard = True
        self._unread += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._fail(NotHttp(f"not HTTP: {error}"))
        if self._unread > HEAD_BYTES:
            self._fail(NotHttp(f"more than {HEAD_BYTES} bytes of headers"))

    def connection_lost(self, error: Exception | None) -> None:
        if self._to_the_end and self._answer is not None and error is None:
            answer, self._answer = self._answer, None
            answer.end()
        what = str(error or "closed by the server")
        self._fail(ConnectionBroken(what) if self._heard else BrokenUnanswered(what))
        self._make_room()
        self._client.lost(self)
        self._parser = None  # which holds this connection

    def pause_writing(self) -> None:
        self._room = self.loop.create_future()

    def resume_writing(self) -> None:
        self._make_room()

    def _make_room(self) -> None:
        if self._room is not None and not self._room.done():
            self._room.set_result(None)
        self._room = None

    def _fail(self, error: Exception) -> None:
        if (answer := self._answer) is not None:
            self._answer = None
            answer.end(error)
        self.transport.abort()

    # -- the parser's side ------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        if self._answer is None:  # more than was asked for
            self.transport.abort()

    def on_header(self, name: bytes, value: bytes) -> None:
        if (answer := self._answer) is None or answer.status:
            return  # behind a body
        key, text = name.decode("latin-1").lower(), value.decode("utf-8", "surrogateescape")
        self._headers += 1
        if self._headers > MAX_HEADERS:
            self._fail(NotHttp(f"more than {MAX_HEADERS} headers"))
        elif key not in answer.headers:
            answer.headers[key] = text
        elif key in _LISTS:
            answer.headers[key] += f", {text}"

    def on_headers_complete(self) -> None:
        status, answer = self._parser.get_status_code(), self._answer
        if answer is None or answer.status:
            return
        if status < 200:
            answer.headers.clear()
            return
        coding = answer.headers.get("transfer-encoding", "").strip().lower()
        chunked = coding.endswith("chunked")
        bodiless = status in (204, 304)
        self._to_the_end = not (chunked or bodiless or "content-length" in answer.headers)
        answer.begin(status)
        self._make_room()

    def on_body(self, data: bytes) -> None:
        self._unread = 0
        answer = self._answer
        if answer is not None and answer.add(data) > PIECE_BYTES and not self._paused:
            self._paused = True
            self.transport.pause_reading()

    def on_message_complete(self) -> None:
        answer = self._answer
        if answer is None or not answer.status:
            return
        self._answer = None
        answer.end()
        self.read_on()
        unsent = self._sending or self.transport.get_write_buffer_size() > 0
        if unsent or not self._parser.should_keep_alive():
            self.transport.abort()
        else:
            self._client.free(self)


class HttpClient:
    """The connections to any number of servers, as many as there are requests at once."""

    def __init__(
        self,
        tls: Callable[[], ssl.SSLContext],
        *,
        connect_s: float,
        unused_s: float,
        stale_s: float = STALE_SECONDS,
    ) -> None:
        """`connect_s` seconds are waited for a connection; one is kept for `unused_s`, or up to a fifth
        less and a tenth more: fifty that were opened in one instant do not all end in one. `stale_s`:
        within which a kept one that ends unanswered is taken to have been closed before."""
        self._tls = tls
        self._connect_s, self._unused_s, self._stale_s = connect_s, unused_s, stale_s
        self._kept: dict[Origin, list[_Connection]] = {}
        self._sweeping: asyncio.TimerHandle | None = None
        self._open: set[_Connection] = set()
        self._names: dict[tuple[str, int], tuple[float, asyncio.Future[Any]]] = {}

    async def request(
        self, method: str, url: str, headers: Iterable[tuple[str, str]], body: bytes = b""
    ) -> Answer:
        """Sends a request, and again where a kept connection turns out to be closed by then; returns once
        the answer's headers have come. Waits as long as it takes.

        A request over a connection that ends so was never read: llama.cpp closes now and then after a
        stream, just as the next call goes out. That shows at once; a server that closes later may have
        begun to work.

        Raises NotConnected, ConnectionBroken, BrokenUnanswered, NotHttp; ValueError for headers that cannot be sent.
        """
        address = address_of(url)
        head = _head(method, address, headers, len(body))
        clock = asyncio.get_running_loop().time
        while True:
            kept = self._one_kept(address.origin)
            connection = kept or await self._connected(address.origin)
            start = clock()
            try:
                return await connection.ask(head, body)
            except BrokenUnanswered:
                if kept is None or clock() - start > self._stale_s:
                    raise

    def close(self) -> None:
        """Closes every connection; what runs over one is broken off."""
        if self._sweeping is not None:
            self._sweeping.cancel()
            self._sweeping = None
        self._kept.clear()
        for connection in tuple(self._open):
            connection.abort()

    # -- connections ------------------------------------------------------------------------------

    def _one_kept(self, origin: Origin) -> _Connection | None:
        """The one that was used last: the others may end."""
        kept = self._kept.get(origin)
        while kept:
            connection = kept.pop()
            if not connection.transport.is_closing():
                return connection
        return None

    async def _connected(self, origin: Origin) -> _Connection:
        scheme, host, port = origin
        loop = asyncio.get_running_loop()
        where = f"{host}:{port}"
        try:
            async with asyncio.timeout(self._connect_s):
                found = await self._addresses(host, port)
                opened = await aiohappyeyeballs.start_connection(
                    found, happy_eyeballs_delay=NEXT_ADDRESS_SECONDS, loop=loop
                )
                owned = False

                def protocol() -> _Connection:
                    nonlocal owned
                    owned = True  # by the transport, which closes it from here on
                    return _Connection(loop, self, origin)

                try:
                    opened.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
                    opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    tls = scheme == "https"
                    _, connection = await loop.create_connection(
                        protocol,
                        sock=opened,
                        ssl=self._tls() if tls else None,
                        server_hostname=host if tls else None,
                    )
                except BaseException:
                    if not owned:
                        opened.close()
                    raise
        except TimeoutError as error:
            late = f"{where}: no connection within {self._connect_s:g} s"
            raise NotConnected(late) from error
        except (OSError, UnicodeError, RuntimeError) as error:  # of certificates, too, and of names
            raise NotConnected(f"{where}: {_said(error)}") from error
        return connection

    async def _addresses(self, host: str, port: int) -> Any:
        """What the name stands for; asked once by all who want to know it at the same time."""
        loop = asyncio.get_running_loop()
        until, asking = self._names.get((host, port), (0.0, None))
        if asking is None or loop.time() > until or (asking.done() and asking.exception()):
            if len(self._names) > 256:
                self._names.clear()
            asking = asyncio.ensure_future(loop.getaddrinfo(host, port, type=socket.SOCK_STREAM))
            self._names[host, port] = loop.time() + NAMES_SECONDS, asking
        return await asyncio.shield(asking)

    def opened(self, connection: _Connection) -> None:
        """A connection is there."""
        self._open.add(connection)

    def lost(self, connection: _Connection) -> None:
        """It is there no more."""
        self._open.discard(connection)

    def free(self, connection: _Connection) -> None:
        """Its exchange is over: it is kept for the next."""
        share = random.uniform(0.8, 1.0)  # noqa: S311 - spreads what would end together, no secret
        connection.until = connection.loop.time() + self._unused_s * share
        self._kept.setdefault(connection.origin, []).append(connection)
        if self._sweeping is None:
            self._sweep_soon(connection.loop)

    def _sweep_soon(self, loop: asyncio.AbstractEventLoop) -> None:
        self._sweeping = loop.call_later(self._unused_s / 10, self._sweep, loop)

    def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        """Ends what nobody has used for long."""
        self._sweeping = None
        for origin, connections in list(self._kept.items()):
            fresh = []
            for connection in connections:
                if connection.until < loop.time():
                    connection.transport.close()
                elif not connection.transport.is_closing():
                    fresh.append(connection)
            self._kept[origin] = fresh
            if not fresh:
                del self._kept[origin]
        if self._kept:
            self._sweep_soon(loop)


def _head(method: str, address: Address, headers: Iterable[tuple[str, str]], length: int) -> bytes:
    lines = [f"{method} {address.target} HTTP/1.1", f"host: {address.host}"]
    lines += [f"{name}: {value}" for name, value in headers]
    if address.basic and not any(line.startswith("authorization:") for line in lines):
        lines.append(f"authorization: {address.basic}")
    if length or method != "GET":
        lines.append(f"content-length: {length}")
    text = "\r\n".join(lines)
    if text.count("\n") != len(lines) - 1 or text.count("\r") != len(lines) - 1 or "\0" in text:
        raise ValueError("a header has a line break")
    return (text + "\r\n\r\n").encode()


def _said(error: Exception) -> str:
    """What an error of a connection says, in words of the system where it is one of its own."""
    own = isinstance(error, OSError) and not isinstance(error, ssl.SSLError | socket.gaierror)
    return os.strerror(error.errno) if own and error.errno else str(error)  # type: ignore[attr-defined]
