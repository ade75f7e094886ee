"""A real Chromium, the real app and simulated model servers, each in a process of its own."""

import contextlib
import json
import re
import shutil
import time
import urllib.request
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Locator,
    Page,
    Playwright,
    expect,
    sync_playwright,
)
from playwright.sync_api import Error as PlaywrightError
from playwright.sync_api import TimeoutError as PlaywrightTimeout

from tests.processes import ROOT, Process, browser_path, konsilium, running, simulator

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-device-for-media-stream",  # a microphone that beeps
    "--use-fake-ui-for-media-stream",
]
PICTURES = ROOT / "test-output" / "screenshots"

LONG = "len-400"
STORY = "paced-200ms+len-400"  # nobody is to wait for its end: see ServerLog.hurry
ENDLESS = "paced-10ms+len-4000"
COUNCIL = ("council-0", "council-3", "council-3+paced-200ms+len-400")
FLOOD = "len-16000+paced-1ms"
"""80,000 characters, as quickly as a small model writes noise."""
SLOW_JSON = "json+paced-200ms"
MODELS = (
    "echo",
    "json",
    LONG,
    STORY,
    ENDLESS,
    *COUNCIL,
    FLOOD,
    "vision",
    SLOW_JSON,
    "thinking+json",
    "thinking",
    "load-5s",
    "error-503",
    "reset-after-5",
    "length",
)

expect.set_options(timeout=30_000)
"""A bound alone: on two cores that all the tests share, a page may be drawn late."""


@pytest.fixture(scope="package")
def playwright() -> Iterator[Playwright]:
    """The browser's driver; it goes with the last of these tests, since it keeps an event loop running in
    this process, which asynchronous tests need free."""
    with sync_playwright() as running_playwright:
        yield running_playwright


@pytest.fixture(scope="package")
def launched(playwright: Playwright) -> Iterator[Callable[[], Browser]]:
    """Gives the system's Chromium, Playwright's own where there is none; another one where it has crashed."""
    browsers: list[Browser] = []

    def connected() -> Browser:
        if not browsers or not browsers[-1].is_connected():
            browsers.append(playwright.chromium.launch(executable_path=browser_path(), args=FLAGS))
        return browsers[-1]

    yield connected
    for browser in browsers:
        browser.close()


@pytest.fixture
def chromium(launched: Callable[[], Browser]) -> Browser:
    """The browser: whatever the test before did to it."""
    return launched()


@pytest.fixture(scope="session")
def ollama(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """A simulated Ollama, shared: its faults are chosen by the model's name."""
    server = simulator("ollama", tmp_path_factory.mktemp("ollama"), *MODELS)
    with running(server):
        yield server


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory, ollama: Process) -> Iterator[Process]:
    """The app over the simulated Ollama, in local mode; one a file, since what a person chooses
    becomes the default of the next chat."""
    folder = tmp_path_factory.mktemp("app")
    process = konsilium(folder, OLLAMA_HOST=ollama.url, MODEL_NAME="ollama/echo")
    with running(process):
        yield process
    PICTURES.mkdir(parents=True, exist_ok=True)
    shutil.copy(process.log, PICTURES.parent / "app.log")


@pytest.fixture
def page(chromium: Browser, app: Process) -> Iterator[Page]:
    """A fresh visitor with a Russian browser on the app's first page."""
    yield from visitor(chromium, app.url)


NOBODYS: tuple[tuple[str, str], ...] = (
    (
        r"WebSocket is closed before the connection is established",
        "Chromium, of a page that leaves while Chainlit is connecting",
    ),
    (
        r"status of 401 \(Unauthorized\) \(.*/user\)$",
        "Chromium, of Chainlit's question who one is before anybody has signed in",
    ),
    (
        r"status of 40[01] \([\w ]+\) \(.*/ws/socket\.io/.*transport=polling.*sid=",
        "Chromium, of socket.io's last look as it steps from polling to a WebSocket that is gone, or as "
        "whoever looked has signed out",
    ),
    (
        r"thrown: Worker was terminated",
        "Chainlit's view of a PDF, which goes away while it reads",
    ),
    (
        r"status of 404 \(Not Found\) \(.*/project/file/",
        "Chromium, of Chainlit's preview of an upload that has become the conversation's file meanwhile",
    ),
    (
        r"was preloaded using link preload but not used within a few seconds",
        "Chromium, of a page that a busy machine draws later than that",
    ),
    (
        r"Failed to load resource: net::ERR_ABORTED ",
        "Chromium, of a request that was under way as the page was left",
    ),
)
"""What the console says that nobody of ours can mend: a pattern, and whose it is."""

AWAY = r"net::ERR_|Failed to fetch|WebSocket connection to|status of 503"
"""What it says while the app or the connection is gone."""

_provoked: dict[BrowserContext, list[str]] = {}


def provokes(page: Page, *complaints: str) -> None:
    """The console may say what these patterns match, from now on: the test brings it about on purpose."""
    _provoked.setdefault(page.context, []).extend(complaints)


def visitor(
    chromium: Browser,
    url: str,
    *,
    language: str = "ru-RU",
    dark: bool = False,
    width: int = 1280,
    zone: str | None = None,
    headers: dict[str, str] | None = None,
) -> Iterator[Page]:
    """A page in a context of its own; fails where the page asked anyone but the app for anything, and
    where its console has an error or a warning that is neither NOBODYS nor what the test `provokes`."""
    context = chromium.new_context(
        locale=language,
        timezone_id=zone,
        extra_http_headers=headers,
        color_scheme="dark" if dark else "light",
        viewport={"width": width, "height": 844 if width < 600 else 860},
    )
    strangers: list[str] = []
    origin = url.rsplit(":", 1)[0]
    context.on(
        "request",
        lambda request: (
            strangers.append(request.url)
            if request.url.startswith("http") and not request.url.startswith(origin)
            else None
        ),
    )
    complaints: list[str] = []

    def hear(said: ConsoleMessage) -> None:
        if said.type in ("error", "warning"):
            complaints.append(f"{said.type}: {said.text} ({said.location['url']})")

    context.on("console", hear)
    context.on("weberror", lambda thrown: complaints.append(f"thrown: {thrown.error}"))
    page = context.new_page()
    page.goto(url)
    yield page
    context.close()
    assert strangers == [], "a request left the machine"
    known = [pattern for pattern, _ in NOBODYS] + _provoked.pop(context, [])
    new = [one for one in complaints if not any(re.search(pattern, one) for pattern in known)]
    assert not new, "the console complains:\n" + "\n".join(new)


STATE = """() => ({
    address: location.pathname,
    field: document.querySelector("#chat-input")?.value,
    disabled: [...document.querySelectorAll("#message-composer button[disabled]")].map((button) => button.id),
    running: document.querySelector("#stop-button") !== null,
    text: document.body.innerText.slice(0, 2000),
})"""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """What the page showed and the app last wrote stand in the report of a failed test."""
    report = yield
    if call.when == "call" and report.failed:
        page, app = (getattr(item, "funcargs", {}).get(name) for name in ("page", "app"))
        if page is not None:
            with contextlib.suppress(AttributeError, PlaywrightError):  # it may hang
                state = page.wait_for_function(STATE, polling=100, timeout=5_000).json_value()
                shown = json.dumps(state, ensure_ascii=False, indent=1)
                report.sections.append(("the page", shown))
        if app is not None:
            with contextlib.suppress(AttributeError, OSError):
                report.sections.append(("the app's log", app.log.read_text()[-3000:]))
    return report


def picture(page: Page, name: str) -> Path:
    """Keeps a screenshot as test output, to be looked at."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    path = PICTURES / f"{name}.png"
    for attempt in range(3):
        try:
            page.screenshot(path=path)
            break
        except PlaywrightError as error:  # a busy browser now and then has no frame to show
            if attempt == 2 or "Unable to capture screenshot" not in error.message:
                raise
    return path


def ask(page: Page, text: str) -> None:
    """Types a question and sends it."""
    field = page.locator("#chat-input")
    field.click()
    field.fill(text)
    page.locator("#chat-submit").click()


LAST_QUESTION = """() =>
    [...document.querySelectorAll('[data-step-type="user_message"]')].at(-1)?.querySelector("[id^=step-]")?.id ?? ''"""


def asked(page: Page, text: str) -> Locator:
    """Asks, waits for the whole answer, and returns the card with its numbers: the one that follows
    the question. (Nothing is counted: what a thread just opened has may still be on its way.)"""
    before = page.evaluate(LAST_QUESTION)
    ask(page, text)
    last = page.locator('[data-step-type="user_message"]').last
    mine = last.locator(f'[id^="step-"]:not([id="{before}"])').first
    expect(mine).to_contain_text(text)
    card = page.locator(
        'xpath=(//*[@data-step-type="user_message"])[last()]/following::*[@data-testid="metrics"]'
    ).last
    expect(card).to_be_visible()
    return card


def press(page: Page, button: Locator) -> None:
    """As a person does, with the mouse and at once: the page moves with every word of an answer, and a
    click that waits for it to stand still comes when there is nothing left to stop."""
    expect(button).to_be_visible()
    box = button.bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)


def pick(page: Page, picker: str, option: str) -> None:
    """Chooses in one of the composer's pickers (`model`, `mode`), and opens it again where a busy
    machine closed it, or had not heard from the server yet, as a person would."""
    trigger = page.locator(f"#mode-picker-trigger-{picker}")
    choice = page.locator(f"#mode-picker-popover-{picker}").get_by_role("option", name=option).first
    for _ in range(4):
        trigger.click()
        with contextlib.suppress(PlaywrightTimeout, AssertionError):
            choice.click(timeout=8_000)
            expect(trigger).to_contain_text(option, timeout=5_000)
            return
        page.keyboard.press("Escape")
    expect(trigger).to_contain_text(option)


def metrics(page: Page) -> Locator:
    """The cards with the numbers, one under each answer."""
    return page.locator('[data-testid="metrics"]')


class ServerLog:
    """What the simulated server saw."""

    def __init__(self, server: Process) -> None:
        self._server = server

    def look(self) -> dict[str, Any]:
        with urllib.request.urlopen(self._server.url + "/_sim", timeout=5) as response:  # noqa: S310  # loopback
            return dict(json.load(response))

    def hurry(self, seconds: float = 0) -> None:
        """Lets the answers that are being given come to their end at once; those of the next `seconds`, too."""
        body = json.dumps({"hurry": seconds}).encode()
        urllib.request.urlopen(self._server.url + "/_sim", body, timeout=5).close()  # noqa: S310  # loopback

    def open_generations_within(self, seconds: float) -> int:
        """How many answers are still being generated, once that has settled or the time is up."""
        deadline = time.monotonic() + seconds
        while (count := int(self.look()["open_generations"])) and time.monotonic() < deadline:
            time.sleep(0.02)
        return count


@pytest.fixture
def ollama_log(ollama: Process) -> ServerLog:
    return ServerLog(ollama)


def slide(thumb: Locator, value: float) -> None:
    """Moves a slider by the keyboard. The list that opening the panel fetches may put it back."""
    deadline = time.monotonic() + 15
    while (now := float(thumb.get_attribute("aria-valuenow") or 0)) != value:
        assert time.monotonic() < deadline, f"it stays at {now}"
        thumb.press("ArrowRight" if now < value else "ArrowLeft")


def take(page: Page, field: Locator, option: str | re.Pattern[str]) -> None:
    """Chooses in a list of the settings panel, and again where the list was made fresh under the click,
    which then chose nothing, as a person would."""
    for attempt in range(4):
        if field.get_attribute("aria-expanded") != "true":
            field.click()
        page.get_by_role("option", name=option).first.click()
        try:
            expect(field).to_have_attribute("aria-expanded", "false", timeout=4_000)
            break
        except AssertionError:
            if attempt == 3:
                raise
    expect(field).to_contain_text(option)


def open_settings(page: Page) -> Locator:
    """Opens the settings panel, and once more where the button moved under the click, as a person would."""
    panel = page.locator("#chat-settings")
    for _ in range(4):
        page.locator("#chat-settings-open-modal").click()
        with contextlib.suppress(AssertionError):
            expect(panel).to_be_visible(timeout=8_000)
            break
    expect(panel).to_be_visible()
    return panel


def choose(page: Page, **settings: str | bool | float) -> None:
    """Chooses in the settings panel, by id: a switch by True or False, a list by its option's words, a
    slider by its number, a field by what is typed."""
    panel = open_settings(page)
    for name, value in settings.items():
        field = panel.locator(f"#{name}")
        if isinstance(value, bool):
            if (field.get_attribute("aria-checked") == "true") != value:
                field.click()
            expect(field).to_have_attribute("aria-checked", str(value).lower())
        elif field.get_attribute("type") == "slider":
            slide(field.get_by_role("slider"), float(value))
        elif field.get_attribute("role") == "combobox":
            take(page, field, str(value))
        else:
            field.fill(str(value))
    panel.locator("#confirm").click()
    expect(panel).to_have_count(0)
