"""Draws a running turn in one browser, at the pace of the eye.

The first words are shown the moment they come; later ones are joined to about 25 updates a second,
because the client renders the whole Markdown anew for each (measured: 19.3 ms of server CPU per
1,000 characters token by token, 2.9 joined at 40 ms).
"""

import asyncio
import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, cast
from uuid import NAMESPACE_URL, uuid5

from app.conversation.replicas import Turn
from app.conversation.state import LiveStep, TurnState
from app.core.events import StepKind
from app.core.ports import Models
from app.core.text import Language, Text
from app.core.turns import StepRecord, new_id, now
from app.core.usage import Outcome
from app.view.chainlit.dicts import ElementDict, stamp
from app.view.rendering import APP_NAME, Drawing, draw, element

FRAME_SECONDS = 0.04
PATIENCE_SECONDS = 2.0

LOADING = Text(
    ru="Модель загружается в память… {seconds} с",
    uk="Модель завантажується в пам'ять… {seconds} с",
    en="The model is being loaded into memory… {seconds} s",
)
RELOADING = Text(
    ru="Модель загружается заново, с окном побольше… {seconds} с",
    uk="Модель завантажується заново, з більшим вікном… {seconds} с",
    en="The model is being loaded anew, with a larger window… {seconds} s",
)
READING = Text(
    ru="Модель читает разговор… {seconds} с",
    uk="Модель читає розмову… {seconds} с",
    en="The model is reading the conversation… {seconds} s",
)
QUEUED = Text(
    ru="Сервер пишет другой ответ, ваш вопрос ждёт своей очереди… {seconds} с",
    uk="Сервер пише іншу відповідь, ваше запитання чекає своєї черги… {seconds} с",
    en="Another answer is running on this server, yours waits its turn… {seconds} s",
)
WAITING = Text(
    ru="Ждём ответа сервера… {seconds} с",
    uk="Чекаємо на відповідь сервера… {seconds} с",
    en="Waiting for the server… {seconds} s",
)
NOT_STORED = Text(
    ru="Ответ пока не удаётся сохранить. Пробуем ещё.",
    uk="Відповідь поки не вдається зберегти. Пробуємо ще.",
    en="The answer cannot be stored yet. Still trying.",
)
STORED = Text(ru="Ответ сохранён.", uk="Відповідь збережено.", en="The answer is stored.")


class Screen(Protocol):
    """One browser: what is emitted appears there, or nowhere if it has gone away."""

    @property
    def language(self) -> Language: ...

    async def emit(self, event: str, data: Any) -> None: ...


@dataclass(frozen=True, slots=True)
class _Drawn:
    """How much of a step the browser has."""

    version: int
    chunks: int

    @classmethod
    def of(cls, step: LiveStep) -> "_Drawn":
        return cls(step.version, len(step.chunks))


@dataclass(frozen=True, slots=True)
class _Steering:
    """Where a dialogue stands that a person may steer: running or paused, and whose words wait."""

    state: str
    waiting: tuple[str, ...]


class Follower:
    """Follows one turn for one screen. `follow()` returns when the turn is stored."""

    def __init__(
        self,
        turn: Turn,
        screen: Screen,
        models: Models,
        arrows: ElementDict | None = None,
        *,
        frame_seconds: float = FRAME_SECONDS,
        patience_seconds: float = PATIENCE_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.turn = turn
        self._state: TurnState = turn.state
        self._request = turn.request
        self._screen = screen
        self._models = models
        self._arrows = arrows
        """To the other answers of the question: they stand under the last message."""
        self._frame = frame_seconds
        self._patience = patience_seconds
        self._clock = clock
        self._drawn: dict[str, _Drawn] = {}
        self._waiting: asyncio.Task[None] | None = None
        self._progress_id = new_id()
        self._progress_shown = False
        self._trouble = False
        self._run_drawn = False
        self._steering: _Steering | None = None
        """What the browser was told of a dialogue that it may steer."""

    def snapshot(self) -> list[Drawing]:
        """All that was said so far, for a page that opens in mid-answer; `follow()` goes on from it."""
        self._run_drawn = True
        drawings = [self._draw_run()]
        for step in self._state.steps.values():
            self._drawn[step.id] = _Drawn.of(step)
            drawings.append(self._drawing(step))
            self._move_arrows(step)
        return drawings

    @property
    def arrows(self) -> ElementDict | None:
        """The arrows to the other answers, where they stand now."""
        return self._arrows

    def _move_arrows(self, step: LiveStep) -> bool:
        """Whether the arrows stand under this step from now on."""
        message = step.kind in (StepKind.ANSWER, StepKind.NOTICE)
        if self._arrows is None or not message or step.parent_id != self._request.turn_id:
            return False
        self._arrows = cast(ElementDict, {**self._arrows, "forId": step.id})
        return True

    async def follow(self) -> None:
        """Draws until the turn is stored. May be cancelled; the turn goes on without it."""
        changed = self._state.subscribe()
        self._waiting = asyncio.create_task(self._wait_visibly())
        try:
            await self._let_it_ask(changed)
            while True:
                await changed.wait()
                changed.clear()
                text_came = await self._draw_changes()
                if self._state.done:
                    return
                if text_came:
                    await asyncio.sleep(self._frame)
        finally:
            self._state.unsubscribe(changed)
            self._waiting.cancel()

    async def _let_it_ask(self, changed: asyncio.Event) -> None:
        """The request to the model goes out before anything is drawn; a frame later is soon enough."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._frame):
                while not (self._state.steps or self._state.done):
                    await changed.wait()
                    changed.clear()
        changed.set()

    async def _draw_changes(self) -> bool:
        state = self._state
        if not self._run_drawn:
            self._run_drawn = True
            await self._screen.emit("new_message", self._draw_run().step)
        if state.progress is not None:
            await self._show_progress(state.progress)
        text_came = False
        for step in list(state.steps.values()):
            text_came |= await self._draw_step(step)
        await self._tell_trouble()
        await self._steer()
        if state.done:
            await self._hide_progress()
            await self._screen.emit("update_message", self._draw_run().step)
        return text_came

    async def _draw_step(self, step: LiveStep) -> bool:
        """Sends what the browser lacks of the step; says whether that was text."""
        drawn, present = self._drawn.get(step.id), _Drawn.of(step)
        if drawn == present:
            return False
        self._drawn[step.id] = present
        if drawn is None:
            await self._hide_progress()
            await self._send(self._drawing(step), new=True)
            if self._move_arrows(step):
                await self._screen.emit("element", self._arrows)
        elif drawn.version == present.version:
            token = "".join(step.chunks[drawn.chunks :])
            delta = {"id": step.id, "token": token, "isSequence": False, "isInput": False}
            await self._screen.emit("stream_token", delta)
        else:
            await self._send(self._drawing(step))
        return present.chunks > (drawn.chunks if drawn else 0)

    async def _send(self, drawing: Drawing, *, new: bool = False) -> None:
        await self._screen.emit("new_message" if new else "update_message", drawing.step)
        for card in drawing.elements:
            await self._screen.emit("element", card)

    def _drawing(self, step: LiveStep) -> Drawing:
        states = self._models.states()
        ollama = frozenset(s.name for s in states if s.kind == "ollama" and not s.assumed)
        drawing = draw(self._state.record(step), self._screen.language, ollama=ollama)
        written = step.kind in (StepKind.PLAN, StepKind.GROUP)  # at once; then it waits for others
        running = step.outcome is Outcome.RUNNING
        drawing.step["streaming"] = bool(step.chunks) and running and not written
        return drawing

    def _draw_run(self) -> Drawing:
        return draw(self._state.turn_record(), self._screen.language)

    async def _steer(self) -> None:
        """The controls of a dialogue: there while it runs, and what they say follows its pauses."""
        if not self.turn.mode.takes_interjections:
            return
        step_id = str(uuid5(NAMESPACE_URL, f"{self._request.turn_id}/steering"))
        inbox, present = self.turn.inbox, None
        if self._state.outcome is Outcome.RUNNING:
            present = _Steering("paused" if inbox.paused else "running", inbox.waiting)
        if present == self._steering:
            return
        if present is None:
            await self._screen.emit("delete_message", {"id": step_id})
        elif self._steering is None:
            await self._screen.emit("new_message", self._notice(step_id).step)
        if present is not None:
            props = {
                "lang": self._screen.language,
                "turn_id": self._request.turn_id,
                "state": present.state,
                "waiting": list(present.waiting),
            }
            card = element(step_id, self._request.thread_id, "Dialogue", props)
            await self._screen.emit("element", card)
        self._steering = present

    def _notice(self, step_id: str) -> Drawing:
        request = self._request
        record = StepRecord(
            step_id,
            request.thread_id,
            "assistant_message",
            APP_NAME,
            StepKind.NOTICE,
            turn_id=request.turn_id,
            parent_id=request.turn_id,
            ended_at=now(),
        )
        return draw(record, self._screen.language)

    # -- waiting visibly --------------------------------------------------------------------------

    async def _wait_visibly(self) -> None:
        """After two seconds without a word, says what is going on, every second."""
        started = self._clock()
        await asyncio.sleep(self._patience)
        while not self._state.steps and self._state.outcome is Outcome.RUNNING:
            text = self._reason_to_wait()
            await self._show_progress(text.format(seconds=round(self._clock() - started)))
            await asyncio.sleep(1.0)

    def _reason_to_wait(self) -> Text:
        """A model that was not in memory when the turn began is being loaded: `/api/ps` shows it from
        the start of its loading on, so that asking again would not tell the two apart."""
        profile = self._state.profile
        if profile is not None and self._models.queued(profile.ref):
            return QUEUED
        if profile is None or not profile.local:
            return WAITING
        if profile.load is None:
            return LOADING
        prompt = self._state.prompt
        return RELOADING if prompt is not None and prompt.widened else READING

    async def _show_progress(self, progress: Text) -> None:
        at = stamp(now())
        step = {
            "id": self._progress_id,
            "threadId": self._request.thread_id,
            "parentId": self._request.turn_id,
            "type": "tool",
            "name": progress[self._screen.language],
            "input": "",
            "output": "",
            "createdAt": at,
            "start": at,
            "end": None,
            "metadata": {"avatarName": "Konsilium"},
        }
        self._progress_shown = True
        await self._screen.emit("new_message", step)

    async def _hide_progress(self) -> None:
        if self._progress_shown:
            self._progress_shown = False
            await self._screen.emit("delete_message", {"id": self._progress_id})

    async def _tell_trouble(self) -> None:
        if self._state.unstored == self._trouble:
            return
        self._trouble = self._state.unstored
        text = NOT_STORED if self._trouble else STORED
        toast = {
            "message": text[self._screen.language],
            "type": "warning" if self._trouble else "success",
        }
        await self._screen.emit("toast", toast)
