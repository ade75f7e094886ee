"""uvicorn's HTTP protocol with the bounds that it lacks.

Chainlit's command line and our own gateway both run uvicorn; this class is how either is told that a
connection which never finishes its request, or reads nothing of its answer, is closed, that no headers
or packets fill the memory before anybody knows whose they are, and that a shutdown does not wait for
ever.
"""

import asyncio
import contextlib
import functools
import ipaddress
import logging
import os
from typing import Any, cast

import uvicorn.config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from app.core.errors import SettingsInvalid

log = logging.getLogger(__name__)

HEADER_SECONDS = 20.0
"""From a connection's beginning to the end of its first request's headers; the same for later ones
from their first byte. nginx gives 60, Apache 20 to 40 (mod_reqtimeout)."""
HEAD_BYTES = 64 * 1024
"""Of a request's line and headers, or of what comes behind a body in pieces. nginx takes 32 KB, Node 16."""
STALLED_SECONDS = 60.0
"""A client that takes nothing of its answer for so long is dropped, as nginx does (send_timeout)."""
MIN_BYTES = 4096
"""What counts as something, where there is as much."""
PACKET_BYTES = 4_000_000
"""Of a socket's packet: a million characters, which is what Chainlit's page may send, in UTF-8."""


class Peers:
    """Addresses and networks, comma-separated; `*` is everybody. Raises SettingsInvalid."""

    def __init__(self, listed: str) -> None:
        names = [name.strip() for name in listed.split(",") if name.strip()]
        self._all = "*" in names
        try:
            self._networks = [
                ipaddress.ip_network(name, strict=False) for name in names if name != "*"
            ]
        except ValueError as error:
            raise SettingsInvalid("TRUSTED_PROXIES", str(error)) from error

    def __contains__(self, host: object) -> bool:
        if self._all:
            return True
        try:
            address = ipaddress.ip_address(str(host))
        except ValueError:
            return False
        plain = getattr(address, "ipv4_mapped", None) or address
        return any(plain in network for network in self._networks)


class BoundedHttpProtocol(HttpToolsProtocol):
    """A connection that has to say what it wants within `HEADER_SECONDS`."""

    header_seconds = HEADER_SECONDS
    stalled_seconds = STALLED_SECONDS
    shutdown_grace_s: float | None = None
    """Seconds that unfinished requests have at a shutdown, where the configuration names none."""
    ending_since: float | None = None
    """By the loop's clock."""
    proxies = Peers("127.0.0.1")
    of_proxies: bytes | None = None
    """The header, in small letters, that a proxy names the user by: from anybody else it is left out."""

    def __init__(self, config: uvicorn.Config, *args: Any, **kwargs: Any) -> None:
        if config.timeout_graceful_shutdown is None and self.shutdown_grace_s is not None:
            config.timeout_graceful_shutdown = round(self.shutdown_grace_s)
        config.ws_max_size = min(config.ws_max_size, PACKET_BYTES)
        super().__init__(config, *args, **kwargs)
        self._headers_due: asyncio.TimerHandle | None = None
        self._stalled_due: asyncio.TimerHandle | None = None
        self._known_proxy = False
        self._head_bytes = 0
        """Of the request's line and headers, as far as they were told of."""
        self._unread_bytes = 0
        """What came since the parser last told of anything: it keeps a value until that is whole."""

    def shutdown(self) -> None:
        """The server has been told to end: this connection's request may still be answered."""
        if BoundedHttpProtocol.ending_since is None:
            BoundedHttpProtocol.ending_since = self.loop.time()
        super().shutdown()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn narrows it
        super().connection_made(transport)
        self._known_proxy = self.client is not None and self.client[0] in self.proxies
        self._expect_headers()

    def data_received(self, data: bytes) -> None:
        self._unread_bytes += len(data)
        super().data_received(data)
        if self._head_bytes + self._unread_bytes > HEAD_BYTES and not self.transport.is_closing():
            self._refuse_head()

    def _refuse_head(self) -> None:
        if self._headers_due is None:  # behind a body, to which an answer may be under way
            self.transport.abort()
            return
        self.transport.write(
            b"HTTP/1.1 431 Request Header Fields Too Large\r\n"
            b"content-length: 0\r\nconnection: close\r\n\r\n"
        )
        self.transport.close()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._head_bytes = self._unread_bytes = 0
        self._expect_headers()

    def on_url(self, url: bytes) -> None:
        self._head_came(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._head_came(len(name) + len(value))
        if self._known_proxy or name.lower() != self.of_proxies:
            super().on_header(name, value)
        else:
            _say_unknown(self.client[0] if self.client else "a socket")

    def on_headers_complete(self) -> None:
        self._headers_came()
        before = self.cycle
        super().on_headers_complete()
        if self.cycle is not before and self.cycle is not None:
            joined = _Unchunked if self.scope["http_version"] == "1.0" else _HeadWithBody
            self.cycle.transport = cast(asyncio.Transport, joined(self.transport, self.loop))

    def on_body(self, body: bytes) -> None:
        self._unread_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._unread_bytes = 0
        super().on_message_complete()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._await_reader()

    def resume_writing(self) -> None:
        self._reader_came()
        super().resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        self._headers_came()
        self._reader_came()
        super().connection_lost(exc)

    def _await_reader(self) -> None:
        left = self.transport.get_write_buffer_size()
        self._stalled_due = self.loop.call_later(self.stalled_seconds, self._look_at_reader, left)

    def _look_at_reader(self, left: int) -> None:
        if left - self.transport.get_write_buffer_size() >= min(MIN_BYTES, left):
            self._await_reader()
        else:
            log.info("a client reads nothing of its answer: dropped")
            self.transport.abort()

    def _reader_came(self) -> None:
        if self._stalled_due is not None:
            self._stalled_due.cancel()
            self._stalled_due = None

    def _head_came(self, count: int) -> None:
        self._head_bytes += count
        self._unread_bytes = 0

    def _expect_headers(self) -> None:
        if self._headers_due is None:
            self._headers_due = self.loop.call_later(self.header_seconds, self.transport.abort)

    def _headers_came(self) -> None:
        if self._headers_due is not None:
            self._headers_due.cancel()
            self._headers_due = None


class _HeadWithBody:
    """What uvicorn's cycle of one request writes to: the head of the answer waits for the first piece of its
    body, if that comes at once. It is one packet then, and wakes the client once: of fifty that are answered in one
    instant each wake-up is a tenth of a millisecond for the others."""

    __slots__ = ("_head", "_loop", "_transport", "is_closing")

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._head = b""
        self.is_closing = transport.is_closing

    def write(self, data: bytes) -> None:
        if self._head:
            data, self._head = self._head + data, b""
        elif data.startswith(b"HTTP/1.1 "):
            self._head = data
            self._loop.call_soon(self._write_head)
            return
        self._transport.write(data)

    def close(self) -> None:
        self._write_head()
        self._transport.close()

    def _write_head(self) -> None:
        head, self._head = self._head, b""
        if head and not self.is_closing():
            self._transport.write(head)


_CHUNKED = b"transfer-encoding: chunked\r\n"


class _Unchunked(_HeadWithBody):
    """The same for HTTP/1.0, which knows no chunks: such an answer ends with its connection (RFC 9112, 6.1)."""

    __slots__ = ("_chunked",)

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(transport, loop)
        self._chunked: bool | None = None

    def write(self, data: bytes) -> None:
        if self._chunked is None and not data.startswith(b"HTTP/1.1 100 "):
            self._chunked = _CHUNKED in data
            data = data.replace(_CHUNKED, b"", 1)
        elif self._chunked:
            data = _joined_chunks(data)
        super().write(data)


def _joined_chunks(data: bytes) -> bytes:
    """What whole chunks hold."""
    parts = []
    while data:
        size, _, rest = data.partition(b"\r\n")
        length = int(size, 16)
        parts.append(rest[:length])
        data = rest[length + 2 :]
    return b"".join(parts)


@functools.lru_cache(maxsize=256)
def _say_unknown(host: str) -> None:
    """Once an address: a proxy in another container is easily forgotten."""
    log.warning("%s names a user, but TRUSTED_PROXIES does not name it: nobody is signed in", host)


def grace_left(grace_seconds: float) -> float:
    """What is left of a shutdown's grace once unfinished requests have had theirs."""
    since = BoundedHttpProtocol.ending_since
    if since is None:
        return grace_seconds
    return max(0.0, grace_seconds - (asyncio.get_running_loop().time() - since))


def bound_connections(
    shutdown_grace_s: float, trusted_proxies: str, naming_header: str | None = None
) -> None:
    """Makes every uvicorn server of this process use the bounds, believe X-Forwarded-For and the header
    that names the user of those addresses and networks alone (comma-separated), and lets it open as many
    connections as the system allows: with the usual 1,024 a thousand idle ones would keep everybody else
    out. Raises SettingsInvalid."""
    BoundedHttpProtocol.shutdown_grace_s = shutdown_grace_s
    BoundedHttpProtocol.proxies = Peers(trusted_proxies)
    BoundedHttpProtocol.of_proxies = naming_header.lower().encode() if naming_header else None
    os.environ["FORWARDED_ALLOW_IPS"] = (
        trusted_proxies  # Chainlit's command line passes no other way
    )
    for name in ("auto", "httptools"):
        uvicorn.config.HTTP_PROTOCOLS[name] = f"{__name__}:{BoundedHttpProtocol.__name__}"
    with contextlib.suppress(ImportError, ValueError, OSError):  # Windows has no such limit
        import resource

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if soft < hard:
            resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 65_536), hard))
