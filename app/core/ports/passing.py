"""OpenAI-compatible servers asked in their own protocol, without translation."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from app.core.events import Finished
from app.core.requests import RawRequest


class RawPiece(NamedTuple):
    """Some whole events of a stream, to be sent on as they are."""

    data: bytes
    events: int = 0
    """Events of the answer so far: about as many as tokens."""
    finished: Finished | None = None
    """In the last piece, which ends in `[DONE]`."""


@dataclass(frozen=True, slots=True)
class RawAnswer:
    """A whole answer."""

    body: bytes
    content_type: str
    finished: Finished


class RawModel(Protocol):
    """A model of a server that itself speaks OpenAI's protocol.

    What goes wrong is raised as a `KonsiliumError`. Closing the generator, or cancelling the task that
    waits, closes the connection upstream.
    """

    def raw_stream(self, request: RawRequest) -> AsyncGenerator[RawPiece, None]: ...

    async def raw_answer(self, request: RawRequest) -> RawAnswer: ...
