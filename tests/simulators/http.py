"""A small HTTP/1.1 server over asyncio: fast, and able to misbehave on the wire."""

import asyncio
import contextlib
import json
import socket
import struct
from collections.abc import Awaitable, Callable
from typing import Any, cast
from urllib.parse import unquote, urlsplit

REASONS = {200: "OK", 400: "Bad Request", 404: "Not Found", 500: "Internal Server Error"}


class Gone(Exception):
    """The client has left."""


class Exchange:
    """One request and the writing of its response."""

    def __init__(self, connection: "Connection", head: bytes, body: bytes) -> None:
        lines = head.decode("latin-1").split("\r\n")
        self.method, target, _ = lines[0].split(" ", 2)
        parts = urlsplit(target)
        self.path, self.query = unquote(parts.path), parts.query
        self.headers = {
            name.strip().lower(): value.strip()
            for name, _, value in (line.partition(":") for line in lines[1:])
        }
        self.body = body
        self._connection = connection
        self._transport = connection.transport
        self._chunked = False

    @property
    def json(self) -> Any:
        return json.loads(self.body or b"{}")

    async def respond(
        self,
        status: int,
        body: bytes | dict[str, Any] | list[Any] = b"",
        content_type: str = "application/json",
        **headers: str,
    ) -> None:
        """A whole response."""
        if not isinstance(body, bytes):
            body = json.dumps(body, ensure_ascii=False).encode()
        extra = {"content-type": content_type, "content-length": str(len(body))} | headers
        self._transport.write(_head(status, extra) + body)

    def start(self, content_type: str) -> bytes:
        """The head of a chunked response, to be written with its first bytes."""
        self._chunked = True
        return _head(200, {"content-type": content_type, "transfer-encoding": "chunked"})

    async def write(self, data: bytes) -> None:
        """Raw bytes; waits while the client does not read. Raises Gone."""
        if self._connection.gone.is_set():
            raise Gone
        self._transport.write(data)
        if self._connection.paused:
            await self._connection.writable()

    async def pause(self, seconds: float) -> None:
        """Sleeps; raises Gone as soon as the client leaves."""
        if seconds <= 0:
            await asyncio.sleep(0)
        else:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._connection.gone.wait()
        if self._connection.gone.is_set():
            raise Gone

    def close(self) -> None:
        """Closes the connection, whatever was promised."""
        self._transport.close()

    def reset(self) -> None:
        """Breaks the connection: the client sees ECONNRESET."""
        sock = self._transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._transport.abort()

    def without_delay(self) -> None:
        """Every write in a packet of its own."""
        sock = self._transport.get_extra_info("socket")
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def chunk(data: bytes) -> bytes:
    """One chunk of a chunked response; of nothing, its end."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def _head(status: int, headers: dict[str, str]) -> bytes:
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {status} {REASONS.get(status, 'Whatever')}\r\n{lines}\r\n".encode("latin-1")


Handler = Callable[[Exchange], Awaitable[None]]


class Connection(asyncio.Protocol):
    """Reads requests one after another and runs the handler of each."""

    def __init__(self, server: "HttpServer") -> None:
        self._server = server
        self._buffer = bytearray()
        self._needed: tuple[bytes, int] | None = None
        self._task: asyncio.Task[None] | None = None
        self.transport: asyncio.Transport
        self.gone = asyncio.Event()
        self.paused = False
        self._resumed = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's are no subclass of asyncio's
        self.transport = cast(asyncio.Transport, transport)
        self._server.connections.add(self)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if self._task is None:
            self._next()

    def _next(self) -> None:
        if self._needed is None:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            head = bytes(self._buffer[:end])
            del self._buffer[: end + 4]
            self._needed = head, _content_length(head)
        head, length = self._needed
        if len(self._buffer) < length:
            return
        body = bytes(self._buffer[:length])
        del self._buffer[:length]
        self._needed = None
        self._task = asyncio.create_task(self._handle(Exchange(self, head, body)))

    async def _handle(self, exchange: Exchange) -> None:
        try:
            await self._server.handler(exchange)
        except Gone:
            pass
        finally:
            self._task = None
        if not self.transport.is_closing():
            self._next()

    def eof_received(self) -> bool:
        self.gone.set()
        return False

    def connection_lost(self, error: Exception | None) -> None:
        self.gone.set()
        self._resumed.set()
        self._server.connections.discard(self)

    def pause_writing(self) -> None:
        self.paused = True
        self._resumed.clear()

    def resume_writing(self) -> None:
        self.paused = False
        self._resumed.set()

    async def writable(self) -> None:
        """Returns when the client reads again. Raises Gone."""
        await self._resumed.wait()
        if self.gone.is_set():
            raise Gone


def _content_length(head: bytes) -> int:
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length":
            return int(value)
    return 0


class HttpServer:
    """Listens on loopback; `async with` starts and stops it."""

    def __init__(self, port: int = 0, host: str = "127.0.0.1") -> None:
        self.host, self.port = host, port
        self.connections: set[Connection] = set()
        self._server: asyncio.Server | None = None

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    async def handler(self, exchange: Exchange) -> None:
        raise NotImplementedError

    async def start(self) -> None:
        """Begins to listen; on the same port as before where it was stopped."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: Connection(self), self.host, self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Refuses connections from now on and breaks those there are."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for connection in list(self.connections):
            connection.transport.abort()
        while self.connections:
            await asyncio.sleep(0.001)

    async def __aenter__(self) -> Any:
        await self.start()
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.stop()
