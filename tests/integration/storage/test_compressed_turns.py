"""Whole turns over a real database: compressed in the background, told in the chat, kept, undone."""

import math
import random
from dataclasses import replace

import pytest_asyncio
from sqlalchemy import select

from app.conversation.compression.compressor import Compressor
from app.conversation.compression.prompt import CompressingPromptBuilder
from app.conversation.compression.thread import ThreadNotes
from app.conversation.modes import MODES
from app.conversation.tokens import Calibration
from app.conversation.turn import Turns
from app.core.options import ChatOptions
from app.core.turns import Question, TurnRequest, new_id
from app.core.usage import Outcome, Purpose
from app.storage.tables import usage
from tests.dialogues import dialogue, filler, honest, planted_facts
from tests.fakes import ScriptedModels

FACTS = planted_facts()
TALK = dialogue(14, FACTS)


class House:
    """Turns over a store with compression."""

    def __init__(self, storage, user):
        rng = random.Random(2)
        self.storage, self.user = storage, user
        self.models = ScriptedModels(
            {"model": lambda request: filler(rng, 250), "small": honest(FACTS)},
            window=65_536,
            local=False,
        )
        calibration = Calibration(storage.key_values)
        self.compressor = Compressor(
            storage.compressions,
            storage.conversations,
            self.models,
            calibration,
            usage=storage.usage,
            shared=storage.key_values,
            cost_share=math.inf,
        )
        self.notes = ThreadNotes(
            storage.compressions, storage.conversations, self.compressor, calibration
        )
        prompts = CompressingPromptBuilder(storage.compressions, calibration, self.compressor)
        after = (prompts.after_turn, self.compressor.after_turn)
        self.turns = Turns(storage.turns, self.models, prompts, MODES, after)

    async def ask(self, text, **fields):
        values = {"compress_context": True, "summary_model": "small", "model": "model"}
        options = ChatOptions.clean(values, "chat")
        question = fields.pop("question", None) or Question(new_id(), text)
        turn = await self.turns.start(TurnRequest("t1", self.user.id, question, options, **fields))
        state = await turn.wait()
        await self.turns.drain(10)
        await self.compressor.idle()
        return state

    async def steps(self):
        return (await self.storage.threads.contents("t1", self.user.id)).steps


@pytest_asyncio.fixture
async def house(storage, ann):
    made = House(storage, ann)
    yield made
    await made.compressor.aclose()


async def test_a_compressed_turn_says_so_once_and_counts_what_it_spared(house):
    states = [await house.ask(question) for question, _ in TALK[:8]]
    assert [state.outcome for state in states] == [Outcome.COMPLETED] * 8
    notices = [
        step.metadata["compression"] for step in await house.steps() if step.kind == "notice"
    ]
    assert len(notices) == 1
    (notice,) = notices
    assert (notice["from"], notice["to"]) == (1, 10)
    assert notice["after"] < notice["before"] / 5
    assert "<earlier_messages>" in notice["text"]
    answer = list(states[-1].steps.values())[-1]
    metrics = answer.note["metrics"]
    assert metrics["compression"]["to"] == 10
    assert metrics["window"]["size"] == 65_536
    assert metrics["window"]["warning"] is False
    calls = states[-1].settled.calls
    told = metrics["compression"]
    assert calls[0].saved_tokens == told["before"] - told["after"]


async def test_the_summarys_own_call_is_kept_with_the_users_usage(house, storage):
    for question, _ in TALK[:6]:
        await house.ask(question)
    query = select(usage.c.purpose, usage.c.user_id)
    rows = await storage.database.read(lambda c: c.execute(query).all())
    assert rows.count((Purpose.SUMMARY.value, house.user.id)) == 1
    assert rows.count((Purpose.ANSWER.value, house.user.id)) == 6


async def test_originals_stay_and_blocks_survive_a_restart(house, storage):
    for question, _ in TALK[:12]:
        await house.ask(question)
    questions = [step.output for step in await house.steps() if step.kind == "question"]
    assert questions == [question for question, _ in TALK[:12]]
    again = House(storage, house.user)
    state = await again.ask("And what was the size of the cache?")
    prompt = state.prompt
    assert prompt.compression.last == 18
    assert "size of the cache" in prompt.messages[0].text
    assert prompt.compression.news is False


async def test_an_edit_drops_exactly_the_blocks_from_there_on(house):
    for question, _ in TALK[:14]:
        await house.ask(question)
    blocks = await house.notes.blocks("t1")
    assert [(block.first, block.last) for block in blocks] == [(1, 10), (11, 18), (19, 26)]
    history = await house.storage.conversations.history("t1")
    edited = history[20]
    house.models.requests.clear()
    state = await house.ask("Something else.", instead_of=edited.id)
    assert state.prompt.compression.last == 18
    assert [block.last for block in await house.notes.blocks("t1")] == [10, 18]
    assert not [ref for ref, request in house.models.requests if request.purpose is Purpose.SUMMARY]


async def test_blocks_of_a_branch_stand_again_when_it_is_shown_again(house):
    for question, _ in TALK[:14]:
        await house.ask(question)
    asked = (await house.storage.conversations.history("t1"))[20]
    await house.ask("Something else.", instead_of=asked.id)
    for question, _ in TALK[14:19]:
        await house.ask(question)
    here = await house.notes.blocks("t1")
    assert [(block.first, block.last) for block in here][:2] == [(1, 10), (11, 18)]
    await house.storage.conversations.switch("t1", house.user.id, asked.id)
    house.models.requests.clear()
    assert [block.last for block in await house.notes.blocks("t1")] == [10, 18, 26]
    state = await house.ask("And then?")
    assert state.prompt.compression.last == 26
    await house.storage.conversations.switch("t1", house.user.id, state.request.question.id)
    assert not [ref for ref, request in house.models.requests if request.purpose is Purpose.SUMMARY]


async def test_a_pinned_fact_is_in_the_next_prompt_until_it_is_unpinned(house):
    await house.ask("Hello")
    fact = await house.notes.pin("t1", "  The demo is\n on Monday. ")
    state = await house.ask("And?")
    assert state.prompt.system.endswith("- The demo is on Monday.")
    await house.notes.unpin("t1", fact.id)
    state = await house.ask("And now?")
    assert state.prompt.system == ""


async def test_compress_now_shortens_the_next_prompt(house):
    for question, _ in TALK[:4]:
        await house.ask(question)
    options = replace(
        ChatOptions.clean({"summary_model": "small", "model": "model"}, "chat"), mode="chat"
    )
    assert await house.notes.compress("t1", house.user.id, options) == 1
    state = await house.ask("And?")
    assert state.prompt.compression.last == 6


async def test_what_compression_cost_outlives_a_restart_and_goes_with_its_thread(house):
    house.models.scripts["small"] = "nothing useful"
    for question, _ in TALK:
        await house.ask(question)
    again = House(house.storage, house.user)
    costs = await again.compressor.costs("t1")
    assert costs == await house.compressor.costs("t1")
    assert costs.balance < 0
    assert costs.stopped("fake/small")
    options = ChatOptions.clean({"summary_model": "small", "model": "model"}, "chat")
    assert await again.notes.without_model("t1", options) == "fake/small"
    other = ChatOptions.clean({"model": "model"}, "chat")
    assert await again.notes.without_model("t1", other) == ""
    await house.storage.threads.delete("t1", house.user.id)
    await house.storage.threads.purge(user_id=house.user.id, thread_id="t1")
    gone = House(house.storage, house.user)
    assert await gone.notes.without_model("t1", options) == ""
