"""The benchmark's goals, in short: tokens, facts, stale values, prefixes."""

import itertools

import pytest

from app.completion.tokens import prompt_tokens
from app.core.usage import Purpose
from tests.dialogues import (
    Planted,
    Talk,
    dialogue,
    honest,
    noted,
    planted_facts,
    stale_values,
    whole,
)

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
