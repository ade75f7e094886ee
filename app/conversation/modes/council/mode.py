"""The peer council: members answer blind and rank each other without names, a judge reports where they
agree and where not, and the chairman answers from all of it.

    answers -> all the same and short? -> ranking -> report -> answer -> check
                  └ yes: that is the answer

Whatever fails, something is said: a member that is silent is named; a ranking that cannot be read is
dropped; without a report the answer is written from the answers; without a chairman the answer of the
member ranked first stands for it.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from app.conversation import cost
from app.conversation.answer import answer, sampling_of, stream_answer
from app.conversation.language import language_of_text
from app.conversation.limits import deadline_in, passed, timed
from app.conversation.mode import TurnContext
from app.conversation.modes.council import prompts, ranking
from app.conversation.modes.council.agreement import agreed
from app.conversation.modes.council.blind import LETTERS, names_of, neutral, quoted
from app.conversation.modes.council.members import Member, gathered, in_order
from app.conversation.modes.council.notes import (
    BallotNote,
    CouncilReportNote,
    MemberNote,
    MemberResult,
    Peer,
    PeersNote,
    RankingNote,
)
from app.conversation.modes.council.options import OPTIONS
from app.conversation.modes.council.report import AnswerCheck, Report, check_of, report_of
from app.conversation.modes.council.steering import without_steering
from app.conversation.modes.council.texts import findings, table
from app.conversation.steps import StepWriter
from app.conversation.structured import Structure, ask
from app.core.errors import EmptyAnswer, KonsiliumError, LimitReached
from app.core.events import StepKind
from app.core.messages import Message
from app.core.models import Capability, ModelProfile
from app.core.notes import ErrorNote, Note
from app.core.options import Option
from app.core.ports import Call
from app.core.requests import ModelRequest, Sampling
from app.core.text import Language, Text
from app.core.usage import Outcome, Purpose

log = logging.getLogger(__name__)

T = TypeVar("T")

RANKING_TOKENS, REPORT_TOKENS, CHECK_TOKENS = 500, 3000, 600
TYPICAL_ANSWER, TYPICAL_RANKING, TYPICAL_REPORT, TYPICAL_CHECK = 500, 80, 600, 80
"""Tokens that a call may write, and those it mostly does, for the estimate."""
SHARE_OF_WINDOW = 0.6
"""Of a judge's window, for the answers it judges; the question, our words and its own take the rest."""
CHARACTERS_A_TOKEN = 2.5
"""Russian text in common vocabularies; on the safe side for English."""
JUDGE_SECONDS = 180.0
"""For one ranking, and for the check."""


class Council:
    id = "council"
    name = Text(ru="Совет", uk="Рада", en="Council")
    description = Text(
        ru="Несколько моделей отвечают независимо, оценивают друг друга, видно, где они расходятся",
        uk="Кілька моделей відповідають незалежно, оцінюють одна одну, видно, де вони розходяться",
        en="Several models answer independently and rank each other; you see where they disagree",
    )
    icon = "scale"
    options: tuple[Option, ...] = OPTIONS
    notes: tuple[type[Note], ...] = (PeersNote, MemberNote, RankingNote, CouncilReportNote)
    takes_interjections = False

    async def respond(self, turn: TurnContext) -> None:
        await _Council(turn).run()


def foreseen(turn: TurnContext) -> cost.Estimate:
    """About what a council on this turn would take; nothing is asked. Raises as `gathered` does."""
    return _Council(turn).plan()[1]


class _Council:
    """One turn's council."""

    def __init__(self, turn: TurnContext) -> None:
        options = turn.request.options
        self._turn = turn
        self._language: Language = turn.request.language
        self._words: Language = language_of_text(turn.request.question.text, self._language)
        self._question = turn.request.question.text
        self._members = gathered(turn)
        self._most_calls = int(options.number("council_calls"))
        if (
            turn.tools is not None
        ):  # each who goes on must be able to end, and the answer be written
            turn.tools.allowed = lambda: self._left > len(self._members) + 1
        self._deadline = deadline_in(options.number("council_seconds"))
        self._orders = 0
        self._chairman: ModelProfile | None = None
        if named := options.text("council_chairman"):
            self._chairman = turn.models.profile(turn.models.resolve(named))
        self._ballots: list[ranking.Ballot] = []
        self._no_judges: list[Member] = []
        self._points: dict[int, float | None] = {}
        self._report: Report | None = None

    @property
    def _heard(self) -> list[Member]:
        return [member for member in self._members if member.heard]

    @property
    def _best_first(self) -> list[Member]:
        """Those who were heard, by the ranking; without one in their order."""
        by_number = {member.number: member for member in self._heard}
        points = {number: self._points.get(number) for number in by_number}
        return [by_number[number] for number in ranking.ranked(points)]

    async def run(self) -> None:
        """All of it."""
        turn = self._turn
        seats = (Peer(one.name, str(one.model), one.system) for one in self._members)
        text, estimated = self.plan()
        about = PeersNote(tuple(seats), estimated.calls, estimated.tokens, done=0)
        with turn.step(
            StepKind.GROUP, prompts.COUNCIL[self._language], open=True, notes=(about,)
        ) as group:
            group.write(text)
            turn.progress(prompts.ANSWERING)

            async def speak(member: Member) -> None:
                await self._speak(member, group)
                group.note(replace(about, done=sum(one.whole for one in self._members)))

            await in_order(self._members, speak)
            heard = self._heard
            self._orders = self._orders_within(self._left, len(heard))
            same = agreed([member.text for member in heard]) and len(heard) == len(self._members)
            if len(heard) > 2 and not same and self._orders:
                await self._rank(group)
            if len(heard) > 1 and not same and self._left > 1:
                await self._compare(group)
            if not heard:
                group.end(Outcome.FAILED)
        if not heard:
            await self._alone()
        elif same or len(heard) == 1:
            self._repeat(heard[0], same=same)
        else:
            await self._conclude()

    # -- before the start -------------------------------------------------------------------------

    def plan(self) -> tuple[str, cost.Estimate]:
        """Who sits, what it may take; the calls in the order in which they are made."""
        turn, members = self._turn, self._members
        characters = sum(len(message.text) for message in turn.prompt.messages)
        own = turn.prompt.tokens or cost.tokens_in(characters)
        judged = own + cost.INSTRUCTIONS + (len(members) - 1) * TYPICAL_ANSWER
        chairman = self._chairman or members[0].profile
        calls = [cost.PlannedCall(m.profile, own, TYPICAL_ANSWER) for m in members if not m.kept]
        if len(members) > 2:
            rankings = [cost.PlannedCall(m.profile, judged, TYPICAL_RANKING) for m in members]
            calls += rankings * self._orders_within(self._most_calls - len(calls), len(members))
        left = self._most_calls - len(calls)
        if left > 1:
            calls.append(cost.PlannedCall(chairman, judged, TYPICAL_REPORT))
        calls.append(cost.PlannedCall(chairman, judged + TYPICAL_REPORT, TYPICAL_ANSWER))
        if left > 2:
            calls.append(cost.PlannedCall(chairman, judged + TYPICAL_ANSWER, TYPICAL_CHECK))
        estimated = cost.estimate(calls)
        rows = [
            f"- **{member.label}**" + (f" ({model})" if member.name != model else "")
            for member in members
            for model in (member.model.name,)
        ]
        line = cost.said(estimated, self._language, minutes=True)
        return "\n".join(rows) + f"\n\n{line}", estimated

    @property
    def _left(self) -> int:
        """Calls that are still allowed."""
        return self._most_calls - len(self._turn.models.records)

    def _orders_within(self, left: int, count: int) -> int:
        """In how many orders so many members may rank, if report, answer and check are to have a call."""
        return next((orders for orders in (2, 1) if count * orders + 3 <= left), 0)

    def _call(
        self, profile: ModelProfile, deadline: float | None, kept_back: int
    ) -> Callable[[ModelRequest], Call]:
        """Makes the calls of one role, as long as `kept_back` of those allowed are left after it."""

        def call(request: ModelRequest) -> Call:
            if self._left <= kept_back:
                ref = profile.ref
                raise LimitReached("no calls are left", server=ref.server, model=ref.name)
            return timed(self._turn.models.call(profile.ref, request), deadline)

        return call

    # -- answers ----------------------------------------------------------------------------------

    async def _speak(self, member: Member, group: StepWriter) -> None:
        """A member's step. A failure is kept with the member and noted; the others go on."""
        turn = self._turn
        try:
            with turn.step(
                StepKind.MEMBER,
                member.label,
                parent=group,
                step_id=member.step_id,
                open=True,
                notes=(member.note,),
            ) as step:
                if member.kept:
                    step.write(member.text)
                    return
                messages = turn.prompt.messages
                if member.system:
                    messages = (Message.system(member.system), *messages)
                request = turn.ask(
                    _one_system(messages),
                    sampling=member.sampling,
                    purpose=Purpose.MEMBER,
                    step_id=step.id,
                )
                await step.stream(timed(turn.call(member.model, request, step), self._deadline))
                if not step.text.strip():
                    ref = member.model
                    raise EmptyAnswer("not a word", server=ref.server, model=ref.name)
        except KonsiliumError as error:
            member.error = error
            step.note(ErrorNote.about(error))
        member.text = step.text
        member.finish_reason, member.record = step.finish_reason, step.record

    async def _alone(self) -> None:
        """Nobody answered: the conversation's model does, unless it was among them."""
        turn = self._turn
        failed = next((m.error for m in self._members if m.error is not None), None)
        if failed is None or any(member.model == turn.model for member in self._members):
            raise failed or EmptyAnswer("no member said a word")
        names = ", ".join(member.label for member in self._members)
        line = prompts.ALONE[self._language].format(names=names)
        note = self._note("")
        await answer(turn, turn.prompt.messages, notes=(note,), before=f"*{line}*\n\n")

    def _repeat(self, member: Member, *, same: bool) -> None:
        """One answer is all there is: everybody gave it, or nobody else answered."""
        line = prompts.ALL_AGREE[self._language]
        if not same:
            line = prompts.ONLY_ONE[self._language].format(name=member.label)
        note = replace(self._note(""), agreed=same)
        with self._turn.step(
            StepKind.ANSWER, member.model.name, notes=(note,), opening=f"*{line}*\n\n"
        ) as step:
            step.write(member.text.strip() + self._asides())
            step.record, step.finish_reason = member.record, member.finish_reason

    # -- ranking ----------------------------------------------------------------------------------

    async def _rank(self, group: StepWriter) -> None:
        """Everybody who was heard ranks the others; the table grows with the ballots."""
        turn, heard = self._turn, self._heard
        numbers = [member.number for member in heard]
        self._ballots = self._kept_ballots(numbers)
        turn.progress(prompts.JUDGING)
        with turn.step(
            StepKind.GROUP, prompts.RANKING[self._language], parent=group, open=True
        ) as step:

            async def judge(member: Member) -> None:
                if any(ballot.judge == member.number for ballot in self._ballots):
                    return
                if orders := await self._judged(member):
                    self._ballots.append(ranking.Ballot(member.number, orders))
                    notes = (BallotNote(one.judge, one.orders) for one in self._ballots)
                    step.note(RankingNote(tuple(notes)))
                    self._count(numbers)
                    step.replace(table(self._best_first, self._points, self._language))
                else:
                    self._no_judges.append(member)

            await in_order(heard, judge, backwards=True)
            self._count(numbers)
            level = ranking.level(ranking.kendall_w(numbers, self._ballots))
            rows = table(self._best_first, self._points, self._language) if self._ballots else ""
            lines = [rows or prompts.NO_RANKING[self._language]]
            if level:
                lines.append(prompts.AGREE[level][self._language])
            if names := ", ".join(member.label for member in self._no_judges):
                lines.append(prompts.NO_JUDGES[self._language].format(names=names))
            step.replace("\n\n".join(lines))

    def _count(self, numbers: Sequence[int]) -> None:
        self._points = ranking.borda(numbers, self._ballots) if self._ballots else {}

    def _kept_ballots(self, numbers: Sequence[int]) -> list[ranking.Ballot]:
        """The ballots of an earlier try, where they are about these very answers."""
        if not all(member.kept for member in self._heard):
            return []
        kept = []
        for step in self._turn.request.parts:
            note = RankingNote.of(step.metadata)
            for one in note.ballots if note else ():
                others = sorted(set(numbers) - {one.judge})
                if one.judge in numbers and all(sorted(o) == others for o in one.orders):
                    kept.append(ranking.Ballot(one.judge, one.orders))
        return kept

    async def _judged(self, judge: Member) -> tuple[tuple[int, ...], ...]:
        """The judge's orders; those that came to nothing are left out."""
        if passed(self._deadline):
            return ()
        others = {member.number: member for member in self._heard if member is not judge}
        shown = ranking.lettered(judge.number, list(others), self._turn.request.turn_id)
        orders = [shown, shown[::-1]][: self._orders]
        tasks = [self._order(judge, [others[number] for number in order]) for order in orders]
        found = await asyncio.gather(*tasks, return_exceptions=True)
        for outcome in found:
            if isinstance(outcome, KonsiliumError):
                log.info("%s did not rank: %s", judge.model, outcome.detail)
            elif isinstance(outcome, BaseException):
                raise outcome
        return tuple(one for one in found if isinstance(one, tuple))

    async def _order(self, judge: Member, shown: Sequence[Member]) -> tuple[int, ...]:
        """Their numbers, best first, by a judge that is shown them in this order."""
        answers = [(LETTERS[place], self._neutral(member)) for place, member in enumerate(shown)]
        places = await self._asked(
            judge.profile,
            [self._answers(answers, judge.profile), prompts.RANK[self._words]],
            ranking.ranking_of(len(shown)),
            Purpose.RANKING,
            RANKING_TOKENS,
            kept_back=1,
            deadline=_earlier(deadline_in(JUDGE_SECONDS), self._deadline),
        )
        return tuple(shown[place].number for place in places)

    # -- report -----------------------------------------------------------------------------------

    @property
    def _presiding(self) -> ModelProfile:
        """Who reports and writes: whom the person chose, else whom the members ranked first."""
        return self._chairman or self._best_first[0].profile

    async def _compare(self, group: StepWriter) -> None:
        """The report in a step of its own; without one the council does without."""
        turn, profile = self._turn, self._presiding
        turn.progress(prompts.COMPARING)
        self._report = self._kept_report()
        answers = [(member.letter, self._neutral(member)) for member in self._heard]
        given = {member.letter: (member.number, member.text) for member in self._heard}
        with turn.step(StepKind.GROUP, prompts.REPORT_STEP[self._language], parent=group) as step:
            if self._report is not None:
                step.write(findings(self._report, self._members, self._language))
                return
            try:
                self._report = await self._asked(
                    profile,
                    [self._answers(answers, profile), prompts.REPORT[self._words]],
                    report_of(given),
                    Purpose.REPORT,
                    REPORT_TOKENS,
                    kept_back=1,
                )
                step.write(findings(self._report, self._members, self._language))
            except KonsiliumError as error:
                log.info("no report by %s: %s", profile.ref, error.detail)
                step.write(prompts.NO_REPORT[self._language])
                step.end(Outcome.FAILED, error)

    def _kept_report(self) -> Report | None:
        """The report of an earlier try, where it is about these very answers."""
        numbers = {member.number for member in self._heard}
        for step in self._turn.request.parts:
            note = CouncilReportNote.of(step.metadata)
            if note is None or not note.reported or not all(m.kept for m in self._heard):
                continue
            if numbers == {one.number for one in note.members if one.state != "silent"}:
                return Report(
                    note.consensus,
                    note.contradictions,
                    note.partial,
                    note.unique,
                    note.blind_spots,
                    note.dropped_quotes,
                )
        return None

    # -- answer -----------------------------------------------------------------------------------

    async def _conclude(self) -> None:
        """The chairman's answer, and the check of it."""
        turn, profile = self._turn, self._presiding
        turn.progress(prompts.WRITING)
        note = self._note(str(profile.ref))
        presiding = replace(turn, model=profile.ref)
        with turn.step(StepKind.ANSWER, profile.ref.name, notes=(note,), begin=False) as step:
            request = turn.ask(
                self._material(profile),
                sampling=sampling_of(turn.request.options),
                purpose=Purpose.SYNTHESIS,
                step_id=step.id,
            )
            try:
                await stream_answer(presiding, step, request)
            except KonsiliumError as error:
                log.info("chairman %s: %s", profile.ref, error.detail)
                first = self._best_first[0]
                line = prompts.NO_CHAIRMAN[self._language].format(
                    chairman=profile.ref.name, name=first.label
                )
                step.replace(f"*{line}*\n\n{first.text.strip()}")
                step.note(replace(note, chairman=""))
                step.record = first.record
            else:
                note = await self._checked(note, step.text)
                step.note(note)
            step.write(self._asides(note))

    def _material(self, profile: ModelProfile) -> tuple[Message, ...]:
        turn, language = self._turn, self._words
        system = prompts.ANSWER[language]
        if turn.prompt.system:
            system += "\n\n" + prompts.WISHES[language].format(system=turn.prompt.system)
        answers = [(one.letter, without_steering(one.text)[0]) for one in self._heard]
        parts = [turn.prompt.question.text, self._answers(answers, profile, question=False)]
        if self._points:
            order = ", ".join(member.letter for member in self._best_first)
            parts.append(prompts.ORDER[language].format(order=order))
        if self._report is not None:
            found = findings(self._report, self._members, language, letters=True)
            parts.append(f"{prompts.FOUND[language]}\n{found}")
        question = Message.user("\n\n".join(parts), *turn.prompt.question.images)
        return (Message.system(system), *turn.prompt.history, question)

    async def _checked(self, note: CouncilReportNote, text: str) -> CouncilReportNote:
        """The check, by another model than the chairman's where that costs no loading."""
        consensus = self._report.consensus if self._report else ()
        if not consensus or not text.strip():
            return note
        chairman = self._presiding
        others = (m.profile for m in self._best_first if m.model != chairman.ref)
        profile = next((one for one in others if not one.local), chairman)
        self._turn.progress(prompts.CHECKING)
        language = self._words
        points = "\n".join(f"{n}. {point.point}" for n, point in enumerate(consensus, 1))
        answers = [(one.letter, without_steering(one.text)[0]) for one in self._heard]
        try:
            found: AnswerCheck = await self._asked(
                profile,
                [
                    self._answers(answers, profile),
                    f"{prompts.AGREED_POINTS[language]}\n{points}",
                    f"{prompts.FINAL[language]}\n{text}",
                    prompts.CHECK[language],
                ],
                check_of(consensus, text),
                Purpose.CHECK,
                CHECK_TOKENS,
                kept_back=0,
                deadline=deadline_in(JUDGE_SECONDS),
            )
        except KonsiliumError as error:
            log.info("no check by %s: %s", profile.ref, error.detail)
            return replace(note, check="failed")
        clean = not (found.missing or found.unsupported)
        return replace(
            note,
            check="passed" if clean else "found",
            missing=found.missing,
            unsupported=found.unsupported,
        )

    def _asides(self, note: CouncilReportNote | None = None) -> str:
        """Lines of ours under the answer: who is not in it, and what the check found."""
        language = self._language
        lines = [
            words[language].format(names=", ".join(member.label for member in members))
            for words, members in (
                (prompts.SILENT, [m for m in self._members if not m.heard]),
                (prompts.CUT_SHORT, [m for m in self._members if m.cut]),
            )
            if members
        ]
        if note is not None and note.missing:
            points = "; ".join(note.missing)
            lines.append(prompts.MISSING[language].format(points=points))
        if note is not None and note.unsupported:
            claims = "; ".join(f"«{claim}»" for claim in note.unsupported)
            lines.append(prompts.UNSUPPORTED[language].format(claims=claims))
        return "\n\n" + "\n\n".join(f"*{line}*" for line in lines) if lines else ""

    def _note(self, chairman: str) -> CouncilReportNote:
        numbers = [member.number for member in self._heard]
        places = {m.number: place for place, m in enumerate(self._best_first, 1)}
        agreement = ranking.kendall_w(numbers, self._ballots)
        members = tuple(
            MemberResult(
                member.number,
                member.letter,
                member.step_id,
                member.name,
                str(member.model),
                "silent" if not member.heard else "cut" if member.cut else "heard",
                _rounded(self._points.get(member.number)),
                places.get(member.number) if self._points else None,
            )
            for member in self._members
        )
        report = self._report or Report()
        return CouncilReportNote(
            members,
            chairman,
            agreement=_rounded(agreement),
            level=ranking.level(agreement),
            consensus=report.consensus,
            contradictions=report.contradictions,
            partial=report.partial,
            unique=report.unique,
            blind_spots=report.blind_spots,
            dropped_quotes=report.dropped,
            dropped_judges=tuple(member.label for member in self._no_judges),
            steering=tuple(m.label for m in self._heard if without_steering(m.text)[1]),
            reported=self._report is not None,
        )

    # -- asking judges ----------------------------------------------------------------------------

    def _neutral(self, member: Member) -> str:
        if member.for_judges is None:
            names = [n for one in self._members for n in (*names_of(one.model.name), one.name)]
            member.for_judges = neutral(member.text, self._question, names)
        return member.for_judges

    def _answers(
        self, answers: Sequence[tuple[str, str]], profile: ModelProfile, *, question: bool = True
    ) -> str:
        """The question and the answers between tags, cut alike where the window is small."""
        most = None
        if window := profile.widest or profile.window:
            room = window * SHARE_OF_WINDOW * CHARACTERS_A_TOKEN
            if sum(len(text) for _, text in answers) > room:
                most = max(400, int(room / len(answers)))
        asked = f"<question>\n{self._question}\n</question>\n\n" if question else ""
        return asked + quoted(answers, most)

    async def _asked(
        self,
        profile: ModelProfile,
        parts: Sequence[str],
        shape: Structure[T],
        purpose: Purpose,
        tokens: int,
        *,
        kept_back: int,
        deadline: float | None = None,
    ) -> T:
        text = "\n\n".join((*parts, shape.rule(self._words)))
        request = self._turn.ask(
            (Message.user(text),),
            sampling=Sampling(temperature=0.0, max_tokens=tokens),
            think=False if profile.can(Capability.THINKING) else None,
            purpose=purpose,
        )
        call = self._call(profile, deadline, kept_back)
        return await ask(call, profile, request, shape, self._words)


def _one_system(messages: tuple[Message, ...]) -> tuple[Message, ...]:
    """A member's instruction and the person's, as one system text."""
    system = "\n\n".join(m.text for m in messages if m.role == "system" and m.text)
    others = tuple(m for m in messages if m.role != "system")
    return (Message.system(system), *others) if system else others


def _earlier(one: float | None, other: float | None) -> float | None:
    return min((moment for moment in (one, other) if moment is not None), default=None)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
