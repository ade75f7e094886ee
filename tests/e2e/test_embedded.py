"""With nothing installed: the guide offers a model, fetches it once agreed to, and it answers."""

import asyncio
import re
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.e2e.conftest import ask, choose, picture, visitor
from tests.gguf_model import make_gguf
from tests.processes import konsilium, running
from tests.simulators.hub import HubSimulator


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[HubSimulator]:
    """A model hub on a loop of its own."""
    simulator = HubSimulator(make_gguf(tmp_path / "babbler.gguf", layers=12).read_bytes())
    simulator.pause = 0.04
    up, down = threading.Event(), asyncio.Event()
    loop = asyncio.new_event_loop()

    async def serve() -> None:
        async with simulator:
            up.set()
            await down.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    assert up.wait(10)
    yield simulator
    loop.call_soon_threadsafe(down.set)
    thread.join()
    loop.close()


def test_the_guide_fetches_a_model_that_then_answers(
    chromium: Browser, hub: HubSimulator, tmp_path: Path
) -> None:
    app = konsilium(
        tmp_path / "app",
        OLLAMA_HOST="http://127.0.0.1:9",
        EMBEDDED_MODEL=HubSimulator.NAME,
        MODEL_HUB=hub.url,
    )
    with running(app):
        for page in visitor(chromium, app.url):
            guide = page.get_by_test_id("guide")
            guide.get_by_text("Встроенная модель").click()
            expect(guide).to_contain_text("apache-2.0")
            expect(guide.get_by_role("list", name="Сейчас видно")).not_to_contain_text("embedded")
            assert hub.ranges == []
            fetch = guide.get_by_role("button", name=re.compile("Скачать .*[КМ]Б"))
            picture(page, "guide-embedded")
            fetch.click()
            expect(guide.get_by_role("progressbar")).to_be_visible()
            expect(guide).to_have_attribute("data-ready", "true", timeout=20_000)
            choose(page, max_tokens=256)  # noise without an end keeps a busy page from hearing Stop
            ask(page, "Привет")
            answer = page.locator('[data-step-type="assistant_message"]').last
            expect(answer).to_contain_text(re.compile("(слово|never|каже).*(слово|never|каже)"))
            expect(page.locator("#stop-button")).to_be_hidden()
            expect(page.get_by_test_id("metrics")).to_have_count(1)
            picture(page, "embedded-answer")
            page.locator('a[href="#servers"]').first.click()
            server = page.get_by_test_id("server").filter(has_text="embedded")
            server.get_by_role("button", name="Выгрузить из памяти").click()
            expect(server).to_contain_text("спит, проснётся с первым вопросом")
            server.get_by_role("button", name="Загрузить в память").click()
            expect(server).to_contain_text("● в памяти на CPU")
            picture(page, "embedded-loaded")
            server.get_by_role("button", name="Удалить с диска").click()
            page.get_by_role("alertdialog").get_by_role("button", name="Удалить").click()
            expect(server.get_by_role("button", name=re.compile("Скачать"))).to_be_visible()
            picture(page, "embedded-removed")
    assert not list((tmp_path / "app" / "data" / "models").rglob("*.gguf"))
    assert hub.ranges == [""]
