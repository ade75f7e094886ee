"""A question asked before costs no call, one alike is offered, and only whole answers are kept."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from app.completion.caching.cache import AnswerCache
from app.completion.caching.policy import Policies, Policy
from app.completion.caching.serving import PATIENCE_S
from app.conversation.cached import TurnCache
from app.conversation.mode import WholeHistory
from app.conversation.modes import MODES
from app.conversation.turn import Turns
from app.core.errors import ConnectionLost, StorageUnavailable
from app.core.events import Finished, StepKind
from app.core.messages import ImagePart
from app.core.options import ChatOptions
from app.core.turns import Attachment, Question, TurnRequest, new_id
from app.core.usage import Outcome, Purpose, Usage
from tests.answers import MemoryAnswers, MemoryDocuments
from tests.fakes import MemoryStore, Script, ScriptedModels
from tests.waiting import until

WHICH, WHICH_TOO = "Які є факультети в ХДУ?", "Які факультети є в ХДУ?"
HOW_MANY = "Скільки факультетів у ХДУ?"


class House:
    """A chat with a memory."""

    def __init__(self, script="Їх одинадцять.", answers=None, check=None):
        """`check`: what the model says that compares two questions; None: none is asked."""
        self.models = ScriptedModels({"model": script, "other": script, "judge": check or "no"})
        self.answers = answers or MemoryAnswers()
        self.policies = Policies(MemoryDocuments())
        self.memory = TurnCache(
            AnswerCache(self.answers, self.policies, check_model=check and "fake/judge")
        )
        self.store = MemoryStore()
        self.turns = Turns(
            self.store,
            self.models,
            WholeHistory(),
            self.memory.wrap(MODES),
            after=[self.memory.after],
        )

    def request(self, text, *, user="ann", thread=None, attachments=(), fields=None, **options):
        options = {"answer_cache": "near"} | options
        question = Question(new_id(), text, attachments)
        request = TurnRequest(
            thread or new_id(), user, question, ChatOptions.clean(options, "chat"), "uk"
        )
        return replace(request, **(fields or {}))

    async def ask(self, text, **fields):
        return await self.run(self.request(text, **fields))

    async def run(self, request):
        turn = await self.turns.start(request)
        state = await turn.wait()
        await self.turns.drain(5)
        return state

    @property
    def calls(self):
        return len(self.models.requests)


def answer_of(state):
    (answer,) = [s for s in state.steps.values() if s.kind is StepKind.ANSWER]
    return answer


def suggestion_of(state):
    notices = [s for s in state.steps.values() if s.kind is StepKind.NOTICE]
    return notices[0].note["suggestion"] if notices else None


async def test_the_same_question_is_answered_without_a_call():
    house = House()
    first = await house.ask(WHICH)
    again = await house.ask("Які  є факультети в ХДУ? ")
    assert house.calls == 1
    answer = answer_of(again)
    assert answer.text == answer_of(first).text
    assert answer.note["cache"]["kind"] == "exact"
    assert answer.note["cache"]["asked"] == WHICH
    assert answer.note["cache"]["saved_tokens"] == 7
    record = house.store.settled[-1].calls[0]
    assert (record.cache, record.saved_tokens, record.usage.input_tokens) == ("exact", 7, 0)
    assert answer.note["metrics"]["cache"] == "exact"


async def test_in_a_temporary_thread_nothing_is_looked_up_and_nothing_is_kept():
    house = House()

    async def temporary(thread_id: str) -> bool:
        return thread_id == "secret"

    house.memory = TurnCache(house.memory.cache, is_temporary=temporary)
    modes = house.memory.wrap(MODES)
    house.turns = Turns(
        house.store, house.models, WholeHistory(), modes, after=[house.memory.after]
    )
    await house.ask(WHICH, thread="secret")
    await house.ask(WHICH, thread="open")
    assert house.calls == 2
    await house.ask(WHICH, thread="secret")
    assert house.calls == 3
    await house.ask(WHICH, thread="open too")
    assert house.calls == 3


SLOW: Script = [timedelta(seconds=60), "never"]


async def test_a_near_question_is_served_where_a_model_says_yes_both_ways_round():
    house = House(check="Yes.")
    await house.ask(WHICH)
    house.models.scripts["model"] = SLOW
    answer = answer_of(await house.ask(WHICH_TOO))
    assert (answer.note["cache"]["kind"], answer.note["cache"]["asked"]) == ("near", WHICH)
    checks = [r.messages[-1].text for _, r in house.models.requests if r.purpose == "cache_check"]
    assert checks == [f"A: {WHICH}\nB: {WHICH_TOO}", f"A: {WHICH_TOO}\nB: {WHICH}"]
    assert house.models.open == 0
    purposes = [call.purpose for call in house.store.settled[-1].calls]
    assert purposes.count(Purpose.CACHE_CHECK) == 2, "the checks are in the turn's usage"


async def test_a_yes_that_comes_after_the_first_word_is_dropped():
    house = House(check=[timedelta(seconds=60), "yes"])
    await house.ask(WHICH)
    house.models.scripts["model"] = [timedelta(seconds=0.05), "Їх дванадцять."]
    state = await house.ask(WHICH_TOO)
    assert answer_of(state).text == "Їх дванадцять."
    assert suggestion_of(state)["asked"] == WHICH
    assert house.models.open == 0
    assert len(house.answers.entries) == 2, "and the answer is kept all the same"


@pytest.mark.parametrize(
    "question", [HOW_MANY, "Які є факультети не в ХДУ?", "Які є 2 факультети в ХДУ?"]
)
async def test_where_a_guard_objects_no_model_is_asked(question):
    house = House(check="yes")
    await house.ask(WHICH)
    assert "cache" not in answer_of(await house.ask(question)).note
    assert [r.purpose for _, r in house.models.requests if r.purpose == "cache_check"] == []


async def test_without_a_check_model_a_near_question_is_only_offered():
    house = House()
    await house.ask(WHICH)
    state = await house.ask(WHICH_TOO)
    assert suggestion_of(state)["asked"] == WHICH
    assert house.calls == 2


async def test_a_question_alike_is_offered_while_the_model_answers():
    house = House()
    await house.ask(WHICH)
    state = await house.ask(HOW_MANY)
    assert house.calls == 2
    suggestion = suggestion_of(state)
    assert suggestion["kind"] == "suggestion"
    assert suggestion["asked"] == WHICH
    assert "cache" not in answer_of(state).note
    assert house.store.settled[-1].calls[0].cache == "miss"


async def test_a_suggestion_taken_replaces_the_models_answer():
    house = House()
    await house.ask(WHICH)
    request = house.request(HOW_MANY)
    suggestion = suggestion_of(await house.run(request))
    taken = replace(request, turn_id=new_id(), again=True, take_cached=suggestion["entry_id"])
    state = await house.run(taken)
    assert house.calls == 2
    assert answer_of(state).note["cache"]["kind"] == "taken"
    assert house.store.settled[-1].calls[0].cache == "taken"


class BusyAnswers(MemoryAnswers):
    """A database that is busy, longer than a question waits for a hit."""

    async def find(self, entry_id):
        await asyncio.sleep(10 * PATIENCE_S)
        return await super().find(entry_id)


async def test_an_answer_that_a_person_took_is_waited_for_and_no_model_is_asked():
    house = House(answers=BusyAnswers())
    await house.ask(WHICH)
    (entry,) = house.answers.entries.values()
    state = await house.ask(HOW_MANY, fields={"take_cached": entry.id})
    assert house.calls == 1
    assert answer_of(state).note["cache"]["kind"] == "taken"


async def test_anothers_entry_cannot_be_taken():
    house = House()
    await house.ask(WHICH)
    (entry,) = house.answers.entries.values()
    state = await house.ask(HOW_MANY, user="bob", fields={"take_cached": entry.id})
    assert house.calls == 2
    assert "cache" not in answer_of(state).note


@pytest.mark.parametrize("choice", ["off", "exact"])
async def test_the_switch_is_obeyed(choice):
    house = House()
    await house.ask(WHICH)
    await house.ask(WHICH_TOO, answer_cache=choice)
    assert house.calls == 2


async def test_off_keeps_nothing():
    house = House()
    await house.ask(WHICH, answer_cache="off")
    assert house.answers.entries == {}


@pytest.mark.parametrize(
    "other",
    [
        {"user": "bob"},
        {"model": "fake/other"},
        {"temperature": 0.1},
        {"max_tokens": 5},
        {"system_prompt": "Be brief."},
        {"structured": True},
        {"fields": {"language": "ru"}},
    ],
    ids=str,
)
async def test_another_user_model_or_setting_asks_the_model(other):
    for question in (WHICH, WHICH_TOO, HOW_MANY):
        house = House()
        await house.ask(WHICH)
        state = await house.ask(question, **other)
        assert suggestion_of(state) is None
        assert "cache" not in answer_of(state).note
        assert house.calls == 2


async def test_a_shared_cache_serves_all_users():
    house = House()
    await house.policies.change(Policy(shared=True))
    await house.ask(WHICH)
    await house.ask(WHICH, user="bob")
    assert house.calls == 1


async def test_regenerate_asks_the_model_and_replaces():
    house = House()
    request = house.request(WHICH)
    await house.run(request)
    house.models.scripts["model"] = "Їх дванадцять."
    state = await house.run(replace(request, turn_id=new_id(), again=True, bypass_cache=True))
    assert answer_of(state).text == "Їх дванадцять."
    assert answer_of(await house.ask(WHICH)).text == "Їх дванадцять."
    assert house.calls == 2
    assert len(house.answers.entries) == 1


async def test_a_regeneration_that_fails_leaves_nothing_to_serve():
    house = House()
    request = house.request(WHICH)
    await house.run(request)
    house.models.scripts["model"] = ["Їх", ConnectionLost("reset")]
    await house.run(replace(request, turn_id=new_id(), again=True, bypass_cache=True))
    assert house.answers.entries == {}


async def test_an_edited_question_takes_its_old_answer_along():
    house = House()
    request = house.request(WHICH)
    await house.run(request)
    edited = Question(request.question.id, HOW_MANY)
    state = await house.run(replace(request, turn_id=new_id(), again=True, question=edited))
    assert suggestion_of(state) is None
    assert [entry.question for entry in house.answers.entries.values()] == [HOW_MANY]


CUT_OFF = Finished("length", Usage(output_tokens=1))
FILTERED = Finished("content_filter", Usage(output_tokens=1))


@pytest.mark.parametrize(
    "script",
    [
        ["Їх", ConnectionLost("reset", server="fake")],
        ConnectionLost("down", server="fake"),
        ["Їх один", CUT_OFF],
        ["Їх один", FILTERED],
        [""],
        ["   "],
    ],
    ids=["broken", "failed", "cut off", "filtered", "empty", "blank"],
)
async def test_an_answer_that_is_not_whole_is_never_kept(script):
    house = House(script)
    await house.ask(WHICH)
    assert house.answers.entries == {}


async def test_a_stopped_answer_is_never_kept():
    house = House(["Їх", timedelta(seconds=60), " одинадцять."])
    turn = await house.turns.start(house.request(WHICH))
    while not turn.state.steps:
        await asyncio.sleep(0)
    turn.stop()
    assert (await turn.wait()).outcome is Outcome.STOPPED
    await house.turns.drain(5)
    assert house.answers.entries == {}
    assert house.models.open == 0


async def test_a_disliked_answer_is_removed_and_so_is_the_one_that_was_shown():
    house = House()
    state = await house.ask(WHICH)
    await house.memory.cache.dislike(state.request.turn_id)
    assert house.answers.entries == {}
    await house.ask(WHICH)
    shown = await house.ask(WHICH)
    note = answer_of(shown).note["cache"]
    await house.memory.cache.dislike(shown.request.turn_id, note["entry_id"])
    assert house.answers.entries == {}


PICTURE = Attachment("e1", "a.png", "image/png", image=ImagePart(b"\x89", "image/png"))


@pytest.mark.parametrize("file", [Attachment("e1", "a.txt", "text/plain", text="x"), PICTURE])
async def test_a_question_with_a_file_is_neither_kept_nor_answered_from_memory(file):
    house = House()
    await house.ask(WHICH)
    await house.ask(WHICH, attachments=(file,))
    assert house.calls == 2
    await house.ask(HOW_MANY, attachments=(file,))
    assert len(house.answers.entries) == 1


async def test_what_is_bound_to_now_is_not_kept():
    house = House()
    await house.ask("Яка сьогодні погода в Одесі?")
    assert house.answers.entries == {}


async def test_a_later_question_matches_only_in_the_very_same_conversation():
    house = House()
    for thread in ("t1", "t2"):
        await house.ask(WHICH, thread=thread)
    await house.ask(WHICH_TOO, thread="t1")
    assert house.calls == 2, "later in the talk, words alone do not count"
    await house.ask(WHICH_TOO, thread="t2")
    assert house.calls == 2, "the same talk, to the letter, does"
    await house.ask(WHICH_TOO, thread="t1")
    assert house.calls == 3, "the third question has another talk before it"


async def test_a_database_that_fails_is_not_in_the_way():
    house = House()
    house.answers.failing = StorageUnavailable("locked")
    state = await house.ask(WHICH)
    assert answer_of(state).text == "Їх одинадцять."
    assert state.outcome is Outcome.COMPLETED


class SlowAnswers(MemoryAnswers):
    """Looks up only when it is let."""

    def __init__(self):
        super().__init__()
        self.let = asyncio.Event()
        self.let.set()

    async def look_up(self, *args):
        await self.let.wait()
        return await super().look_up(*args)


async def test_a_lookup_that_hangs_keeps_nobody_waiting():
    answers = SlowAnswers()
    house = House(answers=answers)
    await house.ask(WHICH)
    answers.let.clear()
    state = await house.ask(WHICH)
    assert answer_of(state).text == "Їх одинадцять."
    assert house.calls == 2
    assert len(asyncio.all_tasks()) == 1


async def test_a_late_hit_ends_a_call_that_has_said_nothing_yet():
    answers = SlowAnswers()
    house = House(answers=answers)
    await house.ask(WHICH)
    house.models.scripts["model"] = [timedelta(seconds=60), "never"]
    answers.let.clear()
    turn = await house.turns.start(house.request(WHICH))
    await until(lambda: house.calls == 2)
    answers.let.set()
    state = await turn.wait()
    assert answer_of(state).note["cache"]["kind"] == "exact"
    assert house.models.open == 0
    assert [call.cache for call in house.store.settled[-1].calls] == [None, "exact"]


async def test_a_hit_that_comes_after_the_first_words_is_only_offered():
    answers = SlowAnswers()
    house = House(answers=answers)
    await house.ask(WHICH)
    goes_on = asyncio.Event()
    house.models.scripts["model"] = ["Їх", goes_on, " одинадцять."]
    answers.let.clear()
    turn = await house.turns.start(house.request(WHICH))
    await until(lambda: any(step.text for step in turn.state.steps.values()))
    answers.let.set()
    await until(lambda: suggestion_of(turn.state))
    goes_on.set()
    state = await turn.wait()
    assert suggestion_of(state)["asked"] == WHICH
    assert answer_of(state).text == "Їх одинадцять."


async def test_a_stop_during_the_lookup_leaves_nothing_running():
    answers = SlowAnswers()
    house = House(answers=answers)
    answers.let.clear()
    turn = await house.turns.start(house.request(WHICH))
    await asyncio.sleep(0)
    turn.stop()
    assert (await turn.wait()).outcome is Outcome.STOPPED
    await house.turns.drain(5)
    assert len(asyncio.all_tasks()) == 1


async def test_a_process_that_knows_nothing_yet_serves_all_the_same_even_with_the_model_down():
    first = House()
    await first.ask(WHICH)
    for script in ("at once", ConnectionLost("down", server="fake")):
        restarted = House(script, answers=first.answers)
        answer = answer_of(await restarted.ask(WHICH))
        assert answer.note["cache"]["kind"] == "exact"
        assert restarted.models.open == 0
