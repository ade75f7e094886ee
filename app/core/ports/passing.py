"""OpenAI-compatible servers asked byte for byte, without translation."""

from collections.abc import Mapping
from typing import Protocol, runtime_checkable


class RawAnswer(Protocol):
    """What an OpenAI-compatible server answers, byte for byte. Close it, whatever happens."""

    @property
    def status(self) -> int: ...

    @property
    def headers(self) -> Mapping[str, str]:
        """With lower-case names."""
        ...

    async def next(self) -> bytes:
        """Some more bytes, empty at the end. Cancelling it loses nothing.

        Raises ConnectionLost where the connection breaks before the end of the body.
        """
        ...

    async def close(self, *, whole: bool = False) -> None:
        """Gives the connection back: to the pool where the body was read to its end (`whole` reads
        what little is left), else it is closed, and the model stops."""
        ...


class PassThrough(Protocol):
    """A server that itself speaks OpenAI's protocol: bytes in, bytes out, our key for the caller's."""

    @property
    def stream_usage(self) -> bool:
        """Takes `stream_options.include_usage`."""
        ...

    def wire_name(self, model: str) -> str:
        """The model's name as that server wants it (`gpt://folder/name/latest`)."""
        ...

    async def open(
        self, path: str, body: bytes, *, model: str, content_type: str = "application/json"
    ) -> RawAnswer:
        """POSTs `body` to `path` (`/chat/completions`); returns once a status of 2xx has come.

        `model` is for errors. Waits as long as it takes: the caller has the clock. Raises
        ServerUnavailable, ConnectionLost, or what a status of 300 and more means.
        """
        ...


@runtime_checkable
class PassesThrough(Protocol):
    """A `ModelServer` that can be asked without translation."""

    @property
    def raw(self) -> PassThrough: ...
