"""An export read into an empty database gives the same threads, whichever databases they are."""

import dataclasses
import json
import zipfile

import pytest
from sqlalchemy import select

from app.core.errors import BadRequest, NotAllowed, NotFound
from app.core.threads import ElementRecord, FeedbackRecord
from app.storage.storage import Storage
from app.storage.tables import usage
from app.storage.transfer import backup_to, export_to, import_from
from tests.integration.storage.conftest import sqlite_url
from tests.integration.storage.turns import a_request, begin, say


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
async def elsewhere(request, tmp_path):
    """An empty storage of either kind."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    if request.param == "postgres":
        url = request.getfixturevalue("postgres").database()
    else:
        url = sqlite_url(folder)
    opened = await Storage(url, folder).open()
    yield opened
    await opened.aclose()


async def live_in(storage, ann):
    await say(storage, ann, "Перший?", "Так.", "t1", title="Назва")
    settled = await say(storage, ann, "Другий?", "Ні.", "t1")
    await say(storage, ann, "Other", "thread", "t2")
    await begin(storage, a_request(ann, "Unanswered"))
    element = ElementRecord("e1", "t1", "image", "a.png", settled.request.question.id, "image/png")
    await storage.elements.write(element, ann.id, b"pixels\x00")
    await storage.threads.judge(FeedbackRecord("f", settled.request.turn_id, 1, "добре"), ann.id)
    await storage.threads.mark_favorite(settled.request.question.id, ann.id, True)
    await storage.threads.share("t2", ann.id, True)
    await storage.threads.rename("t2", ann.id, "Named by hand")
    await storage.key_values.put("scope", "key", {"ї": [1, 2.5, None]})


async def rows(storage, table):
    query = select(table).order_by(table.c.id)
    return await storage.database.read(lambda c: list(map(dict, c.execute(query).mappings())))


async def test_an_import_gives_the_same_threads(storage, elsewhere, ann, tmp_path):
    await live_in(storage, ann)
    archive = tmp_path / "export.zip"
    counts = await export_to(storage, archive)
    assert (counts["threads"], counts["files"]) == (2, 1)
    await elsewhere.users.add("local")
    assert await import_from(elsewhere, archive) == counts
    for thread in ("t1", "t2"):
        here = await storage.threads.contents(thread, ann.id)
        assert await elsewhere.threads.contents(thread, ann.id) == here
    assert await elsewhere.users.by_identifier("ann") == ann
    assert await elsewhere.users.by_identifier("local") is None
    assert await rows(elsewhere, usage) == await rows(storage, usage)
    assert await elsewhere.key_values.items("scope") == await storage.key_values.items("scope")
    assert await elsewhere.files.read("t1", "e1") == b"pixels\x00"
    found = await elsewhere.threads.page(ann.id, limit=5, search="друг")
    assert [thread.id for thread in found.items] == ["t1"]
    await say(elsewhere, ann, "Goes on", "here", "t1")
    stored = await elsewhere.threads.contents("t1", ann.id)
    assert stored.steps[-1].output == "here"


async def test_the_export_is_its_owners_alone_and_nothing_is_left_beside_it(storage, ann, tmp_path):
    await live_in(storage, ann)
    archive = tmp_path / "out" / "export.zip"
    await export_to(storage, archive)
    assert archive.stat().st_mode & 0o077 == 0
    assert [file.name for file in archive.parent.iterdir()] == ["export.zip"]
    with zipfile.ZipFile(archive) as opened:
        assert "tables/processes.jsonl" not in opened.namelist()


async def test_nothing_is_imported_over_conversations_or_from_the_future(storage, ann, tmp_path):
    await live_in(storage, ann)
    archive = tmp_path / "export.zip"
    await export_to(storage, archive)
    with pytest.raises(NotAllowed):
        await import_from(storage, archive)
    newer = tmp_path / "newer.zip"
    with zipfile.ZipFile(newer, "w") as out:
        out.writestr("manifest.json", json.dumps({"format": 1, "revisions": ["9999_later"]}))
    other = tmp_path / "other.zip"
    with zipfile.ZipFile(other, "w") as out:
        out.writestr("readme.txt", "hello")
    for wrong in (newer, other):
        with pytest.raises(BadRequest):
            await import_from(storage, wrong)


async def test_an_import_that_fails_changes_nothing(storage, elsewhere, ann, tmp_path):
    await live_in(storage, ann)
    archive, broken = tmp_path / "export.zip", tmp_path / "broken.zip"
    await export_to(storage, archive)
    with zipfile.ZipFile(archive) as source, zipfile.ZipFile(broken, "w") as out:
        for name in source.namelist():
            content = source.read(name)
            out.writestr(name, content[:-40] if name == "tables/steps.jsonl" else content)
    await elsewhere.users.add("local")
    with pytest.raises(ValueError, match="line 1"):
        await import_from(elsewhere, broken)
    assert [user.identifier for user in await elsewhere.users.all()] == ["local"]


async def test_a_backup_unpacked_is_the_data_folder(tmp_path):
    storage = await Storage(sqlite_url(tmp_path), tmp_path).open()
    ann = await storage.users.add("ann")
    await live_in(storage, ann)
    await backup_to(storage, tmp_path / "backup.zip")
    here = await storage.threads.contents("t1", ann.id)
    await storage.aclose()
    folder = tmp_path / "restored"
    with zipfile.ZipFile(tmp_path / "backup.zip") as opened:
        opened.extractall(folder)
    restored = await Storage(sqlite_url(folder), folder).open()
    there = await restored.threads.contents("t1", ann.id)
    assert dataclasses.replace(there, steps=()) == dataclasses.replace(here, steps=())
    assert [s.output for s in there.steps] == [*(s.output for s in here.steps), ""]
    assert there.steps[-1].metadata["error"] == {"code": "interrupted"}  # it was running then
    assert await restored.files.read("t1", "e1") == b"pixels\x00"
    await restored.aclose()


async def test_ids_in_an_export_write_no_file_outside_the_folder(storage, ann, tmp_path):
    evil = tmp_path / "evil.zip"
    with zipfile.ZipFile(evil, "w") as out:
        out.writestr("manifest.json", json.dumps({"format": 1, "revisions": ["0001_initial"]}))
        out.writestr("files/../evil", "x")
        out.writestr("files/t1/.hidden", "x")
    with pytest.raises(NotFound):
        await import_from(storage, evil)
    assert not (tmp_path / "evil").exists()
