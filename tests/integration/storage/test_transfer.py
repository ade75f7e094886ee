"""An export read into an empty database gives the same threads, whichever databases they are."""

import dataclasses
import json
import random
import tracemalloc
import zipfile
from typing import Any

import pytest
from sqlalchemy import select

from app.access.keys import new_key
from app.core.errors import BadRequest, NotAllowed, NotFound
from app.core.knowledge import Document, Passage, Term, Vectors
from app.core.threads import ElementRecord, FeedbackRecord
from app.core.turns import now
from app.storage.storage import Storage
from app.storage.tables import steps, usage
from app.storage.transfer import (
    MAX_ROW_BYTES,
    ExportRefused,
    backup_to,
    export_to,
    import_from,
)
from tests.integration.storage.conftest import sqlite_url
from tests.integration.storage.turns import a_request, begin, say


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


async def document_of(storage, ann):
    """A knowledge base with one document, which is embedded."""
    base = await storage.knowledge.create(ann.id, "Papers")
    passages = [Passage(0, "Полка", heading="Дом", terms="полка"), Passage(1, "Key", terms="key")]
    held = Document("d1", base.id, "a.md", "", "digest", 5, None, 8, len(passages), now())
    await storage.knowledge.put(held, passages, b"bytes", ann.id)
    await storage.knowledge.put_vectors("s/m", Vectors("d1", 2, b"\x00\xff" * 8))
    return base, held


async def rows(storage, table):
    query = select(table).order_by(table.c.id)
    return await storage.database.read(lambda c: list(map(dict, c.execute(query).mappings())))


async def test_an_import_gives_the_same_threads_and_knowledge(storage, elsewhere, ann, tmp_path):
    await live_in(storage, ann)
    base, held = await document_of(storage, ann)
    archive = tmp_path / "export.zip"
    counts = await export_to(storage, archive)
    assert (counts["threads"], counts["files"]) == (2, 2)
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
    (one,) = await elsewhere.knowledge.find([base.id], ann.id, [Term(("полка",))], 5)
    assert (one.document, one.passage.text) == (held, "Полка")
    assert elsewhere.knowledge.path(held).read_bytes() == b"bytes"
    assert await elsewhere.knowledge.unembedded("s/m", 1) == ()
    assert await elsewhere.knowledge.find([base.id], "stranger", [Term(("полка",))], 5) == ()
    again = dataclasses.replace(held, id="d2", name="b.md")
    await elsewhere.knowledge.put(again, [Passage(0, "Полка", terms="полка")], b"x", ann.id)
    assert len(await elsewhere.knowledge.find([base.id], ann.id, [Term(("полка",))], 5)) == 2


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
    with pytest.raises(ExportRefused, match=r"damaged tables/steps.jsonl:1"):
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


async def test_what_is_not_shared_is_shut_to_others_in_a_backup_and_after_an_import_too(tmp_path):
    storage = await Storage(sqlite_url(tmp_path), tmp_path).open()
    ann, bob = await storage.users.add("ann"), await storage.users.add("bob")
    base, held = await document_of(storage, ann)
    await say(storage, ann, "Secret?", "Yes.", "t1")
    await export_to(storage, tmp_path / "export.zip")
    await backup_to(storage, tmp_path / "backup.zip")
    await storage.aclose()
    with zipfile.ZipFile(tmp_path / "backup.zip") as opened:
        opened.extractall(tmp_path / "restored")
    folder = tmp_path / "imported"
    imported = await Storage(sqlite_url(folder), folder).open()
    await import_from(imported, tmp_path / "export.zip")
    await imported.aclose()
    for place in (tmp_path / "restored", folder):
        house = await Storage(sqlite_url(place), place).open()
        own, terms = house.knowledge, [Term(("полка",))]
        for asked in (
            own.base(base.id, bob.id),
            own.documents(base.id, bob.id),
            own.silent_pages(base.id, bob.id),
            own.document(held.id, bob.id),
            own.passages(held.id, bob.id, 0, 1),
            own.share(base.id, bob.id, True),
            own.remove_document(held.id, bob.id),
            own.remove(base.id, bob.id),
            own.put(held, [], b"", bob.id),
            house.threads.contents("t1", bob.id),
        ):
            with pytest.raises(NotFound):
                await asked
        assert await own.bases(bob.id) == ()
        assert await own.find([base.id], bob.id, terms, 5) == ()
        assert await own.load([(held.id, 0)], bob.id) == ()
        assert await own.vectors(base.id, bob.id, {}) == ({}, ())
        assert own.path(held).read_bytes() == b"bytes"
        await own.share(base.id, ann.id, True)
        assert [one.name for one in await own.bases(bob.id)] == ["Papers"]
        assert len(await own.find([base.id], bob.id, terms, 5)) == 1
        with pytest.raises(NotFound):
            await own.remove(base.id, bob.id)
        await house.aclose()


async def test_ids_in_an_export_write_no_file_outside_the_folder(storage, ann, tmp_path):
    evil = tmp_path / "evil.zip"
    with zipfile.ZipFile(evil, "w") as out:
        out.writestr("manifest.json", json.dumps({"format": 1, "revisions": ["0001_initial"]}))
        out.writestr("files/../evil", "x")
        out.writestr("files/t1/.hidden", "x")
    with pytest.raises(ExportRefused, match=r"damaged files/\.\./evil"):
        await import_from(storage, evil)
    assert not (tmp_path / "evil").exists()


async def said(storage):
    return [row | {"seq": None} for row in await rows(storage, steps)]


def rewritten(source, target, **changes):
    """The export with other contents under those names; None leaves one out."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            content = changes.pop(name, old.read(name))
            if content is not None:
                new.writestr(name, content)
        for name, content in changes.items():
            new.writestr(name, content)
    return target


STEPS, USERS = "tables/steps.jsonl", "tables/users.jsonl"


DAMAGED: list[tuple[dict[str, Any], str]] = [
    ({"manifest.json": "{"}, "no_export"),
    ({"manifest.json": "[]"}, "no_export"),
    ({"manifest.json": "[" * 100_000}, "damaged manifest.json"),
    ({"manifest.json": None}, "no_export"),
    ({STEPS: b"\xff\xfe\n"}, f"damaged {STEPS}"),
    ({STEPS: "[]\n"}, f"damaged {STEPS}"),
    ({STEPS: "{}\n"}, f"damaged {STEPS}"),
    ({STEPS: "[" * 100_000}, f"damaged {STEPS}"),
    ({USERS: '{"id": ["a"], "identifier": {}, "role": 5}\n'}, f"damaged {USERS}"),
    ({"tables/usage.jsonl": '{"id": "a", "started_at": "yesterday"}\n'}, "damaged tables/usage"),
    ({"tables/usage.jsonl": '{"id": "a", "cost_rub": "much"}\n'}, "damaged tables/usage"),
    ({"tables/elements.jsonl": None}, "damaged elements: 0 / 1"),
    ({"files/t1/e1": None}, "damaged files: 0 / 1"),
    ({"files/t1/e9": b"x", "files/t1/.e": b"x"}, "damaged files/t1/.e"),
]


SINCE = {
    "threads": {"archived_at", "temporary", "project_id"},
    "api_keys": {"tools", "drop_params"},
}
"""Columns that came later than exports which people may have kept."""


async def test_an_export_of_an_older_version_is_read(storage, elsewhere, ann, tmp_path):
    await live_in(storage, ann)
    key, _ = new_key("ci", ann.id)
    await storage.keys.add(key)
    counts = await export_to(storage, tmp_path / "export.zip")
    older: dict[str, Any] = {}
    with zipfile.ZipFile(tmp_path / "export.zip") as made:
        for table, names in SINCE.items():
            lines = map(json.loads, made.read(f"tables/{table}.jsonl").splitlines())
            kept = [{k: v for k, v in line.items() if k not in names} for line in lines]
            older[f"tables/{table}.jsonl"] = "".join(json.dumps(line) + "\n" for line in kept)
    archive = rewritten(tmp_path / "export.zip", tmp_path / "older.zip", **older)
    assert await import_from(elsewhere, archive) == counts
    for thread in ("t1", "t2"):
        here = await storage.threads.contents(thread, ann.id)
        assert await elsewhere.threads.contents(thread, ann.id) == here
    assert await elsewhere.keys.keys() == (key,)


async def test_a_damaged_export_is_named_and_changes_nothing(storage, elsewhere, ann, tmp_path):
    await live_in(storage, ann)
    await export_to(storage, tmp_path / "export.zip")
    await elsewhere.users.add("local")
    for changes, reason in DAMAGED:
        damaged = rewritten(tmp_path / "export.zip", tmp_path / "damaged.zip", **changes)
        with pytest.raises(ExportRefused) as refused:
            await import_from(elsewhere, damaged)
        assert str(refused.value).startswith(reason)
        assert [user.identifier for user in await elsewhere.users.all()] == ["local"]
        assert not list((elsewhere.data_dir / "files").glob("*/*"))


async def test_an_export_cut_or_altered_anywhere_is_refused_in_words(
    storage, elsewhere, ann, tmp_path
):
    await live_in(storage, ann)
    await export_to(storage, tmp_path / "export.zip")
    whole = (tmp_path / "export.zip").read_bytes()
    chosen = random.Random(4)
    for number in range(40):
        at = chosen.randrange(len(whole))
        changed = whole[:at] if number % 2 else whole[:at] + b"\x00\xff" + whole[at + 2 :]
        (tmp_path / "changed.zip").write_bytes(changed)
        try:
            await import_from(elsewhere, tmp_path / "changed.zip")
        except ExportRefused:
            assert await elsewhere.users.all() == ()
        else:  # what is not read, such as a file's time, may be anything
            assert await said(elsewhere) == await said(storage)
            break


async def test_a_file_of_any_size_is_imported_with_little_memory(storage, tmp_path):
    megabytes = 300
    archive = tmp_path / "large.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as out:
        out.writestr("manifest.json", json.dumps({"format": 1, "revisions": ["0001_initial"]}))
        with out.open("files/t1/e1", "w", force_zip64=True) as large:
            for _ in range(megabytes):
                large.write(bytes(1_000_000))
        with out.open("tables/documents.jsonl", "w", force_zip64=True) as lines:
            for number in range(100):
                value = {"scope": "s", "key": str(number), "value": {"x": "x" * 1_000_000}}
                lines.write(json.dumps(value).encode() + b"\n")
    tracemalloc.start()
    try:
        counts = await import_from(storage, archive)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (counts["files"], counts["documents"]) == (1, 100)
    assert storage.files.path("t1", "e1").stat().st_size == megabytes * 1_000_000
    assert peak < 60_000_000


async def test_a_row_is_as_long_as_whoever_imports_allows(storage, tmp_path):
    archive = tmp_path / "long.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as out:
        out.writestr("manifest.json", json.dumps({"format": 1, "revisions": ["0001_initial"]}))
        row = {"scope": "s", "key": "k", "value": {"x": "x" * 1_000_000}}
        out.writestr("tables/documents.jsonl", json.dumps(row) + "\n")
    with pytest.raises(ExportRefused, match=r"long_row tables/documents.jsonl:1"):
        await import_from(storage, archive, longest_row=1_000_000)
    assert (await import_from(storage, archive, longest_row=1_100_000))["documents"] == 1


async def test_a_line_without_end_is_refused_before_it_is_in_memory(storage, tmp_path):
    archive = tmp_path / "endless.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as out:
        out.writestr("manifest.json", json.dumps({"format": 1, "revisions": ["0001_initial"]}))
        with out.open("tables/documents.jsonl", "w", force_zip64=True) as lines:
            for _ in range(300):
                lines.write(b"x" * 1_000_000)
    tracemalloc.start()
    try:
        with pytest.raises(ExportRefused, match=r"long_row tables/documents.jsonl:1"):
            await import_from(storage, archive)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 3 * MAX_ROW_BYTES
