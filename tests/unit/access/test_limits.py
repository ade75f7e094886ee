"""What a key has used of its limits, counted where all processes of the machine count."""

import asyncio
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from app.access.keys import new_key
from app.access.limits import Limits, TokenCount
from app.core.errors import LimitReached
from app.storage.counters import Counters
from tests.gateway import admitted
from tests.waiting import until

MINUTE = 1_800_000_000.0
"""When a window begins."""


def at_once() -> float:
    return MINUTE


def counting_in(folder: Path, clock: Callable[[], float] = at_once) -> Limits:
    """Limits as one process has them."""
    return Limits(Counters(folder / "limits.db", clock))


async def test_requests_a_minute_are_counted_and_the_next_is_told_when(tmp_path):
    limits = counting_in(tmp_path)
    key, _ = new_key("ci", "u", rpm=2)
    headers = await admitted(limits, key, 1)
    assert headers[b"x-ratelimit-limit-requests"] == b"2"
    assert headers[b"x-ratelimit-remaining-requests"] == b"1"
    await admitted(limits, key, 1)
    with pytest.raises(LimitReached) as refused:
        await admitted(limits, key, 1)
    assert refused.value.retry_after is not None
    assert 1 <= refused.value.retry_after <= 120


async def test_tokens_of_the_answer_count_too_even_over_the_limit(tmp_path):
    limits = counting_in(tmp_path)
    key, _ = new_key("ci", "u", tpm=100)
    await admitted(limits, key, 10)
    limits.correct(TokenCount(key, 0, 0), 500)
    with pytest.raises(LimitReached, match="tokens"):
        await admitted(limits, key, 1)


async def test_what_an_answer_took_beyond_its_estimate_is_soon_known_to_other_processes(tmp_path):
    one, other = counting_in(tmp_path), counting_in(tmp_path)
    key, _ = new_key("ci", "u", tpm=100)
    one.correct(TokenCount(key, 0, 0), 500)

    async def refused():
        try:
            await admitted(other, key, 1)
        except LimitReached:
            return True

    await until(refused)


async def test_a_request_larger_than_the_whole_limit_is_refused(tmp_path):
    key, _ = new_key("ci", "u", tpm=100)
    with pytest.raises(LimitReached):
        await admitted(counting_in(tmp_path), key, 101)


async def test_processes_count_together(tmp_path):
    one, other = counting_in(tmp_path), counting_in(tmp_path)
    key, _ = new_key("ci", "u", rpm=2, tpm=1000)
    await admitted(one, key, 10)
    headers = await admitted(other, key, 10)
    assert headers[b"x-ratelimit-remaining-requests"] == b"0"
    assert headers[b"x-ratelimit-remaining-tokens"] == b"980"
    with pytest.raises(LimitReached):
        await admitted(one, key, 10)


async def test_what_was_counted_in_the_last_moment_is_counted_at_the_end(tmp_path):
    one, other = counting_in(tmp_path), counting_in(tmp_path)
    key, _ = new_key("ci", "u", rpm=1000)
    for _ in range(3):
        await admitted(one, key, 1)
    await one.aclose()
    headers = await admitted(other, key, 1)
    assert headers[b"x-ratelimit-remaining-requests"] == b"996"


async def test_a_minute_slides_and_is_forgotten(tmp_path):
    passed = [0.0]
    counters = Counters(tmp_path / "limits.db", lambda: MINUTE + passed[0])
    limits = Limits(counters)
    key, _ = new_key("ci", "u", rpm=10)
    for _ in range(10):
        await admitted(limits, key, 1)
    passed[0] = 60.0
    with pytest.raises(LimitReached):
        await admitted(limits, key, 1)
    passed[0] = 90.0  # half of the last minute still counts
    for _ in range(5):
        await admitted(limits, key, 1)
    with pytest.raises(LimitReached):
        await admitted(limits, key, 1)
    passed[0] = 240.0
    headers = await admitted(limits, key, 1)
    assert headers[b"x-ratelimit-remaining-requests"] == b"9"
    assert await counters.reset() == 1, "what is over was swept out"


async def test_requests_far_from_a_limit_are_written_together(tmp_path):
    one, two = counting_in(tmp_path), counting_in(tmp_path)
    key, _ = new_key("ci", "u", rpm=10_000)
    told = [(await admitted(one, key, 1))[b"x-ratelimit-remaining-requests"] for _ in range(5)]
    assert told == [b"9999", b"9998", b"9997", b"9996", b"9995"]
    headers = await admitted(two, key, 1)
    assert headers[b"x-ratelimit-remaining-requests"] == b"9998", "one of them is written"
    with closing(sqlite3.connect(tmp_path / "limits.db")) as file:
        counted = "SELECT sum(count) FROM counters"
        await until(lambda: file.execute(counted).fetchone() == (6,))


async def test_processes_that_count_ahead_stay_within_a_limit_together(tmp_path):
    processes = [counting_in(tmp_path) for _ in range(8)]
    key, _ = new_key("ci", "u", rpm=2_000)
    let_in = refused = 0
    while refused < len(processes):
        refused = 0
        for limits in processes:
            try:
                await admitted(limits, key, 1)
                let_in += 1
            except LimitReached:
                refused += 1
    assert let_in == 2_000


async def test_a_file_torn_by_a_power_cut_is_made_anew(tmp_path):
    (tmp_path / "limits.db").write_bytes(b"not a database " * 100)
    key, _ = new_key("ci", "u", rpm=1)
    await admitted(counting_in(tmp_path), key, 1)
    with pytest.raises(LimitReached):
        await admitted(counting_in(tmp_path), key, 1)


async def test_without_a_file_each_process_counts_for_itself(tmp_path):
    (tmp_path / "file").touch()
    limits = counting_in(tmp_path / "file")
    key, _ = new_key("ci", "u", rpm=1, tpm=100)
    await admitted(limits, key, 1)
    limits.correct(TokenCount(key, 0, 0), 10)
    with pytest.raises(LimitReached):
        await admitted(limits, key, 1)


def test_processes_that_open_the_counters_at_once_wait_for_each_other(tmp_path):
    start = threading.Barrier(8)

    def count(_):
        counters = Counters(tmp_path / "limits.db")
        start.wait()
        return asyncio.run(counters.incr("key", 3600))

    with ThreadPoolExecutor(8) as processes:
        assert max(processes.map(count, range(8))) == 8
