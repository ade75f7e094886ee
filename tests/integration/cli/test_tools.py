"""MCP servers from the command line."""

import json
import sys

from tests.integration.cli.test_administration import shell
from tests.processes import ROOT

__all__ = ["shell"]

OWN = {"command": sys.executable, "args": ["-m", "tests.simulators.mcp_server"], "cwd": str(ROOT)}


def write(tmp_path, **entries):
    folder = tmp_path / "data"
    folder.mkdir(exist_ok=True)
    (folder / "mcp.json").write_text(json.dumps({"mcpServers": entries}), encoding="utf-8")


async def test_no_servers_is_no_fault(shell, tmp_path):
    code, out, _ = await shell("tools", "list")
    assert code == 0
    assert "calculator  built in" in out
    assert "mcp.json" in out
    assert (await shell("tools", "check"))[0] == 0


async def test_servers_are_listed_without_being_started(shell, tmp_path):
    write(tmp_path, own=OWN, off={"url": "https://a.example/mcp", "disabled": True}, odd={})
    code, out, _ = await shell("tools", "list")
    assert code == 1
    assert "tests.simulators.mcp_server" in out
    assert ["off", "http", "https://a.example/mcp", "off"] in [
        line.split() for line in out.splitlines()
    ]
    assert "either a command or a url is needed" in out


async def test_a_check_starts_each_and_tells_what_it_has_or_why_not(shell, tmp_path):
    write(tmp_path, own=OWN, gone={"command": "no-such-program"}, off={**OWN, "disabled": True})
    code, out, error = await shell("tools", "check")
    assert code == 1
    assert "✅ own (simulated" in out
    assert "➖ off: off" in out
    assert "add          runs by itself" in out
    assert "write        asks first" in out
    assert "❌ gone: there is no program or folder no-such-program" in error
    assert (await shell("tools", "check", "own"))[0] == 0
    code, _, error = await shell("tools", "check", "nobody")
    assert (code, "no server nobody" in error) == (1, True)


async def test_doctor_tells_of_every_server_and_of_the_search(shell, tmp_path):
    write(
        tmp_path,
        own=OWN,
        gone={"command": "no-such-program"},
        odd={},
        off={**OWN, "disabled": True},
    )
    code, out, _ = await shell("doctor", searxng_url="http://127.0.0.1:9")
    assert code == 1
    own = next(line for line in out.splitlines() if line.startswith("✅ own (simulated"))
    assert "tools: 7" in own
    assert "➖ off: off" in out
    assert "❌ gone: there is no program or folder no-such-program" in out
    assert "❌ odd: either a command or a url is needed" in out
    assert "❌ The search of the web http://127.0.0.1:9: the search cannot be reached" in out
    (tmp_path / "data" / "mcp.json").write_text("{")
    code, out, _ = await shell("doctor")
    assert (code, "❌ Wrong setting mcp.json" in out) == (1, True)
