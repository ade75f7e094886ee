"""Speech to text, where a server of the catalogue offers it."""

from dataclasses import replace
from uuid import uuid4

from app.core.errors import EmptyAnswer, KonsiliumError, MalformedAnswer, Unsupported
from app.core.mending import json_of
from app.core.models import Capability, ModelRef
from app.core.ports import Models, RawCall, UsageLog
from app.core.requests import RawRequest
from app.core.usage import Outcome, Purpose


class Transcription:
    """Asks the first model that can transcribe, on a server that answers."""

    def __init__(self, models: Models, usage: UsageLog) -> None:
        self._models = models
        self._usage = usage

    @property
    def model(self) -> ModelRef | None:
        """The model that would be asked; None where none can."""
        for state in self._models.states():
            for profile in state.models:
                if profile.can(Capability.TRANSCRIPTION) and self._call(profile.ref, b""):
                    return profile.ref
        return None

    async def text(self, wav: bytes, user_id: str) -> str:
        """What was said in the recording. Raises Unsupported, EmptyAnswer, or what the server does."""
        ref = self.model
        call = self._call(ref, wav) if ref is not None else None
        if ref is None or call is None:
            raise Unsupported("no server transcribes speech")
        failure: KonsiliumError | None = None
        text = ""
        try:
            text = _said((await call.answer()).body, ref)
        except KonsiliumError as error:
            failure = error
        record = replace(call.record, characters=len(text))
        if failure is not None:
            record = replace(record, outcome=Outcome.FAILED, error=failure.code)
        await self._usage.add(None, user_id, None, [record])
        if failure is not None:
            raise failure
        if not text:
            raise EmptyAnswer("nothing was heard", server=ref.server, model=ref.name)
        return text

    def _call(self, ref: ModelRef, wav: bytes) -> RawCall | None:
        before, after, kind = _form(wav)
        request = RawRequest(
            "/audio/transcriptions",
            (before, after),
            content_type=kind,
            purpose=Purpose.TRANSCRIPTION,
        )
        return self._models.raw_call(ref, request)


def _said(body: bytes, ref: ModelRef) -> str:
    try:
        return str(json_of(body)["text"]).strip()
    except (ValueError, TypeError, KeyError) as error:
        raise MalformedAnswer("no transcription", server=ref.server, model=ref.name) from error


def _form(wav: bytes) -> tuple[bytes, bytes, str]:
    """The multipart form before and after the model's name, and its content type."""
    mark = uuid4().hex
    field = f'--{mark}\r\nContent-Disposition: form-data; name="%s"'
    before = field % "model" + "\r\n\r\n"
    after = (
        "\r\n" + field % "response_format" + "\r\n\r\njson\r\n"
        + field % "file" + '; filename="speech.wav"\r\nContent-Type: audio/wav\r\n\r\n'
    )  # fmt: skip
    return (
        before.encode(),
        after.encode() + wav + f"\r\n--{mark}--\r\n".encode(),
        f"multipart/form-data; boundary={mark}",
    )
