"""Questions that come all at once are begun in order, and nobody holds up the others for long."""

import asyncio
from functools import partial

from app.view.start_limiter import StartLimiter, begun


async def test_the_next_begins_when_the_one_before_has_asked_its_model():
    arrivals, log = StartLimiter(max_concurrent=1, patience_seconds=60), []
    answered = asyncio.Event()

    async def question(number):
        log.append(f"begins {number}")
        await asyncio.sleep(0)
        log.append(f"asked {number}")
        begun()
        await answered.wait()

    asking = [asyncio.create_task(arrivals.begin(partial(question, n))) for n in range(3)]
    while len(log) < 6:
        await asyncio.sleep(0)
    assert log == ["begins 0", "asked 0", "begins 1", "asked 1", "begins 2", "asked 2"]
    answered.set()
    await asyncio.gather(*asking)


async def test_one_that_is_slow_to_ask_loses_its_place_after_a_moment():
    arrivals, slow = StartLimiter(max_concurrent=1, patience_seconds=0.02), asyncio.Event()
    first = asyncio.create_task(arrivals.begin(slow.wait))
    async with asyncio.timeout(5):
        await arrivals.begin(partial(asyncio.sleep, 0))
    assert not first.done()
    slow.set()
    await first


async def test_one_that_fails_or_is_cancelled_leaves_its_place():
    arrivals = StartLimiter(max_concurrent=1, patience_seconds=60)

    async def failing():
        raise ValueError("no")

    outcomes = await asyncio.gather(arrivals.begin(failing), return_exceptions=True)
    assert isinstance(outcomes[0], ValueError)
    stuck = asyncio.create_task(arrivals.begin(partial(asyncio.sleep, 60)))
    await asyncio.sleep(0)
    stuck.cancel()
    async with asyncio.timeout(5):
        await arrivals.begin(partial(asyncio.sleep, 0))


def test_what_was_not_asked_in_a_row_leaves_nothing():
    begun()
