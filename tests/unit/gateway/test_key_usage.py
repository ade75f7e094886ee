"""What calls took is written in batches, all of it, and nobody waits for it."""

import asyncio
import time

from app.core.models import ModelRef
from app.core.turns import new_id, now
from app.core.usage import CallRecord, Outcome, Purpose
from app.gateway.key_usage import BATCH_SECONDS, KeyUsageRecorder
from tests.gateway import LOCAL, MemoryKeys
from tests.waiting import until


class Counting(MemoryKeys):
    def __init__(self):
        super().__init__()
        self.transactions = 0

    async def record(self, calls, used):
        self.transactions += 1
        await asyncio.sleep(0)  # as a database does, it lets others on meanwhile
        await super().record(calls, used)


def a_call():
    return CallRecord(
        new_id(), Purpose.ANSWER, ModelRef("gpu", "echo"), now(), Outcome.COMPLETED, total_s=0.1
    )


async def test_calls_that_come_without_a_pause_are_written_together():
    store = Counting()
    recorder = KeyUsageRecorder(store)
    begun = time.monotonic()
    for _ in range(100):
        recorder.note(LOCAL, a_call())
        await asyncio.sleep(0.005)
    most = (time.monotonic() - begun) / BATCH_SECONDS + 1
    assert store.transactions <= most
    await recorder.aclose()
    assert len(store.calls) == 100


async def test_more_than_one_batch_holds_is_written_at_once_and_outages_lose_nothing():
    store = Counting()
    recorder = KeyUsageRecorder(store)
    store.failing = True
    for _ in range(1_200):
        recorder.note(LOCAL, a_call())
    await until(lambda: store.transactions == 1)
    store.failing = False
    recorder.note(LOCAL, a_call())
    await until(lambda: len(store.calls) == 1_201)
    assert len({each.call.id for each in store.calls}) == 1_201
    await recorder.aclose()


async def test_what_the_database_does_not_take_at_the_end_is_told(caplog):
    store = Counting()
    recorder = KeyUsageRecorder(store)
    store.failing = True
    for _ in range(3):
        recorder.note(LOCAL, a_call())
    await recorder.aclose()
    assert "the usage of 3 API calls is lost" in caplog.text


async def test_a_call_that_no_database_takes_costs_none_of_those_beside_it(caplog):
    class Picky(Counting):
        async def record(self, calls, used):
            if odd in [each.call for each in calls]:
                raise OverflowError("too large")
            await super().record(calls, used)

    odd, store = a_call(), Picky()
    recorder = KeyUsageRecorder(store)
    for call in (a_call(), odd, a_call()):
        recorder.note(LOCAL, call)
    await recorder.aclose()
    assert len(store.calls) == 2
    assert caplog.text.count("the usage of an API call is lost") == 1
    assert "too large" in caplog.text


async def test_an_outage_while_calls_are_written_one_by_one_loses_none():
    class Failing(Counting):
        async def record(self, calls, used):
            if len(calls) > 1:
                raise OverflowError("one of them")
            self.failing = self.transactions == 1
            await super().record(calls, used)

    store = Failing()
    recorder = KeyUsageRecorder(store)
    for _ in range(3):
        recorder.note(LOCAL, a_call())
    await until(lambda: store.transactions == 2)
    recorder.note(LOCAL, a_call())
    await until(lambda: len(store.calls) == 4)
    assert len({each.call.id for each in store.calls}) == 4
    await recorder.aclose()
