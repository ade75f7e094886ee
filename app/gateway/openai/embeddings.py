"""/v1/embeddings: passed through where the server speaks OpenAI's protocol, else floats, or base64 of
little-endian float32 as openai-python asks for."""

import base64
import json
import struct
from collections.abc import Mapping, Sequence
from functools import partial

from app.completion.attempts import whole_elsewhere
from app.completion.tokens import tokens_of_characters
from app.core.concurrency import unhurried
from app.core.models import ModelRef
from app.core.requests import RawRequest
from app.core.usage import CallRecord, Purpose
from app.gateway.access import Caller
from app.gateway.errors import InvalidField
from app.gateway.http import Exchange
from app.gateway.openai.requests import (
    check_fields,
    embedding_size,
    embedding_texts,
    whole_number,
)
from app.gateway.services import GatewayServices


class Embeddings:
    """The route."""

    def __init__(self, services: GatewayServices) -> None:
        self._services = services

    async def __call__(self, x: Exchange) -> None:
        caller = await self._services.authenticator.caller(x)
        body = await x.json()
        model = body.get("model")
        if not isinstance(model, str) or not model:
            raise InvalidField("`model` must be a model's name.", "model")
        size = embedding_size(body)
        targets = self._services.candidates(caller, model)
        check_fields(body, caller, targets)
        request = RawRequest(
            "/embeddings",
            body,
            purpose=Purpose.EMBEDDING,
            request_id=x.request_id,
            drops=caller.drops(x),
        )
        tokens = max(1, tokens_of_characters(size))
        async with (
            self._services.admitted(x, caller, tokens, 0, targets[0]),
            x.while_connected(),
        ):
            await x.reply(
                200,
                await whole_elsewhere(
                    [partial(self._answer, ref, request, caller) for ref in targets]
                ),
            )

    async def _answer(self, ref: ModelRef, request: RawRequest, caller: Caller) -> Sequence[bytes]:
        passed = self._services.models.raw_call(ref, request)
        if passed is not None:
            try:
                return (await passed.answer()).pieces
            finally:
                self._note(caller, passed.record)
        assert isinstance(request.body, Mapping)  # noqa: S101 - as it was made above
        form = request.body.get("encoding_format", "float")
        if form not in ("float", "base64"):
            raise InvalidField("`encoding_format` must be float or base64.", "encoding_format")
        call = self._services.models.embedding(
            ref,
            embedding_texts(request.body),
            dimensions=whole_number(request.body, "dimensions", minimum=1),
            request_id=request.request_id,
        )
        try:
            if form == "float":
                values = await call.texts()
            else:
                vectors = await call.vectors()
                values = [_packed(vector) async for vector in unhurried(vectors)]
        finally:
            self._note(caller, call.record)
        return _answer(ref, values, call.record.usage.input_tokens or 0)

    def _note(self, caller: Caller, record: CallRecord) -> None:
        if record.total_s is not None:
            self._services.recorder.note(caller, record)


def _answer(ref: ModelRef, values: list[bytes], tokens: int) -> list[bytes]:
    pieces = [f'{{"object":"list","model":{json.dumps(str(ref))},"data":['.encode()]
    for index, value in enumerate(values):
        comma = "," if index else ""
        head = f'{comma}{{"object":"embedding","index":{index},"embedding":'
        pieces += (head.encode(), value, b"}")
    usage = f'],"usage":{{"prompt_tokens":{tokens},"total_tokens":{tokens}}}}}'
    return [*pieces, usage.encode()]


def _packed(vector: list[float]) -> bytes:
    """As JSON: a text of base64."""
    return b'"' + base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)) + b'"'
