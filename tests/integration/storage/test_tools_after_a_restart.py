"""A turn whose process ends in the middle of its tools: what they did is kept, and the question can be asked anew."""

import asyncio
import zipfile
from collections.abc import AsyncIterator
from typing import Any

import pytest

from app.conversation.mode import WholeHistory
from app.conversation.modes import MODES
from app.conversation.turn import Turns
from app.core.events import StepKind
from app.core.notes import ToolNote
from app.core.options import ChatOptions
from app.core.tools import ToolBox
from app.core.turns import Question, TurnRequest, new_id
from app.core.usage import Outcome
from app.storage.storage import Storage
from app.storage.transfer import backup_to
from tests.fakes import ScriptedModels
from tests.integration.storage.conftest import sqlite_url
from tests.unit.conversation.test_tools import ABLE, Some, a_call, a_tool, once
from tests.waiting import until


def turns_over(storage: Storage, *tools: Any) -> tuple[Turns, ScriptedModels]:
    calls = [a_call("look", {"what": "tea"}, 0), a_call("write", {"text": "x"}, 1)]
    models = ScriptedModels({"model": once(*calls, then="All is done.")}, capabilities=ABLE)
    box = ToolBox([Some(*tools)])
    return Turns(
        storage.turns, models, WholeHistory(), MODES, tools=box, checkpoint_seconds=0.02
    ), models


@pytest.fixture
async def storage(tmp_path) -> AsyncIterator[Storage]:
    opened = await Storage(sqlite_url(tmp_path), tmp_path).open()
    yield opened
    await opened.aclose()


@pytest.mark.parametrize("asks", [True, False])
async def test_what_tools_did_is_there_after_a_restart_and_the_question_is_answered_anew(
    storage, tmp_path, asks
):
    """One tool has returned; the other runs, or waits for the person, as the process ends."""
    user = await storage.users.add("ann")
    never = asyncio.Event()
    look = a_tool("look", "Larch tea")
    write = a_tool("write", lambda *_: never.wait(), read_only=not asks)
    turns, _ = turns_over(storage, look, write)
    options = ChatOptions.clean({"tools": "look, write"}, "chat")
    request = TurnRequest("t1", user.id, Question(new_id(), "Look it up"), options)
    turn = await turns.start(request)

    async def kept() -> list[Any]:
        stored = await storage.threads.contents("t1", user.id)
        return [step for step in stored.steps if step.kind is StepKind.TOOL]

    async def under_way() -> bool:
        return len(steps := await kept()) == 2 and any(step.output for step in steps)

    await until(under_way)
    await backup_to(storage, tmp_path / "left.zip")  # all that a killed process leaves behind
    turn.stop()
    await turn.wait()

    with zipfile.ZipFile(tmp_path / "left.zip") as left:
        left.extractall(tmp_path / "again")
    again = await Storage(sqlite_url(tmp_path / "again"), tmp_path / "again").open()
    stored = await again.threads.contents("t1", user.id)
    looked, written = [step for step in stored.steps if step.kind is StepKind.TOOL]
    assert (looked.outcome, looked.output) == (Outcome.COMPLETED, "Larch tea")
    assert "tea" in looked.input
    note = ToolNote.of(looked.metadata)
    assert note is not None
    assert note.seconds is not None
    assert written.outcome is Outcome.INTERRUPTED
    assert written.ended_at is not None
    assert stored.steps[-1].metadata["error"] == {"code": "interrupted"}

    writes: list[Any] = []

    def written_down(arguments: Any, caller: Any) -> str:
        writes.append(arguments)
        return "ok"

    turns, models = turns_over(again, look, a_tool("write", written_down))
    anew = TurnRequest("t1", user.id, request.question, options, again=True)
    await (await turns.start(anew)).wait()
    stored = await again.threads.contents("t1", user.id)
    assert [s.output for s in stored.steps if s.kind is StepKind.ANSWER][-1] == "All is done."
    assert writes == [{"text": "x"}]
    assert models.open == 0
    await again.aclose()
