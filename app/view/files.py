"""Files of threads, read by who may read the thread: its owner, any user while it is shared."""

from urllib.parse import quote

from fastapi import APIRouter, HTTPException
from fastapi.responses import FileResponse

from app.core.errors import NotFound
from app.core.ports import ElementStore
from app.core.threads import ElementRecord
from app.view.stored import FILES_ROUTE
from app.view.visitor import asking_id

_SHOWN = frozenset(
    f"image/{kind}" for kind in ("png", "jpeg", "gif", "webp", "avif", "bmp", "x-icon")
)
"""Types that a browser may show on our origin, with audio and video: nothing in them runs. SVG and
HTML are not among them; they, and all that is unknown, are downloads."""


def files_router(elements: ElementStore) -> APIRouter:
    """`GET /files/{thread}/{element}`; 404 for who may not read it."""
    router = APIRouter(prefix=FILES_ROUTE, tags=["files"])

    @router.get("/{thread_id}/{element_id}", response_class=FileResponse)
    async def read(thread_id: str, element_id: str) -> FileResponse:
        """One file of a thread."""
        reader = asking_id()
        if reader is None:
            raise HTTPException(401, "Unauthorized")
        try:
            element = await elements.find(thread_id, element_id, reader)
            path = elements.path(element)
        except NotFound:
            raise HTTPException(404, "Not found") from None
        if not path.is_file():
            raise HTTPException(404, "Not found")
        return FileResponse(path, headers=_headers(element))

    return router


def _headers(element: ElementRecord) -> dict[str, str]:
    mime = (element.mime or "").partition(";")[0].strip().lower()
    policy = "default-src 'none'; sandbox"
    if mime in _SHOWN or mime.startswith(("audio/", "video/")):
        kind, disposition = mime, "inline"
    elif mime == "application/pdf":
        # A browser's own viewer does not open inside a sandbox.
        kind, disposition, policy = mime, "inline", "default-src 'none'; object-src 'self'"
    elif mime == "text/plain":
        kind, disposition = "text/plain; charset=utf-8", "inline"
    else:
        kind, disposition = "application/octet-stream", "attachment"
    return {
        "Content-Type": kind,
        "Content-Disposition": f"{disposition}; filename*=UTF-8''{quote(element.name, safe='')}",
        "Content-Security-Policy": policy,
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "private, no-cache",
    }
