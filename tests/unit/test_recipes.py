"""What CONTRIBUTING.md says is enough for a new mode is enough; for a provider see core/test_providers.py."""

from fastapi import FastAPI
from httpx import ASGITransport, AsyncClient

from app.conversation.mode import WholeHistory
from app.conversation.modes import elements_in, modes_in
from app.conversation.turn import Turns
from app.core.options import ChatOptions
from app.core.turns import Question, TurnRequest, new_id
from app.view.chainlit.pages import elements_router
from tests.fakes import MemoryStore, ScriptedModels
from tests.recipes.modes.echo import EchoNote

RECIPES = "tests.recipes.modes"


async def test_a_folder_is_a_mode_with_its_options_and_its_note():
    [mode] = modes_in(RECIPES)
    options = ChatOptions.clean({"echo_times": 3}, mode.id, mode.options)
    store = MemoryStore()
    turns = Turns(store, ScriptedModels(), WholeHistory(), [mode])
    turn = await turns.start(TurnRequest("t", "u", Question(new_id(), "Tea?"), options))
    await turn.wait()
    [answer] = [step for step in store.steps.values() if step.kind == "answer"]
    assert answer.output == "Tea? Tea? Tea?"
    assert EchoNote.of(answer.metadata) == EchoNote(3)


async def test_the_page_is_served_the_elements_of_that_folder():
    app = FastAPI()
    app.include_router(elements_router(elements_in(RECIPES), "/chat"))
    async with AsyncClient(transport=ASGITransport(app), base_url="http://here") as http:
        answer = await http.get("/chat/public/elements/Echo.jsx")
        assert (answer.status_code, "props.times" in answer.text) == (200, True)
        assert (await http.get("/chat/public/elements/Other.jsx")).status_code == 404


def test_our_own_modes_are_found_in_the_order_of_the_picker():
    modes = modes_in("app.conversation.modes")
    assert [mode.id for mode in modes] == [
        "chat",
        "council",
        "consultation",
        "dialogue",
        "best_of",
        "compare",
    ]
    elements = elements_in("app.conversation.modes")
    assert {note.element for mode in modes for note in mode.notes if note.element} <= set(elements)
