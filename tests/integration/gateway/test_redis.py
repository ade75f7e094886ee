import pytest

from app.access.keys import new_key
from app.access.limits import Limits, TokenCount, redis_counters
from app.core.errors import LimitReached
from tests.gateway import admitted
from tests.redis_server import running_redis


async def test_processes_share_limits_through_redis_and_survive_its_end():
    with running_redis() as redis:
        await _count_and_lose(redis)


async def _count_and_lose(redis):
    one, other = Limits(redis_counters(redis.url)), Limits(redis_counters(redis.url))
    key, _ = new_key("ci", "u", rpm=2, tpm=1000)
    await admitted(one, key, 10)
    headers = await admitted(other, key, 10)
    assert headers[b"x-ratelimit-remaining-requests"] == b"0"
    assert headers[b"x-ratelimit-remaining-tokens"] == b"980"
    with pytest.raises(LimitReached):
        await admitted(one, key, 10)
    one.correct(TokenCount(key, 0, 0), 500)
    await one.aclose()
    redis.stop()
    await admitted(other, key, 10)
    one.correct(TokenCount(key, 0, 0), 10)
    await one.aclose()
