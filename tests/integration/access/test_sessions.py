"""A sign-in ends when it should: at signing out, with a new password, and not when a clock is set back."""

import time

import jwt

from app.access.people import People
from app.access.sessions import SCOPE, Sessions
from app.view.chainlit.auth import Tokens
from tests.integration.access.test_header import SECRET


async def enter(browser, password="ann's password"):  # noqa: S107  # of this test's house
    signed = await browser.post("/login", data={"username": "ann", "password": password})
    assert signed.status_code == 200
    return signed.cookies["access_token"]


async def opens(house, token):
    async with house.visit() as browser:
        browser.cookies.set("access_token", token)
        by_cookie = (await browser.get("/user")).status_code
    async with house.visit() as browser:
        by_header = await browser.get("/user", headers={"Authorization": f"Bearer {token}"})
    assert by_cookie == by_header.status_code
    return by_cookie == 200


async def test_a_token_that_was_signed_out_opens_nothing_any_more(house, ann):
    async with house.visit() as browser, house.visit() as another:
        token, other = await enter(browser), await enter(another)
        assert await opens(house, token)
        assert (await browser.post("/logout")).status_code == 200
        assert not await opens(house, token)
        assert await opens(house, other)


async def test_another_replica_knows_it_at_once_and_so_does_the_api(house, ann):
    async with house.visit() as browser:
        token = await enter(browser)
        replica = Tokens(People(house.storage.users), Sessions(house.storage.key_values))
        assert await replica.signed_in({"access_token": token}) == "ann"
        await browser.post("/logout")
        assert await replica.signed_in({"access_token": token}) is None


async def test_a_new_password_ends_every_sign_in_with_the_former(house, ann):
    async with house.visit() as browser, house.visit() as later:
        token = await enter(browser)
        await house.people.add("ann", "another long one")
        assert not await opens(house, token)
        assert await opens(house, await enter(later, "another long one"))


async def test_what_has_run_out_is_not_remembered_for_ever(house):
    sessions = Sessions(house.storage.key_values)
    await sessions.end("old", time.time() - 1)
    await sessions.end("new", time.time() + 60)
    assert len(await house.storage.key_values.items(SCOPE)) == 1
    assert await sessions.ended("new")


async def test_a_clock_that_is_set_back_signs_nobody_out(house, ann):
    async with house.visit() as browser:
        token = await enter(browser)
    assert "iat" not in jwt.decode(token, SECRET, ["HS256"])
    of_the_future = jwt.decode(token, SECRET, ["HS256"]) | {"iat": time.time() + 3600}
    tokens = Tokens(house.people, Sessions(house.storage.key_values))
    given_by_us = {"access_token": jwt.encode(of_the_future, SECRET, "HS256")}
    assert await tokens.signed_in(given_by_us) == "ann"
