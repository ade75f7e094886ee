"""One connection to an MCP server, by the official SDK: opened, asked, closed.

The SDK says neither that a server has died nor that a call is no longer wanted: what goes to and fro
passes through here, so that the end of it is seen and a cancelled call is called off.
"""

import asyncio
import contextlib
import logging
import os
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, TextIO, TypeVar

import anyio
import httpx
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from mcp import ClientSession, McpError, StdioServerParameters
from mcp import types as protocol
from mcp.client.sse import sse_client
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.message import SessionMessage
from pydantic import AnyUrl, ValidationError

from app.core.concurrency import BackgroundTasks, ended
from app.core.errors import BadRequest, MalformedAnswer, ServerUnavailable, SettingsInvalid
from app.core.text import Text
from app.core.turns import new_id
from app.tools.mcp.config import ServerConfig

log = logging.getLogger(__name__)

CONNECT_SECONDS = 60.0
"""For a server to answer at first: `npx` may have to fetch it."""
ANSWER_SECONDS = 30.0
"""For a list, a prompt, a ping."""
PING_EVERY_SECONDS = 30.0
LINE_CHARACTERS = 2000
"""Of one line that a server writes to its stderr; the rest is left out."""
LAST_WORDS_SECONDS = 1.0
"""How long the stderr of a program that has ended is still listened to: its children may hold it."""
MAX_PAGES = 20
OUR_CALL = "konsilium/call"
"""Under which our own name of a call stands in its `_meta`, until it leaves here."""

T = TypeVar("T")
Incoming = MemoryObjectReceiveStream[SessionMessage | Exception]
Outgoing = MemoryObjectSendStream[SessionMessage]
Heard = Callable[[str], None]


class Connection:
    """An open connection. Its methods raise ServerUnavailable where it is broken, BadRequest where the
    server refuses."""

    def __init__(self, name: str, session: ClientSession, wire: "_Wire") -> None:
        self._name = name
        self._session = session
        self._wire = wire
        self._callings_off = BackgroundTasks()
        self.running = 0
        """Calls of tools under way."""

    @property
    def alive(self) -> bool:
        """Whether it is not known to be broken."""
        return not self._wire.gone.is_set()

    async def introduce(self) -> protocol.InitializeResult:
        """Says who we are; returns who the server is."""
        return await self._answer(self._session.initialize(), CONNECT_SECONDS)

    async def tools(self) -> list[protocol.Tool]:
        """All that it lists."""
        return [tool async for page in self._pages(self._session.list_tools) for tool in page.tools]

    async def prompts(self) -> list[protocol.Prompt]:
        """All that it lists."""
        pages = self._pages(self._session.list_prompts)
        return [prompt async for page in pages for prompt in page.prompts]

    async def resources(self) -> list[protocol.Resource]:
        """All that it lists."""
        pages = self._pages(self._session.list_resources)
        return [resource async for page in pages for resource in page.resources]

    async def prompt(self, name: str, arguments: dict[str, str]) -> protocol.GetPromptResult:
        """The messages of a prompt."""
        return await self._answer(self._session.get_prompt(name, arguments))

    async def resource(self, uri: str) -> protocol.ReadResourceResult:
        """What a resource holds."""
        return await self._answer(self._session.read_resource(AnyUrl(uri)))

    async def ping(self) -> None:
        """Raises ServerUnavailable where nobody answers."""
        with contextlib.suppress(BadRequest):  # it knows no ping, but it is there
            await self._answer(self._session.send_ping())

    async def call(
        self, tool: str, arguments: dict[str, Any], report: Heard
    ) -> protocol.CallToolResult:
        """Runs a tool. Where the caller is cancelled, the server is told that nobody waits any more."""

        async def told(progress: float, total: float | None, message: str | None) -> None:
            count = f"{progress:g}/{total:g}" if total else f"{progress:g}"
            report(f"{message} ({count})" if message else count)

        key = new_id()
        calling = self._session.call_tool(
            tool, arguments, progress_callback=told, meta={OUR_CALL: key}
        )
        self.running += 1
        try:
            return await self._answer(calling, None)
        except asyncio.CancelledError:
            if (request := self._wire.calls.get(key)) is not None:
                self._callings_off.start(self._call_off(request))
            raise
        finally:
            self.running -= 1
            self._wire.calls.pop(key, None)

    async def _call_off(self, request: int | str) -> None:
        told = protocol.CancelledNotificationParams(requestId=request, reason="stopped")
        notice = protocol.ClientNotification(protocol.CancelledNotification(params=told))
        with contextlib.suppress(
            TimeoutError, anyio.ClosedResourceError, anyio.BrokenResourceError
        ):
            async with asyncio.timeout(ANSWER_SECONDS):
                await self._session.send_notification(notice)

    async def wait(self) -> bool:
        """Returns when something has happened: True where what it lists has changed, False where it
        is gone. Where nothing is said for long, it is asked whether it is still there."""
        while not self._wire.gone.is_set():
            if self._wire.changed.is_set():
                self._wire.changed.clear()
                return True
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(PING_EVERY_SECONDS):
                    await self._wire.stirred.wait()
                self._wire.stirred.clear()
                continue
            if not self.running and not self._wire.own_process:
                await self.ping()
        return False

    async def aclose(self) -> None:
        """Nothing is sent any more."""
        await self._callings_off.cancel()

    async def _pages(self, asked: Callable[..., Coroutine[Any, Any, T]]) -> AsyncIterator[T]:
        cursor: str | None = None
        for _ in range(MAX_PAGES):
            params = protocol.PaginatedRequestParams(cursor=cursor) if cursor else None
            page = await self._answer(asked(params=params))
            yield page
            cursor = getattr(page, "nextCursor", None)
            if not cursor:
                return
        log.warning("mcp %s: lists more than %d pages; the rest is left out", self._name, MAX_PAGES)

    async def _answer(
        self, asking: Coroutine[Any, Any, T], seconds: float | None = ANSWER_SECONDS
    ) -> T:
        """What the server answers, unless it is gone or silent before."""
        asked = asyncio.ensure_future(asking)
        gone = asyncio.ensure_future(self._wire.gone.wait())
        try:
            await asyncio.wait([asked, gone], timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            if not asked.done():
                if gone.done():
                    raise self._broken()
                raise McpConnectionLost(TOO_SLOW, self._name)
            return asked.result()
        except McpError as error:
            if error.error.code == protocol.CONNECTION_CLOSED:
                raise self._broken() from error
            raise BadRequest(error.error.message[:500], server=self._name) from error
        except (anyio.ClosedResourceError, anyio.BrokenResourceError) as error:
            raise self._broken() from error
        except (ValidationError, RuntimeError) as error:  # what the SDK makes of a wrong answer
            raise MalformedAnswer(str(error)[:300], server=self._name) from error
        finally:
            await ended([asked, gone])

    @property
    def end(self) -> Text:
        """What it is called that it is gone."""
        return ENDED if self._wire.own_process else BROKE

    def _broken(self) -> "McpConnectionLost":
        return McpConnectionLost(self.end, self._name)


class _Wire:
    """What passes between the SDK's session and its transport."""

    def __init__(self, name: str, *, own_process: bool) -> None:
        self.own_process = own_process
        """Its end is seen at once, so that it need not be asked."""
        self.calls: dict[str, int | str] = {}
        """The protocol's ids of calls, by ours."""
        self.gone = asyncio.Event()
        self.changed = asyncio.Event()
        """What the server lists is no longer what it was."""
        self.stirred = asyncio.Event()
        self._name = name

    async def heard(self, message: object) -> None:
        """What the server says unasked."""
        if isinstance(message, Exception):
            log.warning(
                "mcp %s: says what is not the protocol: %s", self._name, type(message).__name__
            )
        root = message.root if isinstance(message, protocol.ServerNotification) else None
        if isinstance(
            root,
            protocol.ToolListChangedNotification
            | protocol.PromptListChangedNotification
            | protocol.ResourceListChangedNotification,
        ):
            self.changed.set()
            self.stirred.set()

    async def logged(self, params: protocol.LoggingMessageNotificationParams) -> None:
        """What it wants in a log."""
        log.info("mcp %s: %s: %s", self._name, params.level, str(params.data)[:LINE_CHARACTERS])

    async def inward(self, source: Incoming, to: MemoryObjectSendStream[Any]) -> None:
        """From the transport to the session, until either ends."""
        try:
            async with to:
                async for message in source:
                    await to.send(message)
        except (anyio.ClosedResourceError, anyio.BrokenResourceError):
            pass
        finally:
            self.end()

    async def outward(
        self, source: MemoryObjectReceiveStream[SessionMessage], to: Outgoing
    ) -> None:
        """From the session to the transport; the ids of calls are noted on the way."""
        try:
            async for message in source:
                self._note(message)
                await to.send(message)
        except (anyio.ClosedResourceError, anyio.BrokenResourceError):
            pass
        finally:
            self.end()

    def end(self) -> None:
        """Nothing passes any more."""
        self.gone.set()
        self.stirred.set()

    def _note(self, message: SessionMessage) -> None:
        root = message.message.root
        if isinstance(root, protocol.JSONRPCRequest) and root.params:
            meta = root.params.get("_meta") or {}
            if key := meta.pop(OUR_CALL, None):
                self.calls[key] = root.id


@asynccontextmanager
async def connected(config: ServerConfig, heard: Heard) -> AsyncGenerator[Connection, None]:
    """A connection to the server of that entry, whose references are resolved already; `heard` is told
    each line of its stderr. What goes wrong comes as it is: `why` says it."""
    wire = _Wire(config.name, own_process=config.transport == "stdio")
    async with AsyncExitStack() as stack:
        read, write = await stack.enter_async_context(_transport(config, heard))
        to_session, session_reads = anyio.create_memory_object_stream[SessionMessage | Exception](0)
        session_writes, to_transport = anyio.create_memory_object_stream[SessionMessage](0)
        passing = await stack.enter_async_context(anyio.create_task_group())
        stack.callback(passing.cancel_scope.cancel)
        passing.start_soon(wire.inward, read, to_session)
        passing.start_soon(wire.outward, to_transport, write)
        session = await stack.enter_async_context(
            ClientSession(
                session_reads,
                session_writes,
                logging_callback=wire.logged,
                message_handler=wire.heard,
                client_info=protocol.Implementation(name="Konsilium", version="1"),
            )
        )
        connection = Connection(config.name, session, wire)
        stack.push_async_callback(connection.aclose)
        stack.callback(wire.end)
        yield connection


@asynccontextmanager
async def _transport(config: ServerConfig, heard: Heard) -> AsyncGenerator[tuple[Any, Any], None]:
    if config.transport == "stdio":
        program, *arguments = config.command
        parameters = StdioServerParameters(
            command=program, args=arguments, env=dict(config.env), cwd=config.cwd or None
        )
        async with (
            _lines(config.name, heard) as stderr,
            stdio_client(parameters, stderr) as (read, write),
        ):
            yield read, write
        return
    headers = dict(config.headers)
    if config.transport == "sse":
        async with sse_client(config.url, headers) as (read, write):
            yield read, write
        return
    seconds = httpx.Timeout(ANSWER_SECONDS, read=3600.0)
    async with (
        httpx.AsyncClient(headers=headers, timeout=seconds) as client,
        streamable_http_client(config.url, http_client=client) as (read, write, _),
    ):
        yield read, write


@asynccontextmanager
async def _lines(name: str, heard: Heard) -> AsyncGenerator[TextIO, None]:
    """A file for a program's stderr, each line of which goes to the log."""
    reading, writing = os.pipe()
    loop, read_all = asyncio.get_running_loop(), asyncio.Event()

    def told(line: str) -> None:
        log.info("mcp %s: %s", name, line)
        heard(line)

    def read() -> None:
        with (
            open(reading, encoding="utf-8", errors="replace") as lines,
            contextlib.suppress(RuntimeError),
        ):  # the loop is over
            while piece := lines.readline(LINE_CHARACTERS):
                if line := piece.strip():
                    loop.call_soon_threadsafe(told, line)
            loop.call_soon_threadsafe(read_all.set)

    threading.Thread(target=read, name=f"mcp {name}", daemon=True).start()
    try:
        with os.fdopen(writing, "w", encoding="utf-8") as file:
            yield file
    finally:
        with anyio.move_on_after(LAST_WORDS_SECONDS, shield=True):
            await read_all.wait()


TOO_SLOW = Text(ru="не ответил вовремя", uk="не відповів вчасно", en="it did not answer in time")
NOBODY = Text(
    ru="по адресу никто не отвечает",
    uk="за адресою ніхто не відповідає",
    en="nobody answers at the address",
)
NO_PROGRAM = Text(
    ru="нет программы или папки {name}",
    uk="немає програми або теки {name}",
    en="there is no program or folder {name}",
)
NOT_RUN = Text(
    ru="нет права запустить {name}",
    uk="немає права запустити {name}",
    en="{name} may not be run",
)
NO_VARIABLE = Text(
    ru="в окружении нет переменной {name}",
    uk="в оточенні немає змінної {name}",
    en="the environment has no variable {name}",
)
REFUSES_KEY = Text(
    ru="сервер не принимает ключ (HTTP {status})",
    uk="сервер не приймає ключ (HTTP {status})",
    en="the server refuses the key (HTTP {status})",
)
STATUS = Text(
    ru="сервер отвечает HTTP {status}",
    uk="сервер відповідає HTTP {status}",
    en="the server answers HTTP {status}",
)
ENDED = Text(ru="программа завершилась", uk="програма завершилася", en="the program ended")
BROKE = Text(ru="связь прервалась", uk="зв'язок перервався", en="the connection broke")
NO_MCP = Text(
    ru="отвечает не по протоколу MCP",
    uk="відповідає не за протоколом MCP",
    en="it does not speak MCP",
)


def why(error: BaseException, config: ServerConfig) -> Text:
    """What went wrong with a connection to that server, without secrets."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    match error:
        case httpx.HTTPStatusError():
            status = error.response.status_code
            return (REFUSES_KEY if status in (401, 403) else STATUS).format(status=status)
        case httpx.TimeoutException() | TimeoutError():
            return TOO_SLOW
        case httpx.TransportError():
            return NOBODY
        case FileNotFoundError():
            return NO_PROGRAM.format(name=error.filename or config.command[0])
        case PermissionError():
            return NOT_RUN.format(name=error.filename or config.command[0])
        case SettingsInvalid():
            return NO_VARIABLE.format(name=error.variable)
        case McpConnectionLost():
            return error.text
    log.warning("an MCP server failed: %r", error)
    return NO_MCP


class McpConnectionLost(ServerUnavailable):
    """The connection is gone, in words."""

    def __init__(self, text: Text, server: str) -> None:
        super().__init__(text.en, server=server)
        self.text = text
