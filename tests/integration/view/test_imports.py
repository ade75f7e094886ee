"""The page of imports: whose file it is, what it refuses, and what is left on the disk."""

import io
import json
import os
import time
import zipfile

import pytest

from app.access.passwords import Passwords
from app.access.people import People
from app.storage.storage import Storage
from app.view.imports import KEPT_SECONDS
from tests.histories import CHATGPT
from tests.integration.access.page import Page
from tests.processes import konsilium, running
from tests.unit.access.test_passwords import CHEAP

FILE = json.dumps(CHATGPT).encode()


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    folder = tmp_path_factory.mktemp("imports")
    process = konsilium(folder, OLLAMA_HOST="", AUTH_MODE="password", ADMIN_PASSWORD="a long one")
    with running(process):
        yield process


@pytest.fixture
async def storage(app):
    folder = app.log.parent / "data"
    opened = Storage(f"sqlite+aiosqlite:///{folder / 'konsilium.db'}", folder)
    yield opened
    await opened.aclose()


async def entered(app, storage, name):
    user = await People(storage.users, Passwords(CHEAP)).add(name, "long enough")
    page = Page(app.url)
    page.http.headers["accept-language"] = "en"
    assert await page.sign_in(name, "long enough") == 200
    return user, page.http


async def send(http, content, name="conversations.json"):
    return await http.post("/import", files={"file": (name, content)}, timeout=120)


def id_in(answer):
    return answer.text.partition('name="id" value="')[2].partition('"')[0]


async def test_each_brings_in_their_own_and_nobody_anothers_file(app, storage):
    ann, by_ann = await entered(app, storage, "ann")
    bob, by_bob = await entered(app, storage, "bob")
    looked = await send(by_ann, FILE)
    assert (looked.status_code, "New conversations: 1" in looked.text) == (200, True)
    assert (await storage.threads.page(ann.id, limit=9)).items == ()
    taken = await by_bob.post("/import/run", data={"id": id_in(looked)}, timeout=120)
    assert (taken.status_code, "The file is gone" in taken.text) == (422, True)
    done = await by_ann.post("/import/run", data={"id": id_in(looked)}, timeout=120)
    assert (done.status_code, "Done." in done.text) == (200, True)
    (thread,) = (await storage.threads.page(ann.id, limit=9)).items
    assert thread.title == "О борще"
    assert (await storage.threads.page(bob.id, limit=9)).items == ()
    assert list((app.log.parent / "data" / "imports").rglob("*")) == []
    again = await by_ann.post("/import/run", data={"id": id_in(looked)}, timeout=120)
    assert again.status_code == 422


async def test_hostile_files_are_refused_in_words_and_hold_up_nobody(app, storage):
    _, http = await entered(app, storage, "eve")
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("conversations.json", b"[" + b" " * 101_000_000 + b"]")
    for content in (b"", b"\xff\xfe", b"[" * 100_000, b"[null]", b"{}", bomb.getvalue()):
        refused = await send(http, content)
        assert refused.status_code == 422, content[:20]
        assert "This is no export" in refused.text
    named = json.loads(FILE)
    named[0]["title"] = "<script>alert(1)</script>"
    shown = await send(http, json.dumps(named).encode())
    assert shown.status_code == 200
    assert "<script>alert" not in shown.text
    assert (await http.post("/import/run", data={"id": "../../x"})).status_code == 422
    assert (await http.post("/import")).status_code == 422


async def test_a_file_waits_an_hour_and_a_newer_one_takes_its_place(app, storage):
    user, http = await entered(app, storage, "kim")
    folder = app.log.parent / "data" / "imports"
    first, second = id_in(await send(http, FILE)), id_in(await send(http, FILE))
    assert [path.name for path in (folder / user.id).iterdir()] == [second]
    assert (await http.post("/import/run", data={"id": first})).status_code == 422
    past = time.time() - KEPT_SECONDS - 60
    os.utime(folder / user.id, (past, past))
    assert (await http.post("/import/run", data={"id": second})).status_code == 422
    assert not (folder / user.id).exists()
