"""What the page says through its socket, and Chainlit's lifecycle, tied to our `Chat`."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any
from uuid import UUID

import chainlit as cl
from chainlit.action import Action
from chainlit.chat_context import chat_contexts
from chainlit.config import config
from chainlit.context import context, init_ws_context
from chainlit.data import get_data_layer
from chainlit.server import sio
from chainlit.session import WebsocketSession
from chainlit.socket import fetch_favorites, resume_thread
from chainlit.types import MessagePayload, ThreadDict

from app.core.errors import KonsiliumError
from app.view.chainlit.browser import ActionHandler, Browser
from app.view.chat import Chat, Said, Words
from app.view.errors import advice_for
from app.view.guide import Guide
from app.view.servers import Servers
from app.view.start_limiter import StartLimiter
from app.view.voice import Voice

log = logging.getLogger(__name__)


async def guarded(browser: Browser, work: Awaitable[Any]) -> None:
    """Does the work; what goes wrong is in the log exactly, and on screen in words."""
    try:
        await work
    except KonsiliumError as error:
        log.warning("%s: %s", error.code, error.detail)
        await _toast(browser, code=error.code, server=error.server, model=error.model)
    except Exception:  # the last line of defence: Chainlit would print the raw exception on screen
        log.exception("a handler failed")
        await _toast(browser, code="internal_error")


async def _toast(browser: Browser, **facts: str | None) -> None:
    advice = advice_for(facts, browser.language)
    await browser.emit("toast", {"message": advice["title"], "type": "error"})


def browser() -> Browser:
    """The browser of the present Chainlit context."""
    session = cl.context.session
    if not isinstance(session, WebsocketSession):
        raise TypeError(f"only browsers chat, not a {type(session).__name__}")
    return Browser(session)


def register(
    chat: Chat,
    guide: Guide,
    servers: Servers,
    voice: Voice,
    actions: dict[str, ActionHandler],
) -> None:
    """Registers every handler with Chainlit, in place of its own where they do not serve."""
    _lifecycle(chat, guide, servers, voice)
    _register_events(chat, voice)
    buttons: dict[str, ActionHandler] = {
        "retry": lambda b, payload: chat.again(b, str(payload["turn_id"])),
        "regenerate": lambda b, payload: chat.again(b, str(payload["turn_id"])),
        "continue": lambda b, payload: chat.go_on(b),
        **actions,
    }
    for name, handler in buttons.items():
        config.code.action_callbacks[name] = _action(chat, handler)


def _lifecycle(chat: Chat, guide: Guide, servers: Servers, voice: Voice) -> None:
    """Chainlit's hooks, set directly: its decorators wrap them in steps that it stores itself, and
    in a `task_end` that takes the Stop button away from a turn still running."""

    async def started() -> None:
        await guarded(browser(), chat.started(browser()))

    async def resumed(thread: ThreadDict) -> None:
        await _read_again(chat, thread)
        await guarded(browser(), chat.resumed(browser(), thread))

    async def said(message: Said) -> None:
        await guarded(browser(), chat.said(browser(), message))

    async def chosen(choices: dict[str, Any]) -> None:
        await guarded(browser(), chat.panel.chosen(browser(), choices))

    async def editing(choices: dict[str, Any]) -> None:
        await guarded(browser(), chat.panel.editing(browser(), choices))

    async def told(message: object) -> None:
        said = message.get("konsilium") if isinstance(message, dict) else None
        if isinstance(said, dict):
            await guarded(browser(), _page_says(chat, servers, browser(), said))

    async def ended() -> None:
        chat_contexts.pop(browser().session.id, None)  # Chainlit would never let go of it
        guide.left(browser())  # a running turn goes on: this fires on every lost connection
        servers.closed(browser())
        voice.left(browser())

    config.code.on_chat_start = started
    config.code.on_chat_resume = resumed
    config.code.on_message = said
    config.code.on_settings_update = chosen
    config.code.on_settings_edit = editing
    config.code.on_window_message = told
    config.code.on_chat_end = ended


async def _read_again(chat: Chat, thread: ThreadDict) -> None:
    """A turn that ended while its thread was being read was read unfinished."""
    read_running = any(s["type"] == "run" and s.get("end") is None for s in thread["steps"])
    if not read_running or chat.answering(thread["id"]):
        return
    layer = get_data_layer()
    if layer is not None and (again := await layer.get_thread(thread["id"])):
        thread.update(again)


async def _page_says(chat: Chat, servers: Servers, browser: Browser, said: dict[str, Any]) -> None:
    """What public/konsilium.js tells of the page: see there."""
    match said:
        case {"event": "opened"}:
            await chat.panel.opened(browser)
        case {"event": "picked", "picker": str(picker), "name": str(name)}:
            await chat.panel.picked(browser, picker, name)
        case {"event": "servers"}:
            await servers.open(browser)
        case {"event": "servers_opened"}:
            await servers.opened(browser)
        case {"event": "servers_closed"}:
            servers.closed(browser)


def _action(chat: Chat, handler: ActionHandler) -> Callable[[Action], Awaitable[None]]:
    """Buttons answer at once; what they begin goes on without holding the HTTP request."""

    async def run(action: Action) -> None:
        work = _press(chat, handler, browser(), action.payload)
        task = asyncio.create_task(guarded(browser(), work))
        _running.add(task)
        task.add_done_callback(_running.discard)

    return run


async def _press(
    chat: Chat, handler: ActionHandler, browser: Browser, payload: dict[str, Any]
) -> None:
    """A button, after what the composer shows: the choice may still be on its way by the socket."""
    picked = payload.get("picked")
    for picker, name in picked.items() if isinstance(picked, dict) else ():
        await chat.panel.picked(browser, str(picker), str(name))
    await handler(browser, payload)


_running: set["asyncio.Task[None]"] = set()


def _register_events(chat: Chat, voice: Voice) -> None:
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
    arrivals = StartLimiter()

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
