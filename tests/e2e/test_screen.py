"""What a chat's screen is expected to do, with hundreds of models and on a phone."""

import json
import re
from collections.abc import Iterator
from functools import partial

import pytest
from playwright.sync_api import Browser, Locator, expect

from tests.e2e.conftest import ask, metrics, open_settings, pick, picture, visitor
from tests.processes import Process, konsilium, running, simulator
from tests.waiting import wait_until

MANY = [
    f"{maker}/vision-{number}" for maker in ("qwen", "google", "mistralai") for number in range(100)
]


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """The app over 303 models of two servers."""
    folder = tmp_path_factory.mktemp("many")
    local = simulator("ollama", folder, "echo", "thinking", "json")
    cloud = simulator("openai", folder, *MANY)
    app = konsilium(folder, OLLAMA_HOST=local.url, MODEL_NAME="ollama/echo")
    (folder / "data").mkdir()
    entry = {"provider": "other", "key": "k", "url": f"{cloud.url}/v1"}
    (folder / "data" / "servers.json").write_text(json.dumps({"servers": [entry]}))
    with running(local, cloud, app):
        yield app


def test_a_model_among_hundreds_is_found_starred_and_chosen_by_the_keyboard(
    chromium: Browser, many: Process
):
    for page in visitor(chromium, many.url):
        trigger = page.locator("#mode-picker-trigger-model")
        popup = page.locator("#mode-picker-popover-model")
        options = popup.get_by_role("option")
        expect(trigger).to_contain_text("echo")
        trigger.focus()
        page.keyboard.press("Enter")
        expect(options).to_have_count(303)
        expect(popup.get_by_role("option", selected=True)).to_have_text(re.compile("^echo"))
        page.keyboard.type("QWEN 42")
        expect(options).to_have_count(1)
        expect(options.get_by_label("видит картинки")).to_be_visible()
        page.keyboard.press("Alt+s")
        expect(options.locator(".k-on")).to_have_count(1)
        page.keyboard.press("Enter")
        expect(trigger).to_contain_text("qwen/vision-42")
        expect(trigger).to_be_focused()
        page.keyboard.press("ArrowDown")
        expect(popup.get_by_role("group").first).to_have_attribute("aria-label", "Избранные")
        expect(options.first).to_have_attribute("data-active", "")
        picture(page, "models")
        page.keyboard.type("nobody has it")
        expect(popup).to_contain_text("Ничего не нашлось")
        page.keyboard.press("Escape")
        expect(popup).to_be_hidden()
        expect(trigger).to_be_focused()
        open_settings(page)
        of_panel = page.locator("#chat-settings button#model")
        of_panel.click()
        expect(options.first).to_have_text(re.compile("^qwen/vision-42"))  # a favourite
        page.keyboard.press("Escape")
        expect(popup).to_be_hidden()
        expect(of_panel).to_be_focused()  # and the panel is still there
        page.keyboard.press("Enter")
        page.keyboard.type("google 7")
        picture(page, "models-panel")
        page.keyboard.press("Enter")
        expect(of_panel).to_contain_text("google/vision-")
        page.locator("#chat-settings #confirm").click()
        expect(trigger).to_contain_text("google/vision-")
        pick(page, "mode", "Диалог")
        of_form = page.get_by_test_id("participants").locator("select").last
        of_form.click()
        expect(options.first).to_have_text("Как в разговоре")
        page.keyboard.type("thinking")
        picture(page, "models-form")
        page.keyboard.press("Enter")
        expect(of_form).to_have_value("ollama/thinking")
        form = page.get_by_test_id("participants")
        form.get_by_role("button", name="Применить").press("Enter")
        expect(form.locator(".k-fold")).to_be_focused()
        expect(form.locator("select")).to_have_count(0)
        pick(page, "mode", "Чат")
        page.locator('#header a[href="#servers"]').click()
        cloud = page.get_by_test_id("server").nth(1)
        expect(cloud.get_by_role("listitem")).to_have_count(5)
        assert cloud.locator(".k-url").evaluate("url => url.getClientRects().length") == 1
        more = cloud.get_by_text("Ещё 295 моделей")
        more.focus()
        page.keyboard.press("Enter")
        expect(cloud.get_by_role("listitem")).to_have_count(300)
        page.keyboard.press("Enter")
        expect(cloud.get_by_role("listitem")).to_have_count(5)
        expect(page.get_by_role("button", name="Добавить сервер или модель")).to_be_in_viewport()
        picture(page, "servers-many")


def fills_below(popup: Locator) -> bool:
    """Whether it lies on the lower edge of a phone's screen, from side to side; it comes with a motion."""
    box = popup.bounding_box()
    assert box is not None
    return (box["x"], box["width"]) == (0, 390) and abs(box["y"] + box["height"] - 844) <= 1


def test_a_phone_has_the_list_as_a_sheet_and_a_conversation_its_address(
    chromium: Browser, many: Process
):
    for page in visitor(chromium, many.url, language="uk-UA", width=390, dark=True):
        page.locator("#mode-picker-trigger-model").click()
        popup = page.locator("#mode-picker-popover-model")
        echo = popup.get_by_role("option", name=re.compile("^echo")).first
        expect(echo).to_be_visible()
        wait_until(partial(fills_below, popup))
        picture(page, "models-phone")
        echo.click()
        expect(page.locator("#mode-picker-trigger-model")).to_contain_text("echo")
        pick(page, "mode", "Порівняння")
        form = page.get_by_test_id("participants")
        form.locator(".k-fold").click()
        form.locator("select").last.click()
        expect(popup).to_be_visible()
        expect(form.locator(".k-fold")).to_be_in_viewport()  # it is read from its beginning
        page.keyboard.press("Escape")
        pick(page, "mode", "Чат")
        ask(page, "Адреса на телефоні")
        page.wait_for_url("**/thread/*")
        expect(metrics(page)).to_have_count(1)
        expect(page.locator("#take-along")).to_be_visible()
        page.reload()
        expect(page.locator('[data-step-type="user_message"]')).to_contain_text(
            "Адреса на телефоні"
        )
