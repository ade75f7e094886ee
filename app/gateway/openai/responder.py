"""One completion asked for, and the protocol of those who answer."""

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from app.core.usage import CallRecord
from app.gateway.access import Caller
from app.gateway.key_usage import KeyUsageRecorder
from app.gateway.openai.requests import Envelope


@dataclass(frozen=True, slots=True)
class CompletionRequest:
    """A checked request for a completion."""

    body: Mapping[str, Any]
    envelope: Envelope
    caller: Caller
    request_id: str
    legacy: bool = False
    """In the form of /v1/completions."""

    def note(self, recorder: KeyUsageRecorder, record: CallRecord) -> None:
        """Keeps what a call took, if it came to be made."""
        if record.total_s is not None:
            recorder.note(self.caller, record)


class Responder(Protocol):
    """One attempt to answer. What it took is noted, however it ends."""

    def blocks(self) -> AsyncGenerator[bytes, None]:
        """The answer as whole events, the last block ending in `[DONE]`. Closing it stops the model."""
        ...

    async def whole(self) -> bytes:
        """The answer as one JSON object."""
        ...
