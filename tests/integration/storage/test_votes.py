"""A comparison in a real database: the vote is counted once, the winner goes on, the other is a sibling."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from app.conversation.mode import WholeHistory
from app.conversation.modes import MODES, mode_named
from app.conversation.modes.compare import decided
from app.conversation.turn import Turns
from app.core.options import ChatOptions
from app.core.reports import UsageFilter
from app.core.turns import Question, TurnRequest, new_id
from app.core.votes import Compared, Vote
from tests.fakes import ScriptedModels

AT = datetime(2026, 11, 1, 12, tzinfo=UTC)
SIDES = (
    Compared("local/qwen3:8b", 2.5, Decimal("0"), 120),
    Compared("cloud/gpt-5", 1.25, Decimal("0.0314"), None),
)
VOTE = Vote("v1", "ann", AT, "person", "uk", "text", True, SIDES, "won", 1)


async def test_votes_come_back_as_they_were_and_the_first_of_a_comparison_counts(storage):
    await storage.votes.add(VOTE)
    await storage.votes.add(replace(VOTE, verdict="bad", winner=None))
    assert await storage.votes.all(UsageFilter()) == (VOTE,)


@pytest.mark.parametrize(
    ("over", "found"),
    [
        (UsageFilter(user_id="ann"), ["v1", "v3"]),
        (UsageFilter(since=AT + timedelta(days=1)), ["v2", "v3"]),
        (UsageFilter(until=AT + timedelta(days=1)), ["v1"]),
    ],
)
async def test_votes_are_found_by_person_and_time_oldest_first(storage, over, found):
    for days, (id, user) in enumerate([("v1", "ann"), ("v2", "bob"), ("v3", "ann")]):
        vote = replace(VOTE, id=id, user_id=user, at=AT + timedelta(days=days))
        await storage.votes.add(vote)
    assert [vote.id for vote in await storage.votes.all(over)] == found


async def test_the_next_turn_remembers_the_winner_and_the_other_can_be_gone_on_from(storage, ann):
    models = ScriptedModels({"gemma": "From gemma.", "llama": "From llama."})
    turns = Turns(storage.turns, models, WholeHistory(), MODES)
    thread = new_id()

    async def ask(text, mode="chat", **options):
        clean = ChatOptions.clean(options, mode, mode_named(mode).options)
        request = TurnRequest(thread, ann.id, Question(new_id(), text), clean)
        return await (await turns.start(request)).wait()

    def told():
        return [message.text for message in models.requests[-1][1].messages]

    both = json.dumps([{"name": name, "model": f"fake/{name}"} for name in models.scripts])
    state = await ask("Who?", "compare", compare_models=both)
    [answer] = [step for step in state.steps.values() if step.kind == "answer"]
    llama = next(s for s in state.steps.values() if s.name == "B · llama")
    stored = await storage.threads.contents(thread, ann.id)
    decision = decided(stored.steps, answer.id, llama.id, ann.id, files=False)
    assert decision is not None
    await storage.votes.add(decision.vote)
    await storage.conversations.add_turn(ann.id, decision.steps, decision.turn_id)

    await ask("Sure?")
    assert told() == ["Who?", "From llama.", "Sure?"]
    shown = await storage.threads.contents(thread, ann.id)
    ways = shown.forks[decision.turn_id]
    assert (len(ways), ways[0]) == (2, decision.turn_id)
    await storage.conversations.switch(thread, ann.id, ways[1])
    await ask("And you?")
    assert told() == ["Who?", "From gemma.", "And you?"]
    await storage.conversations.switch(thread, ann.id, decision.turn_id)
    again = await storage.threads.contents(thread, ann.id)
    assert [s.output for s in again.steps if s.kind == "question"] == ["Who?", "Sure?"]


async def test_a_comparison_on_a_branch_that_is_not_shown_is_voted_on_there(storage, ann):
    models = ScriptedModels({"gemma": "From gemma.", "llama": "From llama."})
    turns = Turns(storage.turns, models, WholeHistory(), MODES)
    thread, question = new_id(), Question(new_id(), "Who?")
    both = json.dumps([{"name": name, "model": f"fake/{name}"} for name in models.scripts])
    clean = ChatOptions.clean({"compare_models": both}, "compare", mode_named("compare").options)

    async def compare():
        turn = await turns.start(TurnRequest(thread, ann.id, question, clean))
        state = await turn.wait()
        [answer] = [step for step in state.steps.values() if step.kind == "answer"]
        return turn.request.turn_id, answer.id

    first, answer = await compare()
    second, _ = await compare()
    stored = await storage.threads.contents(thread, ann.id, through=answer)
    llama = next(s for s in stored.steps if s.name == "B · llama")
    decision = decided(stored.steps, answer, llama.id, ann.id, files=False)
    assert decision is not None
    await storage.votes.add(decision.vote)
    await storage.conversations.add_turn(ann.id, decision.steps, decision.turn_id)
    shown = await storage.threads.contents(thread, ann.id)
    assert [s.output for s in shown.steps if s.kind == "answer"] == ["From llama."]
    assert set(shown.forks[first]) >= {first, second}
    assert len(shown.forks[first]) == 3
    other = await storage.threads.contents(thread, ann.id, through=second)
    assert not any(s.metadata.get("comparison", {}).get("verdict") for s in other.steps)


async def test_past_questions_are_ones_own_asked_in_plain_chat_once_each(storage, ann, bob):
    models = ScriptedModels({"gemma": "From gemma.", "llama": "From llama."})
    turns = Turns(storage.turns, models, WholeHistory(), MODES)

    async def ask(user, text, thread=None, mode="chat", **options):
        clean = ChatOptions.clean(options, mode, mode_named(mode).options)
        thread = thread or new_id()
        request = TurnRequest(thread, user.id, Question(new_id(), text), clean)
        await (await turns.start(request)).wait()
        return thread

    first = await ask(ann, "First?", model="fake/gemma")
    await ask(ann, "And then?", first, model="fake/gemma")  # rests on what was said before
    await ask(ann, "Second?", model="fake/llama")
    await ask(ann, "Twice?", model="fake/gemma")
    await ask(ann, "Twice?", model="fake/gemma")
    await ask(ann, "Best?", mode="best_of", model="fake/gemma")
    await ask(bob, "Another's?", model="fake/gemma")
    binned = await ask(ann, "In the bin?", model="fake/gemma")
    await storage.threads.delete(binned, ann.id)

    async def found(most=9, without="fake/qwen"):
        return [(p.question, p.by.model) for p in await storage.votes.past(ann.id, most, without)]

    gemma, llama = "fake/gemma", "fake/llama"
    assert await found() == [("Twice?", gemma), ("Second?", llama), ("First?", gemma)]
    assert await found(2) == [("Twice?", gemma), ("Second?", llama)]
    assert await found(without=gemma) == [("Second?", llama)]
