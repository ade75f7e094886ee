"""The council in a real browser: a consultation, a dialogue with a word put in, the best of three."""

import re

from playwright.sync_api import Page, expect

from tests.e2e.conftest import ask, metrics, pick, picture

ANSWER = '[data-step-type="assistant_message"]'


def test_a_consultation_shows_its_specialists_at_work_and_its_total(page: Page):
    pick(page, "mode", "Консилиум")
    ask(page, "Позови экономиста и юриста: открывать ли кофейню?")
    expect(page.get_by_role("button", name=re.compile("[Ээ]кономист")).first).to_be_visible()
    expect(metrics(page).last).to_be_visible(timeout=30_000)
    picture(page, "consultation")
    page.reload()
    expect(page.get_by_role("button", name=re.compile("[Ээ]кономист")).first).to_be_visible()


def test_the_best_of_three_is_shown_with_its_rivals_and_another_may_be_promoted(page: Page):
    pick(page, "mode", "Лучший из")
    ask(page, "Назови одно слово")
    rivals = page.get_by_test_id("candidates")
    expect(rivals).to_be_visible(timeout=30_000)
    picture(page, "best-of")
    rivals.get_by_role("button", name=re.compile("Выбрать")).first.click()
    expect(rivals).to_contain_text("выбрали вы")
    page.reload()
    expect(page.get_by_test_id("candidates")).to_contain_text("выбрали вы")


def test_models_talk_and_a_word_put_in_enters_the_conversation(page: Page):
    pick(page, "mode", "Диалог")
    form = page.get_by_test_id("participants")
    expect(form).to_be_visible()
    picture(page, "participants")
    pick(page, "model", "paced-30ms+len-400")
    ask(page, "Нужны ли городам трамваи?")
    controls = page.get_by_test_id("dialogue")
    expect(controls).to_be_visible()
    controls.get_by_role("textbox").fill("А как же автобусы?")
    controls.get_by_role("button", name="Вставить слово").click()
    expect(page.locator('[data-step-type="user_message"]')).to_have_count(2, timeout=30_000)
    picture(page, "dialogue")
    page.locator("#stop-button").click()
    expect(metrics(page).last).to_contain_text("остановлено")


def test_an_answer_with_a_title_has_a_heading(page: Page):
    pick(page, "mode", "Чат")
    page.locator("#chat-settings-open-modal").click()
    panel = page.locator("#chat-settings")
    panel.locator("#structured").click()
    panel.locator("#confirm").click()
    pick(page, "model", "json")
    ask(page, "Расскажи о море")
    expect(page.locator(ANSWER).last.locator("h2")).to_be_visible()
    picture(page, "structured")
