"""The small things that a person notices: margins, words, figures and buttons, on a phone too."""

import re
from collections.abc import Callable
from functools import partial

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect

from tests.axe import wait_for_no_violations
from tests.e2e.conftest import ask, metrics, open_settings, pick, picture, visitor
from tests.processes import Process
from tests.waiting import wait_until


def top(page: Page, selector: str) -> float:
    """Where an element begins, in pixels from above."""
    return float(page.locator(selector).evaluate("e => e.getBoundingClientRect().top"))


def _in_their_rows(page: Page) -> bool:
    """The pickers side by side, the star beside the field."""
    star, field = top(page, ".favorite-popover-wrapper"), top(page, "#chat-input")
    pickers = [top(page, f"#mode-picker-trigger-{picker}") for picker in ("model", "mode")]
    return pickers[0] == pickers[1] > 0 and abs(star - field) < 20


def _into(said: list[str]) -> Callable[[ConsoleMessage], None]:
    return lambda message: said.append(message.text)


def test_a_rule_in_an_answer_stands_apart_from_its_words(page: Page):
    ask(page, "Раз\n\n---\n\nДва")
    expect(metrics(page)).to_have_count(1)
    rule = page.locator('[data-step-type="assistant_message"] [data-orientation="horizontal"]')
    expect(rule.last).to_have_css("margin-top", "20px")


def test_the_figures_under_an_answer_are_in_the_languages_own_form_and_never_broken(page: Page):
    ask(page, "Сколько будет два и два?")
    line = page.get_by_test_id("metrics-line")
    expect(line).to_have_text(
        re.compile(
            r"⏱ [\d,]+\s(мс|сек) • 🔢 \d+\sсимвол[а-я]*, ≈?\d+\sтокен[а-я]* • 📊 ≈?[\d\s,]+\sток/сек"
        )
    )
    expect(line.locator("svg")).to_have_count(3)
    for figure in line.locator(".k-figure").all():
        expect(figure).to_have_css("white-space", "nowrap")
    figures = metrics(page).locator(".k-line").bounding_box()
    assert figures is not None
    assert figures["height"] < 40  # with the button of another answer in one row
    metrics(page).get_by_role("button").first.click()
    expect(page.locator('[data-step-type="assistant_message"] .k-time')).to_be_visible()


def test_a_page_in_the_systems_theme_follows_it_while_it_is_open(page: Page):
    root, logo = page.locator("html"), page.locator("#welcome-screen img.logo")
    for theme in ("dark", "light"):
        page.emulate_media(color_scheme=theme)
        expect(root).to_have_class(re.compile(rf"\b{theme}\b"))
        drawn = "img => getComputedStyle(img).content + img.src"
        assert re.search(f"logo.*{theme}", logo.evaluate(drawn))


A_HINT = """() => {
  window.HINT = new Promise((come) => {
    const look = () => document.querySelector("[role=tooltip]") && come();
    new MutationObserver(look).observe(document.body, { childList: true, subtree: true });
  });
}"""


def test_the_tab_is_called_as_the_thread_and_deleting_is_red_and_says_so(page: Page):
    ask(page, "Как зовут вкладку?")
    expect(metrics(page)).to_have_count(1)
    expect(page).to_have_title("Как зовут вкладку? · Konsilium")
    page.reload()
    expect(page).to_have_title("Как зовут вкладку? · Konsilium")
    page.evaluate(A_HINT)
    row, menu = page.locator("#thread-history li").first, page.get_by_role("menu")
    row.hover()
    row.locator("#thread-options").click()
    page.evaluate("() => HINT")  # the row's: it does not take the menu's Escape
    expect(page.locator("[role=tooltip]")).to_have_count(0)
    page.keyboard.press("Escape")
    expect(menu).to_have_count(0)
    row.locator("#thread-options").click()
    page.locator("#delete-thread").click()
    sure = page.get_by_role("alertdialog").get_by_role("button", name="Удалить", exact=True)
    expect(sure).to_be_visible()
    expect(page.get_by_role("alertdialog")).to_contain_text("в корзине")
    red, _, blue = (
        int(part)
        for part in re.findall(
            r"\d+", str(sure.evaluate("e => getComputedStyle(e).backgroundColor"))
        )[:3]
    )
    assert red > 2 * blue
    picture(page, "delete")
    page.get_by_role("alertdialog").get_by_role("button", name="Отмена").click()
    page.locator("#new-chat-button").click()
    expect(page).to_have_title("Konsilium")


@pytest.mark.parametrize("language", ["ru-RU", "uk-UA", "en-US"])
def test_a_phone_cuts_no_mode_keeps_its_star_and_has_the_panels_buttons_in_a_row(
    chromium: Browser, app: Process, language: str
):
    for page in visitor(chromium, app.url, language=language, width=390, dark=True):
        for name in (
            re.compile("^Чат|^Chat"),
            re.compile("^Найкращ|^Лучш|^Best"),
            re.compile("^Консил|^Consil|^Special"),
        ):
            page.locator("#mode-picker-trigger-mode").click()
            page.get_by_role("option", name=name).click()
            shown = page.locator("#mode-picker-trigger-mode > span").first
            expect(shown).to_have_text(name)
            for picked in (shown, page.locator("#mode-picker-trigger-model > span").first):
                assert picked.evaluate("e => e.scrollWidth <= e.clientWidth")
            wait_until(partial(_in_their_rows, page))  # drawn anew with what was chosen
        picture(page, f"phone-composer-{language[:2]}")
        page.locator("#mode-picker-trigger-mode").click()
        page.get_by_role("option", name=re.compile("^Чат|^Chat")).click()
        open_settings(page)
        buttons = page.locator("div:has(> #confirm) > button")
        expect(buttons).to_have_count(3)
        tops = [box["y"] for one in buttons.all() if (box := one.bounding_box())]
        assert max(tops) - min(tops) < 2
        rare = page.locator("#chat-settings #seed")
        expect(rare).to_be_hidden()
        page.locator(".k-more").click()
        expect(rare).to_be_visible()
        picture(page, f"phone-panel-{language[:2]}")
        if language == "uk-UA":
            wait_for_no_violations(page)


def test_screen_readers_hear_the_pages_language_and_the_bin_is_in_a_phones_side_bar(
    chromium: Browser, app: Process
):
    for page in visitor(chromium, app.url, language="uk-UA", width=390):
        said: list[str] = []
        page.on("console", _into(said))
        open_settings(page)
        expect(page.locator("#chat-settings .sr-only", has_text="Закрити")).to_have_count(1)
        expect(page.locator("#header .sr-only", has_text="Тема")).to_have_count(1)
        page.locator("#chat-settings").get_by_role("button", name="Скасувати").click()
        page.locator("#sidebar-trigger-button").click()
        expect(page.get_by_role("dialog", name="Konsilium")).to_be_visible()
        bin_link = page.locator("#k-bin")
        expect(bin_link).to_be_visible()
        box = bin_link.bounding_box()
        assert box is not None
        assert box["y"] + box["height"] <= 844
        picture(page, "phone-sidebar")
        assert [text for text in said if "Dialog" in text or "Skipped" in text] == []


def test_a_chosen_model_of_the_panel_may_be_unset_again_without_a_stray_dash(page: Page):
    pick(page, "mode", "Чат")
    open_settings(page)
    page.locator("#compress_context").click()
    field = page.locator("#summary_model")
    expect(field).to_be_enabled()
    field.click()
    expect(page.get_by_role("option", name="Как у разговора")).to_be_visible()
    expect(page.get_by_role("option", name="-", exact=True)).to_have_count(0)
    page.keyboard.press("Escape")


HINT = "[role=tooltip]"
HINT_OF = f"""(pointed) => new Promise((come) => {{
  new MutationObserver(() => document.querySelector("{HINT}") && come())
    .observe(document.body, {{ childList: true, subtree: true }})
  pointed.dispatchEvent(new PointerEvent("pointermove", {{ bubbles: true, pointerType: "mouse" }}))
}})"""
"""Waits until the hint of what is pointed at has come."""


def test_one_escape_closes_a_dialog_though_a_hint_of_something_behind_came_over_it(page: Page):
    ask(page, "hi")
    expect(metrics(page)).to_have_count(1)
    page.keyboard.press("ControlOrMeta+k")
    expect(page.locator("[cmdk-input]")).to_be_focused()
    page.locator("#search-chats-button").evaluate(HINT_OF)
    page.keyboard.press("Escape")
    expect(page.locator("[cmdk-input]")).to_have_count(0)
