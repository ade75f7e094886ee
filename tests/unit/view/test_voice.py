"""Speech is gathered in memory, bounded, and becomes a question once."""

import io
import wave
from typing import Any

import pytest

from app.core.errors import EmptyAnswer
from app.core.models import ModelRef
from app.view.chainlit.browser import Browser
from app.view.chainlit.pages import sample_rate
from app.view.voice import MAX_SECONDS, Voice


class Ear:
    """Hears the same in every recording."""

    def __init__(self, said: str, model: ModelRef | None = ModelRef("cloud", "whisper")) -> None:  # noqa: B008  # frozen
        self.said, self.model = said, model
        self.recordings: list[bytes] = []

    async def text(self, wav: bytes, user_id: str) -> str:
        self.recordings.append(wav)
        if not self.said:
            raise EmptyAnswer("nothing")
        return self.said


class Asked:
    def __init__(self) -> None:
        self.questions: list[str] = []

    async def ask(self, browser: Browser, text: str) -> None:
        self.questions.append(text)


class Session:
    id, language, user = "s", "en", None

    def __init__(self) -> None:
        self.sent: list[tuple[str, Any]] = []

    async def emit(self, event: str, data: Any) -> None:
        self.sent.append((event, data))


def listening(ear: Ear) -> tuple[Voice, Browser, Any, Asked]:
    asked, session = Asked(), Session()
    anything: Any = asked
    heard: Any = ear
    page: Any = session
    return Voice(anything, heard, anything), Browser(page), session, asked


async def test_what_was_said_is_asked_once():
    ear = Ear("why is the sky blue")
    voice, browser, _, asked = listening(ear)
    await voice.started(browser)
    for piece in (b"\1\0" * 100, b"\2\0" * 50, b"\3"):
        await voice.heard(browser, piece)
    await voice.ended(browser)
    await voice.ended(browser)
    assert asked.questions == ["why is the sky blue"]
    with wave.open(io.BytesIO(ear.recordings[0])) as sound:
        assert (sound.getnframes(), sound.getnchannels(), sound.getsampwidth()) == (150, 1, 2)


async def test_a_recording_has_an_end():
    ear = Ear("a long story")
    voice, browser, session, asked = listening(ear)
    await voice.started(browser)
    second = b"\1\0" * sample_rate()
    for _ in range(MAX_SECONDS + 60):
        await voice.heard(browser, second)
    assert ("audio_connection", "off") in session.sent
    assert asked.questions == ["a long story"]
    assert len(ear.recordings[0]) <= MAX_SECONDS * len(second) + 100


@pytest.mark.parametrize(("sound", "said"), [(b"\0" * 100, "never asked"), (b"\1\0" * 50, "")])
async def test_silence_is_no_question(sound: bytes, said: str):
    voice, browser, session, asked = listening(Ear(said))
    await voice.started(browser)
    await voice.heard(browser, sound)
    await voice.ended(browser)
    assert asked.questions == []
    assert [data["message"][:17] for event, data in session.sent if event == "toast"] == [
        "Nothing was heard"
    ]


async def test_without_a_model_that_transcribes_nothing_is_recorded():
    voice, browser, session, _ = listening(Ear("x", model=None))
    await voice.started(browser)
    await voice.heard(browser, b"\1\0")
    assert session.sent[-1] == ("audio_connection", "off")


async def test_a_page_that_goes_takes_its_recording_along():
    ear = Ear("x")
    voice, browser, _, asked = listening(ear)
    await voice.started(browser)
    await voice.heard(browser, b"\1\0")
    voice.left(browser)
    await voice.ended(browser)
    assert (asked.questions, ear.recordings) == ([], [])
