"""What we rely on in Chainlit's insides is still what it was: an upgrade says by name what moved.

Nothing of Chainlit is imported, so that the test tells about any version: `make chainlit-drill` runs it
against another one. docs/chainlit.md says what each part is to us.
"""

import ast
import hashlib
import os
import re
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import pytest

from app.view.chainlit.markdown import FORMULAS, with_formulas

ROOT = Path(__file__).resolve().parents[3]
FRONTIER = ROOT / "app" / "view" / "chainlit"
PUBLIC = ROOT / "public"

REPLACED = {
    # what we put ours in place of, or follow step by step: the body's hash
    "server.py:get_html_template": "9d3db1581a63",
    "server.py:_authenticate_user": "562011d240b3",
    "server.py:logout": "5444a8237bcc",
    "server.py:lifespan": "87d073b1e528",
    "server.py:serve": "2fbbe083ca4e",
    "server.py:project_translations": "3916d6e096c6",
    "server.py:project_settings": "05d1016c8c81",
    "server.py:update_thread_element": "09cc74875bf4",
    "server.py:delete_thread_element": "b7c27d5cb24d",
    "server.py:call_action": "c79720ea10e3",
    "server.py:upload_file": "602511fa5614",
    "server.py:get_file": "38c857bbd8ea",
    "server.py:share_thread": "b8579c58a66f",
    "server.py:get_shared_thread": "1fadce2e73dd",
    "server.py:get_avatar": "47de830070b9",
    "server.py:health_check": "799ca1fd5081",
    "socket.py:connect": "11f4f146e396",
    "socket.py:restore_existing_session": "1bed62519b17",
    "socket.py:resume_thread": "e7dc223f86ec",
    "socket.py:connection_successful": "5ddfd6d40e41",
    "socket.py:disconnect": "00143ac5c18d",
    "socket.py:clean_session": "71c587a5da99",
    "socket.py:stop": "bd4cf432b726",
    "socket.py:message": "79db3c6114ac",
    "socket.py:process_message": "1b31887770e8",
    "socket.py:edit_message": "2375ce7e8418",
    "socket.py:message_favorite": "176669e8eeb6",
    "socket.py:fetch_favorites": "e65a55a4437a",
    "socket.py:window_message": "f824e40a1452",
    "socket.py:audio_start": "0ce2f4eda6f7",
    "socket.py:audio_chunk": "0423e13ffa09",
    "socket.py:audio_end": "f6c4c17b705b",
    "socket.py:change_settings": "6b6b1f07c284",
    "socket.py:edit_settings": "0dff17fc5782",
    "emitter.py:ChainlitEmitter.process_message": "5a9fb6429d26",
    "session.py:BaseSession.__init__": "e8699db140e4",
    "session.py:BaseSession.files_dir": "de91ed0a21c7",
    "session.py:WebsocketSession.__init__": "91fd38f146a3",
    "session.py:WebsocketSession.restore": "4cd0c5cb9913",
    "session.py:WebsocketSession.delete": "98c8ec94bccc",
    "element.py:Element.to_dict": "ce1d52040422",
    "element.py:Element.infer_type_from_mime": "498ab7f387e2",
    "auth/__init__.py:authenticate_user": "b371ad1b9857",
    "auth/__init__.py:require_login": "d5ed66921550",
    "auth/jwt.py:create_jwt": "f33b1e7105fc",
    "auth/jwt.py:decode_jwt": "bbd149c62acf",
    "auth/cookie.py:get_token_from_cookies": "a3c2103dc933",
    "auth/cookie.py:set_auth_cookie": "0e76ba346254",
    "cli/__init__.py:assert_app": "ea0403f1edeb",
    "cli/__init__.py:run_chainlit": "2068d1976c28",
}

SOCKET_EVENTS = frozenset(
    {
        "connect", "connection_successful", "clear_session", "disconnect", "stop", "edit_message",
        "message_favorite", "fetch_favorites", "client_message", "window_message", "audio_start",
        "audio_chunk", "audio_end", "chat_settings_change", "chat_settings_edit",
    }
)  # fmt: skip

ROUTES = frozenset(
    {
        "GET /public/{filename:path}", "GET /assets/{filename:path}", "GET /copilot/{filename:path}",
        "GET /auth/config", "POST /login", "POST /logout", "POST /auth/jwt", "POST /auth/header",
        "GET /auth/oauth/{provider_id}", "GET /auth/oauth/{provider_id}/callback",
        "POST /auth/oauth/azure-ad-hybrid/callback", "GET /user", "POST /set-session-cookie",
        "GET /project/translations", "GET /project/settings", "PUT /feedback", "DELETE /feedback",
        "POST /project/threads", "GET /project/thread/{thread_id}", "GET /project/share/{thread_id}",
        "GET /project/thread/{thread_id}/element/{element_id}", "PUT /project/element",
        "DELETE /project/element", "PUT /project/thread", "PUT /project/thread/share",
        "DELETE /project/thread", "POST /project/action", "POST /mcp", "DELETE /mcp",
        "POST /project/file", "GET /project/file/{file_id}", "GET /favicon", "GET /logo",
        "GET /avatars/{avatar_id:str}", "HEAD /", "GET /health", "GET /{full_path:path}",
        "POST /slack/events", "POST /teams/events",
    }
)  # fmt: skip
"""Every route of Chainlit's: a new one is a new door, which somebody has to look at."""

OURS = re.compile(
    r"^(k-|konsilium|take-along|attachment-costs|thread_total|short_system_prompt|compression_stopped|metrics$|data-(alone|shared|away|page|name))"
)
"""Names in our scripts and styles that are our own."""
DRAWN_BY_BROWSERS = frozenset({"dark", "light", "root"})
"""Of no use to look for in the bundle, where they are everywhere or nowhere."""


@cache
def chainlit() -> Path:
    """The package looked at: CHAINLIT_UNDER_TEST, else the one installed."""
    if named := os.environ.get("CHAINLIT_UNDER_TEST"):
        return Path(named)
    spec = find_spec("chainlit")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent


@cache
def source(module: str) -> ast.Module:
    return ast.parse((chainlit() / module).read_text(encoding="utf-8"))


@cache
def bundle() -> str:
    """All that Chainlit's page is made of."""
    built = chainlit() / "frontend" / "dist" / "assets"
    return "\n".join(
        file.read_text(encoding="utf-8") for kind in ("*.js", "*.css") for file in built.glob(kind)
    )


def body_of(where: str) -> str | None:
    """The hash of a function's code without its comments and docstring; None where it is gone."""
    module, _, name = where.partition(":")
    nodes: list[ast.AST] = [source(module)]
    for part in name.split("."):
        found = [
            node
            for parent in nodes
            for node in ast.walk(parent)
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
            and node.name == part
        ]
        nodes = list(found[:1])
    if not nodes:
        return None
    node = nodes[0]
    assert isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    if ast.get_docstring(node) is not None:
        node = ast.parse(ast.unparse(node)).body[0]
        assert isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        node.body = node.body[1:] or [ast.Pass()]
    return hashlib.sha256(ast.unparse(node).encode()).hexdigest()[:12]


def decorated(module: str, receiver: str, methods: tuple[str, ...]) -> set[tuple[str, str]]:
    """(method, first argument) of every `@receiver.method("…")` of a module."""
    return {
        (call.func.attr, str(call.args[0].value))
        for node in ast.walk(source(module))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        for call in node.decorator_list
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Attribute)
        and isinstance(call.func.value, ast.Name)
        and call.func.value.id == receiver
        and call.func.attr in methods
        and call.args
        and isinstance(call.args[0], ast.Constant)
    }


@pytest.mark.parametrize("where", REPLACED)
def test_what_we_replace_or_rely_on_has_not_changed(where):
    assert body_of(where) == REPLACED[where], f"{where} is not what it was: look at it"


def test_every_event_of_the_socket_is_known():
    assert {event for _, event in decorated("socket.py", "sio", ("on",))} == SOCKET_EVENTS


def test_every_route_is_known():
    methods = ("get", "put", "post", "delete", "head", "patch")
    found = {f"{m.upper()} {path}" for m, path in decorated("server.py", "router", methods)}
    assert found == ROUTES


def imported() -> list[str]:
    """`module:name` of everything that the frontier takes from Chainlit."""
    return sorted(
        f"{node.module}:{alias.name}"
        for file in FRONTIER.glob("*.py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "chainlit"
        for alias in node.names
    )


@pytest.mark.parametrize("which", imported())
def test_what_the_frontier_imports_is_there(which):
    module, _, name = which.partition(":")
    if module == "chainlit":
        assert (chainlit() / f"{name}.py").is_file() or (chainlit() / name).is_dir()
        return
    path = chainlit().joinpath(*module.split(".")[1:])
    package, file = path / "__init__.py", path.with_suffix(".py")
    text = (file if file.is_file() else package).read_text(encoding="utf-8")
    assert re.search(rf"\b{name}\b", text), f"{module} has no {name} any more"


def emitted() -> list[str]:
    """The events that we send to Chainlit's page."""
    sent = {
        found
        for file in [*FRONTIER.glob("*.py"), *(ROOT / "app" / "view").glob("*.py")]
        for found in re.findall(r'\.emit\(\s*"(\w+)"', file.read_text(encoding="utf-8"))
    }
    return sorted(sent | {"new_message", "update_message"})


@pytest.mark.parametrize("event", emitted())
def test_the_page_listens_to_what_we_send(event):
    assert re.search(rf'["\'`]{event}["\'`]', bundle()), f"Chainlit's page hears no {event}"


def test_the_page_reads_markdown_where_we_put_the_formulas_in():
    [script] = (chainlit() / "frontend" / "dist" / "assets").glob("index-*.js")
    page = with_formulas(script.read_text(encoding="utf-8"), FORMULAS.read_text(encoding="utf-8"))
    assert page.count("{singleTilde:!1}") == 1
    assert page.count("konsiliumFormulas") == 2
    assert page.count('errorColor:"inherit",maxSize') == 1


def test_nothing_is_left_for_chainlit_to_write_into_the_folder_of_the_app():
    """At import it makes what is missing there, and a read-only folder would end the start."""
    theirs = {file.name for file in (chainlit() / "translations").glob("*.json")}
    ours = {file.name for file in (ROOT / ".chainlit" / "translations").glob("*.json")}
    assert theirs <= ours
    assert (ROOT / ".files").is_dir()
    assert (ROOT / ".chainlit" / "config.toml").is_file()


def test_the_styles_of_formulas_are_of_the_version_that_draws_them():
    styles = (PUBLIC / "katex" / "katex.min.css").read_text(encoding="utf-8")
    [version] = re.findall(r'\.katex-version:after\{content:"([\d.]+)"', styles)
    assert f'"{version}"' in bundle()
    for font in re.findall(r"url\(([^)]+)\)", styles):
        assert (PUBLIC / "katex" / font).is_file()


def selectors() -> list[str]:
    """Ids, classes and attributes of Chainlit's page that our scripts and styles look for."""
    found: set[str] = set()
    for file in PUBLIC.glob("*.css"):
        text = re.sub(
            r"/\*.*?\*/|\{[^{}]*\}|url\([^)]*\)", " ", file.read_text(encoding="utf-8"), flags=re.S
        )
        found |= names_in(text)
    for file in PUBLIC.glob("*.js"):
        for literal in re.findall(
            r"""(?:querySelector(?:All)?|closest|matches)\??\.?\(\s*(['"`])(.*?)\1""",
            file.read_text(encoding="utf-8"),
        ):
            found |= names_in(literal[1])
    return sorted(found)


def names_in(selector: str) -> set[str]:
    text = selector.replace("\\", "")
    names = set(re.findall(r"[#.]([a-zA-Z][\w-]+)", text))
    names |= set(re.findall(r"\[(data-[\w-]+)", text))
    names |= set(re.findall(r'\[(?:id|class)[\^*$~|]?="([^"]+)"', text))
    return {n for n in names if not OURS.match(n) and n not in DRAWN_BY_BROWSERS}


@pytest.mark.parametrize("name", selectors())
def test_the_page_has_what_our_scripts_and_styles_look_for(name):
    if name.startswith("lucide-"):
        pattern = name.removeprefix("lucide-")
        assert f'"{pattern}"' in bundle() or pattern.replace("-", "") in bundle().lower()
    else:
        assert name.rstrip("-") in bundle(), f"Chainlit's page has no {name} any more"
