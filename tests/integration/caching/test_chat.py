"""The chat's memory over both databases, from the question to the thumb."""

import pytest

from app.completion.caching.cache import AnswerCache
from app.completion.caching.policy import Policies
from app.conversation.cached import TurnCache
from app.conversation.mode import WholeHistory
from app.conversation.modes import MODES
from app.conversation.turn import Turns
from app.core.events import StepKind
from app.core.options import ChatOptions
from app.core.threads import FeedbackRecord
from app.core.turns import Question, TurnRequest, new_id
from tests.fakes import ScriptedModels

WHICH = "Які є факультети в ХДУ?"


async def ask(storage, models, user, text):
    """One turn in a thread and a process of its own; the answer's step."""
    memory = TurnCache(AnswerCache(storage.answers, Policies(storage.key_values)))
    turns = Turns(storage.turns, models, WholeHistory(), memory.wrap(MODES), after=[memory.after])
    options = ChatOptions.clean({"answer_cache": "near"}, "chat")
    request = TurnRequest(new_id(), user.id, Question(new_id(), text), options, "uk")
    state = await (await turns.start(request)).wait()
    await turns.drain(10)
    return request, next(s for s in state.steps.values() if s.kind is StepKind.ANSWER)


@pytest.mark.timing
async def test_asked_again_served_disliked_and_asked_of_the_model(storage, ann, bob):
    models = ScriptedModels({"model": "Їх одинадцять."})
    await ask(storage, models, ann, WHICH)
    await ask(storage, models, bob, "Як варити рис?")
    request, answer = await ask(storage, models, ann, f" {WHICH}")
    assert answer.note["cache"]["kind"] == "exact"
    assert answer.text == "Їх одинадцять."

    await storage.threads.judge(FeedbackRecord(new_id(), request.turn_id, 0), ann.id)
    _, answer = await ask(storage, models, ann, WHICH)
    assert "cache" not in answer.note


async def test_users_do_not_share(storage, ann, bob):
    models = ScriptedModels({"model": "Їх одинадцять."})
    await ask(storage, models, ann, WHICH)
    _, answer = await ask(storage, models, bob, WHICH)
    assert "cache" not in answer.note
    assert len(models.requests) == 2
