"""The panel of model servers, and the first run without any, in a real browser."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.e2e.conftest import ask, pick, picture, visitor
from tests.processes import Process, konsilium, running, simulator


@pytest.fixture(scope="module")
def keeper(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """A simulated Ollama whose models come and go."""
    server = simulator("ollama", tmp_path_factory.mktemp("keeper"), "echo", "gemma2:2b")
    with running(server):
        yield server


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory, keeper: Process) -> Iterator[Process]:
    """The app over it, and over a server that is down."""
    process = konsilium(
        tmp_path_factory.mktemp("kept"),
        OLLAMA_HOST=keeper.url,
        OPENAI_SERVERS="lab=http://127.0.0.1:9/v1",
        MODEL_NAME="ollama/echo",
    )
    with running(process):
        yield process


def open_panel(page: Page) -> Locator:
    expect(page.locator("#mode-picker-trigger-model")).to_contain_text("echo")  # connected
    page.locator('a[href="#servers"]').first.click()
    panel = page.get_by_test_id("servers")
    expect(panel).to_be_visible()
    return panel


def ollama_of(panel: Locator) -> Locator:
    return panel.get_by_test_id("server").filter(has_text="ollama")


def pull(panel: Locator, model: str) -> Locator:
    field = ollama_of(panel).get_by_label("Скачать модель")
    field.fill(model)
    field.press("Enter")
    return panel.get_by_test_id("pull").filter(has_text=model)


def test_the_panel_shows_each_server_and_its_models(chromium: Browser, kept: Process):
    for page in visitor(chromium, kept.url):
        panel = open_panel(page)
        ollama = ollama_of(panel)
        expect(ollama).to_contain_text(re.compile(r"версия 0\.\S+ • отклик\s.+ • \d\sмодел"))
        expect(ollama).to_contain_text(re.compile(r"gemma2:2b.*ГБ.*окно", re.DOTALL))
        expect(panel.get_by_test_id("server").filter(has_text="lab")).to_contain_text(
            "никто не отвечает"
        )
        ollama.get_by_text("Что советует Ollama").click()
        offers = ollama.get_by_test_id("recommended").get_by_role("listitem")
        expect(offers).to_have_count(2)
        expect(offers.first).to_contain_text("работает в облаке ollama.com")
        expect(offers.last).to_contain_text(re.compile(r"gemma4.*нужно 12.*\sГБ видеопамяти"))
        picture(page, "servers-panel")


def test_a_pull_is_followed_through_a_reload_and_cancelled_and_goes_on_later(
    chromium: Browser, kept: Process
):
    for page in visitor(chromium, kept.url):
        running_pull = pull(open_panel(page), "pull-stall:1b")
        bar = running_pull.get_by_role("progressbar").first
        expect(bar).to_have_attribute("aria-valuenow", re.compile(r"[1-9]"))
        picture(page, "servers-pulling")
        page.reload()
        again = open_panel(page).get_by_test_id("pull").filter(has_text="pull-stall:1b")
        expect(again.get_by_role("progressbar").first).to_have_attribute(
            "aria-valuenow", re.compile(r"5\d")
        )
        again.get_by_role("button", name="Отменить").click()
        expect(again).to_contain_text("отменено")
        page.get_by_test_id("servers").get_by_label("Скачать модель").fill("pull-stall:1b")
        page.keyboard.press("Enter")
        expect(again.get_by_role("progressbar").first).to_have_attribute(
            "aria-valuenow", "60"
        )  # stalled again, one step on from where it was


def test_what_cannot_be_pulled_says_why(chromium: Browser, kept: Process):
    for page in visitor(chromium, kept.url):
        panel = open_panel(page)
        for model, words in (
            ("pull-full:1b", "На диске сервера ollama кончилось место"),
            ("pull-unknown:1b", "Модели pull-unknown:1b в библиотеке нет"),
            ("pull-denied:1b", "Нет прав: серверу ollama закрыта запись в папку моделей"),
        ):
            expect(pull(panel, model)).to_contain_text(words)
        picture(page, "servers-refusals")


def test_a_pulled_model_is_loaded_unloaded_and_removed_and_the_pickers_follow(
    chromium: Browser, kept: Process
):
    for page in visitor(chromium, kept.url):
        panel = open_panel(page)
        expect(pull(panel, "fresh:1b")).to_contain_text("скачано")
        model = panel.get_by_role("listitem").filter(has_text="fresh:1b")
        page.locator("#mode-picker-trigger-model").click()
        expect(page.get_by_role("option", name=re.compile("fresh:1b"))).to_have_count(1)
        page.keyboard.press("Escape")
        model.get_by_role("button", name=re.compile("Загрузить в память")).click()
        expect(model).to_contain_text("● в памяти на GPU")
        picture(page, "servers-loaded")
        model.get_by_role("button", name=re.compile("Выгрузить из памяти")).click()
        expect(model).not_to_contain_text("● в памяти")
        model.get_by_role("button", name=re.compile("Удалить с диска")).click()
        picture(page, "servers-remove")
        panel.get_by_role("alertdialog").get_by_role("button", name="Удалить").click()
        expect(model).to_have_count(0)
        page.locator("#mode-picker-trigger-model").click()
        expect(page.get_by_role("option", name=re.compile("fresh:1b"))).to_have_count(0)


def test_a_closed_panel_stays_closed(chromium: Browser, kept: Process):
    for page in visitor(chromium, kept.url):
        panel = open_panel(page)
        pull(panel, "pull-slow:1b")
        page.locator("#side-view-title button").click()
        expect(panel).to_have_count(0)
        page.wait_for_timeout(1500)  # two redraws and more
        expect(panel).to_have_count(0)


@pytest.mark.parametrize(
    ("dark", "width", "language"), [(True, 1280, "en-US"), (False, 390, "uk-UA")]
)
def test_the_panel_reads_well(
    chromium: Browser, kept: Process, dark: bool, width: int, language: str
):
    for page in visitor(chromium, kept.url, dark=dark, width=width, language=language):
        panel = open_panel(page)
        expect(ollama_of(panel)).to_contain_text("gemma2:2b")
        field = ollama_of(panel).get_by_role("textbox")
        field.fill("pull-slow:7b")
        field.press("Enter")
        expect(panel.get_by_test_id("pull").first).to_be_visible()
        page.wait_for_timeout(1200)
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        picture(page, f"servers-{language[:2]}-{width}")


# -- the first run --------------------------------------------------------------------------------


@pytest.fixture
def first_run(tmp_path: Path) -> Iterator[tuple[Process, Process]]:
    """The app, and an Ollama that is not started yet."""
    server = simulator("ollama", tmp_path, "")
    process = konsilium(tmp_path, OLLAMA_HOST=server.url)
    with running(process):
        yield process, server
        server.stop()


def test_the_guide_turns_green_when_a_server_appears_and_a_starter_works(
    chromium: Browser, first_run: tuple[Process, Process]
):
    app, server = first_run
    for page in visitor(chromium, app.url):
        guide = page.get_by_test_id("guide")
        expect(guide).to_have_attribute("data-ready", "false")
        expect(guide).to_contain_text("никто не отвечает")
        picture(page, "guide-nothing")
        server.start()
        fetch = guide.get_by_role("button", name=re.compile("Скачать (gemma|qwen)"))
        expect(fetch).to_be_visible()
        picture(page, "guide-ollama-up")
        fetch.click()
        expect(guide).to_have_attribute("data-ready", "true")
        expect(guide).to_contain_text("Модель на связи")
        picture(page, "guide-green")
        guide.get_by_role("button", name="Объясни просто").click()
        answer = page.locator('[data-step-type="assistant_message"]').last
        expect(answer).to_contain_text("почему небо голубое")
        expect(page.get_by_test_id("metrics")).to_have_count(1)
        expect(page.locator("#thread-history")).to_contain_text("небо")
        picture(page, "guide-first-answer")
        expect(page).to_have_url(re.compile(r"/thread/"), timeout=30_000)
        page.reload()
        expect(page.locator('[data-step-type="user_message"]')).to_have_count(1)
        expect(guide).to_have_count(0)


def test_a_key_is_tested_kept_and_used_and_never_shown(
    chromium: Browser, first_run: tuple[Process, Process], tmp_path: Path
):
    app, _ = first_run
    cloud = simulator("openai", tmp_path, "echo", "error-401")
    key = "secret-key-of-the-cloud-42"
    with running(cloud):
        for page in visitor(chromium, app.url):
            guide = page.get_by_test_id("guide")
            guide.get_by_text("Облако по ключу").click()
            guide.get_by_label("Поставщик").select_option("other")
            guide.get_by_label("Адрес сервера").fill("http://127.0.0.1:9/v1")
            guide.get_by_label("Ключ API").fill(key)
            guide.get_by_role("button", name="Проверить и сохранить").click()
            expect(guide).to_contain_text("никто не отвечает: http://127.0.0.1:9/v1")
            expect(guide.get_by_label("Ключ API")).to_have_value(key)
            picture(page, "guide-key-refused")
            guide.get_by_label("Адрес сервера").fill(cloud.url.removeprefix("http://"))
            guide.get_by_role("button", name="Проверить и сохранить").click()
            expect(guide).to_have_attribute("data-ready", "true")
            assert key not in page.content()
            ask(page, "Облако, ты здесь?")
            expect(page.locator('[data-step-type="assistant_message"]').last).to_contain_text(
                "Облако, ты здесь?"
            )
            pick(page, "model", "error-401")
            ask(page, "А теперь?")
            page.get_by_test_id("error").get_by_role("button", name="Серверы и ключи").click()
            form = page.get_by_test_id("server-form")
            expect(form.get_by_label("Адрес сервера")).to_have_value(f"{cloud.url}/v1")
            expect(form.get_by_label("Ключ API")).to_have_value("")
            form.get_by_label("Имя").fill("mine")
            form.get_by_role("button", name="Проверить и сохранить").click()
            mine = page.get_by_test_id("server").filter(has_text="mine")
            mine.get_by_role("button", name="Проверить: mine").click()
            expect(mine).to_contain_text("Отвечает: моделей: 2")
            picture(page, "servers-corrected")
        kept_file = tmp_path / "data" / "servers.json"
        assert kept_file.stat().st_mode & 0o777 == 0o600
        app.restart()
        assert key in kept_file.read_text()
        for page in visitor(chromium, app.url):
            cloud_server = open_panel(page).get_by_test_id("server").filter(has_text=cloud.url)
            cloud_server.get_by_role("button", name="Убрать сервер").click()
            question = page.get_by_role("alertdialog")
            expect(question.get_by_role("button", name="Оставить")).to_be_focused()
            picture(page, "servers-forget")
            question.get_by_role("button", name="Убрать").click()
            expect(cloud_server).to_have_count(0)
            expect(page.locator("#mode-picker-trigger-model")).to_contain_text("Моделей пока нет")
    assert key not in kept_file.read_text()
    others = [file for file in (tmp_path / "data").rglob("*") if file.is_file()]
    leaks = [file for file in (*others, app.log) if key.encode() in file.read_bytes()]
    assert leaks == []
