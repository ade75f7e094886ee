"""The file mcp.json in DATA_DIR: MCP servers in the form that other programs have, too.

`{"mcpServers": {"files": {"command": "npx", "args": […]}, "wiki": {"url": "https://…"}}}`. Secrets are
named, not written: `${NAME}` anywhere in an entry is that variable of the environment.
"""

import asyncio
import contextlib
import json
import os
import re
import shlex
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from app.core.errors import NotFound, SettingsInvalid, StorageUnavailable
from app.core.text import Text, same
from app.settings import write_private

FILE = "mcp.json"
Transport = Literal["stdio", "http", "sse"]
_TRANSPORTS: Mapping[str, Transport] = {
    "stdio": "stdio",
    "http": "http",
    "streamable-http": "http",
    "streamablehttp": "http",
    "streamable_http": "http",
    "sse": "sse",
}
"""As other programs name them."""
_REFERENCE = re.compile(r"\$\{(?:env:)?([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")
_NAME = re.compile(r"[^\s,/][^,/]{0,59}")


NAMED = Text(
    ru="имя — до 60 знаков, без запятых и косых черт",
    uk="назва — до 60 знаків, без ком і скісних рисок",
    en="a name has at most 60 characters, no comma and no slash",
)
TAKEN = Text(
    ru="такое имя уже есть у сервера или у встроенного инструмента",
    uk="таку назву вже має сервер або вбудований інструмент",
    en="a server or a tool of ours is called so already",
)
ONE_OF = Text(
    ru="нужно либо command, либо url",
    uk="потрібно або command, або url",
    en="either a command or a url is needed",
)


class EntryWrong(SettingsInvalid):
    """An entry that cannot be used, in words."""

    def __init__(self, text: Text) -> None:
        super().__init__(FILE, text.en)
        self.text = text


@dataclass(frozen=True, slots=True)
class ServerConfig:
    """One entry, as it is written: references to the environment stand in it."""

    name: str
    transport: Transport
    command: tuple[str, ...] = ()
    """The program and its arguments."""
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    cwd: str = ""
    url: str = field(default="", repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    disabled: bool = False
    """It stays in the file and is not started."""
    trusted: frozenset[str] = frozenset()
    """Tools that run without asking though they are not marked as read-only."""
    hidden: frozenset[str] = frozenset()
    """Tools that nobody is offered."""
    seconds: float | None = None
    """How long one call may take; None: as long as any."""

    @property
    def where(self) -> str:
        """Its command line or address, without what may be a secret."""
        if self.transport == "stdio":
            return shlex.join(self.command)
        parts = urlsplit(self.url)
        return parts._replace(
            netloc=parts.netloc.rpartition("@")[2], query="", fragment=""
        ).geturl()

    def resolved(self, environment: Mapping[str, str]) -> "ServerConfig":
        """With what the environment holds in place of the references. Raises SettingsInvalid for a
        variable that is not set."""

        def put(text: str) -> str:
            def value(found: re.Match[str]) -> str:
                name, default = found.groups()
                if name in environment:
                    return environment[name]
                if default is None:
                    raise SettingsInvalid(name, "needed in the environment")
                return str(default)

            return _REFERENCE.sub(value, text)

        return ServerConfig(
            self.name,
            self.transport,
            tuple(map(put, self.command)),
            {name: put(value) for name, value in self.env.items()},
            put(self.cwd),
            put(self.url),
            {name: put(value) for name, value in self.headers.items()},
            self.disabled,
            self.trusted,
            self.hidden,
            self.seconds,
        )


def parsed(name: str, entry: object, taken: Collection[str] = ()) -> ServerConfig:
    """One entry of the file. `taken`: names that no server may have. Raises EntryWrong."""

    def wrong(why: str) -> EntryWrong:
        return EntryWrong(same(why))

    if not _NAME.fullmatch(name) or name != name.strip():
        raise EntryWrong(NAMED)
    if name in taken:
        raise EntryWrong(TAKEN)
    if not isinstance(entry, dict):
        raise wrong("not an object")
    url, command = entry.get("url") or entry.get("serverUrl") or "", entry.get("command") or ""
    said = str(entry.get("type") or entry.get("transport") or "").lower()
    if said and said not in _TRANSPORTS:
        raise wrong(f"type must be stdio, http or sse, not {said!r}")
    if not isinstance(url, str) or not isinstance(command, str) or bool(url) == bool(command):
        raise EntryWrong(ONE_OF)
    guessed: Transport = "sse" if url.rstrip("/").endswith("/sse") else "http"
    transport = _TRANSPORTS[said] if said else guessed if url else "stdio"
    if (transport == "stdio") != bool(command):
        raise wrong(f"{transport} needs a {'command' if transport == 'stdio' else 'url'}")
    if url and not _REFERENCE.match(url) and not re.match(r"https?://[^/]", url):
        raise wrong("url must begin with http:// or https://")
    arguments = entry.get("args") or []
    if not isinstance(arguments, list) or not all(isinstance(one, str) for one in arguments):
        raise wrong("args must be a list of texts")
    seconds = entry.get("timeout")
    if seconds is not None and not (isinstance(seconds, int | float) and 0 < seconds <= 3600):
        raise wrong("timeout must be seconds, 3600 at most")
    return ServerConfig(
        name,
        transport,
        (command, *arguments) if command else (),
        _texts(entry.get("env"), lambda: wrong("env must be an object of texts")),
        str(entry.get("cwd") or ""),
        url,
        _texts(entry.get("headers"), lambda: wrong("headers must be an object of texts")),
        entry.get("disabled") is True or entry.get("enabled") is False,
        _names(entry, "alwaysAllow", "autoApprove"),
        _names(entry, "disabledTools"),
        float(seconds) if seconds is not None else None,
    )


def _texts(value: object, wrong: Any) -> Mapping[str, str]:
    if value is None:
        return {}
    if not isinstance(value, dict) or any(isinstance(one, dict | list) for one in value.values()):
        raise wrong()
    return {str(name): str(one) for name, one in value.items() if one is not None}


def _names(entry: Mapping[str, Any], *keys: str) -> frozenset[str]:
    listed = [entry.get(key) for key in keys]
    return frozenset(str(name) for names in listed if isinstance(names, list) for name in names)


def entry_of(where: str, variables: Mapping[str, str]) -> dict[str, Any]:
    """An entry from a command line or an address, with the environment of the one or the headers of
    the other. Raises EntryWrong."""
    if re.match(r"https?://", where, re.IGNORECASE):
        return {"url": where, **({"headers": dict(variables)} if variables else {})}
    try:
        program, *arguments = shlex.split(where) or [""]
    except ValueError as error:
        raise EntryWrong(same(f"the command line cannot be read: {error}")) from None
    entry: dict[str, Any] = {"command": program, "args": arguments}
    return {**entry, **({"env": dict(variables)} if variables else {})}


class McpFile:
    """Reads and writes mcp.json. Whatever else stands in it stays."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE

    def stamp(self) -> tuple[int, int] | None:
        """Changes with the file; None where there is none."""
        try:
            status = self.path.stat()
        except OSError:
            return None
        return status.st_mtime_ns, status.st_size

    def entries(self) -> dict[str, Any]:
        """What it says of each server. Raises SettingsInvalid where it cannot be read."""
        return dict(self._whole().get("mcpServers") or {})

    def servers(
        self, taken: Collection[str] = ()
    ) -> tuple[dict[str, ServerConfig], dict[str, Text]]:
        """The entries that can be used, and of the others what is wrong with them. `taken`: names that
        no server may have. Raises SettingsInvalid where the file cannot be read."""
        configs, wrong = dict[str, ServerConfig](), dict[str, Text]()
        for name, entry in self.entries().items():
            try:
                configs[name] = parsed(name, entry, taken)
            except EntryWrong as error:
                wrong[name] = error.text
        return configs, wrong

    def secrets(self, environment: Mapping[str, str]) -> Iterator[str]:
        """What its headers and variables hold, and all that it refers to, to be kept out of the log."""
        with contextlib.suppress(SettingsInvalid):
            for entry in self.entries().values():
                for found in _REFERENCE.finditer(json.dumps(entry)):
                    yield environment.get(found[1], "")
                for part in ("headers", "env") if isinstance(entry, dict) else ():
                    values = entry.get(part)
                    yield from map(str, values.values()) if isinstance(values, dict) else ()

    async def put(self, name: str, entry: Mapping[str, Any]) -> None:
        """Writes an entry in place of one of that name. Raises SettingsInvalid, StorageUnavailable."""
        whole = self._whole()
        await self._write(whole | {"mcpServers": {**(whole.get("mcpServers") or {}), name: entry}})

    async def remove(self, name: str) -> None:
        """Strikes an entry out. Raises NotFound, SettingsInvalid, StorageUnavailable."""
        whole = self._whole()
        servers = dict(whole.get("mcpServers") or {})
        if name not in servers:
            raise NotFound(f"{FILE} has no server {name!r}")
        del servers[name]
        await self._write(whole | {"mcpServers": servers})

    def _whole(self) -> dict[str, Any]:
        try:
            text = self.path.read_text(encoding="utf-8-sig")
        except FileNotFoundError:
            return {}
        except (OSError, UnicodeDecodeError) as error:
            raise EntryWrong(same(f"cannot be read: {type(error).__name__}")) from None
        try:
            whole = json.loads(text) if text.strip() else {}
        except ValueError as error:
            raise EntryWrong(same(f"no JSON: {error}")) from None
        except RecursionError:
            raise EntryWrong(same("no JSON: nested too deeply")) from None
        if not isinstance(whole, dict) or not isinstance(whole.get("mcpServers", {}), dict):
            raise EntryWrong(same('needs the form {"mcpServers": {"name": {…}}}'))
        return whole

    async def _write(self, whole: Mapping[str, Any]) -> None:
        text = json.dumps(whole, ensure_ascii=False, indent=2) + os.linesep
        try:
            await asyncio.to_thread(write_private, self.path, text)
        except OSError as error:
            raise StorageUnavailable(f"{self.path}: {error.strerror}") from error
