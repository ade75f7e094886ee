"""MCP servers that nobody here wrote: listed, called, followed, called off, killed, and back again."""

import asyncio
import contextlib
import http.server
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from app.core.errors import ServerUnavailable
from tests.integration.tools.test_mcp import WITHIN, call, hasty, house, ready
from tests.processes import ROOT, free_port
from tests.waiting import until

pytestmark = pytest.mark.timeout(300)
BIN = ROOT / ".venv/.mcp/node_modules/.bin"
PYTHON = ROOT / ".venv/.mcp/python/bin"


@pytest.fixture(scope="module", autouse=True)
def installed() -> None:
    """From npm and PyPI, once."""
    subprocess.run(["sh", "tests/mcp-servers.sh"], cwd=ROOT, check=True)


def npm(name: str, *args: str, **entry: Any) -> dict[str, Any]:
    return {"command": str(BIN / name), "args": list(args), **entry}


def pypi(name: str, *args: str) -> dict[str, Any]:
    return {"command": str(PYTHON / name), "args": list(args)}


EVERYTHING = npm("mcp-server-everything")


async def test_the_everything_server_lists_what_it_has(tmp_path: Path):
    async with house(tmp_path, own=EVERYTHING) as servers:
        state = await ready(servers)
        asks = {tool.name: not tool.read_only for tool in state.tools}
        assert asks["echo"] is False
        assert asks["toggle-simulated-logging"] is True
        assert "simulate-research-query" not in asks  # wants to be polled
        assert (await call(servers, "own/get-sum", a=2, b=3)).text == "The sum of 2 and 3 is 5."
        assert "image/png" in (await call(servers, "own/get-tiny-image")).text
        assert (
            "Chicago"
            not in (await call(servers, "own/get-structured-content", location="Chicago")).text
        )
        assert (await call(servers, "own/get-sum", a="two")).failed
        prompts = {prompt.name: prompt for prompt in state.prompts}
        assert [one.name for one in prompts["args-prompt"].arguments if one.required] == ["city"]
        assert "Kyiv" in await servers.prompt("own", "args-prompt", {"city": "Kyiv"})
        assert b"Everything" in (await servers.read(state.resources[0])).content


async def test_it_tells_how_far_it_is_and_is_called_off(tmp_path: Path):
    async with house(tmp_path, own=EVERYTHING) as servers:
        await ready(servers)
        lines = list[str]()
        told = {"duration": 0.4, "steps": 4}
        result = await call(servers, "own/trigger-long-running-operation", lines.append, **told)
        assert not result.failed
        assert lines[0].startswith("1/4")
        long = {"duration": 3600, "steps": 36000}
        calling = asyncio.ensure_future(
            call(servers, "own/trigger-long-running-operation", lines.append, **long)
        )
        await until(lambda: "2/36000" in lines, within=WITHIN)
        calling.cancel()
        with pytest.raises(asyncio.CancelledError):
            await calling
        assert "42" in (await call(servers, "own/get-sum", a=40, b=2)).text


@pytest.mark.parametrize(
    ("entry", "tool", "told", "says"),
    [
        (EVERYTHING, "echo", {"message": "hello"}, "hello"),
        (
            pypi("mcp-server-time"),
            "convert_time",
            {"source_timezone": "UTC", "time": "12:00", "target_timezone": "Asia/Tokyo"},
            "21:00",
        ),
    ],
)
async def test_a_killed_server_comes_back(tmp_path: Path, entry, tool, told, says):
    async with house(tmp_path, own=entry) as servers:
        await ready(servers)
        assert says in (await call(servers, f"own/{tool}", **told)).text
        for process in psutil.Process().children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):  # it ended with the one that started it
                process.kill()
        await until(lambda: servers.states()[0].phase != "ready", within=WITHIN)
        assert says in (await call(servers, f"own/{tool}", **told)).text


async def test_files_are_written_in_the_folder_that_is_named_and_nowhere_else(tmp_path: Path):
    papers, secret = tmp_path / "papers", tmp_path / "secret.txt"
    papers.mkdir()
    secret.write_text("not for them")
    async with house(tmp_path, own=npm("mcp-server-filesystem", str(papers))) as servers:
        asks = {tool.name: not tool.read_only for tool in (await ready(servers)).tools}
        assert (asks["write_file"], asks["read_text_file"]) == (True, False)
        path = str(papers / "a.txt")
        assert not (await call(servers, "own/write_file", path=path, content="roses")).failed
        assert "roses" in (await call(servers, "own/read_text_file", path=path)).text
        refused = await call(servers, "own/read_text_file", path=str(secret))
        assert refused.failed
        assert "not for them" not in refused.text


class _Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        found = self.path == "/roses"
        body = b"<html><body><main><h1>Roses</h1><p>Water them at seven.</p></main></body></html>"
        self.send_response(200 if found else 404)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(body if found else b"")

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def site() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Page)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


async def test_a_page_is_fetched(tmp_path: Path, site: str):
    async with house(tmp_path, own=pypi("mcp-server-fetch")) as servers:
        await ready(servers)
        assert "not a public address" in (await call(servers, "own/fetch", url=site)).text
    open_to_us = pypi("mcp-server-fetch", "--allow-private-ips")
    async with house(tmp_path, own=open_to_us) as servers:
        await ready(servers)
        assert "seven" in (await call(servers, "own/fetch", url=f"{site}/roses")).text
        assert (await call(servers, "own/fetch", url=f"{site}/none")).failed


@pytest.mark.parametrize(("way", "path"), [("streamableHttp", "mcp"), ("sse", "sse")])
async def test_a_server_behind_http_is_killed_and_comes_back(tmp_path: Path, way: str, path: str):
    port = free_port()

    def start() -> subprocess.Popen[bytes]:
        environment = {"PATH": "/usr/local/bin:/usr/bin:/bin", "PORT": str(port)}
        command = [str(BIN / "mcp-server-everything"), way]
        return subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)

    process = start()
    try:
        async with house(
            tmp_path, hasty, own={"url": f"http://127.0.0.1:{port}/{path}"}
        ) as servers:
            await ready(servers)
            lines = list[str]()
            told = {"duration": 0.4, "steps": 4}
            await call(servers, "own/trigger-long-running-operation", lines.append, **told)
            assert "3/4" in " ".join(lines)
            process.kill()
            process.wait()
            with pytest.raises(ServerUnavailable):
                await call(servers, "own/get-sum", a=1, b=1)
            await until(lambda: servers.states()[0].phase != "ready", within=WITHIN)
            process = start()
            await ready(servers)
            assert "5" in (await call(servers, "own/get-sum", a=2, b=3)).text
    finally:
        process.kill()
        process.wait()
