"""Answers of OpenAI-compatible servers, passed through."""

import contextlib
from collections.abc import AsyncGenerator

from app.core.ports import RawCall
from app.core.requests import RawRequest
from app.gateway.openai.responder import CompletionRequest
from app.gateway.services import GatewayServices


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
