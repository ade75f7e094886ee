"""The list of threads: newest first, found by words, renamed, deleted, starred."""

import json
import re
import urllib.request

from playwright.sync_api import Locator, Page, expect

from tests.axe import wait_for_no_violations
from tests.e2e.conftest import asked, pick, picture
from tests.e2e.lasting.house import (
    QUESTION,
    House,
    answered,
    menu,
    new_chat,
)
from tests.waiting import wait_until


def listed(page: Page) -> Locator:
    """The names in the sidebar, from the top."""
    return page.locator('#thread-history [id^="thread-"] .truncate')


def search(page: Page, text: str) -> Locator:
    """Types into the search and returns what it finds."""
    if not page.get_by_role("dialog").count():
        page.locator("#search-chats-button").click()
    page.get_by_role("dialog").locator("[cmdk-input]").fill(text)
    return page.get_by_role("dialog").get_by_role("option")


def first_words(house: House) -> dict[str, str]:
    """What the last request to the model server begins with."""
    with urllib.request.urlopen(house.models.url + "/_sim", timeout=5) as answer:  # noqa: S310  # loopback
        received = [r["body"] for r in json.load(answer)["requests"] if r["path"] == "/api/chat"]
    first: dict[str, str] = [body for body in received if body["messages"]][-1]["messages"][0]
    return first


def specialists_heard(house: House) -> str:
    """The instructions of all chat requests that the model server received."""
    with urllib.request.urlopen(house.models.url + "/_sim", timeout=5) as answer:  # noqa: S310  # loopback
        received = [r["body"] for r in json.load(answer)["requests"] if r["path"] == "/api/chat"]
    first = [body["messages"][0] for body in received if body["messages"]]
    return "\n".join(
        one["content"]
        for one in first
        if one["role"] == "system" and "консилиума" in one["content"]
    )


def test_the_newest_thread_is_on_top_with_its_name_cut_at_a_words_end(page: Page, house: House):
    pick(page, "model", "echo")
    long = "Сколько стоит проезд в метро города Харькова для школьников летом"
    first = answered(page, long)
    expect(listed(page).first).to_have_text("Сколько стоит проезд в метро города Харькова для…")
    new_chat(page)
    second = answered(page, "Второй разговор")
    expect(listed(page).first).to_have_text("Второй разговор")
    page.locator(f'[id="thread-{first}"]').click()
    expect(page.locator(QUESTION)).to_contain_text(long)
    answered(page, "Ещё один вопрос")
    expect(listed(page).first).to_contain_text("Сколько стоит")
    page.reload()
    expect(listed(page).first).to_contain_text("Сколько стоит")
    expect(listed(page).nth(1)).to_have_text("Второй разговор")
    assert second != first
    picture(page, "sidebar")


def test_threads_are_found_by_the_beginnings_of_words_in_any_case_and_inside_messages(page: Page):
    pick(page, "model", "echo")
    answered(page, "Рецепт борща")
    answered(page, "И немного СМЕТАНЫ к нему")
    new_chat(page)
    answered(page, "Їжачок у тумані")
    expect(search(page, "бОрЩ")).to_have_count(1)
    expect(search(page, "сметан")).to_have_text(["Рецепт борща"])
    expect(search(page, "їЖАЧ")).to_have_text(["Їжачок у тумані"])
    picture(page, "search")
    expect(search(page, "тракторист")).to_have_count(0)
    search(page, "сметан").click()
    expect(page.locator(QUESTION).first).to_contain_text("Рецепт борща")


def test_a_thread_is_renamed_and_no_answer_takes_its_name_away(page: Page):
    pick(page, "model", "echo")
    thread = answered(page, "Как назвать это?")
    menu(page, thread, "rename")
    page.locator("#name").fill("Моё название")
    page.get_by_role("dialog").get_by_role("button", name="Подтвердить").click()
    expect(listed(page).first).to_have_text("Моё название")
    answered(page, "А теперь ещё вопрос")
    page.reload()
    expect(listed(page).first).to_have_text("Моё название")


def test_a_thread_is_deleted_after_it_was_confirmed_and_emptied_from_the_bin_with_all_that_was_in_it(
    page: Page, house: House
):
    pick(page, "model", "echo")
    thread = answered(page, "Удали меня")
    menu(page, thread, "delete")
    picture(page, "delete")
    page.get_by_role("alertdialog").get_by_role("button", name="Отмена").click()
    expect(page.locator(f'[id="thread-{thread}"]')).to_have_count(1)
    menu(page, thread, "delete")
    page.get_by_role("alertdialog").get_by_role("button", name="Удалить").click()
    expect(page.locator(f'[id="thread-{thread}"]')).to_have_count(0)
    expect(page.locator(QUESTION)).to_have_count(0)
    page.goto(f"{house.app.url}/thread/{thread}")
    expect(page).to_have_url(re.compile(r":\d+/$"), timeout=30_000)
    page.goto(f"{house.app.url}/bin")
    for theme in ("dark", "light"):
        page.emulate_media(color_scheme=theme)
        wait_for_no_violations(page)
    held = page.get_by_role("listitem").filter(has_text="Удали меня")
    expect(held).to_contain_text(
        re.compile(r"удалён \d+ [а-я]+ \d{4}\sг\. в \d+:\d\d, хранится до \d+ [а-я]+ \d{4}\sг\.")
    )
    held.get_by_role("button", name="Удалить навсегда").click()
    sure = page.get_by_role("alertdialog")
    expect(sure).to_contain_text("Удалить «Удали меня» навсегда?")
    wait_for_no_violations(page)
    picture(page, "bin-sure")
    expect(sure.get_by_role("button", name="Отмена")).to_be_focused()
    page.keyboard.press("Enter")
    expect(sure).to_have_count(0)
    held.get_by_role("button", name="Удалить навсегда").click()
    sure.get_by_role("button", name="Удалить навсегда").click()
    expect(page.get_by_text("Здесь пусто.")).to_be_visible()
    for table in ("steps", "elements", "feedback"):
        assert house.rows(f"SELECT id FROM {table} WHERE thread_id = ?", thread) == []  # noqa: S608  # our names
    page.goto(f"{house.app.url}/thread/{thread}")
    expect(page).to_have_url(re.compile(r":\d+/$"), timeout=30_000)


def test_a_thread_is_put_away_and_back_by_its_menu_and_on_the_page_of_the_archive(
    page: Page, house: House
):
    pick(page, "model", "echo")
    thread = answered(page, "Убери меня в архив")
    row = page.locator(f'[id="thread-{thread}"]')
    menu(page, thread, "k-archive")
    expect(page.get_by_role("menu")).to_have_count(0)
    expect(row).to_be_hidden()
    expect(page.locator(QUESTION)).to_have_count(0)
    page.locator("#k-undo").get_by_role("button", name="Вернуть").click()
    expect(row).to_be_visible()
    menu(page, thread, "k-archive")
    expect(row).to_be_hidden()
    expect(page.get_by_role("menu")).to_have_count(0)
    expect(search(page, "убери")).to_contain_text(["Убери меня в архив (в архиве)"])
    page.goto(f"{house.app.url}/archive")
    picture(page, "archive")
    held = page.get_by_role("listitem").filter(has_text="Убери меня в архив")
    held.get_by_role("button", name="Вернуть в список").click()
    expect(page.locator(QUESTION)).to_contain_text("Убери меня в архив")
    expect(row).to_be_visible()


def test_a_temporary_conversation_outlives_a_reload_and_leaves_nothing_when_it_is_left(
    page: Page, house: House
):
    line = page.locator("#k-temporary-line")
    page.get_by_role("button", name="Временный разговор").click()
    expect(line).to_be_visible()
    thread = answered(page, "Никому не говори")
    page.reload()
    expect(page.locator(QUESTION)).to_contain_text("Никому не говори")
    expect(line).to_be_visible()
    picture(page, "temporary")
    expect(page.locator(f'[id="thread-{thread}"]')).to_have_count(0)
    new_chat(page)
    expect(line).to_have_count(0)
    wait_until(lambda: not house.rows("SELECT id FROM threads WHERE id = ?", thread))
    assert house.rows("SELECT id FROM steps WHERE thread_id = ?", thread) == []
    assert len(house.rows("SELECT id FROM usage WHERE thread_id = ?", thread)) == 1
    page.get_by_role("button", name="Временный разговор").click()
    kept = answered(page, "А это сохрани")
    line.get_by_role("button", name="Сохранить").click()
    expect(line).to_have_count(0)
    expect(page.locator(f'[id="thread-{kept}"]')).to_be_visible()
    new_chat(page)
    expect(page.locator(f'[id="thread-{kept}"]')).to_be_visible()


def test_a_conversation_begins_with_an_assistant_and_a_prompt_is_filled_in_by_slash(
    page: Page, house: House
):
    page.locator("#k-prompts").click()
    page.locator("summary").click()
    page.locator("[name=name]").fill("Перевод")
    page.locator("[name=text]").fill("Переведи на {{язык}}: {{текст}}")
    page.get_by_role("button", name="Создать").click()
    expect(page.get_by_role("listitem")).to_contain_text("поля: язык, текст")
    page.get_by_role("link", name="Помощники").click()
    page.locator("summary").click()
    page.locator("[name=name]").fill("Ночная сова")
    page.locator("[name=face]").fill("🦉")
    page.locator("[name=system_prompt]").fill("Ты сова.")
    page.locator("[name=model]").select_option("ollama/echo")
    page.get_by_role("button", name="Создать").click()
    picture(page, "assistants")
    page.get_by_role("button", name="Начать разговор").click()
    expect(page.locator("#k-preset-line")).to_have_text("🦉 Ночная сова")
    page.locator("#chat-input").press_sequentially("/Пер")
    expect(page.locator(".command-item")).to_have_count(1)
    page.keyboard.press("Enter")
    page.locator("#k-prompt [name=язык]").fill("украинский")
    page.locator("#k-prompt [name=текст]").fill("Доброе утро")
    picture(page, "prompt")
    page.locator("#k-prompt").get_by_role("button", name="Вставить").click()
    said = "Переведи на украинский: Доброе утро"
    expect(page.locator("#chat-input")).to_have_value(said)
    page.locator("#command-button").click()  # the other way to it, which leaves what was typed
    page.locator("#command-popover").get_by_role("option").click()
    expect(page.locator("#k-prompt [name=язык]")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator("#chat-input")).to_have_value(said)
    page.set_viewport_size({"width": 390, "height": 844})
    expect(page.locator("#command-button")).to_have_css("width", "24px")
    page.set_viewport_size({"width": 1280, "height": 860})
    thread = answered(page, said)
    assert first_words(house) == {"role": "system", "content": "Ты сова."}
    page.reload()
    expect(page.locator("#k-preset-line")).to_have_text("🦉 Ночная сова")
    expect(page.locator(f'[id="thread-{thread}"]')).to_be_visible()
    new_chat(page)
    answered(page, "Без совы")
    assert first_words(house) == {"role": "user", "content": "Без совы"}
    form = page.get_by_test_id("participants")
    for mode in ("Диалог", "Совет", "Сравнение", "Консилиум"):
        pick(page, "mode", mode)
        if mode != "Диалог":  # the others are chosen by themselves until somebody is named
            form.get_by_role("button", name="подбираются сами").click()
        form.get_by_label("Посадить помощника").select_option("🦉 Ночная сова")
        names = form.get_by_label("Имя")
        seat = names.last if mode == "Диалог" else names.first  # nobody sits there yet
        expect(seat).to_have_value("🦉 Ночная сова")
        picture(page, f"seated-{mode}")
    form.get_by_role("button", name="Применить").click()
    asked(page, "Кто не спит ночью?")
    expect(page.get_by_role("button", name="🦉 Ночная сова", exact=True).first).to_be_visible()
    expect(page.locator("#stop-button")).to_have_count(0)
    assert "Ты сова." in specialists_heard(house)
    pick(page, "mode", "Чат")


def test_a_starred_question_is_among_the_favourites_after_a_reload(page: Page):
    pick(page, "model", "echo")
    answered(page, "Вопрос со звёздочкой")
    question = page.locator(QUESTION).first
    question.hover()
    question.locator(".favorite-message").click()
    page.reload()
    expect(
        page.locator(QUESTION).first.locator(".favorite-message.text-yellow-500")
    ).to_be_visible()


def test_conversations_live_in_folders_that_give_them_instructions_and_are_moved_by_their_menu(
    page: Page, house: House
):
    folders = page.get_by_role("navigation", name="Проекты")
    dialog = page.get_by_role("dialog")
    folders.get_by_role("button", name="Новый проект").click()
    dialog.get_by_label("Название проекта").fill("Роман")
    picture(page, "project-new")
    dialog.get_by_role("button", name="Создать").click()
    page.get_by_role("textbox", name="Наставление").fill("Пиши как редактор.")
    page.get_by_label("Закреплённые факты").fill("Героиню зовут Олена")
    page.get_by_label("Модель").select_option("ollama/echo")
    page.get_by_role("button", name="Сохранить").click()
    picture(page, "project")
    page.get_by_role("button", name="Начать разговор").click()
    line = page.locator("#k-project-line")
    expect(line).to_have_text("Роман")
    inside = answered(page, "Первая глава")
    told = first_words(house)
    assert told["role"] == "system"
    assert told["content"].startswith("Пиши как редактор.")
    assert told["content"].endswith("- Героиню зовут Олена")
    expect(listed(page)).to_have_text(["Первая глава"])
    picture(page, "project-open")
    folders.get_by_role("button", name="Вне проектов").click()
    expect(page.locator(f'[id="thread-{inside}"]')).to_have_count(0)
    new_chat(page)
    outside = answered(page, "Вторая глава")
    assert first_words(house) == {"role": "user", "content": "Вторая глава"}
    expect(line).to_have_count(0)
    menu(page, outside, "k-move")
    picture(page, "project-move")
    dialog.get_by_role("button", name="Роман").click()
    page.locator("#k-undo").hover()  # so it waits
    expect(line).to_have_text("Роман")
    expect(listed(page)).to_have_text(["Вторая глава", "Первая глава"])
    page.locator("#k-undo").get_by_role("button", name="Вернуть").click()
    expect(line).to_have_count(0)
    expect(page.locator(f'[id="thread-{inside}"]')).to_have_count(0)
    expect(page.locator(f'[id="thread-{outside}"]')).to_be_visible()
    found = search(page, "глава")
    expect(found.filter(has_text="Первая глава (в проекте «Роман»)")).to_have_count(1)
    page.keyboard.press("Escape")
    folders.get_by_role("button", name="Роман", exact=True).click()
    expect(listed(page)).to_have_text(["Первая глава"])
    found = search(page, "глава")
    expect(found).to_have_count(2)
    dialog.get_by_label("Только в проекте «Роман»").check()
    expect(found).to_have_count(1)
    picture(page, "project-search")
    page.keyboard.press("Escape")
    folders.get_by_role("link", name="Настройки проекта «Роман»").click()
    expect(page.get_by_role("listitem")).to_have_text(["Первая глава"])
    page.get_by_role("button", name="Удалить").click()
    page.get_by_role("alertdialog").get_by_role("button", name="Удалить").click()
    page.goto(f"{house.app.url}/thread/{inside}")
    expect(line).to_have_count(0)
    expect(page.locator(f'[id="thread-{inside}"]')).to_be_visible()
    expect(page.locator(f'[id="thread-{outside}"]')).to_be_visible()
