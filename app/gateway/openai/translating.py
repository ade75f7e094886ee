"""Answers of servers that speak another protocol (Ollama), put into OpenAI's form."""

import contextlib
import json
from collections.abc import AsyncGenerator
from dataclasses import replace

from app.core.models import ModelRef
from app.core.ports import Call
from app.core.requests import ModelRequest
from app.core.sse import DONE
from app.gateway.batches import batched
from app.gateway.openai.chunks import ChunkWriter, Head, completion
from app.gateway.openai.requests import chat_request, legacy_request
from app.gateway.openai.responder import CompletionRequest
from app.gateway.services import GatewayServices


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
