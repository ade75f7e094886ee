"""MCP servers over every transport: listed, called, called off; they die, come back, and change."""

import asyncio
import json
import logging
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest

from app.core.errors import BadRequest, NotFound, ServerUnavailable, SettingsInvalid
from app.core.options import ChatOptions
from app.core.tools import ToolCaller, ToolResult
from app.tools.mcp.config import FILE
from app.tools.mcp.servers import McpServer, McpServers, McpState
from tests.processes import ROOT, free_port
from tests.waiting import until

WITHIN = 60.0
quick = partial(McpServer, pauses=(0.01,))
hasty = partial(McpServer, pauses=(0.01,), patience=0.0)
STDIO = {"command": sys.executable, "args": ["-m", "tests.simulators.mcp_server"], "cwd": str(ROOT)}


def a_caller(report: Any = lambda line: None) -> ToolCaller:
    return ToolCaller("u", "t", "turn", "en", ChatOptions(), "", report, lambda source: 1)


@asynccontextmanager
async def house(folder: Path, make: Any = quick, **entries: Any) -> AsyncIterator[McpServers]:
    """Servers of that file, with quick restarts."""
    (folder / FILE).write_text(json.dumps({"mcpServers": entries}), encoding="utf-8")
    servers = McpServers(folder, lambda: dict(os.environ), taken=["now"], make=make)
    servers.start()
    try:
        yield servers
    finally:
        await servers.aclose()


OTHERS: set[int] = set()
"""Children that this process had before a test: servers that other tests keep."""


@pytest.fixture(autouse=True)
def _only_ours() -> None:
    OTHERS.clear()
    OTHERS.update(child.pid for child in psutil.Process().children())


def programs() -> list[psutil.Process]:
    """The programs that this test has begun."""
    return [child for child in psutil.Process().children() if child.pid not in OTHERS]


async def ready(servers: McpServers, name: str = "own", phase: str = "ready") -> McpState:
    def it() -> McpState | None:
        states = {state.name: state for state in servers.states()}
        return states[name] if name in states and states[name].phase == phase else None

    return await until(it, within=WITHIN)


async def reason(servers: McpServers, name: str, phase: str) -> str:
    state = await ready(servers, name, phase)
    assert state.reason is not None
    return state.reason.en


async def call(
    servers: McpServers, id: str, report: Any = lambda line: None, **told: Any
) -> ToolResult:
    [tool] = [tool for tool in await servers.tools("u") if tool.id == id]
    return await tool.call(told, a_caller(report))


@asynccontextmanager
async def over(transport: str, port: int) -> AsyncIterator[Any]:
    """The simulated server behind HTTP."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.simulators.mcp_server", transport, str(port), cwd=ROOT
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def test_a_server_lists_what_it_has_and_which_tools_ask(tmp_path):
    async with house(tmp_path, own=STDIO) as servers:
        state = await ready(servers)
        asking = {tool.name: not tool.read_only for tool in state.tools}
        assert asking["write"]
        assert not asking["add"]
        assert [prompt.name for prompt in state.prompts] == ["letter"]
        assert [resource.uri for resource in state.resources] == ["note://today"]
        assert await call(servers, "own/add", a=2, b=3) == ToolResult("5")
        assert (
            await servers.prompt("own", "letter", {"to": "Ann"})
            == "Write a friendly letter to Ann."
        )
        read = await servers.read(state.resources[0])
        assert (read.name, read.mime) == ("Today", "text/markdown")
        assert b"roses" in read.content


@pytest.mark.parametrize(("transport", "path"), [("streamable-http", "mcp"), ("sse", "sse")])
async def test_a_server_behind_http_works_dies_and_comes_back(tmp_path, transport, path):
    port = free_port()
    url = f"http://127.0.0.1:{port}/{path}"
    async with house(tmp_path, hasty, own={"url": url}) as servers:
        assert await reason(servers, "own", "waiting") == "nobody answers at the address"
        async with over(transport, port):
            await ready(servers)
            assert (await call(servers, "own/add", a=2, b=3)).text == "5"
            lines = list[str]()
            assert (await call(servers, "own/slow", lines.append, seconds=0.1)).text == "done"
            assert "counting (3/20)" in lines
        with pytest.raises(ServerUnavailable):
            await call(servers, "own/add", a=2, b=3)
        await until(lambda: servers.states()[0].phase != "ready", within=WITHIN)
        async with over(transport, port):
            await ready(servers)
            assert (await call(servers, "own/add", a=4, b=3)).text == "7"


async def test_progress_is_told_and_a_cancelled_call_is_called_off(tmp_path):
    mark = tmp_path / "called-off"
    async with house(tmp_path, own={**STDIO, "env": {"CALLED_OFF": str(mark)}}) as servers:
        await ready(servers)
        lines = list[str]()
        calling = asyncio.ensure_future(call(servers, "own/slow", lines.append, seconds=600))
        await until(lambda: lines, within=WITHIN)
        calling.cancel()
        with pytest.raises(asyncio.CancelledError):
            await calling
        assert lines[0] == "counting (1/20)"
        await until(mark.exists, within=WITHIN)
        assert (await call(servers, "own/add", a=1, b=1)).text == "2"


async def test_a_server_that_dies_in_mid_call_is_said_to_and_started_again(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    async with house(tmp_path, own=STDIO) as servers:
        await ready(servers)
        with pytest.raises(ServerUnavailable):
            await call(servers, "own/crash")
        assert (await call(servers, "own/add", a=2, b=3)).text == "5"
    assert "mcp own: the disk is on fire" in caplog.text
    assert "mcp own: the program ended; started again" in caplog.text


async def test_several_calls_run_at_once(tmp_path):
    async with house(tmp_path, own=STDIO) as servers:
        await ready(servers)
        calls = [call(servers, "own/add", a=n, b=n) for n in range(20)]
        assert [result.text for result in await asyncio.gather(*calls)] == [
            str(2 * n) for n in range(20)
        ]


async def test_a_tool_that_fails_and_one_called_wrongly_are_results(tmp_path):
    async with house(tmp_path, own=STDIO) as servers:
        await ready(servers)
        failed = await call(servers, "own/refuse")
        assert failed.failed
        assert "no such thing" in failed.text
        assert (await call(servers, "own/add", a="x")).failed


async def test_a_server_is_told_the_variables_of_its_entry_and_none_of_ours(tmp_path, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "ours")
    monkeypatch.setenv("WIKI_TOKEN", "theirs")
    async with house(tmp_path, own={**STDIO, "env": {"TOKEN": "${WIKI_TOKEN}"}}) as servers:
        await ready(servers)
        assert (await call(servers, "own/environment", name="TOKEN")).text == "theirs"
        assert (await call(servers, "own/environment", name="OPENAI_API_KEY")).text == "(not set)"


async def test_what_cannot_start_says_why_and_holds_up_no_other(tmp_path):
    async with house(
        tmp_path,
        own=STDIO,
        none={"command": "there-is-no-such-program"},
        unset={"command": "x", "env": {"A": "${NOT_SET_ANYWHERE}"}},
        wrong={},
        now=STDIO,
        off={**STDIO, "disabled": True},
        dies={"command": sys.executable, "args": ["-c", "import sys; sys.exit('I need a token')"]},
    ) as servers:
        await ready(servers)
        assert "there-is-no-such-program" in await reason(servers, "none", "waiting")
        assert "NOT_SET_ANYWHERE" in await reason(servers, "unset", "waiting")
        assert "command or a url" in await reason(servers, "wrong", "wrong")
        assert "is called so already" in await reason(servers, "now", "wrong")
        assert (await ready(servers, "off", "off")).tools == ()

        def told() -> bool:
            [state] = [state for state in servers.states() if state.name == "dies"]
            return state.stderr == ("I need a token",)

        await until(told, within=WITHIN)


async def test_an_edit_of_the_file_holds_without_a_restart(tmp_path):
    async with house(tmp_path, own=STDIO) as servers:
        await ready(servers)
        [child] = programs()
        entries = {"own": STDIO, "other": {**STDIO, "disabledTools": ["add"]}}
        (tmp_path / FILE).write_text(json.dumps({"mcpServers": entries}), encoding="utf-8")
        await servers.look()
        await ready(servers, "other")
        assert child.is_running()
        assert "other/add" not in {tool.id for tool in await servers.tools("u")}
        (tmp_path / FILE).write_text('{"mcpServers": {"other": ', encoding="utf-8")
        await servers.look()
        assert (await reason(servers, FILE, "wrong")).startswith("no JSON")
        assert len(await servers.tools("u")) > 1
        (tmp_path / FILE).unlink()
        await servers.look()
        assert servers.states() == []
        await until(lambda: not programs(), within=WITHIN)


async def test_a_server_joins_if_it_answers_and_leaves_with_its_process(tmp_path):
    async with house(tmp_path) as servers:
        state = await servers.join("own", STDIO)
        assert state.phase == "ready"
        assert "own" in json.loads((tmp_path / FILE).read_text())["mcpServers"]
        with pytest.raises(SettingsInvalid):
            await servers.join("own", STDIO)
        with pytest.raises(ServerUnavailable) as error:
            await servers.join("bad", {"command": sys.executable, "args": ["-c", "1/0"]})
        assert "ZeroDivisionError" in error.value.detail
        with pytest.raises(SettingsInvalid):
            await servers.join("now", STDIO)
        assert [state.name for state in servers.states()] == ["own"]
        assert (await call(servers, "own/add", a=1, b=2)).text == "3"
        await servers.leave("own")
        assert json.loads((tmp_path / FILE).read_text()) == {"mcpServers": {}}
        await until(lambda: not programs(), within=WITHIN)
        with pytest.raises(NotFound):
            await servers.leave("own")


async def test_what_a_server_refuses_is_no_broken_connection(tmp_path):
    async with house(tmp_path, own=STDIO) as servers:
        await ready(servers)
        with pytest.raises(BadRequest):
            await servers.prompt("own", "no-such-prompt", {})
        assert (await call(servers, "own/add", a=1, b=2)).text == "3"


async def test_a_server_that_speaks_nonsense_between_is_understood(tmp_path):
    talk = (
        "import builtins, sys; print('welcome', flush=True); sys.argv = ['x'];"
        "import tests.simulators.mcp_server as it; it.server.run()"
    )
    noisy = {"command": sys.executable, "args": ["-c", talk], "cwd": str(ROOT)}
    async with house(tmp_path, own=noisy) as servers:
        await ready(servers)
        assert (await call(servers, "own/add", a=1, b=2)).text == "3"
