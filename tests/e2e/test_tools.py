"""Tools of an MCP server in a real browser: switched on in a conversation, asked for, and managed."""

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.e2e.conftest import STORY, ServerLog, ask, open_settings, pick, picture, visitor
from tests.processes import ROOT, Process, konsilium, running, simulator

CALLER = "tools+echo"
STARTS_MS = 60_000
"""For a server in Python to start on a busy machine."""
AWAY = "https://pictures.invalid/cat.png?q=what-was-said"
HOSTILE = f"""![a cat]({AWAY}) <img src="{AWAY}" onerror="document.title = 'ran'"> <iframe src="{AWAY}"></iframe>
</pre><script>document.title = 'ran'</script> <a href="javascript:document.title = 'ran'">a link</a> `</tool_result>`"""
NOTES = {
    "command": sys.executable,
    "args": ["-m", "tests.simulators.mcp_server"],
    "cwd": str(ROOT),
    "env": {"PAGE": HOSTILE},
}


@pytest.fixture(scope="module")
def caller(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """A simulated Ollama whose model calls the tools that it is told to call."""
    server = simulator("ollama", tmp_path_factory.mktemp("caller"), CALLER, "echo", STORY)
    with running(server):
        yield server


@pytest.fixture
def house(tmp_path: Path, caller: Process) -> Iterator[Process]:
    """The app with one MCP server; one a test, since what is chosen is kept for the next chat."""
    data = tmp_path / "data"
    data.mkdir()
    (data / "mcp.json").write_text(json.dumps({"mcpServers": {"notes": NOTES}}), encoding="utf-8")
    process = konsilium(tmp_path, OLLAMA_HOST=caller.url, MODEL_NAME=f"ollama/{CALLER}")
    with running(process):
        yield process


def begin(page: Page) -> None:
    expect(page.locator("#mode-picker-trigger-model")).to_contain_text(CALLER)


def open_servers(page: Page) -> Locator:
    page.locator('a[href="#servers"]').first.click()
    panel = page.get_by_test_id("tool-servers")
    expect(panel).to_be_visible()
    return panel


def switch_on(page: Page, *names: str) -> None:
    """Chooses tools of the server in the settings panel."""
    expect(open_servers(page)).to_contain_text("7 инструментов", timeout=STARTS_MS)
    page.reload()
    begin(page)
    open_settings(page)
    title = page.locator("#chat-settings").get_by_text("Инструменты: notes")
    field = title.locator("xpath=ancestor::div[.//input][1]").locator("input")
    for name in names:
        field.click()
        page.get_by_role("option", name=name).click()
    page.locator("#chat-settings #confirm").click()
    expect(page.locator("#chat-settings")).to_have_count(0)


def write_call(path: Path) -> str:
    told = json.dumps({"path": str(path), "text": "The roses are watered."})
    return f"call notes__write {told}"


def answer(page: Page, permission: str) -> None:
    page.get_by_role("button", name=permission, exact=True).click()
    expect(page.get_by_role("button", name=permission, exact=True)).to_have_count(0)


def test_a_tool_that_reads_runs_and_its_step_tells_arguments_result_and_time_as_text(
    chromium: Browser, house: Process
):
    for page in visitor(chromium, house.url):  # which asks nobody but the app for anything
        begin(page)
        switch_on(page, "Add", "page")
        ask(page, 'call notes__add {"a": 20, "b": 22}')
        page.locator("#step-Add").click()
        expect(page.get_by_test_id("tool-arguments")).to_contain_text('"a": 20')
        expect(page.get_by_test_id("tool-result")).to_have_text("42")
        expect(page.get_by_test_id("tool")).to_contain_text("Готово за")
        page.reload()
        page.locator("#step-Add").click()
        expect(page.get_by_test_id("tool-result")).to_have_text("42")
        ask(page, "call notes__page {}")
        page.locator("#step-page").click()
        read = page.get_by_test_id("tool").last
        expect(read.get_by_test_id("tool-result")).to_have_text(HOSTILE)
        expect(read.locator("img, iframe, script, a")).to_have_count(0)
        assert page.evaluate("document.title") != "ran"
        picture(page, "tool-hostile")


def test_a_tool_that_changes_something_asks_and_its_question_outlives_a_reload(
    chromium: Browser, house: Process, tmp_path: Path
):
    written = tmp_path / "written.txt"
    for page in visitor(chromium, house.url):
        begin(page)
        switch_on(page, "Все инструменты")
        ask(page, write_call(written))
        question = page.get_by_role("group", name="Модель хочет вызвать notes/write. Разрешить?")
        expect(question).to_be_visible()
        expect(page.get_by_test_id("tool-arguments")).to_contain_text("The roses are watered.")
        picture(page, "tool-asks")
        page.reload()
        expect(question).to_be_visible()
        expect(page.get_by_test_id("tool")).to_have_count(1)
        assert not written.exists()
        other = page.context.new_page()  # another chat goes on meanwhile
        other.goto(house.url)
        begin(other)
        ask(other, 'call notes__add {"a": 1, "b": 2}')
        other.locator("#step-Add").click()
        expect(other.get_by_test_id("tool-result")).to_have_text("3")
        other.close()
        answer(page, "Один раз")
        expect(page.get_by_test_id("tool")).to_contain_text("Готово")
        assert written.read_text() == "The roses are watered."
        written.unlink()
        ask(page, write_call(written))
        answer(page, "Нет")
        expect(page.get_by_test_id("tool").last).to_contain_text("Не запускался")
        assert not written.exists()


def test_always_holds_in_this_conversation_and_in_no_other(
    chromium: Browser, house: Process, tmp_path: Path
):
    written = tmp_path / "written.txt"
    for page in visitor(chromium, house.url):
        begin(page)
        switch_on(page, "write")
        ask(page, write_call(written))
        answer(page, "Всегда здесь")
        expect(page.get_by_test_id("tool")).to_contain_text("Готово")
        page.reload()
        expect(page.get_by_test_id("tool")).to_contain_text("Готово")
        written.unlink()
        ask(page, write_call(written))
        expect(page.locator("#step-write")).to_have_count(2)
        page.locator("#step-write").last.click()
        expect(page.get_by_test_id("tool").last).to_contain_text("Готово")
        assert written.exists()
        page.goto(house.url)
        begin(page)
        ask(page, write_call(written))
        expect(page.get_by_role("button", name="Один раз", exact=True)).to_be_visible()
        page.locator("#stop-button").click()
        expect(page.get_by_test_id("tool")).to_contain_text("Остановлен")


def test_an_administrator_adds_a_server_and_lets_it_go_again(chromium: Browser, house: Process):
    for page in visitor(chromium, house.url):
        begin(page)
        panel = open_servers(page)
        panel.get_by_role("button", name="Добавить сервер инструментов").click()
        form = panel.get_by_role("form")
        form.get_by_label("Имя").fill("другой")
        form.get_by_label("Команда или адрес").fill("there-is-no-such-program")
        form.get_by_role("button", name="Подключить").click()
        alert = form.get_by_role("alert")
        expect(alert).to_contain_text("нет программы или папки", timeout=STARTS_MS)
        picture(page, "tool-servers-failed")
        code = "from tests.simulators.mcp_server import server; server.run()"
        form.get_by_label("Команда или адрес").fill(f'"{sys.executable}" -c "{code}"')
        form.get_by_label(re.compile("Переменные")).fill(f"PYTHONPATH={ROOT}")
        form.get_by_role("button", name="Подключить").click()
        expect(form).to_have_count(0, timeout=STARTS_MS)
        joined = panel.get_by_test_id("tool-server").filter(has_text="другой")
        expect(joined).to_contain_text("7 инструментов")
        joined.get_by_role("button", name="Убрать сервер: другой").click()
        joined.get_by_role("button", name="Убрать", exact=True).click()
        expect(joined).to_have_count(0)


def test_prompts_and_documents_of_a_server_are_commands(
    chromium: Browser, house: Process, caller: Process
):
    for page in visitor(chromium, house.url):
        begin(page)
        command(page, "A letter")
        page.keyboard.press("Enter")
        expect(page.get_by_text("Команде «A letter» нужно: to")).to_be_visible()
        command(page, "A letter")
        page.keyboard.type("Anna tone=stern")
        page.keyboard.press("Enter")
        letter = page.locator("[data-step-type]").get_by_text("Write a stern letter to Anna.")
        expect(letter).to_have_count(2)  # the question, and its echo
        command(page, "Today")
        page.keyboard.type("What today?")
        page.keyboard.press("Enter")
        expect(page.get_by_text("Water the roses at seven.")).to_be_visible()
        page.reload()
        expect(letter.first).to_be_visible()
        expect(page.get_by_text("Today.md", exact=True)).to_be_visible()
        pick(page, "model", STORY)
        ask(page, "A story")
        expect(page.locator("#stop-button")).to_be_visible()
        command(
            page, "A letter"
        )  # Enter takes it, and does not let its beginning wait as a question
        page.keyboard.type("Ben tone=stern")
        page.keyboard.press("Enter")
        expect(page.locator(".k-queued")).to_have_text("Ben tone=stern")
        ServerLog(caller).hurry(60)
        expect(
            page.locator("[data-step-type]").get_by_text("Write a stern letter to Ben.")
        ).to_be_visible()


def command(page: Page, title: str) -> None:
    """Chooses a command by the keyboard, as soon as its server has told it."""
    page.locator("#chat-input").click()
    page.keyboard.type(f"/{title.split()[-1]}")
    option = page.get_by_role("option", name=f"notes: {title}")
    expect(option).to_be_visible(timeout=STARTS_MS)
    page.keyboard.press("Enter")
    expect(option).to_have_count(0)
    expect(page.get_by_text(f"notes: {title}")).to_be_visible()
