"""A turn is stored before it is asked, followed while it runs, and settled however it ends."""

import asyncio
from dataclasses import replace
from datetime import timedelta

from app.conversation.mode import WholeHistory
from app.conversation.modes import MODES
from app.conversation.turn import Turns
from app.core.errors import ConnectionLost, StorageUnavailable
from app.core.events import Finished, ReasoningDelta, StepKind, TextWasThinking
from app.core.models import Capability
from app.core.notes import ErrorNote
from app.core.options import ChatOptions
from app.core.turns import Question, TurnRequest, new_id
from app.core.usage import Outcome, Usage
from tests.fakes import MemoryStore, ScriptedModels
from tests.waiting import until


def a_request(text="Hello?", thread="t1", user="u1", **options):
    return TurnRequest(thread, user, Question(new_id(), text), ChatOptions.clean(options, "chat"))


def turns_over(store, models, **kwargs):
    return Turns(store, models, WholeHistory(), MODES, **kwargs)


async def test_a_plain_turn_is_answered_in_two_transactions():
    store, models = MemoryStore(), ScriptedModels({"model": ["Hel", "lo"]})
    turn = await turns_over(store, models).start(a_request())
    state = await turn.wait()
    assert state.outcome is Outcome.COMPLETED
    assert [s.text for s in state.steps.values()] == ["Hello"]
    assert store.transactions == 2
    assert [s.type for s in store.steps.values()] == ["user_message", "run", "assistant_message"]
    assert store.settled[0].calls[0].usage.output_tokens == 2


async def test_an_answer_that_the_provider_s_filter_ended_says_so_and_keeps_what_it_said():
    stopped = Finished("content_filter", Usage(output_tokens=1))
    store, models = MemoryStore(), ScriptedModels({"model": ["Начало", stopped]})
    turn = await turns_over(store, models).start(a_request())
    state = await turn.wait()
    assert state.outcome is Outcome.FAILED
    said = [step.output for step in store.steps.values() if step.type == "assistant_message"]
    assert "Начало" in said
    assert store.settled[0].calls[0].usage.output_tokens == 1
    assert "content_filtered" in str([step.metadata for step in store.steps.values()])


async def test_the_question_is_stored_before_the_model_is_asked():
    store, models = MemoryStore(), ScriptedModels()
    store.failing = StorageUnavailable("disk full")
    try:
        await turns_over(store, models).start(a_request())
    except StorageUnavailable:
        pass
    else:
        raise AssertionError("the turn began without its question stored")
    assert models.requests == []


async def test_a_start_that_is_cancelled_as_it_is_stored_leaves_a_turn_that_has_ended():
    stored = asyncio.Event()

    class Slow(MemoryStore):
        async def begin(self, request, steps, over=None):
            begun = await super().begin(request, steps)
            await stored.wait()
            return begun

    store = Slow()
    turns = turns_over(store, ScriptedModels())
    starting = asyncio.create_task(turns.start(a_request()))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    starting.cancel()
    await asyncio.wait([starting])
    stored.set()
    await turns.drain(10)
    assert starting.cancelled()
    assert [turn.outcome for turn in store.settled] == [Outcome.STOPPED]
    assert turns.count == 0


async def test_a_cancelled_start_that_could_not_be_stored_leaves_the_thread_free():
    refused = asyncio.Event()

    class Broken(MemoryStore):
        async def begin(self, request, steps, over=None):
            await refused.wait()
            raise LookupError("a fault of the code")

    turns = turns_over(Broken(), ScriptedModels())
    starting = asyncio.create_task(turns.start(a_request()))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    starting.cancel()
    await asyncio.wait([starting])
    refused.set()
    await turns.drain(10)
    assert turns.count == 0


async def test_a_turn_that_is_stopped_before_its_first_word_says_so_and_offers_to_ask_again():
    store, models = MemoryStore(), ScriptedModels({"model": [timedelta(seconds=60), "never"]})
    turn = await turns_over(store, models).start(a_request())
    await turn.prompted.wait()
    turn.stop()
    state = await turn.wait()
    (notice,) = state.steps.values()
    assert (notice.kind, notice.outcome) == (StepKind.NOTICE, Outcome.STOPPED)
    assert notice.notes[ErrorNote] == ErrorNote("stopped")
    assert store.settled[0].error is None, "a person's wish is no failure"


async def test_a_contest_that_is_stopped_before_its_answer_says_so_below_what_was_written():
    store = MemoryStore()
    models = ScriptedModels({"model": ["Begun", timedelta(seconds=60), " never"]})
    asked = replace(a_request(), options=ChatOptions("best_of"))
    turn = await turns_over(store, models).start(asked)
    await until(lambda: any(step.text for step in turn.state.steps.values()))
    turn.stop()
    *written, notice = (await turn.wait()).steps.values()
    assert {step.kind for step in written} == {StepKind.GROUP, StepKind.CANDIDATE}
    assert (notice.kind, notice.notes[ErrorNote]) == (StepKind.NOTICE, ErrorNote("stopped"))


async def test_stop_keeps_what_was_written_and_closes_the_call():
    store = MemoryStore()
    models = ScriptedModels({"model": ["Partial", timedelta(seconds=60), " never"]})
    turns = turns_over(store, models)
    turn = await turns.start(a_request())
    while not turn.state.steps:
        await asyncio.sleep(0)
    turn.stop()
    state = await turn.wait()
    assert state.outcome is Outcome.STOPPED
    assert [(s.text, s.outcome) for s in state.steps.values()] == [("Partial", Outcome.STOPPED)]
    assert store.settled[0].calls[0].outcome is Outcome.STOPPED
    assert models.open == 0
    assert turns.running("t1") is None


async def test_a_break_in_the_middle_keeps_the_partial_answer_and_says_why():
    store = MemoryStore()
    models = ScriptedModels({"model": ["Half", ConnectionLost("reset", server="fake")]})
    state = await (await turns_over(store, models).start(a_request())).wait()
    answer, notice = state.steps.values()
    assert (answer.text, answer.outcome) == ("Half", Outcome.FAILED)
    assert notice.note["error"] == {"code": "connection_lost", "server": "fake"}
    assert store.steps[answer.id].output == "Half"


async def test_thinking_stands_in_a_step_before_the_answer_and_never_goes_back():
    store = MemoryStore()
    models = ScriptedModels({"model": [ReasoningDelta("hmm"), "Yes"]})
    turns = turns_over(store, models)
    state = await (await turns.start(a_request())).wait()
    assert [(s.kind.value, s.text) for s in state.steps.values()] == [
        ("reasoning", "hmm"),
        ("answer", "Yes"),
    ]
    await (await turns.start(a_request("And?"))).wait()
    assert [m.text for m in models.requests[-1][1].messages] == ["Hello?", "Yes", "And?"]


async def test_text_that_turns_out_to_be_thinking_leaves_the_answer_and_never_goes_back():
    store = MemoryStore()
    models = ScriptedModels({"model": ["hm", "m", TextWasThinking(), "Yes"]})
    turns = turns_over(store, models)
    state = await (await turns.start(a_request())).wait()
    assert {(s.kind.value, s.text) for s in state.steps.values()} == {
        ("reasoning", "hmm"),
        ("answer", "Yes"),
    }
    assert {step.output for step in store.steps.values()} >= {"hmm", "Yes"}
    await (await turns.start(a_request("And?"))).wait()
    assert [m.text for m in models.requests[-1][1].messages] == ["Hello?", "Yes", "And?"]


async def test_a_failed_write_at_the_end_is_tried_again_and_said_meanwhile():
    store, models = MemoryStore(), ScriptedModels({"model": ["x", timedelta(seconds=0.05)]})
    turn = await turns_over(store, models, retry_writes_after=(0.05, 0.05)).start(a_request())
    store.failing = StorageUnavailable("locked")
    await until(lambda: turn.state.unstored)
    store.failing = None
    state = await turn.wait()
    assert not state.unstored
    assert len(store.settled) == 1


async def test_a_second_question_in_the_thread_stops_the_first():
    store = MemoryStore()
    models = ScriptedModels({"model": ["a", timedelta(seconds=60)]})
    turns = turns_over(store, models)
    first = await turns.start(a_request())
    await until(lambda: models.open)
    models.scripts["model"] = "b"
    second = await turns.start(a_request("again"))
    assert (await first.wait()).outcome is Outcome.STOPPED
    assert (await second.wait()).outcome is Outcome.COMPLETED


async def test_shutdown_stops_what_runs_and_stores_it():
    store = MemoryStore()
    models = ScriptedModels({"model": ["a", timedelta(seconds=60)]})
    turns = turns_over(store, models)
    await turns.start(a_request())
    await until(lambda: models.open)
    await turns.drain(timeout=0.05)
    assert store.settled[0].outcome is Outcome.STOPPED
    assert turns.count == 0


async def test_a_model_thinks_as_much_as_the_person_chose_if_it_thinks_at_all():
    thinking = frozenset({Capability.COMPLETION, Capability.THINKING})
    for chosen, capabilities, effort in (
        ("auto", thinking, None),
        ("none", thinking, "none"),
        ("low", thinking, "low"),
        ("max", thinking, "high"),  # the most that this one can be told
        ("high", frozenset({Capability.COMPLETION}), None),
    ):
        models = ScriptedModels({"model": ["Hi"]}, capabilities=capabilities)
        turn = await turns_over(MemoryStore(), models).start(a_request(thinking=chosen))
        await turn.wait()
        ((_, request),) = models.requests
        assert (request.extra.get("reasoning_effort"), request.think) == (effort, None)
