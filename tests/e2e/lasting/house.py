"""An app of its own with its model server and its database, and what a person does in its page."""

import contextlib
import json
import re
import sqlite3
import urllib.request
from pathlib import Path
from typing import Any, TypeVar

from playwright.sync_api import Locator, Page, expect

from tests.e2e.conftest import ask, asked, open_settings, pick
from tests.processes import Process, konsilium, simulator
from tests.simulators.script import WORDS

ANSWER = '[data-step-type="assistant_message"]'
QUESTION = '[data-step-type="user_message"]'
SHORT, LONG, ENDLESS = "paced-20ms+len-200", "paced-20ms+len-1500", "paced-20ms+len-5000"
BRIEF = "paced-20ms+len-60"
MODELS = ("echo", "thinking", BRIEF, SHORT, LONG, ENDLESS)

GRACE_SECONDS = 8
"""How long this app's shutdown lets answers finish."""


class House:
    """An app of its own with its model server and its database."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self.models = simulator("ollama", folder, *MODELS)
        self.database = folder / "data" / "konsilium.db"
        url = f"sqlite+aiosqlite:///{self.database}?timeout=0.5"
        self.app: Process = konsilium(
            folder,
            OLLAMA_HOST=self.models.url,
            MODEL_NAME="ollama/echo",
            DATABASE_URL=url,
            SHUTDOWN_GRACE_SECONDS=str(GRACE_SECONDS),
            **environment,
        )

    def rows(self, query: str, *values: str) -> list[tuple[Any, ...]]:
        """What the database has now, as another process sees it."""
        with contextlib.closing(sqlite3.connect(self.database, timeout=5)) as connection:
            return connection.execute(query, values).fetchall()

    def answers(self, thread: str) -> list[tuple[Any, ...]]:
        """The answers of the thread: how each ended, and its text."""
        kept = (
            "SELECT outcome, output FROM steps WHERE thread_id = ? AND kind = 'answer' ORDER BY seq"
        )
        return self.rows(kept, thread)

    def asked(self) -> list[dict[str, str]]:
        """The messages of the last chat request that the model server received."""
        with urllib.request.urlopen(self.models.url + "/_sim", timeout=5) as answer:  # noqa: S310  # loopback
            received = json.load(answer)["requests"]
        last = [r["body"] for r in received if r["path"] == "/api/chat" and r["body"]["messages"]][
            -1
        ]
        return [m for m in last["messages"] if m["role"] != "system"]


T = TypeVar("T")


def words(tokens: int) -> str:
    """What a `len-N` model says."""
    return "".join(WORDS[i % len(WORDS)] for i in range(tokens))


def squeezed(text: str) -> str:
    return re.sub(r"\s+", "", text)


def says(answer: Locator, text: str) -> bool:
    """Whether the message on screen is that text, once, but for the white space."""
    shown = squeezed(answer.inner_text())
    return squeezed(text) in shown and shown.count("Привет") == text.count("Привет")


def thread_of(page: Page) -> str:
    """The open thread, by the page's address."""
    expect(page).to_have_url(re.compile(r"/thread/"), timeout=30_000)
    return page.url.rpartition("/thread/")[2]


def begun(page: Page, model: str, question: str) -> str:
    """Asks and waits for the first words of the answer; returns the thread."""
    pick(page, "model", model)
    ask(page, question)
    expect(page.locator(ANSWER).last).to_contain_text("понятно")
    return thread_of(page)


def answered(page: Page, question: str) -> str:
    """Asks, waits for the whole answer, and returns the thread."""
    asked(page, question)
    expect(page.locator("#stop-button")).to_have_count(0)
    return thread_of(page)


def new_chat(page: Page) -> None:
    page.locator("#new-chat-button").first.click()
    with contextlib.suppress(Exception):
        page.get_by_role("button", name="Подтвердить").click(timeout=300)
    expect(page.locator(QUESTION)).to_have_count(0)


def menu(page: Page, thread: str, choice: str) -> None:
    """Opens the thread's menu in the sidebar and chooses."""
    entry = page.locator(f'[id="thread-{thread}"]')
    entry.hover()
    entry.locator("#thread-options").click()
    page.locator(f"#{choice}-thread").click()


READ_PANEL = """panel => Object.fromEntries([...panel.querySelectorAll("[id]")].map(field => {
    const thumb = field.querySelector("[role=slider]")
    const shown = field.getAttribute("role") === "switch" ? field.getAttribute("aria-checked")
        : field.getAttribute("role") === "combobox" ? field.innerText.split(" (")[0]
        : thumb ? thumb.getAttribute("aria-valuenow") : field.value
    return [field.id, shown]
}).filter(([, shown]) => shown !== undefined && shown !== ""))"""


def settings(page: Page) -> dict[str, str]:
    """What the settings panel shows, by id; fields that are empty are left out,
    and of models their states."""
    panel = open_settings(page)
    expect(panel.locator("#confirm")).to_be_visible()
    shown: dict[str, str] = panel.evaluate(READ_PANEL)
    panel.get_by_role("button", name="Закрыть").click()
    expect(panel).to_have_count(0)
    return shown
