"""Which time counts against a server."""

import asyncio

import pytest

from app.core.errors import FirstTokenTimeout, SilenceTimeout
from app.providers.patience import Patience, Timeouts

SHORT = Timeouts(first_token=0.5, silence=0.05, ending=0.05)


async def test_the_readers_own_slowness_does_not_count() -> None:
    patience = Patience(Timeouts(first_token=0.5, silence=0.5), "s", "m")
    patience.content()
    await patience.wait(asyncio.sleep(0.01))
    await asyncio.sleep(0.6)
    await patience.wait(asyncio.sleep(0.01))


async def test_waiting_adds_up_until_content_comes() -> None:
    patience = Patience(Timeouts(first_token=0.05), "s", "m")

    async def drip() -> None:
        for _ in range(50):
            await patience.wait(asyncio.sleep(0.01))

    with pytest.raises(FirstTokenTimeout) as caught:
        await drip()
    assert (caught.value.server, caught.value.model) == ("s", "m")


async def test_content_renews_it_and_silence_after_content_is_silence() -> None:
    patience = Patience(SHORT, "s", "m")
    patience.content()
    with pytest.raises(SilenceTimeout):
        await patience.wait(asyncio.sleep(5))


async def test_what_waits_is_cancelled_when_the_time_is_up() -> None:
    patience = Patience(Timeouts(first_token=0.02), "s", "m")
    waiting = asyncio.get_running_loop().create_future()
    with pytest.raises(FirstTokenTimeout):
        await patience.wait(waiting)
    assert waiting.cancelled()


async def test_a_cancellation_from_outside_stays_one() -> None:
    patience = Patience(Timeouts(first_token=5), "s", "m")
    waiting = asyncio.create_task(patience.wait(asyncio.sleep(5)))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_each_wait_has_its_own_deadline_whoever_waits() -> None:
    with Patience(Timeouts(first_token=0.3, silence=0.05), "s", "m") as patience:
        await asyncio.create_task(patience.wait(asyncio.sleep(0.1)))
        patience.content()
        with pytest.raises(SilenceTimeout):
            await asyncio.create_task(patience.wait(asyncio.sleep(5)))
        patience.content()
        await patience.wait(asyncio.sleep(0))
