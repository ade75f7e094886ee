"""The app on PostgreSQL: it says when the database is away, and goes on when it is back."""

import asyncio

import httpx
import pytest

from tests.integration.access.page import Page
from tests.postgres import running_postgres
from tests.processes import konsilium, running, simulator


def answers(step):
    return step["type"] == "assistant_message" and not step["isError"]


async def until(status, url):
    """Waits for /health to answer with that status, and returns its body."""
    async with httpx.AsyncClient(timeout=10) as client, asyncio.timeout(30):
        while (answer := await client.get(f"{url}/health")).status_code != status:
            await asyncio.sleep(0.1)
        return answer.json()


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
            assert (await until(200, app.url))["database"] == "ok"
            await asyncio.to_thread(server.stop)
            assert (await until(503, app.url))["status"] == "unavailable"
            await page.ask("Anybody?")
            card = await page.hear("element", lambda e: e["name"] == "ErrorCard")
            assert card["props"]["code"] == "storage_unavailable"
            await asyncio.to_thread(server.start)
            await until(200, app.url)
            page.heard.clear()
            await page.ask("Again?")
            await page.hear("new_message", answers)
            (thread,) = await page.threads(search="aga")
            assert thread["name"] == "Привет?"
            await page.close()
