"""The chunks of one streamed answer, whatever form they come in."""

import json
from collections.abc import Iterable, Iterator
from typing import Any

from pydantic_core import from_json

from app.core.errors import IncompleteAnswer
from app.core.reading import read_odd_json
from app.core.sse import StreamReader
from app.providers.upstream_errors import error_in_body, not_the_protocol, says_error

Chunk = dict[str, Any]


def parsed_chunk(server: str, model: str, data: bytes) -> tuple[Chunk, bool]:
    """The JSON object, and whether it may hold half a surrogate pair.

    Raises MalformedAnswer where it is none, or the error that it is.
    """
    try:
        chunk, odd = _leniently(data)
    except ValueError as error:
        raise not_the_protocol(server, model, data) from error
    if type(chunk) is list and chunk and type(chunk[0]) is dict:
        chunk = chunk[0]  # Gemini's errors come in a list
    if type(chunk) is not dict:
        raise not_the_protocol(server, model, data)
    if says_error(chunk):
        raise error_in_body(server, model, chunk)
    return chunk, odd


def _leniently(data: bytes) -> tuple[Any, bool]:
    """JSON also where a byte of it is no UTF-8, or a control character stands in a text as it is: one
    stray byte does not cost the answer."""
    try:
        return read_odd_json(data)
    except ValueError:
        pass
    try:
        return json.loads(data.decode("utf-8", "replace"), strict=False), True
    except RecursionError as error:
        raise ValueError("too deep") from error


class ChunkReader:
    """Parses them as they are taken, so that what came before a broken one is not lost with it."""

    def __init__(self, server: str, model: str) -> None:
        self._server, self._model = server, model
        self._stream = StreamReader()
        self.done = False
        """`[DONE]` has come."""

    @property
    def is_events(self) -> bool:
        """They come as events, not a line each."""
        return self._stream.is_events

    def read(self, piece: bytes) -> Iterator[tuple[Chunk, bool]]:
        """The chunks that the piece completes; an empty piece is the end. As `parsed_chunk`; raises
        IncompleteAnswer where the last is torn."""
        values: Iterable[bytes] = self._stream.payloads(piece) if piece else self._last()
        for data in values:
            try:  # what nearly all are, by the shortest way: once a token
                chunk = from_json(data)
                if not chunk.get("error") and (chunk.get("choices") or "done" in chunk):
                    yield chunk, False
                    continue
            except (ValueError, AttributeError):
                if not data or data.isspace():
                    continue
                if data.strip().upper() == b"[DONE]":
                    self.done = True
                    continue
            yield parsed_chunk(self._server, self._model, data)

    def _last(self) -> Iterator[bytes]:
        """The last value, whose end never came."""
        for data in self._stream.rest():
            try:
                if data.strip().upper() != b"[DONE]":
                    read_odd_json(data)
            except ValueError as error:
                if self.is_events or data.lstrip().startswith(b"{"):
                    raise IncompleteAnswer(
                        "the stream ended inside a chunk", server=self._server, model=self._model
                    ) from error
            yield data
