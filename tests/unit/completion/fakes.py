"""Servers in memory for the completion's tests."""

import asyncio
from collections.abc import AsyncGenerator, Sequence

from app.core.errors import KonsiliumError, ServerUnavailable, Unsupported
from app.core.events import ModelEvent
from app.core.models import ModelProfile, ModelRef, ServerState
from app.core.requests import ModelRequest
from app.core.turns import now
from app.core.usage import Usage
from app.core.vectors import Vectors


class FakeModel:
    """Plays a script per call: events, errors, pauses in seconds; the last script goes on."""

    def __init__(self, *scripts: Sequence[ModelEvent | KonsiliumError | float]) -> None:
        self.scripts = list(scripts)
        self.calls = 0
        self.closed = 0

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelEvent, None]:
        script = self.scripts[min(self.calls, len(self.scripts) - 1)]
        self.calls += 1
        try:
            for item in script:
                if isinstance(item, KonsiliumError):
                    raise item
                if isinstance(item, float):
                    await asyncio.sleep(item)
                else:
                    yield item
        finally:
            self.closed += 1


class FakeServer:
    def __init__(
        self,
        name: str,
        *models: str | ModelProfile,
        local: bool = True,
        delay: float = 0.0,
        assumed: bool = False,
    ) -> None:
        self.assumed = assumed
        self.name, self.local, self.delay = name, local, delay
        self.models = [self.profile(m) if isinstance(m, str) else m for m in models]
        self.down = False
        self.lists_all = True
        self.asked = 0
        self.playing = FakeModel([])

    def profile(self, name: str) -> ModelProfile:
        return ModelProfile(ModelRef(self.name, name), local=self.local)

    async def state(self) -> ServerState:
        self.asked += 1
        await asyncio.sleep(self.delay)
        error = ServerUnavailable("refused", server=self.name) if self.down else None
        models = () if self.down else tuple(self.models)
        return ServerState(
            self.name,
            "fake",
            "http://x",
            self.local,
            models,
            error=error,
            checked_at=now(),
            lists_all=self.lists_all,
            assumed=self.assumed,
        )

    def model(self, name: str) -> FakeModel:
        return self.playing

    def raw(self, name: str, path: str) -> None:
        return None

    async def embed(
        self, model: str, texts: Sequence[str], dimensions: int | None = None
    ) -> tuple[Vectors, Usage]:
        raise Unsupported("no embeddings", server=self.name, model=model)

    async def aclose(self) -> None:
        pass
