"""Projects hold their owner's threads; whoever deletes one deletes no thread."""

import asyncio

import pytest

from app.core.errors import BadRequest, NotFound
from app.core.post import LocalPost
from app.core.project_news import ProjectNews
from app.storage.migrations import apply
from app.storage.transfer import export_to, import_from
from tests.integration.storage.turns import say


async def listed(storage, user, **fields):
    page = await storage.threads.page(user.id, limit=10, **fields)
    return [thread.id for thread in page.items]


async def test_threads_are_listed_and_searched_by_project_and_stay_when_it_is_deleted(
    storage, ann, bob
):
    put = storage.presets.put
    novel = await put("projects", ann.id, "Novel", {"system_prompt": "Edit.", "facts": "a\nb"})
    for id, text in (("in", "The lighthouse"), ("out", "A lighthouse too"), ("old", "Whales")):
        await say(storage, ann, text, "An answer.", id)
    theirs = await put("projects", bob.id, "Theirs", {})
    shared = await put("assistants", ann.id, "Owl", {})
    await storage.presets.share(shared, ann.id, True)
    for thread, user, project in (
        ("in", bob, theirs),
        ("in", ann, theirs),
        ("in", ann, shared),
        ("in", bob, None),
        ("none", ann, novel),
    ):
        with pytest.raises(NotFound):
            await storage.threads.move(thread, user.id, project)
    for id in ("in", "old"):
        await storage.threads.move(id, ann.id, novel)
    assert await listed(storage, ann) == ["old", "out", "in"]
    assert await listed(storage, ann, project=novel) == ["old", "in"]
    assert await listed(storage, ann, project="") == ["out"]
    assert await listed(storage, bob, project=novel) == []
    for word in ("lighthouse", "answer"):
        assert "out" in await listed(storage, ann, search=word, project="")
        assert "out" not in await listed(storage, ann, search=word, project=novel)
    assert await listed(storage, ann, search="light", project=novel) == ["in"]
    thread = await storage.threads.find("in", ann.id)
    assert (thread.project_id, thread.project) == (novel, "Novel")
    assert (await storage.presets.project_of("in")).facts == ("a", "b")
    await storage.threads.move("old", ann.id, None)
    assert await storage.presets.project_of("old") is None
    await storage.presets.remove(novel, ann.id)
    assert await listed(storage, ann, project="") == ["old", "out", "in"]
    assert (await storage.threads.find("in", ann.id)).project_id is None


async def test_a_thread_begins_and_is_forked_in_its_project_and_a_temporary_one_is_in_none(
    storage, ann, bob
):
    novel = await storage.presets.put("projects", ann.id, "Novel", {})
    made = await storage.threads.begin(ann.id, project_id=novel)
    settled = await say(storage, ann, "Chapter one", "Yes.", made)
    forked = await storage.conversations.fork(ann.id, made, settled.request.turn_id)
    assert set(await listed(storage, ann, project=novel)) == {made, forked}
    unkept = await storage.threads.begin(ann.id, temporary=True)
    for refused in (
        storage.threads.begin(bob.id, project_id=novel),
        storage.threads.move(unkept, ann.id, novel),
        storage.presets.share(novel, ann.id, True),
        storage.presets.find(novel, bob.id),
        storage.presets.remove(novel, bob.id),
        storage.presets.put("projects", bob.id, "Mine", {}, novel),
    ):
        with pytest.raises(NotFound):
            await refused
    await storage.threads.delete(made, ann.id)
    await storage.threads.restore(made, ann.id)
    assert made in await listed(storage, ann, project=novel)


async def test_two_changes_of_a_project_at_once_are_both_kept_and_each_is_told(storage, ann, bob):
    told: list[object] = []
    storage.presets.on_projects(told.append)
    storage.threads.on_moved(lambda user, thread: told.append((user, thread)))
    novel = await storage.presets.put("projects", ann.id, "Novel", {"mode": "chat"})
    other = await storage.presets.put("projects", ann.id, "Other", {})
    await storage.presets.put("prompts", ann.id, "No project", {"text": "x"})
    parts = ("facts", "system_prompt", "model", "knowledge")
    change = storage.presets.change
    await asyncio.gather(
        change("projects", ann.id, novel, "Romance", {}),
        *(change("projects", ann.id, novel, None, {part: f"The {part}"}) for part in parts),
    )
    (found,) = [p for p in await storage.presets.all("projects", ann.id) if p.id == novel]
    wanted = {"mode": "chat"} | {part: f"The {part}" for part in parts}
    assert (found.name, dict(found.content)) == ("Romance", wanted)
    for user, id in ((bob, novel), (ann, "none")):
        with pytest.raises(NotFound):
            await change("projects", user.id, id, "Mine", {})
    with pytest.raises(BadRequest):
        await change("projects", ann.id, other, "ROMANCE", {})
    await say(storage, ann, "Chapter one", "Yes.", "t")
    await storage.threads.move("t", ann.id, novel)
    await storage.presets.remove(novel, ann.id)
    assert told == [ann.id] * 7 + [(ann.id, "t"), ann.id]


async def test_what_is_told_of_projects_in_one_process_is_heard_in_all():
    office: dict[str, LocalPost] = {}
    here, there = (ProjectNews(LocalPost(name, office)) for name in ("here", "there"))
    heard = []
    here.subscribe(lambda *told: heard.append(("here", *told)))
    there.subscribe(lambda *told: heard.append(("there", *told)))
    here.changed("ann")
    there.changed("ann", "t")
    await asyncio.sleep(0)
    assert sorted(heard) == [(p, "ann", t) for p in ("here", "there") for t in ("", "t")]


async def test_projects_go_along_in_an_export_and_their_threads_outlive_a_step_back(
    storage,
    ann,
    elsewhere,
    tmp_path,
):
    novel = await storage.presets.put("projects", ann.id, "Novel", {"facts": "One"})
    await say(storage, ann, "Chapter one", "Yes.", "t")
    await storage.threads.move("t", ann.id, novel)
    await export_to(storage, tmp_path / "all.zip")
    await import_from(elsewhere, tmp_path / "all.zip")
    assert (await elsewhere.threads.find("t", ann.id)).project == "Novel"
    assert (await elsewhere.presets.project_of("t")).facts == ("One",)
    await apply.downgrade(elsewhere.database, "0014_key_drop_params")
    await apply.upgrade(elsewhere.database)
    thread = await elsewhere.threads.find("t", ann.id)
    assert (thread.title, thread.project) == ("Chapter one", None)
    assert await elsewhere.presets.all("projects", ann.id) == ()
