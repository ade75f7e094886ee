"""Files in the chat: read, asked about, refused in words, and still there after a reload."""

import re
from pathlib import Path

from playwright.sync_api import Browser, Page, expect

from tests.attachment_files import a_docx, a_pdf, a_png
from tests.e2e.conftest import AWAY, ask, metrics, pick, picture, provokes, visitor
from tests.processes import Process, konsilium, running

ANSWER = '[data-step-type="assistant_message"]'


def attach(page: Page, *files: tuple[str, str, bytes]) -> None:
    """Puts files into the composer and waits until each is uploaded."""
    expect(page.locator("#mode-picker-trigger-model")).to_contain_text("echo")  # connected
    for name, mime, content in files:
        with page.expect_response("**/project/file?*") as response:
            page.locator("#upload-button-input").set_input_files(
                {"name": name, "mimeType": mime, "buffer": content}
            )
        assert response.value.ok


def test_a_pdf_is_asked_about_and_is_still_there_after_a_reload(page: Page):
    attach(page, ("report.pdf", "application/pdf", a_pdf("Revenue grew by 12 percent")))
    costs = page.locator("#attachment-costs")
    expect(costs).to_contain_text("report.pdf: токенов ≈ ")
    expect(costs).to_contain_text("% окна модели")
    picture(page, "attachment-in-the-composer")
    ask(page, "О чём отчёт?")
    expect(page.locator(ANSWER).last).to_contain_text("Revenue grew by 12 percent")
    expect(metrics(page).last).to_contain_text("⏱")
    expect(costs).to_have_count(0)
    picture(page, "attachment-answered")
    expect(page).to_have_url(re.compile(r"/thread/"), timeout=30_000)
    page.reload()
    expect(page.locator('[data-step-type="user_message"]').first).to_contain_text("О чём отчёт?")
    expect(page.get_by_text("report.pdf").first).to_be_visible()
    ask(page, "А ещё раз?")
    expect(page.locator(ANSWER).last).to_contain_text("А ещё раз?")


def test_several_files_of_several_kinds_come_together(page: Page):
    attach(
        page,
        ("plan.docx", "", a_docx()),
        ("prices.csv", "text/csv", "чай;42".encode("cp1251")),
        ("main.py", "text/x-python", b"print('hello')"),
    )
    ask(page, "Сравни файлы")
    answer = page.locator(ANSWER).last
    for words in ("Привет from Word", "чай;42", "print('hello')", "Сравни файлы"):
        expect(answer).to_contain_text(words)


def test_an_image_for_a_model_without_vision_is_refused_in_words(page: Page):
    attach(page, ("photo.png", "image/png", a_png(40, 40)))
    expect(page.locator("#attachment-costs")).to_contain_text("не видит изображений")
    ask(page, "Что на фото?")
    card = page.get_by_test_id("error")
    expect(card).to_contain_text("не видит изображений")
    picture(page, "attachment-image-refused")
    card.get_by_role("button", name="Повторить с другой моделью").click()
    expect(
        page.locator("#mode-picker-popover-model")
    ).to_be_visible()  # the same would say the same
    page.keyboard.press("Escape")
    pick(page, "model", "vision")
    card.get_by_role("button", name="Повторить с другой моделью").click()
    expect(page.locator(ANSWER).last).to_contain_text("Что на фото?")
    expect(metrics(page)).to_have_count(1)
    pick(page, "model", "echo")  # it may go on with the conversation, without the picture
    ask(page, "А теперь без картинки")
    expect(page.locator(ANSWER).last).to_contain_text("А теперь без картинки")
    picture(page, "attachment-image-seen-by-another")


def test_a_file_that_lies_is_refused_in_words(page: Page):
    provokes(page, "pdf.worker")  # which shows it as far as it can
    attach(page, ("report.pdf", "application/pdf", a_png(40, 40)))
    ask(page, "О чём это?")
    expect(
        page.get_by_text("по имени это документ PDF, а внутри изображение").first
    ).to_be_visible()


def test_what_the_composer_refuses_by_itself_is_said_in_the_readers_language(
    page: Page, tmp_path: Path
):
    expect(page.locator("#mode-picker-trigger-model")).to_contain_text("echo")
    large = tmp_path / "large.txt"
    with large.open("wb") as file:
        file.truncate(200_000_000)
    for file_name, words in ((large, "Файл больше 20 МБ"), ("song.mp3", "Такие файлы не читаются")):
        path = tmp_path / file_name
        if not path.exists():
            path.write_bytes(b"ID3")
        page.locator("#upload-button-input").set_input_files(path)
        expect(page.locator("[data-sonner-toast]").filter(has_text=words)).to_be_visible()


def test_a_file_taken_out_takes_its_cost_along(page: Page):
    attach(page, ("one.txt", "text/plain", b"one"), ("two.txt", "text/plain", b"two " * 900))
    costs = page.locator("#attachment-costs > div")
    expect(costs).to_have_count(2)
    page.locator("#attachments > *").first.hover()
    page.locator("#attachments > *").first.locator("button").first.click()
    expect(costs).to_have_count(1)
    expect(costs).to_contain_text("two.txt")


def test_a_session_or_a_file_that_is_not_there_is_not_found(page: Page, app: Process):
    with page.expect_response("**/chat/attachment?*") as response:
        attach(page, ("one.txt", "text/plain", b"one"))
    known = response.value.url
    assert page.request.get(known).ok
    for wrong in (known + "x", f"{app.url}/chat/attachment?session_id=another&file=x"):
        assert page.request.get(wrong).status == 404


def test_a_file_is_still_there_and_still_known_after_a_restart(
    chromium: Browser, ollama: Process, tmp_path: Path
):
    app = konsilium(tmp_path, OLLAMA_HOST=ollama.url, MODEL_NAME="ollama/echo")
    with running(app):
        for page in visitor(chromium, app.url):
            attach(page, ("report.pdf", "application/pdf", a_pdf("Revenue grew by 12 percent")))
            ask(page, "О чём отчёт?")
            expect(page.locator(ANSWER).last).to_contain_text("Revenue grew by 12 percent")
            expect(metrics(page)).to_have_count(1)
            address = page.url
            provokes(page, AWAY)
            app.restart()
            with page.expect_response("**/files/**") as file:
                page.goto(address)
            assert file.value.ok
            expect(page.get_by_text("report.pdf").first).to_be_visible()
            page.get_by_role("button", name=re.compile("Другой ответ")).last.click()
            expect(metrics(page)).to_have_count(1)
            expect(page.locator(ANSWER).last).to_contain_text("Revenue grew by 12 percent")
