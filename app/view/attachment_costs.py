"""What an attached file will cost, said in the composer before the question is sent."""

import asyncio
from pathlib import Path

from chainlit.session import WebsocketSession
from fastapi import APIRouter, HTTPException
from fastapi.responses import JSONResponse

from app.attachments import AttachmentLimits, attachment_tokens, read_attachment, refusal_text
from app.conversation.tokens import Scale, text_tokens
from app.core.errors import AttachmentRefused, KonsiliumError
from app.core.ports import Models
from app.core.text import Text
from app.view.session import Browser
from app.view.visitor import visitor

_AT_ONCE = 2

COST = Text(
    ru="{name}: токенов ≈ {tokens}", uk="{name}: токенів ≈ {tokens}", en="{name}: tokens ≈ {tokens}"
)
SHARE = Text(
    ru=" · {percent} % окна модели",
    uk=" · {percent} % вікна моделі",
    en=" · {percent} % of the window",
)


def attachment_costs_router(models: Models, limits: AttachmentLimits, root: str = "") -> APIRouter:
    """`/chat/attachment`: the words about one uploaded file of the session."""
    router = APIRouter(prefix=root, include_in_schema=False)
    free = asyncio.Semaphore(_AT_ONCE)

    @router.get("/chat/attachment")
    async def attachment(session_id: str, file: str) -> JSONResponse:
        session = WebsocketSession.get_by_id(session_id)
        if session is None or Browser(session).user_id != visitor.get().user_id:
            raise HTTPException(404)
        uploaded = session.files.get(file)
        if uploaded is None:
            raise HTTPException(404)
        browser = Browser(session)
        path, name, mime = Path(uploaded["path"]), uploaded["name"], uploaded["type"]
        try:
            profile = models.profile(models.resolve(browser.options.text("model")))
            async with free:
                read = await read_attachment(path, name, mime, limits, profile)
        except AttachmentRefused as refused:
            return _said(
                name, refusal_text(refused.reason, refused.facts)[browser.language], refused=True
            )
        except KonsiliumError:  # no model, no disk: the question will say it better
            return _said(name, "", refused=False)
        tokens = Scale().likely(attachment_tokens(read, text_tokens))
        text = COST.format(name=name, tokens=f"{tokens:,}".replace(",", "\u202f"))[browser.language]
        if profile.window:
            percent = max(1, round(100 * tokens / profile.window))
            text += SHARE.format(percent=percent)[browser.language]
        return _said(name, text, refused=False)

    return router


def _said(name: str, text: str, *, refused: bool) -> JSONResponse:
    return JSONResponse({"name": name, "text": text, "refused": refused})
