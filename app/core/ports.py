"""What the inner rooms ask of the outer ones; `bootstrap` is where each port meets its adapter."""

from collections.abc import AsyncGenerator, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple, Protocol, runtime_checkable

from app.core.caching import CachedAnswer, LookupResult
from app.core.compression import Block, CompressionState, PinnedFact
from app.core.events import Finished, ModelEvent
from app.core.keys import ApiKey
from app.core.models import EmbeddedOffer, ModelProfile, ModelRef, ServerState
from app.core.people import Role, User
from app.core.requests import ModelRequest, RawRequest
from app.core.threads import BegunQuestion
from app.core.turns import HistoryMessage, SettledTurn, StepRecord, TurnRequest
from app.core.usage import CallRecord, Cost, TokenGaps, Usage
from app.core.vectors import Vectors


class RawPiece(NamedTuple):
    """Some whole events of a stream, to be sent on as they are."""

    data: bytes
    events: int = 0
    """Events of the answer so far: about as many as tokens."""
    finished: Finished | None = None
    """In the last piece, which ends in `[DONE]`."""


@dataclass(frozen=True, slots=True)
class RawAnswer:
    """A whole answer."""

    pieces: Sequence[bytes]
    """Its bytes, one behind the other: many megabytes of vectors are never put together."""
    content_type: str
    finished: Finished

    @property
    def body(self) -> bytes:
        """All of it."""
        return b"".join(self.pieces)


class RawModel(Protocol):
    """A model of a server that itself speaks OpenAI's protocol.

    What goes wrong is raised as a `KonsiliumError`. Closing the generator, or cancelling the task that
    waits, closes the connection upstream.
    """

    def raw_stream(self, request: RawRequest) -> AsyncGenerator[RawPiece, None]: ...

    async def raw_answer(self, request: RawRequest) -> RawAnswer: ...


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

    def raw(self, name: str, path: str) -> RawModel | None:
        """The same model in OpenAI's own protocol, where the server is to be asked by it at that path.
        Cheap: no I/O."""
        ...

    async def embed(
        self, model: str, texts: Sequence[str], dimensions: int | None = None
    ) -> tuple[Vectors, Usage]:
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
class TokenCounter(Protocol):
    """A server that may tell how many tokens a text is for one of its models."""

    async def count_tokens(self, model: str, text: str) -> int:
        """Without the chat's template. Raises Unsupported where it cannot, or does not now."""
        ...


@runtime_checkable
class ModelStore(ModelLoader, Protocol):
    """A server whose models can be fetched and removed too (Ollama)."""

    def pull(self, model: str) -> AsyncGenerator[PullProgress, None]: ...
    async def remove(self, model: str) -> None: ...


@runtime_checkable
class NewcomerServer(ModelServer, Protocol):
    """A server that is about to join, or that can be tried again as if it were."""

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
        """Deletes the file of a fetched model; a file that was chosen stays, and is let go. Raises NotFound
        where it is no such model."""
        ...

    async def choose(self, path: str) -> None:
        """Runs that file of this machine from now on. Raises SettingsInvalid where it is no model, or
        EMBEDDED_MODEL names one."""
        ...

    async def found(self) -> Sequence[str]:
        """Model files in the usual places of this machine."""
        ...

    async def aclose(self) -> None:
        """Stops all downloads and closes the connections."""
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
    name: str = ""
    """How it is to be called; empty: as its provider, or after its host."""

    @property
    def values(self) -> dict[str, str]:
        """All that was filled in, by the fields' names."""
        told = {**self.fields, "key": self.key, "url": self.url, "name": self.name}
        return {name: value for name, value in told.items() if value}


class ServerRegistry(Protocol):
    """The servers that were named while the app ran, kept for its next start."""

    @property
    def kept(self) -> Mapping[str, NewServer]:
        """What is kept, by the servers' names."""
        ...

    def meant(self, new: NewServer, former: str | None = None) -> Sequence[NewServer]:
        """What may be meant by that, likeliest first: with the scheme and the path of an address that has
        none and, for one in place of `former`, with its key where none was given.

        Raises SettingsInvalid where that key would go to another address, or the name is another's.
        """
        ...

    def address(self, new: NewServer) -> str:
        """Where it would be asked. Raises SettingsInvalid."""
        ...

    def build(self, new: NewServer) -> NewcomerServer:
        """The server; nothing is asked yet. Raises SettingsInvalid where something is missing or wrong,
        or the environment configures that server: it goes first."""
        ...

    async def keep(self, new: NewServer, former: str | None = None) -> None:
        """Remembers it in place of `former` and of one with the same name. Raises StorageUnavailable."""
        ...

    async def forget(self, name: str) -> None:
        """Strikes it out, with its key. Raises NotFound, StorageUnavailable."""
        ...


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

    async def texts(self) -> list[bytes]:
        """The same as JSON, as the server wrote them. Ask for one of the two, once."""
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

    def queued(self, ref: ModelRef) -> bool:
        """Whether a call of that model, of which nothing has come, waits for other answers there."""
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


class TurnStore(Protocol):
    """Where turns are kept. Every method is one transaction; a failed write raises StorageUnavailable."""

    async def begin(
        self, request: TurnRequest, steps: Sequence[StepRecord], over: str | None = None
    ) -> BegunQuestion:
        """Before the first token is asked for: makes the thread if it is new, and stores the question
        and the turn's own step (RUNNING) as the end of its active branch.

        The turn holds its thread until it is settled. Raises ThreadBusy where another turn does, in
        whatever process; from a turn named `over`, the thread is taken. Raises NotFound where the
        thread is another user's.
        """
        ...

    async def checkpoint(self, steps: Sequence[StepRecord]) -> None:
        """Stores what has been written so far; called every 2 s with the steps that changed. Raises
        TurnTaken where another turn has taken the thread."""
        ...

    async def settle(self, turn: SettledTurn) -> None:
        """Stores the end of a turn: its steps, its usage and cost, the thread's activity and title."""
        ...


@dataclass(frozen=True, slots=True)
class Lease:
    """Which turn holds a thread, and in which process it runs."""

    turn_id: str
    thread_id: str
    process_id: str


class TurnLeases(Protocol):
    """Which turns run, in all processes over one database. Raises StorageUnavailable."""

    async def find(self, thread_id: str) -> Lease | None:
        """The turn that holds the thread."""
        ...

    async def living(self, turn_ids: Collection[str]) -> frozenset[str]:
        """Those of the turns that still run."""
        ...

    async def ask_to_stop(self, turn_id: str, user_id: str | None = None) -> bool:
        """Asks the process that runs the turn to stop it; False where none does, or where it is not that
        user's."""
        ...

    async def asked_to_stop(self) -> frozenset[str]:
        """The turns of this process that are asked to stop."""
        ...


PostMessage = Mapping[str, Any]
"""JSON. `kind` says what it is, `from` names the process that sent it."""


class Post(Protocol):
    """Messages between the processes over one database. Quick, and lost where the way is broken: who
    needs an answer asks again."""

    @property
    def id(self) -> str:
        """This process's."""
        ...

    @property
    def reaches_others(self) -> bool:
        """Whether there may be another process at the other end."""
        ...

    def send(self, to: str, message: PostMessage) -> None:
        """To one process, by its id. Does not wait."""
        ...

    def tell_all(self, message: PostMessage) -> None:
        """To all the others."""
        ...

    def on(self, kind: str, hear: Callable[[PostMessage], None]) -> None:
        """Hears each message of that kind; must be quick."""
        ...

    async def run(self) -> None:
        """Carries messages until it is cancelled."""
        ...

    async def aclose(self) -> None:
        """Sends what waits, and closes its connections."""
        ...


class ThreadHistory(Protocol):
    """The messages of a thread that count as conversation, as the next turn will be given them."""

    async def history(self, thread_id: str) -> tuple[HistoryMessage, ...]:
        """In order; empty for a thread that is not there."""
        ...


class CompressionStore(Protocol):
    """The blocks and pinned facts of threads. A failed write raises StorageUnavailable."""

    async def state(self, thread_id: str) -> CompressionState:
        """What stands now; an empty head where nothing was compressed or pinned."""
        ...

    async def pinned(self, thread_id: str) -> tuple[PinnedFact, ...]:
        """The facts of the active branch, in the order they were pinned."""
        ...

    async def swap(self, thread_id: str, version: int, blocks: Sequence[Block]) -> bool:
        """Puts these blocks in place of all, if the head is still at `version`; else does nothing.

        False where it has moved on, or the thread is gone.
        """
        ...

    async def announce(self, thread_id: str, version: int) -> None:
        """Notes that the conversation was told of that version."""
        ...

    async def pin(self, thread_id: str, text: str) -> PinnedFact:
        """Adds a fact. Raises NotFound where the thread is gone."""
        ...

    async def unpin(self, thread_id: str, fact_id: str) -> None:
        """Removes a fact; one that is not there is gone already."""
        ...


class AnswerStore(Protocol):
    """Where cached answers are kept, shared by all processes. Failures raise StorageUnavailable."""

    async def look_up(
        self, scope: str, key: str, terms: Sequence[str], since: datetime, limit: int
    ) -> LookupResult:
        """The entry of that key, and up to `limit` entries of the scope that share most `terms`, of
        which the first outweighs the others; nothing asked before `since`. No terms, no candidates."""
        ...

    async def nearest(
        self, scope: str, vector: Sequence[float], since: datetime, limit: int
    ) -> tuple[CachedAnswer, ...]:
        """The entries of the scope whose vectors point most nearly the same way."""
        ...

    async def has_vectors(self, scope: str, since: datetime) -> bool:
        """Whether any entry of the scope has a vector to compare with."""
        ...

    async def find(self, entry_id: str) -> CachedAnswer | None: ...

    async def put(self, answer: CachedAnswer, terms: Sequence[str]) -> None:
        """Keeps it, in place of an entry with the same key."""
        ...

    async def touch(self, entry_id: str) -> None:
        """Notes that it was served: it is thrown out last."""
        ...

    async def purge(
        self,
        *,
        scope: str | None = None,
        key: str | None = None,
        entry_id: str | None = None,
        turn_id: str | None = None,
        question_id: str | None = None,
        thread_id: str | None = None,
        owner: str | None = None,
        model: str | None = None,
    ) -> int:
        """Deletes the entries that match all that is given, or all entries; returns how many."""
        ...

    async def trim(self, since: datetime, limit: int) -> int:
        """Deletes what was asked before `since`, and the longest unserved beyond `limit` entries."""
        ...


class CacheObserver(Protocol):
    """Counts lookups as they go (Prometheus). Must be quick and must not raise."""

    def looked_up(self, outcome: str, seconds: float) -> None:
        """`outcome`: exact, near, suggestion, taken, miss or bypass."""
        ...


class UserStore(Protocol):
    """The people."""

    async def by_identifier(self, identifier: str) -> User | None: ...
    async def by_id(self, user_id: str) -> User | None: ...
    async def all(self) -> tuple[User, ...]: ...
    async def named(self, identifiers: Collection[str]) -> tuple[User, ...]: ...

    async def add(
        self,
        identifier: str,
        *,
        display_name: str | None = None,
        role: Role = "user",
        password_hash: str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> User:
        """A new user; the one there is where the identifier is taken."""
        ...

    async def change(self, user_id: str, **values: Any) -> User:
        """Sets display_name, role, password_hash, disabled_at or metadata. Raises NotFound."""
        ...

    async def disabled(self) -> frozenset[str]:
        """The ids of those who may not come in."""
        ...


class KeyStore(Protocol):
    """Where API keys are kept. A failed read or write raises StorageUnavailable."""

    async def version(self) -> str:
        """Changes whenever a key is made or revoked: one quick query, asked about once a second."""
        ...

    async def keys(self) -> Sequence[ApiKey]:
        """All keys, newest first, the revoked ones too."""
        ...

    async def spent(self, since: datetime) -> Mapping[str, Decimal]:
        """Roubles by key id, from the usage records begun at `since` or later."""
        ...

    async def add(self, key: ApiKey) -> None: ...

    async def revoke(self, key_id: str, at: datetime) -> None: ...


class KeyValueStore(Protocol):
    """Small JSON documents by scope and key: a user's defaults, presets, calibration, price edits."""

    async def get(self, scope: str, key: str) -> Mapping[str, Any] | None: ...
    async def put(self, scope: str, key: str, value: Mapping[str, Any]) -> None: ...
    async def delete(self, scope: str, key: str) -> None: ...
    async def items(self, scope: str) -> dict[str, Mapping[str, Any]]: ...
    async def forget_before(self, scope: str, key: str) -> None:
        """Deletes the documents of a scope whose keys sort before that one."""
        ...

    async def among(self, scope: str, keys: Collection[str]) -> frozenset[str]:
        """Those of the keys under which there is a document."""
        ...


class UsageLog(Protocol):
    """Keeps calls that were made after their turn was settled, or outside of any: summaries, titles."""

    async def add(
        self,
        thread_id: str | None,
        user_id: str | None,
        turn_id: str | None,
        calls: Sequence[CallRecord],
    ) -> None: ...


@dataclass(frozen=True, slots=True)
class GatewayCall:
    """A model call made for an API request outside any thread, as it is kept."""

    call: CallRecord
    user_id: str
    key_id: str | None
    mode: str = "chat"


class GatewayLog(Protocol):
    """Keeps the calls of API requests, and when keys were last used. One transaction a batch."""

    async def record(self, calls: Sequence[GatewayCall], used: Mapping[str, datetime]) -> None:
        """`used`: by key id. Raises StorageUnavailable."""
        ...
