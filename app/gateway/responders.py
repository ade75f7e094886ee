"""The ways in which an answer comes about: passed through, or put together from our own events."""

import contextlib
import json
from collections.abc import AsyncGenerator, Callable
from dataclasses import replace

from app.core.events import ModelEvent, ToolCallDelta
from app.core.models import Capability, ModelProfile, ModelRef
from app.core.ports import Call, RawCall
from app.core.requests import ModelRequest, RawRequest
from app.gateway.batches import batched
from app.gateway.face import CallsInTurn, CompletionRequest
from app.gateway.openai.requests import chat_request, legacy_request, without_parameters
from app.gateway.services import GatewayServices


def raw_request(asked: CompletionRequest, path: str) -> RawRequest:
    """What is asked, as the client put it."""
    return RawRequest(
        path,
        asked.body,
        stream=asked.envelope.stream,
        wants_usage=asked.envelope.wants_usage,
        characters=asked.envelope.characters,
        request_id=asked.request_id,
        drops=asked.drops,
    )


class ProxyResponder:
    """One call of an OpenAI-compatible server, whose answer is passed through."""

    def __init__(self, services: GatewayServices, asked: CompletionRequest, call: RawCall) -> None:
        self._services = services
        self._asked = asked
        self._call = call

    async def blocks(self) -> AsyncGenerator[bytes, None]:
        try:
            async with contextlib.aclosing(self._call.blocks()) as blocks:
                async for block in blocks:
                    yield block
        finally:
            self._asked.note(self._services.recorder, self._call.record)

    async def whole(self) -> bytes:
        try:
            return (await self._call.answer()).body
        finally:
            self._asked.note(self._services.recorder, self._call.record)


class EventResponder:
    """Our own events, put into the form of the face that asks."""

    def __init__(
        self,
        asked: CompletionRequest,
        model: str,
        events: Callable[[], AsyncGenerator[ModelEvent, None]],
        note: Callable[[], None],
    ) -> None:
        """`events` are those of `model`; `note` is called when they have ended, however they did."""
        self._question = asked.question
        self._model = model
        self._events = events
        self._note = note

    async def blocks(self) -> AsyncGenerator[bytes, None]:
        try:
            async with contextlib.aclosing(batched(self._pieces())) as blocks:
                async for block in blocks:
                    yield block
        finally:
            self._note()

    async def _pieces(self) -> AsyncGenerator[bytes, None]:
        writer = self._question.writer(self._model)
        opening = writer.opening()
        calls = CallsInTurn()
        async with contextlib.aclosing(self._events()) as events:
            async for event in events:
                if calls.begun or type(event) is ToolCallDelta:
                    piece = b"".join(map(writer.event, calls.ordered(event)))
                else:
                    piece = writer.event(event)
                if opening:
                    piece, opening = opening + piece, b""
                if piece:
                    yield piece
        yield await writer.closing()

    async def whole(self) -> bytes:
        try:
            async with contextlib.aclosing(self._events()) as events:
                answer = await self._question.whole(self._model, events)
        finally:
            self._note()
        return json.dumps(answer, ensure_ascii=False).encode("utf-8", "replace")


def model_request(
    services: GatewayServices, ref: ModelRef, asked: CompletionRequest
) -> ModelRequest:
    """What that model is asked, as our own value, without what programs say to any model and this one
    is known not to take: how hard it should think where it does not, and a bound of the answer that is
    more than its window, the widest that it may get. Raises InvalidField."""
    build = legacy_request if asked.question.legacy else chat_request
    body = asked.body
    if asked.drops:
        body = without_parameters(body, legacy=asked.question.legacy)
    request = build(body, asked.request_id)
    if asked.drops:
        request = replace(request, drops=True)
    profile = services.models.profile(ref)
    if request.extra.get("reasoning_effort") and _known_not_to_think(services, profile):
        extra = {name: value for name, value in request.extra.items() if name != "reasoning_effort"}
        request = replace(request, extra=extra)
    most = request.sampling.max_tokens
    window = max(profile.window or 0, profile.widest or 0, profile.longest or 0)
    if most is not None and window and most >= window:
        request = replace(request, sampling=replace(request.sampling, max_tokens=None))
    return request


def _known_not_to_think(services: GatewayServices, profile: ModelProfile) -> bool:
    """Of Ollama's models alone all abilities are known."""
    kinds = {state.name: state.kind for state in services.models.states()}
    known = kinds.get(profile.ref.server) == "ollama" and profile.digest is not None
    return known and not profile.can(Capability.THINKING)


def translated(
    services: GatewayServices, ref: ModelRef, asked: CompletionRequest, call: Call | None = None
) -> EventResponder:
    """One call through `Models`; `call` answers instead: one from the cache, or one that is kept."""
    made = call or services.models.call(ref, model_request(services, ref, asked))

    def note() -> None:
        record = replace(made.record, streaming=asked.envelope.stream)
        asked.note(services.recorder, record)

    return EventResponder(asked, str(ref), made.events, note)
