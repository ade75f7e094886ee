"""The page on which one sees where one is signed in, and ends it."""

import re

import pytest
import pytest_asyncio
from chainlit.server import app as chainlit_app

from app.view.sessions import agent_name, sessions_router
from tests.integration.access.test_sessions import enter

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
EDGE = "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/140.0 Safari/537.36 Edg/140.0"


@pytest_asyncio.fixture
async def lists(house):
    before = list(chainlit_app.router.routes)
    chainlit_app.include_router(sessions_router(house.sessions))
    ours = [route for route in chainlit_app.router.routes if route not in before]
    chainlit_app.router.routes[:] = ours + before
    yield house
    chainlit_app.router.routes[:] = before


def ids(html):
    return [id for id in re.findall(r'name="session" value="(\w*)"', html) if id]


async def test_a_person_sees_their_sign_ins_and_ends_one(lists, ann):
    async with lists.visit() as here, lists.visit() as there:
        here.headers["user-agent"], there.headers["user-agent"] = FIREFOX, EDGE
        await enter(here)
        await enter(there)
        await there.get("/user")
        page = (await here.get("/sessions", headers={"accept-language": "uk"})).text
        assert "Firefox, Linux" in page
        assert "Edge, Windows" in page
        assert page.count("Цей вхід") == 1
        assert re.search(
            r"з\s<time datetime=\"[\d-]+T[\d:]+Z\"[^>]*>[\d-]+ [\d:]+ UTC</time>", page
        )
        (other,) = ids(page)
        ended = await here.post("/sessions/end", data={"session": other})
        assert (ended.status_code, ended.headers["location"]) == (303, "/sessions")
        assert (await there.get("/user")).status_code == 401
        assert ids((await here.get("/sessions")).text) == []
        assert (await here.get("/user")).status_code == 200


async def test_all_the_others_end_at_once(lists, ann):
    async with lists.visit() as one, lists.visit() as two, lists.visit() as three:
        for browser in (one, two, three):
            await enter(browser)
            await browser.get("/user")
        await two.post("/sessions/end", data={"session": ""})
        answers = [(await browser.get("/user")).status_code for browser in (one, two, three)]
        assert answers == [401, 200, 401]


async def test_strangers_and_others_end_nothing(lists, ann, bob):
    async with lists.visit() as hers, lists.visit(bob) as his, lists.visit() as stranger:
        await enter(hers)
        await hers.get("/user")
        (session,) = await lists.sessions.of(ann.id)
        assert (await stranger.get("/sessions")).headers["location"] == "/login"
        taken = {"session": session.id}
        assert (await stranger.post("/sessions/end", data=taken)).status_code == 401
        assert (await his.post("/sessions/end", data=taken)).status_code == 404
        assert session.id not in (await his.get("/sessions")).text
        foreign = {"origin": "https://evil.example"}
        assert (await hers.post("/sessions/end", data={}, headers=foreign)).status_code == 403
        assert (await hers.get("/user")).status_code == 200


async def test_what_a_browser_calls_itself_is_text_and_runs_nowhere(lists, ann):
    async with lists.visit() as browser:
        browser.headers["user-agent"] = "<script>alert(1)</script> Firefox/1"
        await enter(browser)
        page = await browser.get("/sessions")
        assert "<script>alert" not in page.text
        assert "default-src 'none'" in page.headers["content-security-policy"]


@pytest.mark.parametrize(
    ("agent", "name"), [(FIREFOX, "Firefox, Linux"), (EDGE, "Edge, Windows"), ("curl/8", "")]
)
def test_a_browser_is_named_in_a_few_words(agent, name):
    assert agent_name(agent) == name
