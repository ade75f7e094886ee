"""Model servers, as the providers make them."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from app.core.events import ModelEvent
from app.core.models import EmbeddedOffer, ModelProfile, ServerState
from app.core.ports.passing import RawModel
from app.core.requests import ModelRequest
from app.core.usage import Usage


class ChatModel(Protocol):
    """One model on one server. Wrappers (meter, cache, retry) are ChatModels too.

    `stream` yields events and ends with exactly one `Finished`, or raises a `KonsiliumError`.
    Closing the generator, or cancelling the task that iterates it, closes the connection upstream.
    """

    def stream(self, request: ModelRequest) -> AsyncGenerator[ModelEvent, None]: ...


class ModelServer(Protocol):
    """A server with models. One lives for the whole process and owns one pooled HTTP client."""

    @property
    def name(self) -> str: ...

    @property
    def local(self) -> bool:
        """Runs on a machine of ours."""
        ...

    async def state(self) -> ServerState:
        """Its models and their load, now. Never raises for a server that is down: `error` says why."""
        ...

    def model(self, name: str) -> ChatModel:
        """The model of that name; whether it exists shows when it is asked. Cheap: no I/O."""
        ...

    def raw(self, name: str) -> RawModel | None:
        """The same model in OpenAI's own protocol, where the server speaks it. Cheap: no I/O."""
        ...

    async def embed(
        self, model: str, texts: Sequence[str], dimensions: int | None = None
    ) -> tuple[list[list[float]], Usage]:
        """One vector a text, of that many numbers. Raises Unsupported where the server has none."""
        ...

    async def aclose(self) -> None:
        """Closes its connections."""
        ...


class PullProgress(Protocol):
    """One line of a pull: a status, and for a layer how much of it has come (bytes)."""

    status: str
    digest: str | None
    total: int | None
    completed: int | None


@runtime_checkable
class ModelLoader(Protocol):
    """A server whose models can be put into memory ahead of a question, and taken out of it."""

    async def load(self, model: str) -> None: ...
    async def unload(self, model: str) -> None: ...


@runtime_checkable
class ModelStore(ModelLoader, Protocol):
    """A server whose models can be fetched and removed too (Ollama)."""

    def pull(self, model: str) -> AsyncGenerator[PullProgress, None]: ...
    async def remove(self, model: str) -> None: ...


class NewcomerServer(ModelServer, Protocol):
    """A server that is about to join."""

    async def check_key(self, models: Sequence[ModelProfile]) -> None:
        """Makes sure that its key, or its having none, is accepted for more than a list of `models`,
        which may be public.

        Raises WrongKey, or why it could not be found out.
        """
        ...


class EmbeddedModels(Protocol):
    """Models for the server `embedded`: fetched once from a model hub, after the person agrees."""

    async def offers(self) -> tuple[EmbeddedOffer, ...]:
        """EMBEDDED_MODEL, or else suggestions that fit this machine's memory, best first. Quick: a
        hub is asked for a size for 3 s at most, and only where EMBEDDED_MODEL names it."""
        ...

    def download(self, name: str) -> None:
        """Begins to fetch an offered model, or goes on with it; `offers` tells how far it is. At the
        end the server `embedded` is there. Raises NotFound where it is not offered."""
        ...

    async def cancel(self, name: str) -> None:
        """Stops fetching; what has come is kept, for a resumption."""
        ...

    async def remove(self, name: str) -> None:
        """Deletes the file of a fetched model. Raises NotFound where it is no such model."""
        ...


@dataclass(frozen=True, slots=True)
class NewServer:
    """A server that an administrator names while the app runs."""

    provider: str
    """The name of its row in core.providers."""
    key: str = field(default="", repr=False)
    url: str = ""
    fields: Mapping[str, str] = field(default_factory=dict, repr=False)
    """What else the provider's form asks for, by name."""

    @property
    def values(self) -> dict[str, str]:
        """All that was filled in, by the fields' names."""
        told = {**self.fields, "key": self.key, "url": self.url}
        return {name: value for name, value in told.items() if value}


class ServerRegistry(Protocol):
    """The servers that were named while the app ran, kept for its next start."""

    @property
    def names(self) -> frozenset[str]:
        """What is kept."""
        ...

    def build(self, new: NewServer) -> NewcomerServer:
        """The server; nothing is asked yet. Raises SettingsInvalid where something is missing or wrong,
        or the environment configures that server: it goes first."""
        ...

    async def keep(self, new: NewServer) -> None:
        """Remembers it in place of one with the same name. Raises StorageUnavailable."""
        ...

    async def forget(self, name: str) -> None:
        """Strikes it out, with its key. Raises NotFound, StorageUnavailable."""
        ...
