"""One completion asked for, and those who answer: a server that speaks OpenAI's protocol is passed
through, another is translated."""

import contextlib
import json
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

from app.core.models import ModelRef
from app.core.ports import Call, RawCall
from app.core.requests import ModelRequest, RawRequest
from app.core.sse import DONE
from app.core.usage import CallRecord
from app.gateway.access import Caller
from app.gateway.batches import batched
from app.gateway.key_usage import KeyUsageRecorder
from app.gateway.openai.chunks import ChunkWriter, Head, completion
from app.gateway.openai.requests import Envelope, chat_request, legacy_request
from app.gateway.services import GatewayServices


@dataclass(frozen=True, slots=True)
class CompletionRequest:
    """A checked request for a completion."""

    body: Mapping[str, Any]
    envelope: Envelope
    caller: Caller
    request_id: str
    legacy: bool = False
    """In the form of /v1/completions."""

    def note(self, recorder: KeyUsageRecorder, record: CallRecord) -> None:
        """Keeps what a call took, if it came to be made."""
        if record.total_s is not None:
            recorder.note(self.caller, record)


class Responder(Protocol):
    """One attempt to answer. What it took is noted, however it ends."""

    def blocks(self) -> AsyncGenerator[bytes, None]:
        """The answer as whole events, the last block ending in `[DONE]`. Closing it stops the model."""
        ...

    async def whole(self) -> bytes:
        """The answer as one JSON object."""
        ...


def raw_request(asked: CompletionRequest) -> RawRequest:
    """What is asked, as the client put it."""
    return RawRequest(
        "/completions" if asked.legacy else "/chat/completions",
        asked.body,
        stream=asked.envelope.stream,
        wants_usage=asked.envelope.wants_usage,
        characters=asked.envelope.characters,
        request_id=asked.request_id,
    )


class ProxyResponder:
    """One call of an OpenAI-compatible server."""

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


def model_request(asked: CompletionRequest) -> ModelRequest:
    """What is asked, as our own value. Raises InvalidField."""
    build = legacy_request if asked.legacy else chat_request
    return build(asked.body, asked.request_id)


class TranslatingResponder:
    """One call through `Models`."""

    def __init__(
        self,
        services: GatewayServices,
        ref: ModelRef,
        asked: CompletionRequest,
        call: Call | None = None,
    ) -> None:
        """`call` answers instead of the model's own: one from the cache, or one that is kept."""
        self._services = services
        self._asked = asked
        self._head = Head.new(str(ref), legacy=asked.legacy)
        self._call: Call = call or services.models.call(ref, model_request(asked))

    async def blocks(self) -> AsyncGenerator[bytes, None]:
        try:
            async with contextlib.aclosing(batched(self._pieces())) as blocks:
                async for block in blocks:
                    yield block
        finally:
            self._note()

    async def _pieces(self) -> AsyncGenerator[bytes, None]:
        writer = ChunkWriter(self._head, wants_usage=self._asked.envelope.wants_usage)
        opening = writer.opening()
        async with contextlib.aclosing(self._call.events()) as events:
            async for event in events:
                piece = writer.event(event)
                if opening:
                    piece, opening = opening + piece, b""
                yield piece
        yield DONE

    async def whole(self) -> bytes:
        try:
            async with contextlib.aclosing(self._call.events()) as events:
                answer = await completion(self._head, events)
        finally:
            self._note()
        return json.dumps(answer, ensure_ascii=False).encode("utf-8", "replace")

    def _note(self) -> None:
        record = replace(self._call.record, streaming=self._asked.envelope.stream)
        self._asked.note(self._services.recorder, record)
