"""What a conversation mode is, and what it is given. A new mode is a folder in modes/."""

import asyncio
import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol

from app.conversation.compression.layout import with_pinned
from app.conversation.steps import Emit, HeldWriting, StepWriter
from app.conversation.tools import TurnTools
from app.core.compression import PinnedFact
from app.core.errors import KonsiliumError
from app.core.events import Progress, StepKind, StepStarted
from app.core.messages import Message
from app.core.models import Capability, ModelProfile, ModelRef
from app.core.notes import Note
from app.core.options import AS_IT_DOES, Option
from app.core.ports import Call, Models
from app.core.requests import ModelRequest
from app.core.text import Text
from app.core.turns import HistoryMessage, Prompt, TurnRequest, new_id
from app.core.usage import CallRecord, Outcome, Purpose


class TurnModels:
    """The models as one turn sees them: every call is remembered, whoever made it."""

    def __init__(self, models: Models) -> None:
        self._models = models
        self._calls: list[Call | CallRecord] = []
        self.cache_missed = False
        """The answer cache was asked in vain: kept with the call that answered instead."""
        self.resolve = models.resolve
        self.profile = models.profile
        self.states = models.states

    def call(self, ref: ModelRef, request: ModelRequest) -> Call:
        """A metered call, remembered."""
        call = self._models.call(ref, request)
        self._calls.append(call)
        return call

    def enter(self, record: CallRecord) -> None:
        """Counts an answer that took no call: one from the cache."""
        self._calls.append(record)

    @property
    def records(self) -> tuple[CallRecord, ...]:
        """What every call so far took, in order."""
        records = [c if isinstance(c, CallRecord) else c.record for c in self._calls]
        if self.cache_missed:
            for place, record in enumerate(records):
                if record.purpose in (Purpose.ANSWER, Purpose.SYNTHESIS):
                    records[place] = replace(record, cache="miss")
                    break
        return tuple(records)


@dataclass(frozen=True, slots=True)
class TurnContext:
    """What a mode works with."""

    request: TurnRequest
    prompt: Prompt
    history: tuple[HistoryMessage, ...]
    model: ModelRef
    """The model chosen for the conversation."""
    models: TurnModels
    inbox: "Inbox"
    emit: Emit
    """Takes what is written into the turn."""
    tools: TurnTools | None = None
    """Those that the thread has switched on; None: none."""

    def call(self, model: ModelRef, request: ModelRequest, step: StepWriter) -> Call:
        """A call of that model whose words are `step`'s, with the turn's tools where it has some."""
        request = self._thinking(model, request)
        if self.tools is None:
            return self.models.call(model, request)
        return self.tools.call(self, model, request, step)

    def _thinking(self, model: ModelRef, request: ModelRequest) -> ModelRequest:
        """The request with as much thinking as the person chose, where the model thinks at all."""
        chosen, profile = self.request.options.text("thinking"), self.models.profile(model)
        if chosen in ("", AS_IT_DOES) or request.think is not None:
            return request
        if not profile.can(Capability.THINKING):
            return request
        effort = chosen if chosen in ("none", *profile.efforts) else profile.efforts[-1]
        return replace(request, extra={**request.extra, "reasoning_effort": effort})

    @contextlib.contextmanager
    def step(  # noqa: PLR0913 - the fields of a step, each with its default
        self,
        kind: StepKind,
        name: str,
        *,
        parent: StepWriter | None = None,
        step_id: str | None = None,
        input: str = "",
        open: bool = False,
        notes: tuple[Note, ...] = (),
        opening: str = "",
        begin: bool = True,
    ) -> Iterator[StepWriter]:
        """A step under `parent`, or under the turn. It ends with the block: COMPLETED, FAILED where
        that raises a KonsiliumError; what is cancelled, the turn ends. `begin` False leaves its
        beginning to its first words."""
        step = StepWriter(
            self.emit,
            StepStarted(
                step_id or new_id(),
                kind,
                name,
                parent.id if parent else None,
                input,
                open,
                notes,
            ),
            opening=opening,
        )
        if begin:
            step.begin()
        try:
            yield step
        except KonsiliumError as error:
            step.end(Outcome.FAILED, error)
            raise
        step.end()

    def progress(self, text: Text) -> None:
        """What is happening while nothing can be read yet."""
        self.emit(Progress(text))

    def held(self) -> "tuple[TurnContext, HeldWriting]":
        """The same turn for work ahead of a decision: what it writes is held back until released."""
        writing = HeldWriting(self.emit)
        return replace(self, emit=writing.emit), writing

    def ask(self, messages: tuple[Message, ...], **fields: Any) -> ModelRequest:
        """A request with this turn's id for the log, and what compression spared of it."""
        notes = self.prompt.notes
        if notes and any(notes in message.text for message in messages):
            fields.setdefault("saved_tokens", self.prompt.saved)
        if messages is self.prompt.messages:
            fields.setdefault("needs", self.prompt.needs)
        fields.setdefault("window", self.prompt.wanted_window)
        return ModelRequest(messages=messages, request_id=self.request.turn_id, **fields)


Permission = Literal["once", "always", "no"]
"""What a person says to a tool that asks; `always` holds for the thread."""


class Inbox:
    """What a person does to a running turn: types a message into it, pauses it, goes on."""

    def __init__(self) -> None:
        self._messages: list[str] = []
        self._going = asyncio.Event()
        self._going.set()
        self._asking: dict[str, asyncio.Future[Permission]] = {}

    async def permission(self, step_id: str) -> "Permission":
        """What the person says to the call of a tool that `step_id` shows; waits for it."""
        answered: asyncio.Future[Permission] = asyncio.get_running_loop().create_future()
        self._asking[step_id] = answered
        try:
            return await answered
        finally:
            del self._asking[step_id]

    def permit(self, step_id: str, permission: "Permission") -> bool:
        """The person has said it; False where nothing was asked, or somebody was quicker."""
        answered = self._asking.get(step_id)
        if answered is None or answered.done():
            return False
        answered.set_result(permission)
        return True

    def interject(self, text: str) -> None:
        """A message typed meanwhile; the mode takes it when it next may."""
        self._messages.append(text)

    @property
    def waiting(self) -> tuple[str, ...]:
        """What was typed and not taken yet."""
        return tuple(self._messages)

    def take(self) -> list[str]:
        """The messages since the last take."""
        taken, self._messages = self._messages, []
        return taken

    def pause(self) -> None:
        self._going.clear()

    def resume(self) -> None:
        self._going.set()

    @property
    def paused(self) -> bool:
        return not self._going.is_set()

    async def going(self) -> None:
        """Returns at once, or when a paused turn is resumed."""
        await self._going.wait()


class Mode(Protocol):
    """A way to answer. Stateless: everything is in the context."""

    id: str
    name: Text
    description: Text
    icon: str
    """A lucide icon's name."""
    options: tuple[Option, ...]
    notes: tuple[type[Note], ...]
    """What its steps know of themselves, besides the notes that all modes have."""
    takes_interjections: bool
    """Whether a message typed during a turn enters that turn (else it waits its turn)."""

    async def respond(self, turn: TurnContext) -> None:
        """Writes the answer into the turn; raises KonsiliumError where there can be none. Stop
        cancels it: nothing it started may outlive that."""
        ...


class PromptBuilder(Protocol):
    """Builds the prompt; compression lives behind this."""

    async def build(
        self,
        request: TurnRequest,
        history: tuple[HistoryMessage, ...],
        profile: ModelProfile,
    ) -> Prompt: ...


class WholeHistory:
    """Everything that was said, uncompressed."""

    async def build(
        self,
        request: TurnRequest,
        history: tuple[HistoryMessage, ...],
        profile: ModelProfile,
    ) -> Prompt:
        """The prompt with the full history."""
        pinned = tuple(map(PinnedFact, request.facts))
        system = with_pinned(request.options.text("system_prompt").strip(), pinned)
        messages = (
            *((Message.system(system),) if system else ()),
            *(message.as_message() for message in history if message.text),
            request.question.as_message(),
        )
        return Prompt(messages, window=profile.window)
