"""What the page says through its socket: every handler is ours, in place of all of Chainlit's.

Those of socket.py (2.12.0) say English texts, lose what was streamed, know nothing of our turns, store
what turns store themselves, and make a `Message` of every step of a thread that is opened, each with a
millisecond of sleep: a thread of 1,000 messages stopped everybody for a second. docs/decisions says why
none of them is kept.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from dataclasses import replace
from functools import partial
from typing import Any, NotRequired
from uuid import UUID

from chainlit.config import config
from chainlit.server import sio
from chainlit.session import WebsocketSession
from pydantic import InstanceOf, TypeAdapter, ValidationError
from typing_extensions import TypedDict

from app.core.concurrency import BackgroundTasks
from app.core.errors import KonsiliumError
from app.view.chainlit.browser import Browser, guarded
from app.view.chainlit.data_layer import DataLayer
from app.view.chat import Chat, ComposerMessage, question_drawing
from app.view.commands import CannotCarryOut, Commands
from app.view.guide import Guide
from app.view.servers import Servers
from app.view.start_limiter import StartLimiter
from app.view.temporary import TemporaryChats
from app.view.voice import Voice

log = logging.getLogger(__name__)

Handler = Callable[..., Coroutine[Any, Any, None]]
"""handler(browser, payload), or handler(browser) of an event without one."""
Letters = InstanceOf[str]
"""Half of a surrogate pair among them: a person may paste one."""


class _Message(TypedDict):
    id: UUID
    output: Letters
    command: NotRequired[Letters | None]
    modes: NotRequired[dict[Letters, Any] | None]


class _File(TypedDict):
    id: Letters


class _Said(TypedDict):
    message: _Message
    fileReferences: NotRequired[list[_File] | None]


class _Step(TypedDict):
    id: Letters
    metadata: NotRequired[dict[Letters, Any] | None]


class _Favorite(TypedDict):
    message: _Step


class _Sound(TypedDict):
    data: bytes


_NOTHING = TypeAdapter[Any](tuple[()])
_SHAPES: dict[str, TypeAdapter[Any]] = {
    "client_message": TypeAdapter(tuple[_Said]),
    "edit_message": TypeAdapter(tuple[_Said]),
    "message_favorite": TypeAdapter(tuple[_Favorite]),
    "window_message": TypeAdapter(tuple[Any]),
    "chat_settings_change": TypeAdapter(tuple[dict[Letters, Any]]),
    "chat_settings_edit": TypeAdapter(tuple[dict[Letters, Any]]),
    "audio_chunk": TypeAdapter(tuple[_Sound]),
    "disconnect": TypeAdapter(tuple[Any, ...]),
}
"""What comes with an event, where anything does; the page's messages and steps hold more."""


class Sockets:
    """What each event does, by the names the page sends."""

    def __init__(
        self,
        chat: Chat,
        guide: Guide,
        servers: Servers,
        voice: Voice,
        layer: DataLayer,
        commands: Commands,
        temporary: TemporaryChats,
    ) -> None:
        self._chat = chat
        self._guide = guide
        self._servers = servers
        self._voice = voice
        self._layer = layer
        self._commands = commands
        self._temporary = temporary
        self._limiter = StartLimiter()
        self._background = BackgroundTasks()

    def register(self) -> None:
        """Takes every event of Chainlit's page; `connect` is `auth.py`'s."""
        chat, panel, voice = self._chat, self._chat.panel, self._voice
        handlers: dict[str, Handler] = {
            "connection_successful": self._connected,
            "client_message": self._client_message,
            "edit_message": self._edit_message,
            "stop": chat.stopped,
            "message_favorite": self._message_favorite,
            "fetch_favorites": self._fetch_favorites,
            "window_message": self._window_message,
            "chat_settings_change": panel.chosen,
            "chat_settings_edit": panel.editing,
            "audio_start": voice.started,
            "audio_chunk": self._audio_chunk,
            "audio_end": voice.ended,
            "clear_session": self._clear_session,
            "disconnect": self._disconnect,
        }
        for event, handler in handlers.items():
            sio.on(event, partial(self._run, event, handler))
        # Never called, but looked for: without the one `chainlit run` does not start, without the other
        # the page opens no old thread.
        config.code.on_message = config.code.on_chat_resume = chat.open

    async def _run(self, event: str, handler: Handler, socket_id: str, *payload: Any) -> None:
        browser = Browser.of_socket(socket_id)
        if browser is None:
            log.debug("an event of a page that is gone")
            return
        browser.enter()
        try:
            said = _SHAPES.get(event, _NOTHING).validate_python(payload)
        except ValidationError:
            log.warning("%s of user %s is not as pages send it", event, browser.user_id)
            return
        await guarded(browser, handler(browser, *said))

    async def _connected(self, browser: Browser) -> None:
        await self._chat.open(browser)
        await self._commands.show(browser)
        await self._voice.tell(browser)

    # -- the composer -----------------------------------------------------------------------------

    async def _client_message(self, browser: Browser, payload: dict[str, Any]) -> None:
        """Answered in a task of its own: the socket hears what else the page says meanwhile."""
        self._background.start(self._limiter.begin(partial(self._answer, browser, payload)))

    async def _answer(self, browser: Browser, payload: dict[str, Any]) -> None:
        await browser.emit("task_start", {})
        try:
            await guarded(browser, self._receive(browser, payload))
        finally:
            await self._chat.answered(browser)

    async def _receive(self, browser: Browser, payload: dict[str, Any]) -> None:
        message = payload["message"]
        references = [file["id"] for file in payload.get("fileReferences") or ()]
        files = [file for one in references if (file := browser.upload(one)) is not None]
        said = ComposerMessage(
            str(message["id"]),
            message["output"],
            {key: str(value) for key, value in (message.get("modes") or {}).items() if value},
            tuple(files),
        )
        if command := message.get("command"):
            made = await self._commanded(browser, said, command)
            if made is None:
                return
            said = made
        await self._chat.receive(browser, said)

    async def _commanded(
        self, browser: Browser, said: ComposerMessage, command: str
    ) -> ComposerMessage | None:
        """The message that a command makes of what was said; where it makes none, what was said goes
        from the page again."""
        try:
            made = await self._commands.made(browser, command, said.text)
        except KonsiliumError as error:
            await browser.emit("delete_message", {"id": said.id})
            if not isinstance(error, CannotCarryOut):
                raise
            await browser.toast(error.text[browser.language])
            return None
        await browser.show(question_drawing(browser, said.id, made.text), new=False)
        return replace(said, text=made.text, files=(*said.files, *made.files))

    async def _edit_message(self, browser: Browser, payload: dict[str, Any]) -> None:
        message = payload["message"]
        await self._chat.edited(browser, str(message["id"]), message["output"])

    # -- favourites -------------------------------------------------------------------------------

    async def _message_favorite(self, browser: Browser, payload: dict[str, Any]) -> None:
        """Stars a message, or no longer; the data layer knows whose it is."""
        message = payload["message"]
        starred = bool((message.get("metadata") or {}).get("favorite"))
        step = await self._layer.set_step_favorite(message, starred)
        await browser.emit("update_message", step)
        await self._fetch_favorites(browser)

    async def _fetch_favorites(self, browser: Browser) -> None:
        steps = await self._layer.get_favorite_steps(browser.user_id)
        await browser.emit("set_favorites", steps)

    # -- the page itself --------------------------------------------------------------------------

    async def _window_message(self, browser: Browser, data: object) -> None:
        """What public/konsilium.js tells of the page: see there."""
        match data:
            case {"konsilium": {"event": "opened"}}:
                await self._chat.panel.opened(browser)
            case {"konsilium": {"event": "picked", "picker": str(picker), "name": str(name)}}:
                await self._chat.panel.picked(browser, picker, name)
            case {"konsilium": {"event": "branch", "step": str(step_id)}}:
                await self._chat.switch(browser, step_id)
            case {"konsilium": {"event": "reopen"}}:
                await self._chat.show_again(browser)
            case {"konsilium": {"event": "list", "thread": str(thread_id)}}:
                await browser.list_anew(thread_id)
            case {"konsilium": {"event": "keep"}}:
                await self._temporary.keep(browser)
            case {"konsilium": {"event": "models"}}:
                await self._chat.panel.list_opened(browser)
            case {"konsilium": {"event": "models_elsewhere"}}:
                await self._chat.panel.names_wanted(browser)
            case {"konsilium": {"event": "favoured", "model": str(model), "on": bool(on)}}:
                await self._chat.panel.favoured(browser, model, on=on)
            case {"konsilium": {"event": "servers", "server": str(server)}}:
                await self._servers.open(browser, server)
            case {"konsilium": {"event": "servers"}}:
                await self._servers.open(browser)
            case {"konsilium": {"event": "servers_opened"}}:
                await self._servers.opened(browser)
            case {"konsilium": {"event": "servers_closed"}}:
                self._servers.closed(browser)

    async def _audio_chunk(self, browser: Browser, payload: dict[str, Any]) -> None:
        await self._voice.heard(browser, payload["data"])

    async def _clear_session(self, browser: Browser) -> None:
        """The page says that it leaves for good."""
        browser.session.to_clear = True

    async def _disconnect(self, browser: Browser, *_reason: object) -> None:
        """A running turn goes on: this comes with every lost connection. A page that may come back is
        remembered, with its uploads, for the time of `session_timeout`."""
        self._guide.left(browser)
        self._servers.closed(browser)
        self._voice.left(browser)
        socket_id, session = browser.session.socket_id, browser.session
        seconds = 0 if session.to_clear else config.project.session_timeout

        def forget() -> None:
            if (
                WebsocketSession.get(socket_id) is session
            ):  # else it has come back on another socket
                self._background.start(session.delete())
                self._background.start(guarded(browser, self._temporary.left(browser)))

        asyncio.get_running_loop().call_later(seconds, forget)
