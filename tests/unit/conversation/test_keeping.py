"""Only a whole, good answer may be served again: everything that may be wrong with a turn is tried."""

from dataclasses import replace

import pytest

from app.conversation.cached import whole_answer
from app.conversation.mode import WholeHistory
from app.conversation.modes import MODES
from app.conversation.turn import Turns
from app.core.events import StepKind
from app.core.options import ChatOptions
from app.core.turns import Question, SettledTurn, TurnRequest, new_id
from app.core.usage import Outcome
from tests.fakes import MemoryStore, ScriptedModels


async def settled():
    """A turn that went well."""
    found: list[SettledTurn] = []

    async def after(turn):
        found.append(turn)

    models = ScriptedModels({"model": "Їх одинадцять."})
    turns = Turns(MemoryStore(), models, WholeHistory(), MODES, after=[after])
    question = Question(new_id(), "Скільки факультетів?")
    options = ChatOptions.clean({}, "chat")
    turn = await turns.start(TurnRequest(new_id(), "ann", question, options, "uk"))
    await turn.wait()
    await turns.drain(5)
    return found[0]


def with_steps(turn, change):
    run, *below = turn.steps
    return replace(turn, steps=(run, *change(below)))


def with_calls(turn, **fields):
    first, *others = turn.calls
    return replace(turn, calls=(first, *others, replace(first, id=new_id(), **fields)))


def beside(step, **fields):
    """Another step of the same turn."""
    return replace(step, id=new_id(), **fields)


async def test_an_answer_that_went_well_is_whole():
    turn = await settled()
    answer = whole_answer(turn)
    assert answer is not None
    assert answer.output == "Їх одинадцять."


@pytest.mark.parametrize(
    "spoil",
    [
        lambda turn: replace(turn, outcome=Outcome.STOPPED),
        lambda turn: replace(turn, outcome=Outcome.FAILED),
        lambda turn: with_steps(turn, lambda s: [replace(s[0], outcome=Outcome.STOPPED)]),
        lambda turn: with_steps(turn, lambda s: [replace(s[0], output=" \n")]),
        lambda turn: with_steps(turn, lambda s: [replace(s[0], parent_id=new_id())]),
        lambda turn: with_steps(turn, lambda s: [*s, beside(s[0])]),
        lambda turn: with_steps(turn, lambda s: [*s, beside(s[0], kind=StepKind.QUESTION)]),
        lambda turn: with_steps(
            turn, lambda s: [*s, beside(s[0], kind=StepKind.SPECIALIST, outcome=Outcome.FAILED)]
        ),
        lambda turn: with_steps(
            turn, lambda s: [*s, beside(s[0], kind=StepKind.SPECIALIST, is_error=True)]
        ),
        lambda turn: with_calls(turn, outcome=Outcome.FAILED),
        lambda turn: with_calls(turn, outcome=Outcome.STOPPED),
        lambda turn: with_calls(turn, finish_reason="length"),
        lambda turn: with_calls(turn, finish_reason="content_filter"),
        lambda turn: with_calls(turn, finish_reason=None),
        lambda turn: replace(turn, calls=()),
    ],
    ids=[
        "stopped",
        "failed",
        "its step stopped",
        "blank",
        "not the turn's own answer",
        "two answers",
        "words said into it",
        "a specialist failed",
        "a step is an error",
        "a call failed",
        "a call was stopped",
        "cut off",
        "filtered",
        "no end mark",
        "nobody spoke",
    ],
)
async def test_whatever_is_wrong_with_a_turn_keeps_its_answer_from_being_served(spoil):
    assert whole_answer(spoil(await settled())) is None
