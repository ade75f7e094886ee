"""What a running turn has said so far: its events folded into steps that anyone can follow."""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from app.conversation.metrics import step_metrics, turn_metrics
from app.conversation.sources import Sources
from app.core.events import (
    PARTS,
    FinishReason,
    Progress,
    StepDelta,
    StepEnded,
    StepKind,
    StepNoted,
    StepReplaced,
    StepStarted,
    TurnEvent,
)
from app.core.models import ModelProfile, ModelRef
from app.core.notes import (
    CitationsNote,
    ErrorNote,
    MetricsNote,
    Note,
    TitleNote,
    as_metadata,
    code_of,
)
from app.core.text import Text
from app.core.turns import Prompt, SettledTurn, StepRecord, TurnRequest, new_id, now
from app.core.usage import CallRecord, Outcome
from app.knowledge.citations import CitationFindings

_CHAINLIT_TYPE = {
    StepKind.QUESTION: "user_message",
    StepKind.ANSWER: "assistant_message",
    StepKind.NOTICE: "assistant_message",
    StepKind.REASONING: "tool",
    StepKind.PLAN: "tool",
    StepKind.SPECIALIST: "tool",
    StepKind.CANDIDATE: "tool",
    StepKind.MEMBER: "tool",
    StepKind.GROUP: "tool",
    StepKind.TOOL: "tool",
}


@dataclass(slots=True, eq=False)
class LiveStep:
    """A step as it grows. Within one `version` nothing changes but that `chunks` grows."""

    id: str
    kind: StepKind
    name: str
    parent_id: str
    input: str = ""
    open: bool = False
    notes: dict[type[Note], Note] = field(default_factory=dict)
    """What is known of it, one of a kind."""
    chunks: list[str] = field(default_factory=list)
    version: int = 0
    outcome: Outcome = Outcome.RUNNING
    finish_reason: FinishReason | None = None
    call: CallRecord | None = None
    error: Exception | None = None
    created_at: datetime = field(default_factory=now)
    ended_at: datetime | None = None
    saved: bool = False

    @property
    def note(self) -> dict[str, Any]:
        """Its notes as they are stored."""
        return as_metadata(self.notes.values())

    @property
    def text(self) -> str:
        """The whole text so far."""
        return "".join(self.chunks)


class TurnState:
    """Follow it with `subscribe()`: the event is set whenever something has changed."""

    def __init__(self, request: TurnRequest) -> None:
        self.request = request
        self.steps: dict[str, LiveStep] = {}
        self.progress: Text | None = None
        self.outcome = Outcome.RUNNING
        self.error: Exception | None = None
        self.model: ModelRef | None = None
        self.profile: ModelProfile | None = None
        self.prompt: Prompt | None = None
        self.done = False
        self.unstored = False
        """The last write failed: said on screen until one succeeds."""
        self.settled: SettledTurn | None = None
        self.title: str | None = None
        """The name that the answer gives the thread, once it is over."""
        self.started_at = now()
        self._followers: set[asyncio.Event] = set()

    # -- following ------------------------------------------------------------------------------

    def subscribe(self) -> asyncio.Event:
        """An event that is set at every change; clear it before looking."""
        changed = asyncio.Event()
        changed.set()
        self._followers.add(changed)
        return changed

    def unsubscribe(self, changed: asyncio.Event) -> None:
        """No longer of interest."""
        self._followers.discard(changed)

    @property
    def followed(self) -> bool:
        """Whether anybody follows."""
        return bool(self._followers)

    def _notify(self) -> None:
        for changed in self._followers:
            changed.set()

    # -- growing --------------------------------------------------------------------------------

    def about(self, model: ModelRef, profile: ModelProfile, prompt: Prompt) -> None:
        """What the turn works with, once it is known."""
        self.model, self.profile, self.prompt = model, profile, prompt
        if prompt.compression.news:
            self._say(replace(prompt.compression, text=prompt.notes))
        self._notify()

    def apply(self, event: TurnEvent) -> None:
        """Folds one event in."""
        match event:
            case StepDelta(step_id, text):
                step = self.steps[step_id]
                step.chunks.append(text)
                step.saved = False
                self.progress = None
            case StepStarted():
                self._begin(event)
            case StepReplaced(step_id, text):
                step = self.steps[step_id]
                step.chunks = [text]
                self._changed(step)
            case StepNoted(step_id, note):
                step = self.steps[step_id]
                step.notes[type(note)] = note
                self._changed(step)
            case StepEnded(step_id):
                step = self.steps[step_id]
                step.outcome, step.call, step.error = event.outcome, event.call, event.error
                step.finish_reason, step.ended_at = event.finish_reason, now()
                if step.kind in PARTS:  # others still speak
                    self._measured(step)
                self._changed(step)
            case Progress(text):
                self.progress = text
        self._notify()

    def _changed(self, step: LiveStep) -> None:
        step.version += 1
        step.saved = False

    def _begin(self, event: StepStarted) -> None:
        parent = event.parent_id or self.request.turn_id
        self.steps[event.step_id] = LiveStep(
            event.step_id,
            event.kind,
            event.name,
            parent,
            event.input,
            event.open,
            {type(note): note for note in event.notes},
        )
        self.progress = None

    def put_in(self, texts: Iterable[str]) -> None:
        """A person's words that came too late for anybody to answer them."""
        for text in texts:
            step = StepStarted(new_id(), StepKind.QUESTION, self.request.author)
            for event in (step, StepDelta(step.step_id, text), StepEnded(step.step_id)):
                self.apply(event)

    def storage_trouble(self, trouble: bool) -> None:
        """Whether the database refuses our writes."""
        if self.unstored != trouble:
            self.unstored = trouble
            self._notify()

    def touch(self) -> None:
        """Something about the turn has changed that is not in its steps."""
        self._notify()

    def finish(self) -> None:
        """All is stored, or given up."""
        self.done = True
        self._notify()

    async def cite(self, sources: Sources) -> Mapping[str, CitationFindings]:
        """Notes of every answer which of its citations hold by their words; those of whole answers, by
        their steps, of which words do not tell all."""
        if not (sources.listed or sources.wanted):
            return {}
        question = self.request.question.text
        doubtful: dict[str, CitationFindings] = {}
        for step in list(self.steps.values()):
            if step.kind in CitationsNote.steps and step.text:
                found = await asyncio.to_thread(sources.checked, step.text, question)
                note = sources.note(found.marks, found.unsourced)
                if note.marks or note.sources:
                    self.apply(StepNoted(step.id, note))
                if found.doubts and step.kind is StepKind.ANSWER:
                    doubtful[step.id] = found
        return doubtful

    # -- storing --------------------------------------------------------------------------------

    def opening(self) -> tuple[StepRecord, ...]:
        """The question and the turn's own step, as stored before the first token is asked for."""
        request = self.request
        question = StepRecord(
            id=request.question.id,
            thread_id=request.thread_id,
            turn_id=request.turn_id,
            type="user_message",
            kind="question",
            name=request.author,
            output=request.question.text,
            created_at=self.started_at,
            ended_at=self.started_at,
            modes={"mode": request.options.mode, "model": request.options.text("model")},
        )
        return question, self.turn_record()

    def changed_steps(self) -> tuple[StepRecord, ...]:
        """The steps that changed since they were last handed out here."""
        changed = [step for step in self.steps.values() if not step.saved]
        for step in changed:
            step.saved = True
        return tuple(self.record(step) for step in changed)

    def unsaved(self, records: Iterable[StepRecord]) -> None:
        """Those steps could not be stored after all."""
        for record in records:
            self.steps[record.id].saved = False

    def settle(
        self, outcome: Outcome, error: Exception | None, calls: tuple[CallRecord, ...]
    ) -> SettledTurn:
        """Ends every step that is still open and returns the whole turn for storage."""
        self.outcome, self.error, self.progress = outcome, error, None
        for step in self.steps.values():
            if step.outcome is Outcome.RUNNING:
                step.outcome = Outcome.FAILED if outcome is Outcome.FAILED else Outcome.STOPPED
                step.ended_at = now()
                step.call = next((call for call in calls if call.step_id == step.id), None)
        if error is not None:
            self._say_error(error)
        elif outcome is Outcome.STOPPED and not self._answers():
            # Else nothing under the question would tell, and there would be no way on.
            self._say(ErrorNote("stopped")).outcome = Outcome.STOPPED
        self._measure(calls)
        titles = (step.notes.get(TitleNote) for step in self.steps.values())
        self.title = next((note.title for note in titles if isinstance(note, TitleNote)), None)
        self.settled = SettledTurn(
            request=self.request,
            outcome=outcome,
            steps=(self.turn_record(), *(self.record(step) for step in self.steps.values())),
            calls=calls,
            title=self.title,
            error=code_of(error) if error else None,
            prompt=self.prompt,
            model=self.model,
            profile=self.profile,
        )
        self._notify()
        return self.settled

    def _say_error(self, error: Exception) -> None:
        self._say(ErrorNote.about(error)).outcome = Outcome.FAILED

    def _say(self, note: Note) -> LiveStep:
        """A line of ours between the messages, as facts; the view has the words."""
        notice = LiveStep(new_id(), StepKind.NOTICE, "Konsilium", self.request.turn_id)
        notice.notes[type(note)] = note
        notice.outcome, notice.ended_at = Outcome.COMPLETED, now()
        self.steps[notice.id] = notice
        return notice

    def _measure(self, calls: tuple[CallRecord, ...]) -> None:
        for step in self.steps.values():
            if step.kind not in (
                StepKind.QUESTION,
                StepKind.NOTICE,
                StepKind.REASONING,
                StepKind.TOOL,
            ):
                self._measured(step)
        if answers := self._answers():
            self._measured(answers[-1], calls)
        for step in self.steps.values():
            self._changed(step)

    def _answers(self) -> list[LiveStep]:
        return [step for step in self.steps.values() if step.kind is StepKind.ANSWER]

    def _measured(self, step: LiveStep, calls: tuple[CallRecord, ...] | None = None) -> None:
        """Notes the numbers of a step; with the turn's `calls`, those of the whole turn."""
        reason, characters = step.finish_reason, sum(map(len, step.chunks))
        numbers = step_metrics(step.outcome, reason, characters, step.call)
        if calls is not None:
            written = [step for step in self.steps.values() if step.call]
            # One that was chosen is told twice, by its own name first.
            names = {one.call.id: one.name for one in reversed(written) if one.call}
            numbers = turn_metrics(numbers, step.call, calls, names, self.prompt, self.profile)
        step.notes[MetricsNote] = numbers

    def turn_record(self) -> StepRecord:
        """The turn's own step, under the question and above all else."""
        return StepRecord(
            id=self.request.turn_id,
            thread_id=self.request.thread_id,
            turn_id=self.request.turn_id,
            parent_id=self.request.question.id,
            type="run",
            kind="turn",
            name="on_message",
            outcome=self.outcome,
            created_at=self.started_at,
            ended_at=None if self.outcome is Outcome.RUNNING else now(),
            is_error=self.outcome is Outcome.FAILED,
            metadata={"language": self.request.language},
        )

    def record(self, step: LiveStep) -> StepRecord:
        """The step as it is now."""
        return StepRecord(
            id=step.id,
            thread_id=self.request.thread_id,
            turn_id=self.request.turn_id,
            parent_id=step.parent_id,
            type=_CHAINLIT_TYPE[step.kind],
            kind=step.kind,
            name=step.name,
            input=step.input,
            output=step.text,
            metadata=step.note,
            outcome=step.outcome,
            created_at=step.created_at,
            ended_at=step.ended_at,
            is_error=step.kind is StepKind.NOTICE and ErrorNote in step.notes,
            open=step.open,
        )
