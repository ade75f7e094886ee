"""What the inner rooms ask of the outer ones. `bootstrap` is where each port meets its adapter."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

from app.core.caching import CachedAnswer, Found
from app.core.compression import Block, Head, PinnedFact
from app.core.events import ModelEvent
from app.core.keys import ApiKey
from app.core.models import EmbeddedOffer, ModelProfile, ModelRef, ServerState
from app.core.people import Role, User
from app.core.reports import Dimension, TurnUsage, UsageFilter, UsageGroup, UsageSummary
from app.core.requests import ModelRequest
from app.core.threads import ElementRecord, FeedbackRecord, Page, StoredThread, ThreadRecord
from app.core.turns import HistoryMessage, Question, SettledTurn, StepRecord, TurnRequest
from app.core.usage import CallRecord, TokenGaps, Usage


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

    async def embed(self, model: str, texts: Sequence[str]) -> tuple[list[list[float]], Usage]:
        """One vector a text. Raises Unsupported where the server has no embeddings."""
        ...

    async def aclose(self) -> None:
        """Closes its connections."""
        ...


@runtime_checkable
class ModelStore(Protocol):
    """A server whose models can be fetched, loaded and removed (Ollama)."""

    def pull(self, model: str) -> AsyncGenerator["PullProgress", None]: ...
    async def remove(self, model: str) -> None: ...
    async def load(self, model: str) -> None: ...
    async def unload(self, model: str) -> None: ...


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


class PullProgress(Protocol):
    """One line of a pull: a status, and for a layer how much of it has come (bytes)."""

    status: str
    digest: str | None
    total: int | None
    completed: int | None


@dataclass(frozen=True, slots=True)
class NewServer:
    """A server that an administrator names while the app runs."""

    provider: str
    """`yandex`, `openai`, `deepseek`, `openrouter`, or `other` with a `url`."""
    key: str = field(default="", repr=False)
    folder: str = ""
    """Yandex' folder."""
    url: str = ""


class ServerBook(Protocol):
    """The servers that were named while the app ran, kept for its next start."""

    def build(self, new: NewServer) -> ModelServer:
        """The server; nothing is asked yet. Raises SettingsInvalid where something is missing or wrong,
        or the environment configures that server: it goes first."""
        ...

    async def keep(self, new: NewServer) -> None:
        """Remembers it in place of one with the same name. Raises StorageUnavailable."""
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
        self, request: TurnRequest, steps: Sequence[StepRecord]
    ) -> tuple[HistoryMessage, ...]:
        """Before the first token is asked for: makes the thread if it is new, rewinds if asked, stores
        the question and the turn's own step (RUNNING), and returns the history before the question.

        Raises NotFound where the thread is another user's.
        """
        ...

    async def checkpoint(self, steps: Sequence[StepRecord]) -> None:
        """Stores what has been written so far; called every 2 s with the steps that changed."""
        ...

    async def settle(self, turn: SettledTurn) -> None:
        """Stores the end of a turn: its steps, its usage and cost, the thread's activity and title."""
        ...


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


class Conversations(Protocol):
    """What the chat asks of a thread beyond its turns. Raises NotFound for another user's thread."""

    async def question(self, user_id: str, thread_id: str, step_id: str) -> Question:
        """The question with its attachments, to be asked again; `step_id` is its own or its turn's."""
        ...

    async def keep_settings(
        self, user_id: str, thread_id: str, settings: Mapping[str, Any]
    ) -> None:
        """Remembers the choices of the thread (its metadata's `chat_settings`); a thread that is not
        there yet is left for its first turn to make."""
        ...


class ThreadHistory(Protocol):
    """The messages of a thread that count as conversation, as the next turn will be given them."""

    async def history(self, thread_id: str) -> tuple[HistoryMessage, ...]:
        """In order; empty for a thread that is not there."""
        ...


class CompressionStore(Protocol):
    """The blocks and pinned facts of threads. A failed write raises StorageUnavailable."""

    async def head(self, thread_id: str) -> Head:
        """What stands now; an empty head where nothing was compressed or pinned."""
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


class UsageLog(Protocol):
    """Keeps calls that were made after their turn was settled, or outside of any: summaries, titles."""

    async def add(
        self,
        thread_id: str | None,
        user_id: str | None,
        turn_id: str | None,
        calls: Sequence[CallRecord],
    ) -> None: ...


class AnswerStore(Protocol):
    """Where cached answers are kept, shared by all processes. Failures raise StorageUnavailable."""

    async def look_up(
        self, scope: str, key: str, terms: Sequence[str], since: datetime, limit: int
    ) -> Found:
        """The entry of that key, and up to `limit` entries of the scope that share most `terms`, of
        which the first outweighs the others; nothing asked before `since`. No terms, no candidates."""
        ...

    async def nearest(
        self, scope: str, vector: Sequence[float], since: datetime, limit: int
    ) -> tuple[CachedAnswer, ...]:
        """The entries of the scope whose vectors point most nearly the same way."""
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


class KeyValueStore(Protocol):
    """Small JSON documents by scope and key: a user's defaults, presets, calibration, price edits."""

    async def get(self, scope: str, key: str) -> Mapping[str, Any] | None: ...
    async def put(self, scope: str, key: str, value: Mapping[str, Any]) -> None: ...
    async def delete(self, scope: str, key: str) -> None: ...
    async def items(self, scope: str) -> dict[str, Mapping[str, Any]]: ...


class UsageReports(Protocol):
    """The kept usage records, added up. Sums are exact; percentiles are exact to a millisecond."""

    async def summary(self, over: UsageFilter) -> UsageSummary:
        """Everything that matches, as one."""
        ...

    async def days(self, over: UsageFilter) -> tuple[UsageSummary, list[UsageGroup]]:
        """The summary and the groups by day at the price of one."""
        ...

    async def groups(self, over: UsageFilter, by: Dimension) -> list[UsageGroup]:
        """The same by model, server, mode, user or day: days in order, the rest by calls, most first.

        A day without calls is not there.
        """
        ...

    async def turns(
        self, over: UsageFilter, order: Literal["slowest", "dearest"], limit: int
    ) -> list[TurnUsage]:
        """The turns that took longest, or cost most."""
        ...

    def records(self, over: UsageFilter) -> AsyncGenerator[Mapping[str, Any], None]:
        """Every record that matches, oldest first, a row a call, for a table elsewhere."""


class ThreadStore(Protocol):
    """Conversations as people see them. `user_id` or `reader` is who asks: another's thread is
    NotFound, as if it did not exist. Failed writes raise StorageUnavailable."""

    async def page(
        self,
        user_id: str,
        *,
        limit: int,
        cursor: str | None = None,
        search: str | None = None,
        feedback: int | None = None,
    ) -> Page[ThreadRecord]:
        """The user's threads, newest activity first. `search` finds words by their beginnings, in any
        case: threads whose title has them all, then those with a message that does, latest first."""
        ...

    async def find(self, thread_id: str, reader: str | None) -> ThreadRecord:
        """The thread, if it is the reader's or shared."""
        ...

    async def contents(self, thread_id: str, reader: str | None) -> StoredThread:
        """The thread with all that was said in it, if it is the reader's or shared."""
        ...

    async def ensure(self, thread_id: str, user_id: str) -> None:
        """Makes an empty thread, which no list shows yet, where there is none."""
        ...

    async def suggest_title(self, thread_id: str, user_id: str, title: str) -> None:
        """Names an unnamed thread; makes it where there is none."""
        ...

    async def rename(self, thread_id: str, user_id: str, title: str) -> None:
        """Names a thread as a person wishes; no answer changes that name."""
        ...

    async def share(self, thread_id: str, user_id: str, shared: bool) -> None:
        """Lets everyone with the link read it, or no longer."""
        ...

    async def annotate(
        self,
        thread_id: str,
        user_id: str,
        metadata: Mapping[str, Any],
        tags: Sequence[str] | None = None,
    ) -> None:
        """Merges `metadata` into what is known; a None deletes. No error for a thread that is gone."""
        ...

    async def delete(self, thread_id: str, user_id: str) -> None:
        """Deletes it with everything in it, files too; its usage stays."""
        ...

    async def write_step(self, step: StepRecord, user_id: str) -> None:
        """Stores a step that is no turn's; makes the thread where there is none."""
        ...

    async def delete_step(self, step_id: str, user_id: str) -> None:
        """Deletes a step of the user's and all below it; no error where there is none."""
        ...

    async def mark_favorite(self, step_id: str, user_id: str, favorite: bool) -> StepRecord:
        """Stars a message, or no longer."""
        ...

    async def favorites(self, user_id: str) -> tuple[StepRecord, ...]:
        """The starred messages, latest first."""
        ...

    async def judge(self, verdict: FeedbackRecord, user_id: str) -> str:
        """Stores a verdict on a step, in place of an earlier one; returns the id it is kept under."""
        ...

    async def withdraw(self, feedback_id: str, user_id: str) -> None:
        """Takes a verdict back."""
        ...


class ElementStore(Protocol):
    """Files and other elements. Ids come from the browser: none reaches into another's thread."""

    async def write(
        self, element: ElementRecord, user_id: str, content: bytes | None = None
    ) -> None:
        """Stores an element, with its bytes if it has any; makes the thread where there is none."""
        ...

    async def find(self, thread_id: str, element_id: str, reader: str | None) -> ElementRecord:
        """The element, if its thread is the reader's or shared."""
        ...

    def path(self, element: ElementRecord) -> Path:
        """Where its bytes are, if it has any."""
        ...

    async def delete(self, element_id: str, user_id: str) -> None:
        """Deletes it, its bytes too."""
        ...


class UserStore(Protocol):
    """The people."""

    async def by_identifier(self, identifier: str) -> User | None: ...
    async def by_id(self, user_id: str) -> User | None: ...
    async def all(self) -> tuple[User, ...]: ...

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


class RawAnswer(Protocol):
    """What an OpenAI-compatible server answers, byte for byte. Close it, whatever happens."""

    @property
    def status(self) -> int: ...

    @property
    def headers(self) -> Mapping[str, str]:
        """With lower-case names."""
        ...

    async def next(self) -> bytes:
        """Some more bytes, empty at the end. Cancelling it loses nothing.

        Raises ConnectionLost where the connection breaks before the end of the body.
        """
        ...

    async def close(self, *, whole: bool = False) -> None:
        """Gives the connection back: to the pool where the body was read to its end (`whole` reads
        what little is left), else it is closed, and the model stops."""
        ...


class PassThrough(Protocol):
    """A server that itself speaks OpenAI's protocol: bytes in, bytes out, our key for the caller's."""

    @property
    def stream_usage(self) -> bool:
        """Takes `stream_options.include_usage`."""
        ...

    def wire_name(self, model: str) -> str:
        """The model's name as that server wants it (`gpt://folder/name/latest`)."""
        ...

    async def open(
        self, path: str, body: bytes, *, model: str, content_type: str = "application/json"
    ) -> RawAnswer:
        """POSTs `body` to `path` (`/chat/completions`); returns once a status of 2xx has come.

        `model` is for errors. Waits as long as it takes: the caller has the clock. Raises
        ServerUnavailable, ConnectionLost, or what a status of 300 and more means.
        """
        ...


@runtime_checkable
class PassesThrough(Protocol):
    """A `ModelServer` that can be asked without translation."""

    @property
    def raw(self) -> PassThrough: ...


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
