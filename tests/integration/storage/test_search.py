"""Search finds words by their beginnings in titles and messages, in any case, one's own alone."""

import time

import pytest

from app.core.events import StepDelta, StepKind, StepStarted
from app.core.threads import title_of
from tests.integration.storage.turns import a_request, begin, say


async def found(storage, user, query, **page):
    result = await storage.threads.page(user.id, limit=page.pop("limit", 20), search=query, **page)
    return [thread.id for thread in result.items]


@pytest.fixture
async def talks(storage, ann, bob):
    await say(storage, ann, "Где растёт ЁЖЕВИКА?", "В лесу.", "ru")
    await say(storage, ann, "Де росте Ґава та їжак?", "П'ять їжаків у лісі.", "uk")
    await say(storage, ann, "The quick brown fox", "jumps over_the lazy dog", "en")
    await say(storage, bob, "ежевика брата", "Чужая ежевика.", "bob")


FINDS = {
    "ежевика": ["ru"],
    "ЁЖЕВ": ["ru"],
    "лес": ["ru"],
    "ҐАВА": ["uk"],
    "їжа": ["uk"],
    "п'ять їж": ["uk"],
    "П’ЯТЬ": ["uk"],
    "lazy jumps": ["en"],
    "the": ["en"],
    "QUICK, brown!": ["en"],
    "quick dog": [],
    "quicker": [],
    "*": [],
    '"': [],
    "лес') OR 1=1 --": [],
    "owner:x": [],
    "fox AND": [],
    "100%": [],
}


async def test_what_is_found(storage, ann, talks):
    assert {query: await found(storage, ann, query) for query in FINDS} == FINDS


async def test_a_title_given_by_hand_is_found_and_the_old_one_no_longer(storage, ann, talks):
    await storage.threads.rename("en", ann.id, "Панграмма о лисе")
    assert await found(storage, ann, "панграм лис") == ["en"]


async def test_titles_come_before_messages_and_pages_follow_each_other(storage, ann):
    for number in range(7):
        await say(storage, ann, f"Number {number}", "a pear in the answer", f"m{number}")
    await storage.threads.rename("m2", ann.id, "Pear tree")
    ids, cursor = [], None
    while True:
        page = await storage.threads.page(ann.id, limit=3, cursor=cursor, search="pear")
        ids += [thread.id for thread in page.items]
        if (cursor := page.next) is None:
            break
    assert ids == ["m2", "m6", "m5", "m4", "m3", "m1", "m0"]


async def test_the_index_follows_checkpoints_edits_and_deletions(storage, ann):
    settled = await say(storage, ann, "First wording", "about apples", "t1")
    assert await found(storage, ann, "apples") == ["t1"]
    asked = settled.request.question.id
    await begin(storage, a_request(ann, "Second wording", instead_of=asked))
    for word in ("apples", "first", "second"):
        assert await found(storage, ann, word) == ["t1"]
    await storage.threads.delete("t1", ann.id)
    assert await found(storage, ann, "wording") == []


async def test_reasoning_and_notices_are_not_searched(storage, ann):
    state, _ = await begin(storage, a_request(ann, "Why?"))
    state.apply(StepStarted("r", StepKind.REASONING, "thinking"))
    state.apply(StepDelta("r", "perhaps because"))
    await storage.turns.checkpoint(state.changed_steps())
    assert await found(storage, ann, "perhaps") == []


async def test_a_very_long_message_is_stored_and_found(storage, ann):
    long = "начало " + " ".join(f"слово{n}" for n in range(300_000))
    await say(storage, ann, long, "ok")
    stored = await storage.threads.contents("t1", ann.id)
    assert stored.steps[0].output == long
    assert stored.thread.title == title_of(long)
    assert await found(storage, ann, "слово777") == ["t1"]


async def test_of_a_query_of_megabytes_the_beginning_is_looked_for(storage, ann, talks):
    before = time.process_time()
    assert await found(storage, ann, "lazy jumps " * 200_000) == ["en"]
    assert await found(storage, ann, "lazy jumps " + "\u0301\u0316" * 500_000) == ["en"]
    assert time.process_time() - before < 5


async def test_characters_no_database_takes_are_left_out(storage, ann):
    await say(storage, ann, "a\x00b \ud800c", "fine\x00")
    stored = await storage.threads.contents("t1", ann.id)
    assert stored.steps[0].output == "ab c"
