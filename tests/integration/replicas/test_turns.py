"""Two replicas of the app over one PostgreSQL and one Redis: a turn of one is the turn of both."""

import asyncio
import json
import os
import signal
from collections import Counter

import pytest

from tests.integration.replicas.pages import (
    LONG,
    LONGER,
    PATIENCE,
    SLOW,
    answer_of,
    drawn,
    ended,
    half_answered,
    stored,
)
from tests.waiting import until

AWAY_S = float(os.environ.get("REPLICA_REDIS_AWAY", "0"))
"""How long Redis is away, beside what the test itself takes: `make soak` makes it 30."""
pytestmark = [pytest.mark.postgres, pytest.mark.slow, pytest.mark.timeout(600)]


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
    await ended(other, 2)


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
    await asyncio.to_thread(house.one.stop, signal.SIGKILL)
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
        await asyncio.to_thread(house.one.start)


async def test_while_redis_is_away_answers_go_on_and_are_followed_again_when_it_is_back(house):
    asking = await house.visit(house.one)
    await asking.socket.emit("chat_settings_change", {"model": LONGER if AWAY_S else LONG})
    thread = await half_answered(asking)
    other = await house.visit(house.two, thread)
    begun = answer_of(await other.hear("resume_thread"))
    await asyncio.to_thread(house.redis.stop)
    try:
        count = len(asking.heard)
        await asyncio.sleep(AWAY_S)
        await until(lambda: len(asking.heard) > count + 20, within=PATIENCE)
        alone = await house.visit(house.two)
        await half_answered(alone)
        late = await house.visit(house.two, thread)
        await late.hear("resume_thread")
    finally:
        await asyncio.to_thread(house.redis.start)
    await ended(asking)
    whole = answer_of(await stored(house, thread))["output"]

    def both_whole():
        return all(drawn(page, begun["id"]) == whole for page in (other, late))

    await until(both_whole, within=PATIENCE)
