"""The panel of servers: administrators change things, others are told that they may not."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from app.access.people import People
from app.completion.catalogue import Catalogue
from app.completion.pulls import Pulls, Stores
from app.completion.registration import ModelServers, ServerRegistration
from app.core.models import EmbeddedOffer, ModelProfile, ModelRef, Recommendation, ServerState
from app.core.people import User
from app.core.ports import NewServer
from app.core.turns import now
from app.tools.mcp.servers import McpServers
from app.view.chainlit.browser import Browser
from app.view.server_form import ServerForm
from app.view.servers import Servers, offered_by
from app.view.tool_servers import ToolServers
from tests.fakes import ScriptedModels


class Users:
    def __init__(self, *users: User) -> None:
        self._users = {user.identifier: user for user in users}

    async def by_identifier(self, identifier: str) -> User | None:
        return self._users.get(identifier)


class Nothing:
    """No model runs inside this app, and none may."""

    async def offers(self) -> tuple[EmbeddedOffer, ...]:
        return ()

    def download(self, name: str) -> None: ...
    async def cancel(self, name: str) -> None: ...
    async def remove(self, name: str) -> None: ...
    async def choose(self, path: str) -> None: ...
    async def aclose(self) -> None: ...

    async def found(self) -> tuple[str, ...]:
        return ("/models/small.gguf",)


class Session:
    def __init__(self, identifier: str) -> None:
        self.id, self.thread_id, self.language = "s", "t", "ru"
        self.user = SimpleNamespace(identifier=identifier)
        self.sent: list[tuple[str, Any]] = []

    async def emit(self, event: str, data: Any) -> None:
        self.sent.append((event, data))


def panel() -> tuple[Servers, Pulls, ServerForm]:
    catalogue = Catalogue([])
    stores = Stores(catalogue)
    pulls = Pulls(stores)
    users: Any = Users(
        User("1", "anna", now(), role="admin"),
        User("2", "boris", now()),
        User("3", "clara", now(), role="admin", disabled_at=now()),
    )
    book: Any = SimpleNamespace(kept={"named": NewServer("other", "k-3-y", "http://h/v1")})
    registration = ServerRegistration(Catalogue([]), book)
    servers = ModelServers(catalogue, Nothing(), stores, pulls, registration)
    people = People(users)
    tools = ToolServers(McpServers(Path("nowhere"), dict), people)
    form = ServerForm(servers, people)
    return Servers(ScriptedModels(), servers, people, lambda: {"fake": 3}, tools, form), pulls, form


def browser(identifier: str) -> tuple[Browser, Session]:
    session: Any = Session(identifier)
    return Browser(session), session


@pytest.mark.parametrize(
    "action",
    [
        "pull",
        "cancel_pull",
        "load",
        "unload",
        "remove",
        "remove_embedded",
        "remove_server",
        "mcp_add",
        "mcp_remove",
        "mcp_restart",
        "save_key",
        "test_server",
    ],
)
@pytest.mark.parametrize("who", ["boris", "clara", "nobody"])
async def test_only_administrators_change_what_everybody_uses(action: str, who: str):
    servers, pulls, form = panel()
    page, session = browser(who)
    await (servers.actions | form.actions)[action](page, {"server": "ollama", "model": "m"})
    assert session.sent == [
        ("toast", {"message": "Это может только администратор.", "type": "error"})
    ]
    assert pulls.all() == ()


async def test_everybody_sees_the_panel_and_only_administrators_the_buttons():
    for who, admin in (("anna", True), ("boris", False)):
        servers, *_ = panel()
        page, session = browser(who)
        await servers.open(page)
        shown = dict(session.sent[0][1])["props"]
        assert shown["admin"] is admin
        assert [(server["name"], server["queue"]) for server in shown["servers"]] == [("fake", 3)]


async def test_where_servers_are_is_for_administrators_alone():
    servers, *_ = panel()
    for who, told in (("anna", True), ("boris", False), ("nobody", False)):
        page, session = browser(who)
        await servers.open(page)
        (drawn,) = [
            data
            for event, data in session.sent
            if event == "element" and "servers" in data["props"]
        ]
        assert all((server["url"] is not None) == told for server in drawn["props"]["servers"])
        assert all((server["set_by"] is not None) == told for server in drawn["props"]["servers"])
        frames = [data["name"] for event, data in session.sent if event == "element"]
        assert ("ServerForm" in frames) == told
        assert ("form" in drawn["props"]) == told
        assert "k-3-y" not in str(session.sent)
        assert drawn["props"]["servers"]


def test_what_is_there_already_is_not_recommended():
    gemma, cloud = Recommendation("gemma4"), Recommendation("qwen3.5:cloud", local=False)
    for held, offered in (("gemma4:latest", [cloud]), ("gemma4:e4b", [gemma, cloud])):
        model = ModelProfile(ModelRef("ollama", held))
        state = ServerState("ollama", "ollama", "", True, (model,), recommended=(gemma, cloud))
        assert [one["name"] for one in offered_by(state)] == [one.name for one in offered]
