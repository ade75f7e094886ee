"""Runs turns: each in a task of its own, so that a lost connection to the browser ends nothing.

start -> begin (one transaction) -> prompt -> mode -> events folded into a TurnState, checkpointed
every 2 s -> settle (one transaction), alike for completed, stopped and failed. Whoever wants to see
a turn follows its state: the view, the REST API, a second tab.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from typing import Any

from app.conversation.citation_check import CHECKING, OPTION, CitationCheck
from app.conversation.last_resort import warn
from app.conversation.mode import Inbox, Mode, PromptBuilder, TurnContext, TurnModels
from app.conversation.replicas import LOOK_SECONDS, Replicas, Turn
from app.conversation.sources import SEARCHING, Find, Sources
from app.conversation.state import TurnState
from app.conversation.tools import TurnTools, say_missing
from app.core.concurrency import BackgroundTasks, ended
from app.core.errors import ContextTooLong, KonsiliumError, NotFound, StorageUnavailable
from app.core.events import Progress, StepNoted
from app.core.ports import Models, TurnStore
from app.core.presets import Preset, within
from app.core.requests import request_id
from app.core.threads import BegunQuestion, BranchSwitch
from app.core.tools import ToolBox
from app.core.turns import HistoryMessage, SettledTurn, ThreadBusy, TurnRequest, TurnTaken
from app.core.usage import Outcome

log = logging.getLogger(__name__)

CHECKPOINT_SECONDS = 2.0
RETRY_WRITES_AFTER = (0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0)
"""Seconds between tries to store a finished turn: a locked or restarting database comes back."""

ProjectOf = Callable[[str], Awaitable[Preset | None]]
"""The project that a thread is in, by the thread's id."""

AfterTurn = Callable[[SettledTurn], Awaitable[None]]
"""What happens once a turn is stored: titles, compression, the answer cache. In the background."""


class RunningTurn:
    """A turn under way. `state` is what has been said so far; `wait()` returns when it is stored."""

    def __init__(self, request: TurnRequest, mode: Mode) -> None:
        self.request = request
        self.mode = mode
        self.state = TurnState(request)
        self.inbox = Inbox()
        self.lost = False
        self._answering: asyncio.Task[None] | None = None
        self._stopped = False
        self._over = asyncio.Event()
        self.prompted = asyncio.Event()
        """The prompt is made and on its way, or the turn is over without one."""
        self.unstored = asyncio.Event()
        """The database did not take it; it is tried again, and at once where somebody asks on."""
        self._hurried = asyncio.Event()

    def stop(self) -> None:
        """Cancels the answer: the call upstream is closed, what was written stays and is stored."""
        self._stopped = True
        if self._answering is not None:
            self._answering.cancel()

    async def wait(self) -> TurnState:
        """Its state when all is stored. Cancelling the waiter does not cancel the turn."""
        await self._over.wait()
        return self.state

    async def stored_now(self) -> bool:
        """Stops it and has it stored without a pause; False where the database does not take it."""
        self.stop()
        self.unstored.clear()
        self._hurried.set()
        waiting = [asyncio.create_task(one.wait()) for one in (self._over, self.unstored)]
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await ended(waiting)
        return self._over.is_set()

    async def hurried_within(self, pause: float) -> bool:
        """Waits so many seconds, or less where somebody asks on: then True."""
        try:
            async with asyncio.timeout(pause):
                await self._hurried.wait()
        except TimeoutError:
            return False
        self._hurried.clear()
        return True

    async def answer(
        self, answering: Coroutine[Any, Any, None]
    ) -> tuple[Outcome, Exception | None]:
        """Runs the answer as the task that `stop` cancels, and says how it ended."""
        self._answering = asyncio.create_task(answering)
        if self._stopped:
            self._answering.cancel()
        await asyncio.wait([self._answering])
        if self._answering.cancelled():
            return Outcome.STOPPED, None
        match self._answering.exception():
            case None:
                return Outcome.COMPLETED, None
            case Exception() as error:
                return Outcome.FAILED, error
            case fatal:
                raise fatal

    def over(self) -> None:
        """All is stored, or given up."""
        self.prompted.set()
        self.state.finish()
        self._over.set()


class Turns:
    """Starts turns and knows which are running: one at a time in a thread, over all processes.

    Until it joins others, there is this process alone.
    """

    def __init__(  # noqa: PLR0913 - what a turn is made with, and two times that tests shorten
        self,
        store: TurnStore,
        models: Models,
        prompts: PromptBuilder,
        modes: Sequence[Mode],
        after: Sequence[AfterTurn] = (),
        *,
        tools: ToolBox | None = None,
        find: Find | None = None,
        project_of: ProjectOf | None = None,
        citations: CitationCheck | None = None,
        checkpoint_seconds: float = CHECKPOINT_SECONDS,
        retry_writes_after: Sequence[float] = RETRY_WRITES_AFTER,
    ) -> None:
        self._store = store
        self._models = models
        self._prompts = prompts
        self._modes: Mapping[str, Mode] = {mode.id: mode for mode in modes}
        self._after = after
        self._tools = tools or ToolBox()
        self._find = find
        self._project_of = project_of
        self._citations = citations or CitationCheck()
        self._checkpoint_seconds = checkpoint_seconds
        self._retry_writes_after = retry_writes_after
        self._switched: list[Callable[[str, BranchSwitch | None], None]] = []
        self._running: dict[str, RunningTurn] = {}
        self._background = BackgroundTasks()
        self._replicas: Replicas | None = None

    def join(self, replicas: Replicas) -> None:
        """From now on there are the turns of other processes, too."""
        self._replicas = replicas
        replicas.serve(self._modes, self._running.get, self._tell)

    def running(self, thread_id: str) -> RunningTurn | None:
        """The turn under way in that thread, in this process."""
        return self._running.get(thread_id)

    async def find(self, thread_id: str) -> Turn | None:
        """The turn under way in that thread, wherever it runs. Raises StorageUnavailable."""
        turn = self._running.get(thread_id)
        if turn is not None or self._replicas is None:
            return turn
        return await self._replicas.find(thread_id)

    def on_switched(self, hear: Callable[[str, BranchSwitch | None], None]) -> None:
        """Tells, as `Conversations.on_switched` does, of each thread in which a question is stored, before
        it is answered, in whatever process, and of those of which another process shows another branch
        from now on. Must be quick."""
        self._switched.append(hear)

    def _tell(self, thread_id: str, switched: BranchSwitch | None) -> None:
        for hear in self._switched:
            hear(thread_id, switched)

    @property
    def count(self) -> int:
        """How many turns are under way."""
        return len(self._running)

    async def start(
        self, request: TurnRequest, refused: KonsiliumError | None = None
    ) -> RunningTurn:
        """Stores the question and begins to answer it, or, where it is `refused`, to say why not.

        A turn still running in the thread is stopped first. Raises NotFound for another's thread,
        StorageUnavailable where the question could not be stored.
        """
        while current := self._running.get(request.thread_id):
            if current.request.user_id != request.user_id:
                raise NotFound(f"thread {request.thread_id} is not {request.user_id}'s")
            if not await current.stored_now():
                raise StorageUnavailable("the answer before this question could not be stored yet")
        turn = RunningTurn(request, self._modes.get(request.options.mode) or self._modes["chat"])
        self._running[request.thread_id] = turn
        beginning = asyncio.create_task(self._begin(turn))
        try:
            begun = await asyncio.shield(beginning)
        except asyncio.CancelledError:  # whoever asked has left: what may be stored by now must end
            turn.stop()
            self._background.start(self._end(turn, beginning))
            raise
        except Exception:  # raised again, for the caller to say: nothing runs
            self._forget(turn)
            raise
        self._background.start(self._run(turn, begun.history, refused))
        self._tell(request.thread_id, begun.switched)
        self.tell_others(request.thread_id, begun.switched)
        return turn

    def tell_others(self, thread_id: str, switched: BranchSwitch | None) -> None:
        """Pages that other processes serve show what is different in the thread, too."""
        if self._replicas is not None:
            self._replicas.switched(thread_id, switched)

    async def _begin(self, turn: RunningTurn) -> BegunQuestion:
        """Stores the question, once no other process runs a turn in the thread."""
        over: str | None = None
        while True:
            try:
                return await self._store.begin(turn.request, turn.state.opening(), over)
            except ThreadBusy as busy:
                over = busy.turn_id
                if self._replicas is not None:
                    await self._replicas.end(over)

    async def _end(self, turn: RunningTurn, beginning: "asyncio.Task[BegunQuestion]") -> None:
        try:
            begun = await beginning
        except Exception as error:  # noqa: BLE001 - nobody waits for it any more: into the log
            _log_failure(turn.request.turn_id, error)
            self._forget(turn)
        else:
            await self._run(turn, begun.history, None)

    async def abandon(self, thread_id: str) -> None:
        """Stops what runs in the thread, and returns when it is stored."""
        if turn := self._running.get(thread_id):
            turn.stop()
            await turn.wait()
        elif self._replicas is not None:
            await self._replicas.end_in(thread_id)

    async def stop(self, turn_id: str, user_id: str) -> bool:
        """Stops that user's turn, wherever it runs, and returns when it is stored; False where there is
        none."""
        for turn in self._running.values():
            if turn.request.turn_id == turn_id:
                if turn.request.user_id != user_id:
                    return False
                turn.stop()
                await turn.wait()
                return True
        return self._replicas is not None and await self._replicas.end(turn_id, user_id)

    async def watch(self) -> None:
        """Stops the turns that other processes ask to be stopped, until it is cancelled."""
        while self._replicas is not None:
            await asyncio.sleep(LOOK_SECONDS)
            if self._running:
                asked = await self._replicas.asked_to_stop()
                for turn in self._running.values():
                    if turn.request.turn_id in asked:
                        turn.stop()

    async def abandon_all(self, user_id: str) -> None:
        """Stops what runs for a user."""
        for turn in list(self._running.values()):
            if turn.request.user_id == user_id:
                turn.stop()

    async def drain(self, timeout: float) -> None:
        """Stops what still runs after `timeout` seconds and waits until all is stored."""
        await self._background.drain(timeout)
        for turn in list(self._running.values()):
            turn.stop()
        await self._background.drain()
        if self._replicas is not None:
            await self._replicas.aclose()

    def _forget(self, turn: RunningTurn) -> None:
        if self._running.get(turn.request.thread_id) is turn:
            del self._running[turn.request.thread_id]
        turn.over()

    async def _run(
        self,
        turn: RunningTurn,
        history: tuple[HistoryMessage, ...],
        refused: KonsiliumError | None,
    ) -> None:
        request_id.set(turn.request.turn_id)
        models, sources = TurnModels(self._models), Sources()
        checkpoints = asyncio.create_task(self._checkpoint(turn))
        try:
            outcome, error = await turn.answer(
                self._respond(turn, history, models, sources, refused)
            )
            if error is not None:
                _log_failure(turn.request.turn_id, error)
            if outcome is not Outcome.COMPLETED:
                turn.state.put_in(turn.inbox.take())  # said to nobody any more, but kept
            try:
                await self._cite(turn, models, sources, outcome)
            except Exception:  # what was written is stored all the same; the log has it all
                log.exception("citations of turn %s", turn.request.turn_id)
        finally:
            checkpoints.cancel()
            await asyncio.wait([checkpoints])
        settled = turn.state.settle(outcome, error, models.records)
        try:
            await self._settle(turn, settled)
        finally:
            self._forget(turn)
        for step in self._after:
            self._background.start(_after(step, settled))

    async def _cite(
        self, turn: RunningTurn, models: TurnModels, sources: Sources, outcome: Outcome
    ) -> None:
        """Notes which citations hold: by their words, and where the person wishes it by a model, which a
        Stop ends and nothing else of the answer."""
        doubtful = await turn.state.cite(sources)
        model = turn.state.model
        if not doubtful or model is None or outcome is not Outcome.COMPLETED:
            return
        if not turn.request.options.on(OPTION):
            return

        async def check() -> None:
            turn.state.apply(Progress(CHECKING))
            for step_id, found in doubtful.items():
                asked = self._citations.note(turn.request.turn_id, models, model, sources, found)
                turn.state.apply(StepNoted(step_id, await asked))

        _, error = await turn.answer(check())
        if error is not None:
            raise error

    async def _respond(
        self,
        turn: RunningTurn,
        history: tuple[HistoryMessage, ...],
        models: TurnModels,
        sources: Sources,
        refused: KonsiliumError | None,
    ) -> None:
        if refused is not None:
            raise refused
        if self._project_of is not None and (
            project := await self._project_of(turn.request.thread_id)
        ):
            turn.request = turn.state.request = within(turn.request, project)
        request = turn.request
        model = models.resolve(request.options.text("model"))
        if self._find is not None and request.options.names("knowledge"):
            turn.state.apply(Progress(SEARCHING))
            found = await self._find(request, history)
            request = sources.ground(request, models.profile(model), found)
        try:
            prompt = await self._prompts.build(request, history, models.profile(model))
        except ContextTooLong as error:
            find, window = sources.excerpted, error.window or 0
            shorter = await asyncio.to_thread(find, request, history, window) if window else None
            if shorter is None:
                raise
            request, history = shorter
            prompt = await self._prompts.build(request, history, models.profile(model))
        turn.state.about(model, models.profile(model), prompt)
        turn.prompted.set()
        wanted = request.options.names("tools")
        chosen = await self._tools.chosen(request.user_id, wanted)
        limits = self._tools.limits
        tools = TurnTools(chosen, request, limits, sources) if chosen else None
        emit = turn.state.apply
        context = TurnContext(request, prompt, history, model, models, turn.inbox, emit, tools)
        mode = turn.mode
        if models.profile(model).last_resort:
            mode = self._modes["chat"]
            warn(context, turn.mode)
        elif wanted and not request.unattended:
            say_missing(context, wanted, chosen)
        await mode.respond(context)

    async def _checkpoint(self, turn: RunningTurn) -> None:
        while True:
            await asyncio.sleep(self._checkpoint_seconds)
            if steps := turn.state.changed_steps():
                try:
                    await self._store.checkpoint(steps)
                    turn.state.storage_trouble(False)
                except TurnTaken:
                    log.warning("turn %s was taken for dead", turn.request.turn_id)
                    turn.stop()
                    return
                except StorageUnavailable as error:
                    turn.state.unsaved(steps)
                    turn.state.storage_trouble(True)
                    log.warning("checkpoint of turn %s: %s", turn.request.turn_id, error.detail)

    async def _settle(self, turn: RunningTurn, settled: SettledTurn) -> None:
        for pause in (*self._retry_writes_after, None):
            while not await self._stored(turn, settled):
                if pause is None or not await turn.hurried_within(pause):
                    break
            else:
                return

    async def _stored(self, turn: RunningTurn, settled: SettledTurn) -> bool:
        try:
            await self._store.settle(settled)
        except StorageUnavailable as error:
            turn.state.storage_trouble(True)
            log.error("storing turn %s: %s", turn.request.turn_id, error.detail)
            turn.unstored.set()
            return False
        turn.state.storage_trouble(False)
        return True


def _log_failure(turn_id: str, error: Exception) -> None:
    if isinstance(error, KonsiliumError):
        log.warning("turn %s failed: %s: %s", turn_id, error.code, error.detail)
    else:
        log.error("turn %s failed unexpectedly", turn_id, exc_info=error)


async def _after(step: AfterTurn, settled: SettledTurn) -> None:
    try:
        await step(settled)
    except KonsiliumError as error:
        log.warning("after turn %s: %s: %s", settled.request.turn_id, error.code, error.detail)
    except Exception:  # one follow-up must not take the others with it; the log has it all
        log.exception("after turn %s", settled.request.turn_id)
