"""Every way in which a request may bring a token ends where the token does."""

import pytest

from app.access.people import LOCAL
from app.access.sessions import Sessions
from app.core.errors import NotFound
from app.view.chainlit.auth import Tokens, create_token
from app.view.chainlit.dicts import persisted
from tests.integration.access.test_sessions import enter


async def _ended(house):
    async with house.visit() as browser:
        token = await enter(browser)
        await browser.post("/logout")
    return token


CARRIERS = [
    lambda token: [("cookie", f"access_token={token}")],
    lambda token: [("cookie", "theme=dark"), ("cookie", f"access_token={token}")],
    lambda token: [("cookie", f"access_token_0={token[:90]}; access_token_1={token[90:]}")],
    lambda token: [("cookie", f"access_token=x; access_token={token}")],
    lambda token: [("cookie", f'access_token="{token}"')],
    lambda token: [("authorization", f"Bearer {token}")],
    lambda token: [("authorization", f"bearer   {token}  ")],
    lambda token: [("authorization", f"Bearer\t{token}")],
    lambda token: [("cookie", "access_token="), ("authorization", f"Bearer {token}")],
]


@pytest.mark.parametrize("carried", CARRIERS)
async def test_no_way_of_bringing_an_ended_token_opens_anything(house, ann, carried):
    token = await _ended(house)
    async with house.visit() as browser:
        for path in ("/user", "/project/thread/t1", "/project/settings"):
            assert (await browser.get(path, headers=carried(token))).status_code == 401


async def test_a_token_is_no_means_to_another_one(house, ann):
    """Chainlit's /auth/jwt gave a new token for any signed one, which no signing out would end."""
    async with house.visit() as browser:
        token = await enter(browser)
    async with house.visit() as browser:
        got = await browser.post("/auth/jwt", headers={"Authorization": f"Bearer {token}"})
        assert (got.status_code, got.headers.get("set-cookie")) == (404, None)


async def test_other_cookies_arrive_as_they_were(house, ann):
    async with house.visit(ann) as browser:
        browser.cookies.set("oauth_state", "abc")
        assert (await browser.get("/user")).json()["identifier"] == "ann"


async def test_a_cookie_of_another_way_of_signing_in_opens_nothing(house, ann):
    values = Sessions(house.storage.key_values)
    owner = await house.storage.users.add(LOCAL, role="admin")
    proxied = await house.storage.users.add("carol")
    provided = await house.storage.users.add("dave", metadata={"provider": "generic"})
    users = {"local": owner, "password": ann, "header": proxied, "oauth": provided}
    lets_in = {
        "local": {"local"},
        "password": {"password"},
        "header": {"password", "header", "oauth"},
        "oauth": {"oauth"},
    }
    for mode, welcome in lets_in.items():
        tokens = Tokens(house.people, values, mode)
        for kind, user in users.items():
            cookie = {"access_token": create_token(persisted(user))}
            known = await tokens.signed_in(cookie)
            assert (known is not None) == (kind in welcome), (mode, kind)


async def test_ones_sign_ins_are_listed_and_ended_by_their_owner_alone(house, ann, bob):
    sessions = Sessions(house.storage.key_values)
    async with house.visit() as one, house.visit() as other:
        await enter(one)
        await enter(other)
        for browser in (one, other):
            assert (
                await browser.get("/user", headers={"user-agent": "Firefox"})
            ).status_code == 200
        first, second = await sessions.of(ann.id)
        assert {first.agent, second.agent} == {"Firefox"}
        assert await sessions.of(bob.id) == ()
        with pytest.raises(NotFound):
            await sessions.end_listed(bob.id, first.id)
        await sessions.end_listed(ann.id, first.id)
        assert [session.id for session in await sessions.of(ann.id)] == [second.id]
        answers = [(await browser.get("/user")).status_code for browser in (one, other)]
        assert sorted(answers) == [200, 401]
