"""The conversation in the browser: what happens when a person does something."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from chainlit.message import Message
from chainlit.types import ThreadDict

from app.attachments import AttachmentLimits, File, read_attachments
from app.conversation.mode import Mode
from app.conversation.modes import mode_named
from app.conversation.modes.consultation.wishes import wished_roles
from app.conversation.turn import RunningTurn, Turns
from app.core.errors import KonsiliumError, StorageUnavailable
from app.core.events import StepKind
from app.core.options import ChatOptions
from app.core.ports import Conversations, KeyValueStore, Models
from app.core.text import Text
from app.core.turns import Attachment, Question, StepRecord, TurnRequest, new_id, now
from app.core.usage import Outcome
from app.view.follower import Follower
from app.view.guide import Guide
from app.view.panel_facts import PanelFacts
from app.view.rendering import Drawing, draw
from app.view.session import Browser
from app.view.settings_panel import pickers, widgets

log = logging.getLogger(__name__)

CONTINUE = Text(
    ru="Продолжай с того места, где остановился.",
    uk="Продовжуй з того місця, де зупинився.",
    en="Go on from where you stopped.",
)
DEFAULTS = "chat-defaults"
"""Scope of the key-value store: each user's choices for new chats."""

Form = Callable[[Browser, bool], Awaitable[Drawing]]
"""Draws what a mode is set up with: form(browser, unfolded)."""


class Chat:
    """Handles what the browser sends. One for the whole process; all state is in the sessions."""

    def __init__(
        self,
        turns: Turns,
        models: Models,
        modes: Sequence[Mode],
        conversations: Conversations,
        values: KeyValueStore,
        guide: Guide,
        limits: AttachmentLimits,
        facts: PanelFacts,
    ) -> None:
        self._turns = turns
        self._models = models
        self._modes = modes
        self._conversations = conversations
        self._values = values
        self._guide = guide
        guide.recovered = self.opened
        self._limits = limits
        self._facts = facts
        self._following: dict[str, asyncio.Task[None]] = {}
        self._prepared: dict[str, Follower] = {}
        """Followers of sessions whose page is just being drawn."""
        self._background: set[asyncio.Task[None]] = set()
        self._forms: dict[str, Form] = {}

    def has_form(self, mode_id: str, form: Form) -> None:
        """A mode that needs more than the panel has: its form comes when a person chooses it, goes
        when they leave it, and waits folded in a thread opened again."""
        self._forms[mode_id] = form

    async def _mode_chosen(self, browser: Browser, before: str) -> None:
        mode = browser.options.mode
        if mode == before:
            return
        if form := self._forms.get(before):
            await browser.emit("delete_message", {"id": (await form(browser, False)).step["id"]})
        if form := self._forms.get(mode):
            await browser.show(await form(browser, True))

    # -- opening a chat ---------------------------------------------------------------------------

    async def started(self, browser: Browser) -> None:
        """A new chat: the user's own defaults, the panel, and a guide where no model answers."""
        browser.choose(await self._values.get(DEFAULTS, browser.user_id) or {})
        await self.opened(browser)
        await self._guide.show(browser)
        await self._mode_chosen(browser, "")

    async def resumed(self, browser: Browser, thread: ThreadDict) -> None:
        """A thread opened again, by a new page or by one whose connection broke: its choices, and the
        turn that may still be running in it, laid over what the database has."""
        self._unfollow(browser)
        metadata = thread.get("metadata") or {}
        browser.choose(metadata.get("chat_settings") or {})
        self._choose_a_model(browser)
        turn = self._turns.running(browser.thread_id)
        if turn is not None:
            follower = Follower(turn, browser, self._models)
            _put_into(thread, follower.snapshot())
            self._prepared[browser.session.id] = follower
        elif form := self._forms.get(browser.options.mode):
            _put_into(thread, [await form(browser, False)])
        self._spawn(self.opened(browser))

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
        await browser.emit("task_end", {})

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

    # -- the panel --------------------------------------------------------------------------------

    def _choose_a_model(self, browser: Browser) -> None:
        """A thread has a model from the first: the one chosen, else the default."""
        if browser.options.text("model"):
            return
        try:
            browser.choose({"model": str(self._models.resolve(""))})
        except KonsiliumError:
            log.debug("no model to choose yet")

    async def show_panel(self, browser: Browser) -> None:
        """Sends the settings panel and the composer's pickers with the present choices."""
        await self._send_widgets(browser, browser.options.values)
        await self.show_pickers(browser)

    async def show_pickers(self, browser: Browser) -> None:
        """Sends the composer's pickers."""
        options, states = browser.options, self._models.states()
        composer = pickers(options, self._modes, states, browser.language)
        await browser.emit("set_modes", [picker.to_dict() for picker in composer])

    async def opened(self, browser: Browser) -> None:
        """The person opened the panel or a picker: its list is made fresh."""
        await self._models.refresh()
        self._choose_a_model(browser)
        await self.show_panel(browser)

    async def _send_widgets(self, browser: Browser, values: Mapping[str, Any]) -> None:
        mode, states = mode_named(browser.options.mode), self._models.states()
        options = widgets(values, mode, states, browser.language)
        panel = await self._facts.put_into(options, browser)
        await browser.emit("chat_settings", [widget.to_dict() for widget in panel])

    async def chosen(self, browser: Browser, choices: Mapping[str, Any]) -> None:
        """The person confirmed the panel: for this thread, and as the default of new ones."""
        browser.choose(choices)
        await self.show_panel(browser)
        await self._keep_choices(browser)

    async def chosen_here(self, browser: Browser, choices: Mapping[str, Any]) -> None:
        """A button of this thread chose for it alone: new chats keep their defaults."""
        browser.choose(choices)
        await self.show_panel(browser)
        await self._conversations.keep_settings(
            browser.user_id, browser.thread_id, _values(browser.options)
        )

    async def picked(self, browser: Browser, picker: str, name: str) -> None:
        """The person chose in the composer: it holds at once, for an edit and a retry too."""
        composer = pickers(browser.options, self._modes, self._models.states(), browser.language)
        options = [o for p in composer if p.id == picker for o in p.options if o.name == name]
        before = browser.options.mode
        if options and browser.choose({picker: options[0].id}):
            await self._send_widgets(browser, browser.options.values)
            await self._keep_choices(browser)
            await self._mode_chosen(browser, before)

    async def editing(self, browser: Browser, choices: Mapping[str, Any]) -> None:
        """The person is changing the panel: options that need a switch follow it at once."""
        await self._send_widgets(browser, {**browser.options.values, **choices})

    async def _keep_choices(self, browser: Browser) -> None:
        values = _values(browser.options)
        await self._values.put(DEFAULTS, browser.user_id, values)
        await self._conversations.keep_settings(browser.user_id, browser.thread_id, values)

    # -- asking -----------------------------------------------------------------------------------

    async def said(self, browser: Browser, message: Message) -> None:
        """A new message from the composer."""
        picked = {key: value for key, value in (message.modes or {}).items() if value}
        changed = browser.choose(picked)
        attachments, refused = await self._read(browser, message)
        question = Question(message.id, message.content, attachments)
        request = self._request(browser, question)
        if request.options.mode == "chat" and wished_roles(question.text):
            request = replace(request, options=browser.options_of("consultation"))
        await self._run(browser, request, refused)
        if changed:
            await self.show_panel(browser)
            await self._keep_choices(browser)

    async def _read(
        self, browser: Browser, message: Message
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

    async def _run(
        self, browser: Browser, request: TurnRequest, refused: KonsiliumError | None = None
    ) -> None:
        await browser.emit("task_start", {})
        try:
            turn = await self._turns.start(request, refused)
        except StorageUnavailable as error:
            log.error("question %s could not be stored: %s", request.question.id, error.detail)
            await self._say_unstored(browser, request, error)
        else:
            follower = Follower(turn, browser, self._models)
            self._follow(browser, follower.follow())
            if request.rewind or not browser.session.has_first_interaction:
                browser.session.has_first_interaction = True  # Chainlit sees typed ones alone
                await self._renamed(browser, request.question.text)
            await turn.wait()
            words = turn.inbox.take()
            await self._entitled(browser, turn)
            for text in words:  # put in at the last moment, when nobody listened any more
                await self.ask(browser, text)
        finally:
            await browser.emit("task_end", {})

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


def _values(options: ChatOptions) -> dict[str, Any]:
    return {"mode": options.mode, **options.values}


def _put_into(thread: ThreadDict, drawings: Sequence[Drawing]) -> None:
    """Lays what is drawn now over what the database has of it."""
    live = {drawing.step["id"] for drawing in drawings}
    steps = [step for step in thread.get("steps", []) if step["id"] not in live]
    thread["steps"] = [*steps, *(drawing.step for drawing in drawings)]
    elements = list(thread.get("elements") or [])
    elements += [element for drawing in drawings for element in drawing.elements]
    thread["elements"] = elements
