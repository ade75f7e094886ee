"""Chainlit's lifecycle, tied to our `Chat`. Importing this does nothing; `register` does it all."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import chainlit as cl
from chainlit.action import Action
from chainlit.chat_context import chat_contexts
from chainlit.config import config
from chainlit.data import get_data_layer
from chainlit.session import WebsocketSession
from chainlit.types import ThreadDict

from app.view import socket_events
from app.view.chat import Chat, Said
from app.view.guard import guarded
from app.view.guide import Guide
from app.view.servers import Servers
from app.view.session import ActionHandler, Browser
from app.view.voice import Voice


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
    socket_events.register(chat, voice)
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
