"""The MCP servers of mcp.json: each is started, kept alive and started again when it dies."""

import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

from app.core.concurrency import BackgroundTasks, ended
from app.core.errors import NotFound, ServerUnavailable
from app.core.text import Text
from app.core.tools import Tool, ToolCaller, ToolResult
from app.tools.mcp.config import FILE, TAKEN, EntryWrong, McpFile, ServerConfig, parsed
from app.tools.mcp.connection import (
    CONNECT_SECONDS,
    TOO_SLOW,
    Connection,
    McpConnectionLost,
    connected,
    why,
)
from app.tools.mcp.content import (
    Prompt,
    ReadFile,
    Resource,
    file_from,
    prompt_from,
    resource_from,
    result_from,
    text_from,
    tool_from,
)

log = logging.getLogger(__name__)

PAUSES = (1.0, 2.0, 5.0, 15.0, 30.0, 60.0)
"""Seconds before a server that died is started again; the last from then on."""
STEADY_SECONDS = 60.0
"""One that ran for so long begins with the first pause again."""
LOOK_SECONDS = 3.0
"""How often the file is looked at: an edit by hand holds without a restart."""
WAIT_SECONDS = 10.0
"""How long a call waits for a server that is being started."""
STDERR_LINES = 8

Phase = Literal["off", "wrong", "starting", "ready", "waiting"]
"""Disabled in the file; its entry cannot be used; being started; there; died, to be started again."""


@dataclass(frozen=True, slots=True)
class McpState:
    """What is known of one server."""

    name: str
    transport: str = ""
    where: str = ""
    """Its command line or address."""
    phase: Phase = "starting"
    reason: Text | None = None
    """Why it is not there."""
    retry_at: float | None = None
    """When it is started again, of `time.time()`."""
    version: str = ""
    tools: tuple[Tool, ...] = ()
    """What it has; of one that died, what it had."""
    prompts: tuple[Prompt, ...] = ()
    resources: tuple[Resource, ...] = ()
    stderr: tuple[str, ...] = ()
    """Its last lines."""


class McpServer:
    """One server, kept alive from `start` on."""

    def __init__(
        self,
        config: ServerConfig,
        environment: Callable[[], Mapping[str, str]],
        pauses: Sequence[float] = PAUSES,
        patience: float = WAIT_SECONDS,
    ) -> None:
        """`patience`: seconds for which a call waits for it."""
        self.config = config
        self.state = McpState(config.name, config.transport, config.where)
        self.on_listed: Callable[[], None] = lambda: None
        """Called when it has told what it has."""
        self._environment = environment
        self._pauses = pauses
        self._patience = patience
        self._connection: Connection | None = None
        self._reason: Text | None = None
        """Why it died last, said once as long as it is the same."""
        self._stderr = deque[str](maxlen=STDERR_LINES)
        self._settled = asyncio.Event()
        """It is there, or the first try has failed."""
        self._up = asyncio.Event()
        self._again = asyncio.Event()
        self._running: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Starts it, unless its entry says that it is off."""
        if self.config.disabled:
            self.state = replace(self.state, phase="off")
            self._settled.set()
        else:
            self._running = asyncio.create_task(self._keep())

    async def aclose(self) -> None:
        """Ends it."""
        if self._running is not None:
            await ended([self._running])

    async def settled(self) -> McpState:
        """Its state when it is there or the first try has failed."""
        await self._settled.wait()
        return self.state

    def restart(self) -> None:
        """Does not wait for the pause to be over."""
        self._again.set()

    async def call(self, tool: str, arguments: Mapping[str, Any], caller: ToolCaller) -> ToolResult:
        """Runs one of its tools. Raises KonsiliumError."""
        connection = await self._there()
        return result_from(await connection.call(tool, dict(arguments), caller.report))

    async def prompt(self, name: str, arguments: Mapping[str, str]) -> str:
        """The words of a prompt. Raises KonsiliumError."""
        connection = await self._there()
        return text_from((await connection.prompt(name, dict(arguments))).messages)

    async def read(self, resource: Resource) -> ReadFile:
        """What a resource holds. Raises KonsiliumError."""
        connection = await self._there()
        return file_from(resource, await connection.resource(resource.uri))

    async def _there(self) -> Connection:
        """The connection; a server that is being started is waited for."""
        if self._connection is None or not self._connection.alive:
            self._up.clear()
            self.restart()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._patience):
                    await self._up.wait()
        if self._connection is None or not self._connection.alive:
            raise McpConnectionLost(self.state.reason or TOO_SLOW, self.config.name)
        return self._connection

    async def _keep(self) -> None:
        tries = 0
        while True:
            began = time.monotonic()
            self._stderr.clear()
            try:
                async with connected(
                    self.config.resolved(self._environment()), self._stderr.append
                ) as connection:
                    try:
                        await self._serve(connection)
                    finally:
                        self._connection = None
                        self._up.clear()
                        if (
                            self.state.phase == "ready"
                        ):  # else why it never was is known in a moment
                            self.state = replace(self.state, phase="waiting", reason=connection.end)
                reason = connection.end
            except Exception as error:  # noqa: BLE001 - whatever a server does ends its connection alone
                reason = why(error, self.config)
            if time.monotonic() - began > STEADY_SECONDS:
                tries = 0
            pause = self._pauses[min(tries, len(self._pauses) - 1)]
            tries += 1
            level = logging.DEBUG if reason == self._reason else logging.WARNING
            self._reason = reason
            log.log(
                level, "mcp %s: %s; started again in %.0f s", self.config.name, reason.en, pause
            )
            self.state = replace(
                self.state,
                phase="waiting",
                reason=reason,
                retry_at=time.time() + pause,
                stderr=tuple(self._stderr),
            )
            self._settled.set()
            self._again.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._again.wait()
            self.state = replace(self.state, phase="starting", retry_at=None)

    async def _serve(self, connection: Connection) -> None:
        """Until it is gone."""
        told = await connection.introduce()
        has = told.capabilities
        while True:
            tools = await connection.tools() if has.tools else []
            prompts = await connection.prompts() if has.prompts else []
            resources = await connection.resources() if has.resources else []
            name = self.config.name
            made = [tool_from(one, self.config, partial(self.call, one.name)) for one in tools]
            self.state = replace(
                self.state,
                phase="ready",
                reason=None,
                version=f"{told.serverInfo.name} {told.serverInfo.version}".strip(),
                tools=tuple(tool for tool in made if tool is not None),
                prompts=tuple(prompt_from(one, name) for one in prompts),
                resources=tuple(resource_from(one, name) for one in resources),
                stderr=(),
            )
            if self._connection is None:
                self._reason = None
                log.info("mcp %s: there, with %d tools", name, len(self.state.tools))
            self._connection = connection
            self._up.set()
            self._settled.set()
            self.on_listed()
            if not await connection.wait():
                return


class McpServers:
    """All of the file; implements `core.tools.ToolSource`."""

    name = ""

    def __init__(
        self,
        folder: Path,
        environment: Callable[[], Mapping[str, str]],
        *,
        taken: Collection[str] = (),
        changed: Callable[[], None] = lambda: None,
        make: Callable[[ServerConfig, Callable[[], Mapping[str, str]]], McpServer] = McpServer,
    ) -> None:
        """`taken`: names of our own tools, which no server may have. `changed` is called when the file,
        and with it the secrets in it, has changed."""
        self.file = McpFile(folder)
        self._environment = environment
        self._taken = frozenset(taken)
        self._changed = changed
        self._make = make
        self._servers: dict[str, McpServer] = {}
        self._wrong: dict[str, Text] = {}
        self._stamp: object = None
        self._reading = asyncio.Lock()
        self._background = BackgroundTasks()
        self._listeners: list[Callable[[], None]] = []

    def subscribe(self, listener: Callable[[], None]) -> None:
        """Tells when servers have other tools, prompts or resources than before. Must be quick."""
        self._listeners.append(listener)

    def _tell(self) -> None:
        for listener in self._listeners:
            listener()

    def start(self) -> None:
        """Starts all; returns at once."""
        self._background.start(self._watch())

    async def aclose(self) -> None:
        """Ends all."""
        await self._background.cancel()
        await asyncio.gather(*(server.aclose() for server in self._servers.values()))

    async def tools(self, user_id: str) -> Sequence[Tool]:
        """Those of the servers that are there, and of those that will be back."""
        return [tool for server in self._servers.values() for tool in server.state.tools]

    def states(self) -> list[McpState]:
        """All servers, and what cannot be used of the file."""
        wrong = (McpState(name, phase="wrong", reason=why) for name, why in self._wrong.items())
        return [*(server.state for server in self._servers.values()), *wrong]

    async def join(self, name: str, entry: Mapping[str, Any]) -> McpState:
        """A new server: it is started, and written into the file if it answers.

        Raises EntryWrong where the entry or its name cannot be used, SettingsInvalid where a variable that it
        names is not set, CannotStart where it does
        not come up, StorageUnavailable.
        """
        if name in self._servers or name in self._wrong:
            raise EntryWrong(TAKEN)
        config = parsed(name, entry, self._taken)
        config.resolved(self._environment())
        server = self._make(config, self._environment)
        server.start()
        try:
            state = await came_up(server)
            if state.phase == "waiting":
                raise CannotStart(state)
            await self.file.put(name, entry)
        except BaseException:  # raised again: a server that is not kept does not run
            await server.aclose()
            raise
        self._servers[name] = server
        server.on_listed = self._tell
        await self.look()
        self._tell()
        return state

    async def leave(self, name: str) -> None:
        """Ends a server and strikes it out. Raises NotFound, SettingsInvalid, StorageUnavailable."""
        await self.file.remove(name)
        await self.look()

    def restart(self, name: str) -> None:
        """Starts one that died without waiting. Raises NotFound."""
        self._server(name).restart()

    async def prompt(self, server: str, name: str, arguments: Mapping[str, str]) -> str:
        """The words of a server's prompt. Raises NotFound, KonsiliumError."""
        return await self._server(server).prompt(name, arguments)

    async def read(self, resource: Resource) -> ReadFile:
        """What a resource holds. Raises NotFound, KonsiliumError."""
        return await self._server(resource.server).read(resource)

    def _server(self, name: str) -> McpServer:
        if name not in self._servers:
            raise NotFound(f"no MCP server {name!r}")
        return self._servers[name]

    async def _watch(self) -> None:
        while True:
            await self.look()
            await asyncio.sleep(LOOK_SECONDS)

    async def look(self) -> None:
        """Reads the file if it has changed: what is new starts, what has gone ends."""
        async with self._reading:
            stamp = await asyncio.to_thread(self.file.stamp)
            if stamp != self._stamp:
                self._stamp = stamp
                await self._read()

    async def _read(self) -> None:
        try:
            configs, self._wrong = await asyncio.to_thread(self.file.servers, self._taken)
        except EntryWrong as error:  # those that run go on
            log.error("%s: %s", self.file.path, error.text.en)
            self._wrong = {FILE: error.text}
            return
        for name, reason in self._wrong.items():
            log.error("%s: %s: %s", self.file.path, name, reason.en)
        running = self._servers
        self._servers = {}
        for name, config in configs.items():
            kept = running.get(name)
            if kept is not None and kept.config == config:
                self._servers[name] = running.pop(name)
            else:
                self._servers[name] = self._make(config, self._environment)
                self._servers[name].on_listed = self._tell
                self._servers[name].start()
        self._changed()
        self._tell()
        for gone in running.values():
            self._background.start(gone.aclose())


class CannotStart(ServerUnavailable):
    """A server that was to join does not come up."""

    def __init__(self, state: McpState) -> None:
        reason = state.reason.en if state.reason else ""
        super().__init__("\n".join((reason, *state.stderr)), server=state.name)
        self.state = state


async def came_up(server: McpServer) -> McpState:
    """Its state when it is there or has failed; one that takes too long has."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(CONNECT_SECONDS):
            return await server.settled()
    return replace(server.state, phase="waiting", reason=TOO_SLOW)
