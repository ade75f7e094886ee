"""The way to one OpenAI-compatible server."""

from typing import Any

from app.core.providers import Preset
from app.core.reading import read_json
from app.providers.transport import AiohttpTransport, UpstreamAnswer
from app.providers.upstream_errors import not_the_protocol


class OpenAIClient:
    """Requests to one server, signed with its key."""

    def __init__(self, preset: Preset, key: str, transport: AiohttpTransport) -> None:
        self.preset = preset
        self.server = preset.name
        self._key = key
        self._transport = transport
        self._headers = {
            "accept": "text/event-stream, application/json, */*",
            "accept-encoding": "identity",
            "user-agent": "konsilium",
        } | {name.lower(): value for name, value in preset.headers.items()}
        if key:
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
        """POSTs, as `AiohttpTransport.open` does."""
        headers = self._headers | {"content-type": content_type}
        if request_id:
            headers["x-client-request-id"] = request_id
        return await self._transport.open(
            "POST",
            self.preset.base_url + path,
            headers,
            body,
            server=self.server,
            model=model,
            key=self._key,
        )

    async def get(self, path: str) -> Any:
        """The JSON at that path, or absolute URL."""
        url = path if "://" in path else self.preset.base_url + path
        answer = await self._transport.open(
            "GET", url, self._headers, server=self.server, key=self._key
        )
        body = await answer.body()
        try:
            return read_json(body)
        except ValueError as error:
            raise not_the_protocol(self.server, None, body) from error
