"""/v1/chat/completions and /v1/completions."""

import contextlib
import logging
from collections.abc import AsyncGenerator, Sequence

from app.completion.routing import may_work_elsewhere
from app.core.errors import IncompleteAnswer, KonsiliumError
from app.core.models import ModelRef
from app.gateway.desk import Desk
from app.gateway.errors import answer_to
from app.gateway.http import Exchange
from app.gateway.openai.asked import Answering, Asked
from app.gateway.openai.council import Council
from app.gateway.openai.passed import Passed
from app.gateway.openai.remembered import from_cache
from app.gateway.openai.requests import envelope
from app.gateway.openai.sse import DONE, encode
from app.gateway.openai.translated import Translated

log = logging.getLogger(__name__)


class Completions:
    """The route; `legacy` speaks the form of /v1/completions."""

    def __init__(self, desk: Desk, council: Council, *, legacy: bool = False) -> None:
        self._desk = desk
        self._council = council
        self._legacy = legacy

    async def __call__(self, x: Exchange) -> None:
        await self._desk.turnstile.enter()
        caller = await self._desk.door.caller(x)
        body = await x.json()
        head = envelope(body, legacy=self._legacy)
        mode = None if self._legacy else self._council.mode(head.model)
        targets = () if mode else self._desk.candidates(caller, head.model)
        counted = await self._desk.admit(x, caller, head.characters)
        asked = Asked(body, head, caller, x.request_id, counted, self._legacy)
        tries: Sequence[Answering]
        if mode:
            tries = [self._council.answering(mode, asked)]
        else:
            remembered = await from_cache(self._desk, x, asked, targets[0])
            tries = [
                *remembered,
                *(self._answering(ref, asked) for ref in targets[len(remembered) :]),
            ]
        async with x.while_connected():
            if head.stream:
                await self._stream(x, tries, targets)
            else:
                await self._whole(x, tries, targets)

    def _answering(self, ref: ModelRef, asked: Asked) -> Answering:
        raw = self._desk.raw.get(ref.server)
        if raw is not None:
            return Passed(self._desk, ref, raw, asked)
        return Translated(self._desk, ref, asked)

    async def _whole(
        self, x: Exchange, tries: Sequence[Answering], targets: Sequence[ModelRef]
    ) -> None:
        for number, answering in enumerate(tries, 1):
            try:
                async with self._slot(targets, number):
                    answer = await answering.whole()
                await x.reply(200, answer)
                return
            except KonsiliumError as error:
                if number == len(tries) or not may_work_elsewhere(error):
                    raise
                _log_detour(error, targets[number])

    async def _stream(
        self, x: Exchange, tries: Sequence[Answering], targets: Sequence[ModelRef]
    ) -> None:
        try:
            async with (
                self._desk.kept_alive(x),
                contextlib.aclosing(self._blocks(tries, targets)) as blocks,
            ):
                async for block in blocks:
                    await x.begin_stream()
                    if block.endswith(DONE):
                        await x.end_stream(block)  # and only then whatever is to be cleared up
                    else:
                        await x.write(block)
            if not x.finished:
                raise IncompleteAnswer("the answer has no end")
        except Exception as error:  # the stream has begun: what went wrong is its last event
            if not x.started or x.finished:
                raise
            _log_broken(error)
            await x.end_stream(encode(answer_to(error).envelope))

    async def _blocks(
        self, tries: Sequence[Answering], targets: Sequence[ModelRef]
    ) -> AsyncGenerator[bytes, None]:
        """The blocks of the first who answers; after its first one there is no other."""
        for number, answering in enumerate(tries, 1):
            begun = False
            try:
                async with (
                    self._slot(targets, number),
                    contextlib.aclosing(answering.blocks()) as blocks,
                ):
                    async for block in blocks:
                        begun = begun or not block.startswith(b":")
                        yield block
                return
            except KonsiliumError as error:
                if begun or number == len(tries) or not may_work_elsewhere(error):
                    raise
                _log_detour(error, targets[number])

    def _slot(
        self, targets: Sequence[ModelRef], number: int
    ) -> contextlib.AbstractAsyncContextManager[None]:
        if not targets:  # a mode: the calls it makes find their own places
            return contextlib.nullcontext()
        return self._desk.router.slot(targets[number - 1])


def _log_detour(error: KonsiliumError, other: ModelRef) -> None:
    log.warning("%s of %s: %s; asking %s", error.code, error.server, error.detail, other)


def _log_broken(error: Exception) -> None:
    if isinstance(error, KonsiliumError):
        log.warning("a stream broke: %s of %s: %s", error.code, error.server, error.detail)
    else:
        log.error("a stream broke unexpectedly", exc_info=error)
