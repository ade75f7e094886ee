"""Every door of the app, tried by strangers, people signed out, disabled or known, with hostile bodies.

A route or an event without a row here fails: say who may use it, one line a path.
"""

import asyncio
import json
import re
import subprocess
import sys

import aiohttp
import httpx
import pytest
import pytest_asyncio
import socketio.exceptions

from app.access.passwords import Passwords
from app.access.people import People
from app.storage.storage import Storage
from tests.integration.access.page import Page
from tests.processes import ROOT, clean_environment, konsilium, running
from tests.unit.access.test_passwords import CHEAP

PASSWORD = "the administrator's"

OPEN = [
    "/",
    "/{full_path:path}",
    "/health",
    "/assets/",
    "/public/",
    "/public/{filename:path}",
    "/assets/{filename:path}",
    "/favicon",
    "/logo",
    "/offline.js",
    "/auth/config",
    "/auth/header",
    "/auth/oauth/{provider_id}",
    "/auth/oauth/{provider_id}/callback",
    "/avatars/{avatar_id:str}",
    "/avatars/{name:path}",
    "/diagrams",
    "/login",
    "/logout",
    "/set-session-cookie",
    "/project/language",
    "/project/translations",
    "/api/docs",
    "/api/docs/{name}",
    "/api/openapi.json",
    "/metrics",
    "/ollama",
    "/ollama/api/version",
    "/api/version",
]
"""Whoever comes; /metrics on loopback."""
SHUT = [
    "/auth/jwt",
    "/auth/oauth/azure-ad-hybrid/callback",
    "/copilot/{path:path}",
    "/copilot/{filename:path}",
    "/docs",
    "/docs/oauth2-redirect",
    "/mcp",
    "/openapi.json",
    "/project/element",
    "/redoc",
]
"""404 for everybody."""
SIGNED_IN = [
    "/user",
    "/feedback",
    "/archive",
    "/archive/add",
    "/archive/restore",
    "/bin",
    "/bin/purge",
    "/bin/restore",
    "/chat/attachment",
    "/chat/speech",
    "/dashboard",
    "/dashboard/api/days",
    "/dashboard/api/groups/{dimension}",
    "/dashboard/api/strengths",
    "/dashboard/api/summary",
    "/dashboard/api/turns",
    "/dashboard/usage.csv",
    "/dashboard/votes.csv",
    "/files/{thread_id}/{element_id}",
    "/knowledge",
    "/knowledge/create",
    "/knowledge/documents/{document_id}",
    "/knowledge/documents/{document_id}/passages/{number}",
    "/knowledge/remove",
    "/knowledge/share",
    "/knowledge/upload",
    "/knowledge/{base_id}",
    "/library/begin",
    "/library/prompts/{id}/text",
    "/library/remove",
    "/library/save",
    "/library/share",
    "/library/{kind}",
    "/library/{kind}/{id}",
    "/projects",
    "/projects/move",
    "/project/action",
    "/project/file",
    "/project/file/{file_id}",
    "/project/settings",
    "/project/share/{thread_id}",
    "/project/thread",
    "/project/thread/share",
    "/project/thread/{thread_id}",
    "/project/threads",
    "/project/thread/{thread_id}/element/{element_id}",
    "/project/thread/{thread_id}/export",
    "/project/thread/{thread_id}/versions/{node}",
    "/import",
    "/import/run",
    "/temporary",
    "/sessions",
    "/sessions/end",
]
"""By the browser's cookie."""
BY_KEY = [
    "/api/aliases",
    "/api/aliases/{name:path}",
    "/api/answer-cache",
    "/api/chat",
    "/api/chat/cancel/{task_id}",
    "/api/chat/multi-model",
    "/api/chat/regenerate/{chat_id}",
    "/api/chat/session",
    "/api/chat/session/{session_id}",
    "/api/chat/stream",
    "/api/chats",
    "/api/chats/{chat_id}",
    "/api/chats/{chat_id}/branch",
    "/api/chats/{chat_id}/messages",
    "/api/keys",
    "/api/keys/{key_id}",
    "/api/models/server/models",
    "/api/models/servers",
    "/api/projects",
    "/api/projects/{project_id}",
    "/api/ps",
    "/api/tags",
    "/api/embed",
    "/api/embeddings",
    "/api/generate",
    "/api/show",
    "/ollama/api/chat",
    "/ollama/api/copy",
    "/ollama/api/create",
    "/ollama/api/delete",
    "/ollama/api/embed",
    "/ollama/api/embeddings",
    "/ollama/api/generate",
    "/ollama/api/ps",
    "/ollama/api/pull",
    "/ollama/api/push",
    "/ollama/api/show",
    "/ollama/api/tags",
    "/v1/models",
    "/v1/models/{id}",
    "/v1/chat/completions",
    "/v1/completions",
    "/v1/embeddings",
    "/v1/messages",
    "/v1/messages/count_tokens",
    "/v1/responses",
    "/v1/responses/input_tokens",
    "/v1/responses/{id}",
    "/v1/audio/speech",
    "/v1/audio/transcriptions",
    "/v1/audio/translations",
    "/v1/images/generations",
    "/v1/moderations",
    "/v1/rerank",
]
"""By a key, or the cookie where it is /api."""
EVENTS = [
    "audio_chunk",
    "audio_end",
    "audio_start",
    "chat_settings_change",
    "chat_settings_edit",
    "clear_session",
    "client_message",
    "connect",
    "connection_successful",
    "disconnect",
    "edit_message",
    "fetch_favorites",
    "message_favorite",
    "stop",
    "window_message",
]
SOCKET = "/ws/socket.io"
ROWS = {*OPEN, *SHUT, *SIGNED_IN, *BY_KEY, SOCKET}

CHANGING = ("POST", "PUT", "PATCH", "DELETE")

WIDE = b'{"a":[' + b"[]," * 60_000 + b"[]]}"
BODIES = {
    "nothing": b"",
    "no JSON": b"{",
    "no UTF-8": b'{"message": "\xff\xfe"}',
    "a list": b"[]",
    "null": b"null",
    "a NUL": b'{"message": "\\u0000", "threadId": "\\u0000", "session_id": "\\u0000"}',
    "half a pair": b'{"message": "\\ud800", "model": "\\ud800", "session_id": "\\ud800"}',
    "a line": b'{"session_id": "a\\r\\nSet-Cookie: b=c", "name": "a\\r\\nb"}',
    "a number": b'{"session_id": 5, "threadId": 5, "message": 5, "feedback": 5, "pagination": 5}',
    "endless": b'{"temperature": Infinity, "n": 1e999, "message": "x"}',
    "deep": b'{"a":' + b"[" * 50_000 + b"]" * 50_000 + b"}",
    "wide": WIDE,
}


def path_of(door):
    """The row's name: files of the build are named after what is in them."""
    path = door.split(" ", 1)[1]
    return re.sub(r"^(/assets/|/public/)(?!\{).+", r"\1", path)


def address(path):
    return re.sub(r"\{\w+(?::\w+)?\}", "00000000-0000-4000-8000-000000000000", path)


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    """AUTH_MODE=password, without a model."""
    folder = tmp_path_factory.mktemp("doors")
    process = konsilium(folder, OLLAMA_HOST="", AUTH_MODE="password", ADMIN_PASSWORD=PASSWORD)
    with running(process):
        yield process


@pytest.fixture(scope="module")
def doors(tmp_path_factory):
    folder = tmp_path_factory.mktemp("listed")
    variables = {"AUTH_MODE": "password", "DATA_DIR": str(folder), "OLLAMA_HOST": ""}
    environment = clean_environment(CHAINLIT_APP_ROOT=str(ROOT), **variables)
    listed = subprocess.run(
        [sys.executable, "-m", "tests.attack.doors"],
        env=environment,
        capture_output=True,
        check=True,
        cwd=ROOT,
    )
    return json.loads(listed.stdout.splitlines()[-1])


@pytest_asyncio.fixture
async def storage(app):
    folder = app.log.parent / "data"
    opened = Storage(f"sqlite+aiosqlite:///{folder / 'konsilium.db'}", folder)
    yield opened
    await opened.database.aclose()


@pytest_asyncio.fixture
async def bob(app, storage):
    """An ordinary user's page."""
    await People(storage.users, Passwords(CHEAP)).add("bob", "long enough")
    page = Page(app.url)
    assert await page.sign_in("bob", "long enough") == 200
    yield page
    await page.close()


def test_every_route_and_every_event_has_a_row(doors):
    events = {door.removeprefix("EVENT ") for door in doors if door.startswith("EVENT ")}
    assert events == set(EVENTS)
    paths = {path_of(door) for door in doors if not door.startswith("EVENT ")}
    assert paths - ROWS == set(), "say in tests/attack/test_doors.py who may use it"


def requests(doors, rows, methods=None):
    for door in doors:
        method, path = door.split(" ", 1)
        asked = method in methods if methods else method not in ("EVENT", "MOUNT")
        if asked and path_of(door) in rows:
            yield method, address(path)


async def keep_out(http, doors, **options):
    """Whoever asks so gets nothing but the doors that are open to all."""
    for method, path in requests(doors, [*SIGNED_IN, *BY_KEY]):
        answer = await http.request(method, path, **options)
        sent_away = answer.status_code == 303 and answer.headers["location"].endswith("login")
        misshapen = answer.status_code in (400, 422)  # bounded, and looked at before who asks
        assert answer.status_code == 401 or sent_away or misshapen, (method, path, answer.text)
    for method, path in requests(doors, SHUT):
        answer = await http.request(method, path, **options)
        assert answer.status_code in (401, 404), path  # who is nobody changes nothing anywhere


async def test_a_stranger_opens_nothing_whatever_they_send(app, doors):
    async with httpx.AsyncClient(base_url=app.url, timeout=60) as http:
        await keep_out(http, doors)
        for body in (b"{", WIDE, BODIES["deep"]):
            await keep_out(http, doors, content=body, headers={"content-type": "application/json"})
        bad_key = {"authorization": "Bearer sk-kons-made-up", "x-api-key": "sk-kons-made-up"}
        await keep_out(http, doors, headers=bad_key)


async def test_a_stranger_is_answered_before_their_body(app, doors):
    """However long it is to be: nothing of it is read, nor kept."""
    port = int(app.url.rsplit(":", 1)[1])
    for method, path in requests(doors, [*SIGNED_IN, *BY_KEY], CHANGING):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000000\r\n"
        writer.write(f"{head}Content-Type: multipart/form-data; boundary=x\r\n\r\n--x".encode())
        async with asyncio.timeout(20):
            assert b" 401 " in await reader.readline(), (method, path)
        writer.close()


async def test_a_stranger_opens_no_socket(app):
    async with httpx.AsyncClient(base_url=app.url) as http:
        for method in ("GET", "POST"):
            asked = await http.request(method, f"{SOCKET}/?EIO=4&transport=polling")
            assert asked.status_code == 401
    with pytest.raises(socketio.exceptions.ConnectionError):
        await Page(app.url).connect()


async def test_after_signing_out_a_cookie_opens_nothing(app, doors, bob):
    token = bob.http.cookies["access_token"]
    assert (await bob.http.post("/logout")).status_code == 200
    async with httpx.AsyncClient(base_url=app.url, timeout=60) as http:
        http.cookies.set("access_token", token)
        await keep_out(http, doors)


async def test_a_disabled_user_opens_nothing(app, doors, storage):
    people = People(storage.users, Passwords(CHEAP))
    eve = await people.add("eve", "long enough")
    page = Page(app.url)
    assert await page.sign_in("eve", "long enough") == 200
    await people.set_enabled(eve, enabled=False)
    await asyncio.wait_for(_refused(page), 30)
    for method, path in requests(doors, SIGNED_IN):
        answer = await page.http.request(method, path)
        assert answer.status_code in (303, 401), (method, path, answer.status_code)
    await page.close()


async def test_what_others_keep_on_their_shelves_opens_to_nobody_until_it_is_shared(
    app, bob, storage
):
    [admin] = [user for user in await storage.users.all() if user.role == "admin"]
    id = await storage.presets.put("prompts", admin.id, "Theirs", {"text": "A secret {{word}}"})
    page, text = f"/library/prompts/{id}", f"/library/prompts/{id}/text"
    changes = [
        ("/library/save", {"kind": "prompts", "id": id, "name": "Mine", "text": "x"}),
        ("/library/share", {"id": id, "shared": "true"}),
        ("/library/remove", {"id": id}),
        ("/library/begin", {"id": id}),
    ]
    for _ in range(2):
        assert (await bob.http.get(page)).status_code == 404
        for path, form in changes:
            assert (await bob.http.post(path, data=form)).status_code == 404, path
        if (await bob.http.get(text)).status_code == 200:
            break
        assert (await bob.http.get(text)).status_code == 404
        assert "Theirs" not in (await bob.http.get("/library/prompts")).text
        await storage.presets.share(id, admin.id, True)
    assert (await bob.http.get(text)).json()["places"] == ["word"]
    assert "Theirs" in (await bob.http.get("/library/prompts")).text
    await storage.presets.remove(id, admin.id)


async def test_a_project_is_its_owners_and_takes_and_gives_no_threads_of_others(app, bob, storage):
    [admin] = [user for user in await storage.users.all() if user.role == "admin"]
    [bobs] = [user for user in await storage.users.all() if user.identifier == "bob"]
    secret = {"system_prompt": "A secret"}
    theirs = await storage.presets.put("projects", admin.id, "Theirs", secret)
    thread = await storage.threads.begin(admin.id, project_id=theirs)
    own = await storage.presets.put("projects", bobs.id, "Own", {})
    mine = await storage.threads.begin(bobs.id)
    refused = [
        ("/library/save", {"kind": "projects", "id": theirs, "name": "Mine"}),
        ("/library/share", {"id": theirs, "shared": "true"}),
        ("/library/share", {"id": own, "shared": "true"}),
        ("/library/remove", {"id": theirs}),
        ("/library/begin", {"id": theirs}),
        ("/projects/move", {"thread": thread, "project": own}),
        ("/projects/move", {"thread": thread}),
        ("/projects/move", {"thread": mine, "project": theirs}),
    ]
    for path, form in refused:
        assert (await bob.http.post(path, data=form)).status_code == 404, (path, form)
    assert (await bob.http.get(f"/library/projects/{theirs}")).status_code == 404
    assert [one["name"] for one in (await bob.http.get("/projects")).json()["projects"]] == ["Own"]
    assert "Theirs" not in (await bob.http.get("/library/projects")).text
    listed = {"pagination": {"first": 20}, "filter": {}}
    for project in (theirs, "", "' OR 1=1 --"):
        headers = {"x-konsilium-project": project}
        found = await bob.http.post("/project/threads", json=listed, headers=headers)
        assert found.json()["data"] == [], project
    for project in (theirs, own):
        for method, path, body in (
            ("PATCH", f"/api/chats/{thread}", {"projectId": project}),
            ("PATCH", f"/api/projects/{theirs}", {"name": "Mine"}),
            ("DELETE", f"/api/projects/{theirs}", None),
            ("POST", "/api/chats", {"projectId": theirs}),
        ):
            assert (await bob.http.request(method, path, json=body)).status_code == 404, path
    assert (await storage.threads.find(thread, admin.id)).project == "Theirs"
    await bob.http.post("/projects/move", data={"thread": mine, "project": own})
    assert (await storage.threads.find(mine, bobs.id)).project == "Own"
    for id, user in ((theirs, admin.id), (own, bobs.id)):
        await storage.presets.remove(id, user)


async def _refused(page):
    while (await page.http.get("/user")).status_code != 401:
        await asyncio.sleep(0.1)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("kind", BODIES)
async def test_no_body_of_a_user_is_a_fault_of_the_server(app, doors, bob, kind):
    json_type = {"content-type": "application/json"}
    rows = [*OPEN, *SIGNED_IN, *BY_KEY]
    for method, path in requests(doors, rows, CHANGING):
        if path in ("/logout", "/login"):
            continue
        answer = await bob.http.request(method, path, content=BODIES[kind], headers=json_type)
        assert answer.status_code < 500 or answer.status_code == 503, (method, path, answer.text)
    assert (await bob.http.get("/health")).status_code == 200


WORDS = ["%00", "%ED%A0%80", "..%2F..%2Fx", "-1", "9" * 400, "1e999", "%F0%9F%98%80'", "x" * 2000]
NAMES = [
    "first",
    "limit",
    "days",
    "from",
    "to",
    "zone",
    "after",
    "cursor",
    "branch",
    "branches",
    "format",
    "language",
]
NAMES += [
    "number",
    "session_id",
    "file",
    "server",
    "search",
    "mode",
    "model",
    "chat_profile",
    "page",
    "archived",
]


@pytest.mark.parametrize("word", WORDS, ids=lambda it: it[:12])
async def test_no_address_that_a_user_asks_is_a_fault_of_the_server(app, doors, bob, word):
    query = "&".join(f"{name}={word}" for name in NAMES)
    for method, path in requests(doors, [*OPEN, *SIGNED_IN, *BY_KEY], ("GET", "HEAD")):
        odd = path.replace(address("{id}"), word)
        for asked in dict.fromkeys((odd, f"{path}?{query}")):
            answer = await bob.http.request(method, asked)
            assert answer.status_code < 500 or answer.status_code == 503, (method, asked[:80])
    assert (await bob.http.get("/health")).status_code == 200


ODD: list[object] = [
    None,
    5,
    [],
    {},
    "x",
    b"bytes",
    {"message": None},
    {"message": {"id": "../..", "output": 5}},
    {"message": {"id": "00000000-0000-4000-8000-000000000000", "output": "x", "modes": [[]]}},
    {"message": {"id": "\x00", "metadata": 5}},
    {
        "model": {"": []},
        "max_tokens": "x",
        "mode": ["x"],
        "temperature": "\ud800",
        "tools": 5,
        "": 5,
    },
    {"konsilium": {"event": "picked", "picker": "\x00", "name": "\ud800"}},
    {"konsilium": {"event": "branch", "step": "\x00"}},
    {"konsilium": {"event": "list", "thread": "\x00"}},
    {"konsilium": {"event": "favoured", "model": "\x00", "on": True}},
    {"konsilium": {"event": "servers", "server": "\x00"}},
    [[[]]],
    (),
    ("one", {"two": 2}, None),
]
"""What comes with an event; a tuple is several arguments."""


def traces(app):
    """The tracebacks of the log, each by its last lines."""
    return re.findall(
        r"(?m)^  File .*\n    .*\n(?!  File).*|.*never retrieved.*", app.log.read_text()
    )


async def still_served(app, page):
    page.heard.clear()
    await page.socket.emit("window_message", {"konsilium": {"event": "servers"}})
    await page.hear("element", lambda element: element["name"] == "Servers", timeout=60)
    assert not page.closed.is_set()
    async with httpx.AsyncClient(base_url=app.url) as http:
        assert (await http.get("/health")).status_code == 200


async def test_no_payload_of_an_event_takes_the_page_away_or_is_more_than_a_line_in_the_log(
    app, bob
):
    before = traces(app)
    await bob.connect()
    await bob.hear("chat_settings")
    for event in EVENTS:
        if event in ("connect", "disconnect", "clear_session"):
            continue
        for payload in ODD:
            await bob.socket.emit(event, payload)
    await bob.socket.emit("audio_chunk", {"data": b"1", "more": [b"2", b"3"]})
    await still_served(app, bob)
    assert traces(app) == before


ODD_PACKETS: list[str | bytes] = [
    *(
        b"",
        b"\x00\xff",
        "0/other,",
        '0{"sessionId":5,"threadId":[]}',
        "2",
        "2{",
        "2{}",
        "2[]",
        "2[5]",
    ),
    *("2[null]", "2[[]]", "2[{}]", '2["stop"', '2/other,["stop"]', "2/" + "x" * 10_000, "3", "3[]"),
    *("2" + "9" * 101 + '["stop"]', "2" + "[" * 100_000, '2["stop",' + "9" * 5000 + "]", "35[1]"),
    *('4{"message":1}', "5", '5-["audio_chunk"]', "6", "61-[]", "x", "٣", '599999999999-["stop"]'),
    *('51-["audio_chunk",{"_placeholder":true,"num":9}]', b"the attachment"),
    *('51-["audio_chunk",{"data":{"_placeholder":true,"num":"x"}}]', b"the attachment"),
    *('51-["audio_chunk",{"data":{"_placeholder":true,"num":0}}]', "no attachment"),
    '51-/other,["audio_chunk"]',
]
"""As the page's socket would send them, behind engine.io's own mark, or as bytes."""
ODD_FRAMES = [
    "",
    "9",
    "x",
    "٣",
    "²",
    "4",
    "4²",
    "4[[",
    "b!",
    "2x",
    "0{}",
    "4" + "[" * 50_000,
    '451-["stop"]',
]


async def test_no_packet_that_is_none_takes_the_page_away_or_is_more_than_a_line_in_the_log(
    app, bob
):
    before = traces(app)
    await bob.connect()
    await bob.hear("chat_settings")
    for packet in ODD_PACKETS:
        await bob.socket.eio.send(packet)
    await still_served(app, bob)
    cookies = "; ".join(f"{name}={value}" for name, value in bob.http.cookies.items())
    headers = {"cookie": cookies, "origin": app.url}
    async with (
        aiohttp.ClientSession(headers=headers) as http,
        http.ws_connect(f"{app.url}{SOCKET}/?EIO=4&transport=websocket") as socket,
    ):
        for frame in ODD_FRAMES:
            await socket.send_str(frame)
        await socket.send_str("40/nowhere,")
        while not (await socket.receive_str(timeout=20)).startswith("44/nowhere,"):
            pass
    assert traces(app) == before


async def test_a_page_cannot_have_more_and_more_choices_remembered(app, bob):
    await bob.connect()
    await bob.hear("chat_settings")
    for number in range(2):
        await bob.socket.emit("chat_settings_change", {f"choice {number}": "x" * 600_000})
    await bob.hear("toast")
    many = {f"choice {number}": number for number in range(2_000)}
    bob.heard.clear()
    await bob.socket.emit("chat_settings_change", many)
    await bob.hear("toast")
    assert (await bob.http.get("/health")).status_code == 200
