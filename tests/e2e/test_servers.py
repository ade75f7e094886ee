"""The panel of model servers, and the first run without any, in a real browser."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.e2e.conftest import picture, visitor
from tests.processes import Process, konsilium, running, simulator


@pytest.fixture(scope="module")
def keeper(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """A simulated Ollama whose models come and go."""
    server = simulator("ollama", tmp_path_factory.mktemp("keeper"), "echo", "gemma2:2b")
    with running(server):
        yield server


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory, keeper: Process) -> Iterator[Process]:
    """The app over it, and over a server that is down."""
    process = konsilium(
        tmp_path_factory.mktemp("kept"),
        OLLAMA_HOST=keeper.url,
        OPENAI_SERVERS="lab=http://127.0.0.1:9/v1",
        MODEL_NAME="ollama/echo",
    )
    with running(process):
        yield process


def open_panel(page: Page) -> Locator:
    expect(page.locator("#mode-picker-trigger-model")).to_contain_text("echo")  # connected
    page.locator('a[href="#servers"]').first.click()
    panel = page.get_by_test_id("servers")
    expect(panel).to_be_visible()
    return panel


def ollama_of(panel: Locator) -> Locator:
    return panel.get_by_test_id("server").filter(has_text="ollama")


def pull(panel: Locator, model: str) -> Locator:
    field = ollama_of(panel).get_by_label("Скачать модель")
    field.fill(model)
    field.press("Enter")
    return panel.get_by_test_id("pull").filter(has_text=model)


def test_the_panel_shows_each_server_and_its_models(chromium: Browser, kept: Process):
    for page in visitor(chromium, kept.url):
        panel = open_panel(page)
        ollama = ollama_of(panel)
        expect(ollama).to_contain_text(re.compile(r"версия 0\.\S+ • отклик .+ • \d модел"))
        expect(ollama).to_contain_text(re.compile(r"gemma2:2b.*ГБ.*окно", re.DOTALL))
        expect(panel.get_by_test_id("server").filter(has_text="lab")).to_contain_text(
            "никто не отвечает"
        )
        picture(page, "servers-panel")
