"""What is kept of answers, on both databases."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from app.core.caching import CachedAnswer
from app.core.threads import FeedbackRecord
from app.core.turns import now
from app.storage.storage import Storage
from tests.integration.storage.turns import say

LONG_AGO = now() - timedelta(days=3650)


def an_answer(question="Як варити рис?", scope="s1", **fields):
    values = {"key": question, "owner": "user:ann", "answer": "Отак.", "model": "fake/model"}
    return CachedAnswer(scope=scope, question=question, **(values | fields))


async def look(store, key="?", terms=(), scope="s1", since=LONG_AGO, limit=10):
    return await store.look_up(scope, key, terms, since, limit)


async def test_an_answer_comes_back_as_it_was_kept(storage):
    answer = an_answer(
        title="Рис",
        tokens=412,
        cost_rub=Decimal("0.123456789"),
        thread_id="t1",
        question_id="q1",
        vector=(0.6, 0.8),
    )
    await storage.answers.put(answer, ["варити", "рис"])
    found = await look(storage.answers, answer.key)
    assert found.exact is not None
    assert found.exact.vector == pytest.approx(answer.vector)
    assert replace(found.exact, vector=answer.vector) == answer
    kept = await storage.answers.find(answer.id)
    assert kept is not None
    assert kept.cost_rub == answer.cost_rub


async def test_candidates_share_words_most_first_and_stay_in_their_scope(storage):
    put = storage.answers.put
    await put(an_answer("a"), ["варити", "рис"])
    await put(an_answer("b"), ["варити", "гречка"])
    await put(an_answer("c"), ["мити", "підлога"])
    await put(an_answer("a", scope="s2"), ["варити", "рис"])
    found = await look(storage.answers, terms=["рис", "варити"])
    assert [entry.question for entry in found.candidates] == ["a", "b"]
    assert {entry.scope for entry in found.candidates} == {"s1"}
    assert (await look(storage.answers, terms=["рис"], scope="s3")).candidates == ()


async def test_the_first_term_outweighs_all_others(storage):
    await storage.answers.put(an_answer("gist"), ["#gist"])
    await storage.answers.put(an_answer("words"), ["варити", "рис", "швидко"])
    found = await look(storage.answers, terms=["#gist", "варити", "рис", "швидко"])
    assert [entry.question for entry in found.candidates] == ["gist", "words"]


async def test_the_same_key_is_replaced_with_its_words(storage):
    await storage.answers.put(an_answer(answer="old"), ["рис"])
    await storage.answers.put(an_answer(answer="new"), ["гречка"])
    found = await look(storage.answers, "Як варити рис?")
    assert found.exact is not None
    assert found.exact.answer == "new"
    assert (await look(storage.answers, terms=["рис"])).candidates == ()


async def test_what_is_too_old_is_not_found(storage):
    await storage.answers.put(an_answer(asked_at=now() - timedelta(days=2)), ["рис"])
    since = now() - timedelta(days=1)
    found = await look(storage.answers, "Як варити рис?", ["рис"], since=since)
    assert (found.exact, found.candidates) == (None, ())


@pytest.mark.parametrize("by", ["owner", "thread_id", "question_id", "model", "scope"])
async def test_purging_takes_what_matches_and_its_words(storage, by):
    mine = an_answer("a", **{by: "mine/1"})
    other = an_answer("b", **{by: "other/1"})
    await storage.answers.put(mine, ["рис"])
    await storage.answers.put(other, ["рис"])
    assert await storage.answers.purge(**{by: "mine/1"}) == 1
    assert await storage.answers.find(mine.id) is None
    assert await storage.answers.find(other.id) is not None
    assert await storage.answers.purge(entry_id=other.id) == 1
    assert await storage.answers.purge() == 0


async def test_trimming_spares_what_was_served_last(storage):
    at = now() - timedelta(hours=1)
    answers = [an_answer(str(n), asked_at=at + timedelta(minutes=n)) for n in range(4)]
    for answer in answers:
        await storage.answers.put(answer, ["рис"])
    await storage.answers.touch(answers[0].id)
    old = an_answer("old", asked_at=now() - timedelta(days=30))
    await storage.answers.put(old, ["рис"])
    assert await storage.answers.trim(now() - timedelta(days=14), 2) == 3
    left = [answer.question for answer in answers if await storage.answers.find(answer.id)]
    assert left == ["0", "3"]


async def test_the_nearest_by_vector(storage):
    await storage.answers.put(an_answer("a", vector=(1.0, 0.0)), [])
    await storage.answers.put(an_answer("b", vector=(0.6, 0.8)), [])
    await storage.answers.put(an_answer("c"), [])
    await storage.answers.put(an_answer("d", vector=(1.0, 0.0, 0.0)), [])
    found = await storage.answers.nearest("s1", (0.0, 1.0), LONG_AGO, 2)
    assert [entry.question for entry in found] == ["b", "a"]
    assert await storage.answers.nearest("s2", (0.0, 1.0), LONG_AGO, 2) == ()


async def test_a_dislike_removes_what_a_turn_left_and_what_it_showed(storage, ann):
    settled = await say(storage, ann)
    turn, answer = settled.steps[0].id, settled.steps[1].id
    left, other = an_answer("a", turn_id=turn, thread_id="t1"), an_answer("b")
    await storage.answers.put(left, [])
    await storage.answers.put(other, [])
    await storage.threads.judge(FeedbackRecord("f1", answer, 1), ann.id)
    assert await storage.answers.find(left.id) is not None
    await storage.threads.judge(FeedbackRecord("f2", turn, 0), ann.id)
    assert await storage.answers.find(left.id) is None
    assert await storage.answers.find(other.id) is not None


async def test_a_dislike_removes_the_cached_answer_that_was_shown(storage, ann):
    shown = an_answer("a")
    await storage.answers.put(shown, [])
    settled = await say(storage, ann)
    step = settled.steps[1]
    noted = replace(step, metadata={**step.metadata, "cache": {"entry_id": shown.id}})
    await storage.threads.write_step(noted, ann.id)
    await storage.threads.judge(FeedbackRecord("f1", settled.steps[0].id, 0), ann.id)
    assert await storage.answers.find(shown.id) is None


async def test_a_disliked_answer_cannot_be_kept_afterwards(storage, ann):
    settled = await say(storage, ann)
    turn = settled.steps[0].id
    await storage.threads.judge(FeedbackRecord("f2", turn, 0), ann.id)
    answer = an_answer(turn_id=turn)
    await storage.answers.put(answer, ["рис"])
    assert await storage.answers.find(answer.id) is None


async def test_a_deleted_thread_takes_its_answers_along(storage, ann):
    settled = await say(storage, ann)
    turn = settled.steps[0].id
    answer = an_answer(turn_id=turn, thread_id="t1")
    await storage.answers.put(answer, ["рис"])
    await storage.threads.delete("t1", ann.id)
    assert await storage.answers.find(answer.id) is None
    await storage.answers.put(answer, ["рис"])
    assert await storage.answers.find(answer.id) is None, "its turn is gone"


async def test_a_second_process_finds_it_at_once(storage, url, tmp_path):
    other = await Storage(url, tmp_path).open()
    try:
        answer = an_answer()
        await storage.answers.put(answer, ["рис"])
        found = await look(other.answers, answer.key)
        assert found.exact is not None
        await other.answers.purge(entry_id=answer.id)
        assert (await look(storage.answers, answer.key)).exact is None
    finally:
        await other.aclose()
