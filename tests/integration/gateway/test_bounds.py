"""Bodies and connections of people who mean harm, against a real server."""

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator
from typing import Any
from urllib.parse import urlsplit

import engineio
import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.types import Message

from app.core.errors import SettingsInvalid
from app.core.reading import is_deeper
from app.gateway.bodies import LINGER_BYTES, BodyBounds, check_structure
from app.gateway.errors import InvalidField
from app.gateway.protocol import BoundedHttpProtocol, Peers
from tests.gateway import served
from tests.waiting import until

KILOBYTE = 1024


async def _size(request: Request) -> JSONResponse:
    return JSONResponse({"size": len(await request.body())})


@contextlib.asynccontextmanager
async def bounded(
    idle_s: float = 5.0,
    http: type[asyncio.Protocol] = BoundedHttpProtocol,
    linger_bytes: int = LINGER_BYTES,
) -> AsyncGenerator[str, None]:
    app = Starlette(routes=[Route("/{path:path}", _size, methods=["GET", "POST", "PUT"])])
    bounds = BodyBounds(
        app,
        lambda path: 64 * KILOBYTE if path == "/large" else KILOBYTE,
        idle_s=idle_s,
        linger_bytes=linger_bytes,
    )
    async with served(bounds, http=http) as url:
        yield url


async def _connect(url: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    parts = urlsplit(url)
    return await asyncio.open_connection(parts.hostname, parts.port)


async def _chunks(count: int, size: int = KILOBYTE) -> AsyncGenerator[bytes, None]:
    for _ in range(count):
        yield b"x" * size


@pytest.mark.parametrize("method", ["POST", "PUT"])
async def test_a_body_over_the_bound_of_its_route_is_refused_whatever_its_coding(
    method: str,
) -> None:
    async with bounded() as url, httpx.AsyncClient(base_url=url) as client:
        whole = await client.request(method, "/small", content=b"x" * (KILOBYTE + 1))
        chunked = await client.request(method, "/small", content=_chunks(64))
        assert (whole.status_code, chunked.status_code) == (413, 413)
        assert chunked.json()["error"]["code"] == "request_too_large"
        fits = await client.request(method, "/large", content=_chunks(64))
        assert fits.json() == {"size": 64 * KILOBYTE}
        assert (await client.get("/small")).json() == {"size": 0}


@pytest.mark.parametrize("coding", ["its length", "chunks"])
async def test_who_sends_all_before_reading_is_told_that_it_was_too_much(coding: str) -> None:
    body = b"x" * (40 * KILOBYTE * KILOBYTE)
    head = b"POST /small HTTP/1.1\r\nHost: x\r\n"
    length = b"Content-Length: %d\r\n\r\n" % len(body)
    chunks = b"Transfer-Encoding: chunked\r\n\r\n%x\r\n" % len(body)
    async with bounded() as url:
        reader, writer = await _connect(url)
        writer.write(head + (length if coding == "its length" else chunks) + body)
        await writer.drain()
        writer.write(b"" if coding == "its length" else b"\r\n0\r\n\r\n")
        await writer.drain()
        async with asyncio.timeout(10):
            assert b" 413 " in await reader.read()
        writer.close()


async def test_a_page_that_leaves_before_its_request_is_heard_is_no_fault() -> None:
    """engine.io 4 takes it for a request without a method."""
    bounds = BodyBounds(engineio.ASGIApp(engineio.AsyncServer(async_mode="asgi")), lambda path: 9)
    heard: list[Message] = []

    async def left() -> Message:
        return {"type": "http.disconnect"}

    async def hear(message: Message) -> None:
        heard.append(message)

    query = b"EIO=4&transport=polling"
    scope = {"type": "http", "path": "/engine.io/", "query_string": query, "headers": []}
    await bounds({**scope, "method": "GET"}, left, hear)
    assert heard == []


async def test_an_endless_body_is_cut_off_at_the_bound_and_not_read_to_its_end() -> None:
    async with bounded(linger_bytes=8 * KILOBYTE * KILOBYTE) as url:
        reader, writer = await _connect(url)
        writer.write(b"POST /small HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        answer = asyncio.create_task(reader.read())
        sent = 0
        with contextlib.suppress(ConnectionError):
            while not answer.done() and sent < 64 * KILOBYTE * KILOBYTE:
                writer.write(b"400\r\n" + b"x" * KILOBYTE + b"\r\n")
                await writer.drain()
                sent += KILOBYTE
        assert sent < 32 * KILOBYTE * KILOBYTE
        with contextlib.suppress(ConnectionError):
            assert b" 413 " in await answer
        writer.close()


async def test_a_body_that_stops_coming_is_answered_with_408() -> None:
    async with bounded(idle_s=0.05) as url:
        reader, writer = await _connect(url)
        writer.write(b"POST /small HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nxx")
        async with asyncio.timeout(5):
            assert b" 408 " in await reader.read()
        writer.close()


class Hasty(BoundedHttpProtocol):
    header_seconds = 0.05


async def test_a_connection_that_never_says_what_it_wants_is_closed() -> None:
    async with bounded(http=Hasty) as url, httpx.AsyncClient(base_url=url) as client:
        silent = await _connect(url)
        half = await _connect(url)
        half[1].write(b"GET /small HTTP/1.1\r\nHost:")
        await half[1].drain()
        async with asyncio.timeout(5):
            for reader, writer in (silent, half):
                with contextlib.suppress(ConnectionResetError):
                    assert await reader.read() == b""
                writer.close()
        assert (await client.get("/small")).status_code == 200


async def _answer_to(url: str, *pieces: bytes) -> bytes:
    """What a connection is answered that sends these and reads then; empty where it is cut."""
    reader, writer = await _connect(url)
    try:
        async with asyncio.timeout(10):
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
            return await reader.read(64)
    except ConnectionError:
        return b""
    finally:
        writer.close()


HEAD = b"GET /small HTTP/1.1\r\nHost: x\r\n"
BEHIND = b"POST /small HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n"
LONG = [b"x" * (32 * KILOBYTE)] * 400


@pytest.mark.parametrize(
    "pieces",
    [
        (HEAD, b"X-Long: ", *LONG),
        (HEAD, b"x", *LONG),
        (HEAD, *[b"X-A: 1\r\nX-B: 2\r\n" * 1000] * 400),
        (b"GET /", *LONG),
        (*LONG,),
        (BEHIND, b"0\r\nX-Long: ", *LONG),
        (BEHIND, b"0\r\n", *[b"X-A: 1\r\nX-B: 2\r\n" * 1000] * 400),
        (BEHIND, b"1;", *LONG),
    ],
    ids=["a value", "a name", "many", "an address", "a method", "a trailer", "trailers", "a chunk's word"],
)  # fmt: skip
async def test_headers_are_cut_off_at_their_bound(pieces: tuple[bytes, ...]) -> None:
    async with bounded() as url:
        answer = await _answer_to(url, *pieces)
        assert answer == b"" or answer.split()[1] in (b"431", b"400", b"408")
        fits = HEAD + b"X-Long: " + b"x" * (32 * KILOBYTE) + b"\r\n\r\n"
        assert b" 200 " in await _answer_to(
            url, *(fits[n : n + 999] for n in range(0, len(fits), 999))
        )


class Brief(BoundedHttpProtocol):
    stalled_seconds = 1.0


async def test_who_reads_nothing_of_an_answer_is_dropped_and_who_reads_slowly_is_not() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(24):
            body = b"x" * (KILOBYTE * KILOBYTE)
            await send({"type": "http.response.body", "body": body, "more_body": True})
        await send({"type": "http.response.body"})
        ended.append(scope["path"])

    ended: list[str] = []
    async with served(app, http=Brief) as url:
        reader, writer = await _connect(url)
        writer.write(b"GET /slow HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        _, stalled = await _connect(url)
        stalled.write(b"GET /never HTTP/1.1\r\nHost: x\r\n\r\n")
        size = 0
        while piece := await reader.read(4 * KILOBYTE * KILOBYTE):
            size += len(piece)
            await asyncio.sleep(0.01)
        assert size > 24 * KILOBYTE * KILOBYTE
        await until(lambda: set(ended) == {"/slow", "/never"}, within=20)  # the one was cut
        writer.close()
        stalled.close()


def _nested(depth: int) -> Any:
    value: Any = 1
    for number in range(depth):
        value = [value] if number % 2 else {"a": value}
    return value


def test_depth_is_counted_exactly() -> None:
    assert not is_deeper(_nested(64), 64)
    assert is_deeper(_nested(65), 64)
    assert not is_deeper("text", 0)
    assert is_deeper([], 0)


@pytest.mark.parametrize(
    "body",
    [
        b'{"a":[' + b"[]," * 60_000 + b"[]]}",
        b'{"a":[' + b"{}," * 60_000 + b"{}]}",
        b'{"a":[' + b"1," * 600_000 + b"1]}",
        b"{" + b",".join(b'"%d":1' % n for n in range(160_000)) + b"}",
        b"[" * 5_000_000,
    ],
    ids=["arrays", "objects", "numbers", "names", "unclosed"],
)
def test_json_of_too_many_values_is_refused_before_it_is_read(body: bytes) -> None:
    with pytest.raises(InvalidField):
        check_structure(body)


def test_text_full_of_brackets_and_commas_is_text() -> None:
    code = 'f(a, [1, 2], {"k": "\\\\"}); // "quoted\\"' * 40_000
    check_structure(json.dumps({"messages": [{"role": "user", "content": code}]}).encode())


class FromProxies(BoundedHttpProtocol):
    of_proxies = b"x-user"


class FromElsewhere(FromProxies):
    proxies = Peers("10.0.0.1, 192.168.0.0/16")


@pytest.mark.parametrize(("http", "named"), [(FromProxies, b"ann"), (FromElsewhere, None)])
async def test_only_a_known_proxy_names_the_user(
    http: Any, named: bytes | None, caplog: pytest.LogCaptureFixture
) -> None:
    heard: list[dict[bytes, bytes]] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        heard.append(dict(scope["headers"]))
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})

    async with served(app, http=http) as url, httpx.AsyncClient() as client:
        headers = {"X-User": "ann", "X-Forwarded-For": "10.0.0.1", "X-Other": "kept"}
        await client.get(url, headers=headers)
    assert heard[0].get(b"x-user") == named
    assert heard[0][b"x-other"] == b"kept"
    assert ("TRUSTED_PROXIES" in caplog.text) is (named is None)


@pytest.mark.parametrize(
    ("listed", "host", "known"),
    [
        ("127.0.0.1", "127.0.0.1", True), ("127.0.0.1", "10.0.0.1", False), ("10.0.0.0/8", "10.9.9.9", True),
        ("10.0.0.0/8", "::ffff:10.9.9.9", True), ("*", "8.8.8.8", True), ("", "127.0.0.1", False),
        ("fd00::/8", "fd00::1", True), ("127.0.0.1", "", False), ("127.0.0.1", None, False), ("127.0.0.1", "localhost", False),
    ],
)  # fmt: skip
def test_a_proxy_is_known_by_its_address(listed: str, host: str | None, known: bool) -> None:
    assert (host in Peers(listed)) is known


def test_a_list_of_proxies_that_is_none_is_refused() -> None:
    with pytest.raises(SettingsInvalid, match="TRUSTED_PROXIES"):
        Peers("10.0.0.O")
