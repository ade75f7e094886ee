"""Two replicas of the app over one PostgreSQL and one Redis: a turn of one is the turn of both."""

import asyncio
import contextlib
import json
import signal
from collections import Counter

import pytest
import pytest_asyncio

from tests.integration.access.page import Page
from tests.postgres import running_postgres
from tests.processes import konsilium, running, simulator
from tests.redis_server import running_redis
from tests.waiting import until

pytestmark = pytest.mark.postgres
SLOW = "ollama/len-300+paced-20ms"
LONG = "ollama/len-1200+paced-20ms"
PATIENCE = 60
PASSWORD = "the administrator's"


class House:
    """Two replicas, and what both stand on."""

    def __init__(self, replicas, stack):
        self.one, self.two, self.redis = replicas
        self._stack = stack

    async def visit(self, replica, thread_id=""):
        """A page of that replica; closed at the end of the test."""
        page = await self.sign_in(replica)
        await page.connect(thread_id)
        return page

    async def sign_in(self, replica):
        page = Page(replica.url)
        page.http.timeout = PATIENCE
        self._stack.push_async_callback(page.close)
        assert await page.sign_in("admin", PASSWORD) == 200
        return page

    async def http(self, replica):
        """A signed-in client of that replica."""
        return (await self.sign_in(replica)).http


@pytest.fixture(scope="module")
def replicas(tmp_path_factory):
    folder = tmp_path_factory.mktemp("replicas")
    with running_postgres() as postgres, running_redis() as redis:
        models = simulator("ollama", folder, *(name.partition("/")[2] for name in (SLOW, LONG)))
        variables = {
            "OLLAMA_HOST": models.url,
            "MODEL_NAME": SLOW,
            "DATABASE_URL": postgres.database(),
            "REDIS_URL": redis.url,
            "AUTH_MODE": "password",
            "ADMIN_PASSWORD": PASSWORD,
            "CHAINLIT_AUTH_SECRET": "one secret for all replicas of the house",
        }
        one, two = konsilium(folder, **variables), konsilium(folder, **variables)
        with running(models, one, two):
            yield one, two, redis


@pytest_asyncio.fixture
async def house(replicas):
    async with contextlib.AsyncExitStack() as stack:
        yield House(replicas, stack)


async def half_answered(page, text="A slow one?"):
    """Asks, and returns the thread's id once the answer has begun."""
    await page.ask(text)
    first = await page.hear("first_interaction")
    await page.hear("stream_token")
    return first["thread_id"]


def answer_of(thread):
    (answer,) = [s for s in thread["steps"] if s["type"] == "assistant_message"]
    return answer


def drawn(page, step_id):
    """The text of a step as the page has it: what it was sent last, and what came after."""
    text = None
    for event, data in page.heard:
        if event == "resume_thread":
            (text,) = [s["output"] for s in data["steps"] if s["id"] == step_id] or [text]
        elif event in ("new_message", "update_message") and data["id"] == step_id:
            text = data["output"]
        elif event == "stream_token" and data["id"] == step_id:
            text = (text or "") + data["token"]
    return text


async def ended(page, turns=1):
    """Waits until the page has seen so many turns end."""

    def seen():
        runs = {
            data["id"]
            for event, data in page.heard
            if event == "update_message" and data["type"] == "run" and data["end"]
        }
        return len(runs) >= turns

    await until(seen, within=PATIENCE)


async def stored(house, thread):
    """The thread as it stands in the database."""
    http = await house.http(house.two)
    return (await http.get(f"/project/thread/{thread}")).json()


async def test_what_is_asked_at_one_replica_is_followed_at_the_other_without_a_gap(house):
    asking = await house.visit(house.one)
    thread = await half_answered(asking)
    reloaded = await house.visit(house.two, thread)
    resumed = await reloaded.hear("resume_thread")
    begun = answer_of(resumed)
    await reloaded.hear("stream_token", lambda token: token["id"] == begun["id"])
    await ended(reloaded)
    await ended(asking)
    whole = answer_of(await stored(house, thread))["output"]
    assert 0 < len(begun["output"]) < len(whole)
    assert drawn(reloaded, begun["id"]) == whole == drawn(asking, begun["id"])
    tokens = Counter(id(data) for event, data in reloaded.heard if event == "stream_token")
    assert len(tokens) > 5  # in many pieces, as it was written


async def test_a_page_at_the_other_replica_is_shown_the_next_question_too(house):
    asking = await house.visit(house.one)
    thread = await half_answered(asking)
    await ended(asking)
    other = await house.visit(house.two, thread)
    await other.hear("resume_thread")
    await asking.ask("And this?")

    def both_asked(opened):
        questions = [s["output"] for s in opened["steps"] if s["type"] == "user_message"]
        return questions == ["A slow one?", "And this?"]

    await other.hear("resume_thread", both_asked, timeout=PATIENCE)
    await ended(other)


async def test_stop_reaches_a_turn_of_another_replica(house):
    asking = await house.visit(house.one)
    await asking.socket.emit("chat_settings_change", {"model": LONG})
    thread = await half_answered(asking)
    other = await house.visit(house.two, thread)
    await other.hear("resume_thread")
    await other.socket.emit("stop")
    await ended(asking)
    await ended(other)
    answer = answer_of(await stored(house, thread))
    assert answer["output"] == drawn(other, answer["id"]) == drawn(asking, answer["id"])


async def test_cancel_at_one_replica_stops_an_answer_of_the_other(house):
    here, there = await house.http(house.one), await house.http(house.two)
    question = {"message": "hi", "model": LONG}
    async with here.stream("POST", "/api/chat/stream", json=question) as answer:
        lines = answer.aiter_lines()
        task = json.loads((await anext(lines))[6:])["taskId"]
        cancelled = await there.post(f"/api/chat/cancel/{task}")
        assert cancelled.json() == {"success": True}
        rest = [json.loads(line[6:]) async for line in lines if line.startswith("data: ")]
    assert rest[-1]["outcome"] == "stopped"
    assert (await there.post(f"/api/chat/cancel/{task}")).status_code == 404


async def test_of_two_questions_at_one_instant_one_turn_is_answered(house):
    here, there = await house.http(house.one), await house.http(house.two)
    for _ in range(3):
        chat = (await here.post("/api/chats", json={"title": "Both"})).json()["chatId"]
        question = {"message": "hi", "chatId": chat, "model": SLOW}
        answers = await asyncio.gather(
            here.post("/api/chat", json=question), there.post("/api/chat", json=question)
        )
        assert sorted(one.json()["outcome"] for one in answers) == ["completed", "stopped"]


async def test_a_turn_of_a_killed_replica_is_shown_unfinished_by_the_others(house):
    asking = await house.visit(house.one)
    await asking.socket.emit("chat_settings_change", {"model": LONG})
    thread = await half_answered(asking)
    other = await house.visit(house.two, thread)
    begun = answer_of(await other.hear("resume_thread"))

    async def checkpointed():
        steps = (await stored(house, thread))["steps"]
        return any(step["id"] == begun["id"] and step["output"] for step in steps)

    await until(checkpointed, within=PATIENCE)
    house.one.stop(signal.SIGKILL)
    try:
        shown = await other.hear(
            "resume_thread",
            lambda opened: any(e["name"] == "ErrorCard" for e in opened["elements"]),
            timeout=PATIENCE,
        )
        (half,) = [s for s in shown["steps"] if s["id"] == begun["id"]]
        assert half["end"]
        assert half["output"]
        await other.ask("Go on?")
        await other.hear("stream_token", lambda token: token["id"] != begun["id"])
    finally:
        house.one.start()


async def test_while_redis_is_away_answers_go_on_and_are_followed_again_when_it_is_back(house):
    asking = await house.visit(house.one)
    await asking.socket.emit("chat_settings_change", {"model": LONG})
    thread = await half_answered(asking)
    other = await house.visit(house.two, thread)
    begun = answer_of(await other.hear("resume_thread"))
    house.redis.stop()
    try:
        count = len(asking.heard)
        await until(lambda: len(asking.heard) > count + 20, within=PATIENCE)
        alone = await house.visit(house.two)
        await half_answered(alone)
        late = await house.visit(house.two, thread)
        await late.hear("resume_thread")
    finally:
        house.redis.start()
    await ended(asking)
    whole = answer_of(await stored(house, thread))["output"]

    def both_whole():
        return all(drawn(page, begun["id"]) == whole for page in (other, late))

    await until(both_whole, within=PATIENCE)
