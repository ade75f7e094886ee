"""The council in a real browser: consultations, dialogues, the best of three, answers with a title."""

import re
import signal
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.axe import wait_for_no_violations
from tests.e2e.conftest import (
    AWAY,
    COUNCIL,
    SLOW_JSON,
    STORY,
    ServerLog,
    ask,
    choose,
    metrics,
    pick,
    picture,
    provokes,
    visitor,
)
from tests.processes import Process, konsilium, running

ANSWER = '[data-step-type="assistant_message"]'
PERSON = '[data-step-type="user_message"]'
ROLES = ("Экономист", "Юрист", "Эколог")
WEIGHTY = "Стоит ли городу отдать набережную под рынок: экономика, право, экология?"
NOBODY_NEEDED, THREE, THREE_SLOW = COUNCIL

browsing = contextmanager(visitor)


def convene(page: Page) -> None:
    """Chooses the consultation in place of another mode; its form is there before anything is asked."""
    pick(page, "mode", "Консилиум")
    expect(page.get_by_test_id("participants")).to_be_visible()


def step(page: Page, name: str) -> Locator:
    """A step of the tree, by its name: what it says and its numbers."""
    return page.locator(".step").filter(has=page.get_by_role("button", name=name, exact=True)).last


def test_a_consultation_shows_its_specialists_at_work_and_its_total(page: Page):
    convene(page)
    ask(page, "Позови экономиста и юриста: открывать ли кофейню?")
    expect(page.get_by_role("button", name=re.compile("[Ээ]кономист")).first).to_be_visible()
    expect(metrics(page)).to_have_count(3, timeout=30_000)
    picture(page, "consultation")
    wait_for_no_violations(page)
    page.evaluate("localStorage.setItem('vite-ui-theme', 'dark')")
    page.reload()
    expect(page.get_by_role("button", name=re.compile("[Ээ]кономист")).first).to_be_visible()
    expect(metrics(page)).to_have_count(3)
    card = metrics(page).last
    card.get_by_role("button").first.click()
    expect(card.locator("tfoot")).to_contain_text("Итого")
    expect(card.locator("tbody")).to_contain_text(re.compile("Экономист.*Юрист", re.DOTALL))
    picture(page, "consultation-numbers")
    wait_for_no_violations(page)
    for opener, opened in (
        ("#mode-picker-trigger-model", "#mode-picker-popover-model"),
        ("#mode-picker-trigger-mode", "#mode-picker-popover-mode"),
        ("#search-chats-button", '[role="dialog"][data-state="open"]'),
        ("#chat-settings-open-modal", "#chat-settings"),
    ):
        page.locator(opener).click()
        expect(page.locator(opened)).to_be_visible()
        wait_for_no_violations(page)
        page.keyboard.press("Escape")
        expect(page.locator(opened)).to_be_hidden()
    page.evaluate("localStorage.setItem('vite-ui-theme', 'light')")
    page.locator('#header a[href="#servers"]').click()
    expect(page.get_by_test_id("servers")).to_be_visible()
    wait_for_no_violations(page)


def test_the_best_of_three_is_shown_with_its_rivals_and_another_may_be_promoted(page: Page):
    pick(page, "mode", "Лучший из")
    ask(page, "Назови одно слово")
    rivals = page.get_by_test_id("candidates")
    expect(rivals).to_be_visible(timeout=30_000)
    picture(page, "best-of")
    rivals.get_by_role("button", name=re.compile("Выбрать")).first.click()
    expect(rivals).to_contain_text("выбрали вы")
    page.reload()
    expect(rivals).to_contain_text("выбрали вы")
    choose(page, best_of_forbidden="сло*")
    ask(page, "Назови одно слово ещё раз")
    expect(rivals).to_have_count(2, timeout=30_000)
    expect(rivals.last.get_by_text("запрещённые слова")).to_have_count(3)
    expect(rivals.last).to_contain_text("проверку не прошёл ни один")
    choose(page, best_of_forbidden="", best_of_selector="Судит модель", best_of_judge="json")
    ask(page, "Кто из вас лучше?")
    expect(rivals).to_have_count(3, timeout=30_000)
    expect(rivals.last).to_contain_text("судья не отдал предпочтения")
    card = metrics(page).last
    card.get_by_role("button").first.click()
    expect(card.locator("tbody").get_by_text("Судья")).to_have_count(4)
    picture(page, "best-of-judged")
    choose(page, best_of_selector="По сходству")


def test_models_talk_and_a_word_put_in_enters_the_conversation(page: Page, ollama_log: ServerLog):
    pick(page, "mode", "Диалог")
    form = page.get_by_test_id("participants")
    expect(form).to_be_visible()
    picture(page, "participants")
    pick(page, "model", STORY)
    ask(page, "Нужны ли городам трамваи?")
    controls = page.get_by_test_id("dialogue")
    expect(controls).to_be_visible()
    expect(page.locator(ANSWER).filter(has_text="Привет").first).to_be_visible()
    controls.get_by_role("textbox").fill("А как же автобусы?")
    controls.get_by_role("button", name="Вставить слово").click()
    ollama_log.hurry()
    expect(page.locator(PERSON)).to_have_count(2, timeout=30_000)
    picture(page, "dialogue")
    controls.get_by_role("textbox").fill("И метро?")
    controls.get_by_role("button", name="Вставить слово").click()
    expect(controls).to_contain_text("Прозвучит следующим: И метро?")
    page.locator("#stop-button").click()
    assert ollama_log.open_generations_within(1.0) == 0
    said = ["Нужны ли городам трамваи?", "А как же автобусы?", "И метро?"]
    for _ in "now", "brought back":
        expect(page.locator(PERSON)).to_contain_text(said)
        expect(metrics(page).last).to_contain_text("остановлено")
        page.reload()
    assert ollama_log.look()["open_generations"] == 0


def test_an_answer_with_a_title_has_a_heading_and_names_the_thread(page: Page):
    pick(page, "mode", "Чат")
    pick(page, "model", "echo")
    ask(page, "Поговорим о воде")
    threads = page.locator("#thread-history")
    expect(threads.get_by_text("Поговорим о воде")).to_be_visible()
    expect(metrics(page)).to_have_count(1)
    choose(page, structured=True)
    pick(page, "model", "json")
    ask(page, "Расскажи о море")
    expect(page.locator(ANSWER).last.locator("h2")).to_contain_text("Расскажи о море")
    expect(threads.get_by_text("Расскажи о море")).to_be_visible()
    expect(threads.get_by_text("Поговорим о воде")).to_have_count(0)
    picture(page, "structured")
    choose(page, structured=False)


def test_a_council_stopped_at_work_comes_back_whole_after_the_app_was_killed(
    chromium: Browser, ollama: Process, ollama_log: ServerLog, tmp_path: Path
):
    app = konsilium(tmp_path, OLLAMA_HOST=ollama.url, MODEL_NAME=f"ollama/{THREE_SLOW}")
    with running(app), browsing(chromium, app.url) as page:
        convene(page)
        ask(page, WEIGHTY)
        for role in ROLES:
            expect(step(page, role)).to_contain_text("Привет", timeout=30_000)
        assert ollama_log.look()["open_generations"] == 3
        page.locator("#stop-button").click()
        assert ollama_log.open_generations_within(1.0) == 0
        expect(metrics(page).last).to_contain_text("остановлено")
        for role in ROLES:
            expect(step(page, role)).to_contain_text("остановлено")
        said = {role: step(page, role).inner_text() for role in ROLES}
        cards = metrics(page).count()
        page.evaluate("() => navigator.serviceWorker.ready.then(() => true)")
        provokes(page, AWAY)
        app.stop(signal.SIGKILL)
        page.reload()
        expect(page.get_by_role("status")).to_have_text("Konsilium не отвечает")
        picture(page, "away")
        wait_for_no_violations(page)
        app.start()  # the page comes back by itself
        for role in ROLES:
            expect(step(page, role)).to_contain_text("остановлено", timeout=60_000)
            assert step(page, role).inner_text() == said[role]
        expect(metrics(page)).to_have_count(cards)
        expect(metrics(page).last).to_contain_text("остановлено")
        picture(page, "council-stopped")


def test_a_council_keeps_a_contradiction_and_says_beforehand_what_it_costs(page: Page):
    pick(page, "model", THREE)
    convene(page)
    ask(page, WEIGHTY)
    expect(metrics(page)).to_have_count(4, timeout=30_000)
    expect(page.get_by_text(re.compile("5 вызовов модели"))).to_be_visible()
    colours = {
        step(page, role).evaluate("e => getComputedStyle(e).getPropertyValue('--k-voice')")
        for role in ROLES
    }
    assert len(colours) == 3
    answer = page.locator(ANSWER).last
    expect(answer).to_contain_text("Прибыль будет через год")
    expect(answer).to_contain_text("Прибыли не будет вовсе")


def test_specialists_in_turn_read_the_earlier_ones_and_one_who_fails_is_named(page: Page):
    pick(page, "model", THREE)
    pick(page, "mode", "Консилиум")
    choose(page, consultation_order="По очереди", consultation_any_model=True)
    ask(page, WEIGHTY)
    expect(metrics(page).last).to_contain_text("символ", timeout=30_000)
    expect(step(page, "Юрист")).to_contain_text("Прибыль будет через год")
    for _ in "now", "brought back":
        answer = page.locator(ANSWER).last
        expect(answer).to_contain_text("Не ответили: Эколог.")
        expect(answer).to_contain_text('from="Юрист"')
        expect(answer).not_to_contain_text('from="Эколог"')
        expect(step(page, "Эколог").get_by_test_id("error")).to_contain_text("прервалась")
        expect(step(page, "Юрист").get_by_test_id("error")).to_have_count(0)
        picture(page, "council-with-a-failure")
        page.reload()
    choose(page, consultation_order="Одновременно", consultation_any_model=False)


def test_a_question_that_needs_nobody_is_answered_directly_and_the_thread_goes_on_in_another_mode(
    page: Page,
):
    pick(page, "model", NOBODY_NEEDED)
    pick(page, "mode", "Консилиум")
    ask(page, WEIGHTY)
    expect(page.locator(ANSWER).last).to_contain_text("набережную")
    expect(metrics(page)).to_have_count(1)
    card = metrics(page).last
    card.get_by_role("button").first.click()
    expect(card.locator("tbody tr").first).to_contain_text("Выбор специалистов")
    expect(card).not_to_contain_text("остановлено")
    picture(page, "council-not-needed")
    pick(page, "mode", "Диалог")
    form = page.get_by_test_id("participants")
    expect(form).to_be_visible()
    pick(page, "mode", "Чат")
    expect(form).to_have_count(0)
    ask(page, "А коротко?")
    expect(page.locator(ANSWER).last).to_contain_text("А коротко?")
    page.reload()
    expect(metrics(page)).to_have_count(2)
    expect(page.locator("#mode-picker-trigger-mode")).to_contain_text("Чат")


def test_a_company_set_up_in_the_form_talks_under_its_own_names_and_comes_back(page: Page):
    pick(page, "model", "echo")
    pick(page, "mode", "Диалог")
    form = page.get_by_test_id("participants")
    form.get_by_label("Имя").nth(0).fill("Физик")
    form.get_by_label("Имя").nth(1).fill("Поэт")
    form.get_by_label("Название состава").fill("Учёные")
    form.get_by_role("button", name="Сохранить состав").click()
    expect(form.get_by_label("Готовые составы")).to_contain_text("Учёные")
    form.get_by_role("button", name="Применить").click()
    expect(form).to_contain_text("Физик, Поэт")
    expect(form.get_by_label("Имя")).to_have_count(0)
    choose(page, dialogue_turns=2)
    ask(page, "О чём поют волны?")
    more = page.get_by_test_id("dialogue").get_by_role("button", name="Продолжить")
    expect(more).to_be_visible(timeout=30_000)
    for name in ("Физик", "Поэт"):
        expect(page.locator(ANSWER).filter(has_text=name).first).to_be_visible()
    picture(page, "dialogue-ended")
    page.get_by_test_id("dialogue").get_by_role("combobox").select_option("2")
    more.click()
    expect(page.locator(PERSON)).to_have_count(2)
    expect(metrics(page)).to_have_count(4, timeout=30_000)  # two lines, and two more
    expect(more).to_be_visible(timeout=30_000)
    moments = page.locator(ANSWER).locator(":scope > div > .k-time:visible")
    expect(moments).to_have_count(2)  # one a turn, beside its buttons: elsewhere they cover words
    page.reload()
    expect(metrics(page)).to_have_count(4)
    expect(form).to_contain_text("Физик, Поэт")
    expect(form.get_by_label("Имя")).to_have_count(0)
    form.get_by_role("button", name="Участники").click()
    expect(form.get_by_label("Имя").first).to_have_value("Физик")
    form.get_by_label("Готовые составы").select_option("Учёные")
    form.get_by_role("button", name="Удалить состав").click()
    expect(form.get_by_label("Готовые составы")).to_have_count(0)
    picture(page, "dialogue-resumed")


def test_a_paused_dialogue_waits_and_goes_on(page: Page, ollama_log: ServerLog):
    pick(page, "model", THREE_SLOW)
    pick(page, "mode", "Диалог")
    form = page.get_by_test_id("participants")
    form.get_by_label("Имя").nth(0).fill("Врач")
    form.get_by_label("Имя").nth(1).fill("Скептик")
    choose(page, dialogue_tokens=100)  # 10 s a line: time enough for a slow machine to pause
    ask(page, "Нужны ли городам трамваи?")
    expect(page.locator(ANSWER).filter(has_text="Врач").first).to_be_visible()
    controls = page.get_by_test_id("dialogue")
    controls.get_by_role("button", name="Пауза").click()
    expect(controls).to_contain_text("Диалог на паузе")
    ollama_log.hurry()
    assert ollama_log.open_generations_within(30) == 0
    picture(page, "dialogue-paused")
    controls.get_by_role("button", name="Продолжить").click()
    expect(page.locator(ANSWER).filter(has_text="Скептик").first).to_be_visible()
    page.locator("#stop-button").click()
    assert ollama_log.open_generations_within(1.0) == 0
    expect(metrics(page).last).to_contain_text("остановлено")
    choose(page, dialogue_tokens=500)


def test_the_title_and_the_text_are_read_before_the_json_is_complete(
    page: Page, ollama_log: ServerLog
):
    pick(page, "mode", "Чат")
    choose(page, structured=True)
    pick(page, "model", SLOW_JSON)
    ask(page, "Расскажи о море и о том, как в нём живут киты и дельфины")
    answer = page.locator(ANSWER).last
    expect(answer.locator("h2")).to_contain_text("Расскажи о море")
    expect(answer.get_by_role("article").first).to_contain_text("Расскажи")
    expect(page.locator("#stop-button")).to_be_visible()
    expect(metrics(page)).to_have_count(0)
    picture(page, "structured-midway")
    ollama_log.hurry()
    expect(metrics(page)).to_have_count(1, timeout=30_000)
    pick(page, "model", "thinking+json")
    ask(page, "А о реке?")
    expect(page.locator(ANSWER).last.locator("h2")).to_contain_text("А о реке?")
    pick(page, "model", "echo")
    ask(page, "Просто слова")
    expect(page.locator(ANSWER).last).to_contain_text("Просто слова")
    choose(page, structured=False)


@pytest.mark.parametrize(("language", "width"), [("ru-RU", 390), ("uk-UA", 390), ("ru-RU", 1280)])
def test_the_names_of_modes_are_read_whole_in_the_composer(
    chromium: Browser, app: Process, language: str, width: int
) -> None:
    longest = {"ru-RU": "Консилиум специалистов", "uk-UA": "Консиліум фахівців"}[language]
    with browsing(chromium, app.url, language=language, width=width) as page:
        pick(page, "mode", longest)
        name = page.locator("#mode-picker-trigger-mode > span").filter(has_text=longest)
        picture(page, f"composer-{language}-{width}")
        assert name.evaluate("span => span.scrollWidth <= span.clientWidth")
        wide = "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
        assert page.evaluate(wide)


def test_a_question_that_weighs_options_has_another_way_offered_under_its_answer(page: Page):
    pick(page, "mode", "Консилиум")
    pick(page, "model", NOBODY_NEEDED)
    ask(page, "Что лучше для набережной: рынок или парк?")
    offer = page.get_by_test_id("offer")
    expect(offer).to_contain_text("вызов", timeout=60_000)
    expect(offer.get_by_role("button")).to_be_enabled()
    offer.scroll_into_view_if_needed()
    picture(page, "offer")
    offer.get_by_role("button", name="Созвать совет").click()
    expect(page.get_by_test_id("council-report")).to_be_visible(timeout=120_000)
    expect(page.get_by_test_id("siblings")).to_contain_text("2/2", timeout=120_000)
    expect(page.locator("#mode-picker-trigger-mode")).to_contain_text("Консилиум")
