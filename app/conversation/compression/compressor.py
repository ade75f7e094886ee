"""Compression in the background: after a turn, one task a thread, swapped in atomically or not at all.

Nobody waits for it. Whatever goes wrong (the summariser fails, hangs, lies; the thread is edited
meanwhile; another process was quicker) leaves the conversation as it was. What it costs stays within
a share of what the whole history would have cost, however bad the summariser; one that failed three
times in a row is asked no more in that thread, whose notes are excerpts from then on, and a tiny model is
never asked.
"""

import asyncio
import contextlib
import hashlib
import logging
import math
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass, replace

from app.completion.tokens import answer_reserve, message_tokens, prompt_tokens, text_tokens
from app.conversation.compression.details import is_dense
from app.conversation.compression.layout import (
    answered,
    block_tokens,
    lay_out,
    said,
    source_hash,
    spans,
    standing,
)
from app.conversation.compression.policy import (
    COST_SHARE,
    MIN_TOKENS,
    MIN_TOKENS_ON_DEMAND,
    CompressionInput,
    affordable,
    budget,
    cost,
    merge_span,
    next_span,
    outgrown,
)
from app.conversation.compression.summariser import Summariser
from app.conversation.compression.summary import ANSWERS_SHARE, OLD_SHARE, USELESS, excerpt
from app.conversation.tokens import Calibration, window_of
from app.core.compression import COSTS_SCOPE, Block, CompressionState, Notes, PinnedFact
from app.core.errors import (
    KonsiliumError,
    MalformedAnswer,
    ModelNotFound,
    NoModels,
    SilenceTimeout,
    StorageUnavailable,
)
from app.core.models import ModelRef
from app.core.options import ChatOptions
from app.core.ports import CompressionStore, KeyValueStore, Models, ThreadHistory, UsageLog
from app.core.turns import HistoryMessage, Question, SettledTurn

log = logging.getLogger(__name__)

SUMMARY_SECONDS = 300.0
"""A summariser that takes longer (a local model may have to be loaded) is given up."""
GIVES_WAY = 2
"""Times in a row that a summary on a local server is cancelled for a question on the same server."""
SYSTEM_MIN_TOKENS = 150
SYSTEM_SCOPE = "system_prompts"
FAILURES = 3
"""In a row, after which a summariser is asked no more in a thread."""


@dataclass(frozen=True, slots=True)
class Costs:
    """What compressing one thread has come to."""

    balance: int = 0
    """Tokens spared so far, less those spent."""
    failures: int = 0
    """Tries in a row that came to nothing."""
    model: str = ""
    """The summariser that failed last, `server/model`."""

    def stopped(self, model: str) -> bool:
        """Whether that summariser is asked no more."""
        return self.failures >= FAILURES and self.model == model


@dataclass(frozen=True, slots=True)
class _Job:
    thread_id: str
    user_id: str
    turn_id: str | None
    options: ChatOptions
    version: int | None = None
    """Of the notes that the turn was sent with, where it is known."""
    least: int = MIN_TOKENS
    facts: tuple[str, ...] = ()
    """Of the thread's project, which go out with every question."""


@dataclass(slots=True)
class _Work:
    task: asyncio.Task[int]
    server: str = ""
    """The local server it gives way on; empty where it does not."""


class Compressor:
    """`after_turn` is a hook of `Turns`; `compress_now` is for a person who asks for it."""

    def __init__(  # noqa: PLR0913 - collaborators, by name, and two limits
        self,
        store: CompressionStore,
        history: ThreadHistory,
        models: Models,
        calibration: Calibration,
        *,
        usage: UsageLog | None = None,
        shared: KeyValueStore | None = None,
        default_model: str = "",
        is_temporary: Callable[[str], Awaitable[bool]] | None = None,
        summary_seconds: float = SUMMARY_SECONDS,
        cost_share: float = COST_SHARE,
    ) -> None:
        """`is_temporary(thread_id)`: what was made of such a thread's system prompt is not kept."""
        self._store = store
        self._history = history
        self._models = models
        self._calibration = calibration
        self._is_temporary = is_temporary
        self._usage = usage
        self._shared = shared
        self._default_model = default_model
        self._summary_seconds = summary_seconds
        self._cost_share = cost_share
        self._working: dict[str, _Work] = {}
        self._gave_way: dict[str, int] = {}
        self._rests: dict[str, int] = {}
        """After a failure: the length of history before which a thread is not tried again."""
        self._costs: dict[str, Costs] = {}
        self._merged: set[tuple[str, ...]] = set()
        self._shorter: dict[str, str] = {}
        self._unshortened: set[str] = set()

    # -- when ----------------------------------------------------------------------------------

    async def after_turn(self, turn: SettledTurn) -> None:
        """Starts compressing the thread, if it is time, and returns at once."""
        options = turn.request.options
        if options.on("compress_context"):
            request, prompt = turn.request, turn.prompt
            version = prompt.compression.version if prompt else None
            of = request.thread_id, request.user_id, request.turn_id
            self._start(_Job(*of, options, version, facts=request.facts))

    async def compress_now(self, thread_id: str, user_id: str, options: ChatOptions) -> int:
        """Compresses what there is, however little; returns how many blocks were made.

        Raises the summariser's KonsiliumError. Waits for what is under way in the thread first.
        """
        while work := self._working.get(thread_id):
            await asyncio.wait([work.task])
        self._rests.pop(thread_id, None)
        work = self._start(_Job(thread_id, user_id, None, options, least=MIN_TOKENS_ON_DEMAND))
        return await asyncio.shield(work.task)

    def give_way(self, server: str) -> None:
        """A question goes to a local server: a summary on it is put off, since the server would
        answer them one after the other. Twice in a row at most, else it would never be done."""
        for thread_id, work in self._working.items():
            if work.server == server and self._gave_way.get(thread_id, 0) < GIVES_WAY:
                self._gave_way[thread_id] = self._gave_way.get(thread_id, 0) + 1
                work.task.cancel()

    async def idle(self) -> None:
        """Returns when nothing is being compressed."""
        while self._working:
            await asyncio.wait([work.task for work in self._working.values()])

    async def aclose(self) -> None:
        """Gives up what is under way; nothing is lost by it."""
        for work in self._working.values():
            work.task.cancel()
        await self.idle()

    def _start(self, job: _Job) -> _Work:
        work = self._working.get(job.thread_id)
        if work is None or work.task.cancelling():
            work = _Work(asyncio.create_task(self._guarded(job)))
            self._working[job.thread_id] = work
            work.task.add_done_callback(lambda task: self._ended(job, task))
        return work

    def _ended(self, job: _Job, task: asyncio.Task[int]) -> None:
        current = self._working.get(job.thread_id)
        if current is not None and current.task is task:
            del self._working[job.thread_id]
        if task.cancelled() or (error := task.exception()) is None:
            return
        if isinstance(error, KonsiliumError):
            log.warning("compressing thread %s: %s: %s", job.thread_id, error.code, error.detail)
        else:
            log.error("compressing thread %s", job.thread_id, exc_info=error)

    # -- what ----------------------------------------------------------------------------------

    async def _guarded(self, job: _Job) -> int:
        """Blocks made. A thread where it failed rests until it has grown by half of N messages, and
        twice as much after each further failure; from the third on its notes are excerpts."""
        answering = self._models.resolve(job.options.text("model"))
        model = self._summary_model(job.options, answering)
        history = await self._conversation(job.thread_id)
        costs = await self._credited(job, history)
        asked_for = job.turn_id is None
        rests = len(history) < self._rests.get(job.thread_id, 0)
        if not asked_for and rests:
            return 0
        stopped = self._models.profile(model).tiny or (costs.stopped(str(model)) and not asked_for)
        free = asked_for or stopped
        may_cost = math.inf if free else budget(history, costs.balance, self._cost_share)
        summariser = Summariser(self._models, model, job.turn_id, may_cost)
        failed: bool | None = None
        try:
            if stopped:
                return await self._excerpts(job, answering, summariser)
            made = await self._compress(job, answering, summariser)
            failed = False if made else None
            return made
        except StorageUnavailable:
            raise
        except KonsiliumError:
            failed = True
            raise
        finally:
            await self._charge(job, summariser, failed, len(history))

    async def _credited(self, job: _Job, history: tuple[HistoryMessage, ...]) -> Costs:
        """The thread's costs, with what its notes have spared in the turn that has just ended."""
        costs = await self.costs(job.thread_id)
        state = await self._store.state(job.thread_id)
        if job.turn_id is not None and job.version in (None, state.version):
            layout = lay_out("", state, history, Question("", ""))
            if layout.blocks:
                spared = layout.tokens_before - layout.tokens_after
                costs = replace(costs, balance=costs.balance + spared)
                self._costs[job.thread_id] = costs
        return costs

    async def costs(self, thread_id: str) -> Costs:
        """What compressing the thread has come to, as far as it is known."""
        if thread_id not in self._costs and self._shared is not None:
            try:
                kept = await self._shared.get(COSTS_SCOPE, thread_id)
            except StorageUnavailable as error:
                log.warning("costs of thread %s: %s", thread_id, error.detail)
                kept = None
            if kept:
                self._costs[thread_id] = Costs(
                    int(kept["balance"]), int(kept["failures"]), str(kept["model"])
                )
        return self._costs.get(thread_id, Costs())

    async def _charge(
        self, job: _Job, summariser: Summariser, failed: bool | None, length: int
    ) -> None:
        """Puts down what a try cost, and whether it failed; None where it came to neither."""
        if not summariser.calls:
            return
        costs = self._costs.get(job.thread_id, Costs())
        costs = replace(costs, balance=costs.balance - summariser.spent)
        model = str(summariser.model)
        if failed:
            failures = costs.failures + 1 if costs.model == model else 1
            costs = replace(costs, failures=failures, model=model)
            pause = max(2, int(job.options.number("compress_every")) // 2)
            self._rests[job.thread_id] = length + pause * 2 ** (failures - 1)
            if costs.stopped(model):
                log.warning("thread %s: %s is asked for no more notes", job.thread_id, model)
        elif failed is False:
            costs = replace(costs, failures=0, model="")
            self._rests.pop(job.thread_id, None)
            self._gave_way.pop(job.thread_id, None)
        self._costs[job.thread_id] = costs
        records = [call.record for call in summariser.calls]
        if self._usage is not None:
            await self._usage.add(job.thread_id, job.user_id, job.turn_id, records)
        if self._shared is not None:
            await self._shared.put(COSTS_SCOPE, job.thread_id, asdict(costs))

    async def _compress(self, job: _Job, answering: ModelRef, summariser: Summariser) -> int:
        if work := self._working.get(job.thread_id):
            yields = self._models.profile(summariser.model).local and job.turn_id is not None
            work.server = summariser.model.server if yields else ""
        made = 0
        while await self._next_block(job, answering, summariser):
            made += 1
        while await self._merge(job, answering, summariser):
            made += 1
        await self._shorten_system_prompt(job, summariser)
        return made

    async def _excerpts(self, job: _Job, answering: ModelRef, summariser: Summariser) -> int:
        """Blocks that no model is asked for; where they outgrow their share, one shorter in place of
        several."""
        made = 0
        while True:
            state, now = await self._input(job, answering, summariser)
            span = next_span(now)
            block = _excerpt(now.history[slice(*span)]) if span else None
            if block is None or not await self._swap(job, state, now, _and(block)):
                break
            made += 1
        state, now = await self._input(job, answering, summariser)
        if (run := merge_span(now)) is not None:
            first, last = run
            bounds = list(spans(now.blocks))[first:last]
            start, end = bounds[0][0], bounds[-1][1]
            shorter = _excerpt(now.history[start:end], OLD_SHARE)
            if shorter is not None and len(shorter.message_ids) == end - start:
                await self._swap(
                    job, state, now, lambda blocks: (*blocks[:first], shorter, *blocks[last:])
                )
        return made

    async def without_model(self, thread_id: str, options: ChatOptions) -> str:
        """The summariser, `server/model`, that is asked for no notes in the thread: a tiny one, or one that
        failed too often in a row; empty where one is asked."""
        try:
            answering = self._models.resolve(options.text("model"))
        except (ModelNotFound, NoModels):
            return ""
        model = self._summary_model(options, answering)
        costs = await self.costs(thread_id)
        return str(model) if self._models.profile(model).tiny or costs.stopped(str(model)) else ""

    def _summary_model(self, options: ChatOptions, answering: ModelRef) -> ModelRef:
        for name in (options.text("summary_model"), self._default_model):
            if name:
                try:
                    return self._models.resolve(name)
                except (ModelNotFound, NoModels) as error:
                    log.warning("summary model %s: %s", name, error.detail)
        return answering

    async def _next_block(self, job: _Job, answering: ModelRef, summariser: Summariser) -> bool:
        state, now = await self._input(job, answering, summariser)
        span = next_span(now)
        if span is None:
            return False
        start, end = span
        dense = next((at for at in range(start, end) if is_dense(now.history[at])), end)
        if dense == start:
            block = _verbatim(now.history[start])
        elif (cut := affordable(now, start, dense)) is None:
            return False
        else:
            block = await self._block(now, (start, cut), summariser)
        return await self._swap(job, state, now, _and(block))

    async def _merge(self, job: _Job, answering: ModelRef, summariser: Summariser) -> bool:
        """One block in place of several, made from the originals: never a summary of summaries."""
        state, now = await self._input(job, answering, summariser)
        run = merge_span(now)
        if run is None:
            return False
        first, last = run
        old = now.blocks[first:last]
        attempt = tuple(block.id for block in old)
        bounds = list(spans(now.blocks))[first:last]
        start, end = bounds[0][0], bounds[-1][1]
        if attempt in self._merged or cost(now.history[start:end]) > now.budget:
            return False
        self._merged.add(attempt)
        block = await self._block(now, (start, end), summariser)
        if block.tokens_after > 0.75 * sum(block_tokens(each.notes) for each in old):
            return False
        return await self._swap(
            job, state, now, lambda blocks: (*blocks[:first], block, *blocks[last:])
        )

    async def _block(
        self, now: CompressionInput, span: tuple[int, int], summariser: Summariser
    ) -> Block:
        """Raises MalformedAnswer where the summariser gave nothing that may stand for the originals."""
        messages = now.history[slice(*span)]
        goals = [block.notes.goal for block in now.blocks if block.notes.goal]
        async with self._in_time(summariser):
            notes = await summariser.notes(
                messages, goal=goals[-1] if goals else "", room=now.summariser_room
            )
        block = _noted(messages, notes or Notes(), str(summariser.model))
        if notes is not None and block is not None:
            return block
        if outgrown(now) and (block := _excerpt(messages)) is not None:
            return block
        after = block_tokens(notes) if notes else 0
        raise MalformedAnswer(
            f"no usable notes: {after} tokens",
            server=summariser.model.server,
            model=summariser.model.name,
        )

    @contextlib.asynccontextmanager
    async def _in_time(self, summariser: Summariser) -> AsyncGenerator[None, None]:
        try:
            async with asyncio.timeout(self._summary_seconds):
                yield
        except TimeoutError as error:
            raise SilenceTimeout(
                f"no summary within {self._summary_seconds:g} s",
                server=summariser.model.server,
                model=summariser.model.name,
            ) from error

    async def _swap(
        self,
        job: _Job,
        state: CompressionState,
        now: CompressionInput,
        change: Callable[[tuple[Block, ...]], tuple[Block, ...]],
    ) -> bool:
        """Whether the new blocks took the place of the old: only if neither the state nor the messages
        they stand for have changed meanwhile. Those of other branches stay."""
        blocks = change(tuple(now.blocks))
        history = await self._conversation(job.thread_id)
        if len(standing(blocks, history)) < len(blocks):
            return False
        others = tuple(block for block in state.blocks if block not in now.blocks)
        return await self._store.swap(job.thread_id, state.version, (*blocks, *others))

    async def _conversation(self, thread_id: str) -> tuple[HistoryMessage, ...]:
        return answered(said(await self._history.history(thread_id)))

    async def _input(
        self, job: _Job, answering: ModelRef, summariser: Summariser
    ) -> tuple[CompressionState, CompressionInput]:
        state = await self._store.state(job.thread_id)
        history = await self._conversation(job.thread_id)
        window = window_of(self._models.profile(answering), job.options)
        reading = window_of(self._models.profile(summariser.model), job.options)
        pinned = (*map(PinnedFact, job.facts), *state.pinned)
        head = replace(state, pinned=pinned)
        layout = lay_out(job.options.text("system_prompt"), head, history, Question("", ""))
        texts = [message.text for message in layout.messages]
        scale = await self._calibration.measured(answering, texts)
        now = CompressionInput(
            history=history,
            blocks=layout.blocks,
            every=int(job.options.number("compress_every")),
            room=window - answer_reserve(int(job.options.number("max_tokens")) or None, window)
            if window
            else None,
            used=scale.tokens(prompt_tokens(layout.messages)),
            summariser_room=int(0.6 * (reading or 8192)),
            least=job.least,
        )
        left = math.inf if outgrown(now) else summariser.budget - summariser.spent
        return state, replace(now, budget=left)

    # -- the system prompt -----------------------------------------------------------------------

    async def system_prompt(self, text: str) -> str:
        """The compressed form of a system prompt where there is one by now, else the text itself."""
        key = hashlib.sha256(text.encode()).hexdigest()
        if key not in self._shorter and self._shared is not None and key not in self._unshortened:
            try:
                kept = await self._shared.get(SYSTEM_SCOPE, key)
            except StorageUnavailable as error:
                log.warning("compressed system prompts: %s", error.detail)
                return text
            if kept:
                self._shorter[key] = str(kept["text"])
        return self._shorter.get(key, text)

    async def _shorten_system_prompt(self, job: _Job, summariser: Summariser) -> None:
        text = job.options.text("system_prompt").strip()
        if not job.options.on("compress_system_prompt") or text_tokens(text) < SYSTEM_MIN_TOKENS:
            return
        key = hashlib.sha256(text.encode()).hexdigest()
        if key in self._unshortened or await self.system_prompt(text) != text:
            return
        self._unshortened.add(key)
        async with self._in_time(summariser):
            shorter = await summariser.system_prompt(text)
        if shorter is None:
            return
        self._unshortened.discard(key)
        self._shorter[key] = shorter
        unkept = self._is_temporary is not None and await self._is_temporary(job.thread_id)
        if self._shared is not None and not unkept:
            await self._shared.put(
                SYSTEM_SCOPE, key, {"text": shorter, "model": str(summariser.model)}
            )


def _and(block: Block) -> Callable[[tuple[Block, ...]], tuple[Block, ...]]:
    return lambda blocks: (*blocks, block)


def _noted(messages: Sequence[HistoryMessage], notes: Notes, model: str) -> Block | None:
    """The block; None where the notes are hardly shorter than what they stand for."""
    before = prompt_tokens(message.as_message() for message in messages)
    after = block_tokens(notes)
    if after > USELESS * before:
        return None
    return Block(
        message_ids=tuple(message.id for message in messages),
        source_hash=source_hash(messages),
        notes=notes,
        tokens_before=before,
        tokens_after=after,
        model=model,
    )


def _excerpt(messages: Sequence[HistoryMessage], share: float = ANSWERS_SHARE) -> Block | None:
    """A block that no model was asked for; a dense message among these stays as it was said."""
    dense = next((at for at, message in enumerate(messages) if is_dense(message)), len(messages))
    if dense == 0:
        return _verbatim(messages[0])
    return _noted(messages[:dense], excerpt(messages[:dense], share), "")


def _verbatim(message: HistoryMessage) -> Block:
    """A message that notes could not hold, as a block of its own."""
    said = message.as_message()
    notes = Notes(verbatim=(f"[{message.role}, as it was said]\n{said.text}",))
    return Block(
        message_ids=(message.id,),
        source_hash=source_hash((message,)),
        notes=notes,
        tokens_before=message_tokens(said),
        tokens_after=block_tokens(notes),
        model="",
    )
