"""The way to one Ollama server."""

import asyncio
import json
import os
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager
from typing import Any

import aiohttp
from pydantic import ValidationError
from yarl import URL

from app.core.errors import FirstTokenTimeout
from app.core.reading import read_careless_json
from app.core.vectors import ExtractedArrays, lifted
from app.providers.deadline import Timeouts
from app.providers.transport import Transport, UpstreamAnswer
from app.providers.upstream_errors import error_in_body, not_the_protocol

# The package `ollama` gives us the shapes of Ollama's answers. At its import it makes a client of its own,
# from OLLAMA_HOST, which may name several servers here and then is no address, and from the proxies of
# the environment, of which httpx knows no socks: it is imported so that it reads nothing of these.
_READ_AT_IMPORT = ("ollama_host", "ollama_api_key", "all_proxy", "http_proxy", "https_proxy")


@contextmanager
def _without_environment() -> Iterator[None]:
    hidden = {
        name: os.environ.pop(name) for name in list(os.environ) if name.lower() in _READ_AT_IMPORT
    }
    try:
        yield
    finally:
        os.environ.update(hidden)


with _without_environment():
    from ollama import ShowResponse as ShowResponse


class OllamaClient:
    """Requests to one server over its one pool of connections."""

    def __init__(self, server: str, url: str, timeouts: Timeouts) -> None:
        """`url` may hold a name and a password, for an Ollama behind a proxy that asks for them."""
        address = URL(url)
        self.server = server
        self.url = str(address.with_user(None)).rstrip("/")
        self.on_this_machine = address.host in ("localhost", "127.0.0.1", "::1")
        self._seconds = timeouts.first_token  # any call may load a model
        self._transport = Transport(timeouts, local=True)
        self._headers = {
            "accept": "application/x-ndjson, application/json, */*",
            "accept-encoding": "identity",
            "user-agent": "konsilium",
        }
        if address.user or address.password:
            self._headers["authorization"] = aiohttp.encode_basic_auth(
                address.user or "", address.password or "", "utf-8"
            )

    async def aclose(self) -> None:
        """Closes every connection."""
        await self._transport.aclose()

    async def post(
        self,
        path: str,
        body: dict[str, Any],
        model: str,
        request_id: str | None = None,
        *,
        method: str = "POST",
    ) -> UpstreamAnswer:
        """POSTs JSON, as `Transport.open` does."""
        headers = self._headers | {"content-type": "application/json"}
        if request_id:
            headers["x-request-id"] = request_id
        text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
        return await self._transport.open(
            method,
            self.url + path,
            headers,
            text.encode("utf-8", "replace"),
            server=self.server,
            model=model,
        )

    async def get(self, path: str) -> dict[str, Any]:
        """The JSON object at that path."""
        answer = await self._transport.open(
            "GET", self.url + path, self._headers, server=self.server
        )
        return self._object(await answer.body(), None)

    async def show(self, model: str) -> ShowResponse:
        """POST /api/show."""
        said = await self._asked("/api/show", {"model": model}, model)
        try:
            return ShowResponse.model_validate(said)
        except ValidationError as error:
            raise not_the_protocol(self.server, model, str(error).encode()) from error

    async def embed(
        self,
        model: str,
        texts: list[str],
        keep_alive: str | float | None,
        dimensions: int | None = None,
    ) -> ExtractedArrays:
        """POST /api/embed: the answer, and the vectors that stood in it."""
        body: dict[str, Any] = {"model": model, "input": texts, "truncate": False}
        if keep_alive is not None:
            body["keep_alive"] = keep_alive
        if dimensions is not None:
            body["dimensions"] = dimensions
        async with self._in_time(model):
            answer = await self.post("/api/embed", body, model)
            try:
                async with aclosing(answer.pieces()) as pieces:
                    said = await lifted(pieces)
            except ValueError as error:
                raise not_the_protocol(self.server, model, str(error).encode()) from error
        self._check(said.answer, model)
        return said

    async def delete(self, model: str) -> None:
        """DELETE /api/delete."""
        await self._asked("/api/delete", {"model": model}, model, method="DELETE")

    async def load(
        self, model: str, keep_alive: str | float | None, options: dict[str, Any]
    ) -> None:
        """Loads the model, or with `keep_alive` 0 unloads it: a chat without messages."""
        body: dict[str, Any] = {"model": model, "messages": [], "stream": False, "options": options}
        if keep_alive is not None:
            body["keep_alive"] = keep_alive
        await self._asked("/api/chat", body, model)

    async def _asked(
        self, path: str, body: dict[str, Any], model: str, *, method: str = "POST"
    ) -> dict[str, Any]:
        said = await self._said(path, body, model, method=method)
        return self._object(said, model) if said.strip() else {}

    async def _said(
        self, path: str, body: dict[str, Any], model: str, *, method: str = "POST"
    ) -> bytes:
        async with self._in_time(model):
            answer = await self.post(path, body, model, method=method)
            return await answer.body()

    @asynccontextmanager
    async def _in_time(self, model: str) -> AsyncGenerator[None, None]:
        try:
            async with asyncio.timeout(self._seconds):
                yield
        except TimeoutError as error:
            late = f"nothing within {self._seconds:g} s"
            raise FirstTokenTimeout(late, server=self.server, model=model) from error

    def _object(self, body: bytes, model: str | None) -> dict[str, Any]:
        try:
            parsed = read_careless_json(body)
        except ValueError as error:
            raise not_the_protocol(self.server, model, body) from error
        return self._check(parsed, model)

    def _check(self, parsed: Any, model: str | None) -> dict[str, Any]:
        if not isinstance(parsed, dict):
            raise not_the_protocol(self.server, model, repr(parsed).encode())
        if parsed.get("error"):
            raise error_in_body(self.server, model, parsed)
        return parsed
