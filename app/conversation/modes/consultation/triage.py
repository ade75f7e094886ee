"""The coordinator's decision and plan: one call, read while it is being written.

`need` stands first in the JSON, so that "no" is known after a few tokens; after "yes" the same call
goes on to the plan. A local server's call is closed at the "no": the answer needs its place.
"""

import asyncio
from collections.abc import Mapping
from typing import Any

from app.conversation.limits import deadline_in, timed
from app.conversation.modes.consultation import prompts
from app.conversation.modes.consultation.plan import MAX_SPECIALISTS, Plan, as_requested, plan_shape
from app.conversation.modes.consultation.requested_roles import names_anybody
from app.conversation.modes.consultation.specialists import Specialists
from app.conversation.structured import ask
from app.core.concurrency import ended
from app.core.errors import KonsiliumError
from app.core.messages import Message
from app.core.models import GATEWAY_SERVER, Capability
from app.core.ports import Call
from app.core.requests import ModelRequest, Sampling
from app.core.usage import CallRecord, Purpose

GRACE_SECONDS = 1.0
"""How long an answer that is ready waits for a gate that has not decided; then it is a no."""
UNHURRIED_SECONDS = 20.0
"""How long the gate may take where nothing runs beside it: a local model may have to be loaded."""
PLAN_SECONDS = 60.0
WISH_SECONDS = 10.0
"""How long those who were asked for by name wait to be told what to answer; then they are asked the
question itself."""
PLAN_TOKENS = 800
MODELS_SHOWN = 12


class PresetPlan:
    """A plan that the person made: no call takes it."""

    calls = 0
    record: CallRecord | None = None
    error: KonsiliumError | None = None

    def __init__(self, plan: Plan) -> None:
        self._plan = plan

    async def plan(self) -> Plan:
        """Those who were seated."""
        return self._plan


class Triage:
    """Decides and plans in a task of its own. Close it however it ends.

    `roles` are those the person asked for; `certain` skips the question whether there is need.
    """

    def __init__(
        self, specialists: Specialists, step_id: str, *, certain: bool, roles: tuple[str, ...] = ()
    ) -> None:
        self._specialists = specialists
        self._step_id = step_id
        self._certain = certain
        self._roles = roles
        self._calls: list[Call] = []
        self._decided = asyncio.Event()
        self._need = certain
        self.error: KonsiliumError | None = None
        self._task = asyncio.create_task(self._plan())
        self._task.add_done_callback(lambda _: self._decided.set())

    async def need(
        self, answering: asyncio.Task[None] | None = None, ready: asyncio.Event | None = None
    ) -> bool:
        """Whether specialists are needed. Where a direct answer is being written meanwhile, it waits
        a second at most for this decision once it is `ready`, or over."""
        deciding = asyncio.create_task(self._decided.wait())
        waiting = [asyncio.create_task(ready.wait())] if ready is not None else []
        try:
            if answering is None:
                await asyncio.wait({deciding}, timeout=UNHURRIED_SECONDS)
            else:
                await asyncio.wait(
                    {deciding, answering, *waiting}, return_when=asyncio.FIRST_COMPLETED
                )
                await asyncio.wait({deciding}, timeout=GRACE_SECONDS)
        finally:
            await ended([deciding, *waiting])
        return self._decided.is_set() and self._need

    async def plan(self) -> Plan | None:
        """The plan, with exactly those who were asked for by name; None where none could be made, and
        `error` says why. A plan that does not come in time is replaced by the wish itself."""
        named, text = names_anybody(self._roles), self._specialists.turn.request.question.text
        await asyncio.wait([self._task], timeout=WISH_SECONDS if named else None)
        if not self._task.done():
            await self.aclose()
            return as_requested(None, self._roles, text)
        plan = self._task.result()
        if named or (self._roles and plan is None):
            return as_requested(plan, self._roles, text)
        return plan

    async def aclose(self) -> None:
        """Ends the call, if it still runs."""
        await ended([self._task])

    @property
    def calls(self) -> int:
        """How many calls it has made."""
        return len(self._calls)

    @property
    def record(self) -> CallRecord | None:
        """Its last call."""
        return self._calls[-1].record if self._calls else None

    async def _plan(self) -> Plan | None:
        specialists = self._specialists
        most = max(specialists.most, min(len(self._roles), MAX_SPECIALISTS))
        shape = plan_shape(most, bool(self._models()))
        turn = specialists.turn
        instruction = f"{self._instruction()}\n{shape.rule(specialists.language)}"
        question = Message.user(f"{turn.prompt.question.text}\n\n---\n{instruction}")
        request = turn.ask(
            (*turn.prompt.messages[:-1], question),
            sampling=Sampling(temperature=0.0, max_tokens=PLAN_TOKENS),
            think=False if specialists.profile.can(Capability.THINKING) else None,
            purpose=Purpose.GATE,
            step_id=self._step_id,
        )
        try:
            plan = await ask(
                self._call, specialists.profile, request, shape, specialists.language, self._seen
            )
        except KonsiliumError as error:
            self.error = error
            return None
        self._need = self._certain or plan.need
        return plan if plan.specialists else None

    def _call(self, request: ModelRequest) -> Call:
        turn = self._specialists.turn
        call = timed(turn.models.call(turn.model, request), deadline_in(PLAN_SECONDS))
        self._calls.append(call)
        return call

    def _seen(self, fields: Mapping[str, Any]) -> bool:
        if self._certain or not isinstance(fields.get("need"), bool):
            return False
        self._need = fields["need"]
        self._decided.set()
        return not self._need and self._specialists.profile.local

    def _instruction(self) -> str:
        language = self._specialists.language
        plan = prompts.PLAN[language].format(most=self._specialists.most)
        words = (prompts.CONVENE if self._certain else prompts.GATE)[language].format(plan=plan)
        if self._roles:
            words += "\n" + prompts.ASKED_FOR[language].format(roles=", ".join(self._roles))
        if models := self._models():
            words += "\n" + prompts.MODELS[language].format(models=", ".join(models))
        return words

    def _models(self) -> list[str]:
        turn = self._specialists.turn
        if not turn.request.options.on("consultation_any_model"):
            return []
        return [
            str(profile.ref)
            for state in turn.models.states()
            if state.error is None and state.name != GATEWAY_SERVER
            for profile in state.models
            if profile.can(Capability.COMPLETION)
        ][:MODELS_SHOWN]
