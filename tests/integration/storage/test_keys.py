from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

from app.access.keys import new_key
from app.core.models import ModelRef
from app.core.ports import GatewayCall
from app.core.turns import new_id, now
from app.core.usage import CallRecord, Cost, Outcome, Purpose


def call(rub: str, **fields):
    cost = Cost(Decimal(rub), "RUB", Decimal(rub))
    record = CallRecord(
        new_id(), Purpose.ANSWER, ModelRef("s", "m"), now(), Outcome.COMPLETED, cost=cost
    )
    return replace(record, **fields)


async def test_a_key_comes_back_as_it_was_kept(storage):
    key, _ = new_key(
        "ci",
        "u",
        models=("ollama/*", "yandex/x"),
        rpm=60,
        tpm=1000,
        budget_rub=Decimal("500.25"),
        admin=True,
        cache="near",
        drop_params=True,
        expires_at=now() + timedelta(days=1),
    )
    empty = await storage.keys.version()
    await storage.keys.add(key)
    assert await storage.keys.version() != empty
    assert await storage.keys.keys() == (key,)


async def test_a_revoked_key_stays_and_says_when(storage):
    key, _ = new_key("ci", "u")
    await storage.keys.add(key)
    before, at = await storage.keys.version(), now()
    await storage.keys.revoke(key.id, at)
    await storage.keys.revoke(key.id, at + timedelta(days=1))
    assert await storage.keys.version() != before
    assert [kept.revoked_at for kept in await storage.keys.keys()] == [at]


async def test_what_keys_asked_for_is_kept_once_counted_and_dated(storage):
    key, _ = new_key("ci", "u")
    await storage.keys.add(key)
    last = now()
    calls = [GatewayCall(call(rub), "u", key.id) for rub in ("0.1", "0.2")]
    old = GatewayCall(call("7", started_at=last - timedelta(days=60)), "u", key.id)
    await storage.keys.record([*calls, old], {key.id: last})
    await storage.keys.record(calls, {})
    await storage.keys.record([GatewayCall(call("5"), "u", None)], {})
    spent = await storage.keys.spent(last - timedelta(days=30))
    assert spent == {key.id: Decimal("0.3")}
    assert (await storage.keys.keys())[0].last_used_at == last
