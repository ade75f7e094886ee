"""A turn (one question and all that answers it) and the conversation around it, as values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from app.core.events import StepKind
from app.core.ids import new_id as new_id
from app.core.messages import ImagePart, Message
from app.core.models import ModelProfile, ModelRef
from app.core.notes import CompressionNote
from app.core.options import ChatOptions
from app.core.text import Language
from app.core.usage import CallRecord, Outcome


def now() -> datetime:
    """The present moment, aware, UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that came with a question, already read: its text, or an image."""

    element_id: str
    name: str
    mime: str
    text: str | None = None
    image: ImagePart | None = None
    unreadable: int = 0
    """Bytes that meant nothing in the text's encoding: U+FFFD stands for each."""


@dataclass(frozen=True, slots=True)
class Question:
    """What a person said."""

    id: str
    """Of the user's message: a step of the thread."""
    text: str
    attachments: tuple[Attachment, ...] = ()
    sources: str = ""
    """Passages that answers are to rest on, and how: for the model, with this question alone."""

    def as_message(self) -> Message:
        """The message for a model: sources and attached texts first, each fenced, then the words."""
        documents = "".join(
            f'<document name="{attachment.name}">\n{attachment.text}\n</document>\n\n'
            for attachment in self.attachments
            if attachment.text is not None
        )
        images = tuple(a.image for a in self.attachments if a.image is not None)
        return Message.user(self.sources + documents + self.text, *images)


@dataclass(frozen=True, slots=True)
class TurnRequest:
    """All that one turn needs to know, frozen."""

    thread_id: str
    user_id: str
    question: Question
    options: ChatOptions
    language: Language = "en"
    turn_id: str = field(default_factory=new_id)
    again: bool = False
    """The question already exists in the thread: it is answered anew, beside its earlier answers
    (regenerate, retry)."""
    instead_of: str | None = None
    """The question in whose place this one is asked (an edit): it follows what that one follows, and
    both stay."""
    after: str | None = None
    """A message that the question follows; empty: none, it begins the thread anew; None: the last of
    the active branch."""
    bypass_cache: bool = False
    """Ask the model, and put its answer in place of the cached one (Regenerate)."""
    take_cached: str | None = None
    """Show this cached answer: the suggestion that the person took."""
    key_id: str | None = None
    """The API key that asked, where one did."""
    unattended: bool = False
    """A program asks: there is nobody who could allow a tool what it asks for."""
    author: str = ""
    """The user's display name, kept as the name of the question's step."""
    facts: tuple[str, ...] = ()
    """What is pinned for all the conversations of its project."""
    parts: "tuple[StepRecord, ...]" = ()
    """What an earlier try at this question came to: a mode may take over what is complete in it."""


@dataclass(frozen=True, slots=True)
class StepRecord:
    """One step of a thread as it is stored: the question, the turn, or a part of its answer.

    `type` is Chainlit's (`user_message`, `assistant_message`, `run`, `tool`, ...); `kind` is ours.
    """

    id: str
    thread_id: str
    type: str
    name: str
    kind: StepKind | Literal["question", "turn"]
    turn_id: str | None = None
    parent_id: str | None = None
    """Of a question the turn that it follows, None where it begins the thread; of a turn its question.
    Those with the same parent are siblings: branches of the conversation."""
    input: str = ""
    output: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    """JSON: its notes (`core.notes`), and `favorite`."""
    outcome: Outcome = Outcome.COMPLETED
    created_at: datetime = field(default_factory=now)
    ended_at: datetime | None = None
    is_error: bool = False
    open: bool = False
    modes: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class HistoryMessage:
    """One earlier message that counts as conversation. `id` is its step's."""

    id: str
    role: Literal["user", "assistant"]
    text: str
    name: str = ""
    turn_id: str | None = None
    outcome: Outcome = Outcome.COMPLETED
    attachments: tuple[Attachment, ...] = ()

    def as_message(self) -> Message:
        """As a model is shown it."""
        if self.role == "user":
            return Question(self.id, self.text, self.attachments).as_message()
        return Message.assistant(self.text)


@dataclass(frozen=True, slots=True)
class Prompt:
    """What goes to the model, after compression: system, pinned facts, blocks, recent turns, question."""

    messages: tuple[Message, ...]
    tokens: int | None = None
    """Estimate of the whole, calibrated for the model."""
    bound: int | None = None
    """The estimate before calibration; None where images make it worthless for that."""
    likely: int | None = None
    """The estimate without its caution: a server that counts far fewer has cut the prompt."""
    window: int | None = None
    """What the prompt was made to fit."""
    wanted_window: int | None = None
    """The person's own figure for it."""
    needs: int | None = None
    """Tokens that the prompt and its answer need, calibrated."""
    widened: bool = False
    """The window is wider than a call has by itself: the model may have to be loaded anew."""
    compression: CompressionNote = field(default_factory=CompressionNote)
    """What was compressed, pinned or left out, if anything was."""
    notes: str = ""
    """What stands for earlier messages, as the model sees it."""

    @property
    def system(self) -> str:
        """The system text, empty where there is none."""
        return "\n\n".join(m.text for m in self.messages if m.role == "system")

    @property
    def saved(self) -> int | None:
        """Tokens that compression spared; None where nothing is compressed."""
        return self.compression.saved

    @property
    def question(self) -> Message:
        """The new message, last in the prompt."""
        return self.messages[-1]

    @property
    def history(self) -> tuple[Message, ...]:
        """What was said before, without system texts and the question."""
        return tuple(m for m in self.messages[:-1] if m.role != "system")


class ThreadBusy(Exception):
    """A turn runs in the thread, in this process or another."""

    def __init__(self, turn_id: str) -> None:
        super().__init__(turn_id)
        self.turn_id = turn_id


class TurnTaken(Exception):
    """The turn was taken for dead, and another has begun in its thread: it may write nothing more."""


@dataclass(frozen=True, slots=True)
class SettledTurn:
    """A finished turn, to be committed in one unit of work: completed, stopped or failed alike."""

    request: TurnRequest
    outcome: Outcome
    steps: tuple[StepRecord, ...]
    """The turn's own step first, then all that hangs below it, in order of appearance."""
    calls: tuple[CallRecord, ...]
    title: str | None = None
    """A better name for the thread, where the answer brought one."""
    error: str | None = None
    prompt: Prompt | None = None
    """What the turn's models were given, for those who look at it afterwards; None where it failed
    before that."""
    model: ModelRef | None = None
    """The conversation's model."""
    profile: ModelProfile | None = None
