"""Files of the chat: what they cost, what is too large, who may read them; and whole threads as files."""

import asyncio
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal
from urllib.parse import quote

from fastapi import APIRouter, HTTPException, Response, UploadFile
from fastapi.responses import FileResponse, JSONResponse
from starlette.types import Scope

from app.attachments import (
    AttachmentLimits,
    attachment_tokens,
    read_attachment,
    refusal_text,
    unseen,
)
from app.attachments.limits import MEGABYTE
from app.completion.tokens import text_tokens
from app.conversation.export import UNNAMED, as_json, as_markdown
from app.conversation.tokens import Scale
from app.core.errors import AttachmentRefused, KonsiliumError, NotFound
from app.core.ports import Models
from app.core.text import Language, Text, language_of
from app.storage.elements import Elements
from app.storage.threads import Threads
from app.view.chainlit.browser import Browser
from app.view.chainlit.dicts import FILES_ROUTE
from app.view.chainlit.identity import asking_id, identity, reading_language

AROUND_BYTES = MEGABYTE
"""What a form holds besides the file, at most."""

TOO_LARGE = Text(
    ru="файл слишком большой, предел — {limit_mb} МБ",
    uk="файл завеликий, межа — {limit_mb} МБ",
    en="the file is too large, the limit is {limit_mb} MB",
)


@dataclass(frozen=True)
class Upload:
    """What a path that takes files may be sent, and what one who sends more is answered."""

    bytes: int
    too_large: Callable[[Language], Response]


def uploads(limits: AttachmentLimits, root: str = "") -> dict[str, Upload]:
    """Where the composer sends files."""

    def too_large(language: Language) -> Response:
        said = TOO_LARGE.format(limit_mb=limits.bytes // MEGABYTE)[language]
        return JSONResponse({"detail": said}, 413)

    return {f"{root}/project/file": Upload(limits.bytes + AROUND_BYTES, too_large)}


def too_large(
    taking: Mapping[str, Upload], forced: Language | None
) -> Callable[[Scope], Response | None]:
    """What an upload that is too large is answered, before anybody knows whose it is. `forced`
    (APP_LANGUAGE) overrides the browser's language."""

    def answer(scope: Scope) -> Response | None:
        upload = taking.get(scope["path"])
        if upload is None:
            return None
        said = dict(scope["headers"]).get(b"accept-language", b"").decode("latin-1")
        return upload.too_large(forced or language_of(said.partition(",")[0].partition(";")[0]))

    return answer


_MAX_CONCURRENT = 2

COST = Text(
    ru="{name}: токенов ≈ {tokens}", uk="{name}: токенів ≈ {tokens}", en="{name}: tokens ≈ {tokens}"
)
DAMAGED = Text(
    ru=" · файл повреждён: не прочитано байтов: {count}, на их месте знак \ufffd",
    uk=" · файл пошкоджено: не прочитано байтів: {count}, на їхньому місці знак \ufffd",
    en=" · the file is damaged: bytes that could not be read: {count}, each shown as \ufffd",
)
SEARCHED = Text(
    ru=" · целиком не поместится: ответ найдётся по отрывкам",
    uk=" · цілком не вміститься: відповідь шукатиметься за уривками",
    en=" · too long to be read whole: it will be searched",
)
SHARE = Text(
    ru=" · {percent} % окна модели",
    uk=" · {percent} % вікна моделі",
    en=" · {percent}% of the window",
)


def attachment_costs_router(models: Models, limits: AttachmentLimits, root: str = "") -> APIRouter:
    """`/chat/attachment`: the words about one uploaded file of the session."""
    router = APIRouter(prefix=root, include_in_schema=False)
    free = asyncio.Semaphore(_MAX_CONCURRENT)

    @router.get("/chat/attachment")
    async def attachment(session_id: str, file: str) -> JSONResponse:
        browser = Browser.of_session(session_id)
        if browser is None or browser.user_id != identity.get().user_id:
            raise HTTPException(404)
        uploaded = browser.upload(file)
        if uploaded is None:
            raise HTTPException(404)
        name = uploaded.name
        try:
            profile = models.profile(models.resolve(browser.options.text("model")))
            async with free:
                read = await read_attachment(uploaded.path, name, uploaded.mime, limits)
            if (refused := unseen([read], profile)) is not None:
                raise refused
        except AttachmentRefused as error:
            return _said(
                name, refusal_text(error.reason, error.facts)[browser.language], refused=True
            )
        except KonsiliumError:  # no model, no disk: the question will say it better
            return _said(name, "", refused=False)
        tokens = Scale().likely(attachment_tokens(read, text_tokens))
        text = COST.format(name=name, tokens=f"{tokens:,}".replace(",", "\u202f"))[browser.language]
        if profile.window:
            percent = max(1, round(100 * tokens / profile.window))
            text += SHARE.format(percent=percent)[browser.language]
        if profile.window and tokens > profile.window:
            text += SEARCHED[browser.language]
        if read.unreadable:
            text += DAMAGED.format(count=read.unreadable)[browser.language]
        return _said(name, text, refused=False)

    return router


def _said(name: str, text: str, *, refused: bool) -> JSONResponse:
    return JSONResponse({"name": name, "text": text, "refused": refused})


def uploads_router(accepts: Callable[[UploadFile], None], root: str = "") -> APIRouter:
    """`/project/file`: what the composer uploads, until it is sent, for the page's own user alone.
    `accepts` raises ValueError for a file that may not come."""
    router = APIRouter(prefix=root, include_in_schema=False)

    def page(session_id: str) -> Browser:
        browser = Browser.of_session(session_id)
        if browser is None or browser.user_id != identity.get().user_id:
            raise HTTPException(404, "Not found")
        return browser

    @router.post("/project/file")
    async def upload(session_id: str, file: UploadFile) -> dict[str, str]:
        browser = page(session_id)
        try:
            accepts(file)
        except ValueError as error:
            raise HTTPException(400, str(error)) from error
        content = await file.read()
        mime = file.content_type or "application/octet-stream"
        kept = asyncio.to_thread(browser.keep_upload, file.filename or "file", mime, content)
        return {"id": await kept}

    @router.get("/project/file/{file_id}", response_class=Response)
    async def read(session_id: str, file_id: str) -> Response:
        uploaded = page(session_id).upload(file_id)
        if uploaded is None:
            raise HTTPException(404, "Not found")
        try:  # at once: it becomes the conversation's file as soon as it is sent
            content = await asyncio.to_thread(uploaded.path.read_bytes)
        except OSError as error:
            raise HTTPException(404, "Not found") from error
        return Response(content, headers=file_headers(uploaded.name, uploaded.mime))

    return router


_SHOWN = frozenset(
    f"image/{kind}" for kind in ("png", "jpeg", "gif", "webp", "avif", "bmp", "x-icon")
)
"""Types that a browser may show on our origin, with audio and video: nothing in them runs. SVG and
HTML are not among them; they, and all that is unknown, are downloads."""


_PLAYED = re.compile(r"(?:audio|video)/[\w.+-]{1,100}", re.ASCII)


def files_router(elements: Elements) -> APIRouter:
    """`GET` and `HEAD /files/{thread}/{element}`; 404 for who may not read it."""
    router = APIRouter(prefix=FILES_ROUTE, tags=["files"])

    @router.api_route(
        "/{thread_id}/{element_id}", methods=["GET", "HEAD"], response_class=FileResponse
    )
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
        return FileResponse(path, headers=file_headers(element.name, element.mime))

    return router


def file_headers(name: str, said: str | None) -> dict[str, str]:
    """How a browser may take a file that somebody uploaded: what could run on our origin is a download."""
    mime = (said or "").partition(";")[0].strip().lower()
    policy = "default-src 'none'; sandbox"
    if mime in _SHOWN or _PLAYED.fullmatch(mime):
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
        "Content-Disposition": f"{disposition}; filename*=UTF-8''{quote(name, safe='')}",
        "Content-Security-Policy": policy,
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "private, no-cache",
    }


_NOT_IN_NAMES = re.compile(r'[\x00-\x1f<>:"/\\|?*]+')
"""What one file system or another refuses in a file's name."""


def exports_router(threads: Threads, root_path: str = "") -> APIRouter:
    """`GET /project/thread/{id}/export?format=markdown|json&branches=all`; 404 for all but its owner."""
    router = APIRouter(prefix=root_path)

    @router.get("/project/thread/{thread_id}/export")
    async def export(
        thread_id: str,
        format: Literal["markdown", "json"] = "markdown",
        branches: Literal["active", "all"] = "active",
    ) -> Response:
        """The thread as a file, in the reader's language; JSON holds all branches, Markdown those asked
        for."""
        reader = asking_id()
        if reader is None:
            raise HTTPException(401, "Unauthorized")
        try:
            whole = format == "json" or branches == "all"
            stored = await threads.contents(thread_id, reader, whole=whole)
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
