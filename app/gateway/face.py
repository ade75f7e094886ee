"""A face: one protocol that programs ask for completions in, between its wire and our own values.

Everything behind a face is common to all of them: keys, limits, budgets, routing, the answer cache, the
councils, how a stream is kept alive and how it breaks. A face reads a request into the form of OpenAI's
chat completions, the one form that all of it understands, and writes the events of the answer in the
form of its own protocol. A new one is a class with these few methods and a row in `Gateway`.
"""

import json
from collections.abc import AsyncGenerator, AsyncIterable, Mapping
from dataclasses import dataclass, field
from io import StringIO
from typing import Any, ClassVar, Protocol
from uuid import uuid4

from app.completion.tokens import LIKELY, prompt_tokens, text_tokens
from app.core.errors import MalformedAnswer
from app.core.events import (
    Finished,
    ModelEvent,
    ReasoningDelta,
    TextDelta,
    TextWasThinking,
    ToolCallDelta,
)
from app.core.messages import ToolCall
from app.core.requests import ModelRequest
from app.core.usage import CallRecord, Usage
from app.gateway.access import Caller
from app.gateway.errors import Answer
from app.gateway.http import ErrorForm, Exchange
from app.gateway.key_usage import KeyUsageRecorder

Json = Mapping[str, Any]


class Writer(Protocol):
    """One attempt's answer as bytes of a stream."""

    def opening(self) -> bytes:
        """What comes before the first event's bytes."""
        ...

    def event(self, event: ModelEvent) -> bytes:
        """One event; of `Finished`, all that is left to say."""
        ...

    async def closing(self) -> bytes:
        """The end, one of the face's `ends` last."""
        ...


class Question(Protocol):
    """One request, read."""

    @property
    def body(self) -> Json:
        """It in OpenAI's form."""
        ...

    @property
    def legacy(self) -> bool:
        """That form is the older one: a prompt, no messages."""
        ...

    def writer(self, model: str) -> Writer:
        """For a stream of that model, named `server/model`."""
        ...

    async def whole(self, model: str, events: AsyncIterable[ModelEvent]) -> Json:
        """The answer as one JSON object."""
        ...

    def broken(self, answer: Answer) -> bytes:
        """The last bytes of a stream that has begun and cannot go on."""
        ...


class Face(Protocol):
    """A protocol."""

    passes: ClassVar[str | None]
    """Where a server of OpenAI's protocol takes this very body; None: it is always translated."""
    content_type: ClassVar[bytes]
    """Of streams."""
    ping: bytes
    """What a client passes over: it keeps a silent stream alive."""
    ends: ClassVar[tuple[bytes, ...]]
    """One of these ends a whole stream, and nothing else ends so."""
    councils: ClassVar[bool]
    """Whether modes may be asked as models in it."""

    @property
    def errors(self) -> ErrorForm:
        """The body of an error."""
        ...

    async def read(self, x: Exchange, caller: Caller) -> Question:
        """What is asked. Raises HttpError."""
        ...


@dataclass(frozen=True, slots=True)
class Envelope:
    """What every request for a completion says, whoever serves it."""

    model: str
    stream: bool
    wants_usage: bool
    characters: int
    """Of the prompt: what the token limit counts before the answer is known."""
    max_tokens: int | None = None
    """Of the answer, as far as the client says."""


@dataclass(frozen=True, slots=True)
class CompletionRequest:
    """A checked request for a completion."""

    face: Face
    question: Question
    envelope: Envelope
    caller: Caller
    request_id: str
    drops: bool = False
    """Leaves out what a model or a council does not take, instead of having it refused."""

    @property
    def body(self) -> Json:
        return self.question.body

    def note(self, recorder: KeyUsageRecorder, record: CallRecord) -> None:
        """Keeps what a call took, if it came to be made."""
        if record.total_s is not None:
            recorder.note(self.caller, record)


class Responder(Protocol):
    """One attempt to answer. What it took is noted, however it ends."""

    def blocks(self) -> AsyncGenerator[bytes, None]:
        """The answer as whole events, the last block ending as the face's streams do. Closing it stops
        the model."""
        ...

    async def whole(self) -> bytes:
        """The answer as one JSON object."""
        ...


@dataclass(slots=True)
class Collected:
    """A whole answer, gathered from its events."""

    text: str = ""
    thinking: str = ""
    tools: list[ToolCall] = field(default_factory=list)
    finished: Finished = field(default_factory=lambda: Finished("stop", Usage()))


async def collected(events: AsyncIterable[ModelEvent]) -> Collected:
    """All of an answer."""
    text, thinking = StringIO(), StringIO()
    calls: dict[int, ToolCallDelta] = {}
    answer = Collected()
    async for event in events:
        match event:
            case TextDelta(piece):
                text.write(piece)
            case ReasoningDelta(piece):
                thinking.write(piece)
            case TextWasThinking():
                thinking.write(text.getvalue())
                text = StringIO()
            case ToolCallDelta():
                calls[event.index] = joined_call(calls.get(event.index), event)
            case Finished():
                answer.finished = event
    answer.text, answer.thinking = text.getvalue(), thinking.getvalue()
    answer.tools = tool_calls(calls)
    return answer


class CallsInTurn:
    """Puts the pieces of several calls into turn: a server may write them by turns, and most protocols
    know of one at a time. The first goes on as it comes, the others when it is over."""

    def __init__(self) -> None:
        self.begun = False
        self._current: int | None = None
        self._waiting: dict[int, ToolCallDelta] = {}
        self._over: set[int] = set()

    def ordered(self, event: ModelEvent) -> list[ModelEvent]:
        """What may be written now, the event among it. Raises MalformedAnswer for a piece of a call that
        other words have ended."""
        if not isinstance(event, ToolCallDelta):
            ended: list[ModelEvent] = [self._waiting[index] for index in sorted(self._waiting)]
            self._over.update(self._waiting)
            if self._current is not None:
                self._over.add(self._current)
            self._waiting, self._current = {}, None
            return [*ended, event]
        self.begun = True
        index = event.index
        if index in self._over:
            raise MalformedAnswer("a call goes on after other words have come")
        if self._current is None:
            self._current = index
        if index == self._current:
            return [event]
        self._waiting[index] = joined_call(self._waiting.get(index), event)
        return []


def tool_calls(calls: Mapping[int, ToolCallDelta]) -> list[ToolCall]:
    """Calls whose pieces are joined, in order."""
    return [
        ToolCall(calls[index].id or call_id(), calls[index].name or "", calls[index].arguments)
        for index in sorted(calls)
    ]


def joined_call(call: ToolCallDelta | None, more: ToolCallDelta) -> ToolCallDelta:
    """A call with one more piece of it."""
    if call is None:
        return more
    name = (call.name or "") + (more.name or "")
    return ToolCallDelta(call.index, call.id or more.id, name, call.arguments + more.arguments)


def likely_tokens(request: ModelRequest) -> int:
    """An estimate of what a prompt and its tools take: no server counts without answering."""
    tools = "".join(json.dumps(tool, ensure_ascii=False) for tool in request.tools)
    return max(1, round(LIKELY * (prompt_tokens(request.messages) + text_tokens(tools))))


def call_id() -> str:
    """An id for a tool call whose server gives none."""
    return f"call_{uuid4().hex[:24]}"
