"""Metered calls of any model, and those who count them."""

from collections.abc import AsyncGenerator, Sequence
from typing import Protocol

from app.core.events import ModelEvent
from app.core.models import ModelProfile, ModelRef, ServerState
from app.core.ports.passing import RawAnswer
from app.core.requests import ModelRequest, RawRequest
from app.core.usage import CallRecord, Cost, TokenGaps, Usage


class Call(Protocol):
    """One metered model call. Iterate `events()` once; `record` is complete when that has ended,
    however it ended."""

    @property
    def record(self) -> CallRecord: ...

    def events(self) -> AsyncGenerator[ModelEvent, None]: ...


class RawCall(Protocol):
    """One metered call in OpenAI's own protocol. Use one of its ways, once; `record` as above."""

    @property
    def record(self) -> CallRecord: ...

    def blocks(self) -> AsyncGenerator[bytes, None]:
        """The answer as whole events, the last block ending in `[DONE]`."""
        ...

    async def answer(self) -> RawAnswer:
        """The answer as one body."""
        ...


class EmbeddingCall(Protocol):
    """One metered call for embeddings; `record` as above."""

    @property
    def record(self) -> CallRecord: ...

    async def vectors(self) -> list[list[float]]:
        """One vector a text."""
        ...


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

    def candidates(self, name: str) -> tuple[ModelRef, ...]:
        """Where to ask for `name`, best first: `server/model` means that server alone.

        Raises ModelNotFound with near names, or NoModels.
        """
        ...

    def profile(self, ref: ModelRef) -> ModelProfile:
        """What is known of the model; only its ref where nothing is. Never waits."""
        ...

    def cost(self, ref: ModelRef, usage: Usage) -> Cost | None:
        """What so many tokens of that model cost; None where its price is not known."""
        ...

    def call(self, ref: ModelRef, request: ModelRequest) -> Call:
        """A call of that model: metered, in its place before the server, and retried before the first
        token where the server is not local.

        Raises ModelNotFound for an unknown server, or a model that is not the asking key's (as the
        other calls do); an unknown model shows when it is iterated, and
        ServerBusy where the server's queue is full.
        """
        ...

    def raw_call(self, ref: ModelRef, request: RawRequest) -> RawCall | None:
        """The same in OpenAI's own protocol, not retried; None where the server speaks another."""
        ...

    def embedding(
        self,
        ref: ModelRef,
        texts: Sequence[str],
        *,
        dimensions: int | None = None,
        request_id: str | None = None,
    ) -> EmbeddingCall:
        """A call for one vector a text, of so many numbers where the model lets one choose."""
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
