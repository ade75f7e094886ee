"""What a council leaves in a real database: the candidate that was promoted, a title, a late word."""

import asyncio
from datetime import timedelta

from app.conversation.mode import WholeHistory
from app.conversation.modes import MODES, mode_named
from app.conversation.modes.best_of.promotion import promoted
from app.conversation.turn import Turns
from app.core.options import ChatOptions
from app.core.turns import Question, TurnRequest, new_id
from app.core.usage import Outcome
from tests.fakes import ScriptedModels

THREAD = "t1"


class House:
    """Turns over a store, with scripted models."""

    def __init__(self, storage, user, script):
        self.storage, self.user = storage, user
        self.models = ScriptedModels({"model": script})
        self.turns = Turns(storage.turns, self.models, WholeHistory(), MODES)

    async def start(self, text, mode="chat", **options):
        clean = ChatOptions.clean(options, mode, mode_named(mode).options)
        question = Question(new_id(), text)
        return await self.turns.start(TurnRequest(THREAD, self.user.id, question, clean))

    async def ask(self, text, mode="chat", **options):
        return await (await self.start(text, mode, **options)).wait()

    async def contents(self):
        return await self.storage.threads.contents(THREAD, self.user.id)

    def remembered(self):
        """What the last request had of the conversation."""
        return [message.text for message in self.models.requests[-1][1].messages]


async def test_the_next_turn_remembers_the_candidate_that_was_promoted(storage, ann):
    words = iter(("A cat sleeps.", "A cat sleeps here.", "A dog barks.", "Quite so."))
    house = House(storage, ann, lambda _: next(words))
    await house.ask("Who is there?", "best_of")
    steps = (await house.contents()).steps
    dog = next(s for s in steps if s.kind == "candidate" and "dog" in s.output)
    for step in promoted(steps, dog.id):
        await storage.threads.write_step(step, ann.id)
    await house.ask("Sure?")
    assert house.remembered() == ["Who is there?", "A dog barks.", "Sure?"]
    stored = next(s for s in (await house.contents()).steps if "best_of" in s.metadata)
    assert stored.metadata["best_of"]["by"] == "person"
    assert stored.metadata["best_of"]["instead_of"] != stored.metadata["best_of"]["chosen"]


async def test_the_thread_takes_its_name_from_the_title_of_an_answer(storage, ann):
    house = House(storage, ann, '{"title": "Whales", "message": "They sing."}')
    await house.ask("Tell me of the sea", structured=True)
    assert (await house.contents()).thread.title == "Whales"


async def test_a_word_put_in_before_a_stop_is_kept_for_the_next_turn(storage, ann):
    house = House(storage, ann, ["Trams are", timedelta(seconds=60)])
    turn = await house.start("Trams?", "dialogue")
    while not turn.state.steps:
        await asyncio.sleep(0)
    turn.inbox.interject("And buses?")
    turn.stop()
    assert (await turn.wait()).outcome is Outcome.STOPPED
    said = [(s.kind, s.output) for s in (await house.contents()).steps if s.output]
    assert said == [("question", "Trams?"), ("answer", "Trams are"), ("interjection", "And buses?")]
    house.models.scripts["model"] = "Both."
    await house.ask("So?")
    assert house.remembered() == ["Trams?", "Trams are", "And buses?", "So?"]
