"""What is done for a key is done by its models, is booked to it, and stays within its limits."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncGenerator
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
from limits.aio.storage import MemoryStorage

from app.access.budgets import Budgets
from app.access.keys import KeyRing, new_key
from app.access.limits import Limits
from app.access.spending import Estimate, Spending
from app.core.concurrency import BackgroundTasks
from app.core.errors import LimitReached
from app.core.keys import ApiKey
from app.core.reports import UsageFilter
from app.storage.counters import Counters
from tests.gateway import MemoryKeys, make_key
from tests.integration.gateway.conftest import open_house as over_simulators
from tests.integration.gateway.test_rest import House, open_house
from tests.waiting import until

PRICES = '[[price]]\nmodel = "gpu/*"\ninput = 0\noutput = 100\n'
"""An answer of six tokens costs 0.60 RUB."""
SIX = "len-6+paced-50ms"


@pytest.fixture
async def house(tmp_path: Path) -> AsyncGenerator[House, None]:
    (tmp_path / "prices.toml").write_text(PRICES)
    async with open_house(tmp_path) as house:
        house.simulator.set_models([*house.simulator.models, SIX])
        await house.application.models.refresh()
        yield house


async def a_key(house: House, **limits: Any) -> tuple[ApiKey, dict[str, str]]:
    """A key of the application and the headers that carry it."""
    key, secret = new_key("ci", (await house.application.people.local()).id, **limits)
    await house.application.gateway.services.keys.add(key)
    return key, {"authorization": f"Bearer {secret}"}


def asks(model: str = f"gpu/{SIX}", **fields: Any) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": "hi"}]} | fields


async def booked(house: House) -> list[tuple[str | None, str]]:
    """The key and the purpose of every stored call."""
    reports = house.application.storage.usage
    return [(row["key_id"], row["purpose"]) async for row in reports.records(UsageFilter())]


@pytest.mark.parametrize("bounds", [{}, {"max_tokens": 6}])
async def test_calls_at_once_do_not_overshoot_a_budget(house, bounds):
    key, headers = await a_key(house, budget_rub=Decimal(1))
    answers = await asyncio.gather(
        *(
            house.http.post("/v1/chat/completions", json=asks(**bounds), headers=headers)
            for _ in range(20)
        )
    )
    statuses = Counter(answer.status_code for answer in answers)
    assert set(statuses) == {200, 429}
    assert 1 <= statuses[200] <= 2, "of 0.60 each: the second begins while there is something left"
    refused = next(answer for answer in answers if answer.status_code == 429)
    assert "retry-after" in refused.headers
    spent = house.application.gateway.services.keys.spent(key)
    assert Decimal("0.5") < spent <= Decimal("1.3")


async def test_what_was_reserved_and_not_spent_is_there_again(house):
    _, headers = await a_key(house, budget_rub=Decimal(2))
    for _ in range(3):
        answer = await house.http.post("/v1/chat/completions", json=asks(), headers=headers)
        assert answer.status_code == 200


async def test_processes_reserve_together(tmp_path):
    def process() -> Budgets:
        return Budgets(KeyRing(MemoryKeys()), Counters(tmp_path / "limits.db"))

    one, other = process(), process()
    key, _ = new_key("ci", "u", budget_rub=Decimal(1))
    first = await one.reserve(key, Decimal("0.6"))
    await other.reserve(key, Decimal("0.6"))
    with pytest.raises(LimitReached):
        await one.reserve(key, Decimal("0.6"))
    await one.correct(first, Decimal(0))
    await other.reserve(key, Decimal("0.1"))


class Far(MemoryStorage):
    """Counts that are some turns of the loop away, as Redis is, both ways."""

    async def acquire_sliding_window_entry(self, *count: Any, **named: Any) -> bool:
        await asyncio.sleep(0)
        done = await super().acquire_sliding_window_entry(*count, **named)
        await asyncio.sleep(0)
        return done


@pytest.mark.parametrize("turns", range(8))
async def test_a_request_broken_off_at_any_moment_of_its_admission_holds_no_money(turns):
    keys, background = KeyRing(MemoryKeys()), BackgroundTasks()
    budgets = Budgets(keys, Far())
    key, _ = new_key("ci", "u", budget_rub=Decimal(1))
    spending = Spending(key, keys, Limits(), budgets, background)
    asking = asyncio.create_task(spending.admit(Estimate(10, rub=Decimal(5)), []))
    for _ in range(turns):
        await asyncio.sleep(0)
    asking.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await asking  # the last of the moments is after its end
        spending.close()
    await background.drain()
    await budgets.reserve(key, Decimal(1))


async def test_the_tokens_of_answers_under_way_count_before_they_have_come():
    async with over_simulators() as house:
        await house.serve("len-40+paced-10ms")
        _, secret = await make_key(house.services, tpm=1000)
        headers = {"authorization": f"Bearer {secret}"}
        async with httpx.AsyncClient(base_url=house.base, headers=headers, timeout=20) as http:
            request = asks("gpu/len-40+paced-10ms", max_tokens=500)
            answers = await asyncio.gather(
                *(http.post("/chat/completions", json=request) for _ in range(10))
            )
        statuses = Counter(answer.status_code for answer in answers)
        assert statuses == {200: 2, 429: 8}
        refused = next(answer for answer in answers if answer.status_code == 429)
        assert refused.headers["x-ratelimit-remaining-tokens"] == "0"


async def test_a_prompt_larger_than_the_limit_is_not_worth_a_retry():
    async with over_simulators() as house:
        _, secret = await make_key(house.services, tpm=100)
        headers = {"authorization": f"Bearer {secret}"}
        request = asks("gpu/echo", messages=[{"role": "user", "content": "word " * 1000}])
        async with httpx.AsyncClient(base_url=house.base, headers=headers) as http:
            answer = await http.post("/chat/completions", json=request)
        assert answer.status_code == 429
        assert answer.headers["x-should-retry"] == "false"
        assert answer.headers["x-ratelimit-limit-tokens"] == "100"
        shown = answer.headers["access-control-expose-headers"].split(", ")
        assert {"x-should-retry", "x-ratelimit-limit-tokens"} <= set(shown), (
            "to pages elsewhere, too"
        )


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"models": ["echo", "secret"]}, 404),
        ({"models": "secret"}, 400),
        ({"plugins": [{"id": "auto-router"}]}, 400),
        ({"provider": {"order": ["other"]}}, 400),
        ({"fallbacks": ["secret"]}, 400),
        ({"providerOptions": {"gateway": {"models": ["secret"]}}}, 400),
        ({"models": ["echo"]}, 200),
    ],
)
async def test_a_body_leads_past_no_list_of_models(fields, status):
    async with over_simulators() as house:
        _, secret = await make_key(house.services, models=("gpu/echo",))
        headers = {"authorization": f"Bearer {secret}"}
        async with httpx.AsyncClient(base_url=house.base, headers=headers) as http:
            answer = await http.post("/chat/completions", json=asks("gpu/echo", **fields))
        assert answer.status_code == status
        assert len(house.openai.bodies("/v1/chat/completions")) == (status == 200)


async def test_a_form_with_two_models_is_refused(house):
    _, headers = await a_key(house, models=("gpu/echo",))
    files = [
        ("model", (None, "gpu/echo")),
        ("model", (None, "other")),
        ("file", ("a.wav", b"RIFF")),
    ]
    answer = await house.http.post("/v1/audio/transcriptions", files=files, headers=headers)
    assert answer.status_code == 400


async def test_a_summary_is_made_by_a_model_of_the_key_or_refused(house):
    _, headers = await a_key(house, models=("gpu/echo",))
    options = {"compress_context": True, "summary_model": f"gpu/{SIX}"}
    question = {"message": "hi", "model": "gpu/echo", "options": options}
    answer = await house.http.post("/api/chat", json=question, headers=headers)
    assert answer.status_code == 404
    assert not house.simulator.generations


async def test_every_call_of_a_council_is_one_of_the_keys_models_and_booked_to_it(house):
    key, headers = await a_key(house, models=("gpu/echo", "konsilium/*"))
    answer = await house.http.post(
        "/v1/chat/completions", json=asks("konsilium/best-of"), headers=headers
    )
    assert answer.status_code == 200
    assert {generation.model for generation in house.simulator.generations} == {"echo"}
    made = len(house.simulator.generations)

    async def stored() -> bool:
        return len(await booked(house)) >= made

    await until(stored, within=3)
    assert {key_id for key_id, _ in await booked(house)} == {key.id}


async def test_summaries_in_the_background_are_booked_to_the_key(house):
    key, headers = await a_key(house)
    options = {"compress_context": True, "compress_every": 4}
    chat_id = None
    for n in range(16):  # long enough that a summary may be tried within its cost's limit
        question = {"message": f"{n} " + "word " * 300, "chatId": chat_id, "options": options}
        answer = await house.http.post("/api/chat", json=question, headers=headers)
        assert answer.status_code == 200
        chat_id = answer.json()["chatId"]
    await house.application.conversation.compressor.idle()

    async def summarised() -> bool:
        return any(purpose == "summary" for _, purpose in await booked(house))

    await until(summarised, within=5)
    assert {key_id for key_id, _ in await booked(house)} == {key.id}


V1 = asks("konsilium/best-of", max_tokens=6, konsilium={"model": f"gpu/{SIX}"})
REST = {"message": "hi", "mode": "best_of", "model": f"gpu/{SIX}", "options": {"max_tokens": 6}}


@pytest.mark.parametrize(("path", "body"), [("/v1/chat/completions", V1), ("/api/chat", REST)])
async def test_a_council_reserves_the_money_of_several_calls(house, path, body):
    _, headers = await a_key(house, budget_rub=Decimal(2))
    async with httpx.AsyncClient(base_url=house.url, headers=headers, timeout=60) as http:
        said = await asyncio.gather(*(http.post(path, json=body) for _ in range(4)))
    assert sorted(each.status_code for each in said) == [200, 429, 429, 429]
