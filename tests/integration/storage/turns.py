"""Turns to store, without running any."""

from datetime import timedelta
from decimal import Decimal

from app.conversation.state import TurnState
from app.core.events import StepDelta, StepEnded, StepKind, StepStarted
from app.core.models import ModelRef
from app.core.notes import TitleNote
from app.core.options import ChatOptions
from app.core.turns import Question, TurnRequest, new_id, now
from app.core.usage import CallRecord, Cost, Outcome, Purpose, Usage


def a_request(user, text="Hello?", thread="t1", **fields):
    question = fields.pop("question", None) or Question(new_id(), text)
    return TurnRequest(thread, user.id, question, ChatOptions.clean({}, "chat"), **fields)


def a_call(step_id=None, **fields):
    return CallRecord(
        id=new_id(),
        purpose=Purpose.ANSWER,
        model=ModelRef("fake", "model"),
        started_at=now(),
        outcome=Outcome.COMPLETED,
        usage=Usage(input_tokens=10, output_tokens=5),
        cost=Cost(Decimal("0.0000123"), "USD", Decimal("0.00111")),
        step_id=step_id,
        **fields,
    )


async def begin(storage, request):
    """The state of a turn that has begun, and the history it was given."""
    state = TurnState(request)
    return state, (await storage.turns.begin(request, state.opening())).history


async def say(storage, user, text="Hello?", answer="Hi!", thread="t1", title=None, **fields):
    """One whole turn, begun and settled."""
    request = a_request(user, text, thread, **fields)
    state, _ = await begin(storage, request)
    step = new_id()
    notes = (TitleNote(title),) if title else ()
    state.apply(StepStarted(step, StepKind.ANSWER, "model", notes=notes))
    state.apply(StepDelta(step, answer))
    call = a_call(step)
    state.apply(StepEnded(step, call=call))
    settled = state.settle(Outcome.COMPLETED, None, (call,))
    await storage.turns.settle(settled)
    return settled


def said(stored):
    """The words of a thread, in order."""
    return [step.output for step in stored.steps if step.kind != "turn"]


LATER = timedelta(seconds=1)
