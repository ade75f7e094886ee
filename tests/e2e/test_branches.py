"""Nothing is thrown away: versions of questions and answers, and the way between them."""

import contextlib
import json
import re
from typing import Any

import httpx
from playwright.sync_api import Browser, FilePayload, Page, expect
from playwright.sync_api import TimeoutError as PlaywrightTimeout

from tests.axe import wait_for_no_violations
from tests.e2e.conftest import LONG, STORY, ServerLog, ask, metrics, pick, picture, visitor
from tests.histories import OPEN_WEBUI, open_webui_message
from tests.processes import Process
from tests.waiting import wait_until

QUESTION = '[data-step-type="user_message"]'
ANSWER = '[data-step-type="assistant_message"]'


def arrows(page: Page):
    return page.get_by_test_id("siblings")


def edit(page: Page, old: str, new: str) -> None:
    question = page.locator(QUESTION).filter(has_text=old)
    for _ in range(8):  # while words come, the view may run from under the pointer
        question.hover()
        with contextlib.suppress(PlaywrightTimeout):
            question.locator(".edit-message").click(timeout=3_000)
            break
    page.locator("#edit-chat-input").fill(new)
    page.locator(".confirm-edit").click()
    expect(page.locator(QUESTION).filter(has_text=new)).to_be_visible()


def answered(page: Page, count: int) -> None:
    expect(metrics(page)).to_have_count(count)
    expect(page.locator("#stop-button")).to_have_count(0)


def told(app: Process, text: str, **where: Any) -> Any:
    """A question that a program asks in the name of the one person here."""
    body = {"message": text, "model": "ollama/echo", **where}
    answer = httpx.post(f"{app.url}/api/chat", json=body, timeout=60)
    return answer.raise_for_status().json()


def asked_anew(app: Process, chat: str, text: str) -> None:
    """The first question of a conversation, in other words."""
    said = httpx.get(f"{app.url}/api/chats/{chat}/messages", timeout=60).json()["messages"]
    told(app, text, chatId=chat, insteadOf=said[0]["id"])


def versions(app: Process, first: str, *others: str) -> str:
    """A conversation that begins in so many ways; its address."""
    chat = told(app, first)["chatId"]
    for text in others:
        asked_anew(app, chat, text)
    return f"{app.url}/thread/{chat}"


def two_questions(app: Process, first: str = "Первый вопрос", second: str = "Второй вопрос") -> str:
    """A conversation of two questions; its id."""
    chat = str(told(app, first)["chatId"])
    told(app, second, chatId=chat)
    return chat


def a_conversation(app: Process) -> str:
    """The same, and the first of them asked in another way, too; its address."""
    chat = two_questions(app)
    asked_anew(app, chat, "Иначе сказано")
    return f"{app.url}/thread/{chat}"


def test_an_edited_question_keeps_the_first_wording_and_all_that_followed(page: Page, app: Process):
    page.goto(f"{app.url}/thread/{two_questions(app)}")
    answered(page, 2)
    edit(page, "Первый вопрос", "Иначе сказано")
    answered(page, 1)
    expect(page.locator(QUESTION)).to_have_count(1)
    expect(arrows(page)).to_have_text("2/2")
    picture(page, "branches-edited")
    arrows(page).get_by_role("button", name="Предыдущий вариант").click()
    expect(page.locator(QUESTION)).to_contain_text(["Первый вопрос", "Второй вопрос"])
    expect(arrows(page)).to_have_text("1/2")
    answered(page, 2)
    expect(page.locator("[data-at-end]")).to_have_count(1)
    expect(page.locator("[data-at-end] + .absolute:visible")).to_have_count(0)
    picture(page, "branches-first")
    page.reload()
    expect(page.locator(QUESTION)).to_contain_text(["Первый вопрос", "Второй вопрос"])
    expect(arrows(page)).to_have_text("1/2")
    ask(page, "Третий вопрос")
    answered(page, 3)
    expect(page.locator(ANSWER).last).to_contain_text("Третий вопрос")
    arrows(page).get_by_role("button", name="Следующий вариант").click()
    expect(page.locator(QUESTION)).to_contain_text(["Иначе сказано"])
    arrows(page).get_by_role("button", name="Предыдущий вариант").click()
    asked = ["Первый вопрос", "Второй вопрос", "Третий вопрос"]
    for said in (QUESTION, ANSWER):  # those in the middle come last
        expect(page.locator(said)).to_contain_text(asked)


def test_another_answer_stands_beside_the_first_and_the_keyboard_reaches_both(page: Page):
    pick(page, "model", LONG)
    ask(page, "Расскажи")
    answered(page, 1)
    metrics(page).get_by_role("button", name="Другой ответ").click()
    expect(arrows(page)).to_have_text("2/2")
    answered(page, 1)
    for _ in ("as it came", "opened again"):
        numbers, versions = metrics(page).bounding_box(), arrows(page).bounding_box()
        assert numbers is not None
        assert versions is not None
        assert versions["y"] >= numbers["y"] + numbers["height"]
        picture(page, "branches-regenerated")
        page.reload()
        expect(arrows(page)).to_have_text("2/2")
        answered(page, 1)
    back = arrows(page).get_by_role("button", name="Предыдущий вариант")
    back.focus()
    page.keyboard.press("Enter")
    expect(arrows(page)).to_have_text("1/2")
    expect(arrows(page).get_by_role("button", name="Следующий вариант")).to_be_focused()
    page.keyboard.press("ArrowRight")
    expect(arrows(page)).to_have_text("2/2")
    expect(page.locator(QUESTION)).to_have_count(1)


def test_two_versions_stand_side_by_side_with_their_numbers_and_the_words_that_differ(
    page: Page, app: Process
):
    said = [f"Назови столицу {country} одним словом" for country in ("Франции", "Италии")]
    page.goto(versions(app, *said, "Скажи столицу Италии"))
    expect(arrows(page)).to_have_text("3/3")
    arrows(page).get_by_role("button", name="Сравнить варианты").click()
    dialog = page.get_by_test_id("comparison")
    columns = dialog.locator("section")
    expect(columns).to_have_count(2)
    left, right = columns.first, columns.last
    expect(left.locator("blockquote")).to_have_text("Назови столицу Италии одним словом")
    expect(left.locator("blockquote mark")).to_have_text(["Назови", "одним словом"])
    expect(right.locator("blockquote mark")).to_have_text(["Скажи"])
    expect(right.get_by_test_id("version-numbers")).to_contain_text("echo")
    picture(page, "branches-compared")
    left.get_by_role("combobox").select_option("0")
    expect(left.locator("blockquote mark").nth(1)).to_contain_text("Франции")
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    arrows(page).get_by_role("button", name="Сравнить варианты").click()
    left.get_by_role("button", name="Показать в разговоре").click()
    expect(dialog).to_have_count(0)
    expect(arrows(page)).to_have_text("2/3")


def test_a_search_says_that_words_are_in_another_branch_and_opens_it(page: Page, app: Process):
    thread = versions(app, "Рассказ о жирафах", "Рассказ о бегемотах")
    page.locator("#search-chats-button").click()
    page.get_by_role("combobox").fill("жирафах")
    hit = page.get_by_role("option").filter(has_text="Рассказ о бегемотах (в другой ветви)")
    expect(hit).to_be_visible()
    picture(page, "branches-search")
    hit.click()
    expect(page.locator(QUESTION)).to_contain_text(["Рассказ о жирафах"])
    expect(arrows(page)).to_have_text("1/2")
    expect(page).to_have_url(thread)
    page.reload()
    expect(page.locator(QUESTION)).to_contain_text(["Рассказ о жирафах"])


def long_conversation(page: Page, app: Process, questions: int) -> str:
    """A conversation that begins in two ways, about a garden and then about a sea, each with so many
    questions; its address."""
    messages: dict[str, Any] = {}
    for about in ("сад", "море"):
        before = None
        for number in range(questions):
            for role, what in (("user", "Вопрос"), ("assistant", "Ответ")):
                id = f"{about} {number} {role}"
                text = f"{what} {number} про {about}"
                messages[id] = open_webui_message(id, before, role, text)
                before = id
    history = {"history": {"currentId": before, "messages": messages}}
    export = json.dumps([{**OPEN_WEBUI[0], "title": "Сад и море", "chat": history}])
    file = FilePayload(name="chats.json", mimeType="application/json", buffer=export.encode())
    looked = page.request.post(f"{app.url}/import", multipart={"file": file})
    [id] = re.findall(r'name="id" value="([^"]+)"', looked.text())
    assert page.request.post(f"{app.url}/import/run", form={"id": id}).ok
    chats = httpx.get(f"{app.url}/api/chats", timeout=60).json()["chats"]
    [chat] = [one["id"] for one in chats if one["title"] == "Сад и море"]
    return f"{app.url}/thread/{chat}"


LOOK_AT_THE_FIRST = """() => {
    const message = document.querySelector('[data-step-type="user_message"], .k-later');
    message?.parentElement.firstElementChild.scrollIntoView();
    return document.querySelector('[data-step-type="user_message"]')?.innerText ?? "";
}"""


def go_to_the_first(page: Page, text: str) -> None:
    """Scrolls to the beginning of a long conversation, and again where the view ran from there meanwhile."""
    wait_until(lambda: text in page.evaluate(LOOK_AT_THE_FIRST))


def test_a_long_conversation_is_drawn_where_it_is_looked_at_and_other_tabs_follow(
    page: Page, app: Process
):
    address = long_conversation(page, app, 50)
    other = page.context.new_page()
    heard: list[str] = []
    other.on("websocket", lambda socket: socket.on("framereceived", lambda f: heard.append(str(f))))
    for tab in (page, other):
        tab.goto(address)
        expect(tab.locator(QUESTION).last).to_have_text(re.compile("Вопрос 49 про море"))
    wait_until(lambda: page.locator(QUESTION).count() < 20)
    conversation = page.locator(".k-later").first.locator("..")
    expect(conversation).to_contain_text("Ответ 25 про море")
    said = "(place) => { getSelection().selectAllChildren(place); return String(getSelection()); }"
    assert "Ответ 25 про море" in conversation.evaluate(said)
    wait_for_no_violations(page)

    go_to_the_first(page, "Вопрос 0 про море")
    heard.clear()
    arrows(page).first.get_by_role("button", name="Предыдущий вариант").click()
    expect(page.locator(QUESTION).first).to_contain_text("Вопрос 0 про сад")
    for tab in (page, other):
        expect(tab.locator("main")).to_contain_text("Ответ 49 про сад")
        expect(tab.locator("main")).not_to_contain_text("про море")
    assert not any("resume_thread" in frame for frame in heard)
    found = httpx.get(f"{address.replace('/thread/', '/api/chats/')}/messages", timeout=60)
    [step] = [m["id"] for m in found.json()["messages"] if m["content"] == "Ответ 25 про сад"]
    page.goto(f"{address}?branch={step}")
    expect(page.locator(ANSWER).filter(has_text="Ответ 25 про сад")).to_be_in_viewport()

    go_to_the_first(page, "Вопрос 0 про сад")
    arrows(page).first.get_by_role("button", name="Следующий вариант").click()
    expect(page.locator(QUESTION).first).to_contain_text("Вопрос 0 про море")
    ask(page, "Сразу дальше")  # before the rest of the branch is here
    for tab in (page, other):
        expect(tab.locator(QUESTION).last).to_contain_text("Сразу дальше")
        expect(tab.locator(ANSWER).last).to_contain_text("Сразу дальше")
        expect(tab.locator("main")).to_contain_text("Ответ 25 про море")

    pick(page, "model", LONG)
    heard.clear()
    ask(page, "И ещё")
    expect(other.locator(QUESTION).last).to_contain_text("И ещё")
    expect(other.locator("#mode-picker-trigger-model")).to_contain_text(LONG)
    expect(metrics(other).last).to_be_in_viewport()  # who was at the end stays there
    assert not any("resume_thread" in frame for frame in heard)
    other.close()


def test_an_answer_goes_on_in_the_branch_that_was_left_and_is_found_there(
    page: Page, ollama_log: ServerLog
):
    pick(page, "model", "echo")
    ask(page, "Быстрый ответ")
    answered(page, 1)
    pick(page, "model", STORY)
    edit(page, "Быстрый ответ", "Долгий ответ")
    expect(page.locator(ANSWER).last).to_contain_text(re.compile(r"\w+"))
    arrows(page).first.get_by_role("button", name="Предыдущий вариант").click()
    expect(page.locator(ANSWER)).to_contain_text("Быстрый ответ")
    expect(page.locator("#stop-button")).to_have_count(0)
    arrows(page).first.get_by_role("button", name="Следующий вариант").click()
    expect(page.locator(QUESTION)).to_contain_text(["Долгий ответ"])
    ollama_log.hurry()
    answered(page, 1)
    expect(page.locator(ANSWER)).to_have_count(1)


def test_a_question_is_edited_while_its_answer_is_written(page: Page):
    pick(page, "model", STORY)
    ask(page, "Первая мысль")
    expect(page.locator(ANSWER).last).to_contain_text(re.compile(r"\w+"))
    edit(page, "Первая мысль", "Вторая мысль")
    expect(page.locator(QUESTION)).to_have_count(1)
    second = page.locator(QUESTION).filter(has_text="Вторая мысль")
    below = second.locator('xpath=following::*[@data-step-type="assistant_message"]')
    expect(below.last).to_contain_text(re.compile(r"\w+"))
    page.locator("#stop-button").click()
    answered(page, 1)
    arrows(page).get_by_role("button", name="Предыдущий вариант").click()
    expect(page.locator(QUESTION)).to_contain_text(["Первая мысль"])
    expect(metrics(page)).to_contain_text("остановлено")


def test_it_looks_the_same_in_every_theme_and_on_a_phone(chromium: Browser, app: Process):
    """A link to the conversation is the first page of a fresh browser, too."""
    address = a_conversation(app)
    cases = (("uk-UA", True, 1280), ("en-US", False, 390), ("ru-RU", True, 390))
    for language, dark, width in cases:
        for page in visitor(chromium, address, language=language, dark=dark, width=width):
            expect(arrows(page)).to_have_text("2/2")
            expect(page).to_have_url(address)
            answered(page, 1)
            assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
            picture(page, f"branches-{language[:2]}-{'dark' if dark else 'light'}-{width}")


def test_what_was_just_done_can_be_undone(page: Page, app: Process):
    page.goto(versions(app, "Верный вопрос"))
    answered(page, 1)
    edit(page, "Верный вопрос", "Лишняя правка")
    undo = page.locator("#k-undo")
    expect(undo).to_contain_text("Прежний вариант сохранён")
    undo.hover()  # so it waits
    answered(page, 1)
    picture(page, "branches-undo")
    undo.get_by_role("button", name="Вернуть").click()
    expect(page.locator(QUESTION)).to_contain_text(["Верный вопрос"])
    expect(arrows(page)).to_have_text("1/2")
    thread = page.url
    entry = page.locator("#thread-history a").filter(has_text="Верный вопрос").first
    entry.hover()
    entry.locator("#thread-options").click()
    page.get_by_role("menuitem", name="Удалить").click()
    page.get_by_role("alertdialog").get_by_role("button").last.click()
    expect(undo).to_contain_text("Разговор в корзине")
    picture(page, "bin-undo")
    page.locator("#k-bin").click()
    expect(page.get_by_role("heading", name="Корзина")).to_be_visible()
    expect(page.locator("li")).to_contain_text(["Верный вопрос"])
    picture(page, "bin")
    page.get_by_role("button", name="Вернуть").first.click()
    expect(page).to_have_url(thread)
    expect(page.locator(QUESTION)).to_contain_text(["Верный вопрос"])


def test_a_conversation_goes_on_from_an_answer_in_a_new_one(page: Page, app: Process):
    thread = f"{app.url}/thread/{two_questions(app, 'Начало', 'Продолжение')}"
    page.goto(thread)
    answered(page, 2)
    first = metrics(page).first
    first.get_by_title("Подробности ответа").click()
    picture(page, "branches-fork")
    first.get_by_role("button", name="Продолжить отсюда в новом разговоре").click()
    expect(page).not_to_have_url(thread)
    expect(page.locator(QUESTION)).to_contain_text(["Начало"])
    answered(page, 1)
    ask(page, "Иначе")
    answered(page, 2)
