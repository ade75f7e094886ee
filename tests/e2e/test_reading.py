"""Reading a conversation: the view ends where it ends, one field to write in, answers side by side."""

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from app.view.chainlit.markdown import PACE
from tests.e2e.conftest import (
    COUNCIL,
    ENDLESS,
    FLOOD,
    LONG,
    STORY,
    ServerLog,
    ask,
    choose,
    metrics,
    pick,
    picture,
    press,
)
from tests.waiting import wait_until

AT_THE_TOP = "step => step.closest('.overflow-y-auto').scrollTop < 20"
VIEW = '[data-step-type="user_message"]'
LEFT_BELOW = """(question) => {
  const view = question.closest(".overflow-y-auto");
  return view.scrollHeight > view.clientHeight + 50
    ? Math.round(view.scrollHeight - view.clientHeight - view.scrollTop) : "it fits"
}"""
"""Pixels of the conversation under the edge of the view."""
VISIBLE = """(card) => {
  const view = card.closest(".overflow-y-auto").getBoundingClientRect(), box = card.getBoundingClientRect();
  return box.top >= view.top && box.bottom <= view.bottom
}"""


def ends_at_its_end(page: Page) -> None:
    """Nothing is left under the composer once the last thing was drawn."""
    question = page.locator(VIEW).first.element_handle()
    page.wait_for_function(f"(question) => ({LEFT_BELOW})(question) <= 1", arg=question)


def steps_of_council(page: Page) -> Locator:
    return page.get_by_role("button", name=re.compile("Экономист|Юрист|Эколог"))


def test_the_view_ends_where_the_answer_ends_and_the_numbers_unfold_into_it(page: Page):
    pick(page, "model", LONG)
    ask(page, "Расскажи длинную историю")
    expect(metrics(page)).to_have_count(1, timeout=60_000)
    ends_at_its_end(page)
    card = metrics(page).last
    card.get_by_role("button").first.click()
    expect(card.locator(".k-facts")).to_be_visible()
    page.wait_for_function(VISIBLE, arg=card.element_handle())
    picture(page, "numbers-unfolded")


def test_a_reader_who_scrolled_up_stays_there(page: Page, ollama_log: ServerLog):
    pick(page, "model", ENDLESS)
    ask(page, "Расскажи длинную историю")
    page.wait_for_function(
        "() => { const view = document.querySelector('[data-step-type]')?.closest('.overflow-y-auto');"
        " return view && view.scrollTop > 100 }",
        timeout=60_000,
    )
    page.locator('[data-step-type="assistant_message"]').last.hover()

    def scrolled_up() -> bool:
        """By wheel, and again where a busy page lost it, as a person would."""
        page.mouse.wheel(0, -2000)
        page.wait_for_timeout(500)
        return bool(page.locator("[data-step-type]").first.evaluate(AT_THE_TOP))

    wait_until(scrolled_up, within=30)
    ollama_log.hurry()
    expect(metrics(page)).to_have_count(1, timeout=60_000)
    card = metrics(page).element_handle()
    assert card is not None
    assert page.evaluate(VISIBLE, card) is False


def test_the_view_ends_where_a_council_ends(page: Page):
    pick(page, "model", COUNCIL[1])
    pick(page, "mode", "Консилиум")
    ask(page, "Позови экономиста, юриста и эколога: стоит ли отдать набережную под рынок?")
    expect(metrics(page)).to_have_count(4, timeout=60_000)
    ends_at_its_end(page)
    picture(page, "council-end")


def test_a_dialogue_has_one_field_while_it_runs_and_its_form_stays_folded(page: Page):
    pick(page, "model", STORY)
    pick(page, "mode", "Диалог")
    choose(page, dialogue_turns=2)
    form = page.get_by_test_id("participants").locator(".k-fold")
    expect(form).to_have_attribute("aria-expanded", "true")
    ask(page, "Что важнее, скорость или точность?")
    page.wait_for_url("**/thread/*")
    controls = page.get_by_test_id("dialogue")
    expect(controls.get_by_role("textbox")).to_be_visible(timeout=30_000)
    expect(page.locator("#chat-input")).to_be_hidden()
    expect(form).to_have_attribute("aria-expanded", "false")
    picture(page, "dialogue-running")
    page.locator("#stop-button").click()
    expect(page.locator("#chat-input")).to_be_visible()
    expect(form).to_have_attribute("aria-expanded", "false")
    ends_at_its_end(page)


def test_candidates_are_read_side_by_side_and_their_scores_are_no_numbers(page: Page):
    pick(page, "model", "echo")
    pick(page, "mode", "Лучший из")
    ask(page, "Назови одно слово")
    rivals = page.get_by_test_id("candidates")
    expect(rivals).to_be_visible(timeout=30_000)
    expect(rivals).not_to_contain_text(re.compile(r"\d[.,]\d"))
    rivals.get_by_role("button", name="Читать рядом").click()
    texts = rivals.get_by_role("region")
    expect(texts).to_have_count(3)
    for text in texts.all():
        expect(text).to_contain_text("Назови одно слово")
    tops = [box["y"] for text in texts.all() if (box := text.bounding_box())]
    assert max(tops) - min(tops) < 60, "they stand beside each other"
    picture(page, "candidates-beside")


WATCH = """() => {
  window.busy = 0;
  window.watched = performance.now();
  new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) window.busy += duration;
  }).observe({ entryTypes: ["longtask"] });
}"""
WRITTEN = "() => document.querySelector('.ai-message .prose')?.textContent.length"


@pytest.mark.timing
def test_a_page_has_time_for_its_person_while_a_long_answer_floods_it(page: Page):
    """Of an answer of 60,000 characters and more what is new alone is drawn, and at least a quarter of the
    time the page does nothing that could keep it from hearing Stop."""
    pick(page, "mode", "Чат")
    pick(page, "model", FLOOD)
    ask(page, "Пиши без остановки")
    page.wait_for_function(f"() => ({WRITTEN})() > 1000", timeout=60_000)
    drawn = page.locator(".ai-message .prose > *").first.element_handle()
    assert drawn is not None
    page.evaluate(WATCH)
    page.wait_for_function(f"() => ({WRITTEN})() > 50_000", timeout=100_000)
    busy = page.evaluate("() => window.busy / (performance.now() - window.watched)")
    assert busy < 0.75, f"the page was busy for {busy:.0%} of the time"
    assert drawn.evaluate("(element) => element.isConnected"), "it was taken away and made anew"
    press(page, page.locator("#stop-button"))
    expect(page.locator("#stop-button")).to_be_hidden()
    assert page.evaluate(WRITTEN) < 80_000


PACED = """(pace) => {
  const socket = { onAny: (hear) => { socket.hear = hear } };
  const drawn = [];
  let took = 0;
  const draw = (id, words) => {
    drawn.push(words);
    for (const end = performance.now() + took; performance.now() < end; );
  };
  const say = new Function(pace + "; return konsiliumPaced")()(socket, draw);
  const later = (ms) => new Promise((go) => setTimeout(go, ms));
  const write = async (count) => {
    for (let n = 0; n < count; n++) {
      say({ id: "a", token: "x", isSequence: false, isInput: false });
      await later(5);
    }
  };
  return (async () => {
    await write(1);
    const first = drawn.length;
    await later(200);
    took = 300;
    await write(100);
    const slow = drawn.length - first;
    socket.hear("update_message");
    const all = drawn.join("").length;
    say({ id: "a", token: "whole", isSequence: true, isInput: false });
    return { first, slow, all, last: drawn.at(-1) };
  })();
}"""


def test_words_come_at_once_and_are_joined_where_the_page_is_slow_to_draw_them(page: Page):
    said = page.evaluate(PACED, PACE.read_text(encoding="utf-8"))
    assert said["first"] == 1, "the first word is drawn at once"
    assert said["slow"] < 30, "a hundred words that take 300 ms each to be drawn are joined"
    assert said["all"] == 101, "none is lost before anything else happens"
    assert said["last"] == "whole"
