"""What of a finished turn may be served again."""

from collections.abc import Sequence
from decimal import Decimal

from app.completion.caching.cache import Asked
from app.core.caching import CachedAnswer
from app.core.events import StepKind
from app.core.notes import CachedNote, TitleNote
from app.core.turns import SettledTurn, StepRecord
from app.core.usage import Outcome


def served_entry(steps: Sequence[StepRecord]) -> str | None:
    """The id of the cached answer that was shown, where one was."""
    for step in steps:
        if (cached := CachedNote.of(step.metadata)) is not None:
            return cached.entry_id
    return None


def whole_answer(settled: SettledTurn) -> StepRecord | None:
    """The turn's answer, if it is one, complete, and nothing of the turn went wrong.

    None for a turn stopped, failed, cut off by length or a filter, with a failed step or call, with
    several answers, or with words said into it.
    """
    if settled.outcome is not Outcome.COMPLETED or settled.error is not None:
        return None
    below = settled.steps[1:]
    answers = [step for step in below if step.kind is StepKind.ANSWER]
    if len(answers) != 1 or any(step.kind is StepKind.QUESTION for step in below):
        return None
    if any(step.outcome is not Outcome.COMPLETED or step.is_error for step in below):
        return None
    answer = answers[0]
    spoken = [call for call in settled.calls if call.step_id == answer.id]
    if not spoken or answer.parent_id != settled.request.turn_id or not answer.output.strip():
        return None
    complete = all(
        call.outcome is Outcome.COMPLETED and call.finish_reason == "stop" for call in settled.calls
    )
    return answer if complete else None


def entry_of(asked: Asked, answer: StepRecord, settled: SettledTurn) -> CachedAnswer:
    request = settled.request
    tokens = [
        (call.usage.input_tokens or 0) + (call.usage.output_tokens or 0) for call in settled.calls
    ]
    costs = [call.cost.rub for call in settled.calls if call.cost is not None]
    return CachedAnswer(
        scope=asked.scope.key,
        key=asked.key,
        owner=asked.scope.owner,
        question=asked.question,
        answer=answer.output,
        model=str(asked.scope.model),
        title=title.title if (title := TitleNote.of(answer.metadata)) else None,
        tokens=sum(tokens) or None,
        cost_rub=sum(costs, Decimal(0)) if costs else None,
        thread_id=request.thread_id,
        turn_id=request.turn_id,
        question_id=request.question.id,
    )
