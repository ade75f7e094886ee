"""python -m tools.pictures: the pictures of the README anew, from the app as it is.

A server with prepared answers stands in for a model, so that the pictures differ only where the app
does. Each is made in three languages, light and dark, and one on a phone. Look at them before they go in.
"""

import asyncio
import itertools
import json
import re
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiohttp import web
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.e2e.conftest import FLAGS, ask, metrics, pick
from tests.processes import ROOT, browser_path, free_port, konsilium, running

FOLDER = ROOT / "docs" / "pictures"
MODEL = "qwen3.5:4b"
SECONDS_A_WORD = 0.02


@dataclass(frozen=True)
class Story:
    """What is asked and answered in one language."""

    locale: str
    council: str
    """The council's name in the picker."""
    question: str
    explained: str
    called: str
    reason: str
    roles: dict[str, tuple[str, str]]
    """Role: what it is asked, what it says."""
    summary: str


ENGLISH = Story(
    "en-US",
    "Specialists",
    "Explain simply, with an example: what is a hash table?",
    "A hash table is a wardrobe with numbered shelves. To find the shelf, it does not search: it **computes"
    " the number from the name**.\n\n```python\nprices = {}\nprices['coffee'] = 4\nprint(prices['coffee'])"
    "   # straight to the shelf\n```\n\nWith a thousand things or a million, one look is enough. Two names that"
    " give the same number share a shelf, and there are a few to look through.",
    "Ask an economist, a lawyer and a marketer: is it worth opening a coffee shop?",
    "Money, the lease and the customers are three trades.",
    {
        "Economist": (
            "When does it pay?",
            "Count in cups: at a rent of 1,200 a month and an average bill of 4, you break even at **85 cups a"
            " day**. Keep three months in reserve, and do not borrow for the machines.",
        ),
        "Lawyer": (
            "What to watch in the papers?",
            "Begin with the form: a sole trader is simpler, a company is safer where there are two of you. In the"
            " lease, fix a term of **no less than three years** and a cap on increases.",
        ),
        "Marketer": (
            "Who will come?",
            "Check the place before you sign: count the people passing, morning and evening. A coffee shop lives"
            " off regulars, and what brings the second visit is no discount but a barista who remembers the name.",
        ),
    },
    "It is worth opening if two things come together: the passers-by and the lease.\n\n1. The **economist** puts"
    " break-even at 85 cups a day and asks for three months in reserve.\n2. The **lawyer** advises a sole trader"
    " and a lease of no less than three years.\n3. The **marketer** would first count the people at the door.\n\n"
    "**Where they disagree:** the lawyer wants a long lease at once, the economist a short one, so that a mistake"
    " costs less. A sensible way out is a long term with the right to leave after six months.",
)
RUSSIAN = Story(
    "ru-RU",
    "Консилиум специалистов",
    "Объясни просто, с примером: что такое хеш-таблица?",
    "Хеш-таблица — это шкаф с пронумерованными полками. Чтобы найти полку, она не ищет: она **вычисляет номер"
    " по имени**.\n\n```python\nprices = {}\nprices['кофе'] = 250\nprint(prices['кофе'])   # сразу к нужной"
    " полке\n```\n\nТысяча вещей или миллион — хватает одного взгляда. Если два имени дают один номер, они лежат"
    " на одной полке, и там придётся перебрать две-три вещи.",
    "Спроси экономиста, юриста и маркетолога: стоит ли открывать кофейню?",
    "Деньги, аренда и покупатели — три разных ремесла.",
    {
        "Экономист": (
            "Когда она окупится?",
            "Считайте в чашках: при аренде 120 000 в месяц и среднем чеке 250 вы выходите в ноль на **85 чашках в"
            " день**. Держите запас на три месяца и не берите кофемашины в кредит.",
        ),
        "Юрист": (
            "На что смотреть в бумагах?",
            "Начните с формы: ИП проще, ООО надёжнее, если вас двое. В договоре аренды закрепите срок **не меньше"
            " трёх лет** и предел повышения.",
        ),
        "Маркетолог": (
            "Кто придёт?",
            "Проверьте место до подписи: посчитайте прохожих утром и вечером. Кофейня живёт постоянными гостями, и"
            " второй раз приводит не скидка, а бариста, который помнит имя.",
        ),
    },
    "Открывать стоит, если сойдутся две вещи: поток прохожих и договор аренды.\n\n1. **Экономист** видит ноль на"
    " 85 чашках в день и просит запас на три месяца.\n2. **Юрист** советует ИП и аренду не меньше чем на три"
    " года.\n3. **Маркетолог** сначала посчитал бы людей у двери.\n\n**Где они расходятся:** юристу нужна длинная"
    " аренда сразу, экономисту — короткая, чтобы ошибка стоила меньше. Разумный выход — длинный срок с правом"
    " уйти через полгода.",
)
UKRAINIAN = Story(
    "uk-UA",
    "Консиліум фахівців",
    "Поясни просто, з прикладом: що таке хеш-таблиця?",
    "Хеш-таблиця — це шафа з пронумерованими полицями. Щоб знайти полицю, вона не шукає: вона **обчислює номер"
    " за іменем**.\n\n```python\nprices = {}\nprices['кава'] = 60\nprint(prices['кава'])   # одразу до потрібної"
    " полиці\n```\n\nТисяча речей чи мільйон — вистачає одного погляду. Якщо два імені дають один номер, вони"
    " лежать на одній полиці, і там доведеться перебрати дві-три речі.",
    "Запитай економіста, юриста й маркетолога: чи варто відкривати кав'ярню?",
    "Гроші, оренда й покупці — три різні ремесла.",
    {
        "Економіст": (
            "Коли вона окупиться?",
            "Рахуйте в чашках: за оренди 40 000 на місяць і середнього чека 85 ви виходите в нуль на **85 чашках на"
            " день**. Тримайте запас на три місяці й не беріть кавомашини в кредит.",
        ),
        "Юрист": (
            "На що дивитися в паперах?",
            "Почніть із форми: ФОП простіший, ТОВ надійніше, якщо вас двоє. У договорі оренди закріпіть строк **не"
            " менше трьох років** і межу підвищення.",
        ),
        "Маркетолог": (
            "Хто прийде?",
            "Перевірте місце до підпису: порахуйте перехожих уранці та ввечері. Кав'ярня живе постійними гостями, і"
            " вдруге приводить не знижка, а бариста, який пам'ятає ім'я.",
        ),
    },
    "Відкривати варто, якщо зійдуться дві речі: потік перехожих і договір оренди.\n\n1. **Економіст** бачить нуль"
    " на 85 чашках на день і просить запас на три місяці.\n2. **Юрист** радить ФОП і оренду щонайменше на три"
    " роки.\n3. **Маркетолог** спершу порахував би людей біля дверей.\n\n**Де вони розходяться:** юристові потрібна"
    " довга оренда одразу, економістові — коротка, щоб помилка коштувала менше. Розумний вихід — довгий строк із"
    " правом піти за пів року.",
)
STORIES = {"en": ENGLISH, "ru": RUSSIAN, "uk": UKRAINIAN}


def answer(body: dict[str, Any]) -> str:
    """What the model says to that request."""
    said = "\n".join(_text(message) for message in body["messages"])
    schema = str((body.get("response_format") or {}).get("json_schema", {}).get("schema", {}))
    for story in STORIES.values():
        if "specialists" in schema and story.called in said:
            plan = [{"role": role, "question": asked} for role, (asked, _) in story.roles.items()]
            for specialist in plan:
                specialist |= {"model": ""} if "'model'" in schema else {}
            return json.dumps({"need": True, "reason": story.reason, "specialists": plan})
        if story.called in said:
            system = _text(body["messages"][0]).casefold() + _text(body["messages"][-1]).casefold()
            views = [view for _, view in story.roles.values() if view[:40] in said]
            roles = [role for role in story.roles if role.casefold() in system.split(",")[0]]
            return story.summary if views else story.roles[(roles or list(story.roles))[0]][1]
        if story.question in said:
            return story.explained
    return "…"


def _text(message: dict[str, Any]) -> str:
    content = message.get("content") or ""
    return content if isinstance(content, str) else " ".join(p.get("text", "") for p in content)


async def _chat(request: web.Request) -> web.StreamResponse:
    body = await request.json()
    words = re.findall(r"\s*\S+", answer(body))
    read = sum(len(_text(message)) for message in body["messages"]) // 4
    usage = {"prompt_tokens": read, "completion_tokens": len(words)}
    response = web.StreamResponse(headers={"content-type": "text/event-stream"})
    await response.prepare(request)
    for word in words:
        await asyncio.sleep(SECONDS_A_WORD)
        await _send(response, {"choices": [{"index": 0, "delta": {"content": word}}]})
    last = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}], "usage": usage}
    await _send(response, last)
    await response.write(b"data: [DONE]\n\n")
    return response


async def _send(response: web.StreamResponse, chunk: dict[str, Any]) -> None:
    await response.write(f"data: {json.dumps(chunk, ensure_ascii=False)}\n\n".encode())


async def _models(_request: web.Request) -> web.Response:
    listed = {"id": MODEL, "object": "model", "context_length": 32768}
    return web.json_response({"object": "list", "data": [listed]})


def serve(port: int) -> None:
    """The prepared server, for as long as the process lives."""
    app = web.Application()
    app.router.add_get("/v1/models", _models)
    app.router.add_post("/v1/chat/completions", _chat)
    web.run_app(app, host="127.0.0.1", port=port, print=None, handle_signals=False)


def visit(
    browser: Browser, url: str, story: Story, *, dark: bool, phone: bool = False
) -> Iterator[Page]:
    """A page of a fresh visitor."""
    size = {"width": 390, "height": 844} if phone else {"width": 1280, "height": 900}
    context = browser.new_context(
        locale=story.locale,
        color_scheme="dark" if dark else "light",
        viewport=size,
        device_scale_factor=2 if phone else 1,
    )
    page = context.new_page()
    page.goto(url)
    yield page
    context.close()


def keep(page: Page, name: str, language: str, *, dark: bool) -> None:
    """The picture, once nothing moves."""
    page.mouse.move(0, 0)
    page.wait_for_timeout(800)
    theme = ".dark" if dark else ""
    tongue = "" if language == "en" else f".{language}"
    page.screenshot(path=FOLDER / f"{name}{tongue}{theme}.png", animations="disabled")


def take(browser: Browser, url: str, language: str, *, dark: bool) -> None:
    """All pictures of one language and theme."""
    story = STORIES[language]
    for page in visit(browser, url, story, dark=dark):
        ask(page, story.question)
        expect(metrics(page)).to_have_count(1)
        metrics(page).first.get_by_role("button").first.click()
        keep(page, "answer", language, dark=dark)
        page.goto(url)
        pick(page, "mode", story.council)
        ask(page, story.called)
        expect(metrics(page)).to_have_count(4, timeout=60_000)
        keep(page, "council", language, dark=dark)
    for page in visit(browser, url, story, dark=dark, phone=True):
        ask(page, story.question)
        expect(metrics(page)).to_have_count(1)
        keep(page, "phone", language, dark=dark)


def main() -> None:
    """Takes all of them; a minute or two."""
    port = free_port()
    threading.Thread(target=serve, args=(port,), daemon=True).start()
    server = {"OPENAI_SERVERS": f"home=http://127.0.0.1:{port}/v1", "EMBEDDED_MODEL": "off"}
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=browser_path(), args=FLAGS)
        for language, dark in itertools.product(STORIES, (False, True)):
            with tempfile.TemporaryDirectory() as folder:
                app = konsilium(Path(folder), **server)
                with running(app):
                    take(browser, app.url, language, dark=dark)
        browser.close()


if __name__ == "__main__":
    main()
