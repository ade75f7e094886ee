"""A thread opened again has everything, goes on from there, is rewound and taken along."""

import json
import re

from playwright.sync_api import Browser, Page, Route, expect

from tests.e2e.conftest import AWAY, ask, metrics, pick, picture, provokes, visitor
from tests.e2e.lasting.house import (
    ANSWER,
    QUESTION,
    House,
    answered,
    squeezed,
)
from tests.waiting import wait_until


def test_everything_is_back_after_a_restart_and_the_next_question_knows_the_history(
    page: Page, house: House
):
    pick(page, "model", "thinking")
    thread = answered(page, "Первый вопрос")
    first = page.locator(ANSWER).last.inner_text()
    page.locator(".negative-feedback-off").last.click()
    page.locator("#submit-feedback").click()
    expect(page.locator(".negative-feedback-on")).to_have_count(1)
    turns = "SELECT type, turn_id = steps.id FROM steps JOIN feedback ON step_id = steps.id AND value = 0 AND steps.thread_id = ?"
    assert house.rows(turns, thread) == [("run", 1)]
    assert house.rows("SELECT id FROM cached_answers WHERE thread_id = ?", thread) == []
    provokes(page, AWAY)
    house.app.restart()
    for _ in range(2):
        page.goto(f"{house.app.url}/thread/{thread}")
        expect(metrics(page)).to_have_count(1)
        assert squeezed(page.locator(ANSWER).last.inner_text()) == squeezed(first)
        expect(page.get_by_role("button", name=re.compile("Размышления"))).to_have_count(1)
        expect(page.locator(".negative-feedback-on")).to_have_count(1)
        expect(page.locator("#mode-picker-trigger-model")).to_contain_text("thinking")
    picture(page, "resumed")
    other = page.context.new_page()
    other.goto(page.url)
    expect(metrics(other)).to_have_count(1)
    answered(page, "Второй вопрос")
    expect(other.locator(ANSWER)).to_have_count(2)  # the tab beside has followed
    expect(metrics(other)).to_have_count(2)
    expect(other.locator("#stop-button")).to_have_count(0)
    assert [m["content"] for m in house.asked()][::2] == ["Первый вопрос", "Второй вопрос"]
    assert [m["role"] for m in house.asked()] == ["user", "assistant", "user"]
    ask(other, "Третий вопрос")
    expect(other.locator(ANSWER).last).to_contain_text("Третий вопрос")
    assert [m["content"] for m in house.asked()][::2] == [
        "Первый вопрос",
        "Второй вопрос",
        "Третий вопрос",
    ]
    other.reload()
    expect(other.locator(QUESTION)).to_have_count(3)


def test_a_deep_link_opens_its_thread_in_a_fresh_browser_without_signing_in(
    page: Page, chromium: Browser, house: House
):
    pick(page, "model", "echo")
    thread = answered(page, "Найди меня по ссылке")
    for fresh in visitor(chromium, f"{house.app.url}/thread/{thread}"):
        expect(fresh.locator(QUESTION)).to_contain_text("Найди меня по ссылке")
        expect(metrics(fresh)).to_have_count(1)


CONNECTED = "/set-session-cookie"
BOTH_CONNECTED = f"""() => performance.getEntriesByType("resource").filter(
    (entry) => entry.name.endsWith("{CONNECTED}")).length === 2"""


def test_a_deep_link_opens_its_thread_though_the_first_of_its_two_connections_is_slow(
    page: Page, house: House
):
    thread = answered(page, "Найди меня и тогда")
    asked: list[Route] = []

    def slow_at_first(route: Route) -> None:
        asked.append(route)
        if len(asked) == 1:
            page.wait_for_timeout(700)
        route.continue_()

    page.route(f"**{CONNECTED}", slow_at_first)
    page.goto(f"{house.app.url}/thread/{thread}")
    page.wait_for_function(BOTH_CONNECTED)
    expect(page.locator(QUESTION)).to_contain_text("Найди меня и тогда")
    answered(page, "И ещё раз")
    assert len(house.answers(thread)) == 2


def test_an_edit_and_a_regeneration_rewind_the_screen_and_the_history_and_delete_nothing(
    page: Page, house: House
):
    pick(page, "model", "thinking")
    thread = answered(page, "Один")
    answered(page, "Два")
    expect(page.get_by_role("button", name="Другой ответ")).to_have_count(1)
    question = page.locator(QUESTION).first
    question.hover()
    question.locator(".edit-message").click()
    page.locator("#edit-chat-input").fill("Три")
    page.locator(".confirm-edit").click()
    expect(metrics(page)).to_have_count(1)
    expect(page.locator(ANSWER).last).to_contain_text("Три")
    assert house.asked() == [{"role": "user", "content": "Три"}]
    page.get_by_role("button", name="Другой ответ").click()
    ends = "SELECT ended_at IS NOT NULL FROM steps WHERE thread_id = ? AND kind = 'turn'"
    # two questions, the edited one, and another answer to that
    wait_until(lambda: house.rows(ends, thread) == [(1,)] * 4)
    expect(metrics(page)).to_have_count(1)
    assert house.asked() == [{"role": "user", "content": "Три"}]
    for _ in range(2):
        expect(page.locator(QUESTION)).to_have_count(1)
        expect(page.locator(ANSWER)).to_have_count(1)
        expect(page.get_by_role("button", name=re.compile("Размышления"))).to_have_count(1)
        kinds = house.rows("SELECT kind FROM steps WHERE thread_id = ? ORDER BY seq", thread)
        turn = ["turn", "reasoning", "answer"]
        asked = ["question", *turn]
        assert sorted(kind for (kind,) in kinds) == sorted([*asked * 3, *turn])
        page.reload()
        expect(metrics(page)).to_have_count(1)


def test_a_thread_is_downloaded_from_its_own_page_as_markdown_and_as_json(page: Page):
    pick(page, "model", "echo")
    expect(page.locator("#take-along")).to_have_count(0)
    answered(page, "Возьми меня с собой")
    page.get_by_role("button", name="Скачать разговор").click()
    picture(page, "take-along")
    with page.expect_download() as markdown:
        page.get_by_role("link", name="Markdown, чтобы читать").click()
    assert markdown.value.suggested_filename == "Возьми меня с собой.md"
    text = markdown.value.path().read_text()
    assert text.startswith("# Возьми меня с собой")
    assert text.count("Возьми меня с собой") == 3
    page.get_by_role("button", name="Скачать разговор").press("Enter")
    expect(page.get_by_role("link", name="Markdown, чтобы читать")).to_be_focused()
    with page.expect_download() as document:
        page.keyboard.press("Tab")  # past the one with all branches
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
    kept = json.loads(document.value.path().read_text())
    assert [step["kind"] for step in kept["steps"]] == ["question", "turn", "answer"]
