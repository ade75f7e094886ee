"""What an answer shows leads nowhere by itself; and the app works below a path."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.conftest import ask, picture, visitor
from tests.processes import Process, konsilium, running

AWAY = "https://pictures.invalid/cat.png?q=what-was-said"
ANSWER = f"""Here: ![a cat]({AWAY})

<img src="{AWAY}&raw" onerror="document.title='ran'"> <script>document.title = 'ran'</script>

[a link](https://links.invalid/x), [no link](javascript:document.title='ran')"""
BELOW = "/team/chat"


def test_a_picture_of_elsewhere_is_a_place_to_click_and_nothing_is_asked_for(page: Page) -> None:
    ask(page, ANSWER)
    image = page.locator("img[data-away]")
    expect(image.first).to_be_visible()
    expect(image.first).to_have_attribute("data-away", AWAY)
    expect(image.first).to_have_attribute("alt", re.compile(re.escape(AWAY)))
    expect(page.get_by_role("link", name="a link", exact=True).first).to_be_visible()
    assert page.locator('a[href^="javascript"]').count() == 0
    assert page.evaluate("document.title") != "ran"
    picture(page, "picture-of-elsewhere")
    around = (
        page.locator("[data-radix-aspect-ratio-wrapper]").filter(has=image).first.bounding_box()
    )
    assert around is not None
    assert around["height"] < 80, "no empty room where a picture would have been"
    page.evaluate("window.open = (url, ...more) => { window.opened = [url, ...more]; }")
    image.first.press("Enter")
    assert page.evaluate("window.opened") == [AWAY, "_blank", "noopener,noreferrer"]


@pytest.fixture(scope="module")
def below(tmp_path_factory: pytest.TempPathFactory, ollama: Process) -> Iterator[Process]:
    """The app below a path, as behind a proxy that has others beside it."""
    folder = tmp_path_factory.mktemp("below")
    variables = {"OLLAMA_HOST": ollama.url, "MODEL_NAME": "ollama/echo"}
    process = konsilium(folder, **variables, CHAINLIT_ROOT_PATH=BELOW)
    process.ready = f"{BELOW}/"
    with running(process):
        yield process


@pytest.fixture
def page_below(chromium: Browser, below: Process) -> Iterator[Page]:
    """A page on which nothing of our own was missing."""
    missing: list[str] = []
    for page in visitor(chromium, f"{below.url}{BELOW}/", language="en-US"):
        page.on(
            "response",
            lambda answer: (
                missing.append(f"{answer.status} {answer.url}") if answer.status >= 400 else None
            ),
        )
        page.reload()
        yield page
    assert missing == []


def test_below_a_path_a_question_is_answered_and_found_again_by_its_address(
    page_below: Page,
) -> None:
    page = page_below
    ask(page, "Hello below")
    expect(page.locator(".ai-message").get_by_text("Hello below").first).to_be_visible()
    page.wait_for_url(f"**{BELOW}/thread/**")
    picture(page, "below-a-path")
    page.reload()
    expect(page.locator(".ai-message").get_by_text("Hello below").first).to_be_visible()


def test_below_a_path_the_headers_links_lead_below_it(page_below: Page) -> None:
    page = page_below
    links = page.locator('a[href*="/dashboard"], a[href*="/knowledge"]')
    expect(links.first).to_be_visible()
    for address in links.evaluate_all("all => all.map(one => one.getAttribute('href'))"):
        assert address.startswith(BELOW)
        answer = page.request.get(f"{page.url.split(BELOW)[0]}{address}")
        assert answer.status == 200
