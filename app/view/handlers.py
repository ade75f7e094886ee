"""Chainlit's lifecycle, tied to our `Chat`. Importing this does nothing; `register` does it all."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import chainlit as cl
from chainlit.action import Action
from chainlit.config import config
from chainlit.context import init_ws_context
from chainlit.data import get_data_layer
from chainlit.server import sio
from chainlit.session import WebsocketSession
from chainlit.socket import connection_successful as chainlit_connected
from chainlit.types import ThreadDict

from app.core.errors import KonsiliumError
from app.view.chat import Chat
from app.view.errors import advice_for
from app.view.guide import Guide
from app.view.servers import Servers
from app.view.session import ActionHandler, Browser
from app.view.voice import Voice

log = logging.getLogger(__name__)


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
    _socket_events(chat)
    _audio_events(voice)
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

    async def said(message: cl.Message) -> None:
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


def _socket_events(chat: Chat) -> None:
    """Chainlit's own handlers of these events say English texts, lose what was streamed, or do not
    know our turns (socket.py of 2.12.0); registering them again replaces them."""

    async def stop(sid: str) -> None:
        if session := WebsocketSession.get(sid):
            init_ws_context(session)
            await guarded(Browser(session), chat.stopped(Browser(session)))

    async def edit_message(sid: str, payload: dict[str, Any]) -> None:
        session = WebsocketSession.require(sid)
        init_ws_context(session)
        message = payload["message"]
        edited = chat.edited(Browser(session), str(UUID(message["id"])), str(message["output"]))
        await guarded(Browser(session), edited)

    async def connected(sid: str) -> None:
        await chainlit_connected(sid)
        browser = Browser(WebsocketSession.require(sid))
        await guarded(browser, chat.connected(browser))

    sio.on("stop", stop)
    sio.on("edit_message", edit_message)
    sio.on("connection_successful", connected)


def _audio_events(voice: Voice) -> None:
    """Chainlit's own would make a thread named `audio` of its own, and one task a piece of sound."""

    async def start(sid: str) -> None:
        session = WebsocketSession.require(sid)
        init_ws_context(session)
        await guarded(Browser(session), voice.started(Browser(session)))

    async def chunk(sid: str, payload: dict[str, Any]) -> None:
        data = payload.get("data")
        if (session := WebsocketSession.get(sid)) and isinstance(data, bytes):
            init_ws_context(session)
            await guarded(Browser(session), voice.heard(Browser(session), data))

    async def end(sid: str) -> None:
        session = WebsocketSession.require(sid)
        init_ws_context(session)
        await guarded(Browser(session), voice.ended(Browser(session)))

    sio.on("audio_start", start)
    sio.on("audio_chunk", chunk)
    sio.on("audio_end", end)


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
