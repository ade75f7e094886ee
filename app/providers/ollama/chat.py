"""One model on an Ollama server: its streamed answer."""

import re
from collections.abc import AsyncGenerator
from dataclasses import replace
from typing import Any

from app.completion.tokens import LIKELY, prompt_tokens
from app.core.errors import ContextTooLong, IncompleteAnswer, ServerError, ServerFault, Unsupported
from app.core.events import Finished, ModelEvent
from app.core.requests import ModelRequest
from app.providers.chunks import ChunkReader
from app.providers.deadline import StreamDeadline, Timeouts
from app.providers.ollama.client import OllamaClient
from app.providers.ollama.inventory import Inventory
from app.providers.ollama.wire import AnswerReader, chat_body, prompt_body
from app.providers.transport import UpstreamAnswer
from app.providers.upstream_errors import WRONG_SHAPE, not_the_protocol

_SPEAKS = {"message", "done", "response", "choices"}
_NO_MEMORY = re.compile(r"requires more system memory", re.IGNORECASE)


class OllamaModel:
    """A ChatModel over POST /api/chat, and /api/generate for prompts that are continued.

    Our own reading of the stream: the `ollama` package splits lines at U+0085 and U+2028, takes an
    end without `done` for success, and lets connections leak when iteration is broken off.
    """

    def __init__(
        self,
        client: OllamaClient,
        name: str,
        timeouts: Timeouts,
        inventory: Inventory,
        keep_alive: str | int | None,
    ) -> None:
        self._client = client
        self._server, self._name = client.server, name
        self._timeouts = timeouts
        self._inventory = inventory
        self._keep_alive = keep_alive

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelEvent, None]:
        """The answer, ended by `Finished`; closing this generator stops the model."""
        reader = AnswerReader(self._server, self._name)
        chunks = ChunkReader(self._server, self._name)
        finished: Finished | None = None
        deadline = StreamDeadline(self._timeouts, self._server, self._name)
        answer: UpstreamAnswer | None = None
        whole = False
        try:
            with deadline:
                answer, num_ctx, window = await self._asked(request, deadline)
                while not whole:
                    piece = await deadline.wait(answer.next())
                    whole = not piece
                    for chunk, odd in chunks.read(piece):
                        if chunks.is_events and not chunk.keys() & _SPEAKS:
                            raise not_the_protocol(self._server, self._name, repr(chunk).encode())
                        for event in self._read(reader, chunk, odd):
                            if type(event) is Finished:
                                finished = event
                                deadline.ending()
                            else:
                                deadline.content()
                                yield event
                if finished is None and chunks.done:
                    for event in reader.closing():
                        if type(event) is Finished:
                            finished = event
                        else:
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
        window = await self._inventory.loaded(self._name, num_ctx, window)
        yield replace(finished, usage=replace(finished.usage, window=window))

    async def _asked(
        self, request: ModelRequest, deadline: StreamDeadline
    ) -> tuple[UpstreamAnswer, int | None, int | None]:
        """The beginning of the answer, the num_ctx that it took and the window it has. A prompt that
        is refused as too long is sent once more for each wider window that the machine can give."""
        if request.drops:
            request = self._inventory.fitted(self._name, request)
        if refused := self._inventory.refused(self._name, request):
            raise Unsupported(
                f"{self._name} does not support {refused}", server=self._server, model=self._name
            )
        num_ctx, window = self._inventory.window(self._name, request)
        if self._inventory.cuts_silently and window is not None:
            likely = round(LIKELY * prompt_tokens(request.messages))
            if likely > window:
                raise ContextTooLong(
                    f"about {likely} tokens, and the server would cut them to {window}",
                    server=self._server,
                    model=self._name,
                    prompt_tokens=likely,
                    window=window,
                )
        while True:
            continued = request.prompt is not None
            build = prompt_body if continued else chat_body
            body = build(self._name, request, num_ctx=num_ctx, keep_alive=self._keep_alive)
            path = "/api/generate" if continued else "/api/chat"
            asking = self._client.post(path, body, self._name, request.request_id)
            try:
                return await deadline.wait(asking), num_ctx, window
            except ContextTooLong as error:
                wider = self._inventory.wider(self._name, request, num_ctx, error)
                if wider is None:
                    raise
                num_ctx = window = wider
            except ServerFault as error:
                widened = num_ctx is not None and _NO_MEMORY.search(error.detail)
                if not (widened and self._inventory.no_memory_for(self._name, request, window)):
                    raise
                raise ContextTooLong(
                    error.detail, server=self._server, model=self._name, window=window
                ) from error

    def _read(self, reader: AnswerReader, chunk: dict[str, Any], odd: bool) -> list[ModelEvent]:
        try:
            return reader.read(chunk, odd=odd)
        except WRONG_SHAPE as error:
            raise not_the_protocol(self._server, self._name, repr(chunk).encode()) from error
