"""Speech to text, where a server of the catalogue offers it."""

import asyncio
import contextlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from uuid import uuid4

from app.core.errors import (
    EmptyAnswer,
    KonsiliumError,
    MalformedAnswer,
    SilenceTimeout,
    Unsupported,
)
from app.core.models import Capability, ModelRef, ServerState
from app.core.ports import PassThrough, RawAnswer, UsageLog
from app.core.turns import new_id, now
from app.core.usage import CallRecord, Outcome, Purpose

MOST_TEXT_BYTES = 1 << 20
ANSWER_SECONDS = 120.0
"""How long a transcription may take: a small machine needs about as long as the speech lasted."""


class Transcription:
    """Asks the first model that can transcribe, on a server that answers."""

    def __init__(
        self,
        states: Callable[[], Sequence[ServerState]],
        servers: Mapping[str, PassThrough],
        usage: UsageLog,
    ) -> None:
        """`servers`: by name, those that speak OpenAI's protocol."""
        self._states = states
        self._servers = servers
        self._usage = usage

    @property
    def model(self) -> ModelRef | None:
        """The model that would be asked; None where none can."""
        for state in self._states():
            for profile in state.models:
                if profile.can(Capability.TRANSCRIPTION) and profile.ref.server in self._servers:
                    return profile.ref
        return None

    async def text(self, wav: bytes, user_id: str) -> str:
        """What was said in the recording. Raises Unsupported, EmptyAnswer, or what the server does."""
        ref = self.model
        if ref is None:
            raise Unsupported("no server transcribes speech")
        start = time.perf_counter()
        record = CallRecord(
            new_id(), Purpose.TRANSCRIPTION, ref, now(), Outcome.STOPPED, streaming=False
        )
        failure: KonsiliumError | None = None
        text = ""
        try:
            text = await self._ask(ref, wav)
            record = replace(record, outcome=Outcome.COMPLETED, characters=len(text))
        except KonsiliumError as error:
            failure = error
            record = replace(record, outcome=Outcome.FAILED, error=error.code)
        record = replace(record, total_s=time.perf_counter() - start)
        await self._usage.add(None, user_id, None, [record])
        if failure is not None:
            raise failure
        if not text:
            raise EmptyAnswer("nothing was heard", server=ref.server, model=ref.name)
        return text

    async def _ask(self, ref: ModelRef, wav: bytes) -> str:
        raw = self._servers[ref.server]
        form, kind = _form(wav, raw.wire_name(ref.name))
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                answer = await raw.open(
                    "/audio/transcriptions", form, model=ref.name, content_type=kind
                )
                body = await _whole(answer)
        except TimeoutError as error:
            late = f"nothing within {ANSWER_SECONDS:g} s"
            raise SilenceTimeout(late, server=ref.server, model=ref.name) from error
        try:
            return str(json.loads(body)["text"]).strip()
        except (ValueError, TypeError, KeyError) as error:
            raise MalformedAnswer("no transcription", server=ref.server, model=ref.name) from error


async def _whole(answer: RawAnswer) -> bytes:
    body = b""
    whole = False
    try:
        while len(body) <= MOST_TEXT_BYTES and (piece := await answer.next()):
            body += piece
        whole = True
    finally:
        with contextlib.suppress(KonsiliumError):
            await answer.close(whole=whole)
    return body


def _form(wav: bytes, model: str) -> tuple[bytes, str]:
    """The multipart form, and its content type."""
    mark = uuid4().hex
    fields = {"model": model, "response_format": "json"}
    head = "".join(
        f'--{mark}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields.items()
    )
    head += (
        f'--{mark}\r\nContent-Disposition: form-data; name="file"; filename="speech.wav"\r\n'
        "Content-Type: audio/wav\r\n\r\n"
    )
    return (
        head.encode() + wav + f"\r\n--{mark}--\r\n".encode(),
        f"multipart/form-data; boundary={mark}",
    )
