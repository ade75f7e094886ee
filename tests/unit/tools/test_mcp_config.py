"""mcp.json: what other programs write is understood, what is wrong is named, secrets are references."""

import json
from pathlib import Path

import pytest

from app.core.errors import NotFound, SettingsInvalid
from app.tools.mcp.config import FILE, McpFile, entry_of, parsed


def write(folder: Path, value: object) -> McpFile:
    text = value if isinstance(value, str) else json.dumps(value)
    (folder / FILE).write_text(text, encoding="utf-8")
    return McpFile(folder)


@pytest.mark.parametrize(
    ("entry", "transport"),
    [
        ({"command": "npx", "args": ["-y", "it"]}, "stdio"),
        ({"type": "stdio", "command": "it"}, "stdio"),
        ({"url": "https://a.example/mcp"}, "http"),
        ({"type": "streamable-http", "url": "https://a.example/mcp"}, "http"),
        ({"type": "streamableHttp", "url": "https://a.example/mcp"}, "http"),
        ({"url": "https://a.example/sse"}, "sse"),
        ({"type": "sse", "url": "https://a.example/events"}, "sse"),
        ({"transport": "http", "serverUrl": "https://a.example/mcp"}, "http"),
        ({"url": "${WIKI}"}, "http"),
    ],
)
def test_an_entry_says_how_its_server_is_reached(entry, transport):
    assert parsed("a", entry).transport == transport


@pytest.mark.parametrize(
    ("name", "entry", "why"),
    [
        ("a", [], "not an object"),
        ("a", {}, "either a command or a url"),
        ("a", {"command": "x", "url": "https://a.example"}, "either a command or a url"),
        ("a", {"type": "http", "command": "x"}, "http needs a url"),
        ("a", {"type": "stdio", "url": "https://a.example"}, "stdio needs a command"),
        ("a", {"type": "websocket", "url": "https://a.example"}, "stdio, http or sse"),
        ("a", {"url": "file:///etc/passwd"}, "http:// or https://"),
        ("a", {"command": "x", "args": "y"}, "args must be a list"),
        ("a", {"command": "x", "env": ["A=1"]}, "env must be an object"),
        ("a", {"command": "x", "timeout": -1}, "timeout"),
        ("a,b", {"command": "x"}, "no comma"),
        ("a/b", {"command": "x"}, "no slash"),
        ("", {"command": "x"}, "a name has"),
        ("now", {"command": "x"}, "is called so already"),
    ],
)
def test_what_is_wrong_with_an_entry_is_named(name, entry, why):
    with pytest.raises(SettingsInvalid) as error:
        parsed(name, entry, taken=["now"])
    assert why in error.value.detail


def test_references_are_what_the_environment_holds_wherever_they_stand():
    entry = {
        "command": "${BIN}/it",
        "args": ["--root=${ROOT}"],
        "env": {"TOKEN": "${env:SECRET}", "MODE": "${MODE:-quick}"},
        "cwd": "${ROOT}",
    }
    config = parsed("a", entry).resolved({"BIN": "/b", "ROOT": "/r", "SECRET": "s3cret"})
    assert config.command == ("/b/it", "--root=/r")
    assert config.env == {"TOKEN": "s3cret", "MODE": "quick"}
    assert config.cwd == "/r"
    remote = parsed(
        "b", {"url": "https://${HOST}/mcp", "headers": {"Authorization": "Bearer ${T}"}}
    )
    there = remote.resolved({"HOST": "h.example", "T": "t"})
    assert (there.url, there.headers) == ("https://h.example/mcp", {"Authorization": "Bearer t"})


def test_a_variable_that_is_not_set_is_named():
    with pytest.raises(SettingsInvalid) as error:
        parsed("a", {"command": "x", "env": {"A": "${NOT_THERE}"}}).resolved({})
    assert error.value.variable == "NOT_THERE"


def test_an_address_is_shown_without_what_may_be_a_secret():
    config = parsed("a", {"url": "https://me:pw@a.example/mcp?key=abc#x"})
    assert config.where == "https://a.example/mcp"
    assert "pw" not in repr(config)


def test_one_wrong_entry_leaves_the_others(tmp_path):
    file = write(
        tmp_path, {"mcpServers": {"a": {"command": "x"}, "b": {}, "calculator": {"url": 1}}}
    )
    configs, wrong = file.servers(["calculator"])
    assert (list(configs), list(wrong)) == (["a"], ["b", "calculator"])


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"mcpServers": []}', "\udcff".encode("utf-8", "surrogatepass"), "[" * 9000]
)
def test_a_file_that_is_no_such_file_is_named(tmp_path, text):
    (tmp_path / FILE).write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(SettingsInvalid) as error:
        McpFile(tmp_path).entries()
    assert error.value.variable == FILE


def test_no_file_and_an_empty_one_are_no_servers(tmp_path):
    assert McpFile(tmp_path).entries() == {}
    assert write(tmp_path, "").entries() == {}
    assert write(tmp_path, "\ufeff{}").entries() == {}


async def test_an_entry_joins_and_leaves_and_all_else_stays(tmp_path):
    file = write(tmp_path, {"inputs": [1], "mcpServers": {"a": {"command": "x", "ours": True}}})
    await file.put("b", {"url": "https://b.example/mcp"})
    await file.remove("a")
    assert json.loads(file.path.read_text()) == {
        "inputs": [1],
        "mcpServers": {"b": {"url": "https://b.example/mcp"}},
    }
    assert file.path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(NotFound):
        await file.remove("a")


def test_what_stands_in_headers_and_references_is_a_secret(tmp_path):
    file = write(
        tmp_path,
        {
            "mcpServers": {
                "a": {"command": "x", "args": ["${T}"], "env": {"K": "written-key"}},
                "b": 1,
            }
        },
    )
    assert set(file.secrets({"T": "of-the-environment"})) == {"of-the-environment", "written-key"}


def test_a_command_line_or_an_address_is_an_entry():
    assert entry_of('npx -y "my server"', {"A": "${A}"}) == {
        "command": "npx",
        "args": ["-y", "my server"],
        "env": {"A": "${A}"},
    }
    assert entry_of("https://a.example/mcp", {"X": "y"}) == {
        "url": "https://a.example/mcp",
        "headers": {"X": "y"},
    }
    for wrong in ('npx "open', "  "):
        with pytest.raises(SettingsInvalid):
            parsed("a", entry_of(wrong, {}))


def test_the_words_of_other_programs_for_switches_are_understood():
    config = parsed(
        "a",
        {
            "command": "x",
            "disabled": True,
            "alwaysAllow": ["read"],
            "autoApprove": ["list"],
            "disabledTools": ["rm"],
            "timeout": 5,
        },
    )
    assert config.disabled
    assert config.trusted == {"read", "list"}
    assert config.hidden == {"rm"}
    assert config.seconds == 5
