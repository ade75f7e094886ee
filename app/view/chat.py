"""The conversation in the browser: what happens when a person does something."""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from chainlit.types import ThreadDict

from app.attachments import AttachmentLimits, File, read_attachments
from app.conversation.modes.consultation.requested_roles import requested_roles
from app.conversation.turn import RunningTurn, Turns
from app.core.errors import KonsiliumError, StorageUnavailable
from app.core.events import StepKind
from app.core.options import ChatOptions
from app.core.ports import Models
from app.core.text import Text
from app.core.turns import Attachment, Question, StepRecord, TurnRequest, new_id, now
from app.core.usage import Outcome
from app.storage.history import Conversations
from app.view.chainlit.browser import Browser, open_on
from app.view.chainlit.identity import socket_session
from app.view.follower import Follower
from app.view.guide import Guide
from app.view.panels import Panel
from app.view.rendering import Drawing, draw
from app.view.start_limiter import asked

log = logging.getLogger(__name__)

CONTINUE = Text(
    ru="Продолжай с того места, где остановился.",
    uk="Продовжуй з того місця, де зупинився.",
    en="Go on from where you stopped.",
)


async def _nothing(_page: Browser) -> None:
    """Before the sockets are served."""


class Said(Protocol):
    """A message from the composer; Chainlit's own with files is one."""

    @property
    def id(self) -> str: ...

    @property
    def content(self) -> str: ...

    @property
    def modes(self) -> Mapping[str, str] | None: ...

    @property
    def elements(self) -> Sequence[Any]: ...


@dataclass(frozen=True, slots=True)
class Words:
    """A message without files."""

    id: str
    content: str
    modes: Mapping[str, str] | None = None
    elements: tuple[()] = ()


class Chat:
    """Handles what the browser sends. One for the whole process; all state is in the sessions."""

    def __init__(
        self,
        turns: Turns,
        models: Models,
        conversations: Conversations,
        panel: Panel,
        guide: Guide,
        limits: AttachmentLimits,
    ) -> None:
        self._turns = turns
        self._models = models
        self._conversations = conversations
        self.panel = panel
        self._guide = guide
        guide.recovered = panel.opened
        self._limits = limits
        turns.on_begun(self._begun)
        self.show_again: Callable[[Browser], Coroutine[Any, Any, None]] = _nothing
        """Sends a page all of its thread anew: set where the sockets are served."""
        self._following: dict[str, asyncio.Task[None]] = {}
        self._prepared: dict[str, Follower] = {}
        """Followers of sessions whose page is just being drawn."""
        self._background: set[asyncio.Task[None]] = set()

    # -- opening a chat ---------------------------------------------------------------------------

    async def started(self, browser: Browser) -> None:
        """A new chat: the user's own defaults, the panel, and a guide where no model answers."""
        await self.panel.take_defaults(browser)
        await self.panel.opened(browser)
        await self._guide.show(browser)
        await self.panel.mode_chosen(browser, "")

    async def resumed(self, browser: Browser, thread: ThreadDict) -> None:
        """A thread opened again, by a new page or by one whose connection broke: its choices, and the
        turn that may still be running in it, laid over what the database has."""
        self._unfollow(browser)
        metadata = thread.get("metadata") or {}
        browser.choose(metadata.get("chat_settings") or {})
        self.panel.choose_a_model(browser)
        turn = self._turns.running(browser.thread_id)
        if turn is not None:
            follower = Follower(turn, browser, self._models)
            _put_into(thread, follower.snapshot())
            self._prepared[browser.session.id] = follower
        elif form := await self.panel.form(browser):
            _put_into(thread, [form])
        self._spawn(self.panel.opened(browser))

    def answering(self, thread_id: str) -> bool:
        """Whether a turn is under way in that thread."""
        return self._turns.running(thread_id) is not None

    async def connected(self, browser: Browser) -> None:
        """The page has been sent the thread it asked for: the turn that runs there goes on."""
        if follower := self._prepared.pop(browser.session.id, None):
            self._follow(browser, self._catch_up(browser, follower))

    async def _catch_up(self, browser: Browser, follower: Follower) -> None:
        await browser.emit("task_start", {})
        await follower.follow()
        await self._entitled(browser, follower.turn)
        if not self.answering(browser.thread_id):  # else another question has taken its place
            await browser.emit("task_end", {})

    def _begun(self, turn: RunningTurn) -> None:
        """The other tabs on which the thread is open show the question too, and what becomes of it."""
        asking = socket_session()
        for page in open_on(turn.request.thread_id):
            if page.session is not asking and page.session.has_first_interaction:
                self._spawn(self.show_again(page))

    def _unfollow(self, browser: Browser) -> None:
        if former := self._following.get(browser.session.id):
            former.cancel()

    def _follow(self, browser: Browser, following: Coroutine[Any, Any, None]) -> None:
        """One follower a browser: a new one takes over from the former."""
        self._unfollow(browser)
        task = self._spawn(following)
        self._following[browser.session.id] = task

        def forget(done: "asyncio.Task[None]") -> None:
            if self._following.get(browser.session.id) is done:
                del self._following[browser.session.id]

        task.add_done_callback(forget)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        task = asyncio.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)
        return task

    # -- asking -----------------------------------------------------------------------------------

    async def said(self, browser: Browser, message: Said) -> None:
        """A new message from the composer."""
        picked = {key: value for key, value in (message.modes or {}).items() if value}
        changed = browser.choose(picked)
        attachments, refused = await self._read(browser, message)
        question = Question(message.id, message.content, attachments)
        request = self._request(browser, question)
        if request.options.mode == "chat" and requested_roles(question.text):
            request = replace(request, options=browser.options_of("consultation"))
        await self._answer(browser, request, refused)
        if changed:
            await self.panel.show(browser)
            await self.panel.keep(browser)

    async def _read(
        self, browser: Browser, message: Said
    ) -> tuple[tuple[Attachment, ...], KonsiliumError | None]:
        """The files of the message, read; and why one could not be."""
        if not message.elements:
            return (), None
        try:
            profile = self._models.profile(self._models.resolve(browser.options.text("model")))
        except KonsiliumError as error:
            return (), error
        files = [
            File(Path(element.path or ""), element.name, element.mime or "", element.id)
            for element in message.elements
        ]
        attachments, refused = await read_attachments(files, self._limits, profile)
        return tuple(attachments), next(iter(refused), None)

    async def edited(self, browser: Browser, message_id: str, text: str) -> None:
        """An earlier message says something else now: what came after it is gone."""
        await self._ask_again(browser, message_id, text=text)

    async def again(
        self, browser: Browser, turn_id: str, *, take_cached: str | None = None
    ) -> None:
        """Retry and Regenerate: the question of that turn is asked anew, past the cache; or answered
        by the entry of the cache that the person took."""
        await browser.emit("delete_message", {"id": turn_id})
        await self._ask_again(
            browser, turn_id, bypass_cache=take_cached is None, take_cached=take_cached
        )

    async def go_on(self, browser: Browser) -> None:
        """Continue: asks the model to go on from where its answer was cut off."""
        await self.ask(browser, CONTINUE[browser.language])

    async def ask(self, browser: Browser, text: str, options: ChatOptions | None = None) -> None:
        """A question that a button asks in the person's name."""
        question = Question(new_id(), text)
        request = self._request(browser, question)
        record = StepRecord(
            question.id,
            browser.thread_id,
            "user_message",
            browser.user_name,
            "question",
            output=question.text,
            ended_at=now(),
        )
        await browser.show(draw(record, browser.language))
        await self._run(browser, replace(request, options=options or request.options))

    async def _ask_again(
        self, browser: Browser, step_id: str, *, text: str | None = None, **fields: Any
    ) -> None:
        question = await self._conversations.question(browser.user_id, browser.thread_id, step_id)
        if text is not None:
            question = replace(question, text=text)
            await browser.emit("update_message", {"id": question.id, "output": text})
        request = replace(self._request(browser, question), rewind=True, **fields)
        await self._run(browser, request)

    def _request(self, browser: Browser, question: Question) -> TurnRequest:
        return TurnRequest(
            thread_id=browser.thread_id,
            user_id=browser.user_id,
            question=question,
            options=browser.options,
            language=browser.language,
            author=browser.user_name,
        )

    async def _run(self, browser: Browser, request: TurnRequest) -> None:
        await browser.emit("task_start", {})
        try:
            await self._answer(browser, request)
        finally:
            await browser.emit("task_end", {})

    async def _answer(
        self, browser: Browser, request: TurnRequest, refused: KonsiliumError | None = None
    ) -> None:
        try:
            turn = await self._turns.start(request, refused)
        except StorageUnavailable as error:
            log.error("question %s could not be stored: %s", request.question.id, error.detail)
            await self._say_unstored(browser, request, error)
            return
        follower = Follower(turn, browser, self._models)
        self._follow(browser, follower.follow())
        if request.rewind or not browser.session.has_first_interaction:
            browser.session.has_first_interaction = True
            await self._renamed(browser, request.question.text)
            await browser.session.flush_method_queue()  # what waited for the thread to be there
        await turn.asked.wait()
        asked()
        await turn.wait()
        words = turn.inbox.take()
        await self._entitled(browser, turn)
        for text in words:  # put in at the last moment, when nobody listened any more
            await self.ask(browser, text)

    async def _entitled(self, browser: Browser, turn: RunningTurn) -> None:
        """The answer may have brought a name for the thread."""
        if (settled := turn.state.settled) and settled.title:
            await self._renamed(browser, settled.title)

    async def _renamed(self, browser: Browser, title: str) -> None:
        """The list of threads is fetched anew, with the name this one has now."""
        interaction = {"interaction": title, "thread_id": browser.thread_id}
        await browser.emit("first_interaction", interaction)

    async def _say_unstored(
        self, browser: Browser, request: TurnRequest, error: KonsiliumError
    ) -> None:
        record = StepRecord(
            new_id(),
            request.thread_id,
            "assistant_message",
            "Konsilium",
            StepKind.NOTICE,
            turn_id=request.turn_id,
            metadata={"error": {"code": error.code}},
            outcome=Outcome.FAILED,
            ended_at=now(),
            is_error=True,
        )
        await browser.show(draw(record, browser.language))

    # -- stopping ---------------------------------------------------------------------------------

    async def stopped(self, browser: Browser) -> None:
        """Stop: the call upstream is closed, what was written stays; its card says so."""
        if turn := self._turns.running(browser.thread_id):
            turn.stop()


def _put_into(thread: ThreadDict, drawings: Sequence[Drawing]) -> None:
    """Lays what is drawn now over what the database has of it."""
    live = {drawing.step["id"] for drawing in drawings}
    steps = [step for step in thread.get("steps", []) if step["id"] not in live]
    thread["steps"] = [*steps, *(drawing.step for drawing in drawings)]
    elements = list(thread.get("elements") or [])
    elements += [element for drawing in drawings for element in drawing.elements]
    thread["elements"] = elements
