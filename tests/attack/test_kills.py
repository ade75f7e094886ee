"""kill -9 in the middle of five answers, again and again: what a page was told is stored is there.

The gate kills a few times; ATTACK_KILLS=200 (`make soak`) is the long form.
"""

import asyncio
import os
import random
import signal
import sqlite3

import pytest

from tests.integration.access.page import Page
from tests.postgres import running_postgres
from tests.processes import konsilium, running, simulator

KILLS = int(os.environ.get("ATTACK_KILLS", "2"))
CHATS = 5
SLOW = "ollama/len-200+paced-20ms"
PASSWORD = "the administrator's"

pytestmark = pytest.mark.timeout(60 + KILLS * 60)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def app(request, tmp_path):
    """AUTH_MODE=password over a simulated Ollama that takes about 4 s an answer."""
    models = simulator("ollama", tmp_path)
    variables = {"OLLAMA_HOST": models.url, "MODEL_NAME": SLOW}
    variables |= {"AUTH_MODE": "password", "ADMIN_PASSWORD": PASSWORD}
    if request.param == "sqlite":
        process = konsilium(tmp_path, **variables)
        with running(models, process):
            yield process
        return
    with running_postgres() as server:
        process = konsilium(tmp_path, DATABASE_URL=server.database(), **variables)
        with running(models, process):
            yield process


async def begin(app, cookies, text, dice):
    """Asks in a new chat; the page, its thread, and what it had been shown when it was left."""
    page = Page(app.url)
    page.http.cookies = cookies
    await page.connect()
    await page.ask(text)
    thread = (await page.hear("first_interaction", timeout=60))["thread_id"]
    await page.hear("stream_token", timeout=60)
    await asyncio.sleep(dice.random())
    return page, thread


async def stored(http, thread):
    """The thread's steps, once it can be read."""
    answer = await http.get(f"/project/thread/{thread}")
    assert answer.status_code == 200, answer.text
    return answer.json()["steps"]


def sound(app):
    """Nothing is broken in the file."""
    with sqlite3.connect(app.log.parent / "data" / "konsilium.db") as file:
        (verdict,) = file.execute("PRAGMA integrity_check").fetchone()
    return verdict == "ok"


async def test_nothing_that_a_page_was_told_is_stored_is_lost_by_kill_9(app):
    dice = random.Random(22)
    visitor = Page(app.url)
    assert await visitor.sign_in("admin", PASSWORD) == 200
    threads = []
    for kill in range(KILLS):
        texts = [f"Question {kill}-{chat}?" for chat in range(CHATS)]
        begun = await asyncio.gather(
            *(begin(app, visitor.http.cookies, text, dice) for text in texts)
        )
        app.stop(signal.SIGKILL)
        for page, _ in begun:
            await page.close()
        await asyncio.to_thread(app.start)
        threads += [thread for _, thread in begun]
        for text, (_, thread) in zip(texts, begun, strict=True):
            steps = await stored(visitor.http, thread)
            assert [s["output"] for s in steps if s["type"] == "user_message"] == [text]
            (run,) = [step for step in steps if step["type"] == "run"]
            assert run["end"] is not None, "a turn of a process that is gone still runs"
        if "DATABASE_URL" not in app.environment:
            assert sound(app)
    await again(app, visitor, threads[-1])
    assert len(set(threads)) == KILLS * CHATS
    for thread in threads:
        assert len(await stored(visitor.http, thread)) >= 2
    await visitor.close()


async def again(app, visitor, thread):
    """After all that, a chat goes on where it was cut."""
    page = Page(app.url)
    page.http.cookies = visitor.http.cookies
    await page.connect(thread)
    await page.hear("resume_thread", timeout=60)
    await page.ask("Go on?")
    await page.hear("stream_token", timeout=60)
    await page.close()
