"""What the page says through its socket, where Chainlit's own handlers do not serve.

Those of socket.py (2.12.0) say English texts, lose what was streamed, and know nothing of our turns.
They also make a `Message` of every step of a thread that is opened, for a list that they alone read,
and sleep a millisecond in each: a thread of 1,000 messages stopped everybody for a second.
"""

import asyncio
from functools import partial
from typing import Any
from uuid import UUID

from chainlit.config import config
from chainlit.context import context, init_ws_context
from chainlit.data import get_data_layer
from chainlit.server import sio
from chainlit.session import WebsocketSession
from chainlit.socket import fetch_favorites, resume_thread
from chainlit.types import MessagePayload

from app.view.arrivals import Arrivals
from app.view.chat import Chat, Said, Words
from app.view.guard import guarded
from app.view.session import Browser
from app.view.voice import Voice


def register(chat: Chat, voice: Voice) -> None:
    """Registers ours in place of Chainlit's."""
    _opening(chat)
    _conversation(chat)
    _audio(voice)


def _opening(chat: Chat) -> None:
    async def connected(sid: str) -> None:
        browser = _enter(WebsocketSession.require(sid))
        await guarded(browser, _open(chat, browser))

    async def show_again(page: Browser) -> None:
        """As if its connection had broken and was back."""
        page.session.thread_id_to_resume = page.thread_id
        await connected(page.session.socket_id)

    chat.show_again = show_again
    sio.on("connection_successful", connected)


async def _open(chat: Chat, browser: Browser) -> None:
    """Sends the page the thread that it wants, and the turn that runs there; or begins a chat."""
    session = browser.session
    for event in ("task_end", "clear_ask", "clear_call_fn"):
        await browser.emit(event, {})
    untouched = session.restored and not session.has_first_interaction
    if session.thread_id_to_resume and not untouched and config.code.on_chat_resume:
        if thread := await resume_thread(session):
            session.has_first_interaction = True
            opened = {"interaction": "resume", "thread_id": thread["id"]}
            await browser.emit("first_interaction", opened)
            await config.code.on_chat_resume(thread)
            await browser.emit("resume_thread", thread)
            await chat.connected(browser)
            return
        await browser.emit("resume_thread_error", "Thread not found.")
    if config.code.on_chat_start and not session.chat_started:
        session.chat_started = True
        session.current_task = asyncio.create_task(config.code.on_chat_start())


def _conversation(chat: Chat) -> None:
    arrivals = Arrivals()

    async def client_message(sid: str, payload: MessagePayload) -> None:
        session = WebsocketSession.require(sid)
        work = arrivals.begin(partial(_heard, session, payload))
        session.current_task = asyncio.create_task(work)

    async def stop(sid: str) -> None:
        if session := WebsocketSession.get(sid):
            browser = _enter(session)
            await guarded(browser, chat.stopped(browser))

    async def edit_message(sid: str, payload: dict[str, Any]) -> None:
        browser = _enter(WebsocketSession.require(sid))
        message = payload["message"]
        edited = chat.edited(browser, str(UUID(message["id"])), str(message["output"]))
        await guarded(browser, edited)

    async def message_favorite(sid: str, payload: dict[str, Any]) -> None:
        browser = _enter(WebsocketSession.require(sid))
        await guarded(browser, _star(browser, payload["message"]))
        await fetch_favorites(sid)

    sio.on("client_message", client_message)
    sio.on("stop", stop)
    sio.on("edit_message", edit_message)
    sio.on("message_favorite", message_favorite)


async def _heard(session: WebsocketSession, payload: MessagePayload) -> None:
    """A message from the composer. Chainlit first names the thread, in a transaction of its own, and
    keeps the message for a list; our turn does both better. What comes with files goes its way."""
    browser = _enter(session)
    await browser.emit("task_start", {})
    try:
        await guarded(browser, _say(payload))
    finally:
        await browser.emit("task_end", {})


async def _say(payload: MessagePayload) -> None:
    said: Said
    if payload.get("fileReferences"):
        said = await context.emitter.process_message(payload)
    else:
        message = payload["message"]
        said = Words(str(UUID(message["id"])), str(message["output"]), message.get("modes"))
    if hear := config.code.on_message:
        await hear(said)


async def _star(browser: Browser, message: dict[str, Any]) -> None:
    """Stars a message, or no longer; the data layer knows whose it is."""
    if layer := get_data_layer():
        starred = bool((message.get("metadata") or {}).get("favorite"))
        await browser.emit("update_message", await layer.set_step_favorite(message, starred))


def _audio(voice: Voice) -> None:
    """Chainlit's own would make a thread named `audio` of its own, and one task a piece of sound."""

    async def start(sid: str) -> None:
        browser = _enter(WebsocketSession.require(sid))
        await guarded(browser, voice.started(browser))

    async def chunk(sid: str, payload: dict[str, Any]) -> None:
        data = payload.get("data")
        if (session := WebsocketSession.get(sid)) and isinstance(data, bytes):
            browser = _enter(session)
            await guarded(browser, voice.heard(browser, data))

    async def end(sid: str) -> None:
        browser = _enter(WebsocketSession.require(sid))
        await guarded(browser, voice.ended(browser))

    sio.on("audio_start", start)
    sio.on("audio_chunk", chunk)
    sio.on("audio_end", end)


def _enter(session: WebsocketSession) -> Browser:
    """Chainlit's context for what follows, and the browser it is done for."""
    init_ws_context(session)
    return Browser(session)
