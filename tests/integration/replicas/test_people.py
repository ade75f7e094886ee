"""Who is signed out, disabled or over a limit at one replica is so at all of them."""

import asyncio

import pytest

from tests.integration.access.page import Page
from tests.integration.replicas.pages import LONG, PAID, PASSWORD, PATIENCE, SHORT, half_answered
from tests.processes import run_command
from tests.waiting import until

pytestmark = [pytest.mark.postgres, pytest.mark.slow, pytest.mark.timeout(600)]
ECHO = {"model": SHORT, "messages": [{"role": "user", "content": "hi"}]}


async def administer(house, *arguments, given=""):
    """What `python -m app …` prints."""
    environment = house.one.environment
    done = await asyncio.to_thread(run_command, *arguments, environment=environment, typed=given)
    assert done.code == 0, done.err
    return done.out.strip()


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


async def test_a_project_made_at_one_replica_shows_on_the_pages_of_the_other(house):
    page = await house.visit(house.two)
    http = await house.http(house.one)
    told: list[object] = []
    page.socket.on("window_message", told.append)
    await http.post("/library/save", data={"kind": "projects", "name": "Novel"})
    await until(lambda: {"konsilium_projects": True} in told, within=PATIENCE)


async def test_of_a_user_disabled_at_one_replica_the_others_stop_the_answers(house):
    await administer(house, "users", "add", "bob", given="a long password\na long password\n")
    page = await signed_in(house, house.two, "bob", "a long password")
    await page.connect()
    await half_answered(page, model=LONG)
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


async def test_of_a_keys_budget_no_more_is_let_out_than_once_at_all_doors_together(house):
    secret = await administer(house, "keys", "create", "--name", "poor", "--budget-rub", "1")
    headers = {"authorization": f"Bearer {secret}"}
    question = {"model": PAID, "messages": ECHO["messages"], "stream": True, "max_tokens": 100}

    async def ask(number):
        """Half a rouble each, and no answer is over before all are let in or refused."""
        page = Page([house.one.url, house.two.url, house.workers.url][number % 3])
        page.http.timeout = PATIENCE
        house.closing.push_async_callback(page.close)
        request = page.http.build_request(
            "POST", "/v1/chat/completions", json=question, headers=headers
        )
        answer = await page.http.send(request, stream=True)
        house.closing.push_async_callback(answer.aclose)
        return answer.status_code

    statuses = await asyncio.gather(*(ask(number) for number in range(9)))
    assert statuses.count(200) <= 2  # of those that meet, all may be refused, never too many let in
    while statuses.count(200) < 2:
        statuses.append(await ask(len(statuses)))
    statuses.append(await ask(len(statuses)))
    assert statuses.count(200) == 2
    assert set(statuses) == {200, 429}
