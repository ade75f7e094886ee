"""The middle of an answer: reloads, broken connections, a killed app, a shutdown, a locked database."""

import contextlib
import signal
import sqlite3
import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.conftest import AWAY, ask, metrics, pick, picture, provokes, visitor
from tests.e2e.lasting.house import (
    ANSWER,
    BRIEF,
    ENDLESS,
    GRACE_SECONDS,
    LONG,
    QUESTION,
    SHORT,
    House,
    begun,
    says,
    squeezed,
    words,
)
from tests.waiting import wait_until


def without_socket(page: Page) -> None:
    """Breaks the connection and keeps it broken."""
    page.context.set_offline(True)
    page.evaluate("() => window.sockets.forEach((socket) => socket.close())")


@pytest.fixture
def breakable(chromium: Browser, house: House) -> Iterator[Page]:
    """A page whose sockets can be closed from outside."""
    for page in visitor(chromium, house.app.url):
        page.add_init_script(
            "window.sockets = []; window.WebSocket = class extends WebSocket "
            "{ constructor(...given) { super(...given); window.sockets.push(this); } };"
        )
        page.goto(house.app.url)
        provokes(page, AWAY)
        yield page


# -- the middle of an answer ------------------------------------------------------------------------


def test_a_page_reloaded_in_mid_answer_shows_all_of_it_and_stop_works_there(
    page: Page, house: House
):
    thread = begun(page, LONG, "Расскажи длинную историю")
    before = squeezed(page.locator(ANSWER).last.inner_text())
    page.reload()
    answer = page.locator(ANSWER).last
    expect(answer).to_contain_text("понятно")
    expect(page.locator("#stop-button")).to_be_visible()
    shown = squeezed(answer.inner_text())
    assert shown.startswith(before[: before.rindex("понятно")])
    wait_until(lambda: len(squeezed(answer.inner_text())) > len(shown))
    page.locator("#stop-button").click()
    expect(metrics(page).last).to_contain_text("остановлено")
    expect(page.locator(QUESTION)).to_have_count(1)
    [(outcome, text)] = house.answers(thread)
    assert outcome == "stopped"
    assert words(1500).startswith(text)
    assert says(answer, text)


def test_a_connection_that_breaks_in_mid_answer_loses_and_doubles_nothing(
    breakable: Page, house: House
):
    page = breakable
    thread = begun(page, SHORT, "Расскажи историю")
    page.evaluate("() => window.sockets.forEach((socket) => socket.close())")
    expect(metrics(page).last).to_be_visible()
    wait_until(lambda: house.answers(thread) == [("completed", words(200))])
    assert says(page.locator(ANSWER).last, words(200))
    expect(page.locator("#stop-button")).to_have_count(0)
    expect(page.locator(QUESTION)).to_have_count(1)
    expect(page.locator(ANSWER)).to_have_count(1)


def test_an_answer_that_ended_while_the_connection_was_broken_is_there_when_it_is_back(
    breakable: Page, house: House
):
    page = breakable
    thread = begun(page, SHORT, "Расскажи другую историю")
    without_socket(page)
    wait_until(lambda: house.answers(thread) == [("completed", words(200))])
    assert metrics(page).count() == 0
    page.context.set_offline(False)
    expect(metrics(page).last).to_be_visible()
    assert says(page.locator(ANSWER).last, words(200))
    expect(page.locator(QUESTION)).to_have_count(1)
    ask(page, "А дальше?")
    expect(page.locator(ANSWER)).to_have_count(2)
    assert [m["content"] for m in house.asked()[::2]] == ["Расскажи другую историю", "А дальше?"]


def test_a_killed_app_leaves_the_question_and_the_partial_answer_and_retry_works(
    page: Page, house: House
):
    thread = begun(page, LONG, "Расскажи всё")
    wait_until(lambda: len(house.answers(thread)) == 1)  # the checkpoint, every 2 s
    provokes(page, AWAY)
    house.app.restart(signal.SIGKILL)
    notice = page.locator('[data-testid="error"]').last
    expect(notice).to_contain_text("прервался", timeout=20_000)
    expect(metrics(page).last).to_contain_text("не завершено")
    expect(page.locator(QUESTION)).to_contain_text("Расскажи всё")
    [(outcome, text)] = house.answers(thread)
    assert outcome == "interrupted"
    assert says(page.locator(ANSWER).first, text)
    picture(page, "interrupted")
    pick(page, "model", "echo")
    notice.get_by_role("button", name="Повторить").click()
    expect(page.locator(ANSWER).last).to_contain_text("Расскажи всё")
    expect(metrics(page)).to_have_count(1)
    expect(page.locator('[data-testid="error"]')).to_have_count(0)
    both = [("interrupted", text), ("completed", "Расскажи всё")]
    wait_until(lambda: house.answers(thread) == both)
    assert house.asked() == [{"role": "user", "content": "Расскажи всё"}]


def test_a_shutdown_lets_answers_end_keeps_what_others_have_and_goes_with_browsers_open(
    page: Page, chromium: Browser, house: House
):
    for other in visitor(chromium, house.app.url):
        endless = begun(other, ENDLESS, "Сколько успеешь?")
        thread = begun(page, BRIEF, "Успеешь договорить?")
        started = time.monotonic()
        for tab in (page, other):
            provokes(tab, AWAY)
        house.app.stop()
        assert time.monotonic() - started < GRACE_SECONDS + 12
        assert house.answers(thread) == [("completed", words(60))]
        [(outcome, text)] = house.answers(endless)
        assert outcome == "stopped"
        assert len(text) > len(words(60))
        assert words(5000).startswith(text)
        for tab in (page, other):  # come back to while nobody serves it, a page stays as it is
            tab.evaluate("() => window.dispatchEvent(new Event('focus'))")
        house.app.start()
        for back, said in ((page, words(60)), (other, text)):
            expect(metrics(back).last).to_be_visible(timeout=20_000)
            assert says(back.locator(ANSWER).last, said)
        expect(metrics(other).last).to_contain_text("остановлено")


def test_an_answer_that_cannot_be_stored_is_said_on_screen_and_stored_later(
    page: Page, house: House
):
    thread = begun(page, SHORT, "Запиши это")
    with contextlib.closing(sqlite3.connect(house.database, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        expect(page.get_by_text("Ответ пока не удаётся сохранить")).to_be_visible()
        picture(page, "not-stored-yet")
        wait_until(lambda: says(page.locator(ANSWER).last, words(200)))
        other.execute("ROLLBACK")
    expect(page.get_by_text("Ответ сохранён")).to_be_visible()
    wait_until(lambda: house.answers(thread) == [("completed", words(200))])
    expect(page.locator("#stop-button")).to_have_count(0)
