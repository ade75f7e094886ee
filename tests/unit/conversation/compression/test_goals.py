"""The benchmark's goals, in short: tokens, facts, stale values, prefixes."""

import itertools

import pytest

from app.conversation.tokens import prompt_tokens
from app.core.usage import Purpose
from tests.dialogues import Talk, dialogue, honest, planted_facts, stale_values, whole

FACTS = planted_facts()


async def sent_and_full(turns):
    talk, sent, full = Talk(honest(FACTS)), 0, 0
    for question, answer in dialogue(turns, FACTS, per_turn=0.52):
        prompt = await talk.turn(question, answer)
        sent += prompt_tokens(prompt.messages)
        full += prompt_tokens(message.as_message() for message in talk.history[:-1])
    sent += sum(
        prompt_tokens(request.messages)
        for _, request in talk.models.requests
        if request.purpose is Purpose.SUMMARY
    )
    return sent, full


@pytest.mark.parametrize(("messages", "saved"), [(10, 0.0), (20, 0.1), (40, 0.5), (100, 0.8)])
async def test_tokens_sent_with_the_summarisers_own(messages, saved):
    sent, full = await sent_and_full(messages // 2)
    assert sent <= full * (1 - saved)


@pytest.mark.parametrize(("drops", "carried"), [(0.0, 0.95), (0.3, 0.9)])
async def test_facts_carried_and_no_stale_value_after_ten_compactions(drops, carried):
    talk = Talk(honest(FACTS, drops))
    said = set()
    for question, answer in dialogue(46, FACTS, per_turn=1.3):
        prompt = await talk.turn(question, answer)
        said |= {fact for fact in FACTS if fact.said in question}
        assert stale_values(prompt, said) == []
    assert talk.threads.heads["t"].version >= 10
    values = [fact.value for fact in FACTS if fact.value]
    assert len(values) == 40
    present = sum(value in whole(prompt) for value in values)
    assert present >= carried * 40


async def test_between_compactions_the_prefix_never_changes():
    facts = [fact for fact in FACTS if not fact.stale]  # a correction takes effect at once
    talk = Talk(honest(facts))
    prompts = [await talk.turn(*each) for each in dialogue(30, facts)]
    for before, after in itertools.pairwise(prompts):
        if before.facts.get("version") == after.facts.get("version"):
            known = before.messages[:-1]
            assert after.messages[: len(known)] == known
