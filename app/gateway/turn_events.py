"""A running turn retold as the events of one model: the answer as text, all else as reasoning."""

from typing import Any

from app.conversation.state import LiveStep, TurnState
from app.core.events import Finished, ModelEvent, ReasoningDelta, StepKind, TextDelta
from app.core.usage import Outcome, Usage


class TurnEventAdapter:
    """What has become known of a turn since it was last asked, as events of one model."""

    def __init__(self, state: TurnState, *, speakers: bool) -> None:
        self._state = state
        self._speakers = speakers
        """Several participants speak in turn: each under their name."""
        self._said: dict[str, str] = {}
        self._told: set[str] = set()
        self._progress = ""

    def poll(self) -> list[ModelEvent]:
        events: list[ModelEvent] = []
        language = self._state.request.language
        progress = self._state.progress[language] if self._state.progress else ""
        if progress and progress != self._progress:
            events.append(ReasoningDelta(f"{progress}\n"))
        self._progress = progress
        for step in self._state.steps.values():
            if step.kind is StepKind.ANSWER:
                events += self._answer(step)
            elif step.outcome is not Outcome.RUNNING and step.id not in self._told:
                self._told.add(step.id)
                events += self._aside(step)
        return events

    def _aside(self, step: LiveStep) -> list[ModelEvent]:
        if step.kind is StepKind.NOTICE or not (step.text or step.name):
            return []
        if step.kind in (StepKind.CANDIDATE, StepKind.TOOL) or not step.text:
            sign = "✓" if step.outcome is Outcome.COMPLETED else "✗"
            return [ReasoningDelta(f"{step.name} {sign}\n")]
        return [ReasoningDelta(f"**{step.name}**\n{step.text}\n\n")]

    def _answer(self, step: LiveStep) -> list[ModelEvent]:
        text, before = step.text, self._said.get(step.id)
        if before is None:
            if not text:
                return []
            parted = "\n\n" if self._said else ""
            named = f"**{step.name}:** " if self._speakers or self._said else ""
            self._said[step.id] = text
            return [TextDelta(parted + named + text)]
        if text == before:
            return []
        self._said[step.id] = text
        if text.startswith(before):
            return [TextDelta(text[len(before) :])]
        return [TextDelta(f"\n\n{text}")]  # replaced: what was sent cannot be taken back

    def finished(self) -> Finished:
        """The end, with the tokens of all calls."""
        calls = self._state.settled.calls if self._state.settled else ()
        answers = [s for s in self._state.steps.values() if s.kind is StepKind.ANSWER]
        reason = answers[-1].finish_reason if answers else None
        told = told_of(answers[-1]) if answers else {}
        return Finished(
            reason or "stop",
            Usage(
                input_tokens=sum(call.usage.input_tokens or 0 for call in calls),
                output_tokens=sum(call.usage.output_tokens or 0 for call in calls),
            ),
            {"konsilium": told} if told else {},
        )


def told_of(step: LiveStep) -> dict[str, Any]:
    """What programs are given of a step's notes, by their keys."""
    told: dict[str, Any] = {}
    for note in step.notes.values():
        if note.told:
            told |= note.as_json()
    return told
