"""A knowledge base made on the screen, chosen in a conversation, cited, opened at its passage."""

import contextlib
import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, FilePayload, Page, expect

from tests.attachment_files import a_pdf
from tests.e2e.conftest import ask, picture, visitor
from tests.processes import Process, konsilium, running, simulator

ANSWER = '[data-step-type="assistant_message"]'
SAID = (
    "Warranty of the kettle lasts 24 months [1]. Warranty of the teapot lasts 36 months [1]. "
    "Delivery is free [7]."
)


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """The app over a model that answers with the question's own words."""
    model = simulator("ollama", tmp_path_factory.mktemp("ollama"), "last")
    with running(model):
        folder = tmp_path_factory.mktemp("app")
        process = konsilium(folder, OLLAMA_HOST=model.url, MODEL_NAME="ollama/last")
        with running(process):
            yield process


def make_a_base(page: Page, name: str, *files: tuple[str, bytes]) -> None:
    """Makes a base of these files on its page, and comes back to the chat."""
    page.get_by_role("link", name="Базы знаний").click()
    page.get_by_label("Название").fill(name)
    page.get_by_role("button", name="Создать").click()
    expect(page.get_by_role("heading", name=name)).to_be_visible()
    page.locator('input[type="file"]').set_input_files(
        [FilePayload(name=file, mimeType="", buffer=content) for file, content in files]
    )
    page.get_by_role("button", name="Добавить документы").click()
    for file, _ in files:
        expect(page.get_by_role("link", name=file)).to_be_visible(timeout=60_000)
    picture(page, "knowledge-base")
    page.get_by_role("link", name="К разговорам").click()


def use_base(page: Page, name: str) -> None:
    """Chooses it in the settings panel, and again where the list was made fresh under the click."""
    page.locator("#chat-settings-open-modal").click()
    panel = page.locator("#chat-settings")
    field = panel.locator('label[for="knowledge"] + div')
    chosen = field.get_by_text(name, exact=True).and_(field.locator(":not([role=option])"))
    for _ in range(4):
        field.locator("input").click()
        page.get_by_role("option", name=name).click()
        page.keyboard.press("Tab")
        with contextlib.suppress(AssertionError):
            expect(chosen.first).to_be_visible(timeout=4_000)
            break
    picture(page, "knowledge-chosen")
    panel.locator("#confirm").click()
    expect(panel).to_have_count(0)


def test_a_citation_opens_its_passage_and_a_false_one_is_struck(chromium: Browser, app: Process):
    for page in visitor(chromium, app.url):
        pdf = a_pdf("Delivery takes three days.", "Warranty of the kettle lasts 24 months.")
        make_a_base(page, "Руководства", ("manual.pdf", pdf))
        use_base(page, "Руководства")
        ask(page, SAID)
        answer = page.locator(ANSWER).last
        sources = page.get_by_test_id("sources")
        for _ in range(2):  # as it was written, and as it is opened again
            expect(answer.locator('a[href="#k-source-1"]')).to_have_count(1)
            expect(answer.locator("del")).to_have_text(["[1]", "[7]"])
            expect(answer).to_contain_text("(в источнике не найдено)")
            expect(answer.locator('a[href="#k-no-source"]')).to_have_text(["36"])
            expect(sources).to_contain_text("manual.pdf")
            picture(page, "citations")
            answer.locator('a[href="#k-source-1"]').click()
            passage = page.get_by_test_id("passage")
            expect(passage.locator("mark")).to_have_text("Warranty of the kettle lasts 24 months.")
            expect(passage).to_contain_text("с. 2")
            expect(page.locator(".side-pdf canvas").first).to_be_visible()
            picture(page, "citation-opened")
            expect(page).to_have_url(re.compile(r"/thread/"))
            page.reload()


def test_an_attachment_that_is_too_long_is_searched(chromium: Browser, app: Process):
    story = "\n\n".join(f"Chapter {n}. " + "Plain words of a story. " * 30 for n in range(60))
    book = f"{story}\n\nThe key of the cellar hangs behind the clock."
    for page in visitor(chromium, app.url):
        expect(page.locator("#mode-picker-trigger-model")).to_contain_text("last")
        with page.expect_response("**/project/file?*") as response:
            page.locator("#upload-button-input").set_input_files(
                FilePayload(name="book.txt", mimeType="text/plain", buffer=book.encode())
            )
        assert response.value.ok
        expect(page.locator("#attachment-costs")).to_contain_text("целиком не поместится")
        ask(page, "The key of the cellar hangs behind the clock [1].")
        answer = page.locator(ANSWER).last
        answer.locator('a[href="#k-source-1"]').click()
        passage = page.get_by_test_id("passage")
        expect(passage.locator("mark")).to_contain_text("hangs behind the clock")
        picture(page, "attachment-searched")
