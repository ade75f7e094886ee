"""Calls through everything there is: catalogue, meter, retries, adapters, and servers that misbehave."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

import pytest

from app.completion.catalogue import Catalogue
from app.completion.models import Models
from app.completion.pricing import Prices
from app.core.errors import KonsiliumError, ModelNotFound, ServerBusy
from app.core.events import TextDelta
from app.core.messages import Message
from app.core.models import ModelRef
from app.core.ports import ModelServer
from app.core.providers import any_server
from app.core.requests import ModelRequest
from app.core.usage import CallRecord, Outcome
from app.providers.deadline import Timeouts
from app.providers.ollama import OllamaServer
from app.providers.openai_compatible.server import OpenAICompatibleServer
from tests.simulators import OllamaSimulator, OpenAISimulator
from tests.waiting import until

TIMEOUTS = Timeouts(connect=5.0, first_token=1.5, silence=1.5, listing=5.0, ending=0.5)
REQUEST = ModelRequest((Message.user("Скільки буде два плюс два?"),))
MODELS = (
    "echo",
    "len-300",
    "len-100000+paced-5ms",
    "thinking",
    "flaky-1",
    "len-50+error-after-9",
    "len-50+cut-after-9",
    "len-50+reset-after-9",
    "len-50+stall-after-9",
    "len-50+close-after-9",
    "error-500",
    "html-200",
    "stall",
    "reset",
)


@dataclass
class House:
    models: Models
    ollama: OllamaSimulator
    cloud: OpenAISimulator

    async def ask(self, name: str) -> tuple[str, CallRecord]:
        call = self.models.call(self.models.resolve(name), REQUEST)
        text = ""
        async with contextlib.aclosing(call.events()) as events:
            async for event in events:
                if isinstance(event, TextDelta):
                    text += event.text
        return text, call.record


@pytest.fixture
async def house() -> AsyncIterator[House]:
    async with OllamaSimulator(MODELS) as ollama, OpenAISimulator(MODELS) as cloud:
        far = replace(any_server("cloud", cloud.base_url), local=False)
        servers: list[ModelServer] = [
            OllamaServer("ollama", ollama.url, timeouts=TIMEOUTS),
            OpenAICompatibleServer(far, "key", timeouts=TIMEOUTS),
        ]
        catalogue = Catalogue(servers)
        models = Models(catalogue, Prices(), default="ollama/echo")
        await models.refresh()
        yield House(models, ollama, cloud)
        await catalogue.aclose()


async def test_a_question_is_answered_measured_and_priced(house: House) -> None:
    text, record = await house.ask("")
    assert text == "Скільки буде два плюс два?"
    assert record.outcome is Outcome.COMPLETED
    assert record.usage.output_tokens == 5
    assert (record.tokens_per_second or 0) > 0
    assert record.cost is not None
    assert record.cost.rub == 0
    _, record = await house.ask("cloud/echo")
    assert record.cost is None, "a price nobody knows"


async def test_a_cloud_that_is_busy_for_a_moment_is_asked_again_a_local_server_never(
    house: House,
) -> None:
    text, _ = await house.ask("cloud/flaky-1")
    assert text.startswith("Скільки")
    assert len(house.cloud.bodies("/v1/chat/completions")) == 2
    with pytest.raises(ServerBusy):
        await house.ask("ollama/flaky-1")
    assert len(house.ollama.bodies("/api/chat")) == 1


async def test_a_model_removed_meanwhile_is_not_found_and_near_names_are_offered(
    house: House,
) -> None:
    ref = house.models.resolve("ollama/len-300")
    del house.ollama.models["len-300"]
    with pytest.raises(ModelNotFound) as caught:
        async for _ in house.models.call(ref, REQUEST).events():
            pass
    assert caught.value.near
    await house.models.refresh()
    with pytest.raises(ModelNotFound):
        house.models.resolve("ollama/len-300")


@pytest.mark.parametrize("server", ["ollama", "cloud"])
async def test_a_stop_reaches_the_server_through_all_wrappers(house: House, server: str) -> None:
    asking = asyncio.create_task(house.ask(f"{server}/len-100000+paced-5ms"))
    simulator = house.ollama if server == "ollama" else house.cloud
    await until(lambda: simulator.open_generations == 1)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert await simulator.idle(1.0)


async def test_a_server_of_a_kind_can_be_added_while_running(house: House) -> None:
    catalogue = Catalogue([])
    models = Models(catalogue, Prices())
    catalogue.add(OllamaServer("late", house.ollama.url))
    await models.refresh()
    assert models.resolve("echo") == ModelRef("late", "echo")
    await catalogue.aclose()


async def test_five_hundred_calls_with_faults_and_stops_leave_nothing_open(house: House) -> None:
    chance = random.Random(7)
    outcomes: dict[str, int] = {}
    gate = asyncio.Semaphore(40)

    async def one() -> None:
        server = chance.choice(["ollama", "cloud"])
        name = f"{server}/{chance.choice(MODELS)}"
        patience = chance.choice([0.005, 0.05, 0.2, 3.0])
        async with gate:
            asking = asyncio.create_task(house.ask(name))
            done, _ = await asyncio.wait([asking], timeout=patience)
            if not done:
                asking.cancel()
                await asyncio.wait([asking])
        if asking.cancelled():
            outcome = "stopped"
        elif asking.exception() is None:
            outcome = "completed"
        else:
            error = asking.exception()
            assert isinstance(error, KonsiliumError), repr(error)
            outcome = error.code
        outcomes[outcome] = outcomes.get(outcome, 0) + 1

    tasks = len(asyncio.all_tasks())
    await asyncio.gather(*(one() for _ in range(500)))
    assert await house.ollama.idle(1.0)
    assert await house.cloud.idle(1.0)
    assert {"stopped", "completed", "server_fault", "connection_lost"} <= outcomes.keys()
    assert "internal_error" not in outcomes
    await until(lambda: len(asyncio.all_tasks()) <= tasks, within=2)  # the last cancelled unwind
