"""The chunks of one streamed answer, whatever form they come in."""

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

from pydantic_core import from_json

from app.core.errors import IncompleteAnswer, KonsiliumError
from app.core.reading import read_odd_json
from app.core.sse import StreamReader
from app.providers.upstream_errors import WRAPPERS, error_in_body, not_the_protocol, says_error

Chunk = dict[str, Any]
_AROUND = b" \t\r\n\0,"
_BLANK = re.compile(r"[\s\0,]*")
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def cleaned(data: bytes) -> bytes:
    """A value of a stream without what careless servers put around it: NULs, a byte order mark, the name of
    its field once more."""
    data = data.strip(_AROUND).removeprefix(_BYTE_ORDER_MARK)
    while data[:5].lower() == b"data:":
        data = data[5:].strip(_AROUND)
    return data


def is_done(data: bytes) -> bool:
    """Whether this value is the end mark `[DONE]`, in whatever letters and quotes."""
    return len(data) < 32 and cleaned(data).strip(b"\"'`").upper() in (b"[DONE]", b"DONE")


def parsed_chunks(server: str, model: str, data: bytes) -> Iterator[tuple[Chunk, bool]]:
    """The JSON objects in one value of a stream, each with whether it may hold half a surrogate pair: one
    as a rule; none in a sign of life (`null`, `[]`), several in a list or one behind the other.

    Raises MalformedAnswer where it is no JSON, or the error that an object is.
    """
    try:
        values, odd = _values(cleaned(data))
    except ValueError as error:
        raise not_the_protocol(server, model, data) from error
    for value in values:
        if type(value) is not dict:
            raise not_the_protocol(server, model, data)
        if says_error(value):
            raise error_in_body(server, model, value)
        yield value, odd


def _values(data: bytes) -> tuple[list[Any], bool]:
    value, odd = _leniently(data)
    return _flat(value, 3), odd


def _flat(value: Any, depth: int) -> list[Any]:
    """The values in lists of one another, and in texts that are JSON themselves."""
    if depth and type(value) is str:
        return _flat(_leniently(value.encode("utf-8", "surrogatepass"))[0], depth - 1)
    if depth and type(value) is list:
        return [one for each in value for one in _flat(each, depth - 1)]
    return [] if value is None else [value]


def _leniently(data: bytes) -> tuple[Any, bool]:
    """JSON also where a byte of it is no UTF-8, a control character stands in a text as it is, or one value
    stands behind the other: that does not cost the answer."""
    try:
        return read_odd_json(data)
    except ValueError:
        pass
    text = data.decode("utf-8", "replace")
    reader = json.JSONDecoder(strict=False)
    values: list[Any] = []
    at = 0
    try:
        while at < len(text):
            value, end = reader.raw_decode(text, at)
            values.append(value)
            at = _BLANK.match(text, end).end()  # type: ignore[union-attr]  # it always matches
    except RecursionError as error:
        raise ValueError("too deep") from error
    return (values[0] if len(values) == 1 else values), True


def unwrapped(chunk: Chunk) -> Chunk:
    """The answer itself, where a server or a gateway before it puts it under `data` or `result`."""
    if "choices" in chunk or "done" in chunk:
        return chunk
    for name in WRAPPERS:
        within = chunk.get(name)
        if type(within) is list and len(within) == 1:
            within = within[0]
        if type(within) is dict and ("choices" in within or "done" in within):
            return {**{key: value for key, value in chunk.items() if key != name}, **within}
    return chunk


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
        """The chunks that the piece completes; an empty piece is the end. As `parsed_chunks`; raises
        IncompleteAnswer where the last is torn."""
        values: Iterable[bytes] = self._stream.payloads(piece) if piece else self._last()
        for data in values:
            try:  # what nearly all are, by the shortest way: once a token
                chunk = from_json(data)
                if not chunk.get("error") and (chunk.get("choices") or "done" in chunk):
                    yield chunk, False
                    continue
            except (ValueError, AttributeError):
                if not data.strip(_AROUND):
                    continue
                if is_done(data):
                    self.done = True
                    continue
            try:
                for chunk, odd in parsed_chunks(self._server, self._model, data):
                    yield unwrapped(chunk), odd
            except KonsiliumError:
                if not self.done:  # after the end anything may come: a word of some proxy
                    raise

    def _last(self) -> Iterator[bytes]:
        """The last value, whose end never came."""
        for data in self._stream.rest():
            try:
                if not is_done(data):
                    _values(cleaned(data))
            except ValueError as error:
                begun = data.strip()
                if begun.startswith(b"{") or b"[DONE]".startswith(begun):
                    raise IncompleteAnswer(
                        "the stream ended inside a chunk", server=self._server, model=self._model
                    ) from error
            yield data
