"""Conversations of other programs are stored once, with their branches, and go on here."""

import json
import zipfile

import pytest

from app.conversation.histories import HistoryRefused, arrived, read_histories
from app.storage.arrivals import Arrivals, read_export
from tests.histories import CHATGPT, LIBRECHAT, OPEN_WEBUI, OURS
from tests.integration.storage.turns import said, say

ALL = (CHATGPT, OPEN_WEBUI, LIBRECHAT, OURS)
SHOWN = ["Как варить борщ?", "Долго.", "А без мяса?", "Тоже долго."]


async def bring(storage, user, document, *, dry=False):
    arrivals = Arrivals(storage.database)
    threads = [arrived(thread, user.id, "Ann") for thread in read_histories(document)]
    return threads, [await arrivals.keep(user.id, thread, dry=dry) for thread in threads]


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


def test_chatgpts_archive_is_read_as_it_is_sent(tmp_path):
    path = tmp_path / "export.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("chat.html", "<html>")
        archive.writestr("conversations.json", json.dumps(CHATGPT))
    assert read_export(path) == CHATGPT


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
    for data in (b"", b"\xff\xfe\x00", b"[" * 200_000, b"{", b" " * 1_000_001):
        path.write_bytes(data)
        with pytest.raises(HistoryRefused):
            read_export(path, 1_000_000)
