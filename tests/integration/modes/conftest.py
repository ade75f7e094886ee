"""The modes over real adapters and real HTTP: turns in memory, models on simulated servers."""

import contextlib
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass

import pytest

from app.completion.catalogue import Catalogue
from app.completion.models import Models
from app.completion.pricing import Prices
from app.conversation.mode import WholeHistory
from app.conversation.modes import MODES, mode_named
from app.conversation.turn import RunningTurn, Turns
from app.core.options import ChatOptions
from app.core.ports import ModelServer
from app.core.providers import any_server
from app.core.turns import Question, TurnRequest, new_id
from app.providers.ollama.server import OllamaServer
from app.providers.openai_compatible.server import OpenAICompatibleServer
from tests.fakes import MemoryStore
from tests.simulators import OllamaSimulator, OpenAISimulator


@dataclass
class House:
    """Turns over servers."""

    turns: Turns
    store: MemoryStore
    models: Models

    async def start(self, text: str, mode: str, **options) -> RunningTurn:
        """A turn in a thread of its own."""
        clean = ChatOptions.clean(options, mode, mode_named(mode).options)
        return await self.turns.start(
            TurnRequest(new_id(), "user", Question(new_id(), text), clean, "ru", author="Ада")
        )

    async def play(self, text: str, mode: str, **options):
        """The state of such a turn when it is stored."""
        return await (await self.start(text, mode, **options)).wait()


@contextlib.asynccontextmanager
async def open_house(servers: Sequence[ModelServer]) -> AsyncGenerator[House, None]:
    catalogue = Catalogue(servers)
    models = Models(catalogue, Prices())
    await models.refresh()
    store = MemoryStore()
    try:
        yield House(Turns(store, models, WholeHistory(), MODES), store, models)
    finally:
        await catalogue.aclose()


@dataclass
class Simulated(House):
    ollama: OllamaSimulator
    openai: OpenAISimulator

    async def idle(self) -> bool:
        """Whether both servers have stopped writing within a second."""
        return await self.ollama.idle(1) and await self.openai.idle(1)


@pytest.fixture
async def house() -> AsyncGenerator[Simulated, None]:
    names = ["echo", "json", "len-60", "council-2+paced-20ms"]
    names += ["paced-50ms+len-400", "paced-20ms+len-30"]
    faults = ["error-429", "error-500", "html-200", "reset-after-3", "cut-after-3", "say-"]
    async with (
        OllamaSimulator([*names, *faults]) as ollama,
        OpenAISimulator([*names, *faults]) as openai,
        open_house(
            [
                OllamaServer("ollama", ollama.url),
                OpenAICompatibleServer(any_server("gpu", openai.base_url)),
            ]
        ) as built,
    ):
        yield Simulated(built.turns, built.store, built.models, ollama, openai)
