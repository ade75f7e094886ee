"""Turns over several processes: one runs in one of them, and may be followed and steered in all.

Which turn runs where is in the database (`TurnLeases`). Who wants to follow a turn of another process
asks that process for it by post, again every second: it is told all that was said, and from then on
what is new, 20 times a second. A message that is missing shows by its number, and all is asked for
anew. A turn that nobody follows from elsewhere costs nothing.
"""

import asyncio
import contextlib
import contextvars
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

from pydantic import TypeAdapter

from app.conversation.mode import Inbox, Mode, Permission
from app.conversation.state import LiveStep, TurnState
from app.core.concurrency import BackgroundTasks
from app.core.errors import StorageUnavailable
from app.core.events import StepKind
from app.core.models import ModelProfile
from app.core.options import ChatOptions
from app.core.ports import Lease, Post, PostMessage, TurnLeases
from app.core.text import Text
from app.core.threads import BranchSwitch
from app.core.turns import Prompt, Question, StepRecord, TurnRequest

log = logging.getLogger(__name__)

LOOK_SECONDS = 0.4
"""How often it is looked up whether another process asks a turn of ours to stop."""
YIELD_SECONDS = 3.0
"""How long a turn of another process has to end; then its thread is taken."""
FRAME_SECONDS = 0.05
RENEW_SECONDS = 1.0
LAST_WORDS_SECONDS = 0.5
"""A turn that has ended elsewhere is off the database a moment before it says so."""
FORGET_SECONDS = 5.0
"""Whoever has not asked again for so long is told nothing more; what nobody looks at is forgotten."""
FIRST_SECONDS = 1.0
"""How long a page waits for the first word from another process; later it is shown when it comes."""

_RECORD: TypeAdapter[StepRecord] = TypeAdapter(StepRecord)
_PROFILE: TypeAdapter[ModelProfile] = TypeAdapter(ModelProfile)
_TEXT: TypeAdapter[Text | None] = TypeAdapter(Text | None)
_SWITCH: TypeAdapter[BranchSwitch | None] = TypeAdapter(BranchSwitch | None)


class Turn(Protocol):
    """A turn under way, in this process or another."""

    @property
    def request(self) -> TurnRequest: ...
    @property
    def mode(self) -> Mode: ...
    @property
    def state(self) -> TurnState: ...
    @property
    def inbox(self) -> Inbox: ...
    @property
    def lost(self) -> bool:
        """Its process has died: what is known of it is in the database."""
        ...

    def stop(self) -> None:
        """Ends the answer; what was written stays."""
        ...

    async def wait(self) -> TurnState:
        """Its state when all is stored."""
        ...


class FollowedState(TurnState):
    """What a turn of another process has said so far."""

    def __init__(self, request: TurnRequest) -> None:
        super().__init__(request)
        self._run: StepRecord | None = None
        self._records: dict[str, StepRecord] = {}

    def turn_record(self) -> StepRecord:
        return self._run or super().turn_record()

    def record(self, step: LiveStep) -> StepRecord:
        return replace(self._records[step.id], output=step.text)

    def take(self, news: PostMessage) -> None:
        """What the turn's own process tells of it."""
        for told in news.get("steps", ()):
            if "more" in told:
                self.steps[told["id"]].chunks.append(told["more"])
            else:
                self._take_step(_RECORD.validate_python(told))
        if "run" in news:
            self._run = run = _RECORD.validate_python(news["run"])
            self.outcome = run.outcome
            asked = Question(str(run.parent_id), self.request.question.text)
            self.request = replace(self.request, question=asked)
        if "progress" in news:
            self.progress = _TEXT.validate_python(news["progress"])
        if "profile" in news:
            self.profile = _PROFILE.validate_python(news["profile"])
            self.prompt = Prompt((), widened=news["widened"])
        self.unstored = news.get("unstored", self.unstored)
        self.title = news.get("title", self.title)
        self.done = news.get("done", self.done)
        self.touch()

    def _take_step(self, record: StepRecord) -> None:
        before = self.steps.get(record.id)
        self._records[record.id] = record
        self.steps[record.id] = LiveStep(
            record.id,
            StepKind(record.kind),
            record.name,
            str(record.parent_id),
            record.input,
            record.open,
            chunks=[record.output] if record.output else [],
            version=before.version + 1 if before else 0,
            outcome=record.outcome,
            created_at=record.created_at,
            ended_at=record.ended_at,
        )


class FollowedInbox(Inbox):
    """What a person does to a turn of another process is done there."""

    def __init__(self, tell: Callable[..., None]) -> None:
        super().__init__()
        self._tell = tell
        self._told: tuple[str, ...] = ()

    def interject(self, text: str) -> None:
        self._tell("say", text=text)

    @property
    def waiting(self) -> tuple[str, ...]:
        return self._told

    def pause(self) -> None:
        self._tell("pause")

    def resume(self) -> None:
        self._tell("resume")

    def permit(self, step_id: str, permission: Permission) -> bool:
        self._tell("permit", step=step_id, permission=permission)
        return True

    def take_over(self, paused: bool, waiting: Sequence[str]) -> None:
        """How it is there."""
        self._told = tuple(waiting)
        if paused:
            super().pause()
        else:
            super().resume()


class FollowedTurn:
    """A turn of another process."""

    def __init__(
        self,
        lease: Lease,
        modes: Mapping[str, Mode],
        tell: Callable[..., None],
        stop: Callable[[], None],
    ) -> None:
        self.lease = lease
        self.lost = False
        self.late = False
        """Somebody waited for its first word in vain, and is to be told when it comes."""
        self.known = asyncio.Event()
        self.looked_at = asyncio.get_running_loop().time()
        self._stop = stop
        self.inbox = FollowedInbox(tell)
        self._modes = modes
        self.mode = modes["chat"]
        self._over = asyncio.Event()
        self._next: int | None = 0
        options = ChatOptions("chat", {})
        request = TurnRequest(lease.thread_id, "", Question("", ""), options, turn_id=lease.turn_id)
        self.state = FollowedState(request)

    @property
    def request(self) -> TurnRequest:
        return self.state.request

    def stop(self) -> None:
        self._stop()

    async def wait(self) -> TurnState:
        await self._over.wait()
        return self.state

    @property
    def complete(self) -> bool:
        """Whether nothing is missing of what it was told."""
        return self.known.is_set() and self._next is not None

    def take(self, news: PostMessage) -> None:
        """The next message about it; one that does not follow the last counts for nothing."""
        number = news["n"]
        if number not in (0, self._next):
            self._next = None
            return
        self._next = number + 1
        if "mode" in news:
            self.mode = self._modes.get(news["mode"]) or self._modes["chat"]
            self.state.request = replace(
                self.state.request,
                user_id=news["user"],
                language=news["language"],
                options=ChatOptions(news["mode"], {}),
            )
        if "waiting" in news:
            self.inbox.take_over(news["paused"], news["waiting"])
        self.state.take(news)
        self.known.set()
        if self.state.done:
            self._over.set()

    def lose(self) -> None:
        """It runs nowhere any more, and nobody tells how it ended."""
        self.lost = True
        self.state.finish()
        self._over.set()


class _Telling:
    """Tells one other process of a turn of ours."""

    def __init__(self, turn: Turn, to: str, post: Post) -> None:
        self._turn = turn
        self._to = to
        self._post = post
        self._number = 0
        self._told: dict[str, tuple[int, int]] = {}
        self._facts: dict[str, Any] = {}
        self.until = 0.0

    async def run(self) -> None:
        state, loop = self._turn.state, asyncio.get_running_loop()
        changed = state.subscribe()
        try:
            while True:
                await changed.wait()
                changed.clear()
                if news := self._news():
                    about = {"kind": "turn", "turn": state.request.turn_id, "n": self._number}
                    self._number += 1
                    self._post.send(self._to, about | news)
                if state.done or loop.time() > self.until:
                    return
                await asyncio.sleep(FRAME_SECONDS)
        finally:
            state.unsubscribe(changed)

    def _news(self) -> dict[str, Any]:
        """What has changed since the last time; at first, all."""
        turn, state = self._turn, self._turn.state
        news: dict[str, Any] = {}
        if steps := [told for step in state.steps.values() if (told := self._step(step))]:
            news["steps"] = steps
        facts: dict[str, Any] = {
            "mode": turn.mode.id,
            "user": state.request.user_id,
            "language": state.request.language,
            "outcome": state.outcome.value,
            "progress": _TEXT.dump_python(state.progress),
            "unstored": state.unstored,
            "title": state.title,
            "paused": turn.inbox.paused,
            "waiting": list(turn.inbox.waiting),
            "done": state.done,
            "model": str(state.model),
        }
        if facts == self._facts:
            return news
        before, self._facts = self._facts, facts
        if not before:
            news |= facts
        for name in ("progress", "unstored", "title", "done"):
            if facts[name] != before.get(name):
                news[name] = facts[name]
        if (facts["paused"], facts["waiting"]) != (before.get("paused"), before.get("waiting")):
            news |= {"paused": facts["paused"], "waiting": facts["waiting"]}
        if facts["outcome"] != before.get("outcome"):
            news["run"] = _RECORD.dump_python(state.turn_record(), mode="json")
        if facts["model"] != before.get("model") and state.profile is not None:
            news["profile"] = _PROFILE.dump_python(state.profile, mode="json")
            news["widened"] = bool(state.prompt and state.prompt.widened)
        return news

    def _step(self, step: LiveStep) -> dict[str, Any] | None:
        told, present = self._told.get(step.id), (step.version, len(step.chunks))
        if told == present:
            return None
        self._told[step.id] = present
        if told is not None and told[0] == present[0]:
            return {"id": step.id, "more": "".join(step.chunks[told[1] :])}
        record: dict[str, Any] = _RECORD.dump_python(self._turn.state.record(step), mode="json")
        return record


class Replicas:
    """The turns of the other processes, and what those want of ours."""

    def __init__(self, post: Post, leases: TurnLeases) -> None:
        self._post = post
        self._leases = leases
        self._modes: Mapping[str, Mode] = {}
        self._ours: Callable[[str], Turn | None] = lambda thread_id: None
        self._switched: Callable[[str, BranchSwitch | None], None] = lambda thread_id, switched: (
            None
        )
        self._followed: dict[str, FollowedTurn] = {}
        self._telling: dict[tuple[str, str], _Telling] = {}
        self._following = BackgroundTasks()
        self._tellers = BackgroundTasks()

    def serve(
        self,
        modes: Mapping[str, Mode],
        ours: Callable[[str], Turn | None],
        switched: Callable[[str, BranchSwitch | None], None],
    ) -> None:
        """Begins to hear the others. `ours` finds what runs here in a thread; `switched` is told of threads
        that are different on a screen, since something has begun, or ended unseen, elsewhere, or another
        branch is shown."""
        self._modes, self._ours, self._switched = modes, ours, switched
        self._post.on(
            "switched",
            lambda message: switched(
                message["thread"], _SWITCH.validate_python(message["switched"])
            ),
        )
        self._post.on("follow", self._hear_follow)
        self._post.on("turn", self._hear_turn)
        self._post.on("do", self._hear_wish)

    async def aclose(self) -> None:
        """Says the last words of our turns, and follows no others."""
        await self._tellers.drain(FORGET_SECONDS)
        await self._following.cancel()

    def switched(self, thread_id: str, switched: BranchSwitch | None) -> None:
        """Tells the others that the thread is different on a screen, and how."""
        if self._post.reaches_others:
            how = _SWITCH.dump_python(switched, mode="json")
            self._post.tell_all({"kind": "switched", "thread": thread_id, "switched": how})

    async def find(self, thread_id: str) -> FollowedTurn | None:
        """The turn that runs in the thread in another process, as far as that can be reached: what comes
        of it too late is told as something different. Raises StorageUnavailable."""
        if not self._post.reaches_others:
            return None
        lease = await self._leases.find(thread_id)
        if lease is None or lease.process_id == self._post.id:
            return None
        turn = self._followed.get(lease.turn_id) or self._follow(lease)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(turn.known.wait(), FIRST_SECONDS)
        if not turn.known.is_set():
            turn.late = True
            return None
        turn.looked_at = asyncio.get_running_loop().time()
        return turn

    async def end(self, turn_id: str, user_id: str | None = None) -> bool:
        """Asks the process that runs the turn to stop it, and waits a while for its end. False where it
        runs nowhere, or is not that user's. Raises StorageUnavailable."""
        if not await self._leases.ask_to_stop(turn_id, user_id):
            return False
        until = asyncio.get_running_loop().time() + YIELD_SECONDS
        while await self._leases.living([turn_id]):
            if asyncio.get_running_loop().time() > until:
                break
            await asyncio.sleep(LOOK_SECONDS / 4)
        return True

    async def end_in(self, thread_id: str) -> None:
        """The same for whatever runs in a thread."""
        if lease := await self._leases.find(thread_id):
            await self.end(lease.turn_id)

    async def asked_to_stop(self) -> frozenset[str]:
        """The turns of this process that another asks to stop."""
        try:
            return await self._leases.asked_to_stop()
        except StorageUnavailable as error:
            log.debug("whom other processes stop cannot be looked up: %s", error.detail)
            return frozenset()

    # -- following others' ------------------------------------------------------------------------

    def _follow(self, lease: Lease) -> FollowedTurn:
        def tell(what: str, **facts: str) -> None:
            about = {"turn": lease.turn_id, "thread": lease.thread_id}
            self._post.send(lease.process_id, {"kind": "do", "do": what, **about, **facts})

        def stop() -> None:
            tell("stop")
            self._following.start(self._leases.ask_to_stop(lease.turn_id))

        turn = self._followed[lease.turn_id] = FollowedTurn(lease, self._modes, tell, stop)
        self._ask(turn)
        if self._following.find("following") is None:
            self._following.start(self._keep_following(), "following")
        return turn

    def _ask(self, turn: FollowedTurn) -> None:
        lease = turn.lease
        asked = {"kind": "follow", "turn": lease.turn_id, "thread": lease.thread_id}
        self._post.send(lease.process_id, {**asked, "fresh": not turn.complete})

    async def _keep_following(self) -> None:
        """Asks for each turn while somebody looks, and notices where one has ended with its process."""
        while self._followed:
            await asyncio.sleep(RENEW_SECONDS)
            asked = frozenset(self._followed)  # others may be followed while the database answers
            try:
                living = await self._leases.living(tuple(asked))
            except StorageUnavailable as error:
                log.warning("turns of other processes cannot be looked up: %s", error.detail)
                living = asked
            if missing := asked - living:
                await asyncio.sleep(LAST_WORDS_SECONDS)
            for turn_id in missing & frozenset(self._followed):
                turn = self._followed.pop(turn_id)
                turn.lose()
                if turn.late:
                    self._tell_late(turn.lease.thread_id)
            at = asyncio.get_running_loop().time()
            for turn in list(self._followed.values()):
                if turn.state.followed or turn.late:
                    turn.looked_at = at
                if at - turn.looked_at > FORGET_SECONDS:
                    del self._followed[turn.lease.turn_id]
                else:
                    self._ask(turn)

    def _tell_late(self, thread_id: str) -> None:
        """In nobody's name: that of the page that happened to look first would leave that page out."""
        contextvars.Context().run(self._switched, thread_id, None)

    def _hear_turn(self, news: PostMessage) -> None:
        turn = self._followed.get(news["turn"])
        if turn is None:
            return
        whole = turn.complete
        turn.take(news)
        if whole and not turn.complete:
            self._ask(turn)
        if turn.late and turn.known.is_set():
            turn.late = False
            self._tell_late(turn.lease.thread_id)
        if turn.state.done:
            del self._followed[news["turn"]]

    # -- telling of ours --------------------------------------------------------------------------

    def _hear_follow(self, message: PostMessage) -> None:
        turn = self._ours(message["thread"])
        if turn is None or turn.request.turn_id != message["turn"]:
            return
        key = (message["turn"], message["from"])
        if message["fresh"] or self._tellers.find(key) is None:
            self._telling[key] = _Telling(turn, message["from"], self._post)
            self._tellers.start(self._tell(key), key)
        self._telling[key].until = asyncio.get_running_loop().time() + FORGET_SECONDS

    async def _tell(self, key: tuple[str, str]) -> None:
        telling = self._telling[key]
        try:
            await telling.run()
        finally:
            if self._telling.get(key) is telling:
                del self._telling[key]

    def _hear_wish(self, message: PostMessage) -> None:
        turn = self._ours(message["thread"])
        if turn is None or turn.request.turn_id != message["turn"]:
            return
        match message["do"]:
            case "stop":
                turn.stop()
            case "pause":
                turn.inbox.pause()
            case "resume":
                turn.inbox.resume()
            case "say":
                turn.inbox.interject(message["text"])
            case "permit":
                turn.inbox.permit(message["step"], message["permission"])
        turn.state.touch()
