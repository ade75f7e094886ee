"""Messages between processes through a real Redis, whatever is in them and whatever becomes of Redis."""

import asyncio
import contextlib

import pytest
import pytest_asyncio
from redis.asyncio import Redis

from app.storage.redis_post import PREFIX, RedisPost
from tests.redis_server import running_redis
from tests.waiting import until


@pytest.fixture(scope="module")
def redis():
    with running_redis() as server:
        yield server


@pytest_asyncio.fixture
async def raw(redis):
    async with Redis.from_url(redis.url, decode_responses=True) as client:
        await client.flushall()
        yield client


class Reader:
    """A process that hears."""

    def __init__(self, redis, id):
        self.post = RedisPost(redis.url, id, look_s=0.1)
        self.heard: list[object] = []
        self.post.on("word", lambda message: self.heard.append(message["text"]))

    def say(self, to, text):
        self.post.send(to, {"kind": "word", "text": text})


@pytest_asyncio.fixture
async def two(redis, raw):
    """Both run."""
    readers = [Reader(redis, name) for name in ("one", "two")]
    running = [asyncio.create_task(reader.post.run()) for reader in readers]
    yield readers
    for task, reader in zip(running, readers, strict=True):
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        await reader.post.aclose()


async def test_half_of_a_surrogate_pair_that_a_page_says_stops_nothing(two):
    one, other = two
    one.say("two", "half \ud800 of a pair")
    one.say("two", "ещё слово")
    await until(lambda: other.heard == ["half ? of a pair", "ещё слово"])
    other.say("one", "and back")
    await until(lambda: one.heard == ["and back"])


@pytest.mark.parametrize("odd", [{"m": "{"}, {"m": "5"}, {"m": "[5, {}]"}, {"x": "y"}])
async def test_what_no_process_of_ours_has_written_is_passed_over(two, raw, odd):
    one, other = two
    await raw.xadd(PREFIX + "two", odd)
    one.say("two", "a word")
    await until(lambda: other.heard == ["a word"])


async def test_a_stream_that_has_expired_is_read_on_though_its_clock_was_set_back(two, raw):
    one, other = two
    first = '[{"kind": "word", "text": "first", "from": "x"}]'
    await raw.xadd(PREFIX + "two", {"m": first}, "9999999999999-0")
    await until(lambda: other.heard == ["first"])
    await raw.delete(PREFIX + "two")

    def read_on():
        one.say("two", "again")
        return "again" in other.heard

    await until(read_on)


async def test_told_to_end_in_the_middle_of_a_write_it_ends(redis, raw):
    for _ in range(5):
        reader = Reader(redis, "one")
        running = asyncio.create_task(reader.post.run())
        reader.say("two", "a word")
        await until(lambda: raw.exists(PREFIX + "two"))
        reader.say("two", "another")
        running.cancel()
        ended, _ = await asyncio.wait([running], timeout=5)
        assert ended
        await reader.post.aclose()
        await raw.delete(PREFIX + "two")
