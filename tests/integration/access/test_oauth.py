"""AUTH_MODE=oauth: a provider on this machine signs people in to the real app."""

import httpx
import pytest

from app.access.people import People
from app.storage.storage import Storage
from tests.integration.access.oauth_provider import oauth_provider
from tests.processes import konsilium, running


@pytest.fixture(scope="module")
def provider():
    with oauth_provider() as provider:
        yield provider


@pytest.fixture(scope="module")
def app(tmp_path_factory, provider):
    process = konsilium(
        tmp_path_factory.mktemp("oauth"), OLLAMA_HOST="", AUTH_MODE="oauth", **provider.environment
    )
    with running(process):
        yield process


def visit(app):
    return httpx.AsyncClient(base_url=app.url, follow_redirects=True, timeout=30)


async def test_the_provider_signs_a_newcomer_in_and_knows_them_again(app, provider):
    provider.person, seen = "carol@example.com", []
    for _ in range(2):
        async with visit(app) as browser:
            assert (await browser.get("/auth/config")).json()["oauthProviders"] == ["generic"]
            assert (await browser.get("/user")).status_code == 401
            landed = await browser.get("/auth/oauth/generic")
            assert landed.url.path == "/login/callback"
            seen.append((await browser.get("/user")).json())
    assert [user["identifier"] for user in seen] == ["carol@example.com"] * 2
    assert seen[0]["id"] == seen[1]["id"]
    assert seen[0]["metadata"]["role"] == "user"


async def test_whom_the_provider_names_badly_or_we_have_disabled_stays_out(app, provider):
    folder = app.log.parent / "data"
    storage = Storage(f"sqlite+aiosqlite:///{folder / 'konsilium.db'}", folder)
    mallory = await storage.users.add("mallory@example.com")
    await People(storage.users).set_enabled(mallory, enabled=False)
    for provider.person in ("mallory@example.com", "local", ""):
        async with visit(app) as browser:
            landed = await browser.get("/auth/oauth/generic")
            assert (landed.url.path, landed.url.params["error"]) == ("/login", "oauthSignin")
            assert (await browser.get("/user")).status_code == 401
    await storage.database.aclose()


async def test_an_answer_that_was_not_asked_for_signs_nobody_in(app):
    async with visit(app) as browser:
        params = {"code": "a-code", "state": "made-up"}
        landed = await browser.get("/auth/oauth/generic/callback", params=params)
        assert landed.url.path == "/login"
        assert (await browser.get("/user")).status_code == 401


async def enters(app):
    async with visit(app) as browser:
        landed = await browser.get("/auth/oauth/generic")
        return landed.url.path == "/login/callback"


async def test_an_address_that_the_provider_has_not_verified_signs_nobody_in(app, provider):
    provider.person = "dave@example.com"
    for provider.facts in ({"email_verified": False}, {}, {"email_verified": "false"}):
        assert not await enters(app)
    provider.facts = {"email_verified": True}
    assert await enters(app)


async def test_a_local_users_name_is_nobodys_at_the_provider_until_it_is_given_to_them(
    app, provider
):
    folder = app.log.parent / "data"
    storage = Storage(f"sqlite+aiosqlite:///{folder / 'konsilium.db'}", folder)
    people = People(storage.users)
    await storage.users.add("boss@example.com", role="admin")
    await people.add("worker@example.com", "a long password")
    for provider.person in ("boss@example.com", "worker@example.com"):
        assert not await enters(app)
    await people.add("boss@example.com", None, provider="generic")
    provider.person, provider.facts = "boss@example.com", {"email_verified": True, "sub": "17"}
    assert await enters(app)
    provider.facts = {"email_verified": True, "sub": "18"}  # the address is another's now
    assert not await enters(app)
    provider.facts = {"email_verified": True}
    await storage.database.aclose()
