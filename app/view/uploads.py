"""Uploads that are too large are refused before they are read: Chainlit reads a file whole first."""

from chainlit.config import config
from fastapi import HTTPException
from fastapi.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.attachments import AttachmentLimits
from app.attachments.limits import MEGABYTE
from app.core.text import Text
from app.view.visitor import reading_language

AROUND_BYTES = MEGABYTE
"""What a form holds besides the file, at most."""

TOO_LARGE = Text(
    ru="файл слишком большой, предел — {limit_mb} МБ",
    uk="файл завеликий, межа — {limit_mb} МБ",
    en="the file is too large, the limit is {limit_mb} MB",
)


class UploadLimit:
    """ASGI middleware before Chainlit's upload route: by the length that is said, else as it comes."""

    def __init__(self, app: ASGIApp, limits: AttachmentLimits) -> None:
        self._app = app
        self._path = f"{config.run.root_path}/project/file"
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != self._path:
            await self._app(scope, receive, send)
            return
        most = self._limits.bytes + AROUND_BYTES
        if _length(scope) > most:
            await JSONResponse({"detail": self._why()}, 413)(scope, receive, send)
            return
        read = 0

        async def counted() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > most:
                raise HTTPException(413, self._why())
            return message

        await self._app(scope, counted, send)

    def _why(self) -> str:
        limit = self._limits.bytes // MEGABYTE
        return TOO_LARGE.format(limit_mb=limit)[reading_language()]


def _length(scope: Scope) -> int:
    """As the request says; 0 where it says nothing, or no number."""
    said = dict(scope["headers"]).get(b"content-length", b"")
    return int(said) if said.isdigit() else 0
