"""/v1/audio/transcriptions: the form is passed on to a server that has them, but for the model's name."""

import re

from app.core.errors import Unsupported
from app.core.usage import Purpose, Usage
from app.gateway.errors import InvalidField
from app.gateway.http import Exchange
from app.gateway.openai.proxying import Meter
from app.gateway.openai.requests import Envelope
from app.gateway.openai.responder import CompletionRequest
from app.gateway.services import GatewayServices

MAX_AUDIO_BYTES = 64 * 1024 * 1024
_BOUNDARY = re.compile(r'boundary=(?:"([^"]+)"|([^\s;]+))', re.IGNORECASE)
_MODEL = re.compile(
    rb'\r\ncontent-disposition:[^\r\n]*;\s*name="?model"?\s*(?:;[^\r\n]*)?\r\n', re.IGNORECASE
)


class Transcriptions:
    """The route: text, JSON, subtitles come back as the server made them."""

    def __init__(self, desk: GatewayServices) -> None:
        self._desk = desk

    async def __call__(self, x: Exchange) -> None:
        caller = await self._desk.authenticator.caller(x)
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
        targets = self._desk.candidates(caller, name)
        counted = await self._desk.admit(x, caller, 0)
        asked = CompletionRequest(
            {}, Envelope(name, False, False, 0), caller, x.request_id, counted
        )
        ref = next((ref for ref in targets if ref.server in self._desk.raw), None)
        if ref is None:
            raise Unsupported(f"The server of {name} has no transcriptions.", model=name)
        raw = self._desk.raw[ref.server]
        renamed = body[:start] + raw.wire_name(ref.name).encode() + body[end:]
        meter = Meter(self._desk, ref, asked, Purpose.TRANSCRIPTION)
        async with x.while_connected(), self._desk.router.slot(ref), meter:
            answer = await raw.open(
                "/audio/transcriptions", renamed, model=ref.name, content_type=kind
            )
            whole = False
            try:
                parts = []
                while data := await answer.next():
                    parts.append(data)
                whole = True
            finally:
                await answer.close(whole=whole)
            meter.completed(Usage(), None, None)
            given = answer.headers.get("content-type", "application/json").encode("latin-1")
            await x.reply(200, b"".join(parts), content_type=given)


def model_field(body: bytes, boundary: bytes) -> tuple[int, int]:
    """Where the value of the field `model` stands in a multipart body. Raises InvalidField."""
    mark = b"--" + boundary
    at = body.find(mark)
    while at >= 0:
        head = at + len(mark)
        blank = body.find(b"\r\n\r\n", head)
        following = body.find(b"\r\n" + mark, head)
        if blank < 0 or following < 0:
            break
        if blank < following and _MODEL.search(body, head, blank + 2):
            return blank + 4, following
        at = following + 2
    raise InvalidField("The form has no field `model`.", "model")
