"""Consultation: a coordinator answers, and calls specialists where the question needs them.

    request by name, or seated ──────┐
    "always" ────────────────────────┤
    question -> plainly simple? -> triage: needed? -> plan -> specialists -> synthesis
                     └ yes            └ no, or no plan, or none answered: a direct answer

docs/decisions/gate-without-waiting.md says how triage costs no visible wait.
"""

import asyncio
import contextlib
from collections.abc import Iterator

from app.conversation import cost
from app.conversation.answer import answer
from app.conversation.limits import deadline_in
from app.conversation.mode import TurnContext
from app.conversation.modes.consultation import prompts
from app.conversation.modes.consultation.complexity import is_simple
from app.conversation.modes.consultation.notes import (
    CouncilNote,
    PlannedSpecialist,
    PlanNote,
    SpecialistNote,
    TriageNote,
)
from app.conversation.modes.consultation.offer import OfferNote, offered
from app.conversation.modes.consultation.options import OPTIONS
from app.conversation.modes.consultation.plan import Plan
from app.conversation.modes.consultation.requested_roles import (
    all_requested_roles,
    speaks_of_people,
    wants_nobody,
)
from app.conversation.modes.consultation.specialists import Opinion, Specialists
from app.conversation.modes.consultation.triage import PresetPlan, Triage
from app.conversation.steps import StepWriter
from app.core.concurrency import at_once, ended
from app.core.events import StepKind
from app.core.models import ModelProfile
from app.core.notes import Note
from app.core.options import Option
from app.core.text import Text
from app.core.turns import new_id
from app.core.usage import Outcome, Purpose

TYPICAL_ANSWER = 400
"""Tokens of a specialist's answer, if the limit is not lower."""
TYPICAL_PLAN, TYPICAL_SYNTHESIS = 150, 600


class Consultation:
    id = "consultation"
    name = Text(ru="Консилиум специалистов", uk="Консиліум фахівців", en="Specialists")
    description = Text(
        ru="На сложный вопрос отвечают специалисты, итог подводит координатор",
        uk="На складне запитання відповідають фахівці, підсумок робить координатор",
        en="Specialists answer a hard question, a coordinator sums up",
    )
    icon = "users"
    options: tuple[Option, ...] = OPTIONS
    notes: tuple[type[Note], ...] = (
        TriageNote,
        CouncilNote,
        PlanNote,
        SpecialistNote,
        OfferNote,
    )
    takes_interjections = False

    async def respond(self, turn: TurnContext) -> None:
        text = turn.request.question.text
        specialists = Specialists(turn)
        if wants_nobody(text):
            await _alone(turn, "rules", offer=False)
        elif roles := all_requested_roles(text):
            await _convened(specialists, "request", roles)
        elif seated := specialists.seated():
            await _planned(specialists, PresetPlan(seated), new_id(), "request")
        elif turn.request.options.text("consultation_gate") == "always":
            await _convened(specialists, "always")
        elif is_simple(text, bool(turn.prompt.history)) and not speaks_of_people(text):
            await _alone(turn, "rules")
        else:
            await _triaged(specialists)


async def _alone(turn: TurnContext, by: str, *, offer: bool = True) -> None:
    """A direct answer, with a note of who decided that, and the offer of another way where there is one."""
    notes = (TriageNote(False, by), *(offered(turn) if offer else ()))
    await answer(turn, turn.prompt.messages, notes=notes)


async def _triaged(specialists: Specialists) -> None:
    """The model decides, a cloud model's direct answer being begun meanwhile and held back."""
    turn, plan_id = specialists.turn, new_id()
    turn.progress(prompts.DECIDING)
    async with contextlib.aclosing(Triage(specialists, plan_id, certain=False)) as triage:
        if specialists.profile.local:
            if await triage.need():
                await _planned(specialists, triage, plan_id, "model")
            else:
                await triage.aclose()
                await _alone(turn, "model")
            return
        ahead, writing = turn.held()
        answering = asyncio.create_task(_alone(ahead, "model"))
        try:
            needed = await triage.need(answering, writing.ready)
            if not needed:  # the triage may finish beside it: then its cost is exact
                writing.release()
                await answering
        finally:
            await ended([answering])
        if needed:
            await _planned(specialists, triage, plan_id, "model")


async def _convened(specialists: Specialists, by: str, roles: tuple[str, ...] = ()) -> None:
    """A council that needs no triage: the person wants it."""
    plan_id = new_id()
    async with contextlib.aclosing(
        Triage(specialists, plan_id, certain=True, roles=roles)
    ) as triage:
        await _planned(specialists, triage, plan_id, by)


async def _planned(
    specialists: Specialists, triage: Triage | PresetPlan, plan_id: str, by: str
) -> None:
    """The plan's step with the specialists in it, then the answer."""
    turn, language = specialists.turn, specialists.turn.request.language
    opinions: list[Opinion] = []
    with turn.step(StepKind.PLAN, prompts.PLAN_STEP[language], step_id=plan_id, open=True) as step:
        turn.progress(prompts.CONVENING)
        plan = await triage.plan()
        if plan is None:
            step.write(prompts.NO_PLAN[language])
            step.record = triage.record
            step.end(Outcome.FAILED, triage.error)
        else:
            opinions = [Opinion(specialist) for specialist in plan.specialists]
            text, note = _described(specialists, plan, by, triage.calls)
            step.write(text)
            step.note(note)
            await _hear(specialists, step, opinions)
            step.record = triage.record
    if plan is None:
        await _alone(turn, "no_plan")
    else:
        turn.progress(prompts.SUMMING_UP)
        await _sum_up(specialists, opinions)


async def _hear(specialists: Specialists, plan: StepWriter, opinions: list[Opinion]) -> None:
    """All specialists: one after another, each seeing the earlier, or all at once and blind."""
    deadline = deadline_in(specialists.seconds)
    if specialists.sequential:
        for number, opinion in enumerate(opinions):
            await specialists.ask(opinion, plan, number, opinions[:number], deadline)
    else:
        await at_once(
            *(
                specialists.ask(opinion, plan, number, (), deadline)
                for number, opinion in enumerate(opinions)
            )
        )


async def _sum_up(specialists: Specialists, opinions: list[Opinion]) -> None:
    """The synthesis, with a line of ours about those who did not answer; alone if nobody did."""
    turn, language = specialists.turn, specialists.turn.request.language
    silent = [o.specialist.role for o in opinions if not o.heard]
    short = [o.specialist.role for o in opinions if o.heard and o.error]
    heard = tuple(o.specialist.role for o in opinions if o.heard)
    notes = (CouncilNote(heard, tuple(short), tuple(silent)),)
    if len(silent) == len(opinions):
        alone = prompts.ALONE[language].format(roles=", ".join(silent))
        await answer(turn, turn.prompt.messages, notes=notes, before=f"*{alone}*\n\n")
        return
    lines = [
        words[language].format(roles=", ".join(roles))
        for words, roles in ((prompts.SILENT, silent), (prompts.CUT_SHORT, short))
        if roles
    ]
    await answer(
        turn,
        specialists.synthesis(opinions),
        purpose=Purpose.SYNTHESIS,
        notes=notes,
        after=f"\n\n*{' '.join(lines)}*" if lines else "",
    )


def _described(
    specialists: Specialists, plan: Plan, by: str, calls_made: int
) -> tuple[str, PlanNote]:
    """The plan as the person reads it before it starts, and as facts."""
    turn, language = specialists.turn, specialists.turn.request.language
    models = [specialists.model_for(specialist) for specialist in plan.specialists]
    characters = sum(len(message.text) for message in turn.prompt.messages)
    estimated = cost.estimate(
        _calls(
            turn.prompt.tokens or cost.tokens_in(characters),
            specialists,
            [turn.models.profile(model) for model in models],
            triage_calls=calls_made,
        )
    )
    reason = plan.reason or (prompts.BY_REQUEST[language] if by == "request" else "")
    if plan.left_out:
        left_out = prompts.NO_ROOM[language].format(roles=", ".join(plan.left_out))
        reason = f"{reason} {left_out}".strip()
    rows = [
        f"{number}. **{one.role}**"
        + (f" ({model.name})" if model != turn.model else "")
        + (f": {one.question}" if one.question else "")
        for number, (one, model) in enumerate(zip(plan.specialists, models, strict=True), 1)
    ]
    text = "\n\n".join(
        part for part in (reason, "\n".join(rows), cost.said(estimated, language)) if part
    )
    return text, PlanNote(
        by=by,
        order="sequential" if specialists.sequential else "parallel",
        reason=plan.reason,
        specialists=tuple(
            PlannedSpecialist(one.role, one.question, str(model))
            for one, model in zip(plan.specialists, models, strict=True)
        ),
        calls=estimated.calls,
        tokens=estimated.tokens,
        money=estimated.money,
    )


def _calls(
    prompt_tokens: int,
    council: Specialists,
    profiles: list[ModelProfile],
    *,
    triage_calls: int,
) -> Iterator[cost.PlannedCall]:
    """The planning so far, the specialists, the synthesis."""
    own = prompt_tokens + cost.INSTRUCTIONS
    answer = min(council.answer_tokens or TYPICAL_ANSWER, TYPICAL_ANSWER)
    for _ in range(triage_calls):
        yield cost.PlannedCall(council.profile, own, TYPICAL_PLAN)
    for number, profile in enumerate(profiles):
        seen = number * answer if council.sequential else 0
        yield cost.PlannedCall(profile, own + seen, answer)
    yield cost.PlannedCall(council.profile, own + len(profiles) * answer, TYPICAL_SYNTHESIS)
