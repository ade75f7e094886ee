"""The microphone in a real browser: its button is there where a server transcribes, and speech is asked."""

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.conftest import metrics, picture, visitor
from tests.processes import Process, konsilium, running, simulator


def test_speech_becomes_the_question(chromium: Browser, tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("voice")
    cloud = simulator("openai", folder, "echo", "whisper-1")
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


def test_without_such_a_server_there_is_no_microphone(page: Page, app: Process):
    expect(page.locator("#mode-picker-trigger-model")).to_contain_text("echo")
    features = page.request.get(f"{app.url}/project/settings?language=ru-RU").json()["features"]
    assert features["audio"]["enabled"] is False
    expect(page.locator("#message-composer button").first).to_have_attribute("id", "upload-button")
