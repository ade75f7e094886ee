"""The conversation in the browser: what happens when a person does something."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol
from weakref import WeakKeyDictionary, WeakSet, WeakValueDictionary

from app.attachments import AttachmentLimits, File, read_attachments, unseen
from app.attachments.reading import MAX_CONCURRENT
from app.conversation.modes.consultation.requested_roles import requested_roles
from app.conversation.replicas import Turn
from app.conversation.turn import Turns
from app.core.concurrency import BackgroundTasks
from app.core.errors import KonsiliumError, StorageUnavailable
from app.core.events import StepKind
from app.core.options import ChatOptions
from app.core.ports import Models
from app.core.text import Text
from app.core.threads import BranchSwitch
from app.core.turns import Question, StepRecord, TurnRequest, new_id, now
from app.core.usage import Outcome
from app.storage.elements import Elements
from app.storage.history import Conversations
from app.view.chainlit.browser import PRESET, PROJECT, TEMPORARY, Browser, guarded, open_on
from app.view.chainlit.dicts import (
    ElementDict,
    ThreadDict,
    element_dict,
    upload_dict,
    upload_record,
)
from app.view.chainlit.identity import socket_session
from app.view.follower import Follower
from app.view.guide import Guide
from app.view.panels import Panel
from app.view.rendering import Drawing, draw
from app.view.start_limiter import begun
from app.view.temporary import say_apart

log = logging.getLogger(__name__)

CONTINUE = Text(
    ru="Продолжай с того места, где остановился.",
    uk="Продовжуй з того місця, де зупинився.",
    en="Go on from where you stopped.",
)


class ReadThread(Protocol):
    """What the page is sent of a thread's active branch, by the thread's id, as whoever asks may read it;
    from a question on, the questions and turns that are near, or all of it."""

    async def __call__(
        self, thread_id: str, first: str | None = None, near: Sequence[str] = ()
    ) -> ThreadDict | None: ...


@dataclass(frozen=True, slots=True)
class ComposerMessage:
    """What a person sends from the composer: words, what its pickers show, and uploaded files."""

    id: str
    text: str
    picked: Mapping[str, str] = field(default_factory=dict)
    files: tuple[File, ...] = ()


REST_SECONDS = 0.3
"""After what fits a screen the rest of a branch comes: not while a person steps on from one to the next."""
KEPT_MESSAGES = 10_000
"""Of which it is known that they have come: some megabytes."""


class Chat:
    """Handles what the browser sends. One for the whole process; all state is in the sessions."""

    def __init__(
        self,
        turns: Turns,
        models: Models,
        panel: Panel,
        guide: Guide,
        limits: AttachmentLimits,
        conversations: Conversations,
        elements: Elements,
        read_thread: ReadThread,
    ) -> None:
        self._turns = turns
        self._models = models
        self._conversations = conversations
        self.panel = panel
        self._guide = guide
        self._limits = limits
        self._elements = elements
        self._read_thread = read_thread
        turns.on_switched(self._show_switched)
        conversations.on_switched(self._show_switched)
        self._background = BackgroundTasks()
        """By a browser's id, who brings it what it does not yet have of the branch that it shows, and follows
        the turn that runs there."""
        self._drawing: WeakKeyDictionary[object, asyncio.Lock] = WeakKeyDictionary()
        """Held while a page is sent all of its thread, and while a question of its own begins: what was
        read before the question would wipe it out and end the drawing of its answer."""
        self._incomplete: WeakSet[object] = WeakSet()
        """The sessions of pages that lack the rest of the branch that they show."""
        self._newest: WeakKeyDictionary[object, BranchSwitch] = WeakKeyDictionary()
        """By session, the last change of branch that its page is to show."""
        self._places: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()
        """By user, for the files that are read for them at once, however many questions they send."""
        self._received: dict[tuple[str, str], None] = {}
        """The last messages that came, by who sent them."""

    def _alone(self, browser: Browser) -> asyncio.Lock:
        return self._drawing.setdefault(browser.session, asyncio.Lock())

    # -- opening a chat ---------------------------------------------------------------------------

    async def open(self, browser: Browser) -> None:
        """Sends the page the thread that it wants, and the turn that runs there; or begins a chat."""
        wanted = browser.wanted_thread
        if not wanted or await self._turns.find(wanted) is None:
            await browser.emit("task_end", {})  # else a question that waits would go out
        for event in ("clear_ask", "clear_call_fn"):
            await browser.emit(event, {})
        if wanted:
            async with self._alone(browser):
                if thread := await self._thread(browser, wanted):
                    await self._resume(browser, *thread)
                    return
            await browser.emit("task_end", {})
            await browser.emit("resume_thread_error", "Thread not found.")
        if browser.begin_chat():
            self._background.start(guarded(browser, self._start(browser)))

    async def _start(self, browser: Browser) -> None:
        """A new chat: the user's own defaults, the panel, and a guide where no model answers."""
        await self.panel.take_defaults(browser)
        await self.panel.opened(browser)
        await self._guide.show(browser)
        await self.panel.mode_chosen(browser, "")

    async def _thread(
        self, browser: Browser, thread_id: str, first: str | None = None
    ) -> tuple[ThreadDict, Turn | None] | None:
        """The thread, or what is in it from the question `first` on, if it is the person's own, and the
        turn that runs in it. One whose turn ended while it was being read was read unfinished, and is
        read again."""
        thread = await self._read_thread(thread_id, first)
        if thread is None or thread["userId"] != browser.user_id:
            return None
        running = any(s["type"] == "run" and s.get("end") is None for s in thread["steps"])
        turn = await self._turns.find(thread_id)
        if running and turn is None:
            thread = await self._read_thread(thread_id, first)
        return (thread, turn) if thread is not None else None

    async def _resume(self, browser: Browser, thread: ThreadDict, turn: Turn | None) -> None:
        """A thread opened again, by a new page or by one whose connection broke: its choices, and the
        turn that may still be running in it, laid over what the database has."""
        known = thread.get("metadata") or {}
        if thread["steps"]:
            browser.begin_thread()
        elif known.get(TEMPORARY) and not known.get("chat_settings"):  # it has only been made
            await self.panel.take_defaults(browser)
        await browser.emit(
            "first_interaction", {"interaction": "resume", "thread_id": thread["id"]}
        )
        self._background.stop(browser.id)
        self._take_choices(browser, thread)
        follower = self._lay_over(browser, thread, turn)
        if follower is None and (form := await self.panel.form(browser)):
            _put_into(thread, [form])
        await browser.emit("resume_thread", thread)
        self._incomplete.discard(browser.session)
        await browser.emit("window_message", {"konsilium_opened": thread["id"]})
        await say_apart(browser)
        await self._titled(browser, thread["name"] or "")
        self._background.start(guarded(browser, self.panel.resumed(browser)))
        if follower is not None:
            self._background.start(self._catch_up(browser, follower), browser.id)
        else:
            await browser.emit("task_end", {})

    def _take_choices(self, browser: Browser, thread: ThreadDict) -> bool:
        """Those of the thread; says whether the page had others."""
        known = thread.get("metadata") or {}
        apart = {
            TEMPORARY: known.get(TEMPORARY) is True,
            PRESET: str(known.get(PRESET) or ""),
            PROJECT: known.get(PROJECT),
        }
        changed = browser.choose({**(known.get("chat_settings") or {}), **apart})
        self.panel.choose_a_model(browser)
        return changed

    def _lay_over(self, browser: Browser, thread: ThreadDict, turn: Turn | None) -> Follower | None:
        """Puts what the running turn has said into the thread, where it is of the branch shown; returns
        who goes on from there."""
        if turn is None or all(step["id"] != turn.request.turn_id for step in thread["steps"]):
            return None
        follower = Follower(turn, browser, self._models, _arrows(thread, turn.request.turn_id))
        _put_into(thread, follower.snapshot())
        if (arrows := follower.arrows) is not None:
            others = [e for e in thread["elements"] or [] if e["id"] != arrows["id"]]
            thread["elements"] = [*others, arrows]
        return follower

    async def switch(self, browser: Browser, step_id: str) -> None:
        """Shows the branch through that step, here and in the other tabs. A turn that runs in the branch
        left goes on there. What could not be read for the page the last time is read again."""
        switched = await self._conversations.switch(browser.thread_id, browser.user_id, step_id)
        if switched.changed:
            await self._show_branch(browser, switched)
        elif browser.session in self._incomplete and not self._background.find(browser.id):
            await self.show_again(browser)

    async def _show_branch(self, browser: Browser, switched: BranchSwitch) -> None:
        """Shows what is different. What fits a screen need not wait for a thousand messages, and the next
        step between branches not for those of this one."""
        self._background.stop(browser.id)
        self._incomplete.add(browser.session)
        self._newest[browser.session] = switched
        if not switched.whole:
            async with self._alone(browser):
                near = await self._read_thread(browser.thread_id, near=switched.near)
                self._incomplete.add(browser.session)  # all of the thread may have come before it
                await _put_below(browser, switched, near, more=True)
        if self._newest.get(browser.session) is switched:
            self._background.start(guarded(browser, self._complete(browser, switched)), browser.id)

    async def _complete(self, browser: Browser, switched: BranchSwitch) -> None:
        """All of the branch from where it differs, and the turn that runs in it."""
        if not switched.whole:
            await asyncio.sleep(REST_SECONDS)
        async with self._alone(browser):
            found = await self._thread(browser, browser.thread_id, switched.first)
            if found is None:  # deleted meanwhile: whoever did it has told the page
                return
            thread, turn = found
            follower = self._lay_over(browser, thread, turn)
            await _put_below(browser, switched, thread)
            self._incomplete.discard(browser.session)
            if follower is None:
                await browser.emit("task_end", {})
        if switched.asked and self._take_choices(browser, thread):
            self._background.start(guarded(browser, self.panel.show(browser)))
        await self._renamed(browser, thread["name"] or "")
        if follower is not None:
            await self._catch_up(browser, follower)

    async def fork(self, browser: Browser, step_id: str) -> None:
        """The conversation up to that answer goes on in a thread of its own, which the page opens."""
        made = await self._conversations.fork(browser.user_id, browser.thread_id, step_id)
        await browser.emit("window_message", {"konsilium_open": made})

    async def add_turn(
        self, browser: Browser, turn: Sequence[StepRecord], shown: str | None = None
    ) -> None:
        """Stores a turn beside the other answers of its question, and shows it; or whatever steps, and
        shows the turn `shown`."""
        await self._conversations.add_turn(browser.user_id, turn, shown)
        browser.want_again()
        await self.open(browser)

    def _show_switched(self, thread_id: str, switched: BranchSwitch | None) -> None:
        """What is different of the thread on its other pages: a question, and what becomes of it, or another
        branch."""
        if switched is not None and not switched.changed:
            return
        for page in _others(thread_id):
            shown = self.show_again(page) if switched is None else self._follow(page, switched)
            self._background.start(guarded(page, shown))

    async def _follow(self, page: Browser, switched: BranchSwitch) -> None:
        page.enter()
        await self._show_branch(page, switched)

    async def _catch_up(self, browser: Browser, follower: Follower) -> None:
        await browser.emit("task_start", {})
        await follower.follow()
        await self._entitled(browser, follower.turn)
        if await self._turns.find(browser.thread_id):  # another question has taken its place
            return
        await browser.emit("task_end", {})
        if follower.turn.lost:
            self._background.start(guarded(browser, self.show_again(browser)))

    async def show_again(self, page: Browser) -> None:
        """Sends a page all of its thread anew."""
        page.enter()
        page.want_again()
        await self.open(page)

    # -- asking -----------------------------------------------------------------------------------

    async def receive(self, browser: Browser, message: ComposerMessage) -> None:
        """A new message from the composer. One that comes twice (a page whose connection broke sends again
        what it does not know to have arrived) is answered once."""
        if not self._is_new(browser.user_id, message.id):
            await self.show_again(browser)
            return
        changed = browser.choose(message.picked)
        for file in message.files:  # shown from the upload until it is stored
            await browser.emit("element", upload_dict(file, browser.thread_id, message.id))
        places = self._places.setdefault(browser.user_id, asyncio.Semaphore(MAX_CONCURRENT))
        read, refused = await read_attachments(message.files, self._limits, places)
        question = Question(message.id, message.text, tuple(read))
        request = self._request(browser, question)
        if request.options.mode == "chat" and requested_roles(question.text):
            request = replace(request, options=browser.options_of("consultation"))
        await self._answer(browser, request, next(iter(refused), None), message.files)
        if changed:
            await self.panel.show(browser)
            await self.panel.keep(browser)

    def _is_new(self, user_id: str, message_id: str) -> bool:
        if (user_id, message_id) in self._received:
            return False
        self._received[user_id, message_id] = None
        if len(self._received) > KEPT_MESSAGES:
            del self._received[next(iter(self._received))]
        return True

    def _unseen(self, request: TurnRequest) -> KonsiliumError | None:
        """Why the chosen model cannot be shown the question's pictures. They are kept with it, so that
        another model may be asked."""
        if not request.question.attachments:
            return None
        try:
            profile = self._models.profile(self._models.resolve(request.options.text("model")))
        except KonsiliumError as error:
            return error
        return unseen(request.question.attachments, profile)

    async def _keep(self, browser: Browser, files: Sequence[File], request: TurnRequest) -> None:
        """Stores the files of a question, and shows them from there; no copy of an upload stays, which
        would outlive its thread."""
        for file in files:
            record = upload_record(file, request.thread_id, request.question.id)
            content = await asyncio.to_thread(file.path.read_bytes)
            await self._elements.write(record, request.user_id, content)
            await browser.emit("element", element_dict(replace(record, has_file=True)))
            await asyncio.to_thread(browser.forget_upload, str(file.element_id))

    async def edited(self, browser: Browser, message_id: str, text: str) -> None:
        """An earlier question, asked in other words: it stands beside the first, with the same files."""
        asked = await self._conversations.question(browser.user_id, browser.thread_id, message_id)
        question = Question(new_id(), text)
        await browser.emit("delete_message", {"id": asked.id})
        await browser.show(question_drawing(browser, question.id, question.text))
        ids = await self._elements.copy(browser.thread_id, browser.user_id, asked.id, question.id)
        files = tuple(replace(one, element_id=ids[one.element_id]) for one in asked.attachments)
        request = self._request(browser, replace(question, attachments=files))
        await self._run(browser, replace(request, instead_of=asked.id))

    async def again(
        self,
        browser: Browser,
        turn_id: str,
        *,
        take_cached: str | None = None,
        parts: tuple[StepRecord, ...] = (),
        mode: str | None = None,
    ) -> None:
        """Retry and Regenerate: the question of that turn is asked anew, past the cache; or answered
        by the entry of the cache that the person took, or with what `parts` of that turn are whole; or
        in another `mode`."""
        await browser.emit("delete_message", {"id": turn_id})
        question = await self._conversations.question(browser.user_id, browser.thread_id, turn_id)
        request = replace(
            self._request(browser, question),
            again=True,
            bypass_cache=take_cached is None,
            take_cached=take_cached,
            parts=parts,
        )
        if mode is not None:
            request = replace(request, options=browser.options_of(mode))
        await self._run(browser, request)

    async def go_on(self, browser: Browser) -> None:
        """Continue: asks the model to go on from where its answer was cut off."""
        await self.ask(browser, CONTINUE[browser.language])

    async def ask(self, browser: Browser, text: str, options: ChatOptions | None = None) -> None:
        """A question that a button asks in the person's name."""
        question = Question(new_id(), text)
        request = self._request(browser, question)
        await browser.show(question_drawing(browser, question.id, question.text))
        await self._run(browser, replace(request, options=options or request.options))

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
            await self.answered(browser)

    async def answered(self, browser: Browser) -> None:
        """Nothing is answered any more, unless another question has taken the place of the last."""
        if self._turns.running(browser.thread_id) is None:
            await browser.emit("task_end", {})

    async def _answer(
        self,
        browser: Browser,
        request: TurnRequest,
        refused: KonsiliumError | None = None,
        files: Sequence[File] = (),
    ) -> None:
        branched = request.again or request.instead_of is not None
        async with self._alone(browser):
            try:
                turn = await self._turns.start(request, refused or self._unseen(request))
            except StorageUnavailable as error:
                log.error("question %s could not be stored: %s", request.question.id, error.detail)
                await self._say_unstored(browser, request, error)
                return
            if branched:  # what it took the place of may have ended a moment ago
                await browser.emit("task_start", {})
            arrows = await self._draw_arrows(browser, request) if branched else None
            if browser.session in self._incomplete:  # all at once, with this question
                drawn = self._background.start(guarded(browser, self.show_again(browser)))
            else:
                follower = Follower(turn, browser, self._models, arrows)
                drawn = self._background.start(follower.follow(), browser.id)
        if files:
            self._background.start(guarded(browser, self._keep(browser, files, request)))
        if branched or not browser.has_thread:
            browser.begin_thread()
            await self._renamed(browser, request.question.text)
            await browser.emit("window_message", {"konsilium_thread": browser.thread_id})
        await turn.prompted.wait()
        begun()
        await turn.wait()
        await asyncio.wait({drawn})  # its last words come before its end
        words = turn.inbox.take()
        await self._entitled(browser, turn)
        for text in words:  # put in at the last moment, when nobody listened any more
            await self.ask(browser, text)

    async def _draw_arrows(self, browser: Browser, request: TurnRequest) -> ElementDict | None:
        """What hangs on a question that has branched off; returns the arrows to its other answers."""
        thread = await self._read_thread(request.thread_id, request.question.id)
        if thread is None:
            return None
        for card in thread["elements"] or []:
            if card["forId"] == request.question.id:
                await browser.emit("element", card)
        arrows = _arrows(thread, request.turn_id)
        before = (
            request.instead_of or (((arrows or {}).get("props") or {}).get("ids") or [None])[-2]
        )
        if before is not None:
            await browser.emit("window_message", {"konsilium_undo": {"step": before}})
        return arrows

    async def _entitled(self, browser: Browser, turn: Turn) -> None:
        """The answer may have brought a name for the thread."""
        if turn.state.title:
            await self._renamed(browser, turn.state.title)

    async def _renamed(self, browser: Browser, title: str) -> None:
        """The list of threads is fetched anew, with the name this one has now."""
        interaction = {"interaction": title, "thread_id": browser.thread_id}
        await browser.emit("first_interaction", interaction)
        await self._titled(browser, title)

    async def _titled(self, browser: Browser, title: str) -> None:
        """The tab is called as the thread."""
        await browser.emit("window_message", {"konsilium_title": [browser.thread_id, title]})

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
        if turn := await self._turns.find(browser.thread_id):
            turn.stop()


def _arrows(thread: ThreadDict, node: str) -> ElementDict | None:
    """The arrows to the siblings of that question or turn, where it has any."""
    cards = (e for e in thread["elements"] or [] if e["name"] == "Siblings")
    return next((card for card in cards if (card.get("props") or {}).get("node") == node), None)


def _others(thread_id: str) -> list[Browser]:
    """The pages that show the thread, but the one for which something is done."""
    asking = socket_session()
    return [page for page in open_on(thread_id) if page.session is not asking and page.has_thread]


async def _put_below(
    browser: Browser, switched: BranchSwitch, thread: ThreadDict | None, *, more: bool = False
) -> None:
    """On the page that part of a thread stands in place of what was there; whether `more` of it follows."""
    if thread is None:
        return
    part = {
        "cut": switched.cut if more or switched.whole else switched.first,
        "steps": thread["steps"],
        "elements": thread["elements"],
        "more": more,
        "asked": switched.asked,
    }
    await browser.emit("konsilium_branch", part)


def question_drawing(browser: Browser, question_id: str, text: str) -> Drawing:
    """A question as the page shows it before it is stored."""
    record = StepRecord(
        question_id,
        browser.thread_id,
        "user_message",
        browser.user_name,
        "question",
        output=text,
        ended_at=now(),
    )
    return draw(record, browser.language)


def _put_into(thread: ThreadDict, drawings: Sequence[Drawing]) -> None:
    """Lays what is drawn now over what the database has of it."""
    live = {drawing.step["id"] for drawing in drawings}
    steps = [step for step in thread.get("steps", []) if step["id"] not in live]
    thread["steps"] = [*steps, *(drawing.step for drawing in drawings)]
    drawn = {element["id"]: element for drawing in drawings for element in drawing.elements}
    kept = [one for one in thread.get("elements") or [] if one["id"] not in drawn]
    thread["elements"] = [*kept, *drawn.values()]
