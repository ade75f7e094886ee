"""AUTH_MODE=password: signing in and out, who sees whose threads, a link that is taken back."""

import contextlib
import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.axe import wait_for_no_violations
from tests.e2e.conftest import AWAY, choose, metrics, pick, picture, provokes, visitor
from tests.e2e.lasting.house import (
    ANSWER,
    BRIEF,
    ENDLESS,
    LONG,
    QUESTION,
    House,
    answered,
    begun,
    menu,
    new_chat,
    settings,
    thread_of,
)
from tests.e2e.lasting.keyboard import ask_by_keys, choose_model, tab_to
from tests.processes import run_command, running
from tests.waiting import wait_until

SECRETS = {"ann": "ann's long password", "bob": "bob's long password", "eve": "eve's long password"}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """AUTH_MODE=password, with three people."""
    opened = House(tmp_path_factory.mktemp("shared"), AUTH_MODE="password")
    with running(opened.models, opened.app):
        for name, password in SECRETS.items():
            users(opened, "add", name, said=password)
        yield opened


def users(house: House, *arguments: str, said: str = "") -> None:
    """`python -m app users ...`, as an administrator would."""
    done = run_command("users", *arguments, environment=house.app.environment, typed=said + "\n")
    assert done.code == 0, done.err


def sign_in(page: Page, name: str, password: str) -> None:
    expect(page).to_have_url(re.compile("/login"), timeout=30_000)
    page.locator("#email").fill(name)
    page.locator("#password").fill(password)
    page.locator("#password").press("Enter")


@contextlib.contextmanager
def person(chromium: Browser, house: House, name: str) -> Iterator[Page]:
    """A signed-in visitor."""
    for page in visitor(chromium, house.app.url):
        sign_in(page, name, SECRETS[name])
        expect(page.locator("#chat-input")).to_be_visible()
        yield page


def test_a_wrong_password_is_refused_and_guessing_slows_down_and_says_so(
    chromium: Browser, house: House
):
    for page in visitor(chromium, house.app.url):
        expect(page.locator("#password")).to_be_visible()
        for theme in ("dark", "light"):
            page.evaluate("theme => localStorage.setItem('vite-ui-theme', theme)", theme)
            page.reload()
            expect(page.locator("#password")).to_be_visible()
            wait_for_no_violations(page)
            picture(page, f"sign-in-{theme}")
        provokes(page, r"status of (401|429) .*/login\)")
        sign_in(page, "bob", "wrong")
        expect(page.get_by_role("alert")).to_contain_text("Проверьте имя и пароль")
        status = 401
        while (
            status == 401
        ):  # each wait is twice the last: in the end no machine is too slow for it
            expect(
                page.locator("button[type=submit]")
            ).to_be_enabled()  # the last answer is taken in
            with page.expect_response("**/login") as answer:
                page.locator("#password").press("Enter")
            status = answer.value.status
        assert status == 429
        expect(page.get_by_role("alert")).to_contain_text("Слишком много попыток")
        picture(page, "sign-in-slowed")
        assert page.url.endswith("/login")


@pytest.mark.timeout(400)  # many stops of Tab
def test_the_keyboard_alone_signs_in_asks_stops_edits_and_steps_through_versions(
    chromium: Browser, house: House
):
    """Every stop of Tab is seen, and shows that it has the focus."""
    for page in visitor(chromium, house.app.url, language="en-US"):
        field = page.locator("#chat-input")
        expect(page.locator("#email")).to_be_visible(timeout=30_000)
        tab_to(page, page.locator("#email"))
        page.keyboard.type("ann")
        tab_to(page, page.locator("#password"))
        page.keyboard.type(SECRETS["ann"])
        page.keyboard.press("Enter")
        expect(field).to_be_visible()

        choose_model(page, "echo")
        ask_by_keys(page, "First wording")
        expect(metrics(page)).to_have_count(1)
        tab_to(page, page.locator(".edit-message"), key="Shift+Tab")
        page.keyboard.press("Enter")
        expect(page.locator("#edit-chat-input")).to_be_focused()
        page.keyboard.press("ControlOrMeta+a")
        page.keyboard.type("Second wording")
        page.keyboard.press("Enter")
        expect(page.locator(ANSWER).last).to_contain_text("Second wording")
        expect(page.locator("#stop-button")).to_have_count(0)
        tab_to(page, page.get_by_role("button", name="Regenerate"), key="Shift+Tab")
        page.keyboard.press("Enter")
        versions = page.locator(f"{ANSWER} .k-siblings")
        expect(versions).to_contain_text("2/2")
        expect(page.locator("#stop-button")).to_have_count(0)
        tab_to(page, versions.get_by_role("button").first, key="Shift+Tab")
        page.keyboard.press("Enter")
        expect(versions).to_contain_text("1/2")
        expect(versions.locator("button:focus")).to_have_count(1)
        numbers = metrics(page).locator(".k-summary")
        tab_to(page, numbers, key="Shift+Tab")
        page.keyboard.press("Enter")
        expect(metrics(page).locator(".k-facts")).to_be_visible()
        expect(numbers).to_be_focused()

        tab_to(page, field)
        choose_model(page, ENDLESS)
        ask_by_keys(page, "Without an end")
        expect(page.locator(ANSWER).last).to_contain_text("понятно")
        tab_to(page, page.locator("#stop-button"))
        page.keyboard.press("Enter")
        expect(metrics(page).last).to_contain_text("stopped")
        expect(field).to_be_focused()


@pytest.mark.timeout(400)
def test_the_keyboard_alone_changes_settings_renames_shares_finds_deletes_and_signs_out(
    chromium: Browser, house: House
):
    """Whatever opens gives the focus back as it closes."""
    for page in visitor(chromium, house.app.url, language="en-US"):
        sign_in(page, "ann", SECRETS["ann"])
        field = page.locator("#chat-input")
        tab_to(page, field)
        choose_model(page, BRIEF)
        ask_by_keys(page, "First wording")
        expect(metrics(page)).to_have_count(1)
        settings_button = page.locator("#chat-settings-open-modal")
        tab_to(page, settings_button)
        page.keyboard.press("Enter")
        panel = page.locator("#chat-settings")
        expect(panel).to_be_visible()
        tab_to(page, panel.locator("#temperature").get_by_role("slider"))
        page.keyboard.press("ArrowLeft")
        tab_to(page, panel.locator("#system_prompt"))
        page.keyboard.type("Be short.")
        tab_to(page, panel.locator("#confirm"), key="Shift+Tab")
        page.keyboard.press("Enter")
        expect(panel).to_have_count(0)
        expect(settings_button).to_be_focused()

        row = page.locator(f'[id="thread-{thread_of(page)}"]')
        tab_to(page, row.locator("a").first, key="Shift+Tab")
        tab_to(page, row.get_by_role("button", name="Rename the conversation"))
        page.keyboard.press("Enter")
        expect(page.get_by_role("dialog").get_by_role("textbox")).to_be_focused()
        page.keyboard.press("ControlOrMeta+a")
        page.keyboard.type("Called by keys")
        page.keyboard.press("Enter")
        expect(page.get_by_role("dialog")).to_have_count(0)
        expect(row).to_contain_text("Called by keys")

        share = page.locator("#header").get_by_role("button", name="Share")
        tab_to(page, share)
        page.keyboard.press("Enter")
        tab_to(page, page.get_by_role("dialog").get_by_role("button", name="Share"))
        page.keyboard.press("Enter")
        expect(page.get_by_role("button", name="Stop sharing")).to_be_visible()
        page.keyboard.press("Escape")
        expect(page.get_by_role("dialog")).to_have_count(0)
        expect(share).to_be_focused()

        search = page.locator("#search-chats-button")
        tab_to(page, search, key="Shift+Tab")
        page.keyboard.press("Enter")
        expect(page.locator("[cmdk-input]")).to_be_focused()
        page.keyboard.press("Escape")
        expect(page.get_by_role("dialog")).to_have_count(0)
        expect(search).to_be_focused()
        page.keyboard.press("Enter")
        expect(page.locator("[cmdk-input]")).to_be_focused()
        page.keyboard.type("called")
        found = page.get_by_role("dialog").get_by_role("option")
        expect(found).to_have_count(1)
        expect(found).to_have_attribute("aria-selected", "true")
        page.keyboard.press("Enter")
        expect(page.get_by_role("dialog")).to_have_count(0)
        expect(page.locator(QUESTION)).to_contain_text("First wording")

        tab_to(page, page.locator("#header").get_by_role("link", name="Metrics"))
        page.keyboard.press("Enter")
        page.wait_for_url("**/dashboard")
        tab_to(page, page.get_by_role("link", name="To the conversations"))
        page.keyboard.press("Enter")
        expect(field).to_be_visible()

        tab_to(page, row.locator("a").first)
        options = row.get_by_role("button", name="All actions on the conversation")
        tab_to(page, options)
        page.keyboard.press("Enter")
        menu_of_row = page.get_by_role("menu")
        for entry in ("Share", "Move to project…", "Archive", "Delete"):
            expect(menu_of_row.get_by_role("menuitem", name=entry)).to_be_visible()
        expect(menu_of_row.get_by_role("menuitem").first).to_be_focused()
        for _ in range(2):  # from end to end, ours among them
            page.keyboard.press("End")
            expect(menu_of_row.get_by_role("menuitem", name="Delete")).to_be_focused()
            page.keyboard.press("ArrowUp")
            expect(menu_of_row.get_by_role("menuitem", name="Archive")).to_be_focused()
            page.keyboard.press("ArrowUp")
        expect(menu_of_row.get_by_role("menuitem", name="Move to project…")).to_be_focused()
        page.keyboard.press("Enter")
        expect(page.get_by_role("dialog").get_by_role("textbox")).to_be_focused()
        expect(page.locator('[role="menu"]')).to_have_count(0)
        page.keyboard.press("Escape")
        expect(page.get_by_role("dialog")).to_have_count(0)
        expect(options).to_be_focused()
        page.keyboard.press("Enter")
        expect(menu_of_row.get_by_role("menuitem").first).to_be_focused()
        page.keyboard.press("End")
        page.keyboard.press("Enter")
        sure = page.get_by_role("alertdialog")
        expect(sure).to_be_visible()
        tab_to(page, sure.get_by_role("button", name="Delete"))
        page.keyboard.press("Enter")
        expect(row).to_have_count(0)
        expect(page.locator("#k-undo")).to_be_visible()

        provokes(page, r"status of 401 .*/project/threads\)$")  # the list is read as one signs out
        tab_to(page, page.locator("#user-nav-button"))
        page.keyboard.press("Enter")
        out = page.get_by_role("menuitem", name="Sign out")
        expect(out).to_be_visible()
        page.keyboard.press("End")
        expect(out).to_be_focused()
        page.keyboard.press("Enter")
        expect(page).to_have_url(re.compile("/login"), timeout=30_000)


def test_whoever_signs_out_is_out(chromium: Browser, house: House):
    with person(chromium, house, "ann") as page:
        page.locator("#user-nav-button").click()
        provokes(page, r"status of 401 .*/project/threads\)")  # the list may be on its way
        page.get_by_role("menuitem", name="Выйти").click()
        expect(page).to_have_url(re.compile("/login"), timeout=30_000)
        page.goto(house.app.url)
        expect(page).to_have_url(re.compile("/login"), timeout=30_000)


def test_a_thread_is_its_owners_until_it_is_shared_and_again_when_the_link_is_taken_back(
    chromium: Browser, house: House
):
    with person(chromium, house, "ann") as ann, person(chromium, house, "bob") as bob:
        ann.context.grant_permissions(["clipboard-read", "clipboard-write"])
        pick(ann, "model", "thinking")
        thread = answered(ann, "Мой секретный вопрос")
        export = f"{house.app.url}/project/thread/{thread}/export"
        assert ann.request.get(export).status == 200

        def bob_sees_nothing(path: str) -> None:
            bob.goto(f"{house.app.url}/{path}/{thread}")
            expect(bob).to_have_url(re.compile(r":\d+/$"), timeout=30_000)
            expect(bob.locator("#chat-input")).to_be_visible()
            expect(bob.get_by_text("секретный")).to_have_count(0)

        provokes(bob, r"status of 404 .*/project/share/")
        bob_sees_nothing("thread")
        bob_sees_nothing("share")
        menu(ann, thread, "share")
        ann.get_by_role("dialog").get_by_role("button", name="Поделиться").click()
        expect(ann.get_by_role("button", name="Закрыть доступ")).to_be_visible()
        picture(ann, "share")
        link = ann.evaluate("() => navigator.clipboard.readText()")
        assert link == f"{house.app.url}/share/{thread}"
        bob.goto(link)
        expect(bob.locator(QUESTION)).to_contain_text("Мой секретный вопрос")
        expect(bob.locator(ANSWER).last).to_contain_text("Мой секретный вопрос")
        expect(metrics(bob)).to_have_count(1)
        expect(bob.get_by_role("button", name="Другой ответ")).to_have_count(0)
        expect(bob.locator("#take-along")).to_have_count(0)
        expect(bob.locator("#chat-input")).to_have_count(0)
        picture(bob, "shared-with-me")
        assert bob.request.get(export).status == 404
        for stranger in visitor(
            chromium, link
        ):  # who has to sign in first is led to it all the same
            provokes(stranger, r"status of 401 .*/project/share/")
            sign_in(stranger, "bob", SECRETS["bob"])
            expect(stranger.locator(QUESTION)).to_contain_text("Мой секретный вопрос")
            assert stranger.url == link
        bob_sees_nothing("thread")
        ann.get_by_role("button", name="Закрыть доступ").click()
        expect(ann.get_by_text("Доступ по ссылке закрыт")).to_be_visible()
        bob_sees_nothing("share")


def test_a_disabled_user_is_out_at_once_with_a_page_open(chromium: Browser, house: House):
    with person(chromium, house, "ann") as page:
        thread = begun(page, LONG, "Успею ли я?")
        users(house, "disable", "ann")
        expect(page).to_have_url(re.compile("/login"), timeout=30_000)
        expect(page.get_by_text("Успею ли я?")).to_have_count(0)
        wait_until(lambda: [outcome for outcome, _ in house.answers(thread)] == ["stopped"])
        provokes(page, r"status of 401 .*/login\)")
        sign_in(page, "ann", SECRETS["ann"])
        expect(page.get_by_role("alert")).to_contain_text("Проверьте имя и пароль")


CHOSEN: dict[str, str | bool | float] = {
    "max_tokens": "321",
    "system_prompt": "Отвечай кратко.",
    "structured": True,
    "compress_context": True,
    "compress_every": "6",
    "compress_system_prompt": True,
    "summary_model": "thinking",
    "window": "4096",
    "overflow": "Не отправлять",
    "answer_cache": "Тот же вопрос",
    "best_of_n": "2",
    "best_of_selector": "длин",
    "best_of_judge": "thinking",
    "best_of_forbidden": "никогда",
    "best_of_seconds": "77",
    "temperature": 0.4,
}


def test_a_thread_keeps_every_setting_twice_after_a_restart_from_a_link_and_in_two_tabs(
    chromium: Browser, house: House
):
    with person(chromium, house, "eve") as page:
        pick(page, "model", "echo")
        thread = answered(page, "Разговор с настройками")
        pick(page, "mode", "Лучший из N")
        choose(page, **CHOSEN)
        chosen = settings(page)
        for name, value in CHOSEN.items():
            shown = str(value).lower() if isinstance(value, bool) else str(value)
            assert shown in chosen[name], name
        new_chat(page)
        choose(page, system_prompt="Иначе.", structured=False, best_of_n="5", temperature=0.9)
        pick(page, "mode", "Чат")
        pick(page, "model", "thinking")
        answered(page, "Разговор с другими")
        provokes(page, AWAY)
        house.app.restart()
        link = f"{house.app.url}/thread/{thread}"
        other = page.context.new_page()
        for tab in (page, page, other):
            tab.goto(link)
            expect(tab.locator("#mode-picker-trigger-mode")).to_contain_text("Лучший из N")
            expect(tab.locator("#mode-picker-trigger-model")).to_contain_text("echo")
            assert settings(tab) == chosen
        pick(other, "model", "thinking")
        expect(page.locator("#mode-picker-trigger-model")).to_contain_text("thinking")
