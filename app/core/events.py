"""What flows upward: events of a model call, and events of a turn.

A `ChatModel` yields `ModelEvent`s and ends with exactly one `Finished`, or raises a
`KonsiliumError`; nothing follows either. What a mode writes comes as `TurnEvent`s: each names the step
it belongs to, so that the view and the gateway can draw a tree without knowing the mode.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Literal

from app.core.text import Text
from app.core.usage import CallRecord, Outcome, Usage

if TYPE_CHECKING:
    from app.core.notes import Note

FinishReason = Literal["stop", "length", "tool_calls", "content_filter"]


@dataclass(frozen=True, slots=True)
class TextDelta:
    """More of the answer."""

    text: str


@dataclass(frozen=True, slots=True)
class ReasoningDelta:
    """More of the model's thinking; never sent back to a model."""

    text: str


@dataclass(frozen=True, slots=True)
class TextWasThinking:
    """All the text so far was thinking, as only now has shown; the answer begins after this."""


@dataclass(frozen=True, slots=True)
class ToolCallDelta:
    """A piece of a tool call; pieces of one call share `index`."""

    index: int
    id: str | None = None
    name: str | None = None
    arguments: str = ""


@dataclass(frozen=True, slots=True)
class Finished:
    """The answer is complete."""

    finish_reason: FinishReason
    usage: Usage
    extra: Mapping[str, Any] = field(default_factory=dict)
    """What the wire said besides (`logprobs` in OpenAI's form, system_fingerprint), for those who asked."""


ModelEvent = TextDelta | ReasoningDelta | TextWasThinking | ToolCallDelta | Finished


class StepKind(StrEnum):
    """What a step is, and so how it is drawn."""

    QUESTION = "interjection"
    """A person's words said into a running turn."""
    ANSWER = "answer"
    """A message in the conversation: the answer, or a participant's words in a dialogue."""
    REASONING = "reasoning"
    PLAN = "plan"
    SPECIALIST = "specialist"
    CANDIDATE = "candidate"
    MEMBER = "member"
    """The answer of one of a council's equals, given blind."""
    GROUP = "group"
    TOOL = "tool"
    """One call of a tool: its arguments are the input, its result the text."""
    NOTICE = "notice"
    """A line of ours in the conversation: never part of a prompt."""


PARTS = (StepKind.SPECIALIST, StepKind.CANDIDATE, StepKind.MEMBER)
"""Who speaks beside others within a turn: each has its own numbers, and its own failure."""


@dataclass(frozen=True, slots=True)
class StepStarted:
    """A step appears. `parent_id` None hangs it under the turn itself."""

    step_id: str
    kind: StepKind
    name: str
    """Who speaks: a model, a specialist's role, a participant."""
    parent_id: str | None = None
    input: str = ""
    open: bool = False
    """Whether it is unfolded at first."""
    notes: "tuple[Note, ...]" = ()


@dataclass(frozen=True, slots=True)
class StepDelta:
    """More text of a step."""

    step_id: str
    text: str


@dataclass(frozen=True, slots=True)
class StepReplaced:
    """The whole text of a step is now this: a promoted candidate, a repaired answer."""

    step_id: str
    text: str


@dataclass(frozen=True, slots=True)
class StepNoted:
    """A fact about a step: scores, a plan's cost, a title. It replaces an earlier one of its kind."""

    step_id: str
    note: "Note"


@dataclass(frozen=True, slots=True)
class StepEnded:
    """A step is over; `call` is the model call that wrote it, where one did."""

    step_id: str
    outcome: Outcome = Outcome.COMPLETED
    call: CallRecord | None = None
    finish_reason: FinishReason | None = None
    error: Exception | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """What is happening while nothing can be read yet; replaced by the next one or by text."""

    text: Text
    step_id: str | None = None


TurnEvent = StepStarted | StepDelta | StepReplaced | StepNoted | StepEnded | Progress
