"""Every element in a real browser: it draws, in three languages, in both themes, on a narrow screen."""

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Error, Page, expect

from tests.e2e.conftest import ask, picture, visitor
from tests.processes import CHAINLIT, ROOT, Process, app_root, clean_environment, free_port, running

TEST_IDS = {
    "metrics": 5,
    "error": 1,
    "guide": 1,
    "candidates": 1,
    "compression": 1,
    "cache": 2,
    "participants": 1,
    "sources": 1,
    "dialogue": 2,
    "servers": 1,
}
LINES = {
    "ru": "⏱ 2,3 сек • 🔢 127 символов, 302 токена • 📊 56 ток/сек",
    "uk": "⏱ 2,3 с • 🔢 127 символів, 302 токени • 📊 56 ток/с",
    "en": "⏱ 2.3 s • 🔢 127 characters, 302 tokens • 📊 56 tok/s",
}


@pytest.fixture(scope="module")
def elements(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    folder = tmp_path_factory.mktemp("elements")
    port = free_port()
    script = str(ROOT / "tests/e2e/elements_app.py")
    command = [str(CHAINLIT), "run", script, "--headless", "--port", str(port)]
    environment = clean_environment(CHAINLIT_APP_ROOT=str(app_root(folder / "root")))
    process = Process(command, f"http://127.0.0.1:{port}", environment, folder / "app.log")
    with running(process):
        yield process


@pytest.mark.parametrize(
    ("language", "dark", "width"),
    [("ru-RU", False, 1280), ("uk-UA", True, 390), ("en-US", False, 360)],
)
def test_every_element_draws_and_nothing_runs_over_the_edge(
    chromium: Browser, elements: Process, language: str, dark: bool, width: int
):
    for page in visitor(chromium, elements.url, language=language, dark=dark, width=width):
        errors: list[str] = []
        page.on("pageerror", _into(errors))
        ask(page, "all")
        for test_id, count in TEST_IDS.items():
            expect(page.get_by_test_id(test_id)).to_have_count(count)
        lang = language[:2]
        expect(page.get_by_test_id("metrics-line").first).to_have_text(LINES[lang])
        for toggle in page.locator(".k-summary, .k-way > summary").all():
            toggle.dispatch_event("click")
        expect(page.get_by_test_id("metrics").nth(1)).to_contain_text("Физик")
        assert "undefined" not in page.locator("body").inner_text()
        assert "NaN" not in page.locator("body").inner_text()
        assert _over_the_edge(page) == []
        assert errors == []
        picture(page, f"elements-{lang}-{width}")


def test_a_button_cannot_be_pressed_into_nothing_and_speaks_for_the_blind(
    chromium: Browser, elements: Process
):
    for page in visitor(chromium, elements.url, language="en-US"):
        ask(page, "all")
        expect(page.get_by_test_id("servers")).to_be_visible()
        for button in page.locator("[class^=k-] button").all():
            name = button.get_attribute("aria-label") or button.inner_text()
            assert name.strip(), button.evaluate("element => element.outerHTML")
        remove = page.get_by_role("button", name=re.compile("Remove from disk: gemma2:2b"))
        remove.click()
        confirm = page.get_by_role("alertdialog")
        expect(confirm).to_contain_text("Remove gemma2:2b from disk?")
        expect(confirm.get_by_role("button", name="Keep")).to_be_focused()
        page.keyboard.press("Enter")
        expect(confirm).to_have_count(0)


def _into(seen: list[str]) -> Callable[[Error], None]:
    return lambda error: seen.append(str(error))


def _over_the_edge(page: Page) -> list[str]:
    """What of our elements, and of the row under the input, stands right of the window."""
    found: list[str] = page.evaluate(
        """() => [...document.querySelectorAll('[class*="k-"], #message-composer *')]
            .filter(e => e.getBoundingClientRect().right > innerWidth + 1 && !e.closest('.k-scroll'))
            .map(e => e.className.toString())"""
    )
    return found
