"""What a page asks and what it is sent anew do not get in each other's way."""

import asyncio
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from app.attachments import AttachmentLimits, File
from app.attachments.reading import MAX_CONCURRENT
from app.conversation.mode import WholeHistory
from app.conversation.modes import MODES
from app.conversation.turn import Turns
from app.core.errors import StorageUnavailable
from app.core.options import ChatOptions
from app.core.threads import BranchSwitch
from app.core.turns import Question, TurnRequest
from app.view.chat import Chat, ComposerMessage
from tests.fakes import MemoryStore, ScriptedModels
from tests.unit.view.test_follower import Screen
from tests.waiting import until


class Session:
    user = None


class Page(Screen):
    """A page on which a thread is open."""

    id, thread_id, user_id, user_name, has_thread = "page", "thread", "ann", "Ann", True
    session = Session()
    wanted_thread = "thread"
    options = ChatOptions.clean({}, "chat")
    temporary, choices = False, SimpleNamespace(get=lambda name: None)

    def enter(self):
        pass

    want_again = begin_thread = enter

    def choose(self, choices):
        return False

    async def emit(self, event, data):
        await super().emit(event, data)
        if event == "resume_thread":
            self.steps = {step["id"]: dict(step) for step in data["steps"]}


class Panel:
    """A panel with nothing on it."""

    def choose_a_model(self, browser):
        pass

    async def form(self, browser):
        return None

    async def resumed(self, browser):
        pass


class Branches:
    """Conversations whose branch changes as is told."""

    def __init__(self, *changes):
        self.changes = iter(changes)

    def on_switched(self, hear):
        pass

    async def switch(self, thread_id, user_id, step_id):
        return next(self.changes)


def chat_of(turns, models, read, *changes):
    panel: Any = Panel()
    branches: Any = Branches(*changes)
    none: Any = None
    return Chat(turns, models, panel, none, AttachmentLimits(), branches, none, read)


def change(name, *, whole=False, changed=True):
    return BranchSwitch(
        f"{name} end", f"{name} cut", f"{name} first", (f"{name} near",), whole, changed
    )


def thread_of(steps=()):
    return {
        "id": "thread",
        "userId": "ann",
        "name": "",
        "steps": [*steps],
        "elements": [],
    }


def turn_step(turn):
    return {"id": turn.request.turn_id, "type": "run", "end": None}


def sent(page, event):
    return [data for name, data in page.events if name == event]


async def test_a_thread_that_was_read_before_a_question_does_not_wipe_the_answer_out():
    models, page = ScriptedModels({"model": "An answer."}), Page()
    turns = Turns(MemoryStore(), models, WholeHistory(), MODES)
    reading, go_on = asyncio.Event(), asyncio.Event()

    async def read(thread_id, first=None, near=()):
        reading.set()
        await go_on.wait()
        return thread_of()

    chat: Any = chat_of(turns, models, read)
    shown = asyncio.create_task(chat.show_again(page))
    await asyncio.wait_for(reading.wait(), 10)
    asked = asyncio.create_task(chat.receive(page, ComposerMessage("q", "Why?")))
    for _ in range(50):  # as far as the question comes while the page is being sent its thread
        await asyncio.sleep(0)
    go_on.set()
    await asyncio.gather(shown, asked)
    await until(lambda: page.texts() == ["An answer."])


async def test_a_branch_that_could_not_be_read_is_sent_when_it_is_asked_for_again():
    models, page = ScriptedModels(), Page()
    turns = Turns(MemoryStore(), models, WholeHistory(), MODES)
    answers = iter([StorageUnavailable("gone for a moment"), thread_of()])

    async def read(thread_id, first=None, near=()):
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    chat: Any = chat_of(turns, models, read, change("a"), change("a", changed=False))
    with pytest.raises(StorageUnavailable):
        await chat.switch(page, "a")
    await chat.switch(page, "a")
    assert len(sent(page, "resume_thread")) == 1


async def test_of_two_changes_of_branch_at_once_the_newer_stands_on_the_page():
    models, page = ScriptedModels(), Page()
    turns = Turns(MemoryStore(), models, WholeHistory(), MODES)
    reading, go_on = asyncio.Event(), asyncio.Event()

    async def read(thread_id, first=None, near=()):
        if near:
            reading.set()
            await go_on.wait()
        return thread_of()

    chat: Any = chat_of(turns, models, read, change("older"), change("newer", whole=True))
    older = asyncio.create_task(chat.switch(page, "older"))
    await asyncio.wait_for(reading.wait(), 10)
    await chat.switch(page, "newer")
    go_on.set()
    await older
    await until(lambda: [one["more"] for one in sent(page, "konsilium_branch")] == [True, False])
    assert [one["cut"] for one in sent(page, "konsilium_branch")] == ["older cut", "newer cut"]


async def test_a_page_that_is_sent_its_thread_is_not_told_that_nothing_runs_where_a_turn_does():
    models, page = ScriptedModels({"model": ["An ", timedelta(seconds=30)]}), Page()
    turns = Turns(MemoryStore(), models, WholeHistory(), MODES)
    question = Question("q", "Why?")
    turn = await turns.start(TurnRequest("thread", "ann", question, page.options, language="ru"))

    async def read(thread_id, first=None, near=()):
        return thread_of([turn_step(turn)])

    chat: Any = chat_of(turns, models, read, change("a"))
    await chat.show_again(page)
    await until(lambda: page.texts() == ["An "])
    await chat.switch(page, "a")
    await until(lambda: len(sent(page, "task_start")) == 2)
    assert sent(page, "task_end") == []
    turn.stop()
    await until(lambda: len(sent(page, "task_end")) == 1)


class Kept:
    """Elements of which nothing is asked but to be kept."""

    async def write(self, record, user_id, content):
        pass


async def test_of_a_persons_questions_at_once_no_more_files_are_read_than_of_one(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_bytes(b"words " * 200_000)
    models, page = ScriptedModels({"model": "An answer."}), Page()
    turns = Turns(MemoryStore(), models, WholeHistory(), MODES)
    panel: Any = Panel()
    other: Any = Branches()
    kept: Any = Kept()
    none: Any = None

    async def read(thread_id, first=None, near=()):
        return thread_of()

    chat: Any = Chat(turns, models, panel, none, AttachmentLimits(), other, kept, read)
    files = (File(path, path.name, "text/plain", "element"),)
    asked = [
        asyncio.create_task(chat.receive(page, ComposerMessage(f"m{n}", "?", files=files)))
        for n in range(6)
    ]
    before, most = set(psutil.Process().children()), 0
    while not all(task.done() for task in asked):
        most = max(most, len(set(psutil.Process().children()) - before))
        await asyncio.sleep(0.01)
    assert 0 < most <= MAX_CONCURRENT
    for task in asked:
        await task
