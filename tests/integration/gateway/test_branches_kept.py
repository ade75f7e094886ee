"""What belongs to a branch: what the answer cache was asked after, and an answer cut off by kill -9."""

import asyncio
import contextlib
import signal

import httpx
from sqlalchemy import func, select

from app.storage.tables import cached_answers
from tests.integration.gateway.test_rest import house as house
from tests.processes import konsilium, running, simulator
from tests.waiting import until

EXACT = {"answer_cache": "exact"}


async def test_a_cached_answer_is_of_the_branch_that_it_was_asked_in(house):
    async def ask(text, **where):
        before = len(house.simulator.bodies("/v1/chat/completions"))
        answer = await house.say(text, options=EXACT, **where)
        assert answer.status_code == 200, answer.text
        asked = len(house.simulator.bodies("/v1/chat/completions")) - before
        return answer.json()["chatId"], asked

    async def kept(count):
        def work(connection):
            return connection.scalar(select(func.count()).select_from(cached_answers)) == count

        await until(lambda: house.application.storage.database.read(work))

    chat, _ = await ask("Как варить борщ?")
    await kept(1)
    said = (await house.http.get(f"/api/chats/{chat}/messages")).json()["messages"]
    first, answer = said[0]["id"], said[1]["id"]
    assert await ask("А без мяса?", chatId=chat) == (chat, 1)
    await kept(2)
    assert await ask("А без мяса?", chatId=chat, parentId=answer) == (chat, 0)
    assert await ask("Как варить щи?", chatId=chat, insteadOf=first) == (chat, 1)
    await kept(3)
    assert await ask("А без мяса?", chatId=chat) == (chat, 1)  # of cabbage soup, not of borscht
    await kept(4)
    assert await ask("А без мяса?", chatId=chat, parentId=answer) == (chat, 0)


async def test_an_answer_beside_another_is_there_after_kill_9_and_so_is_the_first(tmp_path):
    models = simulator("ollama", tmp_path, "echo", "len-400+paced-30ms")
    app = konsilium(tmp_path, OLLAMA_HOST=models.url, MODEL_NAME="ollama/echo")
    with running(models, app):
        async with httpx.AsyncClient(base_url=app.url, timeout=60) as http:
            made = (await http.post("/api/chat", json={"message": "One"})).json()["chatId"]
            (one, answer) = (await http.get(f"/api/chats/{made}/messages")).json()["messages"]
            asked = {"message": "Uno", "chatId": made, "insteadOf": one["id"]}
            await cut_off(app, http, asked | {"model": "ollama/len-400+paced-30ms"})
            await asyncio.to_thread(app.start)
            address = f"/api/chats/{made}/messages"
            shown = (await http.get(address)).json()["messages"]
            assert [m["content"] for m in shown if m["role"] == "user"] == ["Uno"]
            assert shown[0]["siblings"] == [one["id"], shown[0]["id"]]
            whole = (await http.get(address, params={"branch": "all"})).json()["messages"]
            assert [m["content"] for m in whole][:3] == ["One", "One", "Uno"]
            other = (await http.get(address, params={"branch": answer["id"]})).json()["messages"]
            assert [m["content"] for m in other] == ["One", "One"]
            went_on = {"message": "Due", "chatId": made, "parentId": answer["id"]}
            assert (await http.post("/api/chat", json=went_on)).json()["response"] == "Due"


async def cut_off(app, http, asked):
    """Kills the app once words of the answer have come."""
    with contextlib.suppress(httpx.HTTPError):
        async with http.stream("POST", "/api/chat/stream", json=asked) as answer:
            assert answer.status_code == 200
            lines = 0
            async for line in answer.aiter_lines():
                lines += line.startswith("data: ")
                if lines > 5:
                    await asyncio.to_thread(app.stop, signal.SIGKILL)
