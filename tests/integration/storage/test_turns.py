"""Turns are stored whole, make branches, and never reach into another's thread."""

import pytest

from app.core.errors import NotFound
from app.core.events import StepDelta, StepKind, StepStarted
from app.core.messages import ImagePart
from app.core.turns import Attachment, Question, new_id
from app.core.usage import Outcome
from tests.integration.storage.turns import a_request, begin, said, say


async def test_the_question_is_there_before_the_answer(storage, ann):
    await begin(storage, a_request(ann, "What is it?"))
    stored = await storage.threads.contents("t1", ann.id)
    assert [(s.kind, s.output, s.outcome) for s in stored.steps] == [
        ("question", "What is it?", Outcome.COMPLETED),
        ("turn", "", Outcome.RUNNING),
    ]


async def test_a_settled_turn_is_read_back_as_it_was(storage, ann):
    settled = await say(storage, ann, "What is it?", "It is this.")
    stored = await storage.threads.contents("t1", ann.id)
    assert stored.steps[1:] == settled.steps
    assert stored.thread.title == "What is it?"
    assert stored.thread.active_at == settled.steps[0].ended_at


async def test_history_holds_questions_and_answers_in_order(storage, ann):
    await say(storage, ann, "One?", "1")
    await say(storage, ann, "Two?", "2")
    _, history = await begin(storage, a_request(ann, "Three?"))
    assert [(m.role, m.text) for m in history] == [
        ("user", "One?"),
        ("assistant", "1"),
        ("user", "Two?"),
        ("assistant", "2"),
    ]


async def test_checkpoints_grow_a_step(storage, ann):
    state, _ = await begin(storage, a_request(ann))
    state.apply(StepStarted("s", StepKind.ANSWER, "model"))
    for piece in ("Half", " and half"):
        state.apply(StepDelta("s", piece))
        await storage.turns.checkpoint(state.changed_steps())
    step = (await storage.threads.contents("t1", ann.id)).steps[-1]
    assert (step.output, step.outcome) == ("Half and half", Outcome.RUNNING)


async def test_an_edit_stands_beside_the_question_and_takes_nothing(storage, ann):
    first = await say(storage, ann, "One?", "1")
    second = await say(storage, ann, "Two?", "2")
    await say(storage, ann, "Three?", "3")
    asked = second.request.question.id
    _, history = await begin(storage, a_request(ann, "Two, really?", instead_of=asked))
    assert [m.text for m in history] == ["One?", "1"]
    stored = await storage.threads.contents("t1", ann.id)
    assert said(stored) == ["One?", "1", "Two, really?"]
    assert stored.steps[0].id == first.request.question.id
    whole = await storage.threads.contents("t1", ann.id, whole=True)
    assert said(whole) == ["One?", "1", "Two?", "2", "Three?", "3", "Two, really?"]


async def test_attachments_come_back_with_the_history(storage, ann):
    files = (
        Attachment("e1", "a.txt", "text/plain", text="the text"),
        Attachment("e2", "b.png", "image/png", image=ImagePart(b"pixels", "image/png")),
    )
    await say(storage, ann, question=Question(new_id(), "See these", files))
    _, history = await begin(storage, a_request(ann, "And?"))
    assert history[0].attachments == files


async def test_anothers_thread_is_not_found(storage, ann, bob):
    await say(storage, ann)
    with pytest.raises(NotFound):
        await begin(storage, a_request(bob, "Mine?"))
    with pytest.raises(NotFound):
        await storage.threads.contents("t1", bob.id)
