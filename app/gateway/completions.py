"""The route of every face: /v1/chat/completions and the other ways to ask for an answer."""

import contextlib
import logging
from collections.abc import Sequence

from app.completion.attempts import elsewhere, whole_elsewhere
from app.completion.caching.cache import CheckCaller, Hit
from app.completion.caching.query import query_of_call
from app.completion.caching.serving import CachingCall
from app.completion.tokens import tokens_of_characters
from app.core.errors import IncompleteAnswer, KonsiliumError, StorageUnavailable
from app.core.models import ModelRef
from app.core.ports import Call
from app.core.requests import ModelRequest
from app.core.usage import CallRecord
from app.gateway.access import Caller
from app.gateway.errors import HttpError, answer_to
from app.gateway.face import CompletionRequest, Face, Question, Responder
from app.gateway.http import Exchange
from app.gateway.openai.modes import ModeModels
from app.gateway.openai.requests import check_fields, envelope
from app.gateway.responders import ProxyResponder, model_request, raw_request, translated
from app.gateway.services import COUNCIL_CALLS, GatewayServices

log = logging.getLogger(__name__)

HEADER = b"x-konsilium-cache"
"""In a request, `bypass`: ask the model and replace. In an answer: hit-exact, hit-near or miss."""
MISS = (HEADER, b"miss")


async def cached(
    services: GatewayServices, x: Exchange, asked: CompletionRequest, ref: ModelRef
) -> tuple[Responder, ...]:
    """The first model with the cache beside it; none where the cache has no say.

    Puts `x-konsilium-cache` on the answer. `bypass` in the request asks the model and replaces.
    """
    cache, key = services.answers, asked.caller.key
    if cache is None or key is None or key.cache == "off":
        return ()
    try:
        request = model_request(services, ref, asked)
        owner = await cache.owner(f"key:{key.id}")
    except HttpError:
        return ()  # a form that only the server itself understands
    except StorageUnavailable as error:
        log.warning("answer cache: %s", error.detail)
        return ()
    query = query_of_call(
        request,
        ref,
        owner=owner,
        digest=services.models.profile(ref).digest,
        kind="completions" if asked.question.legacy else "chat/completions",
    )
    if query is None:
        return ()
    x.extra.append(MISS)

    def hit(found: Hit) -> None:
        x.extra[x.extra.index(MISS)] = (HEADER, f"hit-{found.kind}".encode())

    call = CachingCall(
        services.models.call(ref, request),
        cache,
        query,
        _asker(services, asked.caller),
        near=key.cache == "near",
        bypass=x.header(HEADER).strip().lower() == "bypass",
        hit=hit,
    )
    return (translated(services, ref, asked, call),)


def _asker(services: GatewayServices, caller: Caller) -> CheckCaller:
    """Checks are made with the caller's own models, and booked to their key."""

    def call(name: str, request: ModelRequest) -> Call:
        return services.models.call(services.candidates(caller, name)[0], request)

    def book(record: CallRecord) -> None:
        services.recorder.note(caller, record)

    return CheckCaller(call, book)


class Completions:
    """The route of one face."""

    def __init__(self, services: GatewayServices, modes: ModeModels, face: Face) -> None:
        self._services = services
        self._modes = modes
        self._face = face

    async def __call__(self, x: Exchange) -> None:
        await self._services.pacer.enter()
        caller = await self._services.authenticator.caller(x)
        question = await self._face.read(x, caller)
        head = envelope(question.body, legacy=question.legacy)
        councils = self._face.councils
        assistant = await self._modes.assistant(head.model, caller) if councils else None
        mode = self._modes.mode(head.model) if councils and assistant is None else None
        targets: Sequence[ModelRef] = ()
        if assistant is not None:
            targets = (self._modes.model_of(assistant, caller),)
        elif mode is None:
            targets = self._services.candidates(caller, head.model)
        check_fields(question.body, caller, targets)
        first = self._modes.likely(question.body, caller) if mode else targets[0]
        tooled = self._modes.with_tools(question.body, assistant) if targets and councils else None
        asked = CompletionRequest(self._face, question, head, caller, x.request_id, caller.drops(x))
        tokens = max(1, tokens_of_characters(head.characters))
        calls = COUNCIL_CALLS if mode or tooled else 1
        async with self._services.admitted(x, caller, tokens, head.max_tokens, first, calls=calls):
            attempts: Sequence[Responder]
            if mode:
                attempts = [self._modes.responder(mode, asked)]
            elif tooled:
                attempts = [self._modes.responder(tooled, asked, targets[0], assistant)]
            else:
                kept = await cached(self._services, x, asked, targets[0])
                attempts = [
                    *kept,
                    *(self._responder(ref, asked) for ref in targets[len(kept) :]),
                ]
            async with x.while_connected():
                if head.stream:
                    await self._stream(x, question, attempts)
                else:
                    await x.reply(200, await whole_elsewhere([each.whole for each in attempts]))

    def _responder(self, ref: ModelRef, asked: CompletionRequest) -> Responder:
        if self._face.passes is not None:
            passed = self._services.models.raw_call(ref, raw_request(asked, self._face.passes))
            if passed is not None:
                return ProxyResponder(self._services, asked, passed)
        return translated(self._services, ref, asked)

    async def _stream(self, x: Exchange, question: Question, attempts: Sequence[Responder]) -> None:
        face = self._face
        try:
            async with (
                self._services.kept_alive(x, face.ping, face.content_type),
                contextlib.aclosing(elsewhere([each.blocks for each in attempts])) as blocks,
            ):
                async for block in blocks:
                    await x.begin_stream(face.content_type)
                    if block.endswith(face.ends):
                        await x.end_stream(block)  # and only then whatever is to be cleared up
                    else:
                        await x.write(block)
            if not x.finished:
                raise IncompleteAnswer("the answer has no end")
        except Exception as error:  # the stream has begun: what went wrong is its last event
            if not x.started or x.finished:
                raise
            _log_broken(error)
            await x.end_stream(question.broken(answer_to(error)))


def _log_broken(error: Exception) -> None:
    if isinstance(error, KonsiliumError):
        log.warning("a stream broke: %s of %s: %s", error.code, error.server, error.detail)
    else:
        log.error("a stream broke unexpectedly", exc_info=error)
