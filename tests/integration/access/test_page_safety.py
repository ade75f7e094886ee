"""What a page may be sent and may load: no stranger's code, no other machine, no door without a use."""

import os
from types import SimpleNamespace

import httpx
import pytest
import pytest_asyncio

from app.access.origins import page_policy
from app.conversation.modes import ELEMENTS as MODE_ELEMENTS
from app.core.threads import ElementRecord
from app.view.chainlit.dicts import ELEMENTS
from app.view.chainlit.identity import Identity, identity
from tests.integration.access.page import Page
from tests.processes import ROOT, konsilium, running

HOSTILE = (
    "../../files/THREAD/ELEMENT?",
    "Guide/../../x",
    "guide",
    "ErrorCard?",
    "https://evil.example/x",
    "",
)


@pytest.fixture(scope="module")
def house_root(tmp_path_factory):
    """The app, with a second one over the same data that has come and gone."""
    folder = tmp_path_factory.mktemp("pages")
    first, second = konsilium(folder, AUTH_MODE="password", ADMIN_PASSWORD="long enough"), None
    with running(first):
        yield SimpleNamespace(app=first, folder=folder, second=second)


@pytest_asyncio.fixture
async def admin(house_root):
    page = Page(house_root.app.url)
    assert await page.sign_in("admin", "long enough") == 200
    await page.connect()
    yield page
    await page.close()


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
async def test_nobody_puts_an_element_into_a_page(admin, method):
    for name in ("ErrorCard", *HOSTILE):
        element = {"id": "e", "type": "custom", "name": name, "display": "inline"}
        body = {"element": element, "sessionId": admin.session}
        answer = await admin.http.request(method, "/project/element", json=body)
        assert answer.status_code == 404
    assert not [data for event, data in admin.heard if event == "element" and data["id"] == "e"]


async def test_a_stored_element_of_a_strange_name_is_never_sent(house, ann):
    await house.storage.threads.ensure("t1", ann.id)
    identity.set(Identity(ann.id, ann.identifier))
    for number, name in enumerate((*HOSTILE, "ErrorCard")):
        record = ElementRecord(f"e{number}", "t1", "custom", name, props={})
        await house.storage.elements.write(record, ann.id)
    thread = await house.layer.get_thread("t1")
    assert [element["name"] for element in thread["elements"]] == ["ErrorCard"]
    assert await house.layer.get_element("t1", "e0") is None
    assert (await house.layer.get_element("t1", f"e{len(HOSTILE)}"))["name"] == "ErrorCard"


def test_our_elements_are_the_files_that_the_page_may_run():
    served = {*os.listdir(ROOT / "public" / "elements"), *(f"{name}.jsx" for name in MODE_ELEMENTS)}
    assert {f"{name}.jsx" for name in ELEMENTS} == served


async def test_every_page_says_what_it_may_load(house_root):
    async with httpx.AsyncClient(base_url=house_root.app.url) as http:
        for path in ("/", "/login", "/thread/x", "/share/x", "/api/docs"):
            page = await http.get(path, headers={"Accept": "text/html"})
            assert page.headers["content-type"].startswith("text/html")
            policy = page.headers["content-security-policy"]
            assert "img-src 'self' data: blob:;" in policy
            assert page_policy(page.text, evaluates="unsafe-eval" in policy) == policy
            assert "unsafe-inline" not in policy.partition("script-src")[2].partition(";")[0]


async def test_doors_without_a_use_are_closed(house_root, admin):
    for path in ("/docs", "/redoc", "/openapi.json", "/mcp", "/copilot/index.js"):
        assert (await admin.http.get(path)).status_code == 404
    assert (await admin.http.post("/mcp", json={})).status_code == 404


@pytest.mark.parametrize(
    ("name", "mime"),
    [
        ("a.html", "text/html"),
        ("a.svg", "image/svg+xml"),
        ("a.xml", "text/xml"),
        ("a.txt", "audio/\x01"),
    ],
)
async def test_an_upload_that_could_run_is_a_download(admin, name, mime):
    sent = {"file": (name if name != "a.svg" else "a.txt", b"<script>alert(1)</script>", mime)}
    session = {"session_id": admin.session}
    file = (await admin.http.post("/project/file", params=session, files=sent)).json()["id"]
    got = await admin.http.get(f"/project/file/{file}", params=session)
    assert got.headers["content-disposition"].startswith("attachment")
    assert got.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in got.headers["content-security-policy"]


@pytest.mark.parametrize("kind", ["projects", "assistants", "prompts"])
async def test_a_form_that_names_no_preset_of_ones_own_makes_no_page_of_what_it_says(admin, kind):
    said = {"kind": kind, "id": '"><h1 id=theirs>', "name": ""}
    answer = await admin.http.post("/library/save", data=said)
    assert answer.status_code == 404
    assert "theirs" not in answer.text


async def test_an_empty_file_comes_and_the_page_is_told_why_it_cannot_be_read(admin):
    session = {"session_id": admin.session}
    sent = {"file": ("пусто.txt", b"", "text/plain")}
    upload = await admin.http.post("/project/file", params=session, files=sent)
    assert upload.status_code == 200


async def test_a_second_app_in_the_same_folder_takes_no_uploads_along(house_root, admin):
    session = {"session_id": admin.session}
    sent = {"file": ("notes.txt", b"the notes", "text/plain")}
    file = (await admin.http.post("/project/file", params=session, files=sent)).json()["id"]
    second = konsilium(house_root.folder, AUTH_MODE="password", ADMIN_PASSWORD="long enough")
    second.log = house_root.folder / "second.log"
    with running(second):
        pass
    assert (await admin.http.get(f"/project/file/{file}", params=session)).content == b"the notes"
    assert (await admin.http.post("/project/file", params=session, files=sent)).status_code == 200
