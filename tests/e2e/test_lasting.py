"""Conversations that last, in a real browser: found again, resumed, safe from crashes and broken connections."""

import contextlib
import json
import re
import signal
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from app.bootstrap import GRACE_SECONDS
from tests.e2e.conftest import ask, metrics, pick, picture, visitor
from tests.processes import ROOT, Process, konsilium, running, simulator
from tests.simulators.script import WORDS

ANSWER = '[data-step-type="assistant_message"]'
QUESTION = '[data-step-type="user_message"]'
SHORT, LONG, ENDLESS = "paced-20ms+len-200", "paced-20ms+len-1500", "paced-20ms+len-5000"
MODELS = ("echo", "thinking", SHORT, LONG, ENDLESS)


class House:
    """An app of its own with its model server and its database."""

    def __init__(self, folder, **environment: str) -> None:
        self.models = simulator("ollama", folder, *MODELS)
        self.database = folder / "data" / "konsilium.db"
        url = f"sqlite+aiosqlite:///{self.database}?timeout=0.5"
        self.app: Process = konsilium(
            folder,
            OLLAMA_HOST=self.models.url,
            MODEL_NAME="ollama/echo",
            DATABASE_URL=url,
            **environment,
        )

    def rows(self, query: str, *values: str) -> list[tuple[Any, ...]]:
        """What the database has now, as another process sees it."""
        with contextlib.closing(sqlite3.connect(self.database, timeout=5)) as connection:
            return connection.execute(query, values).fetchall()

    def answers(self, thread: str) -> list[tuple[Any, ...]]:
        """The answers of the thread: how each ended, and its text."""
        kept = (
            "SELECT outcome, output FROM steps WHERE thread_id = ? AND kind = 'answer' ORDER BY seq"
        )
        return self.rows(kept, thread)

    def asked(self) -> list[dict[str, str]]:
        """The messages of the last chat request that the model server received."""
        with urllib.request.urlopen(self.models.url + "/_sim", timeout=5) as answer:  # noqa: S310  # loopback
            received = json.load(answer)["requests"]
        last = [r["body"] for r in received if r["path"] == "/api/chat" and r["body"]["messages"]][
            -1
        ]
        return [m for m in last["messages"] if m["role"] != "system"]


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    opened = House(tmp_path_factory.mktemp("lasting"))
    with running(opened.models, opened.app):
        yield opened


@pytest.fixture
def page(chromium: Browser, house: House) -> Iterator[Page]:
    yield from visitor(chromium, house.app.url)


T = TypeVar("T")


def until(condition: Callable[[], T], seconds: float = 15.0) -> T:
    """The first true value of `condition()`, asked again and again."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)
    return value


def words(tokens: int) -> str:
    """What a `len-N` model says."""
    return "".join(WORDS[i % len(WORDS)] for i in range(tokens))


def squeezed(text: str) -> str:
    return re.sub(r"\s+", "", text)


def says(answer: Locator, text: str) -> bool:
    """Whether the message on screen is that text, once, but for the white space."""
    shown = squeezed(answer.inner_text())
    return squeezed(text) in shown and shown.count("Привет") == text.count("Привет")


def thread_of(page: Page) -> str:
    """The open thread, by the page's address."""
    page.wait_for_url(re.compile(r"/thread/"))
    return page.url.rpartition("/thread/")[2]


def begun(page: Page, model: str, question: str) -> str:
    """Asks and waits for the first words of the answer; returns the thread."""
    pick(page, "model", model)
    ask(page, question)
    expect(page.locator(ANSWER).last).to_contain_text("понятно")
    return thread_of(page)


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
    until(lambda: len(squeezed(answer.inner_text())) > len(shown))
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
    assert house.answers(thread) == [("completed", words(200))]
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
    until(lambda: house.answers(thread) == [("completed", words(200))])
    assert metrics(page).count() == 0
    page.context.set_offline(False)
    expect(metrics(page).last).to_be_visible()
    assert says(page.locator(ANSWER).last, words(200))
    expect(page.locator(QUESTION)).to_have_count(1)
    ask(page, "А дальше?")
    expect(page.locator(ANSWER)).to_have_count(2)
    assert [m["content"] for m in house.asked()[::2]] == ["Расскажи другую историю", "А дальше?"]
    page.locator("#stop-button").click()


def test_a_killed_app_leaves_the_question_and_the_partial_answer_and_retry_works(
    page: Page, house: House
):
    thread = begun(page, LONG, "Расскажи всё")
    until(lambda: len(house.answers(thread)) == 1)  # the checkpoint, every 2 s
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
    assert house.answers(thread) == [("completed", "Расскажи всё")]
    assert house.asked() == [{"role": "user", "content": "Расскажи всё"}]


def test_a_shutdown_lets_answers_end_keeps_what_others_have_and_goes_with_browsers_open(
    page: Page, chromium: Browser, house: House
):
    for other in visitor(chromium, house.app.url):
        endless = begun(other, ENDLESS, "Сколько успеешь?")
        thread = begun(page, SHORT, "Успеешь договорить?")
        started = time.monotonic()
        house.app.stop()
        assert time.monotonic() - started < GRACE_SECONDS + 5
        assert house.answers(thread) == [("completed", words(200))]
        [(outcome, text)] = house.answers(endless)
        assert outcome == "stopped"
        assert len(text) > len(words(200))
        assert words(5000).startswith(text)
        house.app.start()
        for back, said in ((page, words(200)), (other, text)):
            expect(metrics(back).last).to_be_visible(timeout=20_000)
            assert says(back.locator(ANSWER).last, said)
        expect(metrics(other).last).to_contain_text("остановлено")


# -- the database is in trouble ---------------------------------------------------------------------


def test_an_answer_that_cannot_be_stored_is_said_on_screen_and_stored_later(
    page: Page, house: House
):
    thread = begun(page, SHORT, "Запиши это")
    with contextlib.closing(sqlite3.connect(house.database, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        expect(page.get_by_text("Ответ пока не удаётся сохранить")).to_be_visible()
        picture(page, "not-stored-yet")
        until(lambda: says(page.locator(ANSWER).last, words(200)))
        other.execute("ROLLBACK")
    expect(page.get_by_text("Ответ сохранён")).to_be_visible()
    until(lambda: house.answers(thread) == [("completed", words(200))])
    expect(page.locator("#stop-button")).to_have_count(0)


# -- the list of threads ----------------------------------------------------------------------------


def listed(page: Page) -> Locator:
    """The names in the sidebar, from the top."""
    return page.locator('#thread-history [id^="thread-"] .truncate')


def answered(page: Page, question: str) -> str:
    """Asks, waits for the whole answer, and returns the thread."""
    before = metrics(page).count()
    ask(page, question)
    expect(metrics(page)).to_have_count(before + 1)
    expect(page.locator("#stop-button")).to_have_count(0)
    return thread_of(page)


def new_chat(page: Page) -> None:
    page.locator("#new-chat-button").first.click()
    with contextlib.suppress(Exception):
        page.get_by_role("button", name="Подтвердить").click(timeout=300)
    expect(page.locator(QUESTION)).to_have_count(0)


def menu(page: Page, thread: str, choice: str) -> None:
    """Opens the thread's menu in the sidebar and chooses."""
    entry = page.locator(f'[id="thread-{thread}"]')
    entry.hover()
    entry.locator("#thread-options").click()
    page.locator(f"#{choice}-thread").click()


def search(page: Page, text: str) -> Locator:
    """Types into the search and returns what it finds."""
    if not page.get_by_role("dialog").count():
        page.locator("#search-chats-button").click()
    page.get_by_role("dialog").locator("input").fill(text)
    return page.get_by_role("dialog").get_by_role("option")


def test_the_newest_thread_is_on_top_with_its_name_cut_at_a_words_end(page: Page, house: House):
    pick(page, "model", "echo")
    long = "Сколько стоит проезд в метро города Харькова для школьников летом"
    first = answered(page, long)
    expect(listed(page).first).to_have_text("Сколько стоит проезд в метро города Харькова для…")
    new_chat(page)
    second = answered(page, "Второй разговор")
    expect(listed(page).first).to_have_text("Второй разговор")
    page.locator(f'[id="thread-{first}"]').click()
    expect(page.locator(QUESTION)).to_contain_text(long)
    answered(page, "Ещё один вопрос")
    expect(listed(page).first).to_contain_text("Сколько стоит")
    page.reload()
    expect(listed(page).first).to_contain_text("Сколько стоит")
    expect(listed(page).nth(1)).to_have_text("Второй разговор")
    assert second != first
    picture(page, "sidebar")


def test_threads_are_found_by_the_beginnings_of_words_in_any_case_and_inside_messages(page: Page):
    pick(page, "model", "echo")
    answered(page, "Рецепт борща")
    answered(page, "И немного СМЕТАНЫ к нему")
    new_chat(page)
    answered(page, "Їжачок у тумані")
    expect(search(page, "бОрЩ")).to_have_count(1)
    expect(search(page, "сметан")).to_have_text(["Рецепт борща"])
    expect(search(page, "їЖАЧ")).to_have_text(["Їжачок у тумані"])
    picture(page, "search")
    expect(search(page, "тракторист")).to_have_count(0)
    search(page, "сметан").click()
    expect(page.locator(QUESTION).first).to_contain_text("Рецепт борща")


def test_a_thread_is_renamed_and_no_answer_takes_its_name_away(page: Page):
    pick(page, "model", "echo")
    thread = answered(page, "Как назвать это?")
    menu(page, thread, "rename")
    page.locator("#name").fill("Моё название")
    page.get_by_role("dialog").get_by_role("button", name="Подтвердить").click()
    expect(listed(page).first).to_have_text("Моё название")
    answered(page, "А теперь ещё вопрос")
    page.reload()
    expect(listed(page).first).to_have_text("Моё название")


def test_a_thread_is_deleted_after_it_was_confirmed_with_all_that_was_in_it(
    page: Page, house: House
):
    pick(page, "model", "echo")
    thread = answered(page, "Удали меня")
    menu(page, thread, "delete")
    picture(page, "delete")
    page.get_by_role("alertdialog").get_by_role("button", name="Отмена").click()
    expect(page.locator(f'[id="thread-{thread}"]')).to_have_count(1)
    menu(page, thread, "delete")
    page.get_by_role("alertdialog").get_by_role("button", name="Подтвердить").click()
    expect(page.locator(f'[id="thread-{thread}"]')).to_have_count(0)
    expect(page.locator(QUESTION)).to_have_count(0)
    for table in ("steps", "elements", "feedback"):
        assert house.rows(f"SELECT id FROM {table} WHERE thread_id = ?", thread) == []  # noqa: S608  # our names
    page.goto(f"{house.app.url}/thread/{thread}")
    page.wait_for_url(re.compile(r":\d+/$"))


def test_a_starred_question_is_among_the_favourites_after_a_reload(page: Page):
    pick(page, "model", "echo")
    answered(page, "Вопрос со звёздочкой")
    question = page.locator(QUESTION).first
    question.hover()
    question.locator(".favorite-message").click()
    page.reload()
    expect(
        page.locator(QUESTION).first.locator(".favorite-message.text-yellow-500")
    ).to_be_visible()


# -- opened again -----------------------------------------------------------------------------------


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
    house.app.restart()
    for _ in range(2):
        page.goto(f"{house.app.url}/thread/{thread}")
        expect(metrics(page)).to_have_count(1)
        assert squeezed(page.locator(ANSWER).last.inner_text()) == squeezed(first)
        expect(page.get_by_role("button", name=re.compile("размышления"))).to_have_count(1)
        expect(page.locator(".negative-feedback-on")).to_have_count(1)
        expect(page.locator("#mode-picker-trigger-model")).to_contain_text("thinking")
    picture(page, "resumed")
    other = page.context.new_page()
    other.goto(page.url)
    expect(metrics(other)).to_have_count(1)
    answered(page, "Второй вопрос")
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


def test_a_thread_keeps_its_own_mode_and_settings(page: Page, house: House):
    pick(page, "model", "echo")
    thread = answered(page, "Разговор с выбором")
    pick(page, "mode", "Лучший из N")
    kept = "SELECT id FROM threads WHERE id = ? AND metadata LIKE '%best_of%'"
    until(lambda: house.rows(kept, thread))
    new_chat(page)
    pick(page, "mode", "Чат")
    pick(page, "model", "thinking")
    answered(page, "Разговор без выбора")
    page.goto(f"{house.app.url}/thread/{thread}")
    expect(page.locator("#mode-picker-trigger-mode")).to_contain_text("Лучший из N")
    expect(page.locator("#mode-picker-trigger-model")).to_contain_text("echo")


# -- edit and regenerate ----------------------------------------------------------------------------


def test_an_edit_and_a_regeneration_rewind_the_screen_the_database_and_the_history(
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
    until(
        lambda: (
            len(house.rows("SELECT id FROM steps WHERE thread_id = ? AND ended_at IS NULL", thread))
            == 0
        )
    )
    expect(metrics(page)).to_have_count(1)
    assert house.asked() == [{"role": "user", "content": "Три"}]
    for _ in range(2):
        expect(page.locator(QUESTION)).to_have_count(1)
        expect(page.locator(ANSWER)).to_have_count(1)
        expect(page.get_by_role("button", name=re.compile("размышления"))).to_have_count(1)
        kinds = house.rows("SELECT kind FROM steps WHERE thread_id = ? ORDER BY seq", thread)
        assert [kind for (kind,) in kinds] == ["question", "turn", "reasoning", "answer"]
        page.reload()
        expect(metrics(page)).to_have_count(1)


# -- taking it along --------------------------------------------------------------------------------


def test_a_thread_is_downloaded_from_its_own_page_as_markdown_and_as_json(page: Page):
    pick(page, "model", "echo")
    expect(page.locator("#take-along")).to_have_count(0)
    answered(page, "Возьми меня с собой")
    page.get_by_role("button", name="Скачать разговор").click()
    picture(page, "take-along")
    with page.expect_download() as markdown:
        page.get_by_role("link", name="Markdown").click()
    assert markdown.value.suggested_filename == "Возьми меня с собой.md"
    text = markdown.value.path().read_text()
    assert text.startswith("# Возьми меня с собой")
    assert text.count("Возьми меня с собой") == 3
    page.get_by_role("button", name="Скачать разговор").press("Enter")
    expect(page.get_by_role("link", name="Markdown")).to_be_focused()
    with page.expect_download() as document:
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
    kept = json.loads(document.value.path().read_text())
    assert [step["kind"] for step in kept["steps"]] == ["question", "turn", "answer"]


# -- several people ---------------------------------------------------------------------------------

SECRETS = {"ann": "ann's long password", "bob": "bob's long password"}


@pytest.fixture(scope="module")
def shared_house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """AUTH_MODE=password, with two people."""
    opened = House(tmp_path_factory.mktemp("shared"), AUTH_MODE="password")
    with running(opened.models, opened.app):
        for name, password in SECRETS.items():
            users(opened, "add", name, said=password)
        yield opened


def users(house: House, *command: str, said: str = "") -> None:
    """`python -m app users ...`, as an administrator would."""
    subprocess.run(
        [sys.executable, "-m", "app", "users", *command],
        env=dict(house.app.environment),
        cwd=ROOT,
        input=said + "\n",
        text=True,
        check=True,
        capture_output=True,
    )


def sign_in(page: Page, name: str, password: str) -> None:
    page.wait_for_url(re.compile("/login"))
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
    chromium: Browser, shared_house: House
):
    for page in visitor(chromium, shared_house.app.url):
        sign_in(page, "bob", "wrong")
        expect(page.get_by_role("alert")).to_contain_text("Проверьте имя и пароль")
        for _ in range(4):
            with page.expect_response("**/login"):
                page.locator("#password").press("Enter")
        expect(page.get_by_role("alert")).to_contain_text("Слишком много попыток")
        picture(page, "sign-in-slowed")
        assert page.url.endswith("/login")


def test_whoever_signs_out_is_out(chromium: Browser, shared_house: House):
    with person(chromium, shared_house, "ann") as page:
        page.locator("#user-nav-button").click()
        page.get_by_role("menuitem", name="Выйти").click()
        page.wait_for_url(re.compile("/login"))
        page.goto(shared_house.app.url)
        page.wait_for_url(re.compile("/login"))


def test_a_thread_is_its_owners_until_it_is_shared_and_again_when_the_link_is_taken_back(
    chromium: Browser, shared_house: House
):
    house = shared_house
    with person(chromium, house, "ann") as ann, person(chromium, house, "bob") as bob:
        ann.context.grant_permissions(["clipboard-read", "clipboard-write"])
        pick(ann, "model", "thinking")
        thread = answered(ann, "Мой секретный вопрос")
        export = f"{house.app.url}/project/thread/{thread}/export"
        assert ann.request.get(export).status == 200

        def bob_sees_nothing(path: str) -> None:
            bob.goto(f"{house.app.url}/{path}/{thread}")
            bob.wait_for_url(re.compile(r":\d+/$"))
            expect(bob.locator("#chat-input")).to_be_visible()
            expect(bob.get_by_text("секретный")).to_have_count(0)

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
        bob_sees_nothing("thread")
        ann.get_by_role("button", name="Закрыть доступ").click()
        expect(ann.get_by_text("Доступ по ссылке закрыт")).to_be_visible()
        bob_sees_nothing("share")


def test_a_disabled_user_is_out_at_once_with_a_page_open(chromium: Browser, shared_house: House):
    with person(chromium, shared_house, "ann") as page:
        thread = begun(page, LONG, "Успею ли я?")
        users(shared_house, "disable", "ann")
        page.wait_for_url(re.compile("/login"))
        expect(page.get_by_text("Успею ли я?")).to_have_count(0)
        until(lambda: [outcome for outcome, _ in shared_house.answers(thread)] == ["stopped"])
        sign_in(page, "ann", SECRETS["ann"])
        expect(page.get_by_role("alert")).to_contain_text("Проверьте имя и пароль")


def test_a_deep_link_opens_its_thread_in_a_fresh_browser_without_signing_in(
    page: Page, chromium: Browser, house: House
):
    pick(page, "model", "echo")
    thread = answered(page, "Найди меня по ссылке")
    for fresh in visitor(chromium, f"{house.app.url}/thread/{thread}"):
        expect(fresh.locator(QUESTION)).to_contain_text("Найди меня по ссылке")
        expect(metrics(fresh)).to_have_count(1)
