"""The way to one OpenAI-compatible server."""

import asyncio
from typing import Any

from app.core.errors import KonsiliumError, RequestRefused, WrongKey
from app.core.providers import Preset
from app.core.reading import read_careless_json
from app.providers.openai_compatible.access_tokens import AccessTokens
from app.providers.transport import Transport, UpstreamAnswer
from app.providers.upstream_errors import not_the_protocol


class OpenAIClient:
    """Requests to one server, signed with its key."""

    def __init__(self, preset: Preset, key: str, transport: Transport) -> None:
        self.preset = preset
        self.server = preset.name
        self._key = key
        self._transport = transport
        self._headers = {
            "accept": "text/event-stream, application/json, */*",
            "accept-encoding": "identity",
            "user-agent": "konsilium",
        } | {name.lower(): value for name, value in preset.headers.items()}
        self._is_llama: bool | None = None
        self._tokens: AccessTokens | None = None
        if key and preset.token_url:
            self._tokens = AccessTokens(preset.token_url, preset.scope, key, transport, preset.name)
        elif key:
            self._headers["authorization"] = f"{preset.auth} {key}"

    async def aclose(self) -> None:
        """Closes every connection."""
        await self._transport.aclose()

    async def post(
        self,
        path: str,
        body: bytes,
        *,
        model: str,
        request_id: str | None = None,
        content_type: str = "application/json",
    ) -> UpstreamAnswer:
        """POSTs to that path, or absolute URL, as `Transport.open` does."""
        headers = self._headers | {"content-type": content_type}
        if request_id:
            headers["x-client-request-id"] = request_id
        return await self._open("POST", self._url(path), headers, body, model)

    async def get(self, path: str) -> Any:
        """The JSON at that path, or absolute URL."""
        answer = await self._open("GET", self._url(path), self._headers)
        body = await answer.body()
        try:
            return read_careless_json(body)
        except ValueError as error:
            raise not_the_protocol(self.server, None, body) from error

    def beside(self, path: str) -> str:
        """The URL of what servers have beside their `/v1`."""
        return self.preset.base_url.removesuffix("/v1") + path

    async def llama_settings(self, seconds: float) -> dict[str, Any] | None:
        """What llama.cpp's server has set, from `/props`; None where it is another one, or does not say so
        within so many seconds."""
        if not self.preset.props:
            return None
        try:
            async with asyncio.timeout(seconds):
                props = await self.get(self.beside("/props"))
        except RequestRefused:
            self._is_llama = False
            return None
        except (KonsiliumError, TimeoutError):
            return None
        settings = props.get("default_generation_settings") if isinstance(props, dict) else None
        self._is_llama = isinstance(settings, dict)
        return settings if isinstance(settings, dict) else None

    async def is_llama(self, seconds: float) -> bool:
        """Whether it is llama.cpp's server, as last seen; within so many seconds, where nobody knows yet."""
        if self._is_llama is None:
            await self.llama_settings(seconds)
        return self._is_llama is True

    def _url(self, path: str) -> str:
        return path if "://" in path else self.preset.base_url + path

    async def _open(
        self,
        method: str,
        url: str,
        headers: dict[str, str],
        body: bytes = b"",
        model: str | None = None,
    ) -> UpstreamAnswer:
        """With a token where the key is exchanged for one: a refused one is exchanged anew, once."""
        server, key, tokens = self.server, self._key, self._tokens
        if tokens is None:
            return await self._transport.open(
                method, url, headers, body, server=server, model=model, key=key
            )
        token = await tokens.current()
        try:
            return await self._transport.open(
                method, url, _signed(headers, token), body, server=server, model=model, key=token
            )
        except WrongKey:
            tokens.refused(token)
        token = await tokens.current()
        return await self._transport.open(
            method, url, _signed(headers, token), body, server=server, model=model, key=token
        )


def _signed(headers: dict[str, str], token: str) -> dict[str, str]:
    return headers | {"authorization": f"Bearer {token}"}
