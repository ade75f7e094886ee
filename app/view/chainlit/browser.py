"""What the chat knows of one browser: its user, language, thread and choices."""

from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any

from chainlit.config import config
from chainlit.server import sio
from chainlit.session import WebsocketSession, ws_sessions_id
from chainlit.user import PersistedUser

from app.conversation.modes import mode_named
from app.core.options import ChatOptions
from app.core.text import Language, language_of
from app.view.rendering import Drawing

LOCAL_USER = "local"

ActionHandler = Callable[["Browser", dict[str, Any]], Coroutine[Any, Any, Any]]
"""What a button does: handler(browser, payload)."""


@dataclass(frozen=True, slots=True)
class Browser:
    """A `Screen` over a Chainlit session. The session's `emit` is looked up anew each time, because
    a reconnection replaces it."""

    session: WebsocketSession

    @property
    def language(self) -> Language:
        """APP_LANGUAGE where it is set, else the browser's."""
        return language_of(config.ui.language or self.session.language)

    @property
    def user_id(self) -> str:
        """The id of the signed-in user."""
        user = self.session.user
        return user.id if isinstance(user, PersistedUser) else LOCAL_USER

    @property
    def user_name(self) -> str:
        """How the user is called on screen."""
        user = self.session.user
        return (user.display_name or user.identifier) if user else ""

    @property
    def thread_id(self) -> str:
        return self.session.thread_id

    @property
    def choices(self) -> dict[str, Any]:
        """The raw choices of this thread; Chainlit keeps them in the thread's metadata."""
        return self.session.chat_settings

    def choose(self, choices: Mapping[str, Any]) -> bool:
        """Takes new choices; says whether anything changed."""
        before = dict(self.session.chat_settings)
        self.session.chat_settings.update(choices)
        return before != self.session.chat_settings

    @property
    def options(self) -> ChatOptions:
        """The choices, clean."""
        return self.options_of(str(self.choices.get("mode", "chat")))

    def options_of(self, mode_id: str) -> ChatOptions:
        """The choices as they are for that mode."""
        mode = mode_named(mode_id)
        return ChatOptions.clean(self.choices, mode.id, mode.options)

    async def show(self, drawing: Drawing, *, new: bool = True) -> None:
        """Draws a step with what hangs on it, or draws it again."""
        await self.emit("new_message" if new else "update_message", drawing.step)
        for card in drawing.elements:
            await self.emit("element", card)

    async def emit(self, event: str, data: Any) -> None:
        """Sends an event to this browser; lost without harm if it has gone away."""
        await self.session.emit(event, data)  # type: ignore[misc]  # annotated as returning None upstream


def open_on(thread_id: str) -> list[Browser]:
    """The pages, of every tab, on which that thread is open; Chainlit keeps sessions of closed ones
    for an hour, should they come back."""
    return [
        Browser(session)
        for session in list(ws_sessions_id.values())
        if session.thread_id == thread_id and sio.manager.is_connected(session.socket_id, "/")
    ]
