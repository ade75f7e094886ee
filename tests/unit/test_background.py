"""Work in the background is kept, waited for, cancelled, and never fails in silence."""

import asyncio
import time

import pytest

from app.core.concurrency import TURN_SECONDS, BackgroundTasks, unhurried
from app.core.errors import StorageUnavailable


async def test_a_drain_waits_for_work_that_began_meanwhile() -> None:
    tasks, done = BackgroundTasks(), list[str]()

    async def second() -> None:
        await asyncio.sleep(0)
        done.append("second")

    async def first() -> None:
        done.append("first")
        tasks.start(second())

    tasks.start(first())
    await tasks.drain()
    assert done == ["first", "second"]
    assert len(tasks) == 0


async def test_a_drain_ends_when_its_time_is_over() -> None:
    tasks = BackgroundTasks()
    tasks.start(asyncio.Event().wait())
    await tasks.drain(0.01)
    assert len(tasks) == 1
    await tasks.cancel()
    assert len(tasks) == 0


async def test_a_failure_that_nobody_awaits_is_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    async def broken() -> None:
        raise ValueError("the reason")

    tasks = BackgroundTasks()
    tasks.start(broken())
    await tasks.drain()
    assert "the reason" in caplog.text


async def test_a_second_task_of_a_key_takes_over_from_the_first() -> None:
    tasks = BackgroundTasks()
    first = tasks.start(asyncio.Event().wait(), "page")
    second = tasks.start(asyncio.Event().wait(), "page")
    await asyncio.wait([first])
    assert first.cancelled()
    assert tasks.find("page") is second
    tasks.stop("page")
    await tasks.drain()
    assert tasks.find("page") is None
    tasks.stop("page")  # nothing runs: no error


async def test_an_error_of_ours_is_one_line_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    async def unstored() -> None:
        raise StorageUnavailable("the disk is full")

    tasks = BackgroundTasks()
    tasks.start(unstored())
    await tasks.drain()
    [record] = caplog.records
    assert (record.levelname, record.exc_info) == ("WARNING", None)
    assert "the disk is full" in record.message


async def test_a_long_piece_of_work_lets_others_have_their_turn():
    turns = 0

    async def others():
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    beside = asyncio.create_task(others())
    done = []
    async for item in unhurried(range(3)):
        until = time.perf_counter() + 2 * TURN_SECONDS
        while time.perf_counter() < until:
            pass
        done.append((item, turns))
    beside.cancel()
    assert [item for item, _ in done] == [0, 1, 2]
    assert done[0][1] < done[1][1] < done[2][1]
