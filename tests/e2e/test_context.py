"""The context window and compression as a person meets them, and the numbers of a whole conversation."""

import json
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.e2e.conftest import (
    ServerLog,
    ask,
    asked,
    choose,
    metrics,
    open_settings,
    picture,
    visitor,
)
from tests.processes import Process, konsilium, running, simulator
from tests.waiting import wait_until

ANSWER = '[data-step-type="assistant_message"]'
QUESTION = '[data-step-type="user_message"]'
RULES = "Отвечай вежливо, подробно и не торопясь объясняй каждую мысль. " * 20
"""A system prompt long enough to be worth compressing."""
PRICES = '[[price]]\nmodel = "big/*"\ncurrency = "RUB"\ninput = "{input}"\noutput = "0"\n'


def words(count: int) -> str:
    """A message that the simulator counts as the app estimates it: short words."""
    return "да " * (count - 1) + "да"


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """A server without a known window, not a machine of ours."""
    models = ("echo", "json", "error-503", "stall", "say-Коротко", "gpt://folder/novelty/latest")
    server = simulator("openai", tmp_path_factory.mktemp("cloud"), *models)
    with running(server):
        yield server


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("context")


@pytest.fixture(scope="module")
def house(folder: Path, ollama: Process, cloud: Process) -> Iterator[Process]:
    """An app whose Ollama has windows of 4,096 tokens."""
    process = konsilium(
        folder,
        OLLAMA_HOST=ollama.url,
        OLLAMA_NUM_CTX="4096",
        OPENAI_SERVERS=f"big={cloud.url}/v1|key",
        API_ENDPOINT=f"{cloud.url}/v1",  # a cloud; nobody knows what its novelty costs
        YANDEX_API_KEY="key",
        YANDEX_FOLDER_ID="folder",
        MODEL_NAME="ollama/echo",
    )
    with running(process):
        yield process


@pytest.fixture
def chat(chromium: Browser, house: Process) -> Iterator[Page]:
    """A new chat with the settings as they are at first."""
    pages = visitor(chromium, house.url)
    page = next(pages)
    choose(page, model="echo · ollama", **PLAIN)
    yield page
    next(pages, None)


PLAIN: dict[str, str | bool | int] = {
    "window": 0,
    "overflow": "Спросить меня",
    "system_prompt": "",
    "compress_context": False,
}


def blocks(folder: Path, page: Page) -> int:
    """How many blocks the thread of that page has."""
    thread = page.url.rsplit("/", 1)[-1]
    with sqlite3.connect(next((folder / "data").glob("*.db"))) as database:
        query = "select count(*) from compression_blocks where thread_id = ?"
        return int(database.execute(query, (thread,)).fetchone()[0])


def compressed(folder: Path, page: Page) -> None:
    """A conversation that nearly fills its window, with its oldest messages compressed by now."""
    choose(page, model="echo · big", window=3100, compress_context=True)
    choose(page, summary_model="json · big", compress_every=4)
    for _ in range(3):
        asked(page, words(400))
    wait_until(lambda: blocks(folder, page))


def test_the_window_used_is_under_each_answer_with_a_bar(chat: Page):
    choose(chat, window=1024)
    card = asked(chat, words(100))
    expect(card).to_contain_text(re.compile(r"20\d / 1k, 20\s%"))
    meter = card.get_by_role("meter")
    expect(meter).to_have_attribute("aria-valuemax", "1024")
    picture(chat, "window-used")


def test_a_window_nearly_full_warns(chat: Page):
    choose(chat, window=1024)
    card = asked(chat, words(440))
    expect(card).to_contain_text("окно почти заполнено")
    picture(chat, "window-warning")


def test_the_panel_says_where_a_conversation_is_compressed_without_a_model(
    chat: Page, folder: Path
):
    """By whom three times nothing came, as the app keeps it over restarts."""
    choose(chat, model="echo · big", window=0)
    asked(chat, words(20))
    thread = chat.url.rsplit("/", 1)[-1]
    failed = {"balance": 0, "failures": 3, "model": "big/say-Коротко"}
    with sqlite3.connect(next((folder / "data").glob("*.db")), timeout=5) as database:
        row = ("compression_costs", thread, json.dumps(failed))
        database.execute("insert into documents (scope, key, value) values (?, ?, ?)", row)
    choose(chat, compress_context=True, summary_model="say-Коротко · big")
    open_settings(chat)
    word = chat.locator("#compression_stopped")
    expect(word).to_have_value("big/say-Коротко")
    expect(chat.locator("#chat-settings")).to_contain_text("выдержки из ваших слов")
    word.scroll_into_view_if_needed()
    picture(chat, "compressed-without-a-model")
    chat.keyboard.press("Escape")
    choose(chat, summary_model="json · big")
    open_settings(chat)
    expect(chat.locator("#summary_model")).to_be_visible()
    expect(word).to_have_count(0)


def test_a_prompt_the_server_cut_in_silence_is_said(chat: Page):
    choose(chat, model="echo · big")
    card = asked(chat, "предосторожностями " * 250)
    expect(card).to_contain_text("сервер обрезал начало разговора")
    picture(chat, "window-truncated")


@pytest.fixture
def full(chat: Page) -> Locator:
    """The card of a conversation that no longer fits."""
    for _ in range(3):
        asked(chat, words(600))
    ask(chat, words(600))
    card = chat.get_by_test_id("error")
    expect(card).to_contain_text("не помещается в окно")
    return card


def test_what_does_not_fit_may_leave_out_the_oldest(chat: Page, full: Locator):
    picture(chat, "window-full")
    full.get_by_role("button", name="Отбросить старые сообщения").click()
    expect(metrics(chat)).to_have_count(4)
    expect(metrics(chat).last).to_contain_text(re.compile(r"не отправлено \d стары"))
    expect(chat.locator(QUESTION)).to_have_count(4)
    picture(chat, "window-dropped")
    chat.reload()
    expect(metrics(chat)).to_have_count(4)
    asked(chat, words(600))  # from now on, without being asked again


def test_what_does_not_fit_may_be_compressed_at_once(chat: Page, full: Locator, folder: Path):
    choose(chat, compress_context=True)
    choose(chat, summary_model="json · big")
    full.get_by_role("button", name="Сжать сейчас").click()
    expect(metrics(chat)).to_have_count(4)
    expect(chat.get_by_test_id("compression")).to_contain_text(re.compile(r"Сообщения 1–\d сжаты"))
    expect(chat.get_by_test_id("error")).to_have_count(0)
    picture(chat, "window-compressed")


def test_what_does_not_fit_may_go_to_another_model(chat: Page, full: Locator):
    another = full.get_by_role("button", name="Повторить с другой моделью")
    another.click()  # the same model would say the same: the list opens
    popover = chat.locator("#mode-picker-popover-model")
    popover.get_by_role("option", name="echo · big").first.click()
    expect(chat.locator("#mode-picker-trigger-model")).to_contain_text("big")
    another.click()
    expect(metrics(chat)).to_have_count(4)
    expect(chat.get_by_test_id("error")).to_have_count(0)


def test_the_second_switch_waits_for_the_first(chat: Page):
    panel = open_settings(chat)
    second = panel.locator("#compress_system_prompt")
    expect(second).to_be_disabled()
    panel.locator("#compress_context").click()
    expect(second).to_be_enabled()
    panel.locator("#compress_context").click()
    expect(second).to_be_disabled()


def system_prompt(ollama: Process) -> str:
    """The one that the server was sent last."""
    asked = [r["body"] for r in ServerLog(ollama).look()["requests"] if r["path"] == "/api/chat"]
    return str(asked[-1]["messages"][0]["content"])


def test_facts_are_pinned_in_the_panel_before_anything_is_said(chat: Page, ollama: Process):
    facts = "Бюджет — 12 400 ₽\nНе звонить по пятницам"
    choose(chat, pinned_facts=facts)
    asked(chat, "Что запомнить?")
    system = system_prompt(ollama)
    assert [line in system for line in facts.split("\n")] == [True, True]
    chat.reload()
    expect(metrics(chat)).to_have_count(1)
    open_settings(chat)
    field = chat.locator("#chat-settings #pinned_facts")
    expect(field).to_have_value(facts)
    field.scroll_into_view_if_needed()
    picture(chat, "pinned-facts")
    field.fill("Не звонить по пятницам")
    chat.locator("#chat-settings #confirm").click()
    asked(chat, "А теперь?")
    system = system_prompt(ollama)
    assert ("пятницам" in system, "12 400" in system) == (True, False)


def test_a_compressed_conversation_says_so_and_its_facts_are_pinned(
    chat: Page, folder: Path, house: Process
):
    compressed(folder, chat)
    card = asked(chat, "Что дальше?")
    note = chat.get_by_test_id("compression")
    expect(note).to_contain_text(re.compile(r"Сообщения 1–4 сжаты: [\d\s]+ → [\d\s]+ токен"))
    note.get_by_role("button").first.click()
    expect(note.locator(".k-notes")).to_contain_text("да да")
    note.get_by_role("textbox").fill("Бюджет — 12 400 ₽")
    note.get_by_role("button", name="Закрепить").click()
    expect(note.locator(".k-pins")).to_contain_text("Бюджет — 12 400 ₽")
    card.get_by_role("button").first.click()
    expect(card).to_contain_text(re.compile("Сжатие контекста.*сэкономлено", re.DOTALL))
    picture(chat, "compression-note")

    chat.reload()
    note = chat.get_by_test_id("compression")
    note.get_by_role("button").first.click()
    expect(note.locator(".k-pins li")).to_have_count(1)
    asked(chat, "Какой бюджет?")  # compressed after a resume as before
    last = metrics(chat).last
    last.get_by_role("button").first.click()
    expect(last).to_contain_text("Сжатие контекста")
    note.get_by_role("button", name=re.compile("Открепить")).click()
    expect(note.locator(".k-pins")).to_have_count(0)
    chat.reload()
    note.get_by_role("button").first.click()
    expect(note.locator(".k-notes")).to_be_visible()
    expect(note.locator(".k-pins")).to_have_count(0)
    expect(chat.locator(QUESTION)).to_have_count(5)  # the person sees the whole conversation


@pytest.mark.parametrize("summariser", ["error-503", "stall"])
def test_a_summariser_that_fails_or_hangs_leaves_the_conversation_as_it_was(
    chat: Page, folder: Path, cloud: Process, summariser: str
):
    log = ServerLog(cloud)
    before = len(log.look()["requests"])
    choose(chat, model="echo · big", window=3100, compress_context=True)
    choose(chat, summary_model=f"{summariser} · big", compress_every=4)
    for _ in range(3):
        asked(chat, words(400))
    wait_until(lambda: len(log.look()["requests"]) > before + 3)
    card = asked(chat, "Что дальше?")
    expect(chat.get_by_test_id("compression")).to_have_count(0)
    expect(chat.get_by_test_id("error")).to_have_count(0)
    card.get_by_role("button").first.click()
    expect(card).not_to_contain_text("Сжатие контекста")


def test_a_system_prompt_is_shown_before_and_after(chat: Page):
    choose(chat, model="echo · big", system_prompt=RULES, compress_context=True)
    choose(chat, compress_system_prompt=True, summary_model="say-Коротко · big")
    asked(chat, "Первый")

    def shortened() -> bool:
        open_settings(chat)
        chat.locator("#chat-settings #confirm").wait_for()
        there = chat.locator("#short_system_prompt").count() > 0
        if not there:
            chat.locator("#chat-settings #confirm").click()
        return there

    wait_until(shortened)
    panel = chat.locator("#chat-settings")
    expect(panel.locator("#short_system_prompt")).to_have_value(re.compile("Коротко"))
    expect(panel).to_contain_text(re.compile(r"Сжатый системный промпт: [\d\s]+ → [\d\s]+ токен"))
    panel.locator("#short_system_prompt").scroll_into_view_if_needed()
    picture(chat, "system-prompt-before-and-after")
    panel.locator("#confirm").click()
    card = asked(chat, "Второй")
    card.get_by_role("button").first.click()
    expect(card).to_contain_text("Сжатие системного промпта")


def test_the_panel_tells_what_the_conversation_took_and_prices_come_from_the_file(
    chat: Page, folder: Path
):
    card = asked(chat, "Сколько стоит?")
    card.get_by_role("button").first.click()
    expect(card).to_contain_text(re.compile(r"Стоимость\s*0 ₽"))
    choose(chat, model="echo · big")
    card = asked(chat, "А здесь?")
    card.get_by_role("button").first.click()
    expect(card).to_contain_text(re.compile(r"Стоимость\s*0 ₽"))  # a server on this machine
    (folder / "data" / "prices.toml").write_text(PRICES.format(input="1000"))

    def priced() -> bool:
        last = asked(chat, "А теперь?")
        last.get_by_role("button").first.click()
        return re.search(r"Стоимость\s*[\d\s]+,00 ₽", last.inner_text()) is not None

    wait_until(priced, 30)
    open_settings(chat)
    line = chat.locator("#chat-settings #thread_total")
    expect(line).to_be_disabled()
    number = r"\d[\d\s]*"  # a thousand has a space in it
    expect(line).to_have_value(re.compile(rf"токены: {number} → {number} · {number},00 ₽"))
    picture(chat, "thread-total")
    (folder / "data" / "prices.toml").unlink()


def test_a_price_nobody_knows_is_a_dash(chat: Page):
    choose(chat, model="novelty")
    card = asked(chat, "Сколько стоит?")
    card.get_by_role("button").first.click()
    expect(card).to_contain_text(re.compile(r"Стоимость\s*—"))
    picture(chat, "price-unknown")
    panel = open_settings(chat)
    expect(panel.locator("#thread_total")).to_have_value(re.compile(r"токены: \d+ → \d+ · —"))
    expect(panel).to_contain_text("без известной цены: 1")
    chat.goto(chat.url.split("/thread")[0] + "/dashboard?by=model")
    expect(chat.locator("main")).to_have_attribute("aria-busy", "false")
    row = chat.locator('#groups tr[data-key="yandex/novelty"] td[data-label="Стоимость"]')
    expect(row).to_have_text("—")
    picture(chat, "price-unknown-dashboard")


def test_it_fits_a_phone_in_the_dark(chromium: Browser, house: Process):
    for page in visitor(chromium, house.url, language="uk-UA", dark=True, width=390):
        choose(page, model="echo · ollama", window=1024)
        card = asked(page, words(440))
        expect(card).to_contain_text("вікно майже заповнене")
        card.get_by_role("button").first.click()
        expect(card).to_contain_text("Контекстне вікно")
        picture(page, "window-uk-dark-390")
        ask(page, words(440))
        expect(page.get_by_test_id("error")).to_contain_text("не вміщується у вікно")
        picture(page, "window-full-uk-dark-390")
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        open_settings(page)
        expect(page.locator("#chat-settings #thread_total")).to_have_value(re.compile("токени"))
        picture(page, "thread-total-uk-dark-390")
