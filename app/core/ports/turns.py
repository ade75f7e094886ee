"""Where turns, and the history they are given, are kept."""

from collections.abc import Sequence
from typing import Protocol

from app.core.compression import Block, CompressionState, PinnedFact
from app.core.turns import HistoryMessage, SettledTurn, StepRecord, TurnRequest


class TurnStore(Protocol):
    """Where turns are kept. Every method is one transaction; a failed write raises StorageUnavailable."""

    async def begin(
        self, request: TurnRequest, steps: Sequence[StepRecord]
    ) -> tuple[HistoryMessage, ...]:
        """Before the first token is asked for: makes the thread if it is new, rewinds if asked, stores
        the question and the turn's own step (RUNNING), and returns the history before the question.

        Raises NotFound where the thread is another user's.
        """
        ...

    async def checkpoint(self, steps: Sequence[StepRecord]) -> None:
        """Stores what has been written so far; called every 2 s with the steps that changed."""
        ...

    async def settle(self, turn: SettledTurn) -> None:
        """Stores the end of a turn: its steps, its usage and cost, the thread's activity and title."""
        ...


class ThreadHistory(Protocol):
    """The messages of a thread that count as conversation, as the next turn will be given them."""

    async def history(self, thread_id: str) -> tuple[HistoryMessage, ...]:
        """In order; empty for a thread that is not there."""
        ...


class CompressionStore(Protocol):
    """The blocks and pinned facts of threads. A failed write raises StorageUnavailable."""

    async def head(self, thread_id: str) -> CompressionState:
        """What stands now; an empty head where nothing was compressed or pinned."""
        ...

    async def pinned(self, thread_id: str) -> tuple[PinnedFact, ...]:
        """The facts of the head, in the order they were pinned."""
        ...

    async def swap(self, thread_id: str, version: int, blocks: Sequence[Block]) -> bool:
        """Puts these blocks in place of all, if the head is still at `version`; else does nothing.

        False where it has moved on, or the thread is gone.
        """
        ...

    async def announce(self, thread_id: str, version: int) -> None:
        """Notes that the conversation was told of that version."""
        ...

    async def pin(self, thread_id: str, text: str) -> PinnedFact:
        """Adds a fact. Raises NotFound where the thread is gone."""
        ...

    async def unpin(self, thread_id: str, fact_id: str) -> None:
        """Removes a fact; one that is not there is gone already."""
        ...
