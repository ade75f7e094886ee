"""Paths that a server has or has not: what is asked is passed on, but for the model's name, and what comes
back, sound, pictures or JSON, is the server's own."""

import json
import re
from collections.abc import Mapping
from functools import partial
from typing import Any

from app.completion.attempts import whole_elsewhere
from app.completion.tokens import tokens_of_characters
from app.core.errors import ModelNotFound, NoSuchService
from app.core.models import ModelRef
from app.core.ports import RawAnswer
from app.core.requests import RawRequest
from app.core.usage import Purpose
from app.gateway.access import Caller
from app.gateway.errors import InvalidField
from app.gateway.http import Exchange
from app.gateway.openai.requests import check_fields
from app.gateway.services import GatewayServices

FORMS = ("/audio/transcriptions", "/audio/translations")
"""Paths that take a form with a file; the others take JSON."""
PASSED = {
    **dict.fromkeys(FORMS, Purpose.TRANSCRIPTION),
    "/audio/speech": Purpose.SPEECH,
    "/images/generations": Purpose.ANSWER,
    "/moderations": Purpose.ANSWER,
    "/rerank": Purpose.ANSWER,
}
"""What their calls are booked as."""

MAX_AUDIO_BYTES = 64 * 1024 * 1024
_BOUNDARY = re.compile(r'boundary=(?:"([^"]+)"|([^\s;]+))', re.IGNORECASE)
_MODEL = re.compile(
    rb'\r\ncontent-disposition:[^\r\n]*;\s*name="?model"?\s*(?:;[^\r\n]*)?\r\n', re.IGNORECASE
)


class PassThrough:
    """The route of one path."""

    def __init__(self, services: GatewayServices, path: str, purpose: Purpose) -> None:
        """`path` below the server's base address."""
        self._services = services
        self._path = path
        self._purpose = purpose

    async def __call__(self, x: Exchange) -> None:
        caller = await self._services.authenticator.caller(x)
        name, body, kind = await self._read(x)
        targets = self._services.candidates(caller, name)
        if isinstance(body, Mapping):
            check_fields(body, caller, targets)
        request = RawRequest(
            self._path,
            body,
            content_type=kind,
            purpose=self._purpose,
            request_id=x.request_id,
            drops=caller.drops(x),
        )
        size = len(json.dumps(body)) if isinstance(body, Mapping) else 0
        tokens = max(1, tokens_of_characters(size))
        async with self._services.admitted(x, caller, tokens, 0, targets[0]), x.while_connected():
            answer = await whole_elsewhere(
                [partial(self._answer, ref, request, caller) for ref in targets]
            )
            await x.reply(200, answer.pieces, content_type=answer.content_type.encode("latin-1"))

    async def _answer(self, ref: ModelRef, request: RawRequest, caller: Caller) -> RawAnswer:
        call = self._services.models.raw_call(ref, request)
        if call is None:
            raise self._missing(ref)
        try:
            return await call.answer()
        except ModelNotFound as error:
            raise self._missing(ref) from error
        finally:
            if call.record.total_s is not None:
                self._services.recorder.note(caller, call.record)

    def _missing(self, ref: ModelRef) -> ModelNotFound:
        """Next servers of the same model may have what this one has not."""
        return NoSuchService(
            f"The server `{ref.server}` has no {self._path}, or none for the model `{ref.name}`.",
            server=ref.server,
            model=ref.name,
        )

    async def _read(self, x: Exchange) -> tuple[str, Mapping[str, Any] | tuple[bytes, bytes], str]:
        """The model's name, the body as it is passed on, and its type."""
        if self._path not in FORMS:
            asked = await x.json()
            model = asked.get("model")
            if not isinstance(model, str) or not model.strip():
                raise InvalidField("`model` must be a model's name.", "model")
            return model.strip(), asked, "application/json"
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
        return name, (body[:start], body[end:]), kind


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
