"""Chainlit reads threads back as they were, and each user reaches only their own."""

import asyncio

import pytest
from chainlit.types import Pagination, ThreadFilter
from sqlalchemy import Connection, Engine, event

from app.access.people import People
from app.core.errors import NotFound
from app.view.chainlit.data_layer import DataLayer
from app.view.chainlit.identity import Identity, identity
from tests.integration.storage.turns import say


@pytest.fixture
def layer(storage):
    return DataLayer(People(storage.users), storage.threads, storage.elements)


def be(user):
    identity.set(Identity(user.id, user.identifier, "uk-UA,uk"))


async def listed(layer, first=35, cursor=None, **filters):
    return await layer.list_threads(Pagination(first=first, cursor=cursor), ThreadFilter(**filters))


async def test_a_thread_shows_up_and_opens_with_steps_and_metrics(storage, layer, ann):
    be(ann)
    settled = await say(storage, ann, "What is it?", "It is this.")
    page = await listed(layer)
    assert [(t["name"], t["steps"]) for t in page.data] == [("What is it?", [])]
    thread = await layer.get_thread("t1")
    assert [s["type"] for s in thread["steps"]] == ["user_message", "run", "assistant_message"]
    assert [e["name"] for e in thread["elements"]] == ["MetricsCard"]
    assert thread["elements"][0]["props"]["entry"] == settled.steps[1].metadata["metrics"]


async def test_pages_follow_each_other_newest_activity_first(storage, layer, ann):
    be(ann)
    for number in range(5):
        await say(storage, ann, f"Question {number}", thread=f"t{number}")
    await say(storage, ann, "More", thread="t1")
    ids, cursor = [], None
    while True:
        page = await listed(layer, first=2, cursor=cursor)
        ids += [thread["id"] for thread in page.data]
        cursor = page.pageInfo.endCursor
        if not page.pageInfo.hasNextPage:
            break
    assert ids == ["t1", "t4", "t3", "t2", "t0"]


async def test_chainlits_first_name_yields_to_ours_and_a_rename_does_not(storage, layer, ann):
    be(ann)
    await layer.update_thread("t1", name="x" * 300, user_id=ann.id)
    await say(storage, ann, "What is it?", title="A better name")
    assert (await storage.threads.find("t1", ann.id)).title == "A better name"
    await layer.update_thread("t1", name="late", user_id=ann.id)
    assert (await storage.threads.find("t1", ann.id)).title == "A better name"
    await layer.update_thread("t1", name="Mine")
    await say(storage, ann, "And?", title="Another")
    assert (await storage.threads.find("t1", ann.id)).title == "Mine"


async def test_a_threads_first_turn_costs_three_transactions_and_later_ones_two(
    storage, layer, ann
):
    be(ann)
    commits: list[Connection] = []
    note = commits.append
    event.listen(Engine, "commit", note)
    try:
        await layer.update_thread("t1", name="What is it?", user_id=ann.id)
        await say(storage, ann, "What is it?")
        assert len(commits) == 3
        await say(storage, ann, "And?")
        assert len(commits) == 5
    finally:
        event.remove(Engine, "commit", note)


async def test_both_names_at_once_leave_one_thread(storage, layer, ann):
    be(ann)
    await asyncio.gather(
        say(storage, ann, "What is it?"),
        layer.update_thread("t1", name="What is it?", user_id=ann.id),
    )
    assert [t["name"] for t in (await listed(layer)).data] == ["What is it?"]


async def test_metadata_is_merged_and_holds_no_secrets(storage, layer, ann):
    be(ann)
    await say(storage, ann)
    await layer.update_thread("t1", metadata={"a": 1, "b": 2, "env": {"KEY": "secret"}})
    await layer.update_thread("t1", metadata={"b": None, "c": 3})
    metadata = (await storage.threads.find("t1", ann.id)).metadata
    assert {k: v for k, v in metadata.items() if k != "chat_settings"} == {"a": 1, "c": 3}


async def test_a_stranger_finds_nothing(storage, layer, ann, bob):
    await say(storage, ann)
    be(bob)
    assert await layer.get_thread("t1") is None
    assert await layer.get_thread_author("t1") == ""
    assert (await listed(layer)).data == []
    with pytest.raises(NotFound):
        await layer.update_thread("t1", name="Mine now")
    with pytest.raises(NotFound):
        await layer.delete_thread("t1")
