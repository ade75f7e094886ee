"""Conversations of other programs are stored once, with their branches, and go on here."""

import contextlib
import json
import zipfile

import pytest
from sqlalchemy import insert

from app.conversation.export import as_json
from app.conversation.histories import HistoryRefused, imported
from app.conversation.history_formats import read_histories
from app.core.turns import new_id, now
from app.storage.history_import import HistoryImporter, read_export
from app.storage.presets import MOST
from app.storage.tables import presets
from tests.histories import CHATGPT, LIBRECHAT, OPEN_WEBUI, OURS
from tests.integration.storage.turns import say

ALL = (CHATGPT, OPEN_WEBUI, LIBRECHAT, OURS)
SHOWN = ["Как варить борщ?", "Долго.", "А без мяса?", "Тоже долго."]


def said(stored):
    """The words of a thread, in order."""
    return [step.output for step in stored.steps if step.kind in ("question", "answer")]


async def bring(storage, user, document, *, dry=False):
    importer = HistoryImporter(storage.database)
    threads = [imported(thread, user.id, "Ann") for thread in read_histories(document)]
    return threads, [await importer.keep(user.id, thread, dry=dry) for thread in threads]


@pytest.mark.parametrize("document", ALL)
async def test_a_conversation_comes_once_and_goes_on_here(storage, ann, bob, document):
    (thread,), states = await bring(storage, ann, document, dry=True)
    assert states == ["new"]
    assert (await storage.threads.page(ann.id, limit=9)).items == ()
    assert (await bring(storage, ann, document))[1] == ["new"]
    for dry in (True, False):
        assert (await bring(storage, ann, document, dry=dry))[1] == ["known"]
    (listed,) = (await storage.threads.page(ann.id, limit=9)).items
    assert (listed.title, listed.created_at.year) == ("О борще", 2025)
    stored = await storage.threads.contents(thread.id, ann.id)
    assert said(stored) == SHOWN
    assert [len(ids) for ids in stored.forks.values()] == [2]
    assert [m.text for m in await storage.conversations.history(thread.id)] == SHOWN
    await say(storage, ann, "Ещё?", "Да.", thread=thread.id)
    assert (await bring(storage, ann, document))[1] == ["known"]
    assert said(await storage.threads.contents(thread.id, ann.id)) == [*SHOWN, "Ещё?", "Да."]
    assert (await bring(storage, bob, document))[1] == ["new"]
    (found,) = (await storage.threads.page(bob.id, limit=9, search="мяса")).items
    assert found.user_id == bob.id


async def test_a_conversation_of_ours_is_in_a_project_of_the_same_name_again(storage, ann, bob):
    inside = OURS | {"project": "  Кухня\nбабушки "}
    (thread,), _ = await bring(storage, ann, inside)
    (other,), _ = await bring(storage, ann, inside | {"id": "other", "project": "КУХНЯ БАБУШКИ"})
    for id in (thread.id, other.id):
        assert (await storage.threads.find(id, ann.id)).project == "Кухня бабушки"
    await storage.threads.move(thread.id, ann.id, None)
    assert (await bring(storage, ann, inside))[1] == ["known"]
    assert (await storage.threads.find(thread.id, ann.id)).project is None
    assert await storage.presets.all("projects", bob.id) == ()


async def test_a_conversation_whose_project_would_be_one_too_many_is_in_none(storage, ann):
    of = {"kind": "projects", "user_id": ann.id, "content": {}, "created_at": now()}
    rows = [{"id": new_id(), "name": f"Проект {number}", **of} for number in range(MOST)]
    await storage.database.write(lambda c: c.execute(insert(presets), rows).close())
    ids = []
    for name in ("Кухня", "проект 7"):
        (thread,), _ = await bring(storage, ann, OURS | {"id": name, "project": name})
        ids.append(thread.id)
    assert [(await storage.threads.find(id, ann.id)).project for id in ids] == [None, "Проект 7"]
    assert len(await storage.presets.all("projects", ann.id)) == MOST


async def test_a_conversation_that_has_grown_grows_and_one_in_the_bin_stays_there(storage, ann):
    shorter = json.loads(json.dumps(OPEN_WEBUI))
    messages = shorter[0]["chat"]["history"]["messages"]
    for id in ("3", "4"):
        del messages[id]
    shorter[0]["chat"]["history"]["currentId"] = "2"
    (thread,), _ = await bring(storage, ann, shorter)
    assert said(await storage.threads.contents(thread.id, ann.id)) == SHOWN[:2]
    assert (await bring(storage, ann, OPEN_WEBUI))[1] == ["grown"]
    assert said(await storage.threads.contents(thread.id, ann.id)) == SHOWN
    await storage.threads.delete(thread.id, ann.id)
    assert (await bring(storage, ann, OPEN_WEBUI))[1] == ["deleted"]
    assert (await storage.threads.page(ann.id, limit=9)).items == ()


async def test_a_conversation_of_ours_that_comes_back_is_known(storage, ann, bob):
    await say(storage, ann, "Как варить борщ?", "Долго.", thread="t1")
    whole = await storage.threads.contents("t1", ann.id, whole=True)
    document = json.loads(as_json(whole))
    assert (await bring(storage, ann, document, dry=True))[1] == ["known"]
    assert (await bring(storage, ann, document))[1] == ["known"]
    assert len((await storage.threads.page(ann.id, limit=9)).items) == 1
    assert (await bring(storage, bob, document))[1] == ["new"]
    await storage.threads.delete("t1", ann.id)
    assert (await bring(storage, ann, document))[1] == ["deleted"]
    await storage.threads.purge(user_id=ann.id)
    assert (await bring(storage, ann, document))[1] == ["new"]


async def test_what_was_put_away_there_is_put_away_here(storage, ann):
    (thread,), _ = await bring(storage, ann, [{**CHATGPT[0], "is_archived": True}])
    assert (await storage.threads.page(ann.id, limit=9)).items == ()
    (away,) = (await storage.threads.page(ann.id, limit=9, archived=True)).items
    assert away.id == thread.id


async def test_odd_letters_and_ids_are_stored(storage, ann):
    odd = "a\x00b\ud800/\U0001f600"
    messages = {odd: {"role": "user", "content": odd, "model": odd, "files": [{"name": odd}]}}
    document = {"id": odd, "title": odd, "chat": {"history": {"messages": messages}}}
    assert (await bring(storage, ann, document))[1] == ["new"]
    assert (await bring(storage, ann, document))[1] == ["known"]
    (listed,) = (await storage.threads.page(ann.id, limit=9)).items
    assert listed.title == "ab/\U0001f600"


def test_chatgpts_archive_is_read_as_it_is_sent(tmp_path):
    path = tmp_path / "export.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("chat.html", "<html>")
        archive.writestr("conversations.json", json.dumps(CHATGPT))
    assert read_export(path) == CHATGPT


def test_a_conversation_of_messages_within_each_other_is_read(tmp_path):
    path = tmp_path / "export.json"
    path.write_bytes(b'[{"children":' * 4_000 + b"[]" + b"}]" * 4_000)
    assert read_export(path)[0]["children"]


def test_hostile_files_are_refused(tmp_path):
    path = tmp_path / "export"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("conversations.json", b"[" + b" " * 5_000_000 + b"]")
    with pytest.raises(HistoryRefused, match="bytes"):
        read_export(path, 1_000_000)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("../../conversations.json", "[]")
    with pytest.raises(HistoryRefused):
        read_export(path)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_BZIP2) as archive:
        archive.writestr("conversations.json", json.dumps(CHATGPT) * 100)
    whole = path.read_bytes()
    for at in range(0, len(whole), 3):
        path.write_bytes(whole[:at] + b"\xa5\xff" + whole[at + 2 :])
        with contextlib.suppress(HistoryRefused):
            read_export(path, 1_000_000)
    for data in (b"", b"\xff\xfe\x00", b"[" * 200_000, b'{"a":[' * 100_000, b"{", b" " * 1_000_001):
        path.write_bytes(data)
        with pytest.raises(HistoryRefused):
            read_export(path, 1_000_000)
