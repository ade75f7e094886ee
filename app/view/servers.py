"""The panel of model servers beside the chat: what is there, and what administrators do about it."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from app.access.people import People
from app.completion.pulls import Pull
from app.completion.registration import ModelServers
from app.core.concurrency import BackgroundTasks
from app.core.errors import BadRequest, ServerUnavailable
from app.core.models import LoadState, ModelProfile, ServerState
from app.core.ports import Models
from app.core.providers import provider_of
from app.core.text import Language, Text
from app.view.chainlit.browser import ActionHandler, Browser, is_admin, may_administer
from app.view.chainlit.dicts import ElementDict, stamp
from app.view.embedded_offers import offers_props
from app.view.errors import pull_failed
from app.view.rendering import element
from app.view.server_form import ServerForm
from app.view.tool_servers import ToolServers

REDRAW_SECONDS = 0.5

TITLE = Text(ru="Модели и серверы", uk="Моделі та сервери", en="Models and servers")
Change = Callable[[str, str], Awaitable[None]]


class Servers:
    """Draws the panel of each browser that has it open, again whenever something has changed."""

    def __init__(
        self,
        models: Models,
        servers: ModelServers,
        people: People,
        waiting: Callable[[], Mapping[str, int]],
        tools: ToolServers,
        form: ServerForm,
    ) -> None:
        """`waiting`: how many calls wait for each server; `tools`: the servers of tools, below; `form`:
        where servers are named and corrected."""
        self._tools = tools
        self._form = form
        self._wanted: dict[str, str] = {}
        """By page: the server that it was sent here for."""
        self._registration = servers.registration
        self._embedded = servers.embedded
        self._models = models
        self._stores = servers.stores
        self._pulls = servers.pulls
        self._people = people
        self._waiting = waiting
        self._watching = BackgroundTasks()
        self._doing: dict[tuple[str, str], str] = {}

    @property
    def actions(self) -> dict[str, ActionHandler]:
        """Name -> handler(browser, payload)."""
        return {
            "servers_refresh": self.refresh,
            "pull": self.pull,
            "cancel_pull": self.cancel_pull,
            "load": self.load,
            "unload": self.unload,
            "remove": self.remove,
            "remove_embedded": self.remove_embedded,
            "remove_server": self.remove_server,
            **self._tools.actions,
        }

    # -- the panel --------------------------------------------------------------------------------

    async def open(self, browser: Browser, server: str = "") -> None:
        """Opens the panel beside the chat, with what is known, then with what the servers say; at that
        server, where one is named."""
        self._wanted[browser.id] = server
        await browser.emit("element", await self._element(browser))
        await browser.emit("element", _frame(browser, "Servers"))
        if await is_admin(self._people, browser):
            forms = await self._form.providers(browser.language)
            await browser.emit("element", _frame(browser, "ServerForm", providers=forms))
        await browser.emit("element", _frame(browser, "ToolServers"))
        await browser.emit("set_sidebar_title", TITLE[browser.language])
        await self._models.refresh()

    async def opened(self, browser: Browser) -> None:
        """The panel is on screen: from now on it is kept true."""
        self._watching.start(self._watch(browser), browser.id)

    def closed(self, browser: Browser) -> None:
        """The panel, or the page, is gone."""
        self._watching.stop(browser.id)
        self._wanted.pop(browser.id, None)
        self._form.forget(browser)

    async def _watch(self, browser: Browser) -> None:
        shown: object = None
        while True:
            drawn = await self._element(browser)
            if drawn["props"] != shown:
                shown = drawn["props"]
                await browser.emit("element", drawn)
            await asyncio.sleep(REDRAW_SECONDS)

    async def _element(self, browser: Browser) -> ElementDict:
        """What the panel shows: an element that hangs on no message, and so is seen nowhere else."""
        admin = await is_admin(self._people, browser)
        states = self._models.states()
        props = {
            "lang": browser.language,
            "admin": admin,
            "servers": self._server_props(states, admin=admin),
            "embedded": offers_props(
                await self._embedded.offers(), states, browser.language, admin=admin
            ),
            "pulls": [pull_props(pull, browser.language) for pull in self._pulls.all()],
            "mcp": self._tools.props(browser, admin=admin),
            "wanted": self._wanted.get(browser.id, ""),
        }
        if admin:
            props["form"] = {
                "kept": self._form.kept(),
                "status": self._form.status(browser),
                "tests": self._form.tests(browser),
            }
        return element(_owner(browser), browser.thread_id, "Servers", props)

    def _server_props(self, states: Sequence[ServerState], *, admin: bool) -> list[dict[str, Any]]:
        waiting, kept = self._waiting(), self._registration.kept
        return [
            {
                **_server(state, admin=admin),
                "queue": waiting.get(state.name, 0),
                "can_pull": self._stores.has(state.name),
                "can_load": self._stores.loads(state.name),
                "kept": state.name in kept,
                "recommended": offered_by(state),
                "models": [
                    {**_model(model), "doing": self._doing.get((state.name, model.ref.name))}
                    for model in state.models
                ],
            }
            for state in states
        ]

    # -- what administrators do -------------------------------------------------------------------

    async def refresh(self, browser: Browser, payload: Mapping[str, Any]) -> None:
        """Asks the servers now."""
        await self._models.refresh()

    async def pull(self, browser: Browser, payload: Mapping[str, Any]) -> None:
        """Fetches a model, or goes on with it."""
        if await may_administer(self._people, browser):
            self._pulls.start(*_named(payload))

    async def cancel_pull(self, browser: Browser, payload: Mapping[str, Any]) -> None:
        """Stops fetching; what has come stays."""
        if await may_administer(self._people, browser):
            await self._pulls.cancel(*_named(payload))

    async def load(self, browser: Browser, payload: Mapping[str, Any]) -> None:
        """Loads a model into memory ahead of the first question."""
        await self._change(browser, payload, "load", self._stores.load)

    async def unload(self, browser: Browser, payload: Mapping[str, Any]) -> None:
        """Frees its memory."""
        await self._change(browser, payload, "unload", self._stores.unload)

    async def remove(self, browser: Browser, payload: Mapping[str, Any]) -> None:
        """Deletes it from the disk; the panel has asked whether it should."""
        await self._change(browser, payload, "remove", self._stores.remove)

    async def remove_embedded(self, browser: Browser, payload: Mapping[str, Any]) -> None:
        """Ends the model that runs inside the app and deletes its file, which the app has fetched."""

        async def remove(server: str, model: str) -> None:
            with contextlib.suppress(ServerUnavailable):  # nothing runs: a damaged file
                await self._stores.unload(server, model)
            await self._embedded.remove(str(payload.get("name", "")))

        await self._change(browser, payload, "remove", remove)

    async def remove_server(self, browser: Browser, payload: Mapping[str, Any]) -> None:
        """Forgets a server that was named in the chat, and its key."""
        if await may_administer(self._people, browser):
            await self._registration.leave(str(payload.get("server", "")))

    async def _change(
        self, browser: Browser, payload: Mapping[str, Any], name: str, change: Change
    ) -> None:
        server, model = _named(payload)
        if (server, model) in self._doing or not await may_administer(self._people, browser):
            return
        self._doing[server, model] = name
        try:
            await change(server, model)
        finally:
            del self._doing[server, model]


def _owner(browser: Browser) -> str:
    return f"servers/{browser.id}"


def _frame(browser: Browser, name: str, **own: Any) -> ElementDict:
    """A part of the panel itself. Chainlit's page opens its sidebar anew whenever an element of that place
    changes, so this one never does: it draws what the other one holds."""
    owner = _owner(browser)
    live = element(owner, browser.thread_id, "Servers", {})["id"]
    props = {"lang": browser.language, "shows": live, **own}
    frame = element(owner, browser.thread_id, name, props, key="/panel")
    frame["display"] = "side"
    return frame


def _named(payload: Mapping[str, Any]) -> tuple[str, str]:
    server, model = str(payload.get("server") or ""), str(payload.get("model") or "").strip()
    if not server or not model:
        raise BadRequest("a server and a model are needed")
    return server, model


def _server(state: ServerState, *, admin: bool) -> dict[str, Any]:
    return {
        "name": state.name,
        "kind": state.kind,
        "inside": provider_of(state.provider).inside,
        "url": state.url if admin else None,  # says how the network is built
        "set_by": _variables(state.provider) if admin else None,
        "local": state.local,
        "ok": state.reachable,
        "reason": state.error.code if state.error else None,
        "version": state.version,
        "latency_s": state.latency_s,
        "phase": state.extra.get("state"),
    }


def _variables(name: str) -> str:
    """What of the environment sets such a server."""
    provider = provider_of(name)
    return (
        ", ".join(filter(None, (one.variable for one in provider.fields)))
        or provider.variable
        or ""
    )


def _model(profile: ModelProfile) -> dict[str, Any]:
    return {
        "name": profile.ref.name,
        "size_bytes": profile.size_bytes,
        "parameter_size": profile.parameter_size,
        "quantization": profile.quantization,
        "family": profile.family,
        "window": profile.window,
        "capabilities": sorted(profile.capabilities),
        "load": _load(profile.load) if profile.load else None,
    }


def offered_by(state: ServerState) -> list[dict[str, Any]]:
    """What it recommends and has not."""
    there = {model.ref.name.removesuffix(":latest") for model in state.models}
    return [
        {"name": one.name, "about": one.about, "memory": one.memory_bytes, "local": one.local}
        for one in state.recommended
        if one.name.removesuffix(":latest") not in there
    ]


def _load(load: LoadState) -> dict[str, Any]:
    return {
        "size_bytes": load.size_bytes,
        "vram_bytes": load.vram_bytes,
        "gpu_share": load.gpu_share,
        "expires_at": stamp(load.expires_at) if load.expires_at else None,
    }


def pull_props(pull: Pull, language: Language) -> dict[str, Any]:
    """A pull as the elements draw it."""
    return {
        "server": pull.server,
        "model": pull.model,
        "state": pull.state,
        "status": pull.status,
        "speed": pull.speed,
        "left_s": pull.left_s,
        "layers": [
            {"digest": layer.digest, "total": layer.total, "completed": layer.completed}
            for layer in pull.layers.values()
        ],
        "error": pull_failed(pull.error, language) if pull.error else None,
    }
