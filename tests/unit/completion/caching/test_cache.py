"""The service: what is found, what is kept, what is forgotten, and that nothing leaks."""

from dataclasses import replace
from datetime import timedelta

import pytest

from app.completion.caching.cache import AnswerCache, CheckCaller, Embedder, Hit, Miss, Suggestion
from app.completion.caching.policy import Policies, Policy
from app.completion.caching.query import SHARED, CacheQuery, Scope, question_key
from app.core.caching import CachedAnswer
from app.core.errors import ModelNotFound, ServerUnavailable, StorageUnavailable
from app.core.models import ModelRef
from app.core.ports import Call
from app.core.requests import ModelRequest, Sampling
from app.core.turns import now
from app.core.usage import CallRecord, Purpose
from tests.answers import MemoryAnswers, MemoryDocuments
from tests.fakes import ScriptedModels

SCOPE = Scope("user:ann", ModelRef("ollama", "gemma2:2b"), system="Be kind.", language="uk")
WHICH, WHICH_TOO = "Які є факультети в ХДУ?", "Які факультети є в ХДУ?"
HOW_MANY = "Скільки факультетів у ХДУ?"


class Counter:
    def __init__(self):
        self.outcomes = []

    def looked_up(self, outcome, seconds):
        self.outcomes.append(outcome)


def a_cache(store=None, **fields):
    return AnswerCache(store or MemoryAnswers(), Policies(MemoryDocuments()), **fields)


def ask(question, scope=SCOPE, **fields):
    return CacheQuery(scope, question_key(question), question, **fields)


def answer(asked, text="Їх одинадцять: ...", **fields):
    return CachedAnswer(
        scope=asked.scope.key,
        key=asked.key,
        owner=asked.scope.owner,
        question=asked.question,
        answer=text,
        model=str(asked.scope.model),
        **fields,
    )


async def keep(cache, question, scope=SCOPE, **fields):
    asked = ask(question, scope)
    entry = answer(asked, **fields)
    await cache.keep(asked, entry)
    return entry


async def test_the_same_question_is_served_and_one_alike_is_offered():
    counter = Counter()
    cache = a_cache(observers=[counter])
    entry = await keep(cache, WHICH)
    assert await cache.lookup(ask(f" {WHICH}"), near=True) == Hit("exact", entry)
    assert await cache.lookup(ask(WHICH_TOO), near=True) == Suggestion(entry, certain=True)
    assert await cache.lookup(ask(HOW_MANY), near=True) == Suggestion(entry)
    assert await cache.lookup(ask("Як варити гречку?"), near=True) == Miss()
    assert counter.outcomes == ["exact", "suggestion", "suggestion", "miss"]


async def test_without_near_only_the_same_words_count():
    cache = a_cache()
    await keep(cache, WHICH)
    assert await cache.lookup(ask(WHICH_TOO), near=False) == Miss()
    assert isinstance(await cache.lookup(ask(WHICH), near=False), Hit)


async def test_later_in_a_conversation_only_the_same_context_counts():
    cache = a_cache()
    await keep(cache, WHICH)
    assert await cache.lookup(ask(WHICH_TOO, first=False), near=True) == Miss()


@pytest.mark.parametrize(
    "other",
    [
        replace(SCOPE, owner="user:bob"),
        replace(SCOPE, owner="key:1"),
        replace(SCOPE, model=ModelRef("ollama", "qwen3:8b")),
        replace(SCOPE, model=ModelRef("gpu2", "gemma2:2b")),
        replace(SCOPE, digest="sha256:1"),
        replace(SCOPE, system="Be rude."),
        replace(SCOPE, sampling=Sampling(temperature=0.1)),
        replace(SCOPE, sampling=Sampling(max_tokens=10)),
        replace(SCOPE, sampling=Sampling(seed=1)),
        replace(SCOPE, language="ru"),
        replace(SCOPE, mode="consultation"),
        replace(SCOPE, choices={"structured": True}),
    ],
    ids=lambda scope: str(scope)[:90],
)
async def test_nothing_leaves_its_scope(other):
    store = MemoryAnswers()
    cache = a_cache(store)
    entry = await keep(cache, WHICH)
    for question in (WHICH, WHICH_TOO, HOW_MANY):
        assert await cache.lookup(ask(question, other), near=True) == Miss()
    assert await cache.entry(ask(WHICH, other), entry.id) == Miss()
    assert await cache.entry(ask(WHICH), entry.id) == Hit("taken", entry)


async def test_users_share_only_where_the_administrator_says_so():
    cache = a_cache()
    assert await cache.owner("user:ann") == "user:ann"
    await cache.policies.change(Policy(shared=True))
    assert await cache.owner("user:ann") == await cache.owner("user:bob") == SHARED


async def test_an_answer_of_other_rules_is_not_found():
    old = replace(SCOPE, owner="user:ann")
    assert old.key == SCOPE.key
    assert len({SCOPE.key, replace(SCOPE, owner="user:an").key}) == 2


async def test_a_newer_answer_replaces_the_older():
    store = MemoryAnswers()
    cache = a_cache(store)
    await keep(cache, WHICH, text="old")
    await keep(cache, WHICH, text="new")
    found = await cache.lookup(ask(WHICH), near=True)
    assert isinstance(found, Hit)
    assert found.entry.answer == "new"
    assert len(store.entries) == 1


async def test_a_dislike_removes_what_the_turn_left_and_what_it_showed():
    store = MemoryAnswers()
    cache = a_cache(store)
    await keep(cache, WHICH, turn_id="t1")
    await cache.dislike("t1")
    assert store.entries == {}
    shown = await keep(cache, WHICH, turn_id="t2")
    await cache.dislike("t3", shown.id)
    assert store.entries == {}


async def test_a_dislike_that_comes_before_the_answer_is_kept_still_counts():
    store = MemoryAnswers()
    cache = a_cache(store)
    await cache.dislike("t1")
    await keep(cache, WHICH, turn_id="t1")
    assert store.entries == {}


async def test_old_answers_are_not_found():
    cache = a_cache()
    await cache.policies.change(Policy(days=14))
    await keep(cache, WHICH, asked_at=now() - timedelta(days=15))
    for question in (WHICH, WHICH_TOO):
        assert await cache.lookup(ask(question), near=True) == Miss()


async def test_the_longest_unserved_goes_first():
    store = MemoryAnswers()
    cache = a_cache(store)
    await cache.policies.change(Policy(entries=2))
    first = await keep(cache, "Як варити рис?")
    second = await keep(cache, "Як варити гречку?")
    await cache.served(first.id)
    await keep(cache, "Як варити пшоно?")
    await cache.trim()
    assert first.id in store.entries
    assert second.id not in store.entries


async def test_purging_by_question_thread_owner_and_all():
    store = MemoryAnswers()
    cache = a_cache(store)
    await keep(cache, "Як варити рис?", question_id="q1", thread_id="t1")
    await keep(cache, "Як варити гречку?", question_id="q2", thread_id="t1")
    await keep(cache, WHICH, replace(SCOPE, owner="user:bob"))
    assert await cache.purge(question_id="q1") == 1
    assert await cache.purge(thread_id="t1") == 1
    assert await cache.purge(owner="user:ann") == 0
    assert await cache.purge() == 1


async def test_a_failing_database_is_a_miss():
    store = MemoryAnswers()
    cache = a_cache(store)
    store.failing = StorageUnavailable("locked")
    assert await cache.lookup(ask(WHICH), near=True) == Miss()


async def test_aliases_take_effect_at_once():
    cache = a_cache()
    entry = await keep(cache, "Які факультети є в KSU?")
    full = "Які факультети є в Херсонському державному університеті?"
    assert await cache.lookup(ask(full), near=True) == Miss()
    await cache.policies.change(Policy(aliases="KSU = Херсонський державний університет"))
    assert await cache.lookup(ask(full), near=True) == Suggestion(entry, certain=True)


def a_judge(**replies):
    """A cache with a check model, whom it asks, and what was booked."""
    models = ScriptedModels({"judge": "yes"} | replies)
    booked: list[CallRecord] = []

    def call(name, request):
        return models.call(models.resolve(name), request)

    cache = a_cache(check_model="fake/judge")
    return cache, models, booked, CheckCaller(call, booked.append)


async def confirmed(cache, question, asker):
    query = ask(question, request_id="r1")
    found = await cache.lookup(query, near=True)
    assert isinstance(found, Suggestion)
    return await cache.confirmer(query, asker)(found)


async def test_a_model_that_says_yes_both_ways_round_has_it_served_and_is_booked():
    cache, models, booked, asker = a_judge()
    entry = await keep(cache, WHICH)
    assert await confirmed(cache, WHICH_TOO, asker) == Hit("near", entry)
    asked = [request.messages[-1].text for _, request in models.requests]
    assert asked == [f"A: {WHICH}\nB: {WHICH_TOO}", f"A: {WHICH_TOO}\nB: {WHICH}"]
    assert [record.purpose for record in booked] == [Purpose.CACHE_CHECK] * 2
    assert {record.request_id for record in booked} == {"r1"}


def only_one_way(request):
    return "yes" if request.messages[-1].text.startswith(f"A: {WHICH}") else "no"


@pytest.mark.parametrize(
    "reply",
    ["no", "yes and no", "", only_one_way, ServerUnavailable("down")],
    ids=["no", "yes and no", "nothing", "only one way", "the server is down"],
)
async def test_without_two_times_yes_it_is_only_offered(reply):
    cache, models, booked, asker = a_judge(judge=reply)
    entry = await keep(cache, WHICH)
    assert await confirmed(cache, WHICH_TOO, asker) == Suggestion(entry, certain=True)
    assert len(booked) == 2
    assert models.open == 0


async def test_where_a_guard_objects_to_serving_no_model_is_asked():
    cache, models, _, asker = a_judge()
    entry = await keep(cache, WHICH)
    assert await confirmed(cache, HOW_MANY, asker) == Suggestion(entry)
    assert models.requests == []


def refused(name: str, request: ModelRequest) -> Call:
    raise ModelNotFound("not for this key")


async def test_a_model_that_the_asker_may_not_use_is_not_asked():
    cache, models, _, _ = a_judge()
    await keep(cache, WHICH)

    assert isinstance(await confirmed(cache, WHICH_TOO, CheckCaller(refused)), Suggestion)
    assert models.requests == []


async def test_without_a_check_model_nothing_can_be_confirmed():
    assert a_cache().confirmer(ask(WHICH), CheckCaller(refused)) is None


def an_embedder(asked, model="here/a-model"):
    async def embed(text):
        asked.append(text)
        return [1.0, 0.0] if "гречк" in text or "крупу" in text else [0.0, 2.0]

    return Embedder(model, embed)


async def test_a_vector_offers_other_words_but_never_overrules_a_guard():
    cache = a_cache(embedder=an_embedder([]))
    entry = await keep(cache, "Як зварити гречку?")
    found = await cache.lookup(ask("Яким чином готують крупу?"), near=True)
    assert isinstance(found, Suggestion)
    assert found.entry.id == entry.id
    assert await cache.lookup(ask("Чому не варити гречку?"), near=True) == Miss()


async def test_the_least_cosine_is_that_of_the_model():
    cache = a_cache(embedder=an_embedder([], "here/strict"))
    await keep(cache, "Як зварити гречку?")
    await cache.policies.change(Policy(cosines={"here/strict": 1.1, "here/other": 0.1}))
    assert await cache.lookup(ask("Яким чином готують крупу?"), near=True) == Miss()


async def test_no_vector_is_asked_for_where_there_is_none_to_compare_with():
    asked: list[str] = []
    cache = a_cache(embedder=an_embedder(asked))
    assert await cache.lookup(ask("Як зварити гречку?"), near=True) == Miss()
    assert asked == []
    await keep(cache, "Як зварити гречку?")
    await cache.lookup(ask("Як зварити гречку"), near=True)
    assert asked == ["Як зварити гречку?"], "and none where words have found it"


async def test_a_policy_that_was_mangled_keeps_its_defaults():
    stored = {"shared": "yes", "days": 3, "entries": 1.5, "aliases": None, "serve_from": 0.9}
    assert Policy.of(stored) == Policy(days=3.0)
