"""A metered call tells the observer all there is to count, and how many ran beside it."""

import asyncio
import contextlib

from app.completion.metering import Accounts, MeteredCall, Traffic
from app.core.events import Finished, TextDelta
from app.core.messages import Message
from app.core.models import ModelRef
from app.core.requests import ModelRequest
from app.core.usage import Outcome, Usage
from app.observability.prometheus import CallMetrics
from tests.unit.completion.fakes import FakeModel
from tests.unit.observability.test_prometheus import NAME, samples

REQUEST = ModelRequest((Message.user("hi"),))
WORDS = (TextDelta("a"), 0.02, TextDelta("b"), TextDelta("c"))
END = Finished("stop", Usage(input_tokens=3, output_tokens=3))


def call_of(metrics, traffic, *script):
    ref = ModelRef("ollama", "m")
    accounts = Accounts(observers=[metrics], traffic=traffic)
    return MeteredCall(FakeModel(script), ref, REQUEST, accounts)


async def read(call):
    async with contextlib.aclosing(call.events()) as events:
        return [event async for event in events]


async def test_the_pauses_of_an_answer_are_counted_when_it_has_ended():
    metrics = CallMetrics()
    await read(call_of(metrics, Traffic(), *WORDS, END))
    found = samples(metrics)
    assert found[f"{NAME}_count",] == 2
    assert found[f"{NAME}_bucket", "0.005"] == 1
    assert found["konsilium_first_token_seconds_count",] == 1
    assert found["konsilium_streams_finished_total",] == 1
    assert found["konsilium_streams_open",] == 0


async def test_a_call_knows_how_many_are_under_way_with_it():
    metrics, traffic = CallMetrics(), Traffic()
    calls = [call_of(metrics, traffic, 0.01, *WORDS, END) for _ in range(3)]
    await asyncio.gather(*map(read, calls))
    assert [call.record.parallel for call in calls] == [1, 2, 3]
    alone = call_of(metrics, traffic, END)
    await read(alone)
    assert alone.record.parallel == 1


async def test_a_call_left_in_the_middle_counts_as_stopped_and_is_no_longer_open():
    metrics, traffic = CallMetrics(), Traffic()
    call = call_of(metrics, traffic, *WORDS, END)
    async with contextlib.aclosing(call.events()) as events:
        async for _ in events:
            break
    assert call.record.outcome is Outcome.STOPPED
    found = samples(metrics)
    assert found["konsilium_streams_stopped_total",] == 1
    assert found["konsilium_streams_open",] == 0
    assert traffic.open == 0
