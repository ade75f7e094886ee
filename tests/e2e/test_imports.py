"""A conversation of another program arrives through a page of the app: looked through, then brought in."""

import json

from playwright.sync_api import Browser, FilePayload, Page, expect

from tests.e2e.conftest import picture, provokes, visitor
from tests.histories import CHATGPT


def choose(page: Page, name: str, content: bytes) -> None:
    file = FilePayload(name=name, mimeType="application/json", buffer=content)
    page.locator('input[type="file"]').set_input_files(file)
    page.locator("button").first.click()


def test_a_history_is_looked_through_and_then_brought_in(page: Page):
    page.locator("#k-import").click()
    expect(page.get_by_role("heading", name="Импорт разговоров")).to_be_visible()
    provokes(page, r"status of 422 .*/import\)")
    choose(page, "conversations.json", b"{}")
    expect(page.get_by_role("alert")).to_contain_text("разговор 1 не похож ни на один из них")
    picture(page, "import-refused")
    choose(page, "conversations.json", json.dumps(CHATGPT).encode())
    expect(page.get_by_role("status")).to_contain_text("Новых разговоров: 1")
    expect(page.get_by_role("status")).to_contain_text("Пока ничего не сохранено")
    expect(page.locator("li")).to_contain_text("О борще")
    expect(page.locator("li")).to_contain_text("ветвей: 2, модели: gpt-4o")
    picture(page, "import-dry")
    page.get_by_role("button", name="Импортировать").click()
    expect(page.get_by_role("status")).to_contain_text("Готово")
    picture(page, "import-done")
    page.get_by_role("link", name="К разговорам").click()
    page.locator("#thread-history").get_by_text("О борще").click()
    expect(page.locator('[data-step-type="user_message"]')).to_contain_text(
        ["Как варить борщ?", "А без мяса?"]
    )
    expect(page.get_by_test_id("siblings")).to_have_text("1/2")
    page.goto(page.url.split("/thread")[0] + "/import")
    choose(page, "conversations.json", json.dumps(CHATGPT).encode())
    expect(page.get_by_role("status")).to_contain_text("уже известных: 1")
    expect(page.get_by_role("button", name="Импортировать")).to_have_count(0)


def test_it_reads_well_in_every_language_and_on_a_phone(chromium: Browser, app):
    for language, dark, width in (("uk-UA", True, 1440), ("en-US", False, 390)):
        for page in visitor(chromium, app.url, language=language, dark=dark, width=width):
            page.goto(f"{app.url}/import")
            choose(page, "conversations.json", json.dumps(CHATGPT).encode())
            expect(page.get_by_role("status")).to_be_visible()
            assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
            picture(page, f"import-{language[:2]}-{width}")
