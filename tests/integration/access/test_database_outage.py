"""The app on PostgreSQL: it says when the database is away, and goes on when it is back."""

import asyncio

import httpx
import pytest

from tests.integration.access.page import Page
from tests.postgres import running_postgres
from tests.processes import konsilium, running, simulator
from tests.waiting import until


def answers(step):
    return step["type"] == "assistant_message" and not step["isError"]


async def health(status, url):
    """Waits for /health to answer with that status, and returns its body."""
    async with httpx.AsyncClient(timeout=10) as client:

        async def body():
            answer = await client.get(f"{url}/health")
            return answer.json() if answer.status_code == status else None

        return await until(body, within=30)


@pytest.mark.postgres
async def test_the_app_says_that_its_database_is_away_and_goes_on_when_it_is_back(tmp_path):
    with running_postgres() as server:
        models = simulator("ollama", tmp_path)
        variables = {"DATABASE_URL": server.database(), "MODEL_NAME": "ollama/echo"}
        app = konsilium(tmp_path, OLLAMA_HOST=models.url, **variables)
        with running(models, app):
            page = Page(app.url)
            await page.http.get("/", headers={"accept": "text/html"})
            await page.connect()
            await page.ask("Привет?")
            await page.hear("new_message", answers)
            await asyncio.to_thread(server.stop)  # the answer's end may not be stored yet
            assert (await health(503, app.url))["status"] == "unavailable"
            await page.ask("Anybody?")
            card = await page.hear("element", lambda e: e["name"] == "ErrorCard")
            assert card["props"]["code"] == "storage_unavailable"
            await asyncio.to_thread(server.start)
            await health(200, app.url)
            page.heard.clear()
            await page.ask("Again?")
            await page.hear("new_message", answers)
            (thread,) = await page.threads(search="aga")
            assert thread["name"] == "Привет?"
            await page.close()
