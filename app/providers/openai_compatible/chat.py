"""One model on an OpenAI-compatible server: its streamed answer."""

import contextlib
from collections.abc import AsyncGenerator, Iterator
from typing import Any

import httpx2
import openai

from app.core.errors import IncompleteAnswer, ServerError
from app.core.events import ModelEvent
from app.core.reading import read_json
from app.core.requests import ModelRequest
from app.providers.deadline import StreamDeadline, Timeouts
from app.providers.lines import LineTooLong
from app.providers.openai_compatible.client import OpenAIClient
from app.providers.openai_compatible.sse import EventReader
from app.providers.openai_compatible.wire import AnswerReader, chat_body
from app.providers.upstream_errors import WRONG_SHAPE, error_in_body, not_the_protocol

DONE = b"[DONE]"
SSE_STARTS = (b"d", b"e", b"i", b"r", b":", b"\xef")
"""First letters of data, event, id, retry, a comment, a byte order mark: else it is no stream."""
MAX_BODY_BYTES = 64 * 2**20


class OpenAICompatibleModel:
    """A ChatModel over POST /chat/completions.

    The stream is decoded here: the package's decoder takes HTML at 200, and an end without an end
    mark, for an empty success, and builds a pydantic object for every token.
    """

    def __init__(self, client: OpenAIClient, name: str, timeouts: Timeouts) -> None:
        self._client = client
        self._server, self._name = client.server, name
        self._timeouts = timeouts

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelEvent, None]:
        """The answer, ended by `Finished`; closing this generator closes the connection."""
        deadline = StreamDeadline(self._timeouts, self._server, self._name)
        reader = AnswerReader(self._server, self._name)
        done = False
        try:
            async with contextlib.aclosing(self._chunks(request, deadline)) as batches:
                async for batch in batches:
                    for chunk in batch:
                        if chunk is None:
                            done = True
                            deadline.ending()
                            continue
                        for event in self._read(reader, chunk):
                            deadline.content()
                            yield event
                        if reader.complete:
                            deadline.ending()
        except ServerError:
            if not (done or reader.complete):
                raise
        if not (done or reader.complete):
            raise IncompleteAnswer(
                "the stream ended without finish_reason or [DONE]",
                server=self._server,
                model=self._name,
            )
        for event in reader.held_back():
            yield event
        yield reader.finished()

    async def _chunks(
        self, request: ModelRequest, deadline: StreamDeadline
    ) -> AsyncGenerator[Iterator[dict[str, Any] | None], None]:
        """The chunks as many at once as came at once, parsed as they are taken; None for [DONE]."""
        events = EventReader()
        plain: list[bytes] | None = None
        size = 0
        first = True
        async with contextlib.aclosing(self._bytes(request, deadline)) as pieces:
            async for piece in pieces:
                if first and piece.strip():
                    first = False
                    plain = None if piece.lstrip()[:1] in SSE_STARTS else []
                if plain is not None:
                    plain.append(piece)
                    size += len(piece)
                    if size > MAX_BODY_BYTES:
                        raise not_the_protocol(self._server, self._name, plain[0])
                    continue
                try:
                    complete = events.feed(piece)
                except LineTooLong as error:
                    raise not_the_protocol(self._server, self._name, piece) from error
                yield map(self._parse, complete)
        if plain is not None:
            yield iter((self._whole(b"".join(plain)), None))
        else:
            yield map(self._torn, events.rest())

    def _read(self, reader: AnswerReader, chunk: dict[str, Any]) -> list[ModelEvent]:
        try:
            return reader.read(chunk)
        except WRONG_SHAPE as error:
            raise not_the_protocol(self._server, self._name, repr(chunk).encode()) from error

    def _parse(self, data: bytes) -> dict[str, Any] | None:
        if data == DONE or data.strip() == DONE:
            return None
        try:
            chunk = read_json(data)
        except ValueError as error:
            raise not_the_protocol(self._server, self._name, data) from error
        if not isinstance(chunk, dict):
            raise not_the_protocol(self._server, self._name, data)
        if chunk.get("error"):
            raise error_in_body(self._server, self._name, chunk)
        return chunk

    def _torn(self, data: bytes) -> dict[str, Any] | None:
        """The last event, whose end never came."""
        try:
            if data.strip() != DONE:
                read_json(data)
        except ValueError as error:
            raise IncompleteAnswer(
                "the stream ended inside an event", server=self._server, model=self._name
            ) from error
        return self._parse(data)

    def _whole(self, body: bytes) -> dict[str, Any]:
        """A body that is no stream: one JSON answer of a server that does not stream, or an error."""
        chunk = self._parse(body)
        if not chunk or not chunk.get("choices"):
            raise not_the_protocol(self._server, self._name, body)
        return chunk

    async def _bytes(
        self, request: ModelRequest, deadline: StreamDeadline
    ) -> AsyncGenerator[bytes, None]:
        body = chat_body(self._client.preset, self._name, request)
        opening = self._client.stream("/chat/completions", body, request.request_id)
        try:
            with deadline:
                response = await deadline.wait(opening)
                try:
                    pieces = response.aiter_bytes().__aiter__()
                    while (piece := await deadline.wait(anext(pieces, None))) is not None:
                        yield piece
                finally:
                    await response.aclose()
        except (openai.OpenAIError, httpx2.HTTPError) as error:
            raise self._client.failure(error, self._name) from error
