"""Who is signed out, disabled or over a limit at one replica is so at all of them."""

import asyncio
import subprocess
import sys

import pytest

from tests.integration.access.page import Page
from tests.integration.replicas.pages import LONG, PASSWORD, PATIENCE, SHORT, half_answered
from tests.waiting import until

pytestmark = [pytest.mark.postgres, pytest.mark.slow, pytest.mark.timeout(600)]
ECHO = {"model": SHORT, "messages": [{"role": "user", "content": "hi"}]}


async def administer(house, *arguments, given=None):
    """What `python -m app …` prints."""

    def run():
        return subprocess.run(
            [sys.executable, "-m", "app", *arguments],
            env=house.one.environment,
            input=given,
            capture_output=True,
            check=True,
        )

    return (await asyncio.to_thread(run)).stdout.decode().strip()


async def signed_in(house, replica, name, password):
    page = Page(replica.url)
    page.http.timeout = PATIENCE
    house.closing.push_async_callback(page.close)
    assert await page.sign_in(name, password) == 200
    return page


async def test_a_sign_in_holds_at_all_replicas_and_a_sign_out_too(house):
    here = await signed_in(house, house.one, "admin", PASSWORD)
    there = Page(house.two.url)
    house.closing.push_async_callback(there.close)
    there.http.cookies.update(dict(here.http.cookies))
    assert (await there.http.get("/user")).status_code == 200
    await there.connect()
    await here.http.post("/logout")

    async def dead():
        return (await there.http.get("/user")).status_code == 401

    await until(dead, within=PATIENCE)
    await asyncio.wait_for(there.closed.wait(), PATIENCE)  # its open page is closed, too


async def test_of_a_user_disabled_at_one_replica_the_others_stop_the_answers(house):
    await administer(house, "users", "add", "bob", given=b"a long password\na long password\n")
    page = await signed_in(house, house.two, "bob", "a long password")
    await page.connect()
    await page.socket.emit("chat_settings_change", {"model": LONG})
    await half_answered(page)
    await administer(house, "users", "disable", "bob")
    await asyncio.wait_for(page.closed.wait(), PATIENCE)

    async def let_in():
        return (await page.http.get("/user")).status_code

    assert await let_in() == 401

    async def over():
        metrics = (await page.http.get("/metrics")).text
        return "konsilium_turns_running 0.0" in metrics

    await until(over, within=PATIENCE)


async def test_a_keys_limit_is_counted_over_replicas_and_workers_and_its_end_is_known_to_all(house):
    create = ("keys", "create", "--name", "limited", "--rpm", "6")
    secret = await administer(house, *create)
    doors = [house.one.url, house.two.url, house.workers.url]

    async def ask(number):
        page = Page(doors[number % 3])
        page.http.timeout = PATIENCE
        house.closing.push_async_callback(page.close)
        headers = {"authorization": f"Bearer {secret}"}
        return (
            await page.http.post("/v1/chat/completions", json=ECHO, headers=headers)
        ).status_code

    started = asyncio.get_running_loop().time()
    statuses = [await ask(number) for number in range(18)]
    later = (asyncio.get_running_loop().time() - started) / 10  # one more every ten seconds
    assert 6 <= statuses.count(200) <= 7 + later
    assert set(statuses) == {200, 429}
    await administer(house, "keys", "revoke", "limited")

    async def refused():
        return [await ask(number) for number in range(6)] == [401] * 6

    await until(refused, within=PATIENCE)
