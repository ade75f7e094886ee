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

from app.view.chainlit.long_threads import CHANGES, with_long_threads
from app.view.chainlit.markdown import (
    FORMULAS,
    PACE,
    with_a_quiet_console,
    with_any_file_at_first,
    with_code_facts,
    with_edits_at_any_time,
    with_figures_as_one_writes_them,
    with_formulas,
    with_moments,
    with_named_dialogs,
    with_open_selects,
    with_resting_microphone,
    with_steady_answers,
)

ROOT = Path(__file__).resolve().parents[3]
FRONTIER = ROOT / "app" / "view" / "chainlit"
PUBLIC = ROOT / "public"

REPLACED = {
    # what we put ours in place of, or follow step by step: the body's hash
    "server.py:get_html_template": "d96bcd4f4de9",
    "server.py:_authenticate_user": "96338acd4c3f",
    "server.py:logout": "0c082627b714",
    "server.py:lifespan": "b9ef9112a5a6",
    "server.py:serve": "89185635133c",
    "server.py:project_translations": "4cd29b23317b",
    "server.py:project_settings": "2616ef27a6f2",
    "server.py:update_thread_element": "be1c4f4b1fc3",
    "server.py:delete_thread_element": "859cd1e37c61",
    "server.py:call_action": "c590fbd9a2be",
    "server.py:upload_file": "4fb82a452d32",
    "server.py:get_file": "7f645b6c0bf0",
    "server.py:share_thread": "3cc8c6f3c1ff",
    "server.py:get_shared_thread": "c02a56332022",
    "server.py:get_avatar": "f19c1e9b76f6",
    "server.py:health_check": "917a0e0b7645",
    "socket.py:connect": "5dd7c577dc43",
    "socket.py:restore_existing_session": "a0278cac76f3",
    "socket.py:resume_thread": "ab589a3a867d",
    "socket.py:connection_successful": "98d04f9d747b",
    "socket.py:disconnect": "c8aaa96f4370",
    "socket.py:clean_session": "8382441b955e",
    "socket.py:stop": "9cd009c754a7",
    "socket.py:message": "0ea9fea2c0ff",
    "socket.py:process_message": "09b21bb00972",
    "socket.py:edit_message": "147c5ef4c51b",
    "socket.py:message_favorite": "14da68f4bc61",
    "socket.py:fetch_favorites": "92b07a6d21de",
    "socket.py:window_message": "bdd2b041985b",
    "socket.py:audio_start": "f3a06d9107ae",
    "socket.py:audio_chunk": "8c65da740319",
    "socket.py:audio_end": "18bf9b89d1a6",
    "socket.py:change_settings": "a0f42adf30ad",
    "socket.py:edit_settings": "2d24206359af",
    "emitter.py:ChainlitEmitter.process_message": "60246d42c3ee",
    "session.py:BaseSession.__init__": "8a2c76c8aaa8",
    "session.py:BaseSession.files_dir": "de91ed0a21c7",
    "session.py:WebsocketSession.__init__": "2ab935c1c3b0",
    "session.py:WebsocketSession.restore": "4cd0c5cb9913",
    "session.py:WebsocketSession.delete": "74a44426606a",
    "element.py:Element.to_dict": "ab2c5cf2ef3a",
    "element.py:Element.infer_type_from_mime": "7f130a36d875",
    "auth/__init__.py:authenticate_user": "6e345373d717",
    "auth/__init__.py:require_login": "61d93e023f12",
    "auth/jwt.py:create_jwt": "9d3c22741aa1",
    "auth/jwt.py:decode_jwt": "0d2bc67933f6",
    "auth/cookie.py:get_token_from_cookies": "a3c2103dc933",
    "auth/cookie.py:set_auth_cookie": "4c7a8ebda2f9",
    "cli/__init__.py:assert_app": "00044fed235e",
    "cli/__init__.py:run_chainlit": "10e7120808a4",
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
    r"^(k-|konsilium|take-along|attachment-costs|thread_total|max_tokens|top_p|short_system_prompt|compression_stopped|metrics$|data-(alone|at-end|shared|away|page|name|k-))"
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
    bare = ast.unparse(node).translate(
        {ord('"'): None, ord("'"): None}
    )  # Pythons quote differently
    return hashlib.sha256(bare.encode()).hexdigest()[:12]


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
    heard = bundle() + "".join(CHANGES.values())
    assert re.search(rf'["\'`]{event}["\'`]', heard), f"Chainlit's page hears no {event}"


def test_the_page_reads_markdown_where_we_put_the_formulas_in():
    [script] = (chainlit() / "frontend" / "dist" / "assets").glob("index-*.js")
    page = with_formulas(script.read_text(encoding="utf-8"), FORMULAS.read_text(encoding="utf-8"))
    assert page.count("{singleTilde:!1}") == 1
    assert page.count("konsiliumFormulas") == 2
    assert page.count('errorColor:"inherit",maxSize') == 1


def test_the_page_edits_questions_where_we_open_that_for_while_an_answer_is_written():
    [script] = (chainlit() / "frontend" / "dist" / "assets").glob("index-*.js")
    page = with_edits_at_any_time(script.read_text(encoding="utf-8"))
    assert page.count("disabled:!1,") >= 2


def test_the_page_takes_any_file_until_it_knows_the_settings_without_complaints_in_its_console():
    [script] = (chainlit() / "frontend" / "dist" / "assets").glob("index-*.js")
    text = script.read_text(encoding="utf-8")
    assert text.count('"application/*":[]') - 1 == with_any_file_at_first(text).count(
        '"application/*":[]'
    )


def test_the_page_names_the_dialogs_that_have_no_name():
    [script] = (chainlit() / "frontend" / "dist" / "assets").glob("index-*.js")
    page = with_named_dialogs(script.read_text(encoding="utf-8"))
    assert page.count('className:"sr-only",children:"Konsilium"') == 2


def test_the_page_says_the_number_of_a_slider_where_we_give_it_the_readers_form():
    [script] = (chainlit() / "frontend" / "dist" / "assets").glob("index-*.js")
    page = with_figures_as_one_writes_them(script.read_text(encoding="utf-8"))
    assert page.count(".count.toLocaleString(document.documentElement.lang||void 0)") == 1
    with pytest.raises(LookupError):
        with_figures_as_one_writes_them("another")


def test_the_page_complains_in_its_console_where_we_quieten_it():
    [script] = (chainlit() / "frontend" / "dist" / "assets").glob("index-*.js")
    page = with_a_quiet_console(script.read_text(encoding="utf-8"))
    assert page.count('.current.removeAttribute("aria-describedby")') == 1
    with pytest.raises(LookupError):
        with_a_quiet_console("another")


def test_the_page_copies_answers_by_what_our_script_stands_before():
    """`sources.js` cleans what goes through, and gives pages without HTTPS what they miss."""
    assert "navigator.clipboard.write([new ClipboardItem({" in bundle()
    assert "await navigator.clipboard.writeText(" in bundle()


def test_the_page_has_the_moments_of_messages_and_of_chats():
    [script] = (chainlit() / "frontend" / "dist" / "assets").glob("index-*.js")
    page = with_moments(script.read_text(encoding="utf-8"))
    assert page.count('"data-k-time":') == 3
    with pytest.raises(LookupError):
        with_moments("another")


def test_the_lists_of_the_panel_tell_what_they_hold():
    [script] = (chainlit() / "frontend" / "dist" / "assets").glob("index-*.js")
    page = with_open_selects(script.read_text(encoding="utf-8"))
    assert page.count("k.konsilium={items:") == 1
    with pytest.raises(LookupError):
        with_open_selects("another")


def test_the_page_draws_long_conversations_where_we_quicken_it():
    [script] = (chainlit() / "frontend" / "dist" / "assets").glob("index-*.js")
    page = with_long_threads(script.read_text(encoding="utf-8"), "")
    assert page.count("konsiliumLong.") == len(CHANGES) + 2  # two hold two of them
    with pytest.raises(LookupError):
        with_long_threads("another", "")


def test_the_page_draws_of_an_answer_what_is_new_at_its_own_pace():
    [script] = (chainlit() / "frontend" / "dist" / "assets").glob("index-*.js")
    page = with_steady_answers(script.read_text(encoding="utf-8"), PACE.read_text("utf-8"))
    assert page.count("components:E.useMemo(()=>({...") == 1
    assert page.count("konsiliumRefs.current") == 2
    assert page.count('removeAttribute("data-highlighted")') == 1
    assert page.count('.on("stream_token",konsiliumPaced(') == 1
    with pytest.raises(LookupError):
        with_steady_answers("another", "")


def test_the_microphone_rests_again_where_nothing_was_recorded():
    [script] = (chainlit() / "frontend" / "dist" / "assets").glob("index-*.js")
    assert with_resting_microphone(script.read_text(encoding="utf-8")).count("}else{try{await") >= 1
    with pytest.raises(LookupError):
        with_resting_microphone("another")


def test_the_page_tells_what_code_it_shows():
    [script] = (chainlit() / "frontend" / "dist" / "assets").glob("index-*.js")
    page = with_code_facts(script.read_text(encoding="utf-8"))
    assert page.count('"data-k-lines":') == 1
    assert '"Raw code"' not in page
    with pytest.raises(LookupError):
        with_code_facts("another")


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
