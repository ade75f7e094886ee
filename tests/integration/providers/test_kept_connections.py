"""A kept connection that the server closes just as the next request goes out costs nobody an answer."""

import asyncio

import pytest

from app.core.errors import ConnectionLost
from app.providers.deadline import LOCAL
from app.providers.transport import Transport

ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nkeep-alive: timeout=5\r\n\r\nok"


async def requests_to(handle, count):
    """The answers to `count` requests, one after another, of a server of raw sockets."""
    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    pool = Transport(LOCAL, local=True, stale_s=30.0)
    try:
        answers = []
        for n in range(count):
            answer = await pool.open("POST", url, {}, b'{"n": %d}' % n, server="sim")
            answers.append(await answer.body())
        return answers
    finally:
        await pool.aclose()
        server.close()


async def test_a_connection_closed_after_its_first_answer_is_not_an_error() -> None:
    connections = 0

    async def answer_once(reader, writer):
        nonlocal connections
        connections += 1
        await reader.readuntil(b"}")
        writer.write(ANSWER)
        await reader.read(1)  # the next request has begun to come
        writer.close()

    assert await requests_to(answer_once, 3) == [b"ok"] * 3
    assert connections == 3


async def test_a_fresh_connection_closed_without_a_word_is_one() -> None:
    connections = 0

    async def hang_up(reader, writer):
        nonlocal connections
        connections += 1
        await reader.readuntil(b"}")
        writer.close()

    with pytest.raises(ConnectionLost):
        await requests_to(hang_up, 1)
    assert connections == 1
