"""Metered calls of any model, and those who count them."""

from collections.abc import AsyncGenerator, Sequence
from typing import Protocol

from app.core.events import ModelEvent
from app.core.models import ModelProfile, ModelRef, ServerState
from app.core.requests import ModelRequest
from app.core.usage import CallRecord, TokenGaps, Usage


class Call(Protocol):
    """One metered model call. Iterate `events()` once; `record` is complete when that has ended,
    however it ended."""

    @property
    def record(self) -> CallRecord: ...

    def events(self) -> AsyncGenerator[ModelEvent, None]: ...


class Models(Protocol):
    """Every model of every server, by its address: `completion.models.Models` is the one there is."""

    def states(self) -> tuple[ServerState, ...]:
        """The servers as last seen, without waiting."""
        ...

    async def refresh(self) -> tuple[ServerState, ...]:
        """Asks all servers at once, 3 s at most each, and returns what they said."""
        ...

    def resolve(self, name: str) -> ModelRef:
        """`server/model`, a bare model name, or "" for the default.

        Raises ModelNotFound (with near names) or NoModels.
        """
        ...

    def profile(self, ref: ModelRef) -> ModelProfile:
        """What is known of the model; only its ref where nothing is. Never waits."""
        ...

    def call(self, ref: ModelRef, request: ModelRequest) -> Call:
        """A call of that model, metered, retried before the first token where the server is not local.

        Raises ModelNotFound for an unknown server; an unknown model shows when it is iterated.
        """
        ...

    async def embed(self, ref: ModelRef, texts: Sequence[str]) -> tuple[list[list[float]], Usage]:
        """One vector a text."""
        ...


class CallObserver(Protocol):
    """Counts model calls as they go (Prometheus). Must be quick and must not raise.

    `model` is written `server/model`.
    """

    def started(self, request: ModelRequest, model: str) -> None: ...
    def first_token(self, model: str, seconds: float) -> None: ...
    def gaps(self, model: str, gaps: TokenGaps) -> None:
        """The pauses of one answer, once it has ended."""
        ...

    def ended(self, record: CallRecord) -> None: ...
