"""The way past translation: bytes of an OpenAI-compatible server, over the server's one pool.

Straight through aiohttp: measured here at 0.2 ms a request where httpx above it takes 1 ms.
"""

import asyncio
import contextlib
from collections.abc import Mapping

import aiohttp
from yarl import URL

from app.core.errors import KonsiliumError
from app.core.tracing import request_id
from app.providers.openai_compatible.presets import Preset
from app.providers.transport import LOST, AiohttpTransport, lost
from app.providers.upstream_errors import error_of_status

REST_SECONDS = 0.5
"""How long the end of a message is waited for, to keep its connection."""
REFUSAL_BYTES = 65536


class RawOpenAI:
    """Implements core.ports.PassThrough."""

    def __init__(self, preset: Preset, key: str, pool: AiohttpTransport) -> None:
        self._preset = preset
        self._key = key
        self._pool = pool
        self._headers = {**preset.headers, "accept-encoding": "identity"}
        if key:
            self._headers["authorization"] = f"{preset.auth} {key}"

    @property
    def stream_usage(self) -> bool:
        return self._preset.stream_usage

    def wire_name(self, model: str) -> str:
        return self._preset.names.id(model)

    async def open(
        self, path: str, body: bytes, *, model: str, content_type: str = "application/json"
    ) -> "RawBytes":
        """POSTs; returns once a status of 2xx has come."""
        headers = self._headers | {
            "content-type": content_type,
            "accept": "text/event-stream, application/json, */*",
        }
        if id := request_id.get():
            headers["x-client-request-id"] = id
        try:
            response = await self._pool.send(
                "POST", URL(self._preset.base_url + path), headers.items(), body, decompress=True
            )
        except LOST as error:
            raise lost(error, self._preset.name, model) from error
        answer = RawBytes(response, self._preset.name, model)
        if response.status < 300:
            return answer
        try:
            raise await self._refusal(answer, model)
        finally:
            await answer.close(whole=True)

    async def _refusal(self, answer: "RawBytes", model: str) -> KonsiliumError:
        body = b""
        with contextlib.suppress(KonsiliumError):
            while len(body) < REFUSAL_BYTES and (data := await answer.next()):
                body += data
        if self._key:
            body = body.replace(self._key.encode(), b"***")
        return error_of_status(self._preset.name, model, answer.status, body, answer.headers)


class RawBytes:
    """Implements core.ports.RawAnswer."""

    def __init__(self, response: aiohttp.ClientResponse, server: str, model: str) -> None:
        self._response = response
        self._server, self._model = server, model
        self.status = response.status
        self.headers: Mapping[str, str] = {
            name.lower(): value for name, value in response.headers.items()
        }

    async def next(self) -> bytes:
        """Some more bytes, empty at the end."""
        try:
            return await self._response.content.readany()
        except LOST as error:
            raise lost(error, self._server, self._model) from error

    async def close(self, *, whole: bool = False) -> None:
        """Keeps the connection where the body was read to its end, else closes it."""
        if whole and not self._response.content.at_eof():
            with contextlib.suppress(TimeoutError, KonsiliumError):
                async with asyncio.timeout(REST_SECONDS):
                    while await self.next():
                        pass
        if self._response.content.at_eof():
            self._response.release()
        else:
            self._response.close()
