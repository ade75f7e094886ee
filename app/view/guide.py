"""The first screen where no model answers: what to do, turning green by itself when it is done.

It is drawn in the page alone and is part of no thread.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from app.access.people import People
from app.completion.registration import ModelServers
from app.completion.suggestions import Suggestion, memory_bytes, suggestion
from app.core.concurrency import BackgroundTasks
from app.core.events import StepKind
from app.core.models import ServerState
from app.core.ports import Models
from app.core.providers import PROVIDERS, provider_of
from app.core.text import Language
from app.core.turns import StepRecord, new_id, now
from app.view.chainlit.browser import ActionHandler, Browser, is_admin, may_administer
from app.view.embedded_offers import offers_props
from app.view.errors import pull_failed
from app.view.guide_ways import SetupWays
from app.view.model_labels import chat_models
from app.view.rendering import draw, element
from app.view.server_form import ServerForm, provider_form
from app.view.starters import BEGINNINGS, SMALL_BEGINNINGS

POLL_SECONDS = 2.0
REDRAW_SECONDS = 0.5

FIRST_PROVIDER = next(one.name for one in PROVIDERS if one.fields)
"""Whose form is open at first."""
_HERE = ("localhost", "127.0.0.1", "::1")


class Guide:
    """Shows the guide and keeps it true until a model answers, then calls `recovered`."""

    def __init__(
        self,
        models: Models,
        servers: ModelServers,
        people: People,
        recovered: Callable[[Browser], Awaitable[None]],
        ways: SetupWays,
        form: ServerForm,
        *,
        poll_seconds: float = POLL_SECONDS,
    ) -> None:
        self._models = models
        self._stores = servers.stores
        self._pulls = servers.pulls
        self._form = form
        self._people = people
        self._embedded = servers.embedded
        self._recovered = recovered
        self._ways = ways
        self._providers: dict[str, str] = {}
        """By session: which provider's form is open."""
        self._poll_seconds = poll_seconds
        self._watching = BackgroundTasks()
        self._memory = memory_bytes()

    @property
    def actions(self) -> dict[str, ActionHandler]:
        """Name -> handler(browser, payload)."""
        return {
            "choose_provider": self.choose_provider,
            "embedded_download": self.embedded_download,
            "embedded_cancel": self.embedded_cancel,
        }

    async def show(self, browser: Browser) -> None:
        """Draws the guide if there is no model to talk to, or none but that of last resort: then it
        is folded, and says what that model is. Returns at once."""
        if _ready(self._models.states()):
            return
        record = StepRecord(
            new_id(),
            browser.thread_id,
            "assistant_message",
            "Konsilium",
            StepKind.NOTICE,
            ended_at=now(),
        )
        await browser.emit("new_message", draw(record, browser.language).step)
        self._watching.start(self._watch(browser, record), browser.id)

    def left(self, browser: Browser) -> None:
        """The browser is gone: nobody to guide."""
        self._watching.stop(browser.id)
        self._form.forget(browser)
        self._providers.pop(browser.id, None)

    async def _watch(self, browser: Browser, record: StepRecord) -> None:
        shown: object = None
        loop = asyncio.get_running_loop()
        due = loop.time() + self._poll_seconds
        while True:
            props = await self._props(browser)
            if props != shown:
                shown = props
                drawn = element(record.id, record.thread_id, "Guide", props)
                await browser.emit("element", drawn)
            if props["ready"]:
                self._providers.pop(browser.id, None)
                await self._recovered(browser)
                return
            await asyncio.sleep(min(REDRAW_SECONDS, self._poll_seconds))
            if loop.time() >= due:
                if not props["small"]:  # where a model answers, the catalogue's own pace will do
                    await self._models.refresh()
                due = loop.time() + self._poll_seconds

    async def choose_provider(self, browser: Browser, payload: Mapping[str, Any]) -> None:
        """Another form is open: whether its server can be reached from here is shown above it."""
        self._providers[browser.id] = str(payload.get("provider", ""))

    async def embedded_download(self, browser: Browser, payload: Mapping[str, Any]) -> None:
        """The person agrees to fetch the model that runs inside the app."""
        if await may_administer(self._people, browser):
            self._embedded.download(str(payload.get("name", "")))

    async def embedded_cancel(self, browser: Browser, payload: Mapping[str, Any]) -> None:
        """Stops fetching it; what has come stays."""
        if await may_administer(self._people, browser):
            await self._embedded.cancel(str(payload.get("name", "")))

    async def _props(self, browser: Browser) -> dict[str, Any]:
        states = self._models.states()
        admin = await is_admin(self._people, browser)
        ready = _ready(states)
        small = not ready and bool(chat_models(states))
        provider = self._providers.get(browser.id, FIRST_PROVIDER)
        props: dict[str, Any] = {
            "lang": browser.language,
            "ready": ready,
            "small": small,
            "servers": [
                {**_server(state, admin=admin), "can_pull": self._stores.has(state.name)}
                for state in states
                if state.reachable
                or not provider_of(state.provider).inside  # the third way tells of it
            ],
            "can_save_keys": admin,
            "providers": [provider_form(one, browser.language) for one in PROVIDERS if one.fields],
            "key_status": self._form.status(browser),
            **self._ollama(states, browser, admin=admin),
        }
        if not ready:
            self._ways.look(provider)
            props["ways"] = self._ways.props(states, provider, browser.language)
            offers = await self._embedded.offers()
            props["embedded"] = offers_props(offers, states, browser.language, admin=admin)
        if ready or small:
            props["starters"] = [
                {"label": one.label[browser.language], "question": one.question[browser.language]}
                for one in (BEGINNINGS if ready else SMALL_BEGINNINGS)
            ]
        return props

    def _ollama(
        self, states: Sequence[ServerState], browser: Browser, *, admin: bool
    ) -> dict[str, Any]:
        up = next((s for s in states if s.reachable and self._stores.has(s.name)), None)
        server = up or next((s for s in states if self._stores.has(s.name)), None)
        suited = self._suited(server, browser.language)
        props: dict[str, Any] = {
            "suggested": suited.name,
            "suggested_size": suited.size_bytes,
            "suggested_licence": suited.licence,
            "suggested_languages": list(suited.languages),
            "can_pull": admin and up is not None,
        }
        pull = self._pulls.find(up.name, suited.name) if up is not None else None
        if pull is not None and pull.state == "running":
            props["pull"] = {
                "status": pull.status,
                "total": pull.total or None,
                "completed": pull.completed,
                "speed": pull.speed,
                "left_s": pull.left_s,
            }
        if pull is not None and pull.error is not None:
            props["pull_error"] = pull_failed(pull.error, browser.language)
        return props

    def _suited(self, server: ServerState | None, language: Language) -> Suggestion:
        """A model for this machine's memory, where the server runs on this machine."""
        here = server is not None and urlsplit(server.url).hostname in _HERE
        version = server.version if server is not None else None
        return suggestion(self._memory if here else None, language, version)


def _ready(states: Sequence[ServerState]) -> bool:
    """Whether there is a model to work with, and not only for want of another."""
    return any(not model.last_resort for model in chat_models(states))


def _server(state: ServerState, *, admin: bool) -> dict[str, Any]:
    return {
        "name": state.name,
        "url": state.url if admin else None,
        "ok": state.reachable,
        "models": len(state.models),
        "reason": state.error.code if state.error else None,
    }
