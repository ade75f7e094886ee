"""The numbers of the real app: one click from the chat, in /metrics, and none of its words in the log."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.conftest import ask, metrics, picture, visitor
from tests.processes import Process, konsilium, running

SAID = "Секрет гарбузової каші"
KEY = "live-4f9c2a77d0b64f1e"


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, ollama: Process) -> Iterator[Process]:
    """An app of its own that logs JSON and knows a key."""
    process = konsilium(
        tmp_path_factory.mktemp("numbers"),
        OLLAMA_HOST=ollama.url,
        MODEL_NAME="ollama/echo",
        LOG_FORMAT="json",
        OPENAI_SERVERS=f"elsewhere=http://127.0.0.1:9/v1|{KEY}",
    )
    with running(process):
        yield process


@pytest.fixture(scope="module")
def asked(launched: Callable[[], Browser], house: Process) -> Iterator[Page]:
    """A chat in which a question was answered."""
    pages = visitor(launched(), house.url)
    page = next(pages)
    ask(page, SAID)
    expect(metrics(page).last).to_contain_text("⏱")
    yield page
    next(pages, None)


def test_the_dashboard_is_one_click_from_the_chat(asked: Page):
    asked.locator('#header a[href="/dashboard"]').click()
    expect(asked.locator("main")).to_have_attribute("aria-busy", "false")
    expect(asked.locator('[data-figure="calls"]')).to_have_attribute(
        "data-value", re.compile("[1-9]")
    )
    expect(asked.locator("#groups")).to_contain_text("ollama/echo")
    picture(asked, "dashboard-after-one-question")
    link = asked.locator("#turns a").first
    expect(link).to_have_attribute("href", re.compile("^thread/"))
    link.click()
    expect(asked.locator('[data-step-type="user_message"]').first).to_contain_text(SAID)


def test_a_visitor_may_come_straight_to_the_dashboard(
    chromium: Browser, house: Process, asked: Page
):
    pages = visitor(chromium, f"{house.url}/dashboard")
    page = next(pages)
    expect(page.locator("h1")).to_have_text("Метрики")
    expect(page.locator("#cards")).to_be_visible()
    next(pages, None)


def test_prometheus_finds_the_call(house: Process, asked: Page):
    text = httpx.get(f"{house.url}/metrics").text
    assert 'konsilium_streams_finished_total{model="echo",server="ollama"}' in text
    assert "konsilium_first_token_seconds_bucket" in text
    assert re.search(r"konsilium_open_chats [1-9]", text)
    assert SAID not in text


def test_the_log_has_neither_the_words_nor_the_key(house: Process, asked: Page):
    lines = Path(house.log).read_text("utf-8").splitlines()
    ours = [json.loads(line) for line in lines if line.startswith("{")]
    assert ours, "the app logs JSON"
    assert not [line for line in lines if SAID in line or KEY in line]
    assert not [line for line in lines if json.dumps(SAID)[1:-1] in line]
