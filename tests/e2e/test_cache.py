"""The answer cache as a person meets it: what it says, what it never does, and how to get rid of it."""

import re
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.e2e.conftest import ServerLog, ask, choose, metrics, picture, visitor
from tests.processes import Process, konsilium, running, simulator
from tests.waiting import wait_until

ANSWER = '[data-step-type="assistant_message"]'
QUESTION = '[data-step-type="user_message"]'
ECHO = "slow-first-200ms+echo"
"""Slower than the lookup, so that a hit comes first however busy the machine is."""
SLOW = "slow-first-1000ms+paced-20ms+len-150"
WHICH = "Які є факультети в ХДУ?"
WHICH_ELSE = "Які факультети є в ХДУ?"
HOW_MANY = "Скільки факультетів у ХДУ?"


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """A model server of our own, whose calls are counted."""
    server = simulator(
        "ollama", tmp_path_factory.mktemp("models"), ECHO, "say-Два", "say-yes", SLOW
    )
    with running(server):
        yield server


@pytest.fixture
def calls(models: Process) -> Callable[[], int]:
    """How often a model was asked."""
    return lambda: len(ServerLog(models).look()["generations"])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def house(folder: Path, models: Process) -> Iterator[Process]:
    """An app behind a proxy that names the user."""
    process = konsilium(
        folder,
        OLLAMA_HOST=models.url,
        MODEL_NAME=f"ollama/{ECHO}",
        AUTH_MODE="header",
        CACHE_CHECK_MODEL="ollama/say-yes",
    )
    with running(process):
        yield process


Visit = Callable[[str], Page]


@pytest.fixture
def visit(chromium: Browser, house: Process) -> Iterator[Visit]:
    """Opens the chat as somebody."""
    visits = []

    def enter(user: str) -> Page:
        visits.append(visitor(chromium, house.url, headers={"X-Forwarded-User": user}))
        page = next(visits[-1])
        expect(page.locator("#mode-picker-trigger-model")).to_be_visible()  # signed in by now
        return page

    yield enter
    for visit in visits:
        next(visit, None)


def new_chat(page: Page) -> None:
    page.goto(page.url.split("/thread")[0])
    expect(page.locator("#mode-picker-trigger-model")).to_be_visible()


def answered(page: Page, text: str) -> Locator:
    """Asks in a new chat and waits for the numbers."""
    new_chat(page)
    ask(page, text)
    expect(metrics(page)).to_have_count(1)
    return page.get_by_test_id("cache")


def entries(folder: Path) -> int:
    with sqlite3.connect(next((folder / "data").glob("*.db"))) as database:
        return int(database.execute("select count(*) from cached_answers").fetchone()[0])


def kept(page: Page, folder: Path, text: str) -> None:
    """Asks, and waits until the answer is kept."""
    before = entries(folder)
    answered(page, text)
    wait_until(lambda: entries(folder) > before)


def test_a_repeated_question_is_answered_from_the_cache_and_the_model_may_be_asked(
    visit: Visit, folder: Path, calls: Callable[[], int]
):
    page = visit("anna")
    answered(page, "Почему небо голубое?")
    assert entries(folder) == 0, "it is off until it is switched on"
    choose(page, answer_cache="Тот же вопрос")
    kept(page, folder, "Почему небо голубое?")
    note = answered(page, "Почему  небо голубое? ")
    expect(note).to_contain_text(
        re.compile(r"Из кеша: этот вопрос уже задавали, \d+ [а-я]+; сэкономлено \d+ токен")
    )
    picture(page, "cache-exact")
    before = calls()
    note.get_by_role("button", name="Спросить модель").click()
    expect(note).to_have_count(0)
    expect(metrics(page)).to_have_count(1)
    wait_until(lambda: calls() > before)
    expect(page.locator(QUESTION)).to_have_count(1)
    page.reload()
    expect(metrics(page)).to_have_count(1)
    expect(page.get_by_test_id("cache")).to_have_count(0)


def test_a_question_a_model_finds_the_same_and_an_alike_one_that_may_be_taken(
    visit: Visit, folder: Path
):
    page = visit("bohdan")
    choose(page, model=SLOW, answer_cache="Тот же, а на похожий — предложить ответ")
    kept(page, folder, WHICH)
    note = answered(page, WHICH_ELSE)
    expect(note).to_contain_text(f"Из кеша: модель сочла, что это тот же вопрос: «{WHICH}»")
    picture(page, "cache-near")

    new_chat(page)
    ask(page, HOW_MANY)
    expect(note).to_contain_text(f"Похожий вопрос уже был: «{WHICH}»")
    expect(page.locator("#stop-button")).to_be_visible()
    picture(page, "cache-suggestion")
    note.get_by_role("button", name="Показать тот ответ").click()
    expect(note).to_contain_text(f"Из кеша: ответ на вопрос «{WHICH}»")
    expect(note).to_have_count(1)
    expect(page.locator(QUESTION)).to_have_count(1)
    expect(page.locator("#stop-button")).to_have_count(0)
    picture(page, "cache-taken")


def test_a_disliked_answer_is_not_given_again(visit: Visit, folder: Path, calls: Callable[[], int]):
    page = visit("vera")
    choose(page, answer_cache="Тот же вопрос")
    kept(page, folder, "Как варить борщ?")
    before = entries(folder)
    answered(page, "Как варить борщ?")
    page.locator(ANSWER).last.hover()
    page.locator(".negative-feedback-off").last.click()
    page.locator("#submit-feedback").click()
    wait_until(lambda: entries(folder) == before - 1)
    asked = calls()
    note = answered(page, "Как варить борщ?")
    expect(note).to_have_count(0)
    wait_until(lambda: calls() > asked)


def test_another_person_model_or_system_prompt_is_another_cache(visit: Visit, folder: Path):
    question = "Сколько ног у паука?"
    page = visit("hanna")
    choose(page, answer_cache="Тот же, а на похожий — предложить ответ")
    kept(page, folder, question)
    expect(answered(page, question)).to_have_count(1)
    other = visit("denys")
    choose(other, answer_cache="Тот же, а на похожий — предложить ответ")
    expect(answered(other, question)).to_have_count(0)
    choose(page, model="say-Два")
    expect(answered(page, question)).to_have_count(0)
    choose(page, model=ECHO, system_prompt="Отвечай стихами")
    expect(answered(page, question)).to_have_count(0)
    choose(page, system_prompt="")
    expect(answered(page, question)).to_have_count(1)


def test_the_dashboard_counts_what_the_cache_gave(visit: Visit, folder: Path):
    page = visit("bohdan")
    page.goto(page.url.rstrip("/") + "/dashboard")
    expect(page.locator("main")).to_have_attribute("aria-busy", "false")
    with sqlite3.connect(next((folder / "data").glob("*.db"))) as database:
        query = (
            "select sum(cache != 'miss'), sum(cache = 'taken') from usage join users"
            " on users.id = user_id where identifier = 'bohdan'"
        )
        hits, taken = database.execute(query).fetchone()
    assert taken == 1
    expect(page.locator('[data-figure="cache"]')).to_have_attribute("data-value", str(hits))
    expect(page.locator("#cards")).to_contain_text("По подсказке: 1")
    picture(page, "cache-dashboard")


def test_an_administrator_names_what_means_the_same(visit: Visit, folder: Path):
    page = visit("bohdan")
    page.goto(page.url.rstrip("/") + "/dashboard")
    expect(page.locator("main")).to_have_attribute("aria-busy", "false")
    expect(page.get_by_test_id("rules")).to_be_hidden()
    with sqlite3.connect(next((folder / "data").glob("*.db"))) as database:
        database.execute(
            "insert into users (id, identifier, role, metadata, created_at)"
            " select 'oksana', 'oksana', 'admin', metadata, created_at from users limit 1"
        )
    page = visit("oksana")
    page.goto(page.url.rstrip("/") + "/dashboard")
    rules = page.get_by_test_id("rules")
    rules.locator("summary").click()
    field = rules.locator("[name=aliases]")
    expect(rules.locator("[name=offerFrom]")).to_have_value("0.7")
    field.fill("ХДУ = Херсонський державний університет")
    rules.get_by_role("button", name="Сохранить").click()
    expect(rules.get_by_role("status")).to_have_text("Сохранено.")
    picture(page, "cache-rules")
    page.reload()
    rules.locator("summary").click()
    expect(field).to_have_value("ХДУ = Херсонський державний університет")
    page.once("dialog", lambda dialog: dialog.accept())
    rules.get_by_role("button", name="Удалить все ответы").click()
    expect(rules.get_by_role("status")).to_contain_text("Удалено ответов:")
    assert entries(folder) == 0
