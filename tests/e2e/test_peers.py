"""The peer council in a real browser: stopped and resumed, a member that dies, its report and what it rests on."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.conftest import ServerLog, ask, choose, pick, picture, press, visitor
from tests.processes import Process, konsilium, running, simulator

SLOW = "paced-500ms+len-250"
MEMBERS = ("json", SLOW, "error-503")
QUESTION = "Стоит ли городу менять автобусы на трамваи и почему?"

IN_SIGHT = """marks => marks.every(mark => {
  const [own, box] = [mark, mark.parentElement].map(one => one.getBoundingClientRect());
  return own.top >= box.top - 1 && own.top < box.bottom;
})"""
"""Whether what is marked is in the part of its answer that is shown."""

browsing = contextmanager(visitor)


@pytest.fixture(scope="module")
def peers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """A server with three models, each of a family of its own, one of which never answers."""
    server = simulator("ollama", tmp_path_factory.mktemp("peers"), *MEMBERS)
    with running(server):
        yield server


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, peers: Process) -> Iterator[Process]:
    folder: Path = tmp_path_factory.mktemp("house")
    process = konsilium(folder, OLLAMA_HOST=peers.url, MODEL_NAME="ollama/json")
    with running(process):
        yield process


def test_a_council_is_stopped_and_goes_on_and_its_points_show_what_they_stand_on(
    chromium: Browser, house: Process, peers: Process
) -> None:
    ServerLog(peers).hurry()  # whatever ran before: there is to be time to stop it
    with browsing(chromium, house.url) as page:
        pick(page, "mode", "Совет")
        choose(page, council_chairman="json")
        ask(page, QUESTION)
        expect(page.get_by_role("button", name=f"B · {SLOW}")).to_be_visible(timeout=60_000)
        press(page, page.locator("#stop-button"))
        assert ServerLog(peers).open_generations_within(5.0) == 0
        state = page.get_by_test_id("council-state")
        expect(state.get_by_role("button")).to_be_visible(timeout=60_000)
        picture(page, "peers-stopped")
        ServerLog(peers).hurry(600)
        state.get_by_role("button").click()
        card = page.get_by_test_id("council-report")
        expect(card).to_be_visible(timeout=180_000)
        expect(card).to_contain_text("ответ сверен", timeout=180_000)
        expect(card).to_contain_text("не ответил")
        expect(page.locator(".step .step").get_by_text("Его очередь заполнена")).to_be_visible()
        card.get_by_role("button", name="Все начинают с ответа").click()
        expect(card.locator("mark")).to_have_count(2)
        assert card.locator("mark").evaluate_all(IN_SIGHT)
        expect(card).to_contain_text("Противоречия")
        expect(card).to_contain_text("Чем кончить")
        picture(page, "peers-report")
        card.get_by_role("button", name=f"Взять этот ответ: {SLOW}").click()
        expect(card).to_contain_text("взят вами")
        page.reload()
        expect(card).to_contain_text("взят вами")
        card.get_by_role("button", name="Вернуть ответ совета").click()
        expect(card).not_to_contain_text("взят вами")


@pytest.mark.parametrize(
    ("language", "width", "mode", "all_agree"),
    [("uk-UA", 390, "Рада", "Згодні всі"), ("en-US", 1280, "Council", "All agree")],
)
def test_the_report_reads_in_the_readers_language_on_a_phone_and_in_the_dark(
    chromium: Browser,
    house: Process,
    peers: Process,
    language: str,
    width: int,
    mode: str,
    all_agree: str,
) -> None:
    ServerLog(peers).hurry(600)
    with browsing(chromium, house.url, language=language, dark=True, width=width) as page:
        pick(page, "mode", mode)
        ask(page, QUESTION)
        card = page.get_by_test_id("council-report")
        expect(card).to_contain_text(all_agree, timeout=180_000)
        card.scroll_into_view_if_needed()
        moments = page.locator('[data-step-type="assistant_message"] .k-time')
        expect(moments.last).to_be_visible()
        assert no_wider_than_the_screen(page)
        picture(page, f"peers-{language}-{width}")


def no_wider_than_the_screen(page: Page) -> bool:
    wide = "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
    return bool(page.evaluate(wide))
