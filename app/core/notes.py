"""What is known of a step beyond its words, as values: how it was decided, what it took, what failed.

A note is a dataclass; it is stored as JSON in the step's `metadata`, under its `key`, or, where it has
none, field by field. That JSON is what the browser's elements and the API are given, and what older
versions have written stays readable. A field without a default is always there; one with a default
only where it differs from it. docs/modes.md lists them all, which a test holds true.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, TypeAdapter, ValidationError

from app.core.errors import KonsiliumError
from app.core.events import PARTS, StepKind


@dataclass(frozen=True, slots=True)
class Note:
    """One kind of fact about a step; a later note of the same kind replaces it."""

    key: ClassVar[str] = ""
    """Its name in `metadata`; empty where its fields stand there themselves."""
    steps: ClassVar[tuple[StepKind, ...]] = ()
    """On which steps it is found."""
    element: ClassVar[str] = ""
    """The element (`Name.jsx`, beside the mode or in public/elements) that shows it, given its fields; empty
    where none does."""
    props: ClassVar[Mapping[str, Any]] = {}
    """What that element is given besides."""
    resumable: ClassVar[bool] = False
    """Whether its element is given how the step ended, to offer to go on."""
    told: ClassVar[bool] = False
    """Whether programs are given it with the answer: in `/v1` under `konsilium`, in `/api` too."""

    @classmethod
    def drawn(cls, facts: Mapping[str, Any]) -> Mapping[str, Any]:
        """What its element is given of the stored facts."""
        return facts

    def as_json(self) -> dict[str, Any]:
        """As it is stored."""
        fields: dict[str, Any] = _adapter(type(self)).dump_python(
            self, mode="json", by_alias=True, exclude_defaults=True
        )
        return {self.key: fields} if self.key else fields

    @classmethod
    def of(cls, metadata: Mapping[str, Any]) -> Self | None:
        """This kind of note in stored `metadata`; None where there is none that can be read."""
        try:
            note: Self = _adapter(cls).validate_python(
                metadata.get(cls.key) if cls.key else dict(metadata)
            )
        except ValidationError:
            return None
        return note


_adapters: dict[type[Note], TypeAdapter[Any]] = {}


def _adapter(kind: type[Note]) -> TypeAdapter[Any]:
    """Made when first needed: it takes milliseconds."""
    if kind not in _adapters:
        _adapters[kind] = TypeAdapter(kind)
    return _adapters[kind]


def as_metadata(notes: Iterable[Note]) -> dict[str, Any]:
    """All notes of a step, as they are stored."""
    metadata: dict[str, Any] = {}
    for note in notes:
        metadata |= note.as_json()
    return metadata


@dataclass(frozen=True, slots=True)
class TitleNote(Note):
    """The title of a structured answer."""

    key = "title"
    steps = (StepKind.ANSWER, StepKind.CANDIDATE)
    title: str

    def as_json(self) -> dict[str, Any]:
        """The bare title."""
        return {self.key: self.title}

    @classmethod
    def of(cls, metadata: Mapping[str, Any]) -> "TitleNote | None":
        """From the bare title."""
        title = metadata.get(cls.key)
        return cls(title) if isinstance(title, str) else None


@dataclass(frozen=True, slots=True)
class ErrorNote(Note):
    """What the view needs to say an error in the reader's language; the exact detail is in the log."""

    key = "error"
    steps = (StepKind.NOTICE, *PARTS)
    code: str
    server: str = ""
    model: str = ""
    retry_after: float | None = None
    """Seconds."""
    near: tuple[str, ...] = ()
    """Models whose names come near the one that is missing."""
    prompt_tokens: int | None = None
    window: int | None = None
    url: str = ""
    """Where a person can mend it."""
    reason: str = ""
    facts: Mapping[str, Any] | None = None
    """Of a refused attachment: what was found and what is allowed."""

    @classmethod
    def about(cls, error: Exception) -> "ErrorNote":
        """What `error` tells."""
        named = {name: getattr(error, name, None) for name in cls.__dataclass_fields__}
        return cls(**{k: v for k, v in named.items() if v and k != "code"}, code=code_of(error))


def code_of(error: Exception) -> str:
    """The code by which an error is known; one that is not ours is `internal_error`."""
    return error.code if isinstance(error, KonsiliumError) else "internal_error"


@dataclass(frozen=True, slots=True)
class SystemTokens:
    """A compressed system prompt, in tokens."""

    before: int
    after: int


@dataclass(frozen=True, slots=True)
class CompressionNote(Note):
    """What was compressed in the prompt of a turn: on a line in the conversation when it is news, and
    in the numbers under each answer."""

    key = "compression"
    steps = (StepKind.NOTICE,)
    element = "CompressionNote"
    props: ClassVar[Mapping[str, Any]] = {"can_pin": True}
    first: Annotated[int | None, Field(alias="from")] = None
    """Number of the first message that notes stand for, from 1."""
    last: Annotated[int | None, Field(alias="to")] = None
    before: int | None = None
    """Tokens of these messages."""
    after: int | None = None
    """Tokens of the notes."""
    blocks: int | None = None
    version: int = 0
    news: bool = False
    """The first turn that uses this version."""
    system: SystemTokens | None = None
    pinned: int | None = None
    """How many facts are pinned."""
    dropped: int | None = None
    """Oldest messages that were left out, as the person allowed."""
    text: str = ""
    """The notes themselves."""

    @property
    def saved(self) -> int | None:
        """Tokens spared; None where nothing is compressed."""
        return None if self.before is None or self.after is None else self.before - self.after


@dataclass(frozen=True, slots=True)
class Money:
    """A sum in its own currency."""

    amount: Decimal
    currency: str


@dataclass(frozen=True, slots=True)
class CallNumbers(Note):
    """The numbers of one model call; unknown is None."""

    outcome: str
    finish_reason: str | None
    model: str | None
    server: str | None
    purpose: str | None
    seconds: float | None
    first_token_seconds: float | None
    load_seconds: float | None
    characters: int
    tokens_per_second: float | None
    input_tokens: int | None
    output_tokens: int | None
    cached_tokens: int | None
    estimated: bool
    """Counted by us, not by the server."""
    cost_rub: Decimal | None
    cost: Money | None
    cache: str | None


@dataclass(frozen=True, slots=True)
class NamedCall(CallNumbers):
    """One call in the table under an answer."""

    name: str | None
    """Of its step."""


@dataclass(frozen=True, slots=True)
class TotalNumbers:
    """Sums over the calls of a turn; unknown only where all are."""

    calls: int
    input_tokens: int | None
    output_tokens: int | None
    cost_rub: Decimal | None
    estimated: bool


@dataclass(frozen=True, slots=True)
class WindowUse:
    """How full the context window is."""

    used: int | None
    size: int | None
    warning: bool
    """Nearly full."""
    truncated: bool
    """The server counted far fewer tokens than were sent: it cut the prompt in silence."""
    shifted: bool = False
    """The answer outgrew the window: the model had forgotten the beginning by its end."""
    widened: bool = False
    """It was made wider than usual for this conversation."""


@dataclass(frozen=True, slots=True)
class MetricsNote(CallNumbers):
    """The numbers under a step; of a turn's answer also those of the whole turn."""

    key = "metrics"
    steps = (
        StepKind.ANSWER,
        StepKind.PLAN,
        *PARTS,
        StepKind.GROUP,
    )
    window: WindowUse | None = None
    compression: CompressionNote | None = None
    calls: tuple[NamedCall, ...] | None = None
    total: TotalNumbers | None = None


@dataclass(frozen=True, slots=True)
class CachedNote(Note):
    """An answer that came from the cache."""

    key = "cache"
    steps = (StepKind.ANSWER,)
    element = "CacheNote"
    kind: str
    """exact, near, taken or suggestion."""
    entry_id: str
    asked: str
    """The question it answered first."""
    at: datetime
    saved_tokens: int | None
    saved_rub: Decimal | None


@dataclass(frozen=True, slots=True)
class SuggestionNote(CachedNote):
    """A similar question's answer, offered."""

    key = "suggestion"
    steps = (StepKind.NOTICE,)


@dataclass(frozen=True, slots=True)
class ToolNote(Note):
    """One call of a tool: which, whether it waits for the person, and how it went."""

    key = "tool"
    steps = (StepKind.TOOL,)
    id: str
    """`name`, or `server/name`."""
    server: str = ""
    """The MCP server it belongs to; empty for a tool of ours."""
    asking: bool = False
    """It waits for the person's permission."""
    refused: bool = False
    """It was not run: the person said no, or there was nobody to ask."""
    progress: str = ""
    """How far it is, as it says."""
    seconds: float | None = None
    """For which it ran."""
    cut_from: int | None = None
    """About how many tokens its result had, where it was cut."""


@dataclass(frozen=True, slots=True)
class CitedSource:
    """A source that an answer cites, or rests on."""

    number: int
    title: str
    text: str = ""
    """What of it the model was given."""
    url: str = ""
    site: str = ""
    date: str = ""
    page: int | None = None
    heading: str = ""
    id: str = ""
    """`document/number` of a passage of ours."""
    file: str = ""
    """`thread/element` of a file that came with a question."""
    cited: bool = True
    """A mark of the answer names it, and holds or is left open."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A citation in an answer's text: `[1]`, from `start` to `end` in characters."""

    start: int
    end: int
    number: int
    holds: bool
    open: bool = False
    """It does not hold by its words, and nothing says that it is wrong: the source has other words, and no
    model has compared them."""
    words: str = ""
    """The source's own, by which a model found that it holds, or that the source says otherwise."""


CheckOutcome = Literal["", "done", "partly", "failed", "small"]


@dataclass(frozen=True, slots=True)
class CitationsNote(Note):
    """Which citations of an answer hold: each was compared with the passage that it names."""

    key = "citations"
    steps = (StepKind.ANSWER, *PARTS)
    told = True
    sources: tuple[CitedSource, ...]
    marks: tuple[Mark, ...] = ()
    unsourced: tuple[tuple[int, int], ...] = ()
    """Numbers of the text that stand beside a citation and in none of its sources: from, to."""
    checker: str = ""
    """`server/model` that was asked of what words alone do not tell; empty: none was."""
    check: CheckOutcome = ""
    """How that went: `partly` where some of it is left to the words, `failed` where all of it is, `small`
    where the model is too small to be asked."""

    @classmethod
    def about(cls, metadata: Mapping[str, Any], text: str) -> "CitationsNote | None":
        """The note of that text; None where its places are of another one, which stood there before."""
        note = cls.of(metadata)
        if note is None:
            return None
        fits = (m.end <= len(text) and text[m.start] in "[【" for m in note.marks)
        return note if all(fits) else None

    @classmethod
    def taken(cls, metadata: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
        """`metadata` of an answer that takes over the words of a step with the metadata `other`: its
        citations come along."""
        rest = {key: value for key, value in metadata.items() if key != cls.key}
        return {**rest, cls.key: other[cls.key]} if cls.key in other else rest


COMMON: tuple[type[Note], ...] = (
    TitleNote,
    ErrorNote,
    MetricsNote,
    CompressionNote,
    CachedNote,
    SuggestionNote,
    ToolNote,
    CitationsNote,
)
"""The notes that any mode's steps may have."""
