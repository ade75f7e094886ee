"""Consultation: a coordinator answers, and calls specialists where the question needs them.

    request by name ───────────────┐
    gate "always" ─────────────────┤
    question -> plainly simple? -> gate: needed? -> plan -> specialists -> synthesis
                     └ yes            └ no, or no plan, or none answered: a direct answer

docs/decisions/gate-without-waiting.md says how the gate costs no visible wait.
"""

import contextlib
from collections.abc import AsyncGenerator, Mapping
from typing import Any

from app.conversation.answer import answer
from app.conversation.limits import deadline_in
from app.conversation.mode import TurnContext
from app.conversation.modes.consultation import cost, prompts
from app.conversation.modes.consultation.complexity import is_simple
from app.conversation.modes.consultation.options import OPTIONS
from app.conversation.modes.consultation.plan import Plan
from app.conversation.modes.consultation.requested_roles import requested_roles
from app.conversation.modes.consultation.specialists import Opinion, Specialists
from app.conversation.modes.consultation.triage import Triage, plan_of
from app.conversation.streams import Pump, merged
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
from app.core.usage import Outcome, Purpose

Events = AsyncGenerator[TurnEvent, None]


class Consultation:
    id = "consultation"
    name = Text(ru="Консилиум", uk="Консиліум", en="Council")
    description = Text(
        ru="На сложный вопрос отвечают специалисты, итог подводит координатор",
        uk="На складне запитання відповідають спеціалісти, підсумок робить координатор",
        en="Specialists answer a hard question, a coordinator sums up",
    )
    icon = "users"
    options: tuple[Option, ...] = OPTIONS
    takes_interjections = False

    async def respond(self, turn: TurnContext) -> AsyncGenerator[TurnEvent, None]:
        async with contextlib.aclosing(self._path(turn)) as events:
            async for event in events:
                yield event

    def _path(self, turn: TurnContext) -> Events:
        text = turn.request.question.text
        council = Specialists(turn)
        roles = requested_roles(text)[: council.most]
        if roles:
            return _convened(council, "request", roles)
        if turn.request.options.text("consultation_gate") == "always":
            return _convened(council, "always")
        if is_simple(text, bool(turn.prompt.history)):
            return _alone(turn, "rules")
        return _gated(council)


def _alone(turn: TurnContext, by: str) -> Events:
    """A direct answer, with a note of who decided that."""
    note = {"gate": {"need": False, "by": by}}
    return answer(turn, turn.prompt.messages, note=note)


async def _gated(council: Specialists) -> Events:
    """The gate decides, a cloud model's direct answer being begun meanwhile and held back."""
    turn, plan_id = council.turn, new_id()
    yield Progress(prompts.DECIDING)
    async with contextlib.AsyncExitStack() as open_now:
        gate = await open_now.enter_async_context(
            contextlib.aclosing(Triage(council, plan_id, certain=False))
        )
        ahead: Pump[TurnEvent] | None = None
        if not council.profile.local:
            ahead = await open_now.enter_async_context(
                contextlib.aclosing(Pump(_alone(turn, "model")))
            )
        if await gate.need(ahead.ready if ahead else None):
            if ahead is not None:
                await ahead.aclose()
            following = _planned(council, gate, plan_id, "model")
        elif ahead is not None:
            following = ahead.events()  # the gate may finish beside it: then its cost is exact
        else:
            await gate.aclose()
            following = _alone(turn, "model")
        async with contextlib.aclosing(following) as events:
            async for event in events:
                yield event


async def _convened(council: Specialists, by: str, roles: tuple[str, ...] = ()) -> Events:
    """A council that needs no gate: the person wants it."""
    plan_id = new_id()
    async with (
        contextlib.aclosing(Triage(council, plan_id, certain=True, roles=roles)) as gate,
        contextlib.aclosing(_planned(council, gate, plan_id, by, roles)) as events,
    ):
        async for event in events:
            yield event


async def _planned(
    council: Specialists, gate: Triage, plan_id: str, by: str, roles: tuple[str, ...] = ()
) -> Events:
    """The plan's step with the specialists in it, then the answer."""
    language = council.turn.request.language
    yield StepStarted(plan_id, StepKind.PLAN, prompts.PLAN_STEP[language], open=True)
    yield Progress(prompts.CONVENING)
    plan = await gate.plan() or (plan_of(roles) if roles else None)
    if plan is None:
        yield StepDelta(plan_id, prompts.NO_PLAN[language])
        yield StepEnded(plan_id, Outcome.FAILED, gate.record, error=gate.error)
        following = _alone(council.turn, "no_plan")
    else:
        opinions = [Opinion(specialist) for specialist in plan.specialists]
        text, note = _described(council, plan, by, gate.calls)
        yield StepDelta(plan_id, text)
        yield StepNoted(plan_id, {"plan": note})
        async with contextlib.aclosing(_heard(council, plan_id, opinions)) as events:
            async for event in events:
                yield event
        yield StepEnded(plan_id, call=gate.record)
        yield Progress(prompts.SUMMING_UP)
        following = _answered(council, opinions)
    async with contextlib.aclosing(following) as events:
        async for event in events:
            yield event


async def _heard(council: Specialists, plan_id: str, opinions: list[Opinion]) -> Events:
    """All specialists: one after another, each seeing the earlier, or all at once and blind."""
    deadline = deadline_in(council.seconds)
    asked = [
        council.ask(
            opinion,
            plan_id,
            number,
            opinions[:number] if council.sequential else (),
            deadline,
        )
        for number, opinion in enumerate(opinions)
    ]
    if not council.sequential:
        async with contextlib.aclosing(merged(*asked)) as events:
            async for event in events:
                yield event
        return
    for one in asked:
        async with contextlib.aclosing(one) as events:
            async for event in events:
                yield event


def _answered(council: Specialists, opinions: list[Opinion]) -> Events:
    """The synthesis, with a line of ours about those who did not answer; alone if nobody did."""
    language = council.turn.request.language
    silent = [o.specialist.role for o in opinions if not o.heard]
    short = [o.specialist.role for o in opinions if o.heard and o.error]
    note = {
        "council": {
            "heard": [o.specialist.role for o in opinions if o.heard],
            "cut_short": short,
            "failed": silent,
        }
    }
    if len(silent) == len(opinions):
        alone = prompts.ALONE[language].format(roles=", ".join(silent))
        return answer(
            council.turn, council.turn.prompt.messages, note=note, before=f"*{alone}*\n\n"
        )
    lines = [
        words[language].format(roles=", ".join(roles))
        for words, roles in ((prompts.SILENT, silent), (prompts.CUT_SHORT, short))
        if roles
    ]
    return answer(
        council.turn,
        council.synthesis(opinions),
        purpose=Purpose.SYNTHESIS,
        note=note,
        after=f"\n\n*{' '.join(lines)}*" if lines else "",
    )


def _described(
    council: Specialists, plan: Plan, by: str, calls_made: int
) -> tuple[str, Mapping[str, Any]]:
    """The plan as the person reads it before it starts, and as facts."""
    turn, language = council.turn, council.turn.request.language
    models = [council.model_for(specialist) for specialist in plan.specialists]
    characters = sum(len(message.text) for message in turn.prompt.messages)
    estimated = cost.estimate(
        turn.prompt.tokens or cost.tokens_in(characters),
        council.profile,
        [turn.models.profile(model) for model in models],
        sequential=council.sequential,
        answer_limit=council.answer_tokens,
        calls_made=calls_made,
    )
    reason = plan.reason or (prompts.BY_REQUEST[language] if by == "request" else "")
    rows = [
        f"{number}. **{one.role}**"
        + (f" ({model.name})" if model != turn.model else "")
        + (f": {one.question}" if one.question else "")
        for number, (one, model) in enumerate(zip(plan.specialists, models, strict=True), 1)
    ]
    text = "\n\n".join(
        part for part in (reason, "\n".join(rows), cost.said(estimated, language)) if part
    )
    return text, {
        "by": by,
        "order": "sequential" if council.sequential else "parallel",
        "reason": plan.reason,
        "specialists": [
            {"role": one.role, "question": one.question, "model": str(model)}
            for one, model in zip(plan.specialists, models, strict=True)
        ],
        "calls": estimated.calls,
        "tokens": estimated.tokens,
        "money": {c: str(m) for c, m in estimated.money.items()}
        if estimated.money is not None
        else None,
    }
