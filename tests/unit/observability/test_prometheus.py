"""Every model call is counted as it starts, streams and ends."""

import asyncio
from dataclasses import replace
from decimal import Decimal
from functools import partial
from itertools import pairwise

from prometheus_client.parser import text_string_to_metric_families

from app.core.fleet import Fleet
from app.core.messages import Message
from app.core.models import ModelRef
from app.core.post import LocalPost
from app.core.requests import ModelRequest
from app.core.turns import now
from app.core.usage import CallRecord, Cost, Outcome, Purpose, TokenGaps, Usage
from app.observability.prometheus import MAX_MODELS, CallMetrics
from tests.waiting import until

REQUEST = ModelRequest((Message.user("hi"),))
RECORD = CallRecord(
    id="c1",
    purpose=Purpose.ANSWER,
    model=ModelRef("ollama", "library/gemma2:2b"),
    started_at=now(),
    outcome=Outcome.COMPLETED,
    usage=Usage(input_tokens=30, output_tokens=12),
    first_token_s=0.2,
    total_s=1.5,
)


OF_MODEL = ("server", "model")
NAME = "konsilium_inter_token_seconds"


def samples(metrics):
    """Values by name and labels other than the model's and the server's."""
    families = text_string_to_metric_families(metrics.exposition().decode())
    return {
        (sample.name, *(v for k, v in sample.labels.items() if k not in OF_MODEL)): sample.value
        for family in families
        for sample in family.samples
    }


def call(metrics, record):
    metrics.started(REQUEST, str(record.model))
    metrics.ended(record)


def test_calls_are_counted_by_how_they_end():
    metrics = CallMetrics()
    call(metrics, RECORD)
    call(metrics, replace(RECORD, outcome=Outcome.STOPPED))
    call(metrics, replace(RECORD, outcome=Outcome.FAILED, error="server_busy"))
    metrics.started(REQUEST, "ollama/library/gemma2:2b")
    found = samples(metrics)
    assert found["konsilium_streams_started_total", "answer"] == 4
    assert found["konsilium_streams_finished_total",] == 1
    assert found["konsilium_streams_stopped_total",] == 1
    assert found["konsilium_streams_failed_total", "server_busy"] == 1
    assert found["konsilium_streams_open",] == 1


def test_tokens_money_and_the_cache_are_added_up():
    metrics = CallMetrics()
    cost = Cost(Decimal("0.25"), "RUB", Decimal("0.25"))
    call(metrics, replace(RECORD, cost=cost))
    call(metrics, replace(RECORD, cost=cost, cache="near", saved_tokens=40))
    call(metrics, replace(RECORD, saved_tokens=100))
    found = samples(metrics)
    assert found["konsilium_cost_rub_total",] == 0.5
    assert found["konsilium_tokens_total", "input"] == 90
    assert found["konsilium_tokens_total", "output"] == 36
    assert found["konsilium_cache_hits_total", "near"] == 1
    assert found["konsilium_saved_tokens_total", "cache"] == 40
    assert found["konsilium_saved_tokens_total", "compression"] == 100


def test_a_miss_is_a_call_and_a_hit_spares_money():
    metrics = CallMetrics()
    call(metrics, replace(RECORD, cache="miss", saved_tokens=7))
    call(metrics, replace(RECORD, cache="exact", saved_tokens=40, saved_rub=Decimal("0.5")))
    for outcome in ("exact", "miss", "miss", "suggestion", "taken"):
        metrics.looked_up(outcome, 0.002)
    found = samples(metrics)
    assert ("konsilium_cache_hits_total", "miss") not in found
    assert found["konsilium_saved_tokens_total", "cache"] == 40
    assert found["konsilium_saved_tokens_total", "compression"] == 7
    assert found["konsilium_saved_rub_total",] == 0.5
    assert found["konsilium_cache_lookups_total", "miss"] == 2
    assert found["konsilium_cache_lookup_seconds_count",] == 4


def test_pauses_of_many_calls_become_one_histogram():
    metrics = CallMetrics()
    for _ in range(3):
        gaps = TokenGaps()
        for pause in (0.001, 0.04, 0.04, 99.0):
            gaps.add(pause)
        metrics.gaps("ollama/m", gaps)
    found = samples(metrics)
    buckets = {key[1]: n for key, n in found.items() if key[0] == f"{NAME}_bucket"}
    assert [buckets[le] for le in ("0.005", "0.03", "0.05", "60.0", "+Inf")] == [3, 3, 9, 9, 12]
    assert all(a <= b for a, b in pairwise(buckets.values()))
    assert found[f"{NAME}_count",] == 12
    assert abs(found[f"{NAME}_sum",] - 3 * 99.081) < 1e-6


def test_names_from_outside_cannot_grow_the_registry_without_end():
    metrics = CallMetrics()
    for number in range(MAX_MODELS + 50):
        metrics.first_token(f"x/made-up-{number}", 0.1)
    lines = metrics.exposition().decode().splitlines()
    counted = [line for line in lines if line.startswith("konsilium_first_token_seconds_count")]
    assert len(counted) == MAX_MODELS + 1


def test_what_is_under_way_is_read_at_the_scrape():
    metrics, chats = CallMetrics(), [2]
    alone, queue = Fleet(LocalPost("a")), {"ollama": 7}
    metrics.watch(open_chats=lambda: chats[0], turns=lambda: 1, queue=lambda: queue, fleet=alone)
    chats[0] = 5
    found = samples(metrics)
    assert found["konsilium_open_chats",] == 5
    assert found["konsilium_turns_running",] == 1
    assert found["konsilium_queue_waiting",] == 7


async def test_each_process_tells_its_own_and_the_whole():
    office: dict[str, LocalPost] = {}
    found = {}
    for name, chats in (("a", 2), ("b", 3)):
        metrics, fleet = CallMetrics(), Fleet(LocalPost(name, office))
        waiting = {"ollama": 7, name: 1}
        metrics.watch(
            open_chats=partial(int, chats), turns=lambda: 1, queue=waiting.copy, fleet=fleet
        )
        found[name] = metrics, asyncio.create_task(fleet.run())
    await until(lambda: samples(found["a"][0])["konsilium_processes",] == 2)
    whole = samples(found["a"][0])
    assert whole["konsilium_open_chats",] == 2
    assert whole["konsilium_all_open_chats",] == 5
    assert whole["konsilium_all_turns_running",] == 2
    text = found["a"][0].exposition().decode()
    assert 'konsilium_all_queue_waiting{server="ollama"} 14.0' in text
    assert 'konsilium_all_queue_waiting{server="b"} 1.0' in text
    for _, telling in found.values():
        telling.cancel()
