"""What the chat knows of one browser: its user, language, thread, choices and uploads."""

import json
import logging
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from chainlit.config import config
from chainlit.context import init_ws_context
from chainlit.server import sio
from chainlit.session import WebsocketSession, ws_sessions_id
from chainlit.user import PersistedUser

from app.access.people import People
from app.attachments import File
from app.conversation.modes import mode_named
from app.conversation.modes.dialogue.participants import read_in
from app.core.errors import BadRequest, KonsiliumError, StorageUnavailable
from app.core.options import UNSET, ChatOptions
from app.core.text import Language, Text, language_of
from app.core.turns import new_id
from app.view.errors import advice_for
from app.view.rendering import Drawing

log = logging.getLogger(__name__)

LOCAL_USER = "local"
TEMPORARY, PRESET, PROJECT = "temporary", "preset", "project"
"""Beside the choices of a thread: that it is not kept, what it was begun with, and the id and the name of
the project that it is in. They are no options."""

MAX_CHOICES = 1_000
LARGEST_CHOICES = 1_000_000
"""Choices of a thread, and their characters as JSON. A page may name any, a million characters at a time,
and they are remembered for it."""

ADMINS_ONLY = Text(
    ru="Это может только администратор.",
    uk="Це може лише адміністратор.",
    en="Only an administrator can do this.",
)

ActionHandler = Callable[["Browser", dict[str, Any]], Coroutine[Any, Any, Any]]
"""What a button does: handler(browser, payload)."""


@dataclass(frozen=True, slots=True)
class Browser:
    """A `Screen` over a Chainlit session. The session's `emit` is looked up anew each time, because
    a reconnection replaces it."""

    session: WebsocketSession

    @classmethod
    def of_socket(cls, socket_id: str) -> "Browser | None":
        """Whose socket it is; None once its session is gone."""
        session = WebsocketSession.get(socket_id)
        return cls(session) if session is not None else None

    @classmethod
    def of_session(cls, session_id: str) -> "Browser | None":
        """The page that names this session, which must still be shown to be its user's."""
        session = WebsocketSession.get_by_id(session_id)
        return cls(session) if session is not None else None

    @property
    def id(self) -> str:
        """The same for a page whose connection broke and came back."""
        return self.session.id

    def enter(self) -> None:
        """What follows in this task is done for this browser: the data layer asks who that is."""
        init_ws_context(self.session)

    @property
    def connected(self) -> bool:
        """Whether it is open now; Chainlit keeps closed ones for an hour, should they come back."""
        return bool(sio.manager.is_connected(self.session.socket_id, "/"))

    @property
    def identifier(self) -> str | None:
        """By what the user signed in; None for nobody."""
        return self.session.user.identifier if self.session.user else None

    @property
    def wanted_thread(self) -> str | None:
        """The thread that the page is to be sent. A page that came back before its first question has
        nothing to be sent."""
        untouched = self.session.restored and not self.session.has_first_interaction
        return None if untouched else self.session.thread_id_to_resume

    def want_again(self) -> None:
        """As if its connection had broken and was back: all of the thread is sent anew."""
        self.session.thread_id_to_resume = self.thread_id

    @property
    def has_thread(self) -> bool:
        """Whether the page shows a thread that is stored."""
        return self.session.has_first_interaction

    def begin_thread(self) -> None:
        """Its thread is stored from now on."""
        self.session.has_first_interaction = True

    def begin_chat(self) -> bool:
        """Whether a new chat is to be greeted; only once."""
        begun, self.session.chat_started = self.session.chat_started, True
        return not begun

    def keep_upload(self, name: str, mime: str, content: bytes) -> str:
        """Keeps a file until it is sent or the page is gone; returns its id. An empty one is kept, too:
        the question says why it cannot be read. Blocks while it writes."""
        folder = Path(self.session.files_dir)
        folder.mkdir(parents=True, exist_ok=True)
        file_id = new_id()
        path = folder / file_id
        path.write_bytes(content)
        described: Any = {
            "id": file_id,
            "path": path,
            "name": name,
            "type": mime,
            "size": len(content),
        }
        self.session.files[file_id] = described
        return file_id

    def upload(self, file_id: str) -> File | None:
        """A file that was uploaded on this page and is still here."""
        if (stored := self.session.files.get(file_id)) is None:
            return None
        return File(Path(stored["path"]), stored["name"], stored["type"], file_id)

    def forget_upload(self, file_id: str) -> None:
        """Removes a file that was uploaded on this page. Blocks while it does."""
        if (stored := self.session.files.pop(file_id, None)) is not None:
            Path(stored["path"]).unlink(missing_ok=True)

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
        """Takes new choices; says whether anything changed. That there was no model to choose, since no
        server answered, is no choice: the one chosen before outlives it. Raises BadRequest where they
        would be more than any page has."""
        before = dict(self.session.chat_settings)
        taken = {k: v for k, v in choices.items() if not (k == "model" and v == UNSET)}
        after = {**before, **taken}
        if len(after) > MAX_CHOICES or len(json.dumps(after, default=str)) > LARGEST_CHOICES:
            raise BadRequest("more choices than any page has")
        self.session.chat_settings.update(taken)
        return before != self.session.chat_settings

    @property
    def temporary(self) -> bool:
        """Whether its thread goes with it, when it leaves."""
        return self.choices.get(TEMPORARY) is True

    @property
    def set_apart(self) -> bool:
        """Whether its choices are its own, and never those that new chats begin with."""
        return self.temporary or bool(self.choices.get(PRESET) or self.choices.get(PROJECT))

    @property
    def options(self) -> ChatOptions:
        """The choices, clean."""
        return self.options_of(str(self.choices.get("mode", "chat")))

    def options_of(self, mode_id: str) -> ChatOptions:
        """The choices as they are for that mode, names of ours in the reader's language."""
        mode = mode_named(mode_id)
        options = ChatOptions.clean(self.choices, mode.id, mode.options)
        lists = (option.id for option in mode.options if option.kind == "participants")
        told = {id: read_in(options.text(id), self.language) for id in lists}
        return replace(options, values={**options.values, **told})

    async def show(self, drawing: Drawing, *, new: bool = True) -> None:
        """Draws a step with what hangs on it, or draws it again. The cards go first: the page keeps those
        of a step that was taken away, and would show what they were."""
        for card in drawing.elements:
            await self.emit("element", card)
        await self.emit("new_message" if new else "update_message", drawing.step)

    async def emit(self, event: str, data: Any) -> None:
        """Sends an event to this browser; lost without harm if it has gone away."""
        await self.session.emit(event, data)  # type: ignore[misc]  # annotated as returning None upstream

    async def list_anew(self, thread_id: str) -> None:
        """The page fetches its list of threads once more: it does with each word that it has not heard.
        `thread_id`: the thread that it shows, empty for none."""
        await self.emit("first_interaction", {"interaction": new_id(), "thread_id": thread_id})

    async def toast(self, message: str, kind: str = "error") -> None:
        """Says something beside the conversation: `error`, `warning` or `success`."""
        await self.emit("toast", {"message": message, "type": kind})


async def guarded(browser: Browser, work: Awaitable[Any]) -> None:
    """Does the work; what goes wrong is in the log exactly, and on screen in words."""
    facts: dict[str, str | None] = {"code": "internal_error"}
    try:
        await work
        return
    except KonsiliumError as error:
        log.warning("%s: %s", error.code, error.detail)
        facts = {"code": error.code, "server": error.server, "model": error.model}
    except Exception:  # the last line of defence: Chainlit would print the raw exception on screen
        log.exception("a handler failed")
    await browser.toast(advice_for(facts, browser.language)["title"])


def every_browser() -> list[Browser]:
    """Every page; Chainlit keeps sessions of closed ones for an hour, should they come back."""
    return [Browser(session) for session in list(ws_sessions_id.values())]


def open_on(thread_id: str) -> list[Browser]:
    """The pages, of every tab, on which that thread is open."""
    return [page for page in every_browser() if page.thread_id == thread_id and page.connected]


async def is_admin(people: People, browser: Browser) -> bool:
    """Whether that person may change what everybody uses; as the database says now, whatever it said
    when they signed in."""
    if browser.identifier is None:
        return False
    try:
        user = await people.known(browser.identifier)
    except StorageUnavailable as error:
        log.warning("cannot look up who may change servers: %s", error.detail)
        return False
    return user is not None and user.enabled and user.role == "admin"


async def may_administer(people: People, browser: Browser) -> bool:
    """The same; who may not is told so."""
    if await is_admin(people, browser):
        return True
    await browser.toast(ADMINS_ONLY[browser.language])
    return False
