"""Which time counts against a server."""

import asyncio

import pytest

from app.core.errors import FirstTokenTimeout, SilenceTimeout
from app.providers.deadline import StreamDeadline, Timeouts

SHORT = Timeouts(first_token=0.5, silence=0.05, ending=0.05)


async def test_the_readers_own_slowness_does_not_count() -> None:
    deadline = StreamDeadline(Timeouts(first_token=0.5, silence=0.5), "s", "m")
    deadline.content()
    await deadline.wait(asyncio.sleep(0.01))
    await asyncio.sleep(0.6)
    await deadline.wait(asyncio.sleep(0.01))


async def test_waiting_adds_up_until_content_comes() -> None:
    deadline = StreamDeadline(Timeouts(first_token=0.05), "s", "m")

    async def drip() -> None:
        for _ in range(50):
            await deadline.wait(asyncio.sleep(0.01))

    with pytest.raises(FirstTokenTimeout) as caught:
        await drip()
    assert (caught.value.server, caught.value.model) == ("s", "m")


async def test_content_renews_it_and_silence_after_content_is_silence() -> None:
    deadline = StreamDeadline(SHORT, "s", "m")
    deadline.content()
    with pytest.raises(SilenceTimeout):
        await deadline.wait(asyncio.sleep(5))


async def test_what_waits_is_cancelled_when_the_time_is_up() -> None:
    deadline = StreamDeadline(Timeouts(first_token=0.02), "s", "m")
    waiting = asyncio.get_running_loop().create_future()
    with pytest.raises(FirstTokenTimeout):
        await deadline.wait(waiting)
    assert waiting.cancelled()


async def test_a_cancellation_from_outside_stays_one() -> None:
    deadline = StreamDeadline(Timeouts(first_token=5), "s", "m")
    waiting = asyncio.create_task(deadline.wait(asyncio.sleep(5)))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_each_wait_has_its_own_deadline_whoever_waits() -> None:
    with StreamDeadline(Timeouts(first_token=0.3, silence=0.05), "s", "m") as deadline:
        await asyncio.create_task(deadline.wait(asyncio.sleep(0.1)))
        deadline.content()
        with pytest.raises(SilenceTimeout):
            await asyncio.create_task(deadline.wait(asyncio.sleep(5)))
        deadline.content()
        await deadline.wait(asyncio.sleep(0))


async def test_signs_of_life_before_the_first_content_renew_its_time_up_to_a_limit() -> None:
    deadline = StreamDeadline(Timeouts(first_token=0.1, alive=0.3), "s", "m")
    start = asyncio.get_running_loop().time()

    async def chatter() -> None:
        while True:
            await deadline.wait(asyncio.sleep(0.05))
            deadline.alive()

    with pytest.raises(FirstTokenTimeout):
        await chatter()
    assert asyncio.get_running_loop().time() - start > 0.25


async def test_signs_of_life_after_content_renew_nothing() -> None:
    deadline = StreamDeadline(Timeouts(first_token=5, silence=0.1, alive=5), "s", "m")
    deadline.content()

    async def chatter() -> None:
        while True:
            await deadline.wait(asyncio.sleep(0.03))
            deadline.alive()

    with pytest.raises(SilenceTimeout):
        await chatter()
