"""The way to one OpenAI-compatible server: the `openai` package over one connection pool of ours."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, cast

import httpx2
import openai
from openai import AsyncOpenAI, AsyncStream

from app.core.errors import (
    ConnectionLost,
    FirstTokenTimeout,
    KonsiliumError,
    MalformedAnswer,
    ServerBusy,
    ServerUnavailable,
)
from app.providers.openai_compatible.presets import Preset
from app.providers.transport import AiohttpTransport
from app.providers.upstream_errors import error_of_status, not_the_protocol

OWN_HEADERS = frozenset(
    {
        "accept",
        "accept-encoding",
        "authorization",
        "connection",
        "content-length",
        "content-type",
        "host",
        "openai-project",
        "transfer-encoding",
        "user-agent",
        "x-client-request-id",
    }
)
"""What leaves besides a preset's headers. The package adds whatever OPENAI_ORG_ID, OPENAI_PROJECT_ID
and OPENAI_CUSTOM_HEADERS hold in the environment, to any server."""


class OpenAIClient:
    """Requests to one server; retries are ours (completion.retrying), so the package makes none."""

    def __init__(self, preset: Preset, key: str, pool: AiohttpTransport) -> None:
        self.preset = preset
        self.server = preset.name
        self._key = key
        headers = dict(preset.headers)
        if key:
            headers["Authorization"] = f"{preset.auth} {key}"
        self._headers = {name.lower(): value for name, value in headers.items()}
        self._http = httpx2.AsyncClient(
            transport=pool,
            timeout=None,  # the pool and StreamDeadline have them
            event_hooks={"request": [self._only_own_headers]},
        )
        self._openai = AsyncOpenAI(
            api_key=key or "none",
            base_url=preset.base_url,
            organization="",
            project="",
            admin_api_key="",
            max_retries=0,
            http_client=self._http,
        )

    async def aclose(self) -> None:
        """Closes every connection."""
        await self._http.aclose()

    async def stream(
        self, path: str, body: Mapping[str, Any], request_id: str | None
    ) -> httpx2.Response:
        """An open response at 200; the caller reads and closes it."""
        headers = {"Accept": "text/event-stream", "Accept-Encoding": "identity"}
        if request_id:
            headers["x-client-request-id"] = request_id
        response: object = await self._openai.post(
            path,
            cast_to=httpx2.Response,
            body=body,
            options={"headers": headers},
            stream=True,
            stream_cls=AsyncStream[Any],
        )
        return cast(httpx2.Response, response)  # what cast_to asks for, whatever stream_cls says

    async def get(self, path: str) -> dict[str, Any]:
        """The JSON object at that path (or absolute URL)."""
        try:
            response = await self._openai.get(path, cast_to=httpx2.Response)
        except (openai.OpenAIError, httpx2.HTTPError) as error:
            raise self.failure(error) from error
        return self._object(response)

    async def embeddings(self, model: str, texts: Sequence[str], seconds: float) -> dict[str, Any]:
        """POST /embeddings, floats, within so many seconds."""
        body = {
            "model": self.preset.names.id(model),
            "input": texts[0] if len(texts) == 1 else list(texts),
            "encoding_format": "float",
        }
        try:
            async with asyncio.timeout(seconds):
                response = await self._openai.post(
                    "/embeddings", cast_to=httpx2.Response, body=body
                )
        except TimeoutError as error:
            late = f"nothing within {seconds:g} s"
            raise FirstTokenTimeout(late, server=self.server, model=model) from error
        except (openai.OpenAIError, httpx2.HTTPError) as error:
            raise self.failure(error, model) from error
        return self._object(response)

    def failure(self, error: Exception, model: str | None = None) -> KonsiliumError:
        """The error of ours behind what the package or the HTTP client raised."""
        if isinstance(error, openai.APIStatusError):
            response = error.response
            body = response.content.replace(self._key.encode(), b"***") if self._key else None
            return error_of_status(
                self.server,
                model,
                response.status_code,
                response.content if body is None else body,
                response.headers,
            )
        cause = error.__cause__ if isinstance(error, openai.APIConnectionError) else error
        detail = f"{type(cause).__name__}: {cause}".removesuffix(": ")
        where: dict[str, Any] = {"server": self.server, "model": model}
        match cause:
            case httpx2.ConnectError() | httpx2.ConnectTimeout() | httpx2.UnsupportedProtocol():
                return ServerUnavailable(detail, **where)
            case httpx2.PoolTimeout():
                return ServerBusy(detail, **where)
            case httpx2.DecodingError() | httpx2.TooManyRedirects():
                return MalformedAnswer(detail, **where)
        return ConnectionLost(detail, **where)

    def _object(self, response: httpx2.Response) -> dict[str, Any]:
        try:
            parsed = response.json()
        except ValueError as error:
            raise not_the_protocol(self.server, None, response.content) from error
        if not isinstance(parsed, dict):
            raise not_the_protocol(self.server, None, response.content)
        return parsed

    async def _only_own_headers(self, request: httpx2.Request) -> None:
        for name in list(request.headers):
            if name not in OWN_HEADERS and name not in self._headers:
                del request.headers[name]
        if "authorization" not in self._headers:
            request.headers.pop("authorization", None)
        request.headers.update(self._headers)
