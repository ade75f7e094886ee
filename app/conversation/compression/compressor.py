"""Compression in the background: after a turn, one task a thread, swapped in atomically or not at all.

Nobody waits for it. Whatever goes wrong (the summariser fails, hangs, lies; the thread is edited
meanwhile; another process was quicker) leaves the conversation as it was.
"""

import asyncio
import contextlib
import hashlib
import logging
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass

from app.completion.tokens import message_tokens, prompt_tokens, text_tokens
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
    MIN_TOKENS,
    MIN_TOKENS_ON_DEMAND,
    CompressionInput,
    merge_span,
    next_span,
)
from app.conversation.compression.summariser import Summariser
from app.conversation.tokens import Calibration, answer_reserve, window_of
from app.core.compression import Block, CompressionState, Notes
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
WASTE_SHARE = 0.04
"""Of what a thread's whole history has cost, what may be spent in vain on compressing it."""
_USELESS = 0.6
"""Notes longer than this share of the originals are not worth having."""


@dataclass(frozen=True, slots=True)
class _Job:
    thread_id: str
    user_id: str
    turn_id: str | None
    options: ChatOptions
    least: int = MIN_TOKENS


@dataclass(slots=True)
class _Work:
    task: asyncio.Task[int]
    server: str = ""
    """The local server it gives way on; empty where it does not."""


class Compressor:
    """`after_turn` is a hook of `Turns`; `compress_now` is for a person who asks for it."""

    def __init__(
        self,
        store: CompressionStore,
        history: ThreadHistory,
        models: Models,
        calibration: Calibration,
        *,
        usage: UsageLog | None = None,
        shared: KeyValueStore | None = None,
        default_model: str = "",
        summary_seconds: float = SUMMARY_SECONDS,
    ) -> None:
        self._store = store
        self._history = history
        self._models = models
        self._calibration = calibration
        self._usage = usage
        self._shared = shared
        self._default_model = default_model
        self._summary_seconds = summary_seconds
        self._working: dict[str, _Work] = {}
        self._gave_way: dict[str, int] = {}
        self._rests: dict[str, int] = {}
        """After a failure: the length of history before which a thread is not tried again."""
        self._wasted: dict[str, int] = {}
        """Tokens of failed tries, by thread."""
        self._merged: set[tuple[str, ...]] = set()
        self._shorter: dict[str, str] = {}
        self._unshortened: set[str] = set()

    # -- when ----------------------------------------------------------------------------------

    async def after_turn(self, turn: SettledTurn) -> None:
        """Starts compressing the thread, if it is time, and returns at once."""
        options = turn.request.options
        if options.on("compress_context"):
            self._start(
                _Job(turn.request.thread_id, turn.request.user_id, turn.request.turn_id, options)
            )

    async def compress_now(self, thread_id: str, user_id: str, options: ChatOptions) -> int:
        """Compresses what there is, however little; returns how many blocks were made.

        Raises the summariser's KonsiliumError. Waits for what is under way in the thread first.
        """
        while work := self._working.get(thread_id):
            await asyncio.wait([work.task])
        self._rests.pop(thread_id, None)
        work = self._start(_Job(thread_id, user_id, None, options, MIN_TOKENS_ON_DEMAND))
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
        """Blocks made. A thread where it failed rests until it has grown by half of N messages."""
        history = await self._conversation(job.thread_id)
        length = len(history)
        if length < self._rests.get(job.thread_id, 0) or not self._affordable(job, history):
            return 0
        self._rests[job.thread_id] = length + max(2, int(job.options.number("compress_every")) // 2)
        try:
            made = await self._compress(job)
        except asyncio.CancelledError:
            self._rests.pop(job.thread_id, None)
            raise
        self._rests.pop(job.thread_id, None)
        self._gave_way.pop(job.thread_id, None)
        return made

    async def _compress(self, job: _Job) -> int:
        answering = self._models.resolve(job.options.text("model"))
        summariser = Summariser(self._models, self._summary_model(job, answering), job.turn_id)
        if work := self._working.get(job.thread_id):
            yields = self._models.profile(summariser.model).local and job.turn_id is not None
            work.server = summariser.model.server if yields else ""
        made = 0
        try:
            while await self._next_block(job, answering, summariser):
                made += 1
            while await self._merge(job, answering, summariser):
                made += 1
            await self._shorten_system_prompt(job, summariser)
            if not made:
                self._count_waste(job.thread_id, summariser)
            return made
        except KonsiliumError:
            self._count_waste(job.thread_id, summariser)
            raise
        finally:
            if self._usage is not None and summariser.calls:
                records = [call.record for call in summariser.calls]
                await self._usage.add(job.thread_id, job.user_id, job.turn_id, records)

    def _affordable(self, job: _Job, history: Sequence[HistoryMessage]) -> bool:
        """Whether another try that may fail keeps what was spent in vain on the thread within
        WASTE_SHARE of what its whole history has cost so far. A person who asks is not refused."""
        wasted = self._wasted.get(job.thread_id, 0)
        if not wasted or job.turn_id is None:
            return True
        sent = total = 0
        for message in history:
            total += message_tokens(message.as_message())
            sent += total if message.role == "user" else 0
        return 2 * wasted <= WASTE_SHARE * sent

    def _count_waste(self, thread_id: str, summariser: Summariser) -> None:
        """What was spent and came to nothing; the next try is expected to take as much."""
        spent = summariser.spent
        if spent:
            self._wasted[thread_id] = self._wasted.get(thread_id, 0) + spent

    def _summary_model(self, job: _Job, answering: ModelRef) -> ModelRef:
        for name in (job.options.text("summary_model"), self._default_model):
            if name:
                try:
                    return self._models.resolve(name)
                except (ModelNotFound, NoModels) as error:
                    log.warning("summary model %s: %s", name, error.detail)
        return answering

    async def _next_block(self, job: _Job, answering: ModelRef, summariser: Summariser) -> bool:
        head, now = await self._input(job, answering, summariser)
        span = next_span(now)
        if span is None:
            return False
        start, end = span
        dense = next((at for at in range(start, end) if is_dense(now.history[at])), end)
        if dense == start:
            block = _verbatim(now.history[start])
        else:
            block = await self._block(now, (start, dense), summariser)
        return await self._swap(job, head, now, lambda blocks: (*blocks, block))

    async def _merge(self, job: _Job, answering: ModelRef, summariser: Summariser) -> bool:
        """One block in place of several, made from the originals: never a summary of summaries."""
        head, now = await self._input(job, answering, summariser)
        run = merge_span(now)
        if run is None:
            return False
        first, last = run
        old = now.blocks[first:last]
        attempt = tuple(block.id for block in old)
        if attempt in self._merged:
            return False
        self._merged.add(attempt)
        bounds = list(spans(now.blocks))[first:last]
        block = await self._block(now, (bounds[0][0], bounds[-1][1]), summariser)
        if block.tokens_after > 0.75 * sum(block_tokens(each.notes) for each in old):
            return False
        return await self._swap(
            job, head, now, lambda blocks: (*blocks[:first], block, *blocks[last:])
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
        before = prompt_tokens(message.as_message() for message in messages)
        after = block_tokens(notes) if notes else 0
        if notes is None or after > _USELESS * before:
            raise MalformedAnswer(
                f"no usable notes: {after} tokens for {before}",
                server=summariser.model.server,
                model=summariser.model.name,
            )
        return Block(
            message_ids=tuple(message.id for message in messages),
            source_hash=source_hash(messages),
            notes=notes,
            tokens_before=before,
            tokens_after=after,
            model=str(summariser.model),
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
        head: CompressionState,
        now: CompressionInput,
        change: Callable[[tuple[Block, ...]], tuple[Block, ...]],
    ) -> bool:
        """Whether the new blocks took the place of the old: only if neither the head nor the messages
        they stand for have changed meanwhile."""
        blocks = change(tuple(now.blocks))
        history = await self._conversation(job.thread_id)
        if len(standing(blocks, history)) < len(blocks):
            return False
        return await self._store.swap(job.thread_id, head.version, blocks)

    async def _conversation(self, thread_id: str) -> tuple[HistoryMessage, ...]:
        return answered(said(await self._history.history(thread_id)))

    async def _input(
        self, job: _Job, answering: ModelRef, summariser: Summariser
    ) -> tuple[CompressionState, CompressionInput]:
        head = await self._store.head(job.thread_id)
        history = await self._conversation(job.thread_id)
        scale = await self._calibration.scale(answering)
        window = window_of(self._models.profile(answering), job.options)
        reading = window_of(self._models.profile(summariser.model), job.options)
        layout = lay_out(job.options.text("system_prompt"), head, history, Question("", ""))
        return head, CompressionInput(
            history=history,
            blocks=layout.blocks,
            every=int(job.options.number("compress_every")),
            room=window - answer_reserve(job.options, window) if window else None,
            used=scale.tokens(prompt_tokens(layout.messages)),
            summariser_room=int(0.6 * (reading or 8192)),
            least=job.least,
        )

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
        if self._shared is not None:
            await self._shared.put(
                SYSTEM_SCOPE, key, {"text": shorter, "model": str(summariser.model)}
            )


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
