"""The microphone in a real browser: its button is there where a server transcribes, and speech is asked."""

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.conftest import metrics, picture, provokes, visitor
from tests.processes import konsilium, running, simulator

SOUND = """() => {
  window.HEARD = [];
  window.Audio = class {
    constructor(src) { this.src = src; }
    async play() { HEARD.push(this.src); }
    pause() { HEARD.push("silence"); }
  };
}"""
"""A player without a loudspeaker: what is played never ends."""


def test_speech_becomes_the_question_and_a_server_reads_the_answer(
    chromium: Browser, tmp_path_factory: pytest.TempPathFactory
):
    folder = tmp_path_factory.mktemp("voice")
    cloud = simulator("openai", folder, "echo", "whisper-1", "tts-1")
    nobody = "http://127.0.0.1:9"
    app = konsilium(folder, OPENAI_SERVERS=f"cloud={cloud.url}/v1", OLLAMA_HOST=nobody)
    with running(cloud, app):
        for page in visitor(chromium, app.url):
            expect(page.locator("#mode-picker-trigger-model")).to_contain_text("echo")
            page.get_by_role("button", name="Начать запись").click()
            page.wait_for_timeout(1500)  # the browser's own microphone beeps once a second
            picture(page, "voice-listening")
            page.get_by_role("button", name="Остановить запись").click()
            expect(page.locator('[data-step-type="user_message"]')).to_contain_text(
                "сказанное вслух"
            )
            expect(page.locator('[data-step-type="assistant_message"]').last).to_contain_text(
                "сказанное вслух"
            )
            expect(metrics(page)).to_have_count(1)
            expect(page.locator("#thread-history")).to_contain_text("сказанное вслух")
            expect(page.locator("#thread-history li")).to_have_count(1)
            picture(page, "voice-asked")
            page.evaluate(SOUND)
            with page.expect_response("**/chat/speech") as spoken:
                page.get_by_role("button", name="Прочитать вслух").click()
            assert spoken.value.headers["content-type"] == "audio/mpeg"
            stop = page.get_by_role("button", name="Остановить чтение")
            expect(stop).to_be_visible()
            page.wait_for_function("() => HEARD[0]?.startsWith('blob:')")
            stop.click()
            expect(page.get_by_role("button", name="Прочитать вслух")).to_be_visible()
            assert page.evaluate("HEARD.at(-1)") == "silence"


def test_where_no_server_hears_or_reads_that_is_said(page: Page):
    expect(page.locator("#mode-picker-trigger-model")).to_contain_text("echo")
    page.get_by_role("button", name="Начать запись").click()
    said = page.locator("[data-sonner-toast]").filter(has_text="ни один сервер не распознаёт речь")
    expect(said).to_be_visible()
    resting = page.locator('#message-composer .gap-1 > button:has(> svg > path[d^="M9.5 4C8.67"])')
    expect(resting).to_be_visible()  # it does not go on waiting
    picture(page, "voice-nobody-hears")
    provokes(page, r"status of 404 .*/chat/speech\)")
    status = page.evaluate(
        "() => fetch('/chat/speech', { method: 'POST', headers: { 'Content-Type': 'application/json' },"
        " body: JSON.stringify({ text: 'Hi' }) }).then((answer) => answer.status)"
    )
    assert status == 404
