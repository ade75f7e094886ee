"""A conversation to take along, from its own page: for its owner alone, even while it is shared."""

import re
from typing import Literal
from urllib.parse import quote

from fastapi import APIRouter, HTTPException, Response

from app.conversation.export import UNNAMED, as_json, as_markdown
from app.core.errors import NotFound
from app.core.ports import ThreadStore
from app.view.visitor import asking_id, reading_language

_NOT_IN_NAMES = re.compile(r'[\x00-\x1f<>:"/\\|?*]+')
"""What one file system or another refuses in a file's name."""


def exports_router(threads: ThreadStore, root_path: str = "") -> APIRouter:
    """`GET /project/thread/{id}/export?format=markdown|json`; 404 for all but its owner."""
    router = APIRouter(prefix=root_path)

    @router.get("/project/thread/{thread_id}/export")
    async def export(thread_id: str, format: Literal["markdown", "json"] = "markdown") -> Response:
        """The thread as a file, in the reader's language."""
        reader = asking_id()
        if reader is None:
            raise HTTPException(401, "Unauthorized")
        try:
            stored = await threads.contents(thread_id, reader)
        except NotFound:
            raise HTTPException(404, "Not found") from None
        if stored.thread.user_id != reader:
            raise HTTPException(404, "Not found")
        language = reading_language()
        name = file_name(stored.thread.title or UNNAMED[language])
        if format == "json":
            return _file(as_json(stored), f"{name}.json", "application/json")
        return _file(as_markdown(stored, language), f"{name}.md", "text/markdown")

    return router


def file_name(title: str) -> str:
    """The title as a file may be called."""
    return _NOT_IN_NAMES.sub(" ", title).strip(" .…") or "Konsilium"


def _file(text: str, name: str, mime: str) -> Response:
    return Response(
        text,
        media_type=f"{mime}; charset=utf-8",
        headers={
            "Content-Disposition": f"attachment; filename*=UTF-8''{quote(name, safe='')}",
            "Cache-Control": "private, no-store",
            "X-Content-Type-Options": "nosniff",
        },
    )
