"""/v1/audio/transcriptions: the form is passed on to a server that has them, but for the model's name."""

import re

from app.core.errors import Unsupported
from app.core.requests import RawRequest
from app.core.usage import Purpose
from app.gateway.errors import InvalidField
from app.gateway.http import Exchange
from app.gateway.services import GatewayServices

MAX_AUDIO_BYTES = 64 * 1024 * 1024
_BOUNDARY = re.compile(r'boundary=(?:"([^"]+)"|([^\s;]+))', re.IGNORECASE)
_MODEL = re.compile(
    rb'\r\ncontent-disposition:[^\r\n]*;\s*name="?model"?\s*(?:;[^\r\n]*)?\r\n', re.IGNORECASE
)


class Transcriptions:
    """The route: text, JSON, subtitles come back as the server made them."""

    def __init__(self, services: GatewayServices) -> None:
        self._services = services

    async def __call__(self, x: Exchange) -> None:
        caller = await self._services.authenticator.caller(x)
        kind = x.header(b"content-type")
        found = _BOUNDARY.search(kind)
        if not kind.lower().startswith("multipart/form-data") or found is None:
            raise InvalidField("The body must be multipart/form-data.")
        boundary = (found[1] or found[2]).encode("latin-1")
        body = await x.body(MAX_AUDIO_BYTES)
        start, end = model_field(body, boundary)
        name = body[start:end].decode("utf-8", "replace").strip()
        if not name:
            raise InvalidField("`model` must be a model's name.", "model")
        targets = self._services.candidates(caller, name)
        request = RawRequest(
            "/audio/transcriptions",
            (body[:start], body[end:]),
            content_type=kind,
            purpose=Purpose.TRANSCRIPTION,
            request_id=x.request_id,
        )
        async with self._services.admitted(x, caller, 1, 0):
            calls = (self._services.models.raw_call(ref, request) for ref in targets)
            call = next((call for call in calls if call is not None), None)
            if call is None:
                raise Unsupported(f"The server of {name} has no transcriptions.", model=name)
            try:
                async with x.while_connected():
                    answer = await call.answer()
                    kind = answer.content_type
                    await x.reply(200, answer.body, content_type=kind.encode("latin-1"))
            finally:
                if call.record.total_s is not None:
                    self._services.recorder.note(caller, call.record)


def model_field(body: bytes, boundary: bytes) -> tuple[int, int]:
    """Where the value of the field `model` stands in a multipart body. Raises InvalidField, also where
    the field comes twice: which of the two a server reads, nobody knows."""
    mark = b"--" + boundary
    found: tuple[int, int] | None = None
    at = body.find(mark)
    while at >= 0:
        head = at + len(mark)
        blank = body.find(b"\r\n\r\n", head)
        following = body.find(b"\r\n" + mark, head)
        if blank < 0 or following < 0:
            break
        if blank < following and _MODEL.search(body, head, blank + 2):
            if found is not None:
                raise InvalidField("The form has more than one field `model`.", "model")
            found = blank + 4, following
        at = following + 2
    if found is None:
        raise InvalidField("The form has no field `model`.", "model")
    return found
