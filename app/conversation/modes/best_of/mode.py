"""Best of N: several candidates at once, the best one becomes the answer, the person may differ."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, Sequence

from app.conversation.language import language_of_text
from app.conversation.limits import deadline_in
from app.conversation.mode import TurnContext
from app.conversation.modes.best_of import texts
from app.conversation.modes.best_of.candidates import Candidate, candidates, written
from app.conversation.modes.best_of.judge import judged
from app.conversation.modes.best_of.options import OPTIONS
from app.conversation.modes.best_of.selection import Score, forbidden_words, ranked, scored
from app.conversation.sampling import sampling_of
from app.conversation.streams import merged
from app.core.errors import EmptyAnswer, KonsiliumError
from app.core.events import (
    Progress,
    StepDelta,
    StepEnded,
    StepKind,
    StepNoted,
    StepStarted,
    TurnEvent,
)
from app.core.options import Option
from app.core.text import Text
from app.core.turns import new_id
from app.core.usage import Outcome

log = logging.getLogger(__name__)

MAX_CONCURRENT_LOCAL = 2
"""Candidates that one turn runs at a time on a machine of ours: the rest queue, so that others get
their turn between them."""
MAX_CONCURRENT = 5


class BestOf:
    id = "best_of"
    name = Text(ru="Лучший из N", uk="Найкращий з N", en="Best of N")
    description = Text(
        ru="Несколько вариантов ответа, лучший становится ответом",
        uk="Кілька варіантів відповіді, найкращий стає відповіддю",
        en="Several candidate answers, the best becomes the answer",
    )
    icon = "trophy"
    options: tuple[Option, ...] = OPTIONS
    takes_interjections = False

    async def respond(self, turn: TurnContext) -> AsyncGenerator[TurnEvent, None]:
        language = turn.request.language
        options = turn.request.options
        group = StepStarted(new_id(), StepKind.GROUP, texts.GROUP[language], open=True)
        yield group
        contest = candidates(sampling_of(options), int(options.number("best_of_n")) or 3)
        local = turn.models.profile(turn.model).local
        slots = asyncio.Semaphore(MAX_CONCURRENT_LOCAL if local else MAX_CONCURRENT)
        deadline = deadline_in(options.number("best_of_seconds"))
        sources = [written(turn, c, group.step_id, slots, deadline) for c in contest]
        async with contextlib.aclosing(merged(*sources)) as events:
            async for event in events:
                yield event
        if not any(c.text.strip() and c.error is None for c in contest):
            yield StepEnded(group.step_id, Outcome.FAILED)
            raise next((c.error for c in contest if c.error), None) or EmptyAnswer(
                "no candidate said a word", server=turn.model.server, model=turn.model.name
            )
        yield Progress(texts.COMPARING)
        chosen = await _choice(turn, contest)
        for score in chosen.scores:
            yield StepNoted(
                score.candidate.step_id,
                score.facts | {"chosen": score.candidate is chosen.best.candidate},
            )
        yield StepDelta(group.step_id, chosen.said(turn))
        yield StepEnded(group.step_id)
        best = chosen.best.candidate
        answer = StepStarted(new_id(), StepKind.ANSWER, turn.model.name, note=chosen.note)
        yield answer
        yield StepDelta(answer.step_id, best.text)
        if best.title:
            yield StepNoted(answer.step_id, {"title": best.title})
        yield StepEnded(answer.step_id, call=best.call, finish_reason=best.finish_reason)


class _Choice:
    """Which candidate won, by which way of choosing, and why."""

    def __init__(
        self, scores: Sequence[Score], best: Score, by: str, reason: str = "", judge: str = ""
    ) -> None:
        self.scores = scores
        self.best = best
        self.by = by
        self.reason = reason
        self.judge = judge

    @property
    def note(self) -> dict[str, object]:
        """For the answer's step; `candidates` in the order of their numbers."""
        return {
            "best_of": {
                "chosen": self.best.candidate.step_id,
                "by": self.by,
                "reason": self.reason,
                "judge": self.judge,
                "candidates": [
                    {"step_id": s.candidate.step_id, "number": s.candidate.number} | s.facts
                    for s in sorted(self.scores, key=lambda s: s.candidate.number)
                ],
            }
        }

    def said(self, turn: TurnContext) -> str:
        """The outcome as the person reads it."""
        return texts.outcome(self.scores, self.best, self.by, self.reason, turn.request.language)


async def _choice(turn: TurnContext, contest: Sequence[Candidate]) -> _Choice:
    options, question = turn.request.options, turn.request.question.text
    by = options.text("best_of_selector") or "medoid"
    scores = scored(
        contest,
        by,
        question,
        language_of_text(question, turn.request.language),
        forbidden_words(options.text("best_of_forbidden")),
    )
    ranking = ranked(scores)
    if by == "judge" and len(ranking) > 1:
        try:
            verdict = await judged(turn, ranking)
        except KonsiliumError as error:
            log.warning("turn %s: no judge: %s", turn.request.turn_id, error.detail)
            return _Choice(scores, ranking[0], "medoid")
        if not verdict.decided:
            return _Choice(scores, ranking[0], "undecided", judge=str(verdict.model))
        duelled = {s.candidate.number for s in verdict.scores}
        rest = [s for s in scores if s.candidate.number not in duelled]
        return _Choice(
            [*verdict.scores, *rest],
            verdict.scores[0],
            "judge",
            verdict.reason,
            str(verdict.model),
        )
    return _Choice(scores, ranking[0], "medoid" if by == "judge" else by)
