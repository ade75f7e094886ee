"""OpenAI's chat completions, and the older completions, as faces."""

from collections.abc import AsyncIterable
from typing import Any, ClassVar

from app.core.events import ModelEvent
from app.core.sse import DONE, PING, encode
from app.gateway.access import Caller
from app.gateway.errors import Answer
from app.gateway.face import Json
from app.gateway.http import EVENTS, ErrorForm, Exchange, openai_error
from app.gateway.openai.chunks import ChunkWriter, CompletionHeader, completion
from app.gateway.openai.requests import without_no_bound


class OpenAIQuestion:
    """A request in the form that all others are put into."""

    def __init__(self, body: Json, *, legacy: bool = False) -> None:
        self.body = body
        self.legacy = legacy

    def writer(self, model: str) -> ChunkWriter:
        options = self.body.get("stream_options") or {}
        return ChunkWriter(
            CompletionHeader.new(model, legacy=self.legacy),
            wants_usage=options.get("include_usage") is True,
        )

    async def whole(self, model: str, events: AsyncIterable[ModelEvent]) -> dict[str, Any]:
        return await completion(CompletionHeader.new(model, legacy=self.legacy), events)

    def broken(self, answer: Answer) -> bytes:
        return encode(answer.envelope)


class ChatCompletions:
    """/v1/chat/completions."""

    passes: ClassVar[str | None] = "/chat/completions"
    content_type: ClassVar[bytes] = EVENTS
    ping: bytes = PING
    ends: ClassVar[tuple[bytes, ...]] = (DONE,)
    councils: ClassVar[bool] = True
    errors: ErrorForm = staticmethod(openai_error)

    async def read(self, x: Exchange, caller: Caller) -> OpenAIQuestion:
        return OpenAIQuestion(without_no_bound(await x.json()))


class LegacyCompletions(ChatCompletions):
    """/v1/completions."""

    passes: ClassVar[str | None] = "/completions"
    councils: ClassVar[bool] = False

    async def read(self, x: Exchange, caller: Caller) -> OpenAIQuestion:
        body = without_no_bound(await x.json(), none=(-1,))  # 0 has the prompt alone counted
        return OpenAIQuestion(body, legacy=True)
