"""When to compress, which messages, and what that may cost. Pure functions."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from app.completion.tokens import message_tokens, prompt_tokens
from app.conversation.compression.layout import block_tokens, tail_start
from app.conversation.compression.summary import answer_tokens, asking_tokens
from app.conversation.tokens import NEARLY_FULL
from app.core.compression import Block
from app.core.turns import HistoryMessage

MIN_TOKENS = 1500
"""Less than this is not worth a summary: it would cost more than it saves."""
MIN_TOKENS_ON_DEMAND = 300
"""When a person asks for it."""
MIN_SPAN = 300
"""Of what waits, as little may be taken at first, where more would cost more than is allowed."""
COST_SHARE = 0.04
"""Of what a thread's whole history has cost so far: what compression may cost beyond it."""
WINDOW_SHARE = 0.7
NOTES_SHARE = 0.15
"""Notes that outgrow this share of the window are made anew from the originals, more tightly."""
SPAN_TOKENS = 4000
"""Messages of one block at most: a summary of more loses too much."""
UNKNOWN_WINDOW = 8192


@dataclass(frozen=True, slots=True)
class CompressionInput:
    """A conversation after a turn."""

    history: Sequence[HistoryMessage]
    blocks: Sequence[Block]
    """Those that stand."""
    every: int
    """Compress every so many messages."""
    room: int | None
    """Tokens of the window for the prompt; None where it is not known."""
    used: int
    """Tokens of the prompt as it stands."""
    summariser_room: int
    """Tokens that the summariser can read at once."""
    least: int = MIN_TOKENS
    budget: float = math.inf
    """Tokens that the next try may cost at most."""

    @property
    def covered(self) -> int:
        """Messages that blocks stand for."""
        return sum(len(block.message_ids) for block in self.blocks)


def next_span(now: CompressionInput) -> tuple[int, int] | None:
    """The messages (indices, the last not included) to make the next block from, if it is time.

    It is every N messages, or when the prompt fills 70 % of its room. The first time a conversation
    must have outgrown N messages: one that ends there would have paid for nothing.
    """
    start, end = now.covered, tail_start(now.history)
    waiting = now.history[start:]
    if end <= start or _tokens(waiting) < now.least:
        return None
    on_demand = now.least < MIN_TOKENS
    counted = len(waiting) >= now.every and len(now.history) > now.every
    pressed = now.room is not None and now.used > WINDOW_SHARE * now.room
    if not (on_demand or counted or pressed):
        return None
    return start, _cut(now.history, start, end, min(SPAN_TOKENS, now.summariser_room))


def cost(span: Sequence[HistoryMessage]) -> int:
    """Tokens that a try to make notes of these messages takes at most."""
    tokens = _tokens(span)
    return asking_tokens(tokens) + answer_tokens(tokens)


def affordable(now: CompressionInput, start: int, end: int) -> int | None:
    """Where a span that begins at `start` may end for the budget to suffice, `end` at the latest; None
    where what it suffices for is not worth a try."""
    turns = (at for at in range(end, start, -1) if at == end or now.history[at].role == "user")
    cut = next((at for at in turns if cost(now.history[start:at]) <= now.budget), start)
    worth = cut == end or _tokens(now.history[start:cut]) >= MIN_SPAN
    return cut if cut > start and worth else None


def budget(history: Sequence[HistoryMessage], balance: int, share: float = COST_SHARE) -> float:
    """Tokens that compression may cost now, so that a thread never costs more than `share` above its
    whole history; `balance` is what was spared in it so far, less what was spent."""
    sent = total = 0
    for message in history:
        total += message_tokens(message.as_message())
        sent += total if message.role == "user" else 0
    return share * sent + balance


def outgrown(now: CompressionInput) -> bool:
    """Whether the prompt is about to outgrow its room: the whole history can soon not be sent at any
    cost."""
    return now.room is not None and now.used >= NEARLY_FULL * now.room


def _cut(history: Sequence[HistoryMessage], start: int, end: int, room: int) -> int:
    """The last beginning of a turn that keeps the span within `room`; one turn at least."""
    cut = end
    for at in range(start, end):
        room -= message_tokens(history[at].as_message())
        if at + 1 == end or history[at + 1].role == "user":
            if room >= 0 or cut == end:
                cut = at + 1
            if room < 0:
                break
    return cut


def merge_span(now: CompressionInput) -> tuple[int, int] | None:
    """The run of oldest blocks (numbers, the last not included) to make anew as one, if the notes
    have outgrown their share of the window and the summariser can read the originals at once."""
    allowed = NOTES_SHARE * (now.room or UNKNOWN_WINDOW)
    if sum(block_tokens(block.notes) for block in now.blocks) <= allowed:
        return None
    for first in range(len(now.blocks) - 1):
        last, read = first, 0
        while (
            last < len(now.blocks) and read + now.blocks[last].tokens_before <= now.summariser_room
        ):
            read += now.blocks[last].tokens_before
            last += 1
        if last - first >= 2:
            return first, last
    return None


def _tokens(messages: Sequence[HistoryMessage]) -> int:
    return prompt_tokens(message.as_message() for message in messages)
