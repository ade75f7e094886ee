"""Two replicas of the app over one PostgreSQL and one Redis: a turn of one is the turn of both."""

import asyncio
import json
import os
import signal

import pytest

from tests.integration.replicas.pages import (
    LONG,
    LONGER,
    PATIENCE,
    SHORT,
    SLOW,
    answer_of,
    answers,
    drawn,
    ended,
    half_answered,
    questions,
    step_to,
    stopped,
    stored,
)
from tests.waiting import until

AWAY_S = float(os.environ.get("REPLICA_REDIS_AWAY", "0"))
"""How long Redis is away, beside what the test itself takes: `make soak` makes it 30."""
pytestmark = [pytest.mark.postgres, pytest.mark.slow, pytest.mark.timeout(600)]


async def test_what_is_asked_at_one_replica_is_followed_at_the_other_without_a_gap(house):
    asking = await house.visit(house.one)
    thread = await half_answered(asking, model=LONG)
    reloaded = await house.visit(house.two, thread)
    begun = answer_of(await reloaded.hear("resume_thread"))

    def in_many_pieces():  # as it is written
        events = [event for event, _ in reloaded.heard]
        return events.count("stream_token") > 5

    await until(in_many_pieces, within=PATIENCE)
    await stopped(asking)
    await ended(reloaded)
    whole = answer_of(await stored(house, thread))["output"]
    assert 0 < len(begun["output"]) < len(whole)
    assert drawn(reloaded, begun["id"]) == whole == drawn(asking, begun["id"])


async def test_a_page_at_the_other_replica_is_shown_the_next_question_too(house):
    asking = await house.visit(house.one)
    await asking.socket.emit("chat_settings_change", {"model": SHORT})
    await asking.ask("A slow one?")
    thread = (await asking.hear("first_interaction", timeout=PATIENCE))["thread_id"]
    await ended(asking)
    other = await house.visit(house.two, thread)
    await other.hear("resume_thread")
    await asking.socket.emit("chat_settings_change", {"model": LONG})
    await asking.ask("And this?")
    await until(lambda: questions(other) == ["A slow one?", "And this?"], within=PATIENCE)
    await other.hear("stream_token", timeout=PATIENCE)  # and what is answered, as it is written
    await other.socket.emit("stop")
    await ended(other, 2)


async def test_a_page_at_the_other_replica_goes_along_to_another_branch(house):
    """Asked in other words, stepped back, and answered anew: it is sent what is different, and no more."""
    asking = await house.visit(house.one)
    await asking.socket.emit("chat_settings_change", {"model": SHORT})
    await asking.ask("First?")
    thread = (await asking.hear("first_interaction", timeout=PATIENCE))["thread_id"]
    await ended(asking)
    second = await asking.ask("Second?")
    await ended(asking, 2)
    other = await house.visit(house.two, thread)
    await other.hear("resume_thread")

    async def shows(*texts, turns):
        await until(lambda: questions(other) == list(texts), within=PATIENCE)
        await ended(other, turns)

    edited = {"id": second, "output": "In other words?"}
    await asking.socket.emit("edit_message", {"message": edited})
    await shows("First?", "In other words?", turns=3)
    await asking.socket.emit("window_message", step_to(second))
    await shows("First?", "Second?", turns=3)
    http = await house.http(house.one)
    again = {"messageId": second, "model": SHORT}
    assert (await http.post(f"/api/chat/regenerate/{thread}", json=again)).status_code == 200
    await shows("First?", "Second?", turns=4)
    said = answers(await stored(house, thread))
    assert [drawn(other, answer["id"]) for answer in said] == [a["output"] for a in said]
    assert [event for event, _ in other.heard].count("resume_thread") == 1


async def test_stop_reaches_a_turn_of_another_replica(house):
    asking = await house.visit(house.one)
    thread = await half_answered(asking, model=LONG)
    other = await house.visit(house.two, thread)
    await other.hear("resume_thread")
    await stopped(other)
    await ended(asking)
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

    async def ask_twice():
        chat = (await here.post("/api/chats", json={"title": "Both"})).json()["chatId"]
        question = {"message": "hi", "chatId": chat, "model": SLOW}
        answers = await asyncio.gather(
            here.post("/api/chat", json=question), there.post("/api/chat", json=question)
        )
        return sorted(one.json()["outcome"] for one in answers)

    assert await asyncio.gather(*(ask_twice() for _ in range(3))) == [["completed", "stopped"]] * 3


async def test_a_turn_of_a_killed_replica_is_shown_unfinished_by_the_others(house):
    asking = await house.visit(house.one)
    thread = await half_answered(asking, model=LONG)
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
        await other.hear("stream_token", lambda token: token["id"] != begun["id"], timeout=PATIENCE)
        await other.socket.emit("stop")
    finally:
        await asyncio.to_thread(house.one.start)


async def test_while_redis_is_away_answers_go_on_and_are_followed_again_when_it_is_back(house):
    asking = await house.visit(house.one)
    thread = await half_answered(asking, model=LONGER)
    other = await house.visit(house.two, thread)
    begun = answer_of(await other.hear("resume_thread"))
    await asyncio.to_thread(house.redis.stop)
    try:
        count = len(asking.heard)
        await asyncio.sleep(AWAY_S)
        await until(lambda: len(asking.heard) > count + 20, within=PATIENCE)
        alone = await house.visit(house.two)
        await half_answered(alone)
        await stopped(alone)
        late = await house.visit(house.two, thread)
        await late.hear("resume_thread")
    finally:
        await asyncio.to_thread(house.redis.start)
    missed = len(drawn(asking, begun["id"]))

    def follow_again():
        return all(len(drawn(page, begun["id"])) > missed for page in (other, late))

    await until(follow_again, within=PATIENCE)
    await stopped(asking)
    whole = answer_of(await stored(house, thread))["output"]

    def both_whole():
        return all(drawn(page, begun["id"]) == whole for page in (other, late))

    await until(both_whole, within=PATIENCE)
