"""A gateway over simulated servers: Ollama translated, OpenAI passed through."""

import contextlib
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from app.completion.catalogue import Catalogue
from app.completion.models import Models
from app.completion.pricing import Prices
from app.completion.pulls import Stores
from app.completion.routing import MAX_PARALLEL, MAX_WAITING
from app.conversation.modes import MODES
from app.core.ports import ModelServer
from app.core.providers import any_server
from app.gateway.protocol import BoundedHttpProtocol
from app.gateway.services import GatewayServices, Pace
from app.providers.deadline import Timeouts
from app.providers.ollama import OllamaServer
from app.providers.openai_compatible.server import OpenAICompatibleServer
from tests.gateway import MemoryKeys, gateway, make_services
from tests.simulators import OllamaSimulator, OpenAISimulator
from tests.simulators.base import Simulator

BRISK = Pace(heartbeat=0.7, tick=0.1)


class Brisk(BoundedHttpProtocol):
    stalled_seconds = 1.0


IMPATIENT = Timeouts(
    connect=2.0, first_token=3.0, silence=2.0, listing=1.0, ending=0.3, whole=3.0, unused=4.0
)


@dataclass
class House:
    """All of it, and what happened."""

    url: str
    services: GatewayServices
    models: Models
    store: MemoryKeys
    ollama: OllamaSimulator
    openai: OpenAISimulator
    servers: Sequence[ModelServer] = field(default_factory=list)

    @property
    def base(self) -> str:
        """What a client of OpenAI's API is given."""
        return self.url + "/v1"

    async def serve(self, *models: str) -> None:
        """Both simulators have these models from now on, and the gateway knows."""
        for simulator in (self.ollama, self.openai):
            simulator.set_models([*simulator.models, *models])
        await self.services.models.refresh()

    async def idle(self, within: float = 1.0) -> bool:
        """Whether no simulator is writing an answer any more, within so many seconds."""
        return await self.ollama.idle(within) and await self.openai.idle(within)


@contextlib.asynccontextmanager
async def open_house(
    *, parallel: int = MAX_PARALLEL, waiting: int = MAX_WAITING, **fields: Any
) -> AsyncGenerator[House, None]:
    """A served gateway over two simulators, with every collaborator but the database real."""
    async with (
        OllamaSimulator(["echo", "embed-m3"]) as ollama,
        OpenAISimulator(["echo", "embed-m3"]) as openai,
    ):
        servers: list[ModelServer] = [
            OllamaServer("ollama", ollama.url, timeouts=IMPATIENT),
            OpenAICompatibleServer(any_server("gpu", openai.base_url), timeouts=IMPATIENT),
        ]
        catalogue = Catalogue(servers)
        models = Models(catalogue, Prices(), parallel=parallel, waiting=waiting)
        await models.refresh()
        store = MemoryKeys()
        services = make_services(
            models,
            store,
            modes=MODES,
            stores=Stores(catalogue),
            **({"pace": BRISK} | fields),
        )
        async with gateway(services, http=Brisk) as url:
            yield House(url, services, models, store, ollama, openai, servers)
        await catalogue.aclose()


@pytest.fixture
async def house() -> AsyncGenerator[House, None]:
    async with open_house() as house:
        yield house


__all__ = ["House", "Simulator", "house", "open_house"]
