"""AUTH_MODE=password: users of the database, slow for guessers, closed for the disabled."""

import asyncio

import httpx
import pytest
from starlette.responses import Response

from app.access.origins import Origins
from app.access.passwords import Passwords
from app.access.people import FREE_TRIES_BY_NAME, MAX_WAIT_BY_NAME, People
from app.core.errors import LimitReached, StorageUnavailable
from app.core.turns import now
from app.view.chainlit.auth import Tokens, create_token
from app.view.chainlit.dicts import persisted
from app.view.sign_in import AuthMiddleware
from tests.unit.access.test_passwords import CHEAP
from tests.waiting import until


async def sign_in(browser, name, password, **headers):
    form = {"username": name, "password": password}
    return await browser.post("/login", data=form, headers=headers)


async def test_the_right_password_signs_in(house, ann):
    async with house.visit() as browser:
        assert (await sign_in(browser, "ann", "wrong")).status_code == 401
        assert (await sign_in(browser, "nobody", "wrong")).status_code == 401
        assert (await sign_in(browser, "ann", "ann's password")).status_code == 200
        me = (await browser.get("/user")).json()
        assert (me["identifier"], me["metadata"]["role"]) == ("ann", "user")


async def test_no_page_signs_in_by_itself(house, ann):
    async with house.visit() as browser:
        await browser.get("/", headers={"accept": "text/html"})
        assert (await browser.get("/user")).status_code == 401


async def test_guessing_slows_down_for_that_name_from_that_address(house, ann, bob):
    async with house.visit() as browser, house.visit(address="127.0.0.9") as elsewhere:
        for _ in range(4):
            assert (await sign_in(browser, "ann", "wrong")).status_code == 401
        slowed = await sign_in(browser, "ann", "ann's password")
        assert slowed.status_code == 429
        assert int(slowed.headers["retry-after"]) >= 1
        assert (await sign_in(browser, "bob", "bob's password")).status_code == 200
        assert (await sign_in(elsewhere, "ann", "ann's password")).status_code == 200


async def test_guesses_at_once_are_counted_too(house, ann):
    async with house.visit() as browser:
        answers = await asyncio.gather(*(sign_in(browser, "ann", "wrong") for _ in range(20)))
        assert [a.status_code for a in answers].count(401) <= 5


async def test_what_is_too_long_for_a_name_is_neither_kept_nor_logged(house, ann, caplog):
    """A stranger may send two megabytes, thirty times a second."""
    async with house.visit() as browser:
        for _ in range(5):
            assert (await sign_in(browser, "x" * 1_000_000, "wrong")).status_code == 401
        assert (await sign_in(browser, "x" * 320, "wrong")).status_code == 401
    assert max(len(record.getMessage()) for record in caplog.records) < 1000


async def test_cookies_are_secure_behind_https_alone(house, ann):
    async with house.visit() as browser:
        plain = await sign_in(browser, "ann", "ann's password")
        assert "secure" not in plain.headers["set-cookie"].lower()
        proxied = await sign_in(browser, "ann", "ann's password", **{"x-forwarded-proto": "https"})
        assert "Secure" in proxied.headers["set-cookie"]
        assert "HttpOnly" in proxied.headers["set-cookie"]


async def test_a_disabled_user_is_out_at_once(house, ann):
    async with house.visit(ann) as browser:
        assert (await browser.get("/user")).status_code == 200
        await house.people.set_enabled(ann, enabled=False)
        for path in ("/user", "/project/thread/t1", "/project/settings"):
            assert (await browser.get(path)).status_code == 401
        assert (await sign_in(browser, "ann", "ann's password")).status_code == 401
        await house.people.set_enabled(ann, enabled=True)
        assert (await browser.get("/user")).status_code == 200


async def test_below_a_path_the_same_is_open_and_shut(house, ann):
    async def behind(scope, receive, send):
        await Response(status_code=204)(scope, receive, send)

    tokens = Tokens(house.people, house.sessions)
    below = AuthMiddleware(behind, house.people, tokens, Origins(local=False), root="/below")
    await house.people.set_enabled(ann, enabled=False)
    transport = httpx.ASGITransport(below)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as browser:
        for cookies in ({}, {"access_token": create_token(persisted(ann))}):
            browser.cookies = cookies
            for path, status in (
                ("/below/login", 204),
                ("/below/auth/header", 204),
                ("/below/project/threads", 401),
                ("/below/ws/socket.io/", 401),
            ):
                assert (await browser.post(path)).status_code == status, (path, cookies)


async def test_a_user_disabled_elsewhere_is_noticed(house, ann):
    watching = asyncio.create_task(house.people.watch())
    out = asyncio.Event()

    async def gone(user):
        assert user.id == ann.id
        out.set()

    house.people.on_revoked(gone)
    await asyncio.sleep(0.1)

    await house.storage.users.change(ann.id, disabled_at=now())
    await asyncio.wait_for(out.wait(), 5)
    watching.cancel()


class Shaky:
    """Users whose database goes away just when one of them is looked for."""

    def __init__(self, users):
        self._users = users
        self.away = 1

    def __getattr__(self, name):
        return getattr(self._users, name)

    async def by_id(self, user_id):
        if self.away:
            self.away -= 1
            raise StorageUnavailable("gone for a moment")
        return await self._users.by_id(user_id)


async def test_nothing_that_fails_in_between_lets_a_disabled_user_stay(house, ann):
    people = People(Shaky(house.storage.users), Passwords(CHEAP))
    out, looked = asyncio.Event(), []

    async def gone(user):
        out.set()

    async def fail():
        looked.append(people.is_disabled(ann.id))
        raise RuntimeError("a page that is half gone")

    people.on_revoked(gone)
    people.on_look(fail)
    watching = asyncio.create_task(people.watch())
    await until(lambda: looked)
    await house.storage.users.change(ann.id, disabled_at=now())
    await asyncio.wait_for(out.wait(), 10)
    assert people.is_disabled(ann.id)
    assert len(looked) > 1
    watching.cancel()


async def test_a_token_of_a_user_who_never_was_opens_nothing(house, ann):
    ghost = ann.__class__("no-such-id", "ghost", ann.created_at)
    async with house.visit(ghost) as browser:
        listed = {"pagination": {"first": 5}, "filter": {}}
        assert (await browser.post("/project/threads", json=listed)).status_code == 401
        assert (await browser.get("/project/thread/t1")).status_code == 401


async def test_the_first_administrator_is_made_once(house):
    await house.people.first_admin("first password")
    await house.people.first_admin("another password")
    assert await house.people.check("admin", "another password", "") is None
    assert (await house.people.check("admin", "first password", "")).role == "admin"


async def test_one_name_is_not_guessed_from_many_addresses(house, ann):
    for n in range(FREE_TRIES_BY_NAME):
        assert await house.people.check("ann", "wrong", f"10.0.0.{n}") is None
    assert await house.people.check("ann", "wrong", "10.0.1.0") is None
    with pytest.raises(LimitReached) as caught:
        await house.people.check("ann", "wrong", "10.0.1.1")
    assert caught.value.retry_after is not None
    assert caught.value.retry_after <= MAX_WAIT_BY_NAME
