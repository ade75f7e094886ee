"""Work in the background is kept, waited for, cancelled, and never fails in silence."""

import asyncio

import pytest

from app.core.concurrency import BackgroundTasks


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
