"""A model hub: files behind a redirect to another host name, as Hugging Face's are, with faults."""

import asyncio
from collections import deque
from dataclasses import dataclass
from hashlib import sha256
from typing import Literal

from aiohttp import web


@dataclass(frozen=True)
class Fault:
    """What goes wrong with one request for the bytes."""

    kind: Literal["break", "stall", "status", "no_range", "other_part"]
    after: int = 0
    """Bytes that come first."""
    status: int = 503


class HubSimulator:
    """One file `test/babbler:babbler.gguf`; each request for its bytes takes the next fault."""

    NAME = "test/babbler:babbler.gguf"

    def __init__(self, content: bytes, *faults: Fault) -> None:
        self.content = content
        self.faults = deque(faults)
        self.ranges: list[str] = []
        """The Range header of each request for bytes, empty where there was none."""
        self.asked: list[str] = []
        self.sha256 = sha256(content).hexdigest()
        self.size = len(content)
        self.status = 302
        """What a request for the file answers before its bytes."""
        self.pause = 0.0
        """Seconds before each 16 KB."""

    async def __aenter__(self) -> "HubSimulator":
        app = web.Application()
        app.router.add_get("/api/models/test/babbler", self._card)
        app.router.add_get("/test/babbler/resolve/main/{file:.+}", self._file)
        app.router.add_get("/bytes", self._bytes)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.port = self._runner.addresses[0][1]
        self.url = f"http://127.0.0.1:{self.port}"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    async def _card(self, request: web.Request) -> web.Response:
        self.asked.append("card")
        return web.json_response({"id": "test/babbler", "cardData": {"license": "apache-2.0"}})

    async def _file(self, request: web.Request) -> web.Response:
        self.asked.append(request.method)
        if request.match_info["file"] != "babbler.gguf":
            return web.Response(status=404, text="Entry not found")
        if self.status != 302:
            return web.Response(status=self.status)
        return web.Response(
            status=302,
            headers={
                "Location": f"http://localhost:{self.port}/bytes",
                "X-Linked-Size": str(self.size),
                "X-Linked-Etag": f'"{self.sha256}"',
                "ETag": '"another"',
            },
        )

    async def _bytes(self, request: web.Request) -> web.StreamResponse:
        wanted = request.headers.get("Range", "")
        self.ranges.append(wanted)
        fault = self.faults.popleft() if self.faults else None
        if fault is not None and fault.kind == "status":
            return web.Response(status=fault.status)
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted else 0
        if fault is not None and fault.kind == "no_range":
            start, wanted = 0, ""
        if fault is not None and fault.kind == "other_part":
            start += 1
        response = web.StreamResponse(status=206 if wanted else 200)
        if wanted:
            total = len(self.content)
            response.headers["Content-Range"] = f"bytes {start}-{total - 1}/{total}"
        response.content_length = len(self.content) - start
        await response.prepare(request)
        cut = fault is not None and fault.kind in ("break", "stall")
        end = start + fault.after if cut and fault else len(self.content)
        for at in range(start, end, 16_384):
            await asyncio.sleep(self.pause)
            await response.write(self.content[at : min(end, at + 16_384)])
        if cut and fault and fault.kind == "stall":
            await asyncio.sleep(60)
        if cut and request.transport is not None:
            request.transport.abort()
        return response
