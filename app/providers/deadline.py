"""How long a model server is waited for, and the clock that counts it."""

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass, replace
from typing import Any, Self, TypeVar

from app.core.errors import FirstTokenTimeout, SilenceTimeout

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds. Connecting is quick to fail, loading a model is not."""

    connect: float = 5.0
    first_token: float = 600.0
    """From the request, or from the last sign of life, to the first content: a local model may load
    for minutes."""
    alive: float = 600.0
    """From the request to the first content of a server that meanwhile sends keep-alive comments, as
    DeepSeek does under load."""
    silence: float = 90.0
    """Between pieces of content; keep-alive comments do not count."""
    whole: float = 600.0
    """For an answer that is no stream."""
    transcription: float = 120.0
    """For one of speech: a small machine needs about as long as the speech lasted."""
    listing: float = 2.8
    """All requests of a listing; the catalogue gives up at 3 s, without knowing why."""
    key_check: float = 20.0
    """Of a question of one word: a wrong key is refused at once; what takes longer loads a model."""
    ending: float = 2.0
    """After the answer is complete: for its usage and the end of the connection's message."""
    unused: float = 30.0
    """A connection is kept for the next request. Many servers close theirs sooner (uvicorn after 5 s): the
    pool sees that, and where a request meets it on the way, it is sent again. A new one costs a handshake,
    and fifty that are opened in one instant wait for one another."""


LOCAL = Timeouts()
CLOUD = Timeouts(first_token=120.0)


def timeouts_for(*, local: bool, first_token: float | None = None) -> Timeouts:
    """Those of a local server or a cloud; `first_token` seconds in place of the usual, where given."""
    usual = LOCAL if local else CLOUD
    if first_token is None:
        return usual
    return replace(
        usual,
        first_token=first_token,
        alive=max(usual.alive, first_token),
        whole=max(usual.whole, first_token),
    )


_TICK = 0.001
"""A loop's timer may ring this much early, in seconds."""


class StreamDeadline:
    """What is left of the time one stream may take to say something; leave its context when it is over.

    Only time spent waiting for the server counts, so that a slow reader of ours is not taken for a
    silent server; and only content renews it, so that keep-alive comments do not. One timer serves
    all waits: `asyncio.timeout` makes one for each token, and that was a tenth of a stream's CPU.
    """

    def __init__(self, timeouts: Timeouts, server: str, model: str) -> None:
        self._timeouts = timeouts
        self._server, self._model = server, model
        self._left = timeouts.first_token
        self._spoken = False
        self._loop = asyncio.get_running_loop()
        self._clock = self._loop.time
        self._begun = self._clock()
        self._timer: asyncio.TimerHandle | None = None
        self._rings_at = 0.0
        self._deadline = 0.0
        self._waiting: asyncio.Task[Any] | None = None
        self._expired = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def content(self) -> None:
        """Something of the answer has come."""
        self._spoken = True
        self._left = self._timeouts.silence

    def alive(self) -> None:
        """The server says that it is at work; only before the first content does that count."""
        if not self._spoken:
            left = self._timeouts.alive - (self._clock() - self._begun)
            self._left = max(self._left, min(self._timeouts.first_token, left))

    def at_work(self) -> None:
        """The server said that it does something long: as patient as for the first content."""
        self._left = self._timeouts.first_token

    def ending(self) -> None:
        """The answer is complete; only its trailer is waited for."""
        self._left = self._timeouts.ending

    async def wait(self, arrival: Awaitable[T]) -> T:
        """Awaits it. Raises FirstTokenTimeout or SilenceTimeout when the time is up."""
        start = self._clock()
        task = self._waiting = asyncio.current_task()
        others = task.cancelling() if task else 0
        self._deadline = start + self._left
        if self._timer is None or self._deadline < self._rings_at:
            self._ring_at(self._deadline)
        try:
            return await arrival
        except asyncio.CancelledError as error:
            if not self._expired or (task and task.uncancel() > others):
                raise  # somebody else's
            self._expired = False
            raise self._failure() from error
        finally:
            self._waiting = None
            self._left = max(0.0, self._left - (self._clock() - start))

    def _ring_at(self, moment: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._rings_at = moment
        self._timer = self._loop.call_at(moment, self._ring)

    def _ring(self) -> None:
        self._timer = None
        if self._waiting is None:
            return
        if self._clock() + _TICK < self._deadline:
            self._ring_at(self._deadline)
        else:
            self._expired = True
            self._waiting.cancel()

    def _failure(self) -> FirstTokenTimeout | SilenceTimeout:
        if self._spoken:
            return SilenceTimeout(
                f"nothing more within {self._timeouts.silence:g} s",
                server=self._server,
                model=self._model,
            )
        return FirstTokenTimeout(
            f"nothing within {self._timeouts.first_token:g} s",
            server=self._server,
            model=self._model,
        )
