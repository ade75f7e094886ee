"""Blocks are swapped whole or not at all, and fall with their thread."""

import asyncio

import pytest

from app.core.compression import Block, CompressionState, Notes
from app.core.errors import NotFound
from tests.integration.storage.turns import say


def a_block(*ids, **notes):
    return Block(ids, "hash", Notes(**notes), 500, 50, "fake/small")


async def test_a_thread_begins_with_an_empty_head(storage, ann):
    await say(storage, ann)
    assert await storage.compressions.state("t1") == CompressionState()


async def test_blocks_are_read_back_as_they_were_in_order(storage, ann):
    await say(storage, ann)
    blocks = (
        a_block("a", "b", goal="Ціль", facts=("budget: 48 500 €",), quoted=("«Не чіпай»",)),
        a_block("c"),
    )
    assert await storage.compressions.swap("t1", 0, blocks)
    head = await storage.compressions.state("t1")
    assert (head.version, head.announced, head.blocks) == (1, 0, blocks)
    await storage.compressions.announce("t1", 1)
    assert (await storage.compressions.state("t1")).announced == 1


async def test_a_swap_for_an_older_head_changes_nothing(storage, ann):
    await say(storage, ann)
    first, second = a_block("a"), a_block("b")
    assert await storage.compressions.swap("t1", 0, [first])
    assert not await storage.compressions.swap("t1", 0, [second])
    assert (await storage.compressions.state("t1")).blocks == (first,)


async def test_of_many_swaps_at_once_one_wins(storage, ann):
    await say(storage, ann)
    blocks = [a_block(str(number)) for number in range(8)]
    won = await asyncio.gather(*(storage.compressions.swap("t1", 0, [each]) for each in blocks))
    assert sum(won) == 1
    assert (await storage.compressions.state("t1")).blocks == (blocks[won.index(True)],)


async def test_a_swap_in_a_thread_that_is_gone_does_nothing(storage, ann):
    assert not await storage.compressions.swap("gone", 0, [a_block("a")])


async def test_facts_are_pinned_and_unpinned(storage, ann):
    await say(storage, ann)
    first = await storage.compressions.pin("t1", "The demo is on Monday.")
    second = await storage.compressions.pin("t1", "Budget: 700 EUR")
    assert (await storage.compressions.state("t1")).pinned == (first, second)
    await storage.compressions.unpin("t1", first.id)
    await storage.compressions.unpin("t1", first.id)
    assert (await storage.compressions.state("t1")).pinned == (second,)
    with pytest.raises(NotFound):
        await storage.compressions.pin("gone", "x")


async def test_a_fact_is_told_in_the_branches_from_where_it_was_pinned_on(storage, ann):
    async def told(thread="t1"):
        return [fact.text for fact in await storage.compressions.pinned(thread)]

    first = await say(storage, ann, "One?", "1")
    await storage.compressions.pin("t1", "from the beginning")
    second = await say(storage, ann, "Two?", "2")
    await storage.compressions.pin("t1", "after One")
    await say(storage, ann, question=second.request.question, answer="zwei", again=True)
    assert await told() == ["from the beginning", "after One"]  # asked once more, it still holds
    await say(storage, ann, "Drei?", "3", instead_of=second.request.question.id)
    assert await told() == ["from the beginning", "after One"]
    await say(storage, ann, "Uno?", "uno", instead_of=first.request.question.id)
    assert await told() == ["from the beginning"]
    assert [f.text for f in (await storage.compressions.state("t1")).pinned] == await told()
    fork = await storage.conversations.fork(ann.id, "t1", second.request.turn_id)
    assert await told(fork) == ["from the beginning", "after One"]
    await storage.conversations.switch("t1", ann.id, second.request.turn_id)
    assert await told() == ["from the beginning", "after One"]


async def test_everything_falls_with_the_thread(storage, ann):
    await say(storage, ann)
    await storage.compressions.swap("t1", 0, [a_block("a")])
    await storage.compressions.pin("t1", "x")
    await storage.threads.delete("t1", ann.id)
    await storage.threads.purge()
    assert await storage.compressions.state("t1") == CompressionState()
