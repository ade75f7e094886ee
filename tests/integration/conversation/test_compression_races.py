"""Questions, edits, stops and summaries in any order: the prompt is always built from one consistent
head, and no original is lost."""

import asyncio
import json
import re
from dataclasses import replace
from datetime import timedelta

from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from app.core.errors import ServerUnavailable
from app.core.turns import HistoryMessage, new_id
from app.core.usage import Outcome
from tests.dialogues import Talk, noted, whole

LONG = "and so on as it was said before without any end in sight " * 30

steps = st.lists(
    st.one_of(
        st.tuples(st.just("ask"), st.integers(0, 3)),
        st.tuples(st.just("ask"), st.integers(0, 40)),
        st.tuples(st.just("edit"), st.integers(0, 6)),
        st.tuples(st.just("regenerate"), st.integers(0, 6)),
        st.tuples(st.just("stop"), st.integers(0, 3)),
        st.tuples(st.just("wait"), st.integers(0, 40)),
        st.tuples(st.just("now"), st.just(0)),
        st.tuples(st.just("pin"), st.just(0)),
    ),
    min_size=6,
    max_size=40,
)
summariser_behaviours = st.lists(
    st.sampled_from(["honest", "slow", "fails", "nonsense"]), min_size=1, max_size=8
)


class Race:
    """A conversation whose every message carries a mark of its own: `mark123`."""

    def __init__(self, behaviours):
        self.behaviours = behaviours
        self.summaries = 0
        self.marks = 0
        self.noted = 0
        self.talk = Talk(self.summary, compress_every=4, local=True)
        self.pinned = []

    def summary(self, request):
        behaviour = self.behaviours[self.summaries % len(self.behaviours)]
        self.summaries += 1
        found = re.findall(r"mark\d+", request.messages[-1].text)
        notes = json.dumps({"goal": "g", "facts": [f"said: {mark}" for mark in found]})
        match behaviour:
            case "slow":
                return [timedelta(microseconds=300), notes]
            case "fails":
                return ServerUnavailable("down")
            case "nonsense":
                return "nonsense"
            case _:
                return notes

    def text(self):
        self.marks += 1
        return f"mark{self.marks:03} {LONG}"

    async def step(self, kind, number):
        history = self.talk.history
        questions = [at for at, message in enumerate(history) if message.role == "user"]
        match kind:
            case "ask":
                await self.ask(self.text(), pauses=number)
            case "stop":
                await self.ask(self.text(), pauses=number, stopped=True)
            case "edit" if questions:
                at = questions[-1 - number % len(questions)]
                edited = replace(history[at], text=self.text())
                del history[at:]
                await self.ask(edited.text, question_id=edited.id)
            case "regenerate" if questions:
                at = questions[-1 - number % len(questions)]
                question = history[at]
                del history[at:]
                await self.ask(question.text, question_id=question.id)
            case "wait":
                for _ in range(number):
                    await asyncio.sleep(0)
            case "now":
                compressing = self.talk.compressor.compress_now("t", "u", self.talk.options)
                task = asyncio.create_task(compressing)
                await asyncio.sleep(0)
                task.add_done_callback(lambda done: done.cancelled() or done.exception())
            case "pin":
                self.pinned.append((await self.talk.threads.pin("t", f"pinned {new_id()}")).text)

    async def ask(self, text, pauses=0, question_id=None, stopped=False):
        request = self.talk.request(text)
        question = replace(request.question, id=question_id or request.question.id)
        request = replace(request, question=question)
        given = tuple(self.talk.history)
        prompt = await self.talk.build(request)
        self.check(prompt, given, text)
        for _ in range(pauses):
            await asyncio.sleep(0)
        answer = self.text()
        outcome = Outcome.STOPPED if stopped else Outcome.COMPLETED
        self.talk.history.append(HistoryMessage(question.id, "user", text))
        self.talk.history.append(
            HistoryMessage(
                new_id(), "assistant", answer[:40] if stopped else answer, "", None, outcome
            )
        )
        await self.talk.settle(request)

    def check(self, prompt, given, question):
        """Every message of the history once: verbatim or noted; nothing of another branch."""
        marks = [message.text[:7] for message in given]
        notes = noted(prompt)
        in_notes = re.findall(r"mark\d+", notes)
        verbatim = re.findall(r"mark\d+", whole(prompt).replace(notes, ""))
        assert in_notes + verbatim == [*marks, question[:7]]
        assert all(fact in prompt.system for fact in self.pinned)
        said = [message for message in prompt.messages if message.role != "system"]
        assert [message.role for message in said] == [
            "user" if at % 2 == 0 else "assistant" for at in range(len(said))
        ]
        assert len(in_notes) == (prompt.compression.last or 0)
        self.noted += bool(in_notes)


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(steps, summariser_behaviours)
def test_the_prompt_is_always_built_from_a_consistent_head(actions, behaviours):
    async def run():
        race = Race(behaviours)
        for kind, number in [("ask", 2)] * 7 + [("wait", 40)] + actions:
            await race.step(kind, number)
        await race.talk.compressor.aclose()
        assert race.talk.models.open == 0
        event(f"prompts with notes: {min(race.noted, 3)}")

    asyncio.run(run())
