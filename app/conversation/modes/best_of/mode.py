"""Best of N: several candidates at once, the best one becomes the answer, the person may differ."""

import asyncio
import logging
from collections.abc import Sequence

from app.conversation.answer import sampling_of
from app.conversation.language import language_of_text
from app.conversation.limits import deadline_in
from app.conversation.mode import TurnContext
from app.conversation.modes.best_of import texts
from app.conversation.modes.best_of.candidates import Candidate, candidates, write_candidate
from app.conversation.modes.best_of.judge import judged, listed
from app.conversation.modes.best_of.notes import BestOfNote, CandidateNote
from app.conversation.modes.best_of.options import OPTIONS
from app.conversation.modes.best_of.selection import CAREFUL, Score, forbidden_words, ranked, scored
from app.core.concurrency import at_once
from app.core.errors import EmptyAnswer, KonsiliumError
from app.core.events import StepKind, StepNoted
from app.core.notes import Note, TitleNote
from app.core.options import Option
from app.core.text import Text

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
    notes: tuple[type[Note], ...] = (BestOfNote, CandidateNote)
    takes_interjections = False

    async def respond(self, turn: TurnContext) -> None:
        options = turn.request.options
        contest = candidates(sampling_of(options), int(options.number("best_of_n")) or 3)
        local = turn.models.profile(turn.model).local
        slots = asyncio.Semaphore(MAX_CONCURRENT_LOCAL if local else MAX_CONCURRENT)
        deadline = deadline_in(options.number("best_of_seconds"))
        with turn.step(StepKind.GROUP, texts.GROUP[turn.request.language], open=True) as group:
            await at_once(*(write_candidate(turn, c, group, slots, deadline) for c in contest))
            if not any(c.text.strip() and c.error is None for c in contest):
                raise next((c.error for c in contest if c.error), None) or EmptyAnswer(
                    "no candidate said a word", server=turn.model.server, model=turn.model.name
                )
            turn.progress(texts.COMPARING)
            chosen = await _choice(turn, contest)
            for score in chosen.scores:
                turn.emit(StepNoted(score.candidate.step_id, score.note(chosen.best)))
            group.write(chosen.said(turn))
        best = chosen.best.candidate
        with turn.step(StepKind.ANSWER, turn.model.name, notes=(chosen.note,)) as answer:
            answer.write(best.text)
            if best.title:
                answer.note(TitleNote(best.title))
            answer.record, answer.finish_reason = best.call, best.finish_reason


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
    def note(self) -> BestOfNote:
        """For the answer's step; candidates in the order of their numbers."""
        scores = sorted((s.told for s in self.scores), key=lambda told: told.number)
        return BestOfNote(
            self.best.candidate.step_id, self.by, self.reason, self.judge, tuple(scores)
        )

    def said(self, turn: TurnContext) -> str:
        """The outcome as the person reads it."""
        return texts.outcome(self.scores, self.best, self.by, self.reason, turn.request.language)


async def _choice(turn: TurnContext, contest: Sequence[Candidate]) -> _Choice:
    options, question = turn.request.options, turn.request.question.text
    by = options.text("best_of_selector") or CAREFUL
    scores = scored(
        contest,
        by,
        question,
        language_of_text(question, turn.request.language),
        forbidden_words(options.text("best_of_forbidden")),
    )
    ranking = ranked(scores)
    if by in ("judge", "listwise") and len(ranking) > 1:
        try:
            verdict = await (judged if by == "judge" else listed)(turn, ranking)
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
            by,
            verdict.reason,
            str(verdict.model),
        )
    return _Choice(scores, ranking[0], "medoid" if by in ("judge", "listwise") else by)
