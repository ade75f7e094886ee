"""The way to one Ollama server: one connection pool under our streaming client and the package's."""

import asyncio
import json
from collections.abc import Awaitable, Sequence
from typing import Any, TypeVar

import aiohttp
import httpx
import ollama
import pydantic
from yarl import URL

from app.core.errors import FirstTokenTimeout, ServerUnavailable
from app.providers.deadline import Timeouts
from app.providers.ollama.failures import lost
from app.providers.transport import LOST, AiohttpTransport
from app.providers.transport import lost as lost_by_pool
from app.providers.upstream_errors import error_of_status, not_the_protocol

T = TypeVar("T")


class OllamaClient:
    """Three ways over one pool: `post` for answers, `http` for what is rare, and the `ollama` package
    where it is safe."""

    def __init__(self, server: str, url: str, timeouts: Timeouts) -> None:
        """`url` may hold a name and a password, for an Ollama behind a proxy that asks for them."""
        address = httpx.URL(url)
        self.server = server
        self.url = str(address.copy_with(username=None, password=None)).rstrip("/")
        self._seconds = timeouts.first_token  # any of the package's calls may load a model
        self._pool = pool = AiohttpTransport(timeouts, local=True)
        self._headers = {"content-type": "application/json", "accept-encoding": "identity"}
        if address.userinfo:
            named = aiohttp.encode_basic_auth(address.username, address.password, "utf-8")
            self._headers["authorization"] = named
        auth = httpx.BasicAuth(address.username, address.password) if address.userinfo else None
        untimed = httpx.Timeout(None)  # the pool and StreamDeadline have the limits
        self.http = httpx.AsyncClient(base_url=self.url, transport=pool, timeout=untimed, auth=auth)
        self._package = ollama.AsyncClient(
            host=self.url,
            transport=pool,
            auth=auth,
            event_hooks={"request": [_without_borrowed_key]},
        )

    async def aclose(self) -> None:
        """Closes every connection: both clients share the one pool."""
        await self.http.aclose()

    async def post(
        self, path: str, body: dict[str, Any], model: str, request_id: str | None
    ) -> aiohttp.ClientResponse:
        """POSTs JSON; returns once a status has come, the body unread. Close what it returns.

        Past httpx, which would take a quarter of a millisecond of each request.
        """
        headers = self._headers | ({"x-request-id": request_id} if request_id else {})
        text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
        try:
            return await self._pool.send(
                "POST",
                URL(self.url + path),
                headers.items(),
                text.encode("utf-8", "replace"),
                decompress=True,
            )
        except LOST as error:
            raise lost_by_pool(error, self.server, model) from error

    async def read(self, response: aiohttp.ClientResponse, model: str) -> bytes:
        """Some more of an answer's body, empty at its end."""
        try:
            return await response.content.readany()
        except LOST as error:
            raise lost_by_pool(error, self.server, model) from error

    async def get(self, path: str) -> dict[str, Any]:
        """The JSON object at that path: the package drops fields that newer servers send."""
        try:
            response = await self.http.get(path)
        except httpx.HTTPError as error:
            raise lost(error, self.server) from error
        if response.status_code != 200:
            raise error_of_status(
                self.server, None, response.status_code, response.content, response.headers
            )
        try:
            parsed = response.json()
        except ValueError as error:
            raise not_the_protocol(self.server, None, response.content) from error
        if not isinstance(parsed, dict):
            raise not_the_protocol(self.server, None, response.content)
        return parsed

    async def show(self, model: str) -> ollama.ShowResponse:
        """POST /api/show."""
        return await self._asked(self._package.show(model), model)

    async def embed(
        self, model: str, texts: Sequence[str], keep_alive: str | float | None
    ) -> ollama.EmbedResponse:
        """POST /api/embed."""
        return await self._asked(
            self._package.embed(model, list(texts), keep_alive=keep_alive), model
        )

    async def delete(self, model: str) -> None:
        """DELETE /api/delete."""
        await self._asked(self._package.delete(model), model)

    async def load(
        self, model: str, keep_alive: str | float | None, options: dict[str, Any]
    ) -> None:
        """Loads the model, or with `keep_alive` 0 unloads it: a chat without messages."""
        await self._asked(
            self._package.chat(model, messages=[], keep_alive=keep_alive, options=options), model
        )

    async def _asked(self, answer: Awaitable[T], model: str) -> T:
        try:
            async with asyncio.timeout(self._seconds):
                return await answer
        except TimeoutError as error:
            late = f"nothing within {self._seconds:g} s"
            raise FirstTokenTimeout(late, server=self.server, model=model) from error
        except ollama.ResponseError as error:
            body = error.error.encode()
            raise error_of_status(self.server, model, error.status_code, body, {}) from error
        except ConnectionError as error:
            raise ServerUnavailable(str(error), server=self.server, model=model) from error
        except httpx.HTTPError as error:
            raise lost(error, self.server, model) from error
        except (pydantic.ValidationError, ValueError) as error:
            raise not_the_protocol(self.server, model, str(error).encode()) from error


async def _without_borrowed_key(request: httpx.Request) -> None:
    """The package sends OLLAMA_API_KEY of the environment to every host; it is meant for none here."""
    if request.headers.get("authorization", "").startswith("Bearer "):
        del request.headers["authorization"]
