"""The microphone, by which speech becomes the question, and answers that are read aloud."""

import io
import logging
import wave
from typing import Annotated

from fastapi import APIRouter, Body, HTTPException
from fastapi.responses import Response

from app.completion.speech import LONGEST, Speech
from app.completion.transcription import Transcription
from app.core.errors import EmptyAnswer, KonsiliumError
from app.core.text import Text
from app.view.chainlit.browser import Browser
from app.view.chainlit.identity import asking_id
from app.view.chainlit.pages import sample_rate
from app.view.chat import Chat

log = logging.getLogger(__name__)

MAX_SECONDS = 120
SAMPLE_BYTES = 2

NO_MODEL = Text(
    ru="Сейчас ни один сервер не распознаёт речь. Добавьте сервер с моделью Whisper.",
    uk="Зараз жоден сервер не розпізнає мовлення. Додайте сервер із моделлю Whisper.",
    en="No server can transcribe speech just now. Add one that has a Whisper model.",
)
NOT_HEARD = Text(
    ru="Ничего не слышно. Проверьте микрофон и повторите.",
    uk="Нічого не чути. Перевірте мікрофон і повторіть.",
    en="Nothing was heard. Check the microphone and try again.",
)
TOO_LONG = Text(
    ru="Запись остановлена: не больше двух минут за раз.",
    uk="Запис зупинено: не більше двох хвилин за раз.",
    en="The recording was stopped: two minutes at most.",
)


class Voice:
    """Gathers what a browser's microphone sends, in memory and bounded."""

    def __init__(self, chat: Chat, transcription: Transcription, speech: Speech) -> None:
        self._chat = chat
        self._transcription = transcription
        self._speech = speech
        self._heard: dict[str, bytearray] = {}

    async def tell(self, browser: Browser) -> None:
        """Tells the page whether a server reads aloud: where none does, the browser has its own voice."""
        offered = self._speech.model is not None
        await browser.emit("window_message", {"konsilium_speech": offered})

    async def started(self, browser: Browser) -> None:
        """The button was pressed: says whether to record."""
        if self._transcription.model is None:
            await browser.toast(NO_MODEL[browser.language], "warning")
            await browser.emit("audio_connection", "off")
            return
        self._heard[browser.id] = bytearray()
        await browser.emit("audio_connection", "on")

    async def heard(self, browser: Browser, samples: bytes) -> None:
        """A piece of sound: 16-bit samples, one channel."""
        sound = self._heard.get(browser.id)
        if sound is None:
            return
        if len(sound) + len(samples) > _max_bytes():
            await browser.emit("audio_connection", "off")
            await browser.toast(TOO_LONG[browser.language], "warning")
            await self.ended(browser)
            return
        sound += samples

    async def ended(self, browser: Browser) -> None:
        """The button was pressed again: what was said is asked."""
        sound = self._heard.pop(browser.id, None)
        if sound is None:
            return
        await browser.emit("task_start", {})
        try:
            if not any(sound):
                await browser.toast(NOT_HEARD[browser.language], "warning")
                return
            text = await self._transcription.text(_wav(bytes(sound)), browser.user_id)
        except EmptyAnswer:
            await browser.toast(NOT_HEARD[browser.language], "warning")
            return
        finally:
            await browser.emit("task_end", {})
        await self._chat.ask(browser, text)

    def left(self, browser: Browser) -> None:
        """The page is gone, and what it had recorded."""
        self._heard.pop(browser.id, None)


def speech_router(speech: Speech, root: str = "") -> APIRouter:
    """`POST /chat/speech {"text"}`: the text as sound, for a signed-in user; 404 where no server reads."""
    router = APIRouter(prefix=root, include_in_schema=False)

    @router.post("/chat/speech")
    async def read(text: Annotated[str, Body(embed=True, max_length=LONGEST)]) -> Response:
        if (user_id := asking_id()) is None:
            raise HTTPException(401, "Unauthorized")
        if speech.model is None or not text.strip():
            raise HTTPException(404, "Not found")
        try:
            sound = await speech.sound(text, user_id)
        except KonsiliumError as error:  # the page goes on with the browser's own voice
            log.warning("cannot read aloud: %s: %s", error.code, error.detail)
            raise HTTPException(503, error.code) from error
        return Response(sound.body, media_type=sound.content_type)

    return router


def _max_bytes() -> int:
    return MAX_SECONDS * sample_rate() * SAMPLE_BYTES


def _wav(samples: bytes) -> bytes:
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(SAMPLE_BYTES)
        file.setframerate(sample_rate())
        file.writeframes(samples[: len(samples) // SAMPLE_BYTES * SAMPLE_BYTES])
    return buffer.getvalue()
