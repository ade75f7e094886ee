"""What a page asks and what it is sent anew do not get in each other's way."""

import asyncio
from types import SimpleNamespace
from typing import Any

from app.attachments import AttachmentLimits
from app.conversation.mode import WholeHistory
from app.conversation.modes import MODES
from app.conversation.turn import Turns
from app.core.options import ChatOptions
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


async def test_a_thread_that_was_read_before_a_question_does_not_wipe_the_answer_out():
    models, page = ScriptedModels({"model": "An answer."}), Page()
    turns = Turns(MemoryStore(), models, WholeHistory(), MODES)
    reading, go_on = asyncio.Event(), asyncio.Event()

    async def read(thread_id, first=None, near=()):
        thread = {"id": thread_id, "userId": "ann", "name": "", "steps": [], "elements": []}
        reading.set()
        await go_on.wait()
        return thread

    panel: Any = Panel()
    others: Any = SimpleNamespace(on_switched=lambda hear: None)
    none: Any = None
    chat: Any = Chat(turns, models, panel, none, AttachmentLimits(), others, none, read)
    shown = asyncio.create_task(chat.show_again(page))
    await asyncio.wait_for(reading.wait(), 10)
    asked = asyncio.create_task(chat.receive(page, ComposerMessage("q", "Why?")))
    for _ in range(50):  # as far as the question comes while the page is being sent its thread
        await asyncio.sleep(0)
    go_on.set()
    await asyncio.gather(shown, asked)
    await until(lambda: page.texts() == ["An answer."])
