"""A turn that runs in one process is followed and steered in another, also where messages get lost."""

import asyncio
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field

import pytest

from app.conversation.mode import WholeHistory
from app.conversation.modes import MODES
from app.conversation.replicas import Replicas
from app.conversation.turn import Turns
from app.core.events import StepDelta, StepEnded, StepKind, StepStarted
from app.core.notes import Note
from app.core.options import ChatOptions, Option
from app.core.ports import Lease
from app.core.post import LocalPost
from app.core.text import Text
from app.core.turns import Question, TurnRequest, new_id
from app.core.usage import Outcome
from tests.fakes import MemoryStore, ScriptedModels
from tests.waiting import until

asking: ContextVar[str] = ContextVar("asking", default="")
"""In whose name something is done."""


class Steered:
    """A mode whose turns say what the test tells them to."""

    id = "steered"
    name = description = Text(ru="", uk="", en="")
    icon = ""
    options: tuple[Option, ...] = ()
    notes: tuple[type[Note], ...] = ()
    takes_interjections = True

    def __init__(self):
        self.says: asyncio.Queue[str | None] = asyncio.Queue()
        self.turn = None
        self.step = ""

    async def respond(self, turn):
        self.turn, self.step = turn, new_id()
        turn.emit(StepStarted(self.step, StepKind.ANSWER, "model"))
        while (text := await self.says.get()) is not None:
            turn.emit(StepDelta(self.step, text))
        turn.emit(StepEnded(self.step))


class Leases:
    """Implements `core.ports.TurnLeases` for two processes."""

    def __init__(self):
        self.held: dict[str, Lease] = {}
        self.stopping: set[str] = set()
        self.looking = asyncio.Event()
        self.go_on = asyncio.Event()
        self.go_on.set()

    async def find(self, thread_id):
        return next((one for one in self.held.values() if one.thread_id == thread_id), None)

    async def living(self, turn_ids):
        living = frozenset(self.held) & frozenset(turn_ids)
        self.looking.set()
        await self.go_on.wait()
        return living

    async def ask_to_stop(self, turn_id, user_id=None):
        self.stopping.add(turn_id)
        return turn_id in self.held

    async def asked_to_stop(self):
        return frozenset(self.stopping)


class LossyPost(LocalPost):
    """Loses the messages that a test says."""

    def __init__(self, id, office):
        super().__init__(id, office)
        self.loses: set[str] = set()
        self.sent: list[Mapping[str, object]] = []

    def send(self, to, message):
        self.sent.append(message)
        if message["kind"] not in self.loses:
            super().send(to, message)


@dataclass
class House:
    """`here` a turn runs; `there` it is followed."""

    mode: Steered = field(default_factory=Steered)
    leases: Leases = field(default_factory=Leases)
    different: list[tuple[str, str]] = field(default_factory=list)

    def __post_init__(self):
        office: dict[str, LocalPost] = {}
        self.posts = [LossyPost(name, office) for name in ("here", "there")]
        self.here, self.there = (self._process(post) for post in self.posts)
        self.there.on_switched(lambda thread, _: self.different.append((thread, asking.get())))

    def _process(self, post):
        turns = Turns(MemoryStore(), ScriptedModels(), WholeHistory(), [self.mode, *MODES])
        turns.join(Replicas(post, self.leases))
        return turns

    async def ask(self):
        options = ChatOptions("steered", {})
        turn = await self.here.start(TurnRequest("t1", "u1", Question(new_id(), "Hi?"), options))
        turn_id = turn.request.turn_id
        self.leases.held[turn_id] = Lease(turn_id, "t1", "here")
        await until(lambda: self.mode.turn)
        return turn

    async def said(self, turn, text):
        """Waits until the turn, as it is known there, has said just this."""
        await until(lambda: [s.text for s in turn.state.steps.values()] == [text])

    async def end(self, turn):
        """All that runs has ended, here and there."""
        self.mode.says.put_nowait(None)
        await turn.wait()
        self.leases.held.clear()
        await self.here.drain(5)
        await self.there.drain(5)


@pytest.fixture
async def house():
    return House()


async def test_all_of_it_is_known_there_and_what_comes_after(house):
    running = await house.ask()
    house.mode.says.put_nowait("Hel")
    await house.said(running, "Hel")
    turn = await house.there.find("t1")
    await house.said(turn, "Hel")
    assert turn.request.user_id == "u1"
    assert turn.mode is house.mode
    house.mode.says.put_nowait("lo")
    await house.said(turn, "Hello")
    house.mode.says.put_nowait(None)
    state = await asyncio.wait_for(turn.wait(), 5)
    assert state.done
    assert state.outcome is Outcome.COMPLETED
    (step,) = state.steps.values()
    assert state.record(step).metadata["metrics"]["characters"] == 5
    assert state.turn_record().id == running.request.turn_id
    assert house.different == [("t1", "")]
    await house.end(running)


async def test_a_turn_that_nobody_follows_from_elsewhere_sends_nothing(house):
    running = await house.ask()
    for _ in range(20):
        house.mode.says.put_nowait("word ")
    await house.said(running, "word " * 20)
    await house.end(running)
    assert [message["kind"] for message in house.posts[0].sent] == ["switched"]


async def test_what_got_lost_on_the_way_is_told_again(house):
    running = await house.ask()
    turn = await house.there.find("t1")
    house.mode.says.put_nowait("One ")
    await house.said(turn, "One ")
    house.posts[0].loses = {"turn"}
    count = len(house.posts[0].sent)
    house.mode.says.put_nowait("two ")
    await until(lambda: len(house.posts[0].sent) > count)
    house.posts[0].loses = set()
    house.mode.says.put_nowait("three")
    await house.said(turn, "One two three")
    await house.end(running)


async def test_whoever_asks_there_reaches_it(house):
    running = await house.ask()
    house.mode.says.put_nowait("Hello")
    turn = await house.there.find("t1")
    inbox = house.mode.turn.inbox
    asked = asyncio.create_task(inbox.permission("step"))
    turn.inbox.interject("But")
    await until(lambda: inbox.waiting == ("But",))
    await until(lambda: turn.inbox.waiting == ("But",))  # and it is seen there
    turn.inbox.pause()
    await until(lambda: inbox.paused)
    await until(lambda: turn.inbox.paused)
    turn.inbox.resume()
    await until(lambda: not inbox.paused)
    turn.inbox.permit("step", "once")
    assert await asyncio.wait_for(asked, 5) == "once"
    turn.stop()
    await asyncio.wait_for(running.wait(), 5)
    assert running.state.outcome is Outcome.STOPPED
    await asyncio.wait_for(turn.wait(), 5)
    assert turn.state.outcome is Outcome.STOPPED
    await house.end(running)


async def test_where_no_message_gets_through_stop_is_found_in_the_database(house):
    running = await house.ask()
    house.mode.says.put_nowait("Hello")
    turn = await house.there.find("t1")
    house.posts[1].loses = {"do", "follow"}
    watching = asyncio.create_task(house.here.watch())
    turn.stop()
    await asyncio.wait_for(running.wait(), 5)
    assert running.state.outcome is Outcome.STOPPED
    watching.cancel()
    await house.end(running)


async def test_a_turn_whose_process_has_died_is_lost_and_those_who_wait_for_it_are_told(house):
    running = await house.ask()
    house.mode.says.put_nowait("Half an ans")
    turn = await house.there.find("t1")
    await house.said(turn, "Half an ans")
    house.posts[0].loses = {"turn"}
    house.leases.held.clear()
    state = await asyncio.wait_for(turn.wait(), 15)
    assert state.done
    assert turn.lost
    await house.end(running)


async def test_that_it_is_lost_is_told_in_nobodys_name(house):
    """The page that looked first is to be shown it, too: else it would be left out as the one that asks."""
    running = await house.ask()
    house.posts[0].loses = {"turn"}
    house.different.clear()
    asking.set("a page")
    assert await house.there.find("t1") is None
    house.leases.held.clear()
    await until(lambda: house.different == [("t1", "")])
    await house.end(running)


async def test_one_that_cannot_be_reached_now_is_shown_when_it_can(house):
    running = await house.ask()
    house.mode.says.put_nowait("Hello")
    house.posts[0].loses = {"turn"}
    assert await house.there.find("t1") is None
    house.different.clear()
    house.posts[0].loses = set()
    await until(lambda: house.different == [("t1", "")])
    turn = await house.there.find("t1")
    await house.said(turn, "Hello")
    await house.end(running)


async def test_one_that_begins_to_be_followed_while_others_are_looked_up_is_not_lost(house):
    running = await house.ask()
    await house.there.find("t1")
    house.leases.looking.clear()
    house.leases.go_on.clear()
    await house.leases.looking.wait()
    house.leases.held["x2"] = Lease("x2", "t2", "here")
    finding = asyncio.create_task(house.there.find("t2"))
    await until(lambda: [m for m in house.posts[1].sent if m.get("turn") == "x2"])
    house.leases.go_on.set()
    assert await finding is None  # nothing was heard of it yet
    house.different.clear()
    del house.leases.held["x2"]
    await until(lambda: ("t2", "") in house.different)  # its page is told of its end
    await house.end(running)
