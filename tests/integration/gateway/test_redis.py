import subprocess
import time
from collections.abc import Iterator

import pytest

from app.access.keys import new_key
from app.access.limits import Limits, TokenCount, redis_counters
from app.core.errors import LimitReached
from tests.gateway import admitted
from tests.processes import free_port


@pytest.fixture(scope="module")
def redis(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[str, "subprocess.Popen[bytes]"]]:
    port = free_port()
    command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", ""]
    folder = tmp_path_factory.mktemp("redis")
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE)
    assert process.stdout is not None
    until = time.monotonic() + 20
    while b"Ready to accept" not in process.stdout.readline():
        assert time.monotonic() < until
    try:
        yield f"redis://127.0.0.1:{port}", process
    finally:
        process.terminate()
        process.wait()


async def test_processes_share_limits_through_redis_and_survive_its_end(redis):
    url, process = redis
    one, other = Limits(redis_counters(url)), Limits(redis_counters(url))
    key, _ = new_key("ci", "u", rpm=2, tpm=1000)
    await admitted(one, key, 10)
    headers = await admitted(other, key, 10)
    assert headers[b"x-ratelimit-remaining-requests"] == b"0"
    assert headers[b"x-ratelimit-remaining-tokens"] == b"980"
    with pytest.raises(LimitReached):
        await admitted(one, key, 10)
    await one.correct(TokenCount(key, 0, 0), 500)
    process.terminate()
    process.wait()
    await admitted(other, key, 10)
    await one.correct(TokenCount(key, 0, 0), 10)
