"""The connections to one server: an HTTP transport for httpx and httpx2 over one aiohttp pool.

httpx's own transport parses each chunk of a stream in Python: 9 µs a token where aiohttp's C parser,
which also joins what has come together, takes 0.7. The `ollama` package speaks through httpx and
`openai` through httpx2; both get this transport, and whoever passes bytes through untranslated gets
the pool itself: a server has one, whoever calls it.
"""

import asyncio
import os
import ssl
from collections.abc import AsyncIterator, Iterable
from types import ModuleType, SimpleNamespace
from typing import Any

import aiohttp
import httpx
import httpx2
from yarl import URL

from app.core.errors import ConnectionLost, KonsiliumError, MalformedAnswer, ServerUnavailable
from app.providers.deadline import Timeouts

KEEP_ALIVE_SECONDS = 4.0
"""For an unused connection. Below uvicorn's 5 s, behind which many servers sit: whoever closes first
meets no request."""
STALE_SECONDS = 0.5
"""Within which a connection closed before the request was read shows."""
CLOUD_KEEP_ALIVE_SECONDS = 30.0
"""Clouds keep theirs for a minute and more, and a new one costs a TLS handshake."""

_NOT_OURS = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")
"""Headers aiohttp would add by itself: the client above has said all there is to say."""

LOST = (aiohttp.ClientError, asyncio.IncompleteReadError, OSError, TimeoutError)
"""What the pool and the bodies of its answers raise: `lost` tells it in our words."""


class AiohttpTransport(httpx.AsyncBaseTransport, httpx2.AsyncBaseTransport):
    """Lives as long as its server; makes no retries, follows no redirects, keeps no cookies."""

    def __init__(self, timeouts: Timeouts, *, local: bool) -> None:
        """`local`: a server of this network, which the environment's proxies do not lead to."""
        self._local = local
        self._timeout = aiohttp.ClientTimeout(total=None, sock_connect=timeouts.connect)
        self._session: aiohttp.ClientSession | None = None
        self._ssl: ssl.SSLContext | None = None

    @property
    def session(self) -> aiohttp.ClientSession:
        """The pool itself, made at the first request: it belongs to the running loop."""
        if self._session is None:
            connector = aiohttp.TCPConnector(
                limit=0,  # queues in front of local models are ours, not the pool's
                keepalive_timeout=KEEP_ALIVE_SECONDS if self._local else CLOUD_KEEP_ALIVE_SECONDS,
            )
            self._session = aiohttp.ClientSession(
                connector=connector,
                timeout=self._timeout,
                trust_env=not self._local,
                cookie_jar=aiohttp.DummyCookieJar(),
                skip_auto_headers=_NOT_OURS,
                trace_configs=[_tracing()],
            )
        return self._session

    def _tls(self, scheme: str) -> ssl.SSLContext | bool:
        """certifi's authorities, or SSL_CERT_FILE's, as httpx has them."""
        if scheme != "https":
            return True
        if self._ssl is None:
            self._ssl = httpx.create_ssl_context()
        return self._ssl

    async def handle_async_request(self, request: Any) -> Any:
        """Sends a request of either library and returns its kind of response, the body unread."""
        http: ModuleType = httpx2 if isinstance(request, httpx2.Request) else httpx
        body = await request.aread()
        try:
            response = await self.send(
                request.method,
                URL(str(request.url), encoded=True),
                list(request.headers.multi_items()),
                body,
            )
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            raise _as_their_error(http, error, request) from error
        return http.Response(
            response.status,
            headers=response.raw_headers,
            stream=_Body(http, response, request),
            request=request,
        )

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
            sent = SimpleNamespace(reused=False)
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
                    trace_request_ctx=sent,
                )
            except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError):
                if not sent.reused or clock() - start > STALE_SECONDS:
                    raise

    async def aclose(self) -> None:
        """Closes every connection."""
        if self._session is not None:
            await self._session.close()
            self._session = None


def _tracing() -> aiohttp.TraceConfig:
    """Marks a request's context where it went out on a kept connection."""

    async def reused(_: object, context: SimpleNamespace, __: object) -> None:
        context.trace_request_ctx.reused = True

    tracing = aiohttp.TraceConfig()
    tracing.on_connection_reuseconn.append(reused)
    return tracing


def lost(error: Exception, server: str, model: str) -> KonsiliumError:
    """The error of ours behind one of `LOST`."""
    detail = f"{type(error).__name__}: {error}".removesuffix(": ")
    match error:
        case (
            aiohttp.ClientConnectorError() | aiohttp.ConnectionTimeoutError() | aiohttp.InvalidURL()
        ):
            return ServerUnavailable(detail, server=server, model=model)
        case aiohttp.ClientResponseError():
            return MalformedAnswer(detail, server=server, model=model)
    return ConnectionLost(detail, server=server, model=model)


class _Body(httpx.AsyncByteStream, httpx2.AsyncByteStream):
    """The body as it comes; what has come together is given together."""

    def __init__(self, http: ModuleType, response: aiohttp.ClientResponse, request: Any) -> None:
        self._http, self._response, self._request = http, response, request

    async def __aiter__(self) -> AsyncIterator[bytes]:
        read = self._response.content.readany
        try:
            while piece := await read():
                yield piece
        except (aiohttp.ClientError, OSError, asyncio.IncompleteReadError) as error:
            raise _as_their_error(self._http, error, self._request) from error

    async def aclose(self) -> None:
        """Breaks the connection off where the body is not read to its end."""
        self._response.close()


def _as_their_error(http: ModuleType, error: Exception, request: Any) -> Exception:
    match error:
        case aiohttp.ConnectionTimeoutError() | TimeoutError():
            kind = http.ConnectTimeout
        case aiohttp.InvalidURL() | aiohttp.NonHttpUrlClientError() | ValueError():
            kind = http.UnsupportedProtocol
        case aiohttp.ClientConnectorError() | aiohttp.ClientProxyConnectionError():
            kind = http.ConnectError
        case aiohttp.ServerDisconnectedError() | aiohttp.ClientPayloadError():
            kind = http.RemoteProtocolError
        case aiohttp.ClientResponseError():
            kind = http.RemoteProtocolError
        case _:
            kind = http.ReadError
    failure: Exception = kind(_words(error), request=request)
    return failure


def _words(error: Exception) -> str:
    if isinstance(error, aiohttp.ClientConnectorError) and error.os_error.errno:
        return f"{error.host}:{error.port}: {os.strerror(error.os_error.errno)}"
    return str(error) or type(error).__name__
