"""What a project says is said to the models of its conversations, in every mode."""

from typing import Any

import pytest

from app.conversation.mode import WholeHistory
from app.conversation.modes import MODES, mode_named
from app.conversation.turn import Turns
from app.core.options import ChatOptions
from app.core.presets import Preset
from app.core.tools import Source
from app.core.turns import Question, TurnRequest, new_id
from app.core.usage import Purpose
from tests.fakes import MemoryStore, ScriptedModels

NOVEL = Preset(
    "p",
    "projects",
    "u",
    "Ann",
    "Novel",
    {
        "system_prompt": "Write as an editor.",
        "facts": "Her name is Olena\n\n The sea ",
        "knowledge": "base",
    },
)
SPEAKING = {
    Purpose.ANSWER,
    Purpose.SPECIALIST,
    Purpose.SYNTHESIS,
    Purpose.MEMBER,
    Purpose.DIALOGUE,
    Purpose.CANDIDATE,
}
"""Calls whose words a reader sees as an answer; others sort, plan and judge."""


async def asked(mode: str = "chat", key_id: str | None = None, **options: Any) -> Any:
    """What the models were asked, and the bases that were looked into."""
    models = ScriptedModels({"model": "Words."}, window=65_536)
    bases: list[tuple[str, ...]] = []

    async def find(request: TurnRequest, history: Any) -> tuple[Source, ...]:
        bases.append(request.options.names("knowledge"))
        return (Source("Notes.pdf", text="The lighthouse is red.", id="d/0"),)

    async def project_of(thread_id: str) -> Preset | None:
        return NOVEL if thread_id == "inside" else None

    turns = Turns(MemoryStore(), models, WholeHistory(), MODES, find=find, project_of=project_of)
    thread = options.pop("thread", "inside")
    chosen = ChatOptions.clean(options, mode, mode_named(mode).options)
    question = Question(new_id(), "Ask an economist and a lawyer: what colour is the lighthouse?")
    turn = await turns.start(TurnRequest(thread, "u", question, chosen, key_id=key_id))
    await turn.wait()
    await turns.drain(5)
    return [request for _, request in models.requests], bases


@pytest.mark.parametrize("mode", [mode.id for mode in MODES])
async def test_its_instructions_facts_and_knowledge_reach_whoever_answers_in_every_mode(mode):
    requests, bases = await asked(mode, system_prompt="Be short.")
    assert bases == [("base",)]
    answering = [request for request in requests if request.purpose in SPEAKING]
    assert answering
    for request in answering:
        said = "\n".join(message.text for message in request.messages)
        for words in ("Write as an editor.", "Be short.", "- Her name is Olena", "- The sea"):
            assert words in said, (mode, request.purpose, said)
        assert "The lighthouse is red." in said, (mode, request.purpose, said)


async def test_a_base_of_the_project_and_of_the_thread_is_looked_into_once():
    _, bases = await asked(knowledge="base")
    assert bases == [("base",)]


async def test_a_key_looks_nothing_up_and_a_thread_elsewhere_hears_nothing_of_it():
    (request,), bases = await asked(key_id="key")
    assert bases == []
    assert request.messages[0].text.startswith("Write as an editor.\n\nTo be kept in mind")
    (request,), bases = await asked(thread="elsewhere")
    assert bases == []
    assert [message.role for message in request.messages] == ["user"]


async def test_what_is_kept_of_a_turn_says_what_it_was_asked_with():
    """The answer cache and compression go by it."""
    store = MemoryStore()
    project = AsyncProject()
    turns = Turns(store, ScriptedModels(), WholeHistory(), MODES, project_of=project)
    chosen = ChatOptions.clean({"system_prompt": "Be short."}, "chat")
    await (await turns.start(TurnRequest("t", "u", Question(new_id(), "?"), chosen))).wait()
    [settled] = store.settled
    assert settled.request.options.text("system_prompt") == "Write as an editor.\n\nBe short."
    assert settled.request.options.names("knowledge") == ("base",)


class AsyncProject:
    """Everything is in the novel."""

    async def __call__(self, thread_id: str) -> Preset:
        return NOVEL
