"""/v1/embeddings: floats, or base64 of little-endian float32 as openai-python asks for."""

import base64
import struct
from typing import Any

from app.completion.routing import may_work_elsewhere
from app.core.errors import KonsiliumError, MalformedAnswer
from app.core.models import ModelRef
from app.core.turns import new_id, now
from app.core.usage import CallRecord, Outcome, Purpose, Usage
from app.gateway.access import Caller
from app.gateway.errors import InvalidField
from app.gateway.http import Exchange
from app.gateway.openai.requests import embedding_texts
from app.gateway.services import GatewayServices


class Embeddings:
    """The route: any server's embeddings, through `Models`."""

    def __init__(self, desk: GatewayServices) -> None:
        self._desk = desk

    async def __call__(self, x: Exchange) -> None:
        caller = await self._desk.authenticator.caller(x)
        body = await x.json()
        model, form = body.get("model"), body.get("encoding_format", "float")
        if not isinstance(model, str) or not model:
            raise InvalidField("`model` must be a model's name.", "model")
        if form not in ("float", "base64"):
            raise InvalidField("`encoding_format` must be float or base64.", "encoding_format")
        if body.get("dimensions") is not None:
            raise InvalidField("`dimensions` cannot be chosen here.", "dimensions")
        texts = embedding_texts(body)
        targets = self._desk.candidates(caller, model)
        counted = await self._desk.admit(x, caller, sum(map(len, texts)))
        async with x.while_connected():
            ref, vectors, usage = await self._embed(targets, texts, caller, counted, x.request_id)
            await x.reply_json(_answer(ref, vectors, usage, form))

    async def _embed(
        self,
        targets: tuple[ModelRef, ...],
        texts: list[str],
        caller: Caller,
        counted: int,
        request_id: str,
    ) -> tuple[ModelRef, list[list[float]], Usage]:
        for number, ref in enumerate(targets, 1):
            started = now()
            outcome, usage, code = Outcome.STOPPED, Usage(), None
            try:
                async with self._desk.router.slot(ref):
                    vectors, usage = await self._desk.models.embed(ref, texts)
                if len(vectors) != len(texts):
                    raise MalformedAnswer("not one vector a text", server=ref.server)
                outcome = Outcome.COMPLETED
                return ref, vectors, usage
            except KonsiliumError as error:
                outcome, code = Outcome.FAILED, error.code
                if number == len(targets) or not may_work_elsewhere(error):
                    raise
            finally:
                record = CallRecord(
                    id=new_id(),
                    purpose=Purpose.EMBEDDING,
                    model=ref,
                    started_at=started,
                    outcome=outcome,
                    usage=usage,
                    total_s=(now() - started).total_seconds(),
                    cost=self._desk.price(ref, usage),
                    error=code,
                    request_id=request_id,
                    streaming=False,
                )
                self._desk.recorder.note(caller, record, known=counted)
        raise AssertionError("candidates are never empty")


def _answer(ref: ModelRef, vectors: list[list[float]], usage: Usage, form: str) -> dict[str, Any]:
    tokens = usage.input_tokens or 0
    return {
        "object": "list",
        "model": str(ref),
        "data": [
            {"object": "embedding", "index": index, "embedding": _encoded(vector, form)}
            for index, vector in enumerate(vectors)
        ],
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    }


def _encoded(vector: list[float], form: str) -> list[float] | str:
    if form == "float":
        return vector
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode("ascii")
