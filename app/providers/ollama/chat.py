"""One model on an Ollama server: its streamed answer."""

from collections.abc import AsyncGenerator, Callable, Iterator
from typing import Any

from app.core.errors import IncompleteAnswer, ServerError
from app.core.events import Finished, ModelEvent
from app.core.reading import read_odd_json
from app.core.requests import ModelRequest
from app.core.sse import StreamReader
from app.providers.deadline import StreamDeadline, Timeouts
from app.providers.ollama.client import OllamaClient
from app.providers.ollama.wire import AnswerReader, chat_body
from app.providers.transport import UpstreamAnswer
from app.providers.upstream_errors import WRONG_SHAPE, error_in_body, not_the_protocol


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
        body = chat_body(
            self._name, request, num_ctx=self._num_ctx(self._name), keep_alive=self._keep_alive
        )
        reader, values = AnswerReader(), StreamReader()
        finished: Finished | None = None
        deadline = StreamDeadline(self._timeouts, self._server, self._name)
        answer: UpstreamAnswer | None = None
        whole = False
        try:
            with deadline:
                asking = self._client.post("/api/chat", body, self._name, request.request_id)
                answer = await deadline.wait(asking)
                while not whole:
                    piece = await deadline.wait(answer.next())
                    whole = not piece
                    lines = (
                        map(self._parsed, values.payloads(piece)) if piece else self._last(values)
                    )
                    for chunk, odd in lines:
                        for event in self._read(reader, values, chunk, odd):
                            if type(event) is Finished:
                                finished = event
                                deadline.ending()
                            else:
                                deadline.content()
                                yield event
        except ServerError:
            if finished is None:
                raise
        finally:
            if answer is not None:
                await answer.close()
        if finished is None:
            raise IncompleteAnswer(
                "the stream ended without done", server=self._server, model=self._name
            )
        yield finished

    def _read(
        self, reader: AnswerReader, values: StreamReader, chunk: dict[str, Any], odd: bool
    ) -> list[ModelEvent]:
        if values.is_events and not ("message" in chunk or "done" in chunk):
            raise not_the_protocol(self._server, self._name, repr(chunk).encode())
        try:
            return reader.read(chunk, odd=odd)
        except WRONG_SHAPE as error:
            raise not_the_protocol(self._server, self._name, repr(chunk).encode()) from error

    def _parsed(self, line: bytes) -> tuple[dict[str, Any], bool]:
        if not line or line.isspace():
            return {}, False
        try:
            chunk, odd = read_odd_json(line)
        except ValueError as error:
            raise not_the_protocol(self._server, self._name, line) from error
        if type(chunk) is not dict:
            raise not_the_protocol(self._server, self._name, line)
        if "error" in chunk:
            raise error_in_body(self._server, self._name, chunk)
        return chunk, odd

    def _last(self, values: StreamReader) -> Iterator[tuple[dict[str, Any], bool]]:
        """The last line, whose end never came."""
        for line in values.rest():
            try:
                read_odd_json(line)
            except ValueError as error:
                if line.lstrip().startswith(b"{"):
                    raise IncompleteAnswer(
                        "the stream ended inside a line", server=self._server, model=self._name
                    ) from error
            yield self._parsed(line)
