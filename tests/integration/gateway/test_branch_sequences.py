"""Whatever is done in whatever order, no stored step is ever gone, and the screen, the API, the database
and the model's prompt show the same branch."""

import asyncio
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from sqlalchemy import select

from app.conversation.export import as_json, as_markdown
from app.conversation.histories import imported
from app.conversation.history_formats import read_histories
from app.conversation.modes import mode_named
from app.conversation.modes.best_of.promotion import promoted
from app.core.options import ChatOptions
from app.core.threads import copied
from app.core.turns import Question, TurnRequest, new_id
from app.storage.history_import import HistoryImporter
from app.storage.tables import cached_answers
from app.view.chainlit.data_layer import DataLayer
from app.view.chainlit.identity import Identity, identity
from tests.integration.gateway.test_rest import open_house
from tests.waiting import until

NOTES = "notes"
"""A model that writes the notes of a compression."""
SLOW = "gpu/len-3000+paced-10ms"
BREAKS = "gpu/error-after-3+len-20"
HOUSE: dict[str, Any] = {}
ANY = st.integers(0, 1000)
FILLER = " word" * 150
"""So many that a compression is worth its while."""
COMPRESSED = {"compress_context": True, "summary_model": f"gpu/{NOTES}"}


@pytest.fixture(scope="module", autouse=True)
def house(tmp_path_factory):
    with asyncio.Runner() as runner:
        opening = open_house(tmp_path_factory.mktemp("branches"))
        house = runner.run(opening.__aenter__())
        house.simulator.set_models([*house.simulator.models, NOTES])
        runner.run(house.application.servers.catalogue.refresh())
        user = runner.run(house.application.people.local())
        bob = runner.run(house.application.storage.users.add("bob"))
        HOUSE.update(run=runner.run, house=house, user=user, bob=bob, noted=0)
        yield
        assert HOUSE["noted"], "no prompt had notes in the place of messages"
        runner.run(opening.__aexit__(None, None, None))
        HOUSE.clear()


def words_of(stored):
    spoken = (s for s in stored.steps if s.kind in ("question", "answer"))
    return [s.output for s in spoken if s.output]


class Conversation(RuleBasedStateMachine):
    """Beside the real thread a plain list of what was said: (question id, text, turn id, parent turn)."""

    def __init__(self) -> None:
        super().__init__()
        self.run = HOUSE["run"]
        self.house, self.user = HOUSE["house"], HOUSE["user"]
        self.app = self.house.application
        self.layer = DataLayer(self.app.people, self.app.storage.threads, self.app.storage.elements)
        self.thread = new_id()
        self.turns: dict[str, tuple[str, str, str | None]] = {}
        """Turn -> its question's id and text, and the turn that this follows."""
        self.path: list[str] = []
        self.steps = 0
        self.asked = False
        """Whether the last turn asked a model."""

    def ask(
        self,
        question=None,
        model="gpu/echo",
        stop=False,
        parent=None,
        choices=None,
        served=False,
        **fields,
    ):
        question = question or Question(new_id(), f"question <{len(self.turns)}>{FILLER}")
        chosen = {"model": model, "answer_cache": "off", "mode": "chat", **(choices or {})}
        mode = mode_named(chosen["mode"])
        options = ChatOptions.clean(chosen, mode.id, mode.options)
        request = TurnRequest(self.thread, self.user.id, question, options, **fields)
        self.house.simulator.forget()

        async def turn():
            running = await self.app.conversation.turns.start(request)
            if stop:
                await until(lambda: running.state.steps)
                running.stop()
            await running.wait()

        self.run(turn())
        self.run(self.app.conversation.compressor.idle())
        self.turns[request.turn_id] = (question.id, question.text, parent)
        before = self.path[: self.path.index(parent) + 1] if parent else []
        bodies = self.house.simulator.bodies("/v1/chat/completions")
        asked = [body["messages"] for body in bodies if body["model"] != NOTES]
        self.asked = bool(asked)
        assert served is None or self.asked is not served
        said = [self.turns[one][1] for one in before] + [question.text]
        for messages in asked:
            self.check_prompt(messages, said, whole=not options.on("compress_context"))
        self.path = [*before, request.turn_id]
        return request.turn_id

    def check_prompt(self, messages, said, *, whole):
        """The questions of the branch and of no other; of a compressed one the last, and notes of the rest."""
        questions = [m["content"] for m in messages if m["role"] == "user"]
        asked = [text for text in questions if text in said]
        assert asked == said[len(said) - len(asked) :]
        assert questions == asked or not whole
        assert len(asked) == len(said) or not whole
        elsewhere = {text for _, text, _ in self.turns.values()} - set(said)
        told = "\n".join(m["content"] for m in messages)
        assert not [text for text in elsewhere if text.removesuffix(FILLER) in told]
        HOUSE["noted"] += len(asked) < len(said)

    def any_turn(self, number, of=None):
        among = list(of if of is not None else self.path)
        return among[number % len(among)]

    @initialize()
    def begin(self):
        self.ask()
        self.check()

    @rule(model=st.sampled_from(["gpu/echo", "gpu/echo", BREAKS]), compresses=st.booleans())
    def went_on(self, model, compresses):
        self.ask(parent=self.path[-1], model=model, choices=COMPRESSED if compresses else None)
        self.check()

    @rule()
    def stopped(self):
        self.ask(parent=self.path[-1], model=SLOW, stop=True)
        self.check()

    @rule(number=ANY)
    def edited(self, number):
        question, _, parent = self.turns[self.any_turn(number)]
        self.ask(instead_of=question, parent=parent)
        self.check()

    @rule(number=ANY, model=st.sampled_from(["gpu/echo", BREAKS]))
    def regenerated(self, number, model):
        question, text, parent = self.turns[self.any_turn(number)]
        """Another answer; where the last one failed, this is the retry."""
        self.ask(
            Question(question, text), again=True, bypass_cache=True, parent=parent, model=model
        )
        self.check()

    @rule(number=ANY)
    def followed(self, number):
        """A question after any turn of the branch that is shown."""
        turn = self.any_turn(number)
        self.ask(after=turn, parent=turn)
        self.check()

    @precondition(lambda self: len(self.turns) > len(self.path))
    @rule(number=ANY)
    def switched(self, number):
        turn = self.any_turn(number, self.turns)
        before = [step["id"] for step in self.run(self.screen())["steps"]]
        conversations = self.app.storage.conversations
        switched = self.run(conversations.switch(self.thread, self.user.id, turn))
        part = self.run(self.screen(switched.first))
        kept = before[: before.index(switched.cut)]
        after = [step["id"] for step in self.run(self.screen())["steps"]]
        assert kept + [step["id"] for step in part["steps"]] == after, (
            "not what the page makes of it"
        )
        near = self.run(
            self.screen(near=switched.near)
        )  # what it shows before all of that is there
        assert near["steps"] == part["steps"][: len(near["steps"])]
        assert (near["steps"] == part["steps"]) is switched.whole
        assert all(card in part["elements"] for card in near["elements"])
        of_near = {step["id"] for step in near["steps"]}
        assert len(near["elements"]) == sum(e["forId"] in of_near for e in part["elements"])
        stored = self.run(self.app.storage.threads.contents(self.thread, self.user.id))
        self.path = [id for id in stored.path if id in self.turns]
        assert turn in self.path
        last = self.path[-1]
        assert all(parent != last for _, _, parent in self.turns.values()), "not to the end"
        for one, parent in zip(self.path, [None, *self.path], strict=False):
            assert self.turns[one][2] == parent
        self.check()

    @rule()
    def compressed(self):
        """The next question goes out with notes of those before it."""
        while len(self.path) < 3:
            self.ask(parent=self.path[-1])
        options = ChatOptions.clean({"model": "gpu/echo", **COMPRESSED}, "chat")
        self.run(self.app.conversation.notes.compress(self.thread, self.user.id, options))
        self.check()
        self.ask(parent=self.path[-1], choices=COMPRESSED)
        self.check()

    @rule()
    def contested(self):
        self.ask(parent=self.path[-1], choices={"mode": "best_of", "best_of_n": 2})
        self.check()

    def candidates(self):
        stored = self.run(self.app.storage.threads.contents(self.thread, self.user.id))
        return [
            step
            for step in stored.steps
            if step.kind == "candidate" and not step.metadata.get("chosen")
        ]

    @precondition(lambda self: self.candidates())
    @rule(number=ANY)
    def promoted(self, number):
        """A candidate of a contest on the path becomes the answer, in a turn beside the first."""
        among = self.candidates()
        candidate = among[number % len(among)]
        stored = self.run(self.app.storage.threads.contents(self.thread, self.user.id))
        anew = {step.id: step for step in promoted(stored.steps, candidate.id)}
        steps = [s for s in stored.steps if s.turn_id == candidate.turn_id and s.kind != "question"]
        turn = copied([anew.get(step.id, step) for step in steps], self.thread)
        self.run(self.app.storage.conversations.add_turn(self.user.id, turn))
        self.turns[turn[0].id] = self.turns[candidate.turn_id]
        self.path = [*self.path[: self.path.index(candidate.turn_id)], turn[0].id]
        self.check()

    @rule()
    def taken_from_the_cache(self):
        """The same beginning twice: the second is served, and its answer taken once more by the person."""
        exact = {"answer_cache": "exact"}
        words = f"Why is the sky blue? {len(self.turns)} {self.thread}"
        turns = [self.ask(Question(new_id(), words), after="", choices=exact)]
        self.check()
        read = self.app.storage.database.read
        kept = select(cached_answers.c.id).where(cached_answers.c.turn_id.in_(turns))
        self.run(until(lambda: read(lambda connection: connection.scalar(kept))))
        while True:
            question = Question(new_id(), words)
            turns.append(self.ask(question, after="", choices=exact, served=None))
            self.check()
            if not self.asked:  # a busy machine may look for longer than a question waits
                break
        kept = select(cached_answers.c.id).where(cached_answers.c.turn_id.in_(turns))
        entry = self.run(read(lambda connection: connection.scalar(kept)))
        self.ask(question, again=True, take_cached=entry, choices=exact, served=True)
        self.check()

    @rule()
    def taken_along_and_brought_to_another(self):
        """The export holds every branch, and arrives at another's with the same words on the same path;
        what is brought to oneself again is known."""
        threads = self.app.storage.threads
        whole = self.run(threads.contents(self.thread, self.user.id, whole=True))
        shown = self.run(threads.contents(self.thread, self.user.id))
        written = as_markdown(shown, "en")
        for step in shown.steps:
            if step.kind == "question":
                assert step.output in written
        document = json.loads(as_json(whole))
        assert {step["id"] for step in document["steps"]} == {step.id for step in whole.steps}
        bob = HOUSE["bob"]
        [arriving] = read_histories(document)
        brought = imported(arriving, bob.id, "Bob")
        importer = HistoryImporter(self.app.storage.database)
        self.run(importer.keep(bob.id, brought))
        assert self.run(importer.keep(bob.id, brought)) == "known"
        for branch, all_branches in ((shown, False), (whole, True)):
            theirs = self.run(threads.contents(brought.id, bob.id, whole=all_branches))
            assert sorted(words_of(theirs)) == sorted(words_of(branch))
            assert all_branches or words_of(theirs) == words_of(branch)
        own = imported(arriving, self.user.id, "")
        assert self.run(importer.keep(self.user.id, own)) == "known"
        self.check()

    @rule()
    def deleted_and_restored(self):
        threads = self.app.storage.threads
        self.run(threads.delete(self.thread, self.user.id))
        assert self.run(self.layer.get_thread(self.thread)) is None
        self.run(threads.restore(self.thread, self.user.id))
        self.check()

    @rule(number=ANY)
    def forked(self, number):
        """What was said up to there goes on elsewhere; here nothing changes."""
        turn = self.any_turn(number)
        made = self.run(self.app.storage.conversations.fork(self.user.id, self.thread, turn))
        copied = self.run(self.app.storage.conversations.history(made))
        here = self.run(self.app.storage.conversations.history(self.thread))
        assert [m.text for m in copied] == [m.text for m in here][: len(copied)]
        self.check()

    async def screen(self, first=None, near=()):
        identity.set(Identity(self.user.id, self.user.identifier))
        thread = await self.layer.get_thread(self.thread, first, near)
        assert thread is not None
        return thread

    def check(self):
        run = self.run
        threads = self.app.storage.threads
        whole = run(threads.contents(self.thread, self.user.id, whole=True))
        assert len(whole.steps) >= self.steps, "a step is gone"
        self.steps = len(whole.steps)
        assert {s.id for s in whole.steps if s.kind == "turn"} == set(self.turns)
        stored = run(threads.contents(self.thread, self.user.id))
        questions = [self.turns[turn][0] for turn in self.path]
        assert [s.id for s in stored.steps if s.kind == "turn"] == self.path
        assert [s.id for s in stored.steps if s.kind == "question"] == questions
        said = [(s.id, s.output) for s in stored.steps if s.kind in ("question", "answer")]
        history = run(self.app.storage.conversations.history(self.thread))
        assert [(message.id, message.text) for message in history] == said
        answer = run(self.house.http.get(f"/api/chats/{self.thread}/messages"))
        messages = answer.json()["messages"]
        assert [(m["id"], m["content"]) for m in messages] == said
        screen = run(self.screen())
        shown = {step["id"]: step["output"] for step in screen["steps"]}
        assert set(shown) == {s.id for s in stored.steps}
        assert all(words in shown[id] for id, words in said)
        parents = {q for q, _, _ in self.turns.values()}
        assert parents == {s.id for s in whole.steps if s.kind == "question"}
        versions = {
            e["props"]["node"]: e["props"]["ids"]
            for e in screen["elements"]
            if e["name"] == "Siblings"
        }
        for turn in self.path:
            question, _, parent = self.turns[turn]
            answers = [id for id, (asked, _, _) in self.turns.items() if asked == question]
            others = dict.fromkeys(q for q, _, before in self.turns.values() if before == parent)
            assert versions.get(turn, [turn]) == answers
            assert versions.get(question, [question]) == list(others)


Conversation.TestCase.settings = settings(
    max_examples=25,
    stateful_step_count=14,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
TestConversation = pytest.mark.timeout(600)(Conversation.TestCase)  # 10 s where nothing else runs
