"""The benchmark's goals, in short: tokens, facts, stale values, prefixes."""

import itertools
import json

import pytest

from app.completion.tokens import prompt_tokens, text_tokens
from app.conversation.compression.compressor import FAILURES
from app.core.errors import ServerUnavailable
from app.core.usage import Purpose
from tests.dialogues import (
    Planted,
    Talk,
    dialogue,
    honest,
    liar,
    noted,
    planted_facts,
    stale_values,
    whole,
    wordy,
)

FACTS = planted_facts()


async def shares(talk, turns):
    """What was sent and written after each turn, the summariser's own included, as a share of what the
    whole history would have taken."""
    sent, full, found = 0, 0, []
    for question, answer in dialogue(turns, FACTS, per_turn=0.52):
        prompt = await talk.turn(question, answer)
        sent += prompt_tokens(prompt.messages)
        full += prompt_tokens(message.as_message() for message in talk.history[:-1])
        asked = [r for _, r in talk.models.requests if r.purpose is Purpose.SUMMARY]
        summaries = sum(prompt_tokens(request.messages) for request in asked)
        found.append((sent + summaries + sum(map(text_tokens, talk.summaries))) / full)
    return found


@pytest.mark.parametrize(("messages", "saved"), [(10, 0.0), (40, 0.2), (60, 0.5), (100, 0.7)])
async def test_tokens_sent_with_the_summarisers_own(messages, saved):
    found = await shares(Talk(honest(FACTS)), messages // 2)
    assert found[-1] <= 1 - saved


SUMMARISERS = {
    "honest": honest(FACTS),
    "drops 60 %": honest(FACTS, 0.6),
    "wordy": wordy(FACTS),
    "lies": liar(FACTS),
    "fails": ServerUnavailable("down"),
    "refuses": "As a language model I cannot.",
    "copies": lambda r: json.dumps({"goal": "g", "facts": r.messages[-1].text.split(". ")}),
}


@pytest.mark.parametrize("summariser", SUMMARISERS.values(), ids=SUMMARISERS)
async def test_no_summariser_ever_makes_it_dearer_than_the_whole_history(summariser):
    assert max(await shares(Talk(summariser), 70)) <= 1.05


async def test_a_summariser_that_failed_three_times_in_a_row_is_asked_no_more_in_the_thread():
    talk = Talk("nothing useful")
    await shares(talk, 60)
    asked = len(talk.models.requests)
    costs = await talk.compressor.costs("t")
    assert (costs.failures, costs.model) == (FAILURES, "fake/small")
    assert asked <= 2 * FAILURES
    for question, answer in dialogue(30, []):
        await talk.turn(question, answer)
    assert len(talk.models.requests) == asked


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
        if (before.compression and before.compression.version) == (
            after.compression and after.compression.version
        ):
            known = before.messages[:-1]
            assert after.messages[: len(known)] == known


RUSSIAN = (
    ("Кстати, цена лицензии — 90 евро.", "цена лицензии: 90 евро", "", ""),
    ("Хранилищем пусть будет MongoDB.", "хранилище: MongoDB", "", ""),
    ("Бюджет пилота — 48 500 евро.", "бюджет пилота: 48 500 евро", "48 500", ""),
    ("За бюджет отвечает Марта Линдквист.", "за бюджет отвечает: Марта Линдквист", "Марта Линдквист", ""),
    ("Никогда не упоминай слияние в письмах.", "Никогда не упоминай слияние в письмах.", "упоминай слияние", ""),
    ("Демонстрация назначена на 17.02.2027.", "демонстрация: 17.02.2027", "17.02.2027", ""),
    ("Исправление: цена лицензии — 75 евро, а не 90 евро.", "цена лицензии: 75 евро", "75 евро", "90 евро"),
    ("Передумал: хранилище — PostgreSQL вместо MongoDB.", "хранилище: PostgreSQL", "PostgreSQL", "MongoDB"),
)  # fmt: skip
UKRAINIAN = (
    ("До речі, ціна ліцензії — 90 євро.", "ціна ліцензії: 90 євро", "", ""),
    ("Сховищем нехай буде MongoDB.", "сховище: MongoDB", "", ""),
    ("Бюджет пілота — 48 500 євро.", "бюджет пілота: 48 500 євро", "48 500", ""),
    ("За бюджет відповідає Оксана Білик.", "за бюджет відповідає: Оксана Білик", "Оксана Білик", ""),
    ("Ніколи не згадуй злиття в листах.", "Ніколи не згадуй злиття в листах.", "згадуй злиття", ""),
    ("Демонстрацію призначено на 17.02.2027.", "демонстрація: 17.02.2027", "17.02.2027", ""),
    ("Виправлення: ціна ліцензії — 75 євро, а не 90 євро.", "ціна ліцензії: 75 євро", "75 євро", "90 євро"),
    ("Передумав: сховище — PostgreSQL замість MongoDB.", "сховище: PostgreSQL", "PostgreSQL", "MongoDB"),
)  # fmt: skip


@pytest.mark.parametrize("drops", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("said", [RUSSIAN, UKRAINIAN], ids=["ru", "uk"])
async def test_the_same_holds_in_russian_and_ukrainian(said, drops):
    facts = [Planted("fact", text, note, "facts", value, old) for text, note, value, old in said]
    talk = Talk(honest(facts, drops))
    for question, answer in dialogue(24, facts, per_turn=0.5):
        prompt = await talk.turn(question, answer)
        assert stale_values(prompt, [fact for fact in facts if fact.said in whole(prompt)]) == []
    assert (prompt.compression.last or 0) > 20
    notes = noted(prompt)
    assert [fact.value for fact in facts if fact.value and fact.value not in notes] == []
    lines = [line for line in notes.splitlines() if "90 " in line or "MongoDB" in line]
    assert all("75 " in line or "PostgreSQL" in line for line in lines)
