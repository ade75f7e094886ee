"""What the routes of the gateway work with, and what each of them does first."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field

from app.access.budgets import check_budget
from app.access.keys import KeyRing
from app.access.limits import Limits
from app.completion.caching.cache import AnswerCache
from app.completion.tokens import tokens_of_characters
from app.conversation.mode import Mode
from app.core.errors import ModelNotFound
from app.core.models import ModelRef
from app.core.ports import Models
from app.core.sse import PING
from app.gateway.access import Authenticator, Caller
from app.gateway.http import Exchange
from app.gateway.key_usage import KeyUsageRecorder
from app.gateway.pacing import RequestPacer


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds: how streams are kept alive, and how long a slow reader is waited for."""

    heartbeat: float = 10.0
    slow_reader: float = 60.0
    """A client that takes nothing for so long is dropped."""
    tick: float = 1.0


@dataclass(frozen=True)
class GatewayServices:
    """The gateway's collaborators."""

    models: Models
    authenticator: Authenticator
    keys: KeyRing
    limits: Limits
    recorder: KeyUsageRecorder
    modes: tuple[Mode, ...] = ()
    answers: AnswerCache | None = None
    """Answers of keys that have a cache."""
    pace: Pace = Pace()
    pacer: RequestPacer = field(default_factory=RequestPacer)

    async def admit(self, x: Exchange, caller: Caller, characters: int) -> int:
        """Counts the request against its key's limits and puts the usual headers on the answer.

        Returns the tokens counted beforehand. Raises LimitReached or BudgetExceeded.
        """
        if caller.key is None:
            return 0
        check_budget(caller.key, self.keys.spent(caller.key))
        self.recorder.used(caller.key)
        tokens = max(1, tokens_of_characters(characters))
        x.extra += await self.limits.admit(caller.key, tokens)
        return tokens

    def candidates(self, caller: Caller, name: str) -> tuple[ModelRef, ...]:
        """The servers to ask for a model, of those that are the caller's.

        Raises ModelNotFound, with near names among the caller's own.
        """
        try:
            found = self.models.candidates(name)
        except ModelNotFound as error:
            near = tuple(model for model in error.near if caller.may_use(model))
            raise ModelNotFound(
                error.detail, server=error.server, model=error.model, near=near
            ) from error
        allowed = tuple(ref for ref in found if caller.may_use(str(ref)))
        if not allowed:
            raise ModelNotFound(f"not for this key: {name}", model=name)
        return allowed

    @contextlib.asynccontextmanager
    async def kept_alive(self, x: Exchange) -> AsyncGenerator[None, None]:
        """Sends comments into a stream that is silent, and drops a client that reads nothing."""
        pulse = asyncio.create_task(_pulse(x, self.pace))
        try:
            yield
        finally:
            pulse.cancel()


async def _pulse(x: Exchange, pace: Pace) -> None:
    clock = asyncio.get_running_loop().time
    while True:
        await asyncio.sleep(min(pace.tick, pace.heartbeat))
        if x.writing_since is not None:
            if clock() - x.writing_since > pace.slow_reader:
                x.abort()
                return
        elif clock() - x.written_at >= pace.heartbeat:
            await x.begin_stream()
            await x.write(PING)
