"""Threads are named, shared, starred, judged and deleted with all that is theirs."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from app.core.errors import BadRequest, NotFound, StorageUnavailable
from app.core.messages import ImagePart
from app.core.threads import ElementRecord, FeedbackRecord
from app.core.turns import Attachment, Question, new_id, now
from app.core.usage import Outcome
from app.storage.files import LocalFiles
from app.storage.tables import (
    documents,
    elements,
    feedback,
    running_turns,
    steps,
    threads,
    usage,
)
from app.storage.threads import BIN_DAYS, Threads
from app.storage.transfer import export_to
from tests.integration.storage.turns import a_call, a_request, begin, said, say


async def count(storage, table):
    return await storage.database.read(lambda c: c.scalar(select(func.count()).select_from(table)))


def files_of(storage, thread_id):
    folder = storage.files.path(thread_id, "x").parent
    return sorted(file.name for file in folder.glob("*")) if folder.exists() else []


async def a_full_thread(storage, user):
    image = Attachment("e2", "b.png", "image/png", image=ImagePart(b"small", "image/png"))
    settled = await say(storage, user, question=Question(new_id(), "See this", (image,)))
    question = settled.request.question.id
    for id, content in (("e1", b"text"), ("e2", b"big")):
        element = ElementRecord(id, "t1", "file", f"{id}.bin", question, "image/png")
        await storage.elements.write(element, user.id, content)
    verdict = FeedbackRecord(new_id(), settled.request.turn_id, 1, "good")
    await storage.threads.judge(verdict, user.id)
    return settled


async def test_a_deleted_thread_is_nowhere_but_in_the_bin_and_comes_back_whole(storage, ann, bob):
    settled = await a_full_thread(storage, ann)
    before = await storage.threads.contents("t1", ann.id)
    await storage.threads.share("t1", ann.id, True)
    await storage.threads.mark_favorite(settled.request.question.id, ann.id, True)
    await storage.threads.delete("t1", ann.id)
    page = storage.threads.page
    assert (
        (await page(ann.id, limit=9)).items
        == (await page(ann.id, limit=9, search="see")).items
        == ()
    )
    assert await storage.threads.favorites(ann.id) == ()
    for reader in (ann, bob):
        for hidden in (
            storage.threads.find("t1", reader.id),
            storage.threads.contents("t1", reader.id),
            storage.elements.find("t1", "e1", reader.id),
            storage.threads.rename("t1", reader.id, "Mine"),
            storage.threads.delete("t1", reader.id),
            storage.threads.ensure("t1", reader.id),
            storage.conversations.switch("t1", reader.id, settled.request.turn_id),
            storage.conversations.fork(reader.id, "t1", settled.request.turn_id),
            begin(storage, a_request(reader, "More?")),
        ):
            with pytest.raises(NotFound):
                await hidden
    assert [thread.id for thread in await storage.threads.bin(ann.id)] == ["t1"]
    assert await storage.threads.bin(bob.id) == ()
    with pytest.raises(NotFound):
        await storage.threads.restore("t1", bob.id)
    assert await storage.threads.purge(user_id=bob.id) == 0
    await storage.threads.restore("t1", ann.id)
    after = await storage.threads.contents("t1", ann.id)
    assert (len(after.steps), after.elements) == (len(before.steps), before.elements)
    with pytest.raises(NotFound):
        await storage.threads.restore("t1", ann.id)


async def test_the_bin_forgets_for_good_what_has_been_in_it_for_so_long(storage, ann):
    for thread in ("t1", "t2", "t3"):
        await say(storage, ann, thread=thread)
    for thread in ("t1", "t2"):
        await storage.threads.delete(thread, ann.id)
    assert await storage.threads.purge(before=now() - timedelta(days=BIN_DAYS)) == 0
    assert await storage.threads.purge(before=now() + timedelta(seconds=1)) == 2
    assert await count(storage, threads) == 1


async def test_what_is_put_away_is_found_but_not_listed_until_something_is_asked_there(
    storage, ann, bob
):
    await say(storage, ann, "A recipe of soup?")
    page = storage.threads.page
    with pytest.raises(NotFound):
        await storage.threads.archive("t1", bob.id, True)
    await storage.threads.archive("t1", ann.id, True)
    assert (await page(ann.id, limit=9)).items == ()
    assert [one.id for one in (await page(ann.id, limit=9, archived=True)).items] == ["t1"]
    assert (await page(bob.id, limit=9, archived=True)).items == ()
    [found] = (await page(ann.id, limit=9, search="soup")).items
    assert found.archived_at is not None
    await say(storage, ann, "And of bread?")
    assert [one.id for one in (await page(ann.id, limit=9)).items] == ["t1"]
    await storage.threads.archive("t1", ann.id, True)
    await storage.threads.delete("t1", ann.id)
    assert (await page(ann.id, limit=9, archived=True)).items == ()
    await storage.threads.restore("t1", ann.id)
    assert [one.id for one in (await page(ann.id, limit=9)).items] == ["t1"]


async def test_of_a_temporary_thread_nothing_is_found_shared_or_left_but_its_figures(
    storage, ann, bob, tmp_path
):
    id = await storage.threads.begin(ann.id, temporary=True)
    image = Attachment("e1", "b.png", "image/png", image=ImagePart(b"small", "image/png"))
    asked = Question(new_id(), "A secret recipe?", (image,))
    settled = await say(storage, ann, question=asked, thread=id)
    await storage.threads.mark_favorite(asked.id, ann.id, True)
    assert (await storage.threads.find(id, ann.id)).temporary
    page = storage.threads.page
    for query in ({}, {"search": "secret"}, {"archived": True}):
        assert (await page(ann.id, limit=9, **query)).items == (), query
    assert await storage.threads.favorites(ann.id) == ()
    with pytest.raises(NotFound):
        await storage.threads.share(id, ann.id, True)
    with pytest.raises(NotFound):
        await storage.threads.keep(id, bob.id)
    fork = await storage.conversations.fork(ann.id, id, settled.request.turn_id)
    assert await storage.threads.is_temporary(fork)
    kept = await export_to(storage, tmp_path / "all.zip")
    assert (kept["threads"], kept["steps"], kept["elements"], kept["files"]) == (0, 0, 0, 0)
    assert kept["usage"] > 0
    await storage.threads.delete(id, ann.id)
    assert await storage.threads.bin(ann.id) == ()
    assert files_of(storage, id) == []
    assert await storage.threads.forget_temporary(now() - timedelta(days=1)) == 0
    assert await storage.threads.forget_temporary(now() + timedelta(seconds=1)) == 1
    for table in (threads, steps, elements):
        assert await count(storage, table) == 0
    assert await count(storage, usage) > 0


async def test_a_temporary_thread_that_is_kept_is_one_like_the_others(storage, ann):
    id = await storage.threads.begin(ann.id, temporary=True)
    await say(storage, ann, "Worth keeping?", thread=id)
    await storage.threads.keep(id, ann.id)
    await storage.threads.forget_temporary(now() + timedelta(seconds=1))
    [listed] = (await storage.threads.page(ann.id, limit=9)).items
    assert (listed.id, listed.temporary) == (id, False)


async def test_a_fork_is_a_thread_of_its_own_with_files_of_its_own(storage, ann):
    first = await a_full_thread(storage, ann)
    await say(storage, ann, "Two?")
    made = await storage.conversations.fork(ann.id, "t1", first.request.turn_id)
    forked = await storage.threads.contents(made, ann.id)
    assert said(forked) == ["See this", "Hi!"]
    assert [m.text for m in await storage.conversations.history(made)] == ["See this", "Hi!"]
    assert len(forked.elements) == 2
    assert not {s.id for s in forked.steps} & {s.id for s in first.steps}
    await storage.threads.delete("t1", ann.id)
    await storage.threads.purge(user_id=ann.id)
    question = forked.steps[0].id
    asked = await storage.conversations.question(ann.id, made, question)
    assert [a.image.data for a in asked.attachments] == [b"small"]
    assert len(files_of(storage, made)) == 3
    await say(storage, ann, "And on", thread=made)
    assert len(await storage.conversations.history(made)) == 4


async def test_the_bin_emptied_takes_everything_but_the_usage(storage, ann):
    await a_full_thread(storage, ann)
    await begin(storage, a_request(ann, "Still running?"))
    assert files_of(storage, "t1") == ["e1", "e2", "e2.image"]
    await storage.threads.delete("t1", ann.id)
    assert await storage.threads.purge(user_id=ann.id, thread_id="t1") == 1
    for table in (threads, steps, elements, feedback, running_turns):
        assert await count(storage, table) == 0
    assert await count(storage, usage) == 1
    assert files_of(storage, "t1") == []


class Stuck(LocalFiles):
    """A disk that deletes nothing."""

    async def delete(self, thread_id, *names):
        raise StorageUnavailable("stuck")


async def test_files_that_could_not_be_deleted_with_their_threads_are_deleted_later(storage, ann):
    await a_full_thread(storage, ann)
    await say(storage, ann, thread="t2")
    for thread in ("t1", "t2"):
        await storage.threads.delete(thread, ann.id)
    stuck = Threads(storage.database, Stuck(storage.data_dir / "files"))
    for failing in (stuck.purge(user_id=ann.id), stuck.delete_left_files()):
        with pytest.raises(StorageUnavailable):
            await failing
    assert await count(storage, threads) == 0
    assert files_of(storage, "t1") == ["e1", "e2", "e2.image"]
    await storage.threads.ensure("no/folder", ann.id)
    await storage.threads.delete("no/folder", ann.id)
    assert await storage.threads.purge(user_id=ann.id) == 1
    await storage.threads.delete_left_files()
    assert files_of(storage, "t1") == []
    assert await count(storage, documents) == 0


async def test_a_turn_that_ends_after_its_thread_is_gone_leaves_its_usage_alone(storage, ann):
    state, _ = await begin(storage, a_request(ann))
    await storage.threads.delete("t1", ann.id)
    await storage.threads.purge()
    await storage.turns.checkpoint([state.turn_record()])
    await storage.turns.settle(state.settle(Outcome.STOPPED, None, (a_call(),)))
    assert await count(storage, threads) == await count(storage, steps) == 0
    assert await count(storage, usage) == 1


async def test_a_settled_turn_is_counted_once_however_often_it_is_stored(storage, ann):
    settled = await say(storage, ann)
    await storage.turns.settle(settled)
    assert await count(storage, usage) == 1
    assert await count(storage, steps) == 3


async def test_another_answer_leaves_files_and_feedback_of_the_first_branch(storage, ann):
    first = await say(storage, ann, "One?")
    second = await say(storage, ann, "Two?")
    await storage.threads.judge(FeedbackRecord("f", second.request.turn_id, 0), ann.id)
    made = ElementRecord("e1", "t1", "image", "plot", second.steps[-1].id)
    await storage.elements.write(made, ann.id, b"plot")
    asked = first.request.question
    await begin(storage, a_request(ann, question=asked, again=True))
    assert await count(storage, elements) == await count(storage, feedback) == 1
    assert files_of(storage, "t1") == ["e1"]
    assert await count(storage, usage) == 2
    branch = await storage.threads.contents("t1", ann.id)
    assert (branch.elements, branch.feedback) == ((), ())
    await storage.conversations.switch("t1", ann.id, second.request.turn_id)
    branch = await storage.threads.contents("t1", ann.id)
    assert [e.id for e in branch.elements] == ["e1"]
    assert [f.id for f in branch.feedback] == ["f"]


async def test_a_question_asked_anew_keeps_its_files(storage, ann):
    settled = await a_full_thread(storage, ann)
    asked = await storage.conversations.question(ann.id, "t1", settled.request.turn_id)
    assert asked.text == "See this"
    assert [a.image.data for a in asked.attachments] == [b"small"]
    await begin(storage, a_request(ann, question=asked, again=True))
    assert files_of(storage, "t1") == ["e1", "e2", "e2.image"]
    assert await storage.conversations.question(ann.id, "t1", asked.id) == asked


async def test_an_edited_question_has_the_files_too_under_ids_of_their_own(storage, ann, bob):
    settled = await a_full_thread(storage, ann)
    old = settled.request.question.id
    assert await storage.elements.copy("t1", bob.id, old, "q2") == {}
    ids = await storage.elements.copy("t1", ann.id, old, "q2")
    asked = await storage.conversations.question(ann.id, "t1", old)
    (image,) = asked.attachments
    copied = replace(image, element_id=ids["e2"])
    edited = Question("q2", "See this again", (copied,))
    await begin(storage, a_request(ann, question=edited, instead_of=old))
    assert await storage.conversations.question(ann.id, "t1", "q2") == edited
    assert await storage.conversations.question(ann.id, "t1", old) == asked
    assert len(files_of(storage, "t1")) == 6
    stored = await storage.threads.contents("t1", ann.id)
    assert {e.id for e in stored.elements} == set(ids.values())
    assert storage.elements.path(stored.elements[-1]).read_bytes() == b"text"


async def test_a_first_question_edited_renames_the_thread_unless_a_person_did(storage, ann):
    settled = await say(storage, ann, "Old words", title="A title")
    asked = settled.request.question.id
    await say(storage, ann, "New words", instead_of=asked)
    assert (await storage.threads.find("t1", ann.id)).title == "New words"
    await storage.conversations.switch("t1", ann.id, asked)
    assert (await storage.threads.find("t1", ann.id)).title == "A title"
    await storage.threads.rename("t1", ann.id, "Mine")
    await begin(storage, a_request(ann, "Newer", instead_of=asked))
    assert (await storage.threads.find("t1", ann.id)).title == "Mine"


async def test_favorites_last_through_edits_and_come_latest_first(storage, ann, bob):
    settled = [await say(storage, ann, text) for text in ("One?", "Two?")]
    for turn in settled:
        await storage.threads.mark_favorite(turn.request.question.id, ann.id, True)
    assert [s.output for s in await storage.threads.favorites(ann.id)] == ["Two?", "One?"]
    first, second = (turn.request.question.id for turn in settled)
    await begin(storage, a_request(ann, "One, edited?", instead_of=first))
    assert [s.output for s in await storage.threads.favorites(ann.id)] == ["Two?", "One?"]
    with pytest.raises(NotFound):
        await storage.threads.mark_favorite(first, bob.id, False)
    for starred in (first, second):
        await storage.threads.mark_favorite(starred, ann.id, False)
    assert await storage.threads.favorites(ann.id) == ()


async def test_feedback_replaces_itself_and_filters_the_list(storage, ann, bob):
    settled = await say(storage, ann)
    await say(storage, ann, thread="t2")
    turn = settled.request.turn_id
    first = await storage.threads.judge(FeedbackRecord("f1", turn, 0), ann.id)
    again = await storage.threads.judge(FeedbackRecord("f2", turn, 1, "yes"), ann.id)
    assert first == again == "f1"
    for value, ids in ((1, ["t1"]), (0, [])):
        page = await storage.threads.page(ann.id, limit=9, feedback=value)
        assert [thread.id for thread in page.items] == ids
    with pytest.raises(NotFound):
        await storage.threads.withdraw("f1", bob.id)
    await storage.threads.withdraw("f1", ann.id)
    assert (await storage.threads.contents("t1", ann.id)).feedback == ()


async def test_sharing_opens_a_thread_to_readers_until_it_is_taken_back(storage, ann, bob):
    await a_full_thread(storage, ann)
    with pytest.raises(NotFound):
        await storage.threads.share("t1", bob.id, True)
    await storage.threads.share("t1", ann.id, True)
    assert (await storage.threads.contents("t1", bob.id)).thread.shared_at is not None
    assert (await storage.elements.find("t1", "e1", bob.id)).name == "e1.bin"
    await storage.threads.share("t1", ann.id, False)
    with pytest.raises(NotFound):
        await storage.threads.contents("t1", bob.id)
    with pytest.raises(NotFound):
        await storage.elements.find("t1", "e1", bob.id)


async def test_ids_from_the_browser_reach_nothing_of_anothers(storage, ann, bob):
    theirs = await a_full_thread(storage, ann)
    await say(storage, bob, "Mine", thread="t2")
    question = theirs.request.question.id
    stolen = ElementRecord("e1", "t2", "custom", "Card", props={"x": 1})
    hung = ElementRecord("e9", "t2", "custom", "Card", question, props={"x": 1})
    inside = ElementRecord("e9", "t1", "custom", "Card", props={"x": 1})
    for element in (stolen, hung, inside):
        with pytest.raises(NotFound):
            await storage.elements.write(element, bob.id, b"theft")
    with pytest.raises(NotFound):
        await storage.conversations.question(bob.id, "t1", question)
    for thread in ("t1", "t2"):
        with pytest.raises(NotFound):
            await begin(storage, a_request(bob, thread=thread, question=Question(question, "!")))
    stored = await storage.threads.contents("t1", ann.id)
    assert stored.steps[0].output == "See this"
    assert len(stored.elements) == 2


UNSTORABLE = ["a\x00b", "\ud800", "x" * 100_000, "' OR 1=1 --", ""]


@pytest.mark.parametrize("id", UNSTORABLE)
async def test_ids_that_no_database_can_hold_name_nothing(storage, ann, id):
    await a_full_thread(storage, ann)
    threads, verdict = storage.threads, FeedbackRecord("f", id, 1)
    for nothing in (
        threads.find(id, ann.id),
        threads.contents(id, ann.id),
        threads.delete(id, ann.id),
        threads.rename(id, ann.id, "Mine"),
        threads.share(id, ann.id, True),
        threads.mark_favorite(id, ann.id, True),
        threads.judge(verdict, ann.id),
        threads.withdraw(id, ann.id),
        storage.elements.find("t1", id, ann.id),
        storage.elements.find(id, "e1", ann.id),
        storage.conversations.question(ann.id, "t1", id),
        storage.compressions.pin(id, "a fact"),
    ):
        with pytest.raises(NotFound):
            await nothing
    assert len((await threads.contents("t1", ann.id)).elements) == 2


@pytest.mark.parametrize("id", UNSTORABLE[:2])
async def test_no_thread_is_made_under_such_an_id(storage, ann, id):
    for refused in (
        storage.threads.ensure(id, ann.id),
        storage.threads.suggest_title(id, ann.id, "Title"),
        storage.elements.write(ElementRecord("e", id, "file", "a"), ann.id, b"x"),
        begin(storage, a_request(ann, thread=id)),
    ):
        with pytest.raises(NotFound):
            await refused
    assert await count(storage, threads) == 0


async def test_deleting_what_is_not_there_is_no_success(storage, ann):
    for nothing in (
        storage.threads.delete("t1", ann.id),
        storage.threads.withdraw("f", ann.id),
        storage.users.change("u", display_name="x"),
    ):
        with pytest.raises(NotFound):
            await nothing


@pytest.mark.parametrize("limit", [-1, 0, -(2**70)])
async def test_a_page_has_at_least_one_thread(storage, ann, limit):
    with pytest.raises(BadRequest):
        await storage.threads.page(ann.id, limit=limit)


@pytest.mark.parametrize("limit", [1, 10**20])
@pytest.mark.parametrize(
    "cursor",
    [
        "9" * 30,
        "9" * 6000,
        "²",
        "x|y",
        "0001-01-01T00:00:00+14:00|t1",
        "9999-12-31T23:59:59-14:00|",
    ],
)
@pytest.mark.parametrize("search", [None, "see"])
async def test_odd_pages_and_cursors_are_answered(storage, ann, limit, cursor, search):
    await a_full_thread(storage, ann)
    try:
        page = await storage.threads.page(ann.id, limit=limit, cursor=cursor, search=search)
    except NotFound:
        assert search is None
    else:
        assert len(page.items) <= 1


async def test_a_verdict_that_nobody_can_give_finds_no_thread(storage, ann):
    with pytest.raises(NotFound):
        await storage.threads.page(ann.id, limit=5, feedback=10**20)


async def test_choices_are_kept_with_the_thread(storage, ann, bob):
    await storage.conversations.keep_settings(ann.id, "t1", {"model": "too/early"})
    await say(storage, ann)
    metadata = (await storage.threads.find("t1", ann.id)).metadata
    assert metadata["chat_settings"]["mode"] == "chat"
    await storage.conversations.keep_settings(ann.id, "t1", {"model": "a/b"})
    await storage.conversations.keep_settings(bob.id, "t1", {"model": "not/his"})
    metadata = (await storage.threads.find("t1", ann.id)).metadata
    assert metadata["chat_settings"] == {"model": "a/b"}


async def test_documents_are_kept_by_scope_and_key(storage):
    await storage.key_values.put("s", "k", {"a": [1, {"b": "ї\x00"}]})
    await storage.key_values.put("s", "k", {"a": 2})
    await storage.key_values.put("other", "k", {"z": None})
    assert await storage.key_values.get("s", "k") == {"a": 2}
    assert await storage.key_values.items("s") == {"k": {"a": 2}}
    await storage.key_values.delete("s", "k")
    await storage.key_values.delete("s", "k")
    assert await storage.key_values.get("s", "k") is None
    assert await storage.key_values.get("other", "k") == {"z": None}
