"""Behind nginx: replicas end and come back, PostgreSQL too, and no page loses or doubles a word.

Every page here is a browser's: it keeps to its replica by the balancer's cookie, and connects again when
its socket is closed. `make soak` runs the long form, with 20 kills and 200 pages.
"""

import asyncio
import os
import signal
import time

import pytest

from tests.integration.replicas.pages import (
    LONG,
    PATIENCE,
    SHORT,
    WHOLE,
    answer_of,
    drawn,
    ended,
    half_answered,
    stored,
)
from tests.waiting import until

pytestmark = [pytest.mark.postgres, pytest.mark.slow, pytest.mark.timeout(600)]
KILLS = int(os.environ.get("REPLICA_KILLS", "2"))
PAGES = int(os.environ.get("REPLICA_PAGES", "20"))
DEAD_WITHIN_S = 10.0
CROWDED = PATIENCE + 2 * PAGES
"""Seconds that one of so many pages waits where a small machine has all of them."""


async def visit(house, replica, thread=""):
    """A page that the balancer leads to that replica, which for two seconds after its end it does not
    (`fail_timeout`), though it may be back by then."""
    led = house.led_to(replica)
    page = await house.sign_in(house.balancer, led.items())

    async def led_there():
        answered_by = await handshake(page)
        page.http.cookies.clear()
        page.http.cookies.update({**house.signed_in, **led})
        return led.items() <= answered_by.items()

    await until(led_there, within=PATIENCE)
    await page.connect(thread)
    return page


async def back(house, page, thread):
    """The page as it is again once its socket was closed and has found another replica."""
    await asyncio.wait_for(page.closed.wait(), PATIENCE)

    async def connected():
        again = type(page)(page.url)
        again.http.cookies.update(page.http.cookies)
        again.session = page.session
        try:
            await again.connect(thread)
        except Exception:  # noqa: BLE001 - it is not there yet
            await again.close()
            return None
        house.closing.push_async_callback(again.close)
        return again

    return await until(connected, within=PATIENCE)


async def handshake(page):
    """The cookies that a page's socket is given."""
    polling = {"EIO": "4", "transport": "polling"}
    return dict((await page.http.get("/ws/socket.io/", params=polling)).cookies)


async def test_a_replica_that_is_told_to_end_hands_its_pages_over_and_finishes_its_answers(house):
    page = await visit(house, house.one)
    thread = await half_answered(page)
    ending = asyncio.create_task(asyncio.to_thread(house.one.stop, signal.SIGTERM, PATIENCE))
    try:
        again = await back(house, page, thread)
        begun = answer_of(await again.hear("resume_thread"))
        assert begun["output"]
        assert not begun.get("end")
        await again.hear("stream_token", lambda token: token["id"] == begun["id"])
        await ended(again)
        answer = answer_of(await stored(house, thread))
        assert drawn(again, begun["id"]) == answer["output"] == WHOLE
        fresh = await house.visit(house.balancer)  # whoever comes now is led to the other
        await half_answered(fresh)
    finally:
        await ending
        await asyncio.to_thread(house.one.start)


async def test_pages_of_a_killed_replica_find_their_answers_unfinished_at_the_other(house):
    for number in range(KILLS):
        page = await visit(house, house.one)
        thread = await half_answered(page, model=LONG)
        looking = [await visit(house, house.two, thread)] if number % 2 else []
        for watching in looking:
            await watching.hear("resume_thread")
        await asyncio.to_thread(house.one.stop, signal.SIGKILL)
        killed = time.monotonic()
        try:
            again = await back(house, page, thread)
            for each in (*looking, again):
                await each.hear(
                    "resume_thread",
                    lambda shown: any(e["name"] == "ErrorCard" for e in shown["elements"]),
                    timeout=PATIENCE,
                )
            if KILLS > 2:
                assert time.monotonic() - killed < DEAD_WITHIN_S
            await again.socket.emit("chat_settings_change", {"model": SHORT})
            await again.ask("And now?")
            await ended(again, 2)  # the unfinished one is over, too
            moved = await handshake(again)
            assert moved["konsilium_replica"] == "two"
        finally:
            await asyncio.to_thread(house.one.start)  # our own sockets are answered meanwhile
        again.http.cookies.clear()
        again.http.cookies.update({**house.signed_in, **moved})
        # The first replica is back, and the page stays at the second, with all its requests.
        file = await again.upload("notes.txt", b"A text", "text/plain")
        await again.ask("And this?", [file])
        await ended(again, 3)


async def test_postgresql_restarts_in_mid_answer_and_nothing_is_lost(house):
    asking = await visit(house, house.one)
    thread = await half_answered(asking)
    other = await visit(house, house.two, thread)
    begun = answer_of(await other.hear("resume_thread"))
    await asyncio.to_thread(house.postgres.stop)
    try:
        count = len(asking.heard)
        await until(lambda: len(asking.heard) > count + 10, within=PATIENCE)
    finally:
        await asyncio.to_thread(house.postgres.start)
    await ended(asking)
    await ended(other)
    whole = answer_of(await stored(house, thread))["output"]
    assert drawn(other, begun["id"]) == drawn(asking, begun["id"]) == whole == WHOLE


async def test_many_pages_over_both_replicas_lose_and_double_nothing(house):
    """Each thread is asked in at one replica and watched at the other."""
    await house.sign_in(house.balancer)  # for all of them: so many in one moment are throttled
    cookies = [house.led_to(replica) for replica in (house.one, house.two)]

    async def one(number):
        here, there = cookies[number % 2], cookies[(number + 1) % 2]
        asking = await house.visit(house.balancer, "", here.items())
        thread = await half_answered(asking, f"Question {number}?", patience=CROWDED)
        watching = await house.visit(house.balancer, thread, there.items())
        resumed = await watching.hear("resume_thread", timeout=CROWDED)
        assert [s["output"] for s in resumed["steps"] if s["type"] == "user_message"] == [
            f"Question {number}?"
        ]
        await asyncio.gather(*(ended(page, patience=CROWDED) for page in (asking, watching)))
        answer = answer_of(await stored(house, thread))
        shown = [drawn(page, answer["id"]) for page in (asking, watching)]
        for page in (asking, watching):
            await page.close()
        return shown, answer["output"]

    at_once = asyncio.Semaphore(PAGES)

    async def in_turn(number):
        async with at_once:
            return await one(number)

    told = await asyncio.gather(*(in_turn(number) for number in range(PAGES // 2)))
    assert all(shown == [WHOLE, WHOLE] and whole == WHOLE for shown, whole in told)
