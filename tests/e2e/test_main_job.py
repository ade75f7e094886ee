"""The main job in a real browser: ask, read as it is written, stop, edit, mend an error, change the model."""

import re

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.conftest import STORY, ask, metrics, open_settings, pick, picture, take, visitor
from tests.processes import Process
from tests.waiting import wait_until

ANSWER = '[data-step-type="assistant_message"]'
ALL_NAMED = """() => [...document.querySelectorAll("button")].every(
    (button) => button.innerText.trim() || button.ariaLabel || button.title
        || button.querySelector("img[alt]:not([alt=''])"))"""


def test_the_first_page_is_a_product_and_no_sign_in_is_seen(page: Page):
    expect(page.locator("#chat-input")).to_be_visible()
    expect(page).to_have_title("Konsilium")
    assert "/login" not in page.url
    expect(page.locator("#mode-picker-trigger-model")).to_contain_text("echo")
    picture(page, "first-page-ru-light")


def test_a_question_is_answered_with_its_numbers_under_it(page: Page):
    ask(page, "Привет, как дела?")
    expect(page.locator(ANSWER).last).to_contain_text("Привет, как дела?")
    card = metrics(page).last
    expect(card).to_contain_text(re.compile(r"⏱ .* • 🔢 \d+ символ.* • 📊 .* ток/сек"))
    card.get_by_role("button").first.click()
    expect(card).to_contain_text("До первого токена")
    expect(card).to_contain_text("echo")
    page.wait_for_function(ALL_NAMED)
    picture(page, "answer-with-numbers")


def test_the_answer_grows_while_it_is_read_and_stop_keeps_what_was_written(page: Page, ollama_log):
    pick(page, "model", STORY)
    ask(page, "Расскажи длинную историю")
    answer = page.locator(ANSWER).last
    expect(answer).to_contain_text(re.compile(r"\w+"))
    first = len(answer.inner_text())
    wait_until(lambda: len(answer.inner_text()) > first)
    page.locator("#stop-button").click()
    expect(metrics(page).last).to_contain_text("остановлено")
    expect(page.get_by_text("Task manually stopped")).to_have_count(0)
    assert ollama_log.open_generations_within(1.0) == 0
    picture(page, "stopped")
    pick(page, "model", "echo")
    ask(page, "А теперь коротко")
    expect(page.locator(ANSWER).last).to_contain_text("А теперь коротко")


def test_an_edited_question_is_answered_anew_and_stop_works_there_too(page: Page, ollama_log):
    ask(page, "Первый вариант")
    expect(page.locator(ANSWER).last).to_contain_text("Первый вариант")
    pick(page, "model", STORY)
    question = page.locator('[data-step-type="user_message"]').first
    question.hover()
    question.locator(".edit-message").click()
    page.locator("#edit-chat-input").fill("Второй вариант")
    page.locator(".confirm-edit").click()
    expect(page.locator("#stop-button")).to_be_visible()
    expect(page.locator(ANSWER).last).to_contain_text(re.compile(r"\w+"))
    page.locator("#stop-button").click()
    expect(metrics(page).last).to_contain_text("остановлено")
    expect(page.get_by_text("Первый вариант")).to_have_count(0)
    assert ollama_log.open_generations_within(1.0) == 0


def test_thinking_folds_into_its_own_step(page: Page):
    pick(page, "model", "thinking")
    ask(page, "Сколько будет 2 + 2?")
    expect(page.get_by_role("button", name=re.compile("Размышления"))).to_be_visible()
    expect(metrics(page).last).to_be_visible()
    page.get_by_role("button", name=re.compile("Размышления")).click()
    picture(page, "thinking")


def test_a_slow_model_says_that_it_is_being_loaded_and_a_stop_before_its_first_word_is_said(
    page: Page,
):
    pick(page, "model", "load-5s")
    ask(page, "Проснись")
    expect(page.get_by_text(re.compile("Модель загружается в память"))).to_be_visible()
    picture(page, "loading")
    page.locator("#stop-button").click()
    card = page.get_by_test_id("error")
    expect(card).to_contain_text("остановлен до первого слова")
    picture(page, "stopped-at-once")
    card.get_by_role("button", name="Повторить").click()
    expect(page.locator(ANSWER).last).to_contain_text("Проснись")
    expect(page.get_by_text(re.compile("Модель загружается в память"))).to_have_count(0)


def test_an_error_is_said_in_words_and_retry_asks_again(page: Page, ollama_log):
    pick(page, "model", "error-503")
    ask(page, "Ответишь?")
    card = page.locator('[data-testid="error"]').last
    expect(card).to_contain_text("занят")
    expect(page.get_by_text("Traceback")).to_have_count(0)
    picture(page, "error")
    pick(page, "model", "echo")
    card.get_by_role("button", name=re.compile("Повторить")).click()
    expect(page.locator(ANSWER).last).to_contain_text("Ответишь?")
    expect(page.locator('[data-step-type="user_message"]')).to_have_count(1)


def test_a_connection_lost_in_the_middle_keeps_the_partial_answer(page: Page):
    pick(page, "model", "reset-after-5")
    ask(page, "Дойдёшь до конца?")
    expect(page.locator('[data-testid="error"]').last).to_contain_text("прервал")
    expect(metrics(page).last).to_contain_text("не завершено")
    picture(page, "broken-off")


def test_an_answer_cut_by_the_limit_offers_to_go_on(page: Page):
    pick(page, "model", "length")
    ask(page, "Пиши долго")
    card = metrics(page).last
    expect(card).to_contain_text("обрезано лимитом")
    card.get_by_role("button", name="Продолжить").click()
    question = page.locator('[data-step-type="user_message"]').last
    expect(question).to_contain_text("Продолжай с того места")


def test_the_panel_changes_the_model_and_the_composer_follows(page: Page):
    panel = open_settings(page)
    for setting in ("model", "temperature", "max_tokens", "system_prompt", "compress_context"):
        expect(panel.locator(f"#{setting}")).to_be_attached()
    picture(page, "panel")
    take(page, panel.locator("#model"), re.compile(r"^thinking(?!\+)"))
    panel.locator("#confirm").click()
    expect(page.locator("#mode-picker-trigger-model")).to_contain_text("thinking")


def test_choices_become_the_defaults_of_new_chats(page: Page):
    pick(page, "model", "thinking")
    ask(page, "Запомни выбор")
    expect(metrics(page).last).to_be_visible()
    page.goto(page.url.split("/thread")[0])
    expect(page.locator("#mode-picker-trigger-model")).to_contain_text("thinking")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("language", ["ru-RU", "uk-UA", "en-US"])
@pytest.mark.parametrize("width", [1280, 390], ids=["wide", "phone"])
def test_it_reads_well_in_every_language_theme_and_width(
    chromium: Browser, app: Process, language: str, dark: bool, width: int
):
    for page in visitor(chromium, app.url, language=language, dark=dark, width=width):
        expect(page.locator("#chat-input")).to_be_visible()
        expect(page.locator("html")).to_have_class(re.compile("dark" if dark else "light"))
        name = f"{language[:2]}-{'dark' if dark else 'light'}-{width}"
        picture(page, f"start-{name}")
        ask(page, "Ґанок, ёжик & tea 🫖")
        share = r"<1%" if language == "en-US" else r"<1\s%"
        expect(metrics(page).last).to_contain_text(re.compile(share))
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        picture(page, f"chat-{name}")
