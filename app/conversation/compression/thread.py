"""What a person may see and do about the compression of a thread. The caller knows that the thread is
theirs."""

from dataclasses import dataclass
from datetime import datetime

from app.completion.tokens import text_tokens
from app.conversation.compression.compressor import Compressor
from app.conversation.compression.layout import block_lines, said, spans, standing
from app.conversation.tokens import Calibration
from app.core.compression import PinnedFact
from app.core.models import ModelRef
from app.core.options import ChatOptions
from app.core.ports import CompressionStore, ThreadHistory

PINNED_CHARACTERS = 500
"""A pinned fact is a line, not a document: it goes out with every question."""


@dataclass(frozen=True, slots=True)
class Compressed:
    """A run of messages and the notes that stand for it."""

    first: int
    """Number of its first message in the thread, from 1."""
    last: int
    tokens_before: int
    """Of the messages; an estimate, as all tokens here."""
    tokens_after: int
    lines: tuple[str, ...]
    """The notes: `!` marks what the user demanded, `-` all else."""
    model: str
    """Who wrote them, `server/model`."""
    created_at: datetime


@dataclass(frozen=True, slots=True)
class ShortSystemPrompt:
    """A system prompt before and after; `text` is the written one where there is no shorter yet."""

    text: str
    tokens_before: int
    tokens_after: int


class ThreadNotes:
    """The compression of threads, for the view and the API."""

    def __init__(
        self,
        store: CompressionStore,
        history: ThreadHistory,
        compressor: Compressor,
        calibration: Calibration,
    ) -> None:
        self._store = store
        self._history = history
        self._compressor = compressor
        self._calibration = calibration

    async def blocks(self, thread_id: str, model: ModelRef | None = None) -> tuple[Compressed, ...]:
        """The blocks of the branch shown, in order; tokens are counted as `model` counts, where it is
        known."""
        state = await self._store.state(thread_id)
        history = said(await self._history.history(thread_id))
        blocks = standing(state.blocks, history)
        texts = [message.text for message in history]
        scale = await self._calibration.scale(model, texts) if model else None
        return tuple(
            Compressed(
                first=start + 1,
                last=end,
                tokens_before=scale.tokens(block.tokens_before) if scale else block.tokens_before,
                tokens_after=scale.tokens(block.tokens_after) if scale else block.tokens_after,
                lines=block_lines(block.notes),
                model=block.model,
                created_at=block.created_at,
            )
            for block, (start, end) in zip(blocks, spans(blocks), strict=True)
        )

    async def compress(self, thread_id: str, user_id: str, options: ChatOptions) -> int:
        """Compresses now, however little there is; returns how many blocks were made. Takes as long
        as the summariser; raises its KonsiliumError."""
        return await self._compressor.compress_now(thread_id, user_id, options)

    async def pinned(self, thread_id: str) -> tuple[PinnedFact, ...]:
        """The facts that go out with every question, in the order they were pinned."""
        return await self._store.pinned(thread_id)

    async def pin(self, thread_id: str, text: str) -> PinnedFact:
        """Pins a fact, cut to PINNED_CHARACTERS. Raises NotFound where the thread is gone, ValueError
        where the text is blank."""
        line = " ".join(text.split())[:PINNED_CHARACTERS]
        if not line:
            raise ValueError("nothing to pin")
        return await self._store.pin(thread_id, line)

    async def unpin(self, thread_id: str, fact_id: str) -> None:
        """Takes a fact out again."""
        await self._store.unpin(thread_id, fact_id)

    async def without_model(self, thread_id: str, options: ChatOptions) -> str:
        """The summariser, `server/model`, that is asked for no notes in the thread; empty where one is."""
        return await self._compressor.without_model(thread_id, options)

    async def system_prompt(self, written: str) -> ShortSystemPrompt:
        """What a system prompt has become."""
        text = await self._compressor.system_prompt(written.strip())
        return ShortSystemPrompt(text, text_tokens(written.strip()), text_tokens(text))
