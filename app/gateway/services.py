"""What the routes of the gateway work with, and what each of them does first."""

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from app.access.budgets import Budgets
from app.access.keys import KeyRing
from app.access.limits import LIKELY_ANSWER_TOKENS, Headers, Limits
from app.access.spending import Estimate, Spending
from app.completion.caching.cache import AnswerCache
from app.completion.pulls import Stores
from app.conversation.mode import Mode
from app.conversation.sources import Find
from app.core.concurrency import BackgroundTasks
from app.core.errors import ModelNotFound
from app.core.keys import paid_by
from app.core.models import ModelRef
from app.core.ports import KeyValueStore, Models
from app.core.sse import PING
from app.core.tools import ToolBox
from app.core.usage import Usage
from app.gateway.access import Authenticator, Caller
from app.gateway.aliases import Aliases
from app.gateway.http import EVENTS, Exchange
from app.gateway.key_usage import KeyUsageRecorder
from app.storage.presets import Presets

COUNCIL_CALLS = 5
"""How many calls of its model a council, or an answer with tools, is taken to make, until it is known."""


class RequestPacer:
    """One new request an iteration of the loop: `await enter()` returns at once where nobody else has
    just come in.

    uvloop writes at the end of an iteration. Fifty requests that come together would all be read
    before the first is sent on, and their answers, coming together again, would wait for one another
    too: the median becomes the maximum. Let in one by one, each is on its way before the next is
    looked at.
    """

    def __init__(self) -> None:
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._turning = False

    async def enter(self) -> None:
        """Returns in one's turn, first come first served."""
        loop = asyncio.get_running_loop()
        if not self._turning:
            self._turning = True
            loop.call_soon(self._next, loop)
            return
        turn = loop.create_future()
        self._waiting.append(turn)
        await turn

    def _next(self, loop: asyncio.AbstractEventLoop) -> None:
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                loop.call_soon(self._next, loop)
                return
        self._turning = False


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds: how streams are kept alive."""

    heartbeat: float = 10.0
    tick: float = 1.0


@dataclass(frozen=True)
class GatewayServices:
    """The gateway's collaborators."""

    models: Models
    authenticator: Authenticator
    keys: KeyRing
    limits: Limits
    budgets: Budgets
    recorder: KeyUsageRecorder
    modes: tuple[Mode, ...] = ()
    tools: ToolBox = field(default_factory=ToolBox)
    """What models may call for the keys that are allowed it."""
    stores: Stores | None = None
    """The servers whose models an administrator may fetch, load and remove."""
    documents: KeyValueStore | None = None
    """Where responses are kept that later ones refer to; without it, none are."""
    aliases: Aliases = field(default_factory=Aliases)
    answers: AnswerCache | None = None
    """Answers of keys that have a cache."""
    presets: Presets | None = None
    """Assistants, which may be asked as models."""
    find: Find | None = None
    """Finds what the knowledge bases of an assistant have on a question."""
    pace: Pace = Pace()
    pacer: RequestPacer = field(default_factory=RequestPacer)
    background: BackgroundTasks = field(default_factory=BackgroundTasks)
    """Corrections of what keys have used."""

    @contextlib.asynccontextmanager
    async def admitted(
        self,
        x: Exchange,
        caller: Caller,
        prompt_tokens: int,
        answer_tokens: int | None = None,
        model: ModelRef | None = None,
        *,
        calls: int = 1,
    ) -> AsyncGenerator[None, None]:
        """Lets the request in, whose calls inside are counted for its key; so many `calls` of that model
        are reckoned with.

        Puts the usual headers on the answer. Raises what `Spending.admit` does.
        """
        spending = await self.admit(caller, x.extra, prompt_tokens, answer_tokens, model, calls)
        try:
            with paid_by(spending):
                yield
        finally:
            if spending is not None:
                spending.close()

    async def admit(
        self,
        caller: Caller,
        headers: Headers,
        prompt_tokens: int,
        answer_tokens: int | None = None,
        model: ModelRef | None = None,
        calls: int = 1,
    ) -> Spending | None:
        """Counts the request against its key's limits, with what it may come to; None without a key.
        Whoever asks for it closes it."""
        key = caller.key
        if key is None:
            return None
        self.recorder.used(key)
        spending = Spending(key, self.keys, self.limits, self.budgets, self.background)
        rub = Decimal(0)
        if key.budget_rub is not None and model is not None:
            answer = LIKELY_ANSWER_TOKENS if answer_tokens is None else answer_tokens
            cost = self.models.cost(model, Usage(prompt_tokens, answer))
            rub = cost.rub * calls if cost is not None else rub
        await spending.admit(Estimate(prompt_tokens, answer_tokens, rub), headers)
        return spending

    def candidates(self, caller: Caller, name: str) -> tuple[ModelRef, ...]:
        """The servers to ask for a model, of those that are the caller's.

        Raises ModelNotFound, with near names among the caller's own.
        """
        if named := self.aliases.models(name):
            return self._of_alias(caller, name, named)
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

    def named(self, caller: Caller, name: str) -> str:
        """The model that an alias stands for now; any other name as it is. Raises ModelNotFound."""
        if not self.aliases.models(name):
            return name
        return str(self.candidates(caller, name)[0])

    def aliases_of(self, caller: Caller) -> list[str]:
        """The aliases that stand for a model which the caller may ask."""
        names = []
        for alias in self.aliases.all():
            with contextlib.suppress(ModelNotFound):
                self.candidates(caller, alias.name)
                names.append(alias.name)
        return names

    def _of_alias(self, caller: Caller, name: str, models: Sequence[str]) -> tuple[ModelRef, ...]:
        """All servers of all its models, those that are there."""
        found: dict[ModelRef, None] = {}
        for model in models:
            with contextlib.suppress(ModelNotFound):
                found |= dict.fromkeys(self.models.candidates(model))
        allowed = tuple(ref for ref in found if caller.may_use(str(ref)))
        if not allowed:
            raise ModelNotFound(f"no model of the alias {name} is there for this key", model=name)
        return allowed

    @contextlib.asynccontextmanager
    async def kept_alive(
        self, x: Exchange, ping: bytes = PING, content_type: bytes = EVENTS
    ) -> AsyncGenerator[None, None]:
        """Sends a `ping` into a stream that is silent."""
        pulse: asyncio.Task[None] | None = None

        def begin() -> None:
            nonlocal pulse
            pulse = asyncio.create_task(_pulse(x, self.pace, ping, content_type))

        tick = min(self.pace.tick, self.pace.heartbeat)
        beginning = asyncio.get_running_loop().call_later(tick, begin)  # most end sooner
        try:
            yield
        finally:
            beginning.cancel()
            if pulse is not None:
                pulse.cancel()


async def _pulse(x: Exchange, pace: Pace, ping: bytes, content_type: bytes) -> None:
    clock = asyncio.get_running_loop().time
    while True:
        if not x.writing and clock() - x.written_at >= pace.heartbeat:
            await x.begin_stream(content_type)
            await x.write(ping)
        await asyncio.sleep(min(pace.tick, pace.heartbeat))
