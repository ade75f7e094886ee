import asyncio
import contextlib
from decimal import Decimal

import pytest

from app.completion.metering import MAX_ANSWER_CHARACTERS, Accounts, MeteredCall
from app.core.errors import MalformedAnswer, ModelNotFound, ServerFault
from app.core.events import (
    Finished,
    ModelEvent,
    ReasoningDelta,
    TextDelta,
    TextWasThinking,
    ToolCallDelta,
)
from app.core.messages import Message
from app.core.models import ModelRef
from app.core.requests import ModelRequest
from app.core.usage import CallRecord, Cost, Outcome, TokenGaps, Usage
from tests.unit.completion.fakes import FakeModel
from tests.waiting import until

REF = ModelRef("ollama", "gemma2:2b")
REQUEST = ModelRequest((Message.user("Как дела?"),), request_id="r1", step_id="s1")
DONE = Finished("stop", Usage(input_tokens=10, output_tokens=2))


class Watch:
    def __init__(self) -> None:
        self.seen: list[str] = []
        self.records: list[CallRecord] = []
        self.pauses: list[TokenGaps] = []

    def started(self, request: ModelRequest, model: str) -> None:
        self.seen.append(f"started {model}")

    def first_token(self, model: str, seconds: float) -> None:
        self.seen.append("first token")

    def gaps(self, model: str, gaps: TokenGaps) -> None:
        self.pauses.append(gaps)

    def ended(self, record: CallRecord) -> None:
        self.seen.append("ended")
        self.records.append(record)


def rubles(ref: ModelRef, usage: Usage) -> Cost | None:
    if usage.output_tokens is None:
        return None
    return Cost(Decimal(usage.output_tokens), "RUB", Decimal(usage.output_tokens))


def metered(model: FakeModel, watch: Watch | None = None) -> MeteredCall:
    return MeteredCall(model, REF, REQUEST, Accounts(rubles, [watch] if watch else []))


async def read(call: MeteredCall) -> list[object]:
    async with contextlib.aclosing(call.events()) as events:
        return [event async for event in events]


async def test_a_finished_call_is_recorded_whole() -> None:
    watch = Watch()
    call = metered(FakeModel([TextDelta("Хо"), 0.02, TextDelta("рошо"), DONE]), watch)
    assert await read(call) == [TextDelta("Хо"), TextDelta("рошо"), DONE]
    record = call.record
    assert record.outcome is Outcome.COMPLETED
    assert (record.usage, record.characters, record.finish_reason) == (DONE.usage, 6, "stop")
    assert (record.request_id, record.step_id) == ("r1", "s1")
    assert record.cost is not None
    assert record.cost.rub == 2
    assert 0 <= (record.first_token_s or 0) < (record.total_s or 0)
    assert watch.seen == ["started ollama/gemma2:2b", "first token", "ended"]
    assert watch.records == [record]
    assert sum(watch.pauses[0].counts) == 1


async def test_a_reader_who_leaves_makes_a_stopped_call_with_estimated_tokens() -> None:
    model = FakeModel([ReasoningDelta("думаю о чём-то"), TextDelta("слово " * 50), 9.0, DONE])
    call = metered(model)
    async with contextlib.aclosing(call.events()) as events:
        await anext(events)
        await anext(events)
    assert call.record.outcome is Outcome.STOPPED
    assert call.record.usage.estimated
    assert 60 < (call.record.usage.output_tokens or 0) < 120
    assert (call.record.usage.input_tokens or 0) > 0
    assert call.record.characters == 300
    assert model.closed == 1


@pytest.mark.parametrize("share", ["длинные слова ", "a", " 12"])
async def test_a_stopped_answer_has_as_many_tokens_as_pieces_came(share: str) -> None:
    words = [TextDelta(share[:8]) for _ in range(40)]
    call = metered(FakeModel([ReasoningDelta("думаю"), *words, 9.0, DONE]))
    async with contextlib.aclosing(call.events()) as events:
        for _ in range(31):
            await anext(events)
    assert call.record.usage.output_tokens == 31
    assert call.record.usage.estimated


async def test_a_cancelled_call_is_stopped_and_the_cancelling_goes_on() -> None:
    model = FakeModel([TextDelta("a"), 9.0])
    call = metered(model)
    task = asyncio.create_task(read(call))
    await until(lambda: model.calls)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert call.record.outcome is Outcome.STOPPED
    assert model.closed == 1


async def test_a_call_stopped_before_its_first_token_has_unknown_tokens_and_cost() -> None:
    model = FakeModel([9.0])
    call = metered(model)
    task = asyncio.create_task(read(call))
    await until(lambda: model.calls)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert call.record.usage == Usage()
    assert call.record.cost is None
    assert call.record.first_token_s is None


async def test_a_failed_call_names_its_error_and_counts_what_was_written() -> None:
    call = metered(FakeModel([TextDelta("half"), ServerFault("died")]))
    with pytest.raises(ServerFault):
        await read(call)
    assert call.record.outcome is Outcome.FAILED
    assert call.record.error == "server_fault"
    assert call.record.characters == 4
    assert call.record.usage.estimated


async def test_a_reader_who_leaves_after_the_end_has_a_completed_call() -> None:
    call = metered(FakeModel([TextDelta("a"), DONE]))
    async with contextlib.aclosing(call.events()) as events:
        async for event in events:
            if event is DONE:
                break
    assert call.record.outcome is Outcome.COMPLETED


async def test_tokens_the_server_did_not_count_are_estimated_beside_those_it_did() -> None:
    end = Finished("stop", Usage(input_tokens=7))
    call = metered(FakeModel([TextDelta("several words of it"), end]))
    await read(call)
    assert call.record.usage.input_tokens == 7
    assert call.record.usage.output_tokens == 5
    assert call.record.usage.estimated


async def test_a_model_its_server_does_not_know_gets_near_names() -> None:
    accounts = Accounts(near=lambda ref: ("ollama/x",))
    call = MeteredCall(FakeModel([ModelNotFound("gone")]), REF, REQUEST, accounts)
    with pytest.raises(ModelNotFound) as caught:
        await read(call)
    assert caught.value.near == ("ollama/x",)


async def test_an_answer_of_no_token_has_counts_and_no_first_token() -> None:
    call = metered(FakeModel([Finished("stop", Usage(input_tokens=3, output_tokens=0))]))
    await read(call)
    assert call.record.outcome is Outcome.COMPLETED
    assert call.record.first_token_s is None
    assert call.record.tokens_per_second is None


async def test_text_that_turns_out_to_be_thinking_is_paid_for_and_no_part_of_the_answer() -> None:
    end = Finished("stop", Usage(input_tokens=1))
    call = metered(FakeModel([TextDelta("h" * 400), TextWasThinking(), TextDelta("yes"), end]))
    await read(call)
    assert call.record.characters == 3
    assert (call.record.usage.output_tokens or 0) > 80


@pytest.mark.parametrize(
    "piece",
    [
        TextDelta("x" * 1_000_000),
        ReasoningDelta("x" * 1_000_000),
        ToolCallDelta(0, "1", "f", "x" * 1_000_000),
    ],
)
async def test_an_answer_without_end_is_broken_off(piece: ModelEvent) -> None:
    call = metered(FakeModel([piece] * 40))
    with pytest.raises(MalformedAnswer):
        await read(call)
    assert call.record.outcome is Outcome.FAILED
    assert call.record.characters <= MAX_ANSWER_CHARACTERS + 1_000_000
