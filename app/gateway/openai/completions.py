"""/v1/chat/completions and /v1/completions."""

import contextlib
import logging
from collections.abc import AsyncGenerator, Sequence

from app.completion.routing import may_work_elsewhere
from app.core.errors import IncompleteAnswer, KonsiliumError
from app.core.models import ModelRef
from app.gateway.errors import answer_to
from app.gateway.http import Exchange
from app.gateway.openai.modes import ModeModels
from app.gateway.openai.proxying import ProxyResponder
from app.gateway.openai.remembered import from_cache
from app.gateway.openai.requests import envelope
from app.gateway.openai.responder import CompletionRequest, Responder
from app.gateway.openai.sse import DONE, encode
from app.gateway.openai.translating import TranslatingResponder
from app.gateway.services import GatewayServices

log = logging.getLogger(__name__)


class Completions:
    """The route; `legacy` speaks the form of /v1/completions."""

    def __init__(self, desk: GatewayServices, modes: ModeModels, *, legacy: bool = False) -> None:
        self._desk = desk
        self._modes = modes
        self._legacy = legacy

    async def __call__(self, x: Exchange) -> None:
        await self._desk.pacer.enter()
        caller = await self._desk.authenticator.caller(x)
        body = await x.json()
        head = envelope(body, legacy=self._legacy)
        mode = None if self._legacy else self._modes.mode(head.model)
        targets = () if mode else self._desk.candidates(caller, head.model)
        counted = await self._desk.admit(x, caller, head.characters)
        asked = CompletionRequest(body, head, caller, x.request_id, counted, self._legacy)
        attempts: Sequence[Responder]
        if mode:
            attempts = [self._modes.responder(mode, asked)]
        else:
            remembered = await from_cache(self._desk, x, asked, targets[0])
            attempts = [
                *remembered,
                *(self._responder(ref, asked) for ref in targets[len(remembered) :]),
            ]
        async with x.while_connected():
            if head.stream:
                await self._stream(x, attempts, targets)
            else:
                await self._whole(x, attempts, targets)

    def _responder(self, ref: ModelRef, asked: CompletionRequest) -> Responder:
        raw = self._desk.raw.get(ref.server)
        if raw is not None:
            return ProxyResponder(self._desk, ref, raw, asked)
        return TranslatingResponder(self._desk, ref, asked)

    async def _whole(
        self, x: Exchange, attempts: Sequence[Responder], targets: Sequence[ModelRef]
    ) -> None:
        for number, responder in enumerate(attempts, 1):
            try:
                async with self._slot(targets, number):
                    answer = await responder.whole()
                await x.reply(200, answer)
                return
            except KonsiliumError as error:
                if number == len(attempts) or not may_work_elsewhere(error):
                    raise
                _log_detour(error, targets[number])

    async def _stream(
        self, x: Exchange, attempts: Sequence[Responder], targets: Sequence[ModelRef]
    ) -> None:
        try:
            async with (
                self._desk.kept_alive(x),
                contextlib.aclosing(self._blocks(attempts, targets)) as blocks,
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
        self, attempts: Sequence[Responder], targets: Sequence[ModelRef]
    ) -> AsyncGenerator[bytes, None]:
        """The blocks of the first who answers; after its first one there is no other."""
        for number, responder in enumerate(attempts, 1):
            begun = False
            try:
                async with (
                    self._slot(targets, number),
                    contextlib.aclosing(responder.blocks()) as blocks,
                ):
                    async for block in blocks:
                        begun = begun or not block.startswith(b":")
                        yield block
                return
            except KonsiliumError as error:
                if begun or number == len(attempts) or not may_work_elsewhere(error):
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
