"""python -m app tools list | check: the tools that models may call, and the MCP servers that have them."""

import argparse
import asyncio
from collections.abc import Iterator
from typing import Any

from app.cli.terminal import Terminal
from app.core.text import Text
from app.settings import environment
from app.tools.builtin import NAMES, BuiltIn
from app.tools.mcp.config import FILE, McpFile
from app.tools.mcp.servers import McpServer, McpState, came_up

NONE = Text(
    ru="Серверов MCP нет: {path} их называет.",
    uk="Серверів MCP немає: {path} їх називає.",
    en="There are no MCP servers: {path} names them.",
)
UNKNOWN = Text(
    ru="В {file} нет сервера {name}.",
    uk="У {file} немає сервера {name}.",
    en="{file} has no server {name}.",
)
OURS = Text(ru="встроенный", uk="вбудований", en="built in")
OFF = Text(ru="выключен", uk="вимкнено", en="off")
READY = Text(
    ru="✅ {name} ({version}): инструментов — {tools}, заготовок — {prompts}, ресурсов — {resources}",
    uk="✅ {name} ({version}): інструментів — {tools}, заготовок — {prompts}, ресурсів — {resources}",
    en="✅ {name} ({version}): tools: {tools}, prompts: {prompts}, resources: {resources}",
)
FAILED = Text(ru="❌ {name}: {why}", uk="❌ {name}: {why}", en="❌ {name}: {why}")
RUNS = Text(ru="запускается сам", uk="запускається сам", en="runs by itself")
ASKS = Text(ru="спрашивает", uk="запитує", en="asks first")


def register(subparsers: Any) -> None:
    """Adds the group."""
    group = subparsers.add_parser("tools", help="tools that models may call, and MCP servers")
    commands = group.add_subparsers(required=True, metavar="list|check")
    listing = commands.add_parser("list", help=f"our own tools and the servers of {FILE}")
    listing.set_defaults(run=list_tools)
    checking = commands.add_parser("check", help="start each server and list what it has")
    checking.add_argument("name", nargs="?", help="one server only")
    checking.set_defaults(run=check)


async def list_tools(_args: argparse.Namespace, terminal: Terminal) -> int:
    """What is configured; no server is started. 1 where an entry cannot be used."""
    ours = await BuiltIn().tools("")
    terminal.table([(tool.name, terminal.words(OURS)) for tool in ours])
    file = McpFile(terminal.settings.data_dir)
    configs, wrong = file.servers(NAMES)
    if not configs and not wrong:
        terminal.say(NONE.format(path=file.path))
        return 0
    rows = [
        (one.name, one.transport, one.where, terminal.words(OFF) if one.disabled else "")
        for one in configs.values()
    ]
    terminal.table([*rows, *((name, "❌", terminal.words(why), "") for name, why in wrong.items())])
    return int(bool(wrong))


async def check(args: argparse.Namespace, terminal: Terminal) -> int:
    """0 where every server answers that is not switched off."""
    file = McpFile(terminal.settings.data_dir)
    states = await started(file, args.name)
    if args.name and not states:
        terminal.fail(UNKNOWN.format(file=FILE, name=args.name))
        return 1
    if not states:
        terminal.say(NONE.format(path=file.path))
    for state in states:
        tell = terminal.say if answers(state) else terminal.fail
        for line in told(terminal, state):
            tell(line)
        if state.phase == "ready" and state.tools:
            terminal.table(
                [(t.name, terminal.words(RUNS if t.read_only else ASKS)) for t in state.tools],
                indent="   ",
            )
    return int(not all(map(answers, states)))


async def started(file: McpFile, name: str | None = None) -> list[McpState]:
    """What comes of each server of the file, or of one, when it is started; it is ended again."""
    configs, wrong = file.servers(NAMES)
    servers = [McpServer(one, environment) for one in configs.values() if name in (None, one.name)]
    for server in servers:
        server.start()
    try:
        states = await asyncio.gather(*map(came_up, servers))
    finally:
        await asyncio.gather(*(server.aclose() for server in servers))
    unusable = (McpState(of, phase="wrong", reason=why) for of, why in wrong.items())
    return [*states, *(state for state in unusable if name in (None, state.name))]


def answers(state: McpState) -> bool:
    """Whether nothing is wrong with it."""
    return state.phase in ("ready", "off")


def told(terminal: Terminal, state: McpState) -> Iterator[str]:
    """A server in a line, and the last that it wrote where it failed."""
    if state.phase == "off":
        yield f"➖ {state.name}: {terminal.words(OFF)}"
    elif state.phase == "ready":
        line = READY.format(
            name=state.name,
            version=state.version,
            tools=len(state.tools),
            prompts=len(state.prompts),
            resources=len(state.resources),
        )
        yield terminal.words(line)
    else:
        yield terminal.words(FAILED.format(name=state.name, why=terminal.words(state.reason or "")))
        yield from (f"   {line}" for line in state.stderr)
