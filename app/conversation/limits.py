"""Deadlines of calls: the seconds that a person allows a council, a dialogue or a contest."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator

from app.core.errors import LimitReached
from app.core.events import ModelEvent
from app.core.ports import Call
from app.core.usage import CallRecord


def deadline_in(seconds: float) -> float | None:
    """The moment of the loop's clock that many seconds from now; None for 0, which is no limit."""
    return asyncio.get_running_loop().time() + seconds if seconds else None


def passed(deadline: float | None) -> bool:
    """Whether that moment is over."""
    return deadline is not None and asyncio.get_running_loop().time() >= deadline


def timed(call: Call, deadline: float | None) -> Call:
    """The call, ended by `deadline`, a moment of the loop's clock: LimitReached is raised then and the
    connection closed. None is no limit."""
    return call if deadline is None else _TimedCall(call, deadline)


class _TimedCall:
    def __init__(self, call: Call, deadline: float) -> None:
        self._call = call
        self._deadline = deadline

    @property
    def record(self) -> CallRecord:
        return self._call.record

    async def events(self) -> AsyncGenerator[ModelEvent, None]:
        async with contextlib.aclosing(self._call.events()) as events:
            while True:
                limit = asyncio.timeout_at(self._deadline)
                try:
                    async with limit:
                        event = await anext(events)
                except StopAsyncIteration:
                    return
                except TimeoutError as error:
                    if not limit.expired():
                        raise
                    model = self.record.model
                    raise LimitReached(
                        "the time allowed is over", server=model.server, model=model.name
                    ) from error
                yield event
