"""One model on an Ollama server: its streamed answer."""

import contextlib
from collections.abc import AsyncGenerator, Callable, Iterator
from typing import Any

import aiohttp

from app.core.errors import (
    IncompleteAnswer,
    KonsiliumError,
    ServerError,
)
from app.core.events import Finished, ModelEvent
from app.core.reading import read_json
from app.core.requests import ModelRequest
from app.providers.deadline import StreamDeadline, Timeouts
from app.providers.lines import Lines, LineTooLong
from app.providers.ollama.client import OllamaClient
from app.providers.ollama.wire import AnswerReader, chat_body
from app.providers.upstream_errors import (
    WRONG_SHAPE,
    error_in_body,
    error_of_status,
    not_the_protocol,
)

REFUSAL_BYTES = 65536


class OllamaModel:
    """A ChatModel over POST /api/chat.

    Our own reading of the stream: the `ollama` package splits lines at U+0085 and U+2028, takes an
    end without `done` for success, and lets connections leak when iteration is broken off.
    """

    def __init__(
        self,
        client: OllamaClient,
        name: str,
        timeouts: Timeouts,
        num_ctx: Callable[[str], int | None],
        keep_alive: str | int | None,
    ) -> None:
        self._client = client
        self._server, self._name = client.server, name
        self._timeouts = timeouts
        self._num_ctx = num_ctx
        self._keep_alive = keep_alive

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelEvent, None]:
        """The answer, ended by `Finished`; closing this generator stops the model."""
        deadline = StreamDeadline(self._timeouts, self._server, self._name)
        reader = AnswerReader()
        finished: Finished | None = None
        try:
            async with contextlib.aclosing(self._chunks(request, deadline)) as batches:
                async for batch in batches:
                    for chunk in batch:
                        for event in self._read(reader, chunk):
                            if type(event) is Finished:
                                finished = event
                                deadline.ending()
                            else:
                                deadline.content()
                                yield event
        except ServerError:
            if finished is None:
                raise
        if finished is None:
            raise IncompleteAnswer(
                "the stream ended without done", server=self._server, model=self._name
            )
        yield finished

    async def _chunks(
        self, request: ModelRequest, deadline: StreamDeadline
    ) -> AsyncGenerator[Iterator[dict[str, Any]], None]:
        """The JSON objects of the stream, as many at once as came at once; parsed as they are taken,
        so that what came before a broken line is not lost with it."""
        lines = Lines()
        async with contextlib.aclosing(self._bytes(request, deadline)) as pieces:
            async for piece in pieces:
                try:
                    complete = lines.feed(piece)
                except LineTooLong as error:
                    raise not_the_protocol(self._server, self._name, piece) from error
                yield map(self._parse, complete)
        rest = lines.rest()
        if rest:
            yield iter((self._parse(rest, torn=True),))

    def _read(self, reader: AnswerReader, chunk: dict[str, Any]) -> list[ModelEvent]:
        try:
            return reader.read(chunk)
        except WRONG_SHAPE as error:
            raise not_the_protocol(self._server, self._name, repr(chunk).encode()) from error

    def _parse(self, line: bytes, *, torn: bool = False) -> dict[str, Any]:
        if not line or line.isspace():
            return {}
        try:
            chunk = read_json(line)
        except ValueError as error:
            if torn and line.lstrip().startswith(b"{"):
                raise IncompleteAnswer(
                    "the stream ended inside a line", server=self._server, model=self._name
                ) from error
            raise not_the_protocol(self._server, self._name, line) from error
        if not isinstance(chunk, dict):
            raise not_the_protocol(self._server, self._name, line)
        if "error" in chunk:
            raise error_in_body(self._server, self._name, chunk)
        return chunk

    async def _bytes(
        self, request: ModelRequest, deadline: StreamDeadline
    ) -> AsyncGenerator[bytes, None]:
        body = chat_body(
            self._name, request, num_ctx=self._num_ctx(self._name), keep_alive=self._keep_alive
        )
        asking = self._client.post("/api/chat", body, self._name, request.request_id)
        with deadline:
            response = await deadline.wait(asking)
            try:
                if response.status != 200:
                    raise await self._refused(response, deadline)
                while piece := await deadline.wait(self._client.read(response, self._name)):
                    yield piece
            finally:
                response.close()

    async def _refused(
        self, response: aiohttp.ClientResponse, deadline: StreamDeadline
    ) -> KonsiliumError:
        deadline.ending()
        body = b""
        with contextlib.suppress(KonsiliumError):  # the status alone says enough
            while piece := await deadline.wait(self._client.read(response, self._name)):
                body += piece
                if len(body) > REFUSAL_BYTES:
                    break
        return error_of_status(self._server, self._name, response.status, body, response.headers)
