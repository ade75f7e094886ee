"""What the joining of small pieces does when either side breaks off."""

import asyncio
import contextlib
import gc
from collections.abc import AsyncGenerator

import pytest

from app.gateway.batches import batched


async def pieces(said: list[bytes], error: Exception) -> AsyncGenerator[bytes, None]:
    for piece in said:
        yield piece
    raise error


async def test_an_error_comes_after_all_that_was_said_before_it():
    heard: list[bytes] = []

    async def listen() -> None:
        async for block in batched(pieces([b"a", b"b", b"c"], ConnectionError())):
            heard.append(block)  # noqa: PERF401 - what came before the error counts

    with pytest.raises(ConnectionError):
        await listen()
    assert b"".join(heard) == b"abc"


async def test_an_error_behind_a_reader_that_left_is_nobodys_unretrieved_one():
    complaints: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    async with contextlib.aclosing(batched(pieces([b"a"], ConnectionError()))) as blocks:
        assert await anext(blocks) == b"a"
    gc.collect()
    await asyncio.sleep(0)
    assert complaints == []
