"""A person's own words: the next question waits, a question is copied, edited by the keyboard; the app is
installed on a phone."""

import re

from playwright.sync_api import Browser, Page, expect

from tests.e2e.conftest import (
    ENDLESS,
    STORY,
    ServerLog,
    ask,
    asked,
    metrics,
    pick,
    picture,
    provokes,
)
from tests.processes import Process

QUESTIONS = '[data-step-type="user_message"]'


def test_the_next_question_waits_until_the_answer_has_ended_and_is_asked_then(
    page: Page, ollama_log: ServerLog
):
    pick(page, "model", STORY)
    ask(page, "Расскажи длинную историю")
    expect(page.locator("#stop-button")).to_be_visible()
    page.locator("#chat-input").fill("А теперь вторую" + ", и подлиннее" * 20)
    page.locator("#chat-input").press("Enter")
    waiting = page.locator("#k-queue")
    expect(waiting).to_contain_text("А теперь вторую")
    expect(waiting).to_be_in_viewport(ratio=1)
    expect(waiting.get_by_role("button")).to_be_in_viewport(ratio=1)
    expect(page.locator("#chat-input")).to_have_value("")
    page.locator("#chat-input").hover()
    for button in (".k-own", ".edit-message", ".favorite-message"):
        expect(page.locator(button)).to_have_css("opacity", "0")
    picture(page, "queued")
    expect(page.locator(QUESTIONS)).to_have_count(1)
    page.locator("#chat-input").fill("черновик")
    ollama_log.hurry()
    expect(page.locator(QUESTIONS)).to_have_count(2, timeout=60_000)
    expect(page.locator(QUESTIONS).last).to_contain_text("А теперь вторую")
    expect(waiting).to_have_count(0)
    expect(page.locator("#chat-input")).to_have_value("черновик")
    page.locator("#stop-button").click()


def test_a_question_that_waits_comes_back_into_the_field_where_the_answer_was_stopped(page: Page):
    pick(page, "model", ENDLESS)
    ask(page, "Расскажи длинную историю")
    expect(page.locator("#stop-button")).to_be_visible()
    page.locator("#chat-input").fill("Не понадобилась")
    page.locator("#chat-input").press("Enter")
    expect(page.locator("#k-queue")).to_contain_text("Не понадобилась")
    page.locator("#stop-button").click()
    expect(page.locator("#chat-input")).to_have_value("Не понадобилась")
    expect(page.locator("#k-queue")).to_have_count(0)
    expect(page.locator(QUESTIONS)).to_have_count(1)


def test_what_was_typed_stays_when_the_composer_is_drawn_anew(page: Page):
    pick(page, "model", "echo")
    field = page.locator("#chat-input")
    field.fill("Кто прав: Платон или Аристотель?")
    pick(page, "mode", "Диалог")
    form = page.get_by_test_id("participants")
    expect(form).to_be_visible()
    expect(field).to_have_value("Кто прав: Платон или Аристотель?")
    pick(page, "mode", "Чат")
    expect(form).to_have_count(0)
    expect(field).to_have_value("Кто прав: Платон или Аристотель?")
    field.press("End")
    field.press("Enter")
    expect(page.locator(QUESTIONS)).to_have_count(1)
    expect(field).to_have_value("")
    field.fill("И ещё вопрос")  # while the conversation gets its address
    expect(page).to_have_url(re.compile("/thread/"))
    expect(metrics(page)).to_have_count(1)
    expect(field).to_have_value("И ещё вопрос")
    page.locator("#new-chat-button").first.click()
    expect(page.locator(QUESTIONS)).to_have_count(0)
    expect(field).to_have_value("")


ENTER_OF_SAFARI = """field => field.dispatchEvent(new KeyboardEvent("keydown",
    { key: "Enter", code: "Enter", keyCode: 229, bubbles: true, cancelable: true }))"""
"""The one that takes a word from an input method: there the composition has ended by then."""
PASTED = """(field, words) => {
    const copied = new DataTransfer();
    copied.setData("text/plain", words);
    if (words) copied.setData("text/html", `<b>${words}</b>`);
    copied.items.add(new File([new Uint8Array(9)], "image.png", { type: "image/png" }));
    field.dispatchEvent(new ClipboardEvent("paste", { clipboardData: copied, bubbles: true, cancelable: true }));
}"""
ODD = """return x*2*3  # __init__
  <T> and _so_ on

2024. A year

![chart](chart.png)

- مرحبا

| cell |
|---|
| one<br>two |

Noted[^1].

[^1]: The note."""


def test_a_question_is_shown_and_copied_as_it_was_typed_and_is_not_sent_too_early(page: Page):
    provokes(page, "status of 404")  # a picture that an answer names
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    pick(page, "model", "echo")
    field = page.locator("#chat-input")
    field.fill("こんにちは")
    field.evaluate(ENTER_OF_SAFARI)
    field.evaluate(PASTED, "words of a document")
    field.evaluate(PASTED, "")
    expect(page.locator("#attachments > *")).to_have_count(
        1
    )  # of the picture that came without words
    page.locator("#attachments button").click()
    expect(page.locator(QUESTIONS)).to_have_count(0)
    expect(field).to_have_value("こんにちは")
    asked(page, ODD)
    question, answer = page.locator(QUESTIONS), page.locator(".ai-message .prose").last
    assert question.locator(".message-content").inner_text() == ODD
    question.hover()
    page.get_by_role("button", name="Скопировать вопрос").click()
    expect(page.get_by_role("button", name="Скопировано")).to_have_count(1)
    assert page.evaluate("() => navigator.clipboard.readText()") == ODD
    year = answer.locator("ol[start='2024']")
    assert year.evaluate("list => parseFloat(getComputedStyle(list).paddingInlineStart)") > 30
    expect(answer.locator("[data-k-missing='chart'] img")).to_be_hidden()
    assert answer.locator("ul").evaluate("list => getComputedStyle(list).direction") == "rtl"
    assert answer.locator("td").inner_text() == "one\ntwo"
    answer.locator("sup a").click()
    assert len(page.context.pages) == 1
    picture(page, "odd-words")
    page.emulate_media(media="print")
    expect(page.locator("#message-composer, #header, #thread-history")).to_have_count(3)
    for gone in ("#message-composer", "#header", "#thread-history"):
        expect(page.locator(gone)).to_be_hidden()
    assert page.evaluate("() => document.documentElement.scrollHeight") > 900  # more than the view


def test_a_question_is_copied_and_edited_by_the_keyboard_alone(page: Page):
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    pick(page, "model", "echo")
    ask(page, "Первый вопрос")
    expect(metrics(page)).to_have_count(1)
    copy = page.get_by_role("button", name="Скопировать вопрос")
    copy.focus()
    page.keyboard.press("Enter")
    expect(page.locator(QUESTIONS).get_by_role("button", name="Скопировано")).to_have_count(1)
    assert page.evaluate("() => navigator.clipboard.readText()") == "Первый вопрос"
    edit = page.locator(".edit-message")
    edit.focus()
    expect(edit).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#edit-chat-input")).to_be_focused()
    page.keyboard.type(" не тот")
    expect(page.locator("#edit-chat-input")).to_have_value("Первый вопрос не тот")
    page.keyboard.press("Escape")
    expect(page.locator("#edit-chat-input")).to_have_count(0)
    expect(edit).to_be_focused()
    expect(copy).to_be_visible()
    expect(page.locator(QUESTIONS)).to_contain_text("Первый вопрос")
    edit.focus()
    page.keyboard.press("Enter")
    page.locator("#edit-chat-input").fill("Второй вопрос")
    page.keyboard.press("Control+Enter")
    expect(page.locator('[data-step-type="assistant_message"]').last).to_contain_text(
        "Второй вопрос"
    )
    said = page.locator(QUESTIONS).locator("time.k-time")
    expect(said).to_have_text("сейчас")
    expect(said).to_have_attribute("title", re.compile(r"20\d\d г"))
    page.locator("#search-chats-button").click()
    page.locator("[cmdk-input]").fill("перв")
    found = page.get_by_role("option").filter(has_text="Второй вопрос")
    expect(found.locator(".k-excerpt")).to_have_text("Первый вопрос")
    page.wait_for_function("() => [...CSS.highlights.get('k-found')].map(String).includes('Перв')")
    picture(page, "search-marks")
    page.keyboard.press("Escape")
    chat = page.locator("#thread-history li").filter(has_text="Второй вопрос").first
    expect(chat.locator("time.k-time")).to_have_text(re.compile("сейчас|назад"))
    chat.hover()
    picture(page, "chat-buttons")
    chat.get_by_role("button", name="Удалить разговор").click()
    page.get_by_role("alertdialog").get_by_role("button", name="Отмена").click()
    chat.hover()
    chat.get_by_role("button", name="Переименовать разговор").click()
    page.get_by_role("dialog").get_by_role("textbox").fill("Иное имя")
    page.get_by_role("dialog").get_by_role("button").filter(has_text="Подтвердить").click()
    expect(page.locator("#thread-history")).to_contain_text("Иное имя")


VOICE = """
window.SAID = [];
const voice = { getVoices: () => [{ name: "A voice" }], speak: (one) => SAID.push([one.lang, one.text]),
  cancel: () => SAID.push("silence"), addEventListener: () => {} };
Object.defineProperty(window, "speechSynthesis", { value: voice });
"""
"""A voice that says nothing: browsers without a screen have none."""


def test_an_answer_is_read_aloud_without_its_code_and_stopped(page: Page):
    page.context.add_init_script(VOICE)
    page.reload()
    pick(page, "model", "echo")
    ask(page, "Це **речення**. І ще одне!\n\n```\ncode\n```")
    page.get_by_role("button", name="Прочитать вслух").click()
    page.wait_for_function("() => SAID.length >= 3")
    assert page.evaluate("SAID.filter(Array.isArray)") == [
        ["uk-UA", "Це речення."],
        ["uk-UA", "І ще одне!"],
    ]
    picture(page, "aloud")
    page.get_by_role("button", name="Остановить чтение").click()
    expect(page.get_by_role("button", name="Прочитать вслух")).to_have_count(1)
    assert page.evaluate("SAID.at(-1)") == "silence"


def test_enter_is_a_new_line_on_the_keyboard_of_a_phone(chromium: Browser, app: Process):
    context = chromium.new_context(
        locale="ru-RU", has_touch=True, is_mobile=True, viewport={"width": 390, "height": 844}
    )
    page = context.new_page()
    page.goto(app.url)
    field = page.locator("#chat-input")
    field.fill("Первая строка")
    field.press("Enter")
    page.keyboard.type("вторая")
    expect(field).to_have_value("Первая строка\nвторая")
    page.locator("#chat-submit").click()
    expect(page.locator(QUESTIONS)).to_contain_text("Первая строка\nвторая")
    context.close()


def test_a_phone_may_install_the_app(page: Page):
    address = page.locator('link[rel="manifest"]').get_attribute("href")
    assert address is not None
    manifest = page.evaluate("address => fetch(address).then(answer => answer.json())", address)
    assert manifest["display"] == "standalone"
    sizes = page.evaluate(
        """icons => Promise.all(icons.map(async ({ src, sizes, type }) => {
            const answer = await fetch(new URL(src, new URL("public/", location.origin + "/")))
            const drawn = type === "image/png" && await createImageBitmap(await answer.blob())
            return [sizes, answer.ok && (drawn ? `${drawn.width}x${drawn.height}` : sizes)]
        }))""",
        manifest["icons"],
    )
    assert all(said == drawn for said, drawn in sizes)
    assert {"192x192", "512x512"} <= {said for said, _ in sizes}
    assert "maskable" in {one["purpose"] for one in manifest["icons"]}
    expect(page.locator('meta[name="viewport"]')).to_have_attribute(
        "content", re.compile("viewport-fit=cover")
    )
