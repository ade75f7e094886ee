"""Branches: siblings, the active path, what follows it, and threads of before there were any."""

import pytest
from sqlalchemy import text

from app.conversation.state import TurnState
from app.core.errors import NotFound
from app.core.events import StepKind, StepStarted
from app.core.notes import TitleNote
from app.core.threads import Branches, BranchSwitch
from app.core.turns import Question, new_id
from app.core.usage import Outcome
from app.storage.database import Database
from app.storage.migrations import apply
from app.storage.storage import Storage
from tests.integration.storage.turns import a_request, begin, said, say


async def again(storage, user, settled, answer):
    """The question of that turn, answered anew."""
    return await say(storage, user, question=settled.request.question, answer=answer, again=True)


async def shown(storage, user, thread="t1", **which):
    return said(await storage.threads.contents(thread, user.id, **which))


async def prompt(storage, thread="t1"):
    return [message.text for message in await storage.conversations.history(thread)]


async def test_another_answer_is_a_sibling_and_the_conversation_goes_on_from_it(storage, ann):
    first = await say(storage, ann, "One?", "1")
    await say(storage, ann, "Two?", "2")
    second = await again(storage, ann, first, "uno")
    assert await shown(storage, ann) == await prompt(storage) == ["One?", "uno"]
    await say(storage, ann, "And?", "so")
    assert await prompt(storage) == ["One?", "uno", "And?", "so"]
    stored = await storage.threads.contents("t1", ann.id)
    ways = (first.request.turn_id, second.request.turn_id)
    assert stored.forks == {second.request.turn_id: ways}


async def test_switching_goes_back_to_where_one_was_in_that_branch(storage, ann):
    first = await say(storage, ann, "One?", "1")
    two = await say(storage, ann, "Two?", "2")
    await say(storage, ann, "Zwei?", "zwei", instead_of=two.request.question.id)
    await storage.conversations.switch("t1", ann.id, two.request.turn_id)
    other = await again(storage, ann, first, "uno")
    assert await shown(storage, ann) == ["One?", "uno"]
    switched = await storage.conversations.switch("t1", ann.id, first.request.turn_id)
    asked = first.request.question.id
    path = (asked, first.request.turn_id, two.request.question.id, two.request.turn_id)
    assert switched == BranchSwitch(
        path[-1], cut=asked, first=asked, near=path, whole=True, changed=True
    )
    assert await shown(storage, ann) == await prompt(storage) == ["One?", "1", "Two?", "2"]
    await storage.conversations.switch("t1", ann.id, other.steps[-1].id)
    assert await prompt(storage) == ["One?", "uno"]
    assert (await storage.threads.find("t1", ann.id)).leaf_id == other.request.turn_id


async def test_a_question_that_begins_tells_a_screen_from_where_on_it_is_different(storage, ann):
    async def asked(text="", **where):
        request = a_request(ann, text, **where)
        begun = await storage.turns.begin(request, (state := TurnState(request)).opening())
        await storage.turns.settle(state.settle(Outcome.COMPLETED, None, ()))
        return request.question.id, request.turn_id, begun.switched

    def different(cut, *near):
        return BranchSwitch(near[-1], cut, near[0], near, whole=True, changed=True, asked=True)

    one, first, nothing_before = await asked("One?")
    assert nothing_before is None
    two, second, switched = await asked("Two?")
    assert switched == different(one, one, first, two, second)
    zwei, third, switched = await asked("Zwei?", instead_of=two)
    assert switched == different(two, zwei, third)
    _, fourth, switched = await asked(question=Question(one, "One?"), again=True)
    assert switched == different(one, one, fourth)
    drei, fifth, switched = await asked("Drei?", after=third)
    assert switched == different(one, one, first, zwei, third, drei, fifth)


async def test_a_branch_is_read_without_making_it_active(storage, ann):
    first = await say(storage, ann, "One?", "1")
    await say(storage, ann, "Two?", "2")
    await say(storage, ann, "Uno?", "uno", instead_of=first.request.question.id)
    through = first.steps[-1].id
    assert await shown(storage, ann, through=through) == ["One?", "1", "Two?", "2"]
    assert await shown(storage, ann) == ["Uno?", "uno"]
    with pytest.raises(NotFound):
        await shown(storage, ann, through=new_id())


async def test_a_question_may_follow_any_message(storage, ann):
    first = await say(storage, ann, "One?", "1")
    await say(storage, ann, "Two?", "2")
    for after in (first.request.question.id, first.request.turn_id, first.steps[-1].id):
        await say(storage, ann, "Due?", "due", after=after)
        assert await prompt(storage) == ["One?", "1", "Due?", "due"]
    await say(storage, ann, "Anew?", "new", after="")
    assert await prompt(storage) == ["Anew?", "new"]
    whole = await storage.threads.contents("t1", ann.id, whole=True)
    assert len(whole.steps) == 3 * 6


async def test_a_question_is_asked_beside_or_after_none_of_anothers(storage, ann, bob):
    theirs = await say(storage, ann, "One?", "1")
    await say(storage, bob, "Mine", thread="t2")
    for where in ("instead_of", "after"):
        for id in (theirs.request.question.id, new_id()):
            with pytest.raises(NotFound):
                await begin(storage, a_request(bob, "!", "t2", **{where: id}))
    for thread in ("t1", "t2"):
        with pytest.raises(NotFound):
            await storage.conversations.switch(thread, bob.id, theirs.request.turn_id)


async def test_of_a_shared_thread_strangers_see_the_active_branch_alone(storage, ann, bob):
    first = await say(storage, ann, "One?", "1")
    await again(storage, ann, first, "uno")
    await storage.threads.share("t1", ann.id, True)
    stored = await storage.threads.contents("t1", bob.id)
    assert (said(stored), stored.forks) == (["One?", "uno"], {})
    for which in ({"whole": True}, {"through": first.request.turn_id}):
        with pytest.raises(NotFound):
            await storage.threads.contents("t1", bob.id, **which)


async def test_versions_are_read_with_their_words_and_numbers_by_their_owner_alone(
    storage, ann, bob
):
    first = await say(storage, ann, "One?", "1")
    await say(storage, ann, "Two?", "2")
    second = await again(storage, ann, first, "uno")
    other = await say(storage, ann, "Uno?", "due", instead_of=first.request.question.id)

    async def words(node):
        found = await storage.threads.versions("t1", ann.id, node)
        return {id: [step.output for step in steps] for id, steps in found.items()}

    answers = {first.request.turn_id: ["1"], second.request.turn_id: ["uno"]}
    for node in (first.request.turn_id, first.steps[-1].id, second.request.turn_id):
        assert await words(node) == answers
    questions = {
        first.request.question.id: ["One?", "uno"],
        other.request.question.id: ["Uno?", "due"],
    }
    assert await words(other.request.question.id) == questions
    await storage.conversations.switch("t1", ann.id, first.request.turn_id)
    assert (await words(other.request.question.id))[first.request.question.id] == ["One?", "1"]
    found = await storage.threads.versions("t1", ann.id, first.request.turn_id)
    assert found[first.request.turn_id][0].metadata["metrics"]["output_tokens"] == 5
    await storage.threads.share("t1", ann.id, True)
    with pytest.raises(NotFound):
        await storage.threads.versions("t1", bob.id, first.request.turn_id)
    with pytest.raises(NotFound):
        await storage.threads.versions("t1", ann.id, new_id())


async def test_a_search_tells_what_only_another_branch_says(storage, ann):
    first = await say(storage, ann, "Beetroot?", "borscht")
    await say(storage, ann, "Cabbage?", "shchi", instead_of=first.request.question.id)

    async def found(search):
        page = await storage.threads.page(ann.id, limit=9, search=search)
        assert all(search in (one.excerpt or one.title).lower() for one in page.items)
        return [thread.found_id for thread in page.items]

    assert await found("borscht") == [first.steps[-1].id]
    assert await found("shchi") == [None]
    await storage.conversations.switch("t1", ann.id, first.request.turn_id)
    assert await found("borscht") == [None]
    await say(storage, ann, "Cabbage, too", "also borscht", after="")
    assert await found("borscht") == [None]
    assert await found("cabbage") == [None]  # it is in the title
    await storage.threads.rename("t1", ann.id, "Soups")
    assert await found("beetroot") == [first.request.question.id]


async def test_an_answer_of_a_branch_that_was_left_names_nothing(storage, ann):
    first = await say(storage, ann, "One?", "1")
    request = a_request(ann, "Two?", instead_of=first.request.question.id)
    state, _ = await begin(storage, request)
    await storage.conversations.switch("t1", ann.id, first.request.turn_id)
    state.apply(StepStarted("s", StepKind.ANSWER, "model", notes=(TitleNote("Two"),)))
    await storage.turns.settle(state.settle(Outcome.COMPLETED, None, ()))
    assert (await storage.threads.find("t1", ann.id)).title == "One?"
    assert await prompt(storage) == ["One?", "1"]


async def test_the_same_question_sent_twice_is_stored_once(storage, ann):
    question = Question(new_id(), "One?")
    await say(storage, ann, question=question, answer="1")
    await say(storage, ann, question=Question(question.id, "changed"), answer="uno")
    assert await prompt(storage) == ["One?", "uno"]


def test_a_ring_and_a_lost_parent_end_no_walk():
    ring = Branches({"a": "b", "b": "a"})
    assert ring.path("b") == ("a", "b")
    lost = Branches({"a": None, "b": "a", "d": "gone"})
    assert lost.path("d") == ("d",)
    assert lost.path("no such leaf") == ("d",)
    assert Branches({}).path(None) == ()


OLD_USER = """INSERT INTO users (id, identifier, role, metadata, created_at)
    VALUES ('ann', 'ann', 'user', '{}', '2026-01-01 00:00:00')"""
OLD_THREAD = """INSERT INTO threads (id, user_id, title, titled_by, metadata, tags, created_at, active_at)
    VALUES (:id, 'ann', 'T', 'question', '{}', '[]', '2026-01-01 00:00:00', '2026-01-01 00:00:00')"""
OLD_STEP = """INSERT INTO steps (id, thread_id, user_id, turn_id, parent_id, type, kind, name, input,
    output, metadata, outcome, created_at, is_error, open, favorite) VALUES (:id, :thread, 'ann', :turn,
    :parent, 'x', :kind, 'n', '', :output, '{}', 'completed', '2026-01-01 00:00:00', false, false, false)"""


def of_before(connection):
    """Two threads of three turns each, said by turns, and one in which nothing was said."""
    connection.execute(text(OLD_USER))
    for thread in ("t1", "t2", "t3"):
        connection.execute(text(OLD_THREAD), {"id": thread})
    for number in range(3):
        for thread in ("t1", "t2"):
            question, turn, answer = (f"{letter}{thread}{number}" for letter in "qra")
            for id, parent, kind, output in (
                (question, None, "question", f"Question {number}"),
                (turn, question, "turn", ""),
                (answer, turn, "answer", f"Answer {number}"),
            ):
                values = {"id": id, "thread": thread, "turn": turn, "parent": parent}
                connection.execute(text(OLD_STEP), values | {"kind": kind, "output": output})


async def test_threads_of_before_become_one_branch_and_go_back_whole(empty_url, tmp_path):
    database = Database(empty_url)
    await apply.upgrade(database, "0005_usage_totals")

    await database.exclusive(of_before)
    expected = [f"{word} {number}" for number in range(3) for word in ("Question", "Answer")]
    for _ in range(2):
        await apply.upgrade(database)
        storage = Storage(empty_url, tmp_path)
        for thread in ("t1", "t2"):
            assert [m.text for m in await storage.conversations.history(thread)] == expected
            stored = await storage.threads.contents(thread, "ann")
            assert (said(stored), stored.forks) == (expected, {})
        assert (await storage.threads.contents("t3", "ann")).steps == ()
        await storage.aclose()
        await apply.downgrade(database, "0005_usage_totals")
        assert await database.read(parents) == (18, 12)
    await database.aclose()


def parents(connection):
    return connection.execute(text("SELECT count(*), count(parent_id) FROM steps")).one()


async def test_branches_go_down_and_up_again_with_every_word(storage, url, ann):
    first = await say(storage, ann, "One?", "1")
    await say(storage, ann, "Two?", "2")
    await again(storage, ann, first, "uno")
    database = Database(url)
    await apply.downgrade(database, "0005_usage_totals")
    await apply.upgrade(database)
    whole = await storage.threads.contents("t1", ann.id, whole=True)
    assert said(whole) == ["One?", "1", "Two?", "2", "uno"]
    await database.aclose()
