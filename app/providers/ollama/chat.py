"""One model on an Ollama server: its streamed answer."""

from collections.abc import AsyncGenerator, Callable
from typing import Any

from app.core.errors import IncompleteAnswer, ServerError
from app.core.events import Finished, ModelEvent
from app.core.requests import ModelRequest
from app.providers.chunks import ChunkReader
from app.providers.deadline import StreamDeadline, Timeouts
from app.providers.ollama.client import OllamaClient
from app.providers.ollama.wire import AnswerReader, chat_body
from app.providers.transport import UpstreamAnswer
from app.providers.upstream_errors import WRONG_SHAPE, not_the_protocol


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
        reader, chunks = AnswerReader(), ChunkReader(self._server, self._name)
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
                    for chunk, odd in chunks.read(piece):
                        if chunks.is_events and not ("message" in chunk or "done" in chunk):
                            raise not_the_protocol(self._server, self._name, repr(chunk).encode())
                        for event in self._read(reader, chunk, odd):
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

    def _read(self, reader: AnswerReader, chunk: dict[str, Any], odd: bool) -> list[ModelEvent]:
        try:
            return reader.read(chunk, odd=odd)
        except WRONG_SHAPE as error:
            raise not_the_protocol(self._server, self._name, repr(chunk).encode()) from error
