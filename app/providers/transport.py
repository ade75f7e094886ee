"""The connections to one server: one aiohttp pool, whoever calls it.

httpx's own transport parses each chunk of a stream in Python: 9 µs a token where aiohttp's C parser,
which also joins what has come together, takes 0.7; and a request takes 0.2 ms where httpx takes 1.
"""

import asyncio
import contextlib
import os
import socket
import ssl
from collections.abc import Iterable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass

import aiohttp
import httpx
from yarl import URL

from app.core.errors import ConnectionLost, KonsiliumError, MalformedAnswer, ServerUnavailable
from app.core.requests import trace
from app.providers.deadline import CLOUD, Timeouts
from app.providers.upstream_errors import error_of_status

STALE_SECONDS = 0.5
"""Within which a connection closed before the request was read shows."""

_NOT_OURS = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")
"""Headers aiohttp would add by itself: the client above has said all there is to say."""
REST_SECONDS = 0.5
"""How long the end of a message is waited for, to keep its connection."""
REFUSAL_BYTES = 65536
"""As much of a refusal is read."""

LOST = (aiohttp.ClientError, asyncio.IncompleteReadError, OSError, TimeoutError)
"""What the pool and the bodies of its answers raise: `lost` tells it in our words."""


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


class AiohttpTransport:
    """Lives as long as its server; makes no retries, follows no redirects, keeps no cookies."""

    def __init__(self, timeouts: Timeouts, *, local: bool, ca_file: str = "") -> None:
        """`local`: a server of this network, which the environment's proxies do not lead to. `ca_file`:
        authorities that are trusted besides the usual ones."""
        self._local = local
        self._ca_file = ca_file
        self._timeout = aiohttp.ClientTimeout(total=None, sock_connect=timeouts.connect)
        self._unused_s = timeouts.unused
        self._session: aiohttp.ClientSession | None = None
        self._ssl: ssl.SSLContext | None = None

    @property
    def session(self) -> aiohttp.ClientSession:
        """The pool itself, made at the first request: it belongs to the running loop."""
        if self._session is None:
            connector = aiohttp.TCPConnector(
                limit=0,  # queues in front of local models are ours, not the pool's
                keepalive_timeout=self._unused_s,
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

    def _tls(self, scheme: str) -> ssl.SSLContext | bool:
        """certifi's authorities, or SSL_CERT_FILE's, as httpx has them."""
        if scheme != "https":
            return True
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
        or what a status of 300 and more means, with `key` kept out of it.
        """
        try:
            known = (*headers.items(), *trace.get().items())
            response = await self.send(method, URL(url), known, body, decompress=True)
        except LOST as error:
            raise lost(error, server, model) from error
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
        """Sends a request, and again where a kept connection turns out to be closed by then.

        Such a request was never read: llama.cpp closes now and then after a stream, just as the next
        call goes out. That shows at once; a server that closes later may have begun to work.
        """
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
                    ssl=self._tls(url.scheme),
                )
            except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError):
                if sent.anew or clock() - start > STALE_SECONDS:
                    raise

    async def aclose(self) -> None:
        """Closes every connection."""
        if self._session is not None:
            await self._session.close()
            self._session = None


def lost(error: Exception, server: str, model: str | None) -> KonsiliumError:
    """The error of ours behind one of `LOST`."""
    detail = f"{type(error).__name__}: {error}".removesuffix(": ")
    if isinstance(error, aiohttp.ClientConnectorError) and error.os_error.errno:
        detail = f"{error.host}:{error.port}: {os.strerror(error.os_error.errno)}"
    match error:
        case (
            aiohttp.ClientConnectorError() | aiohttp.ConnectionTimeoutError() | aiohttp.InvalidURL()
        ):
            return ServerUnavailable(detail, server=server, model=model)
        case aiohttp.ClientResponseError():
            return MalformedAnswer(detail, server=server, model=model)
    return ConnectionLost(detail, server=server, model=model)


class UpstreamAnswer:
    """What a server answers, byte for byte. Close it, whatever happens."""

    def __init__(self, response: aiohttp.ClientResponse, server: str, model: str | None) -> None:
        self._response = response
        self._server, self._model = server, model
        self._seen = b""
        """Bytes that were looked at, and are still to be read."""

    @property
    def headers(self) -> Mapping[str, str]:
        """Their names may be written in any case."""
        return self._response.headers

    async def next(self) -> bytes:
        """Some more bytes, empty at the end. Cancelling it loses nothing.

        Raises ConnectionLost where the connection breaks before the end of the body.
        """
        if self._seen:
            seen, self._seen = self._seen, b""
            return seen
        try:
            return await self._response.content.readany()
        except LOST as error:
            raise lost(error, self._server, self._model) from error

    async def peek(self) -> bytes:
        """The first bytes, which `next` gives once more. Raises as `next`."""
        self._seen = self._seen or await self.next()
        return self._seen

    async def body(self) -> bytes:
        """All of it; closes the answer."""
        whole = False
        try:
            parts = []
            while data := await self.next():
                parts.append(data)
            whole = True
            return b"".join(parts)
        finally:
            await self.close(whole=whole)

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
        content = self._response.content
        if whole and not content.at_eof():
            with contextlib.suppress(TimeoutError, KonsiliumError):
                async with asyncio.timeout(REST_SECONDS):
                    while await self.next():
                        pass
        if content.at_eof():
            self._response.release()
        else:
            self._response.close()


LOOK_SECONDS = 2.5


async def reachable(url: str) -> bool:
    """Whether anything answers there over HTTP, whatever its status, within 2.5 s; the environment's
    proxies are used as for any cloud. No key is sent."""
    transport = AiohttpTransport(CLOUD, local=False)
    try:
        async with asyncio.timeout(LOOK_SECONDS):
            response = await transport.send("HEAD", URL(url), (("user-agent", "konsilium"),), b"")
            response.close()
    except (*LOST, ValueError):
        return False
    finally:
        await transport.aclose()
    return True
