"""Answers side by side in a real browser: streaming at once, names that open with the vote, the winner that
goes on and the other under the arrows."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.conftest import ask, choose, pick, picture, visitor
from tests.processes import Process, konsilium, running, simulator

SLOW = "paced-30ms+len-200"
QUESTION = "Как объяснить ребёнку, почему небо синее?"

browsing = contextmanager(visitor)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    server = simulator("ollama", tmp_path_factory.mktemp("models"), "echo", SLOW, "error-503")
    with running(server):
        folder: Path = tmp_path_factory.mktemp("house")
        process = konsilium(folder, OLLAMA_HOST=server.url, MODEL_NAME="ollama/echo")
        with running(process):
            yield process


def test_hidden_answers_stand_side_by_side_until_the_vote_and_the_winner_goes_on(
    chromium: Browser, house: Process
) -> None:
    with browsing(chromium, house.url) as page:
        pick(page, "mode", "Сравнение")
        choose(page, compare_hidden=True)
        ask(page, QUESTION)
        columns = page.locator('.step .step[data-step-type="tool"]')
        expect(columns).to_have_count(2, timeout=60_000)
        card = page.get_by_test_id("comparison")
        expect(card.get_by_role("button", name="A лучше")).to_be_enabled(timeout=120_000)
        assert side_by_side(page)
        picture(page, "compare-hidden")
        steps = page.locator("#step-A, #step-B")
        expect(steps).to_have_count(2)
        assert SLOW not in page.locator(".step").last.inner_text()
        card.get_by_role("button", name="B лучше").click()
        expect(card).to_contain_text("Вы выбрали: B ·", timeout=60_000)
        picture(page, "compare-voted")
        arrows = page.get_by_test_id("siblings")
        expect(arrows).to_contain_text("1/2")
        page.reload()
        expect(card).to_contain_text("Вы выбрали: B ·", timeout=60_000)
        arrows.get_by_role("button", name="Следующий вариант").click()
        expect(arrows).to_contain_text("2/2", timeout=60_000)
        expect(card).to_have_count(0)
        picture(page, "compare-sibling")
        ask(page, "А почему оно чёрное ночью?")  # the page keeps up with columns below columns
        expect(card.get_by_role("button", name="A лучше")).to_be_enabled(timeout=120_000)
        expect(columns.last).to_be_visible()


@pytest.mark.parametrize(
    ("language", "width", "mode", "good", "said"),
    [
        ("uk-UA", 390, "Порівняння", "Обидві добрі", "Ви сказали: добрі всі"),
        ("en-US", 1280, "Compare", "Both are good", "You said: all are good"),
    ],
)
def test_a_comparison_is_voted_on_in_the_dark_and_on_a_phone(
    chromium: Browser, house: Process, language: str, width: int, mode: str, good: str, said: str
) -> None:
    with browsing(chromium, house.url, language=language, dark=True, width=width) as page:
        pick(page, "mode", mode)
        ask(page, QUESTION)
        card = page.get_by_test_id("comparison")
        button = card.get_by_role("button", name=good)
        expect(button).to_be_enabled(timeout=120_000)
        assert side_by_side(page) == (width > 600)
        wide = "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
        assert page.evaluate(wide)
        card.scroll_into_view_if_needed()
        picture(page, f"compare-{language}-{width}")
        button.click()
        expect(card).to_contain_text(said, timeout=60_000)
        picture(page, f"compare-{language}-{width}-voted")


def side_by_side(page: Page) -> bool:
    """Whether the first two answers begin at the same height."""
    columns = page.locator('.step .step[data-step-type="tool"]')
    tops = [columns.nth(number).bounding_box() for number in (0, 1)]
    return tops[0] is not None and tops[1] is not None and abs(tops[0]["y"] - tops[1]["y"]) < 2
