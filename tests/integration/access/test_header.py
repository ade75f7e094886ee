"""AUTH_MODE=header: the proxy names the user; without it nobody is signed in."""

from urllib.parse import quote

import chainlit.data
import pytest
from chainlit.config import config

from app.view.chainlit.auth import register
from app.view.chainlit.data_layer import DataLayer

SECRET = "a secret for tests, of 32 bytes or more"


@pytest.fixture
def proxied(house):
    """The house behind a proxy that signs people in."""
    register(house.people, house.storage.threads, "header", SECRET, "Remote-User")
    layer = DataLayer(house.people, house.storage.threads, house.storage.elements, newcomers=True)
    chainlit.data._data_layer = layer  # noqa: SLF001 - as in conftest
    house.header = "Remote-User"
    yield house
    config.code.header_auth_callback = None


async def test_a_newcomer_is_kept_as_a_user_from_the_first_time_on(proxied):
    async with proxied.visit() as browser:
        assert (await browser.post("/auth/header")).status_code == 401
        came = await browser.post("/auth/header", headers={"Remote-User": "carol"})
        assert came.status_code == 200
        me = (await browser.get("/user")).json()
        assert (me["identifier"], me["metadata"]["role"]) == ("carol", "user")
    carol = await proxied.storage.users.by_identifier("carol")
    assert carol.id == me["id"]


async def test_a_disabled_user_and_the_local_ones_name_are_not_let_in(proxied, ann):
    await proxied.people.set_enabled(ann, enabled=False)
    async with proxied.visit() as browser:
        for name in ("ann", "local"):
            came = await browser.post("/auth/header", headers={"Remote-User": name})
            assert came.status_code == 401


async def test_only_the_configured_way_of_signing_in_is_open(house, ann):
    async with house.visit() as browser:
        assert (await browser.post("/auth/header")).status_code == 400
        assert (await browser.get("/auth/oauth/github")).status_code == 400
        assert (await browser.get("/auth/config")).json()["passwordAuth"]


@pytest.mark.parametrize("sent", ["Иванов Пётр".encode(), quote("Иванов Пётр").encode()])
async def test_a_name_in_any_script_is_read_as_it_is_written(proxied, sent):
    async with proxied.visit() as browser:
        came = await browser.post("/auth/header", headers=[(b"Remote-User", sent)])
        assert came.status_code == 200
        assert (await browser.get("/user")).json()["identifier"] == "Иванов Пётр"


NOBODY = {
    "two": [("Remote-User", "carol"), ("Remote-User", "ann")],
    "two in one": [("Remote-User", "carol,ann")],
    "one and nothing": [("Remote-User", "carol"), ("Remote-User", "")],
    "one and a comma": [("Remote-User", "carol,")],
    "Latin-1": [(b"Remote-User", "Zo\u00eb".encode("latin-1"))],
    "cp1251": [(b"Remote-User", "\u0418\u0432\u0430\u043d".encode("cp1251"))],
    "cp1251 in percents": [("Remote-User", "%C8%E2%E0%ED")],
    "half a pair": [(b"Remote-User", b"\xed\xa0\x80")],
    "an overlong slash": [("Remote-User", "%c0%af")],
    "a line": [("Remote-User", "carol%0d%0aann")],
    "a NUL": [("Remote-User", "carol%00")],
    "nothing": [("Remote-User", "")],
    "blanks": [("Remote-User", "%20%20")],
}


@pytest.mark.parametrize("kind", NOBODY)
async def test_a_header_that_names_nobody_for_certain_signs_nobody_in(proxied, ann, kind):
    async with proxied.visit() as browser:
        assert (await browser.post("/auth/header", headers=NOBODY[kind])).status_code == 401
    async with proxied.visit(ann) as browser:  # nor does a cookie beside it
        assert (await browser.get("/user", headers=NOBODY[kind])).status_code == 401


async def test_a_comma_in_a_name_comes_encoded(proxied):
    async with proxied.visit() as browser:
        named = {"Remote-User": "Smith%2C Ann"}
        assert (await browser.post("/auth/header", headers=named)).status_code == 200
        assert (await browser.get("/user")).json()["identifier"] == "Smith, Ann"


async def test_the_proxys_name_outranks_the_cookie(proxied, ann, bob):
    async with proxied.visit(ann) as browser:
        assert (await browser.get("/user", headers={"Remote-User": "ann"})).status_code == 200
        assert (await browser.get("/user", headers={"Remote-User": "bob"})).status_code == 401
