import asyncio
from datetime import timedelta
from decimal import Decimal

import pytest

from app.access.budgets import check_budget
from app.access.keys import PREFIX, KeyRing, hash_of, new_key
from app.core.errors import BadRequest, BudgetExceeded, NotFound, StorageUnavailable
from app.core.turns import now
from tests.gateway import MemoryKeys
from tests.waiting import until


def test_the_secret_is_not_in_what_is_kept():
    key, secret = new_key("ci", "u")
    assert secret.startswith(key.prefix)
    assert secret.startswith(PREFIX)
    assert secret not in repr(key)
    assert key.hash == hash_of(secret)
    assert len(secret) - len(key.prefix) > 30


@pytest.mark.parametrize(
    "wrong",
    [
        {"rpm": 0}, {"tpm": -1}, {"rpm": 10**12},
        *({"budget_rub": Decimal(text)} for text in ("0", "-0.01", "NaN", "sNaN", "Infinity", "1e999")),
    ],
)  # fmt: skip
def test_a_limit_of_nothing_is_refused(wrong):
    with pytest.raises(BadRequest):
        new_key("ci", "u", **wrong)


@pytest.mark.parametrize("name", ["", " ", "\n", "\0", "\u200b"])
def test_a_name_that_nobody_sees_is_none(name):
    with pytest.raises(BadRequest):
        new_key(name, "u")


def test_a_key_sees_only_what_its_globs_name():
    key, _ = new_key("ci", "u", models=("ollama/*", "yandex/yandexgpt-lite"))
    assert key.allows("ollama/hf.co/x/y:q4")
    assert key.allows("yandex/yandexgpt-lite")
    assert not key.allows("yandex/yandexgpt")


async def test_a_new_key_works_at_once_and_a_revoked_one_no_more():
    ring = KeyRing(MemoryKeys())
    key, secret = new_key("ci", "u")
    assert await ring.find(secret) is None
    await ring.add(key)
    assert await ring.find(secret) == key
    await ring.revoke(key.prefix)
    assert await ring.find(secret) is None
    with pytest.raises(NotFound):
        await ring.revoke("ci")


async def test_a_key_made_by_another_process_works_at_once_and_one_it_revokes_no_more_within_seconds():
    store = MemoryKeys()
    here, elsewhere = KeyRing(store), KeyRing(store)
    key, secret = new_key("ci", "u")
    assert await here.find("sk-unknown") is None
    await elsewhere.add(key)
    assert await here.find(secret)  # though the store was asked a moment before it was made
    await elsewhere.revoke(key.id)

    async def forgotten():
        return await here.find(secret) is None

    await until(forgotten, within=3)


async def test_known_keys_need_no_database():
    store = MemoryKeys()
    ring = KeyRing(store)
    key, secret = new_key("ci", "u")
    await ring.add(key)
    before = store.queries
    for _ in range(50):
        assert await ring.find(secret) == key
    assert store.queries == before


async def test_without_a_database_an_unknown_key_is_an_error_not_a_refusal():
    store = MemoryKeys()
    store.failing = True
    with pytest.raises(StorageUnavailable):
        await KeyRing(store).find("sk-x")


async def test_an_expired_key_is_no_key():
    ring = KeyRing(MemoryKeys())
    key, secret = new_key("ci", "u", expires_at=now() - timedelta(seconds=1))
    await ring.add(key)
    assert await ring.find(secret) is None


def test_a_spent_budget_stops_and_names_itself():
    key, _ = new_key("ci", "u", budget_rub=Decimal("500"))
    check_budget(key, Decimal("499.99"))
    with pytest.raises(BudgetExceeded, match="500 RUB"):
        check_budget(key, Decimal("500"))


async def test_spending_is_counted_at_once():
    ring = KeyRing(MemoryKeys())
    key, secret = new_key("ci", "u", budget_rub=Decimal(1))
    await ring.add(key)
    assert await ring.find(secret) == key
    ring.spend(key.id, Decimal("0.6"))
    ring.spend(key.id, Decimal("0.6"))
    assert ring.spent(key) == Decimal("1.2")


async def test_a_timer_looks_for_what_has_changed_so_that_no_request_has_to():
    store = MemoryKeys()
    ring = KeyRing(store)
    timer = asyncio.create_task(ring.run())
    await until(lambda: store.queries >= 3, within=20)
    timer.cancel()


async def test_the_timer_outlives_a_store_that_is_away():
    store = MemoryKeys()
    ring = KeyRing(store)
    store.failing = True
    timer = asyncio.create_task(ring.run())
    await asyncio.sleep(0)
    store.failing = False
    key, secret = new_key("ci", "u")
    await store.add(key)
    await until(lambda: ring.find(secret), within=5)
    assert not timer.done()
    timer.cancel()
