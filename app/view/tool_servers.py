"""The MCP servers in the panel of servers: what each has, and what administrators do about it."""

import time
from collections.abc import Mapping
from typing import Any

from app.access.people import People
from app.core.errors import KonsiliumError, SettingsInvalid
from app.core.text import Language, Text
from app.tools.mcp.config import FILE, EntryWrong, entry_of
from app.tools.mcp.connection import NO_VARIABLE
from app.tools.mcp.servers import CannotStart, McpServers, McpState
from app.view.chainlit.browser import ActionHandler, Browser, may_administer
from app.view.errors import advice_for

PAIR = Text(
    ru="строка «{line}»: нужно ИМЯ=значение",
    uk="рядок «{line}»: потрібно НАЗВА=значення",
    en="the line “{line}”: NAME=value is needed",
)


class ToolServers:
    """What the panel shows of them, and its buttons."""

    def __init__(self, servers: McpServers, people: People) -> None:
        self._servers = servers
        self._people = people
        self._trying: dict[str, dict[str, Any]] = {}
        """By user, the server that is being added, or why it could not be."""

    @property
    def actions(self) -> dict[str, ActionHandler]:
        """Name -> handler(browser, payload)."""
        return {"mcp_add": self.add, "mcp_remove": self.remove, "mcp_restart": self.restart}

    def props(self, browser: Browser, *, admin: bool) -> dict[str, Any]:
        """What the element draws; only administrators see how a server is reached and what it wrote."""
        return {
            "servers": [_server(one, browser.language, admin) for one in self._servers.states()],
            "trying": self._trying.get(browser.user_id) if admin else None,
        }

    async def add(self, browser: Browser, payload: Mapping[str, Any]) -> None:
        """A new server: kept if it answers; else the form says why not."""
        if not await may_administer(self._people, browser):
            return
        name, where = str(payload.get("name", "")).strip(), str(payload.get("where", "")).strip()
        said = str(payload.get("variables", ""))
        form = {"name": name, "where": where, "variables": said}
        self._trying[browser.user_id] = {**form, "state": "trying"}
        try:
            entry = entry_of(where, _pairs(said, browser.language))
            await self._servers.join(name, entry)
        except (KonsiliumError, _NoPair) as error:
            failed = {"state": "failed", **_failure(error, browser.language)}
            self._trying[browser.user_id] = {**form, **failed}
        except BaseException:  # raised again: nothing is being tried any more
            self._trying.pop(browser.user_id, None)
            raise
        else:
            del self._trying[browser.user_id]

    async def remove(self, browser: Browser, payload: Mapping[str, Any]) -> None:
        """Ends a server and forgets it."""
        if await may_administer(self._people, browser):
            await self._servers.leave(str(payload.get("server", "")))

    async def restart(self, browser: Browser, payload: Mapping[str, Any]) -> None:
        """Tries one that died again now."""
        if await may_administer(self._people, browser):
            self._servers.restart(str(payload.get("server", "")))


class _NoPair(ValueError):
    pass


def _pairs(text: str, language: Language) -> dict[str, str]:
    """`NAME=value` or `Name: value`, one a line."""
    pairs = {}
    for line in filter(None, map(str.strip, text.splitlines())):
        at = min((place for mark in "=:" if (place := line.find(mark)) > 0), default=0)
        if not at:
            raise _NoPair(PAIR.format(line=line[:20])[language])
        pairs[line[:at].strip()] = line[at + 1 :].strip()
    return pairs


def _failure(error: Exception, language: Language) -> dict[str, Any]:
    """Why a server could not be added, and what it wrote meanwhile."""
    match error:
        case CannotStart(state=state) if state.reason is not None:
            return {"reason": state.reason[language], "stderr": list(state.stderr)}
        case _NoPair():
            return {"reason": str(error)}
        case EntryWrong(text=text):
            return {"reason": text[language]}
        case SettingsInvalid(variable=name):
            return {"reason": NO_VARIABLE.format(name=name)[language]}
        case KonsiliumError():
            return {"reason": advice_for({"code": error.code}, language)["title"]}
    return {"reason": ""}


def _server(state: McpState, language: Language, admin: bool) -> dict[str, Any]:
    wait = state.retry_at and max(0, round(state.retry_at - time.time()))
    shown = {
        "name": state.name,
        "transport": state.transport,
        "phase": state.phase,
        "reason": state.reason[language] if state.reason else None,
        "retry_s": wait,
        "version": state.version,
        "tools": [
            {
                "name": tool.name,
                "title": tool.title[language] if tool.title else "",
                "asks": not tool.read_only,
            }
            for tool in state.tools
        ],
        "prompts": len(state.prompts),
        "resources": len(state.resources),
    }
    if not admin:
        return shown
    removable = state.name != FILE
    return shown | {"where": state.where, "stderr": list(state.stderr), "removable": removable}
