"""Our own HTTP client, against servers of raw sockets: however an answer's bytes are cut, and wherever it
breaks, it is whole or an error."""

import asyncio
import contextlib
import gzip
import ssl
import traceback
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from app.core.errors import BadRequest
from app.providers.deadline import LOCAL
from app.providers.http_client import (
    PIECE_BYTES,
    BrokenUnanswered,
    ConnectionBroken,
    HttpClient,
    NotConnected,
    NotHttp,
)
from app.providers.transport import Transport

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
OK = b"HTTP/1.1 200 OK\r\n"
LONG = b"0123456789" * 100_000


pytestmark = pytest.mark.filterwarnings("ignore:Overriding the .event_loop_policy. fixture")


@pytest.fixture(params=["asyncio", "uvloop"], autouse=True)
def event_loop_policy(request: pytest.FixtureRequest) -> asyncio.AbstractEventLoopPolicy:
    """The app runs over uvloop, whose transports are other ones; Windows has none."""
    if request.param == "asyncio":
        return asyncio.DefaultEventLoopPolicy()
    policy: asyncio.AbstractEventLoopPolicy = pytest.importorskip("uvloop").EventLoopPolicy()
    return policy


class House:
    """A server, and how many connections it was asked over."""

    def __init__(self, client: HttpClient) -> None:
        self.client = client
        self.connections = 0
        self.url = ""

    async def get(self, body: bytes = b"", method: str = "GET") -> tuple[int, bytes]:
        answer = await self.client.request(method, self.url, [("accept", "*/*")], body)
        parts = []
        while data := await answer.read():
            parts.append(data)
        assert answer.at_end
        return answer.status, b"".join(parts)


@contextlib.asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[House]:
    client = HttpClient(ssl.create_default_context, connect_s=2.0, unused_s=30.0)
    house = House(client)

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        house.connections += 1
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            await handler(reader, writer)
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    house.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/path?query=1"
    try:
        yield house
    finally:
        client.close()
        server.close()


def saying(raw: bytes, *, split: int = 0, then_close: bool = False) -> Handler:
    """Answers each request with these bytes, in pieces of so many."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.readuntil(b"\r\n\r\n"):
            step = split or len(raw)
            for start in range(0, len(raw), step):
                writer.write(raw[start : start + step])
                await writer.drain()
                if split:
                    await asyncio.sleep(0)
            if then_close:
                return

    return handle


def packed(data: bytes, wbits: int) -> bytes:
    pack = zlib.compressobj(wbits=wbits)
    return pack.compress(data) + pack.flush()


def sized(data: bytes, *headers: bytes) -> bytes:
    lines = b"".join(header + b"\r\n" for header in headers)
    return OK + lines + b"Content-Length: %d\r\n\r\n" % len(data) + data


def chunked(data: bytes, step: int) -> bytes:
    pieces = (data[start : start + step] for start in range(0, len(data), step))
    chunks = b"".join(b"%x;ext=1\r\n%s\r\n" % (len(piece), piece) for piece in pieces)
    return OK + b"Transfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\nx-trailer: 1\r\n\r\n"


WHOLE = {
    "of a length": (sized(b"hello"), b"hello"),
    "of no length": (sized(b""), b""),
    "in chunks": (chunked(b"hello", 2), b"hello"),
    "behind a hint": (b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n" + sized(b"hello"), b"hello"),
    "behind 100": (b"HTTP/1.1 100 Continue\r\n\r\n" + sized(b"hello"), b"hello"),
    "packed by gzip": (sized(gzip.compress(b"hello"), b"Content-Encoding: gzip"), b"hello"),
    "packed in two members": (
        sized(gzip.compress(b"hel") + gzip.compress(b"lo"), b"Content-Encoding: gzip"),
        b"hello",
    ),
    "deflated": (sized(zlib.compress(b"hello"), b"Content-Encoding: deflate"), b"hello"),
    "deflated without a head": (
        sized(packed(b"hello", -15), b"Content-Encoding: deflate"),
        b"hello",
    ),
    "in chunks behind a blank": (
        OK + b"Transfer-Encoding: chunked \r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        b"hello",
    ),
    "with bare line feeds": (b"HTTP/1.1 200 OK\nContent-Length: 5\n\nhello", b"hello"),
}


@pytest.mark.parametrize("split", [0, 1, 2, 3, 7])
@pytest.mark.parametrize("form", WHOLE)
async def test_an_answer_is_whole_however_its_bytes_are_cut(form: str, split: int) -> None:
    raw, text = WHOLE[form]
    async with serving(saying(raw, split=split)) as house:
        for _ in range(3):
            assert await house.get() == (200, text)
        assert house.connections == 1


@pytest.mark.parametrize("raw", [b"HTTP/1.1 204 No Content\r\n\r\n", b"HTTP/1.1 304 Same\r\n\r\n"])
async def test_an_answer_that_has_no_body_ends_with_its_headers(raw: bytes) -> None:
    async with serving(saying(raw)) as house:
        for _ in range(2):
            assert (await house.get())[1] == b""
        assert house.connections == 1


@pytest.mark.parametrize("status", [b"HTTP/1.0 200 OK\r\n", OK, OK + b"Connection: close\r\n"])
async def test_an_answer_of_no_told_length_ends_with_its_connection(status: bytes) -> None:
    async with serving(saying(status + b"\r\nhello", then_close=True)) as house:
        for _ in range(2):
            assert await house.get() == (200, b"hello")
        assert house.connections == 2


@pytest.mark.parametrize(
    "raw",
    [
        sized(b"hello"),
        chunked(b"hello", 3),
        chunked(b"hello", 3).replace(b"chunked", b"chunked \t"),
    ],
)
async def test_an_answer_cut_anywhere_is_an_error(raw: bytes) -> None:
    for cut in range(1, len(raw)):
        async with serving(saying(raw[:cut], then_close=True)) as house:
            with pytest.raises(ConnectionBroken):
                await house.get()


async def test_a_packed_answer_that_is_cut_is_an_error() -> None:
    cut = gzip.compress(b"hello" * 1000)[:-9]
    async with serving(saying(sized(cut, b"Content-Encoding: gzip"))) as house:
        with pytest.raises(ConnectionBroken):
            await house.get()


@pytest.mark.parametrize(
    "raw",
    [
        b"220 smtp.example ESMTP\r\n",
        b"SSH-2.0-OpenSSH\r\n",
        OK + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        OK + b"Content-Length: many\r\n\r\n",
        OK + b"Transfer-Encoding: chunked\r\n\r\nfive\r\nhello\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
        OK + b"x: %s\r\n\r\n" % (b"y" * 70_000),
        OK + b"x: y\r\n" * 30_000,
        b"HTTP/1.1 100 Continue\r\n\r\n" * 5_000,
        OK + b"Transfer-Encoding: chunked\r\n\r\n5;%s\r\nhello\r\n" % (b"e" * 1_000_000),
        OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\n%s\r\n" % (b"x: y\r\n" * 200_000),
        sized(b"\x1f\x8bnothing of the kind", b"Content-Encoding: gzip"),
        sized(b"\x03\x00" * 500_000, b"Content-Encoding: deflate"),
        sized(gzip.compress(b"") * 25_000, b"Content-Encoding: gzip"),
        OK + b"a:\r\n" * 15_000 + b"Content-Length: 0\r\n\r\n",
    ],
)
async def test_what_is_no_http_or_too_much_of_it_is_an_error(raw: bytes) -> None:
    async with serving(saying(raw)) as house:
        with pytest.raises(NotHttp):
            await house.get()


async def test_of_a_header_that_comes_twice_the_first_counts_but_for_lists() -> None:
    twice = [b"Retry-After: 1", b"retry-after: 2", b"Connection: a", b"connection: b"]
    async with serving(saying(sized(b"ok", *twice))) as house:
        answer = await house.client.request("GET", house.url, [])
        assert answer.headers["retry-after"] == "1"
        assert answer.headers["connection"] == "a, b"


async def test_a_small_packed_answer_becomes_large_by_the_piece() -> None:
    body = gzip.compress(b"\0" * 50_000_000)
    async with serving(saying(sized(body, b"Content-Encoding: gzip"))) as house:
        answer = await house.client.request("GET", house.url, [])
        sizes = []
        while data := await answer.read():
            sizes.append(len(data))
        assert sum(sizes) == 50_000_000
        assert max(sizes) <= PIECE_BYTES


async def test_what_follows_an_answer_unasked_is_nobodys_answer() -> None:
    stray = sized(b"first") + sized(b"stray")
    async with serving(saying(stray, then_close=True)) as house:
        assert await house.get() == (200, b"first")
        assert await house.get() == (200, b"first")
        assert house.connections == 2


async def test_an_answer_that_nobody_reads_is_not_kept_in_memory() -> None:
    sent = 0

    async def pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK + b"Content-Length: 100000000\r\n\r\n")
        for _ in range(100):
            writer.write(LONG)
            await writer.drain()
            sent += len(LONG)

    async with serving(pour) as house:
        answer = await house.client.request("GET", house.url, [])
        connection = answer._connection  # noqa: SLF001 - that it reads no more shows nowhere else
        assert connection is not None
        while not (sent and connection._paused):  # noqa: SLF001
            await asyncio.sleep(0.01)
        last = -1
        while sent != last:  # the sockets' buffers are full
            last = sent
            await asyncio.sleep(0.2)
        assert sent < 50_000_000
        size = 0
        while data := await answer.read():
            size += len(data)
        assert size == 100_000_000


async def test_a_large_request_is_whole_and_its_connection_serves_the_next() -> None:
    async def count(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().split(b"content-length: ")[1].split(b"\r")[0])
            body = await reader.readexactly(length)
            writer.write(sized(b"%d" % zlib.crc32(body)))

    async with serving(count) as house:
        for body in (b"", b"x", LONG * 10):
            assert await house.get(body, "POST") == (200, b"%d" % zlib.crc32(body))
        assert house.connections == 1


async def test_a_large_request_that_is_refused_before_it_is_read_brings_the_refusal() -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno")
        await reader.read(-1)

    async with serving(refuse) as house:
        for _ in range(2):
            assert await house.get(LONG * 30, "POST") == (413, b"no")
        assert house.connections == 2


async def test_a_request_that_is_given_up_closes_its_connection_at_once() -> None:
    asked, closed = asyncio.Event(), asyncio.Event()

    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            asked.set()
            writer.write(OK + b"Content-Length: 100\r\n\r\nhello" if house.connections > 1 else b"")
            await reader.read(1)
        finally:
            closed.set()

    async with serving(hang) as house:
        asking = asyncio.ensure_future(house.get())
        await asyncio.wait_for(asked.wait(), 10)
        asking.cancel()
        await asyncio.wait_for(closed.wait(), 10)
        closed.clear()
        answer = await house.client.request("GET", house.url, [])
        assert await answer.read() == b"hello"
        answer.close()
        await asyncio.wait_for(closed.wait(), 10)


async def test_reading_may_be_given_up_and_taken_up_again() -> None:
    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK + b"Content-Length: 5\r\n\r\n")
        await go_on.wait()
        writer.write(b"hello")
        await reader.read(1)

    go_on = asyncio.Event()
    async with serving(slow) as house:
        answer = await house.client.request("GET", house.url, [])
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(answer.read(), 0.05)
        go_on.set()
        assert await answer.read() + await answer.read() == b"hello"


async def test_a_fresh_connection_that_ends_without_a_word_is_not_asked_twice() -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")

    async with serving(hang_up) as house:
        with pytest.raises(BrokenUnanswered):
            await house.get()
        assert house.connections == 1


async def test_fifty_at_once_have_fifty_connections_and_keep_them() -> None:
    together = asyncio.Event()

    async def all_at_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.readuntil(b"\r\n\r\n"):
            if house.connections == 50:
                together.set()
            await together.wait()
            writer.write(sized(b"ok"))

    async with serving(all_at_once) as house:
        for _ in range(3):
            assert await asyncio.gather(*(house.get() for _ in range(50))) == [(200, b"ok")] * 50
        assert house.connections == 50


@pytest.mark.parametrize("url", ["http://", "ftp://127.0.0.1/", "not one", "http://[::1"])
async def test_what_is_no_address_is_said_to_be_none(url: str) -> None:
    client = HttpClient(ssl.create_default_context, connect_s=2.0, unused_s=30.0)
    with pytest.raises(NotConnected):
        await client.request("GET", url, [])


@pytest.mark.parametrize(
    "url",
    [
        "https://user:s3cret@host:99999/v1",
        "https://host:99999/v1?key=s3cret",
        "ftp://user:s3cret@host/?key=s3cret",
        "http://user:s3cret\u2100@host/",
    ],
)
async def test_what_an_address_holds_is_not_told_where_it_is_none(url: str) -> None:
    client = HttpClient(ssl.create_default_context, connect_s=2.0, unused_s=30.0)
    with pytest.raises(NotConnected) as told:
        await client.request("GET", url, [])
    assert "s3cret" not in "".join(traceback.format_exception(told.value))


async def test_a_name_that_stands_for_nothing_is_no_connection() -> None:
    client = HttpClient(ssl.create_default_context, connect_s=5.0, unused_s=30.0)
    for _ in range(2):
        with pytest.raises(NotConnected):
            await client.request("GET", "http://nowhere.invalid/", [])


@pytest.mark.parametrize("value", ["a\r\nb: c", "a\nb", "a\0"])
async def test_a_header_that_would_be_another_one_is_not_sent(value: str) -> None:
    async with serving(saying(sized(b"ok"))) as house:
        with pytest.raises(ValueError, match="line break"):
            await house.client.request("GET", house.url, [("x", value)])
        transport = Transport(LOCAL, local=True)
        with pytest.raises(BadRequest, match="line break"):
            await transport.open("GET", house.url, {"x": value}, server="sim")
        await transport.aclose()
        assert house.connections == 0


def _same(context: ssl.SSLContext) -> ssl.SSLContext:
    return context


def certificate(folder: Path) -> Path:
    """One of `localhost`, signed by itself, and its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    file = folder / "localhost.pem"
    file.write_bytes(secret + made.public_bytes(serialization.Encoding.PEM))
    return file


async def test_a_certificate_of_nobody_is_no_connection(tmp_path: Path) -> None:
    chain = certificate(tmp_path)
    served = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    served.load_cert_chain(chain)
    server = await asyncio.start_server(
        lambda reader, writer: saying(sized(b"ok"))(reader, writer), "127.0.0.1", 0, ssl=served
    )
    url = f"https://localhost:{server.sockets[0].getsockname()[1]}/"
    for trusted in (False, True):
        context = ssl.create_default_context(cafile=str(chain) if trusted else None)
        client = HttpClient(partial(_same, context), connect_s=5.0, unused_s=30.0)
        if trusted:
            answer = await client.request("GET", url, [])
            assert await answer.read() == b"ok"
        else:
            with pytest.raises(NotConnected, match="certificate"):
                await client.request("GET", url, [])
        client.close()
    server.close()
