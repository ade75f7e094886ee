"""Formulas, prices and tildes of an answer in a real browser: what is drawn, and what stays as it is."""

import json
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.e2e.conftest import ask, metrics, pick, picture, visitor
from tests.processes import Process, konsilium, running, simulator
from tests.waiting import wait_until

SLOW = "echo+paced-100ms"
UNCLOSED = "marks-10000"

DRAWN = {
    # what an answer says -> the sources of the formulas that are drawn
    r"\( a_1 + b_2 \) и \[ \sum_{i=1}^{n} x_i^2 \]": [r"a_1 + b_2", r"\sum_{i=1}^{n} x_i^2"],
    "$x$-axis, $n$-й член, ($z$), $E = mc^2$.": ["x", "n", "z", "E = mc^2"],
    "$$E = mc^2$$": ["E = mc^2"],
    "Итак:\n$$\n\\begin{aligned}a &= b \\\\\n c &= d\\end{aligned}\n$$\nготово": [
        "\\begin{aligned}a &= b \\\\\n c &= d\\end{aligned}"
    ],
    "\\begin{align}\na &= b\n\\end{align}": ["\\begin{align}\na &= b\n\\end{align}"],
    "1. раз\n   \\[\n   x\n   = 5\n   - y\n   \\]\n2. два \\(a\\)": ["x\n= 5\n- y", "a"],
    "> \\[\n> a + b\n> \\]": ["a + b"],
    "| a | b |\n|---|---|\n| $\\|x\\|$ | \\(y_1*z*\\) |": ["|x|", "y_1*z*"],
    "$v = \\text{путь} / время$ и **$c*d*e$**": ["v = \\text{путь} / время", "c*d*e"],
    r"$\$5$, $0.05$, $5 \text{ км}$": [r"\$5", "0.05", r"5 \text{ км}"],
    "\\[\n\nx = 1\n\n\\].": ["x = 1."],
    r"\(f(x) = \{1, 2\}\) и \(a \\ b\)": [r"f(x) = \{1, 2\}", r"a \\ b"],
    "Ответ: \\[ 42 \\]": ["42"],
    "$a\n= b$": ["a\n= b"],
    "вот \\[a_1\n= b\nили c\\] и \\(d\n= e\\)": ["a_1\n= b\nили c", "d\n= e"],
    "Здесь \\begin{cases} x \\\\\n y \\end{cases} и \\begin{align*} a &= b \\end{align*} есть.": [
        "\\begin{cases} x \\\\\n y \\end{cases}",
        "\\begin{align*} a &= b \\end{align*}",
    ],
    r"Пусть $ x $, $ y_1 = 2 $ и $ \alpha + 1 $": ["x", "y_1 = 2", r"\alpha + 1"],
    r"$\frac{1}{\неизвестно}$": [r"\frac{1}{\неизвестно}"],
}
KEPT = {
    # what an answer says -> what stands on the page, where no formula is drawn
    "costs $5, or $10, was US$5 and CA$7": "costs $5, or $10, was US$5 and CA$7",
    "Цена $20, а была $15. От 5$ до 10$": "Цена $20, а была $15. От 5$ до 10$",
    "$5-$10, $5/$6, $100 (or 90$), $5 to 10$": "$5-$10, $5/$6, $100 (or 90$), $5 to 10$",
    "$HOME/bin:$PATH, $(pwd):$(ls), ${A}:${B}": "$HOME/bin:$PATH, $(pwd):$(ls), ${A}:${B}",
    "$ 5 or $ 10, между $ 5 и $ 10, $ 20 $": "$ 5 or $ 10, между $ 5 и $ 10, $ 20 $",
    "$ export A=b && echo $ done": "$ export A=b && echo $ done",
    "\\[a-z\\]+ и \\[0-9\\]{2}": "[a-z]+ и [0-9]{2}",
    "cheap $ or $$ or $$$": "cheap $ or $$ or $$$",
    "`$a$` и `\\(b\\)`": "$a$ и \\(b\\)",
    "1\\) пункт, C:\\Users\\new, \\*": "1) пункт, C:\\Users\\new, *",
    "\\[x\\] сделано, \\[ \\] нет, см. \\[1\\]": "[x] сделано, [ ] нет, см. [1]",
    "\\(см. рис. 1\\)": "(см. рис. 1)",
    "не закрыта \\( a": "не закрыта \\( a",
    "не закрыта \\[ a_1": "не закрыта \\[ a_1",
    "\\[\n\\sum_1 x\n= 5\n- 7": "\\[ \\sum_1 x = 5 - 7",
    "от 5~10 до 20~30 км": "от 5~10 до 20~30 км",
    "docker run nginx:latest в 10:30, std::vector": "docker run nginx:latest в 10:30, std::vector",
}


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    folder = tmp_path_factory.mktemp("formulas")
    server = simulator("ollama", folder, "echo", SLOW, UNCLOSED)
    process = konsilium(folder, OLLAMA_HOST=server.url, MODEL_NAME="ollama/echo")
    with running(server, process):
        yield process


def answers(app: Process, *questions: str) -> str:
    """Asks the model that repeats what it is told, all in one thread; gives the thread."""
    chat: dict[str, Any] = {}
    for question in questions:
        body = {"message": question, "model": "ollama/echo"} | chat
        request = urllib.request.Request(  # noqa: S310  # loopback
            f"{app.url}/api/chat", json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310  # loopback
            chat = {"chatId": json.load(answer)["chatId"]}
    return str(chat["chatId"])


WALK = """() => {
    document.querySelector(".k-later")?.scrollIntoView();
    return document.querySelectorAll(".ai-message").length;
}"""


def draw_all(page: Page, count: int) -> None:
    """Goes through a conversation of so many answers: each is drawn where it is looked at."""
    wait_until(lambda: page.evaluate(WALK) == count, 60)


def words(page: Page, number: int) -> Locator:
    return page.locator(".ai-message .message-content .prose").nth(number)


def sources(message: Locator) -> list[str]:
    """The formulas drawn in a message, by what they were made from."""
    texts = message.locator('.katex annotation[encoding="application/x-tex"]').all_text_contents()
    return [text.strip() for text in texts]


def test_formulas_are_drawn_and_prices_paths_and_code_are_not(chromium: Browser, app: Process):
    thread = answers(app, *DRAWN, *KEPT, "~~старое~~ и ~~два~~")
    warnings: list[str] = []
    for page in visitor(chromium, f"{app.url}/thread/{thread}"):
        page.on("console", lambda said: warnings.append(said.text))
        page.reload()
        draw_all(page, len(DRAWN) + len(KEPT) + 1)
        for number, (said, drawn) in enumerate(DRAWN.items()):
            assert sources(words(page, number)) == drawn, said
        for number, (said, kept) in enumerate(KEPT.items(), start=len(DRAWN)):
            expect(words(page, number).locator(".katex")).to_have_count(0)
            assert " ".join(words(page, number).inner_text().split()) == kept, said
        expect(words(page, len(DRAWN) + len(KEPT)).locator("del")).to_have_count(2)
        assert not [text for text in warnings if "katex" in text.lower()]


def test_marks_that_nobody_closes_keep_no_page_busy_and_a_thousand_quotes_break_none(
    app: Process, page: Page
):
    """Each of them was looked for to the end of the answer: with so many, for a minute and more; quotes within
    each other were drawn until the page had no room for another, and then there was no page."""
    pick(page, "model", UNCLOSED)
    ask(page, "Начни формулы")
    expect(metrics(page)).to_have_count(1, timeout=60_000)
    expect(words(page, 0)).to_contain_text("\\(a_1 \\(a_1")
    deep = answers(app, ">" * 4000 + " конец", "- " * 4000 + "конец")
    page.goto(f"{app.url}/thread/{deep}")
    draw_all(page, 2)
    for number in range(2):
        expect(words(page, number)).to_contain_text("конец")


@pytest.mark.parametrize("dark", [False, True])
def test_a_formula_has_its_own_fonts_and_is_copied_as_its_source(
    chromium: Browser, app: Process, dark: bool
):
    thread = answers(app, "Итак, \\(a_1 + b\\) и\n\n\\[\n\\frac{1}{2}\n\\]\n\nвсё за $5 или $6.")
    for page in visitor(chromium, f"{app.url}/thread/{thread}", dark=dark):
        expect(words(page, 0).locator(".katex-display")).to_have_count(1)
        page.wait_for_function("document.fonts.check('16px KaTeX_Main')")
        page.evaluate(
            "document.addEventListener('copy', (e) => { window.copied = e.clipboardData.getData('text/plain') })"
        )
        words(page, 0).evaluate(
            "(node) => { window.getSelection().selectAllChildren(node); document.execCommand('copy') }"
        )
        copied = page.evaluate("window.copied")
        picture(page, f"formulas-{'dark' if dark else 'light'}")
        assert "\\( a_1 + b \\)" in copied
        assert "\\[ \\frac{1}{2} \\]" in copied
        assert "$5 или $6" in copied


def test_a_formula_is_drawn_while_the_answer_is_still_being_written(page: Page):
    pick(page, "model", SLOW)
    ask(page, "Вот \\(a_1\\) и ещё. " + "И много слов после неё. " * 100)
    expect(page.locator(".ai-message .katex").first).to_be_visible()
    expect(page.locator("#stop-button")).to_be_visible()
    page.locator("#stop-button").click()
