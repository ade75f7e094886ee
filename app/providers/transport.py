"""The connections to one server, whoever calls it: over our own client, or, where a proxy of the
environment leads there, over aiohttp's, which knows proxies.

httpx's own transport parses each chunk of a stream in Python: 9 µs a token where a parser in C, and joining
what has come together, takes 0.7; and a request takes 1 ms.
"""

import asyncio
import contextlib
import os
import socket
import ssl
from collections.abc import AsyncGenerator, Iterable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Protocol
from urllib.request import getproxies, proxy_bypass

import aiohttp
import httpx
from yarl import URL

from app.core.errors import (
    BadRequest,
    ConnectionLost,
    KonsiliumError,
    MalformedAnswer,
    ServerUnavailable,
)
from app.core.requests import trace
from app.providers.deadline import CLOUD, Timeouts
from app.providers.http_client import (
    STALE_SECONDS,
    ConnectionBroken,
    HttpClient,
    NotConnected,
    NotHttp,
    Origin,
    address_of,
)
from app.providers.upstream_errors import error_of_status

_NOT_OURS = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")
"""Headers aiohttp would add by itself: the client above has said all there is to say."""
REST_SECONDS = 0.5
"""How long the end of a message is waited for, to keep its connection."""
REFUSAL_BYTES = 65536
"""As much of a refusal is read."""

_OURS = (ConnectionBroken, NotConnected, NotHttp)
LOST = (*_OURS, aiohttp.ClientError, asyncio.IncompleteReadError, OSError, TimeoutError)
"""What either client and the bodies of its answers raise: `lost` tells it in our words."""


@dataclass(slots=True)
class _Sent:
    """One try of a request."""

    anew: bool = False
    """It opened a connection of its own."""


_sent: ContextVar[_Sent] = ContextVar("sent")


def _open_socket(address: aiohttp.AddrInfoType) -> socket.socket:
    """As aiohttp does, and marks the request for which it is done: its own way to tell so, tracing, runs
    through every step of every request (some 3 µs of its 60 on one machine) for what is rare."""
    if (sent := _sent.get(None)) is not None:
        sent.anew = True
    family, kind, protocol, *_ = address
    return socket.socket(family, kind, protocol)


class Transport:
    """Lives as long as its server; makes no retries, follows no redirects, keeps no cookies."""

    def __init__(
        self,
        timeouts: Timeouts,
        *,
        local: bool,
        ca_file: str = "",
        stale_s: float = STALE_SECONDS,
    ) -> None:
        """`local`: a server of this network, which the environment's proxies do not lead to. `ca_file`:
        authorities that are trusted besides the usual ones. `stale_s`: as `HttpClient` has it."""
        self._local = local
        self._stale_s = stale_s
        self._ca_file = ca_file
        self._timeout = aiohttp.ClientTimeout(total=None, sock_connect=timeouts.connect)
        self._timeouts = timeouts
        self._client: HttpClient | None = None
        self._session: aiohttp.ClientSession | None = None
        self._ssl: ssl.SSLContext | None = None
        self._proxied: dict[Origin, bool] = {}

    @property
    def session(self) -> aiohttp.ClientSession:
        """aiohttp's pool, made at the first request that needs it: it belongs to the running loop."""
        if self._session is None:
            connector = aiohttp.TCPConnector(
                limit=0,  # queues in front of local models are ours, not the pool's
                keepalive_timeout=self._timeouts.unused,
                socket_factory=_open_socket,
            )
            self._session = aiohttp.ClientSession(
                connector=connector,
                timeout=self._timeout,
                trust_env=not self._local,
                cookie_jar=aiohttp.DummyCookieJar(),
                skip_auto_headers=_NOT_OURS,
            )
        return self._session

    @property
    def client(self) -> HttpClient:
        """Our own, likewise."""
        if self._client is None:
            connect_s, unused_s = self._timeouts.connect, self._timeouts.unused
            self._client = HttpClient(
                self._tls, connect_s=connect_s, unused_s=unused_s, stale_s=self._stale_s
            )
        return self._client

    def _through_proxy(self, url: str) -> bool:
        """Whether a proxy of the environment leads there."""
        if self._local:
            return False
        origin = scheme, host, _ = address_of(url).origin
        known = self._proxied.get(origin)
        if known is None:
            known = self._proxied[origin] = scheme in getproxies() and not proxy_bypass(host)
        return known

    def _tls(self) -> ssl.SSLContext:
        """certifi's authorities, or SSL_CERT_FILE's, as httpx has them."""
        if self._ssl is None:
            self._ssl = httpx.create_ssl_context()
            if self._ca_file:
                self._ssl.load_verify_locations(cafile=self._ca_file)
        return self._ssl

    async def open(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes = b"",
        *,
        server: str,
        model: str | None = None,
        key: str = "",
    ) -> "UpstreamAnswer":
        """Sends a request; returns once a status of 2xx has come, the body unread. Close what it returns.

        Waits as long as it takes: the caller has the clock. Raises ServerUnavailable, ConnectionLost,
        or what a status of 300 and more means, with `key` kept out of it; BadRequest where a header cannot
        be sent, MalformedAnswer where what comes is no HTTP.
        """
        try:
            known = (*headers.items(), *trace.get().items())
            response: HttpAnswer
            if self._through_proxy(url):
                sent = await self.send(method, URL(url), known, body, decompress=True)
                response = _Proxied(sent)
            else:
                response = await self.client.request(method, url, known, body)
        except LOST as error:
            raise lost(error, server, model) from error
        except ValueError as error:
            raise BadRequest(f"not sent: {error}", server=server, model=model) from error
        answer = UpstreamAnswer(response, server, model)
        if response.status < 300:
            return answer
        said = await answer.beginning(REFUSAL_BYTES)
        raise error_of_status(server, model, response.status, said, answer.headers, key)

    async def send(
        self,
        method: str,
        url: URL,
        headers: Iterable[tuple[str, str]],
        body: bytes,
        *,
        decompress: bool = False,
    ) -> aiohttp.ClientResponse:
        """Sends a request over aiohttp, and again where a kept connection turns out to be closed by then,
        as `HttpClient.request` does."""
        clock = asyncio.get_running_loop().time
        while True:
            sent = _Sent()
            _sent.set(sent)
            start = clock()
            try:
                return await self.session.request(
                    method,
                    url,
                    headers=list(headers),
                    data=body or None,
                    allow_redirects=False,
                    auto_decompress=decompress,
                    ssl=self._tls() if url.scheme == "https" else True,
                )
            except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError):
                if sent.anew or clock() - start > self._stale_s:
                    raise

    async def aclose(self) -> None:
        """Closes every connection."""
        if self._client is not None:
            self._client.close()
            self._client = None
        if self._session is not None:
            await self._session.close()
            self._session = None


def lost(error: Exception, server: str, model: str | None) -> KonsiliumError:
    """The error of ours behind one of `LOST`."""
    detail = f"{type(error).__name__}: {error}".removesuffix(": ")
    if isinstance(error, aiohttp.ClientConnectorError) and error.os_error.errno:
        detail = f"{error.host}:{error.port}: {os.strerror(error.os_error.errno)}"
    if isinstance(error, _OURS):
        detail = str(error)
    match error:
        case (
            NotConnected()
            | aiohttp.ClientConnectorError()
            | aiohttp.ConnectionTimeoutError()
            | aiohttp.InvalidURL()
        ):
            return ServerUnavailable(detail, server=server, model=model)
        case NotHttp() | aiohttp.ClientResponseError():
            return MalformedAnswer(detail, server=server, model=model)
    return ConnectionLost(detail, server=server, model=model)


class HttpAnswer(Protocol):
    """An answer of either client."""

    @property
    def status(self) -> int: ...

    @property
    def headers(self) -> Mapping[str, str]:
        """By their names in small letters."""
        ...

    @property
    def at_end(self) -> bool:
        """Whether its body was read to the end."""
        ...

    async def read(self) -> bytes:
        """Some more of it, empty at the end."""
        ...

    def close(self) -> None:
        """Keeps the connection where all was read, else ends it."""
        ...


class _Proxied:
    """One of aiohttp's."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response
        self.status: int = response.status
        self.headers: Mapping[str, str] = response.headers  # by names in whatever case

    @property
    def at_end(self) -> bool:
        return self._response.content.at_eof()

    async def read(self) -> bytes:
        return await self._response.content.readany()

    def close(self) -> None:
        if self.at_end:
            self._response.release()
        else:
            self._response.close()


class UpstreamAnswer:
    """What a server answers, byte for byte. Close it, whatever happens."""

    def __init__(self, response: HttpAnswer, server: str, model: str | None) -> None:
        self.response = response
        self.server, self.model = server, model
        self._seen = b""
        """Bytes that were looked at, and are still to be read."""

    @property
    def headers(self) -> Mapping[str, str]:
        """By their names in small letters."""
        return self.response.headers

    async def next(self) -> bytes:
        """Some more bytes, empty at the end. Cancelling it loses nothing.

        Raises ConnectionLost where the connection breaks before the end of the body.
        """
        if self._seen:
            seen, self._seen = self._seen, b""
            return seen
        try:
            return await self.response.read()
        except LOST as error:
            raise lost(error, self.server, self.model) from error

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        """All of it as it comes; closes the answer where it is read to its end, or left."""
        whole = False
        try:
            while data := await self.next():
                yield data
            whole = True
        finally:
            await self.close(whole=whole)

    async def peek(self) -> bytes:
        """The first bytes, which `next` gives once more. Raises as `next`."""
        self._seen = self._seen or await self.next()
        return self._seen

    async def body(self) -> bytes:
        """All of it; closes the answer."""
        async with contextlib.aclosing(self.pieces()) as pieces:
            return b"".join([piece async for piece in pieces])

    async def beginning(self, size: int) -> bytes:
        """The first `size` bytes, or what came of them; closes the answer."""
        said = b""
        try:
            with contextlib.suppress(KonsiliumError):  # the status alone says enough
                while len(said) < size and (data := await self.next()):
                    said += data
        finally:
            await self.close(whole=True)
        return said

    async def close(self, *, whole: bool = False) -> None:
        """Keeps the connection where the body was read to its end (`whole` reads what little is left),
        else closes it, and the model stops."""
        if whole and not self.response.at_end:
            with contextlib.suppress(TimeoutError, KonsiliumError):
                async with asyncio.timeout(REST_SECONDS):
                    while await self.next():
                        pass
        self.response.close()


LOOK_SECONDS = 2.5


async def reachable(url: str) -> bool:
    """Whether anything answers there over HTTP, whatever its status, within 2.5 s; the environment's
    proxies are used as for any cloud. No key is sent."""
    transport = Transport(CLOUD, local=False)
    try:
        async with asyncio.timeout(LOOK_SECONDS):
            response = await transport.send("HEAD", URL(url), (("user-agent", "konsilium"),), b"")
            response.close()
    except (*LOST, ValueError):
        return False
    finally:
        await transport.aclose()
    return True
