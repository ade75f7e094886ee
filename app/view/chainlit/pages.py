"""Chainlit's own pages and routes, in the reader's language and without other machines, and where ours
stand among them: before its catch-all, which answers every path. Chainlit picks files by the exact tag
of the browser (`ru-UA`, `de`); here every tag becomes one of our three."""

import json
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import cache
from typing import Annotated, Any

from chainlit import server
from chainlit.action import Action
from chainlit.config import config
from chainlit.context import init_ws_context
from chainlit.server import UserParam, app
from chainlit.session import WebsocketSession
from chainlit.types import CallActionRequest
from fastapi import APIRouter, HTTPException, Query, Response
from fastapi.responses import JSONResponse

from app.core.text import Language, Text, language_of
from app.view.avatars import avatar_svg

_LINK = re.compile(r"<link\b[^>]*>\s*", re.IGNORECASE)
_META_IMAGE = re.compile(r'\s*<meta\s+property="og:(?:image|url)"[^>]*>', re.IGNORECASE)
_AWAY = re.compile(r'href\s*=\s*["\']?\s*(?:https?:)?//', re.IGNORECASE)


def clean_index(html: str) -> str:
    """The page without links to other machines (KaTeX' styles, fonts, preconnects) and without the
    preview picture and address that name Chainlit's."""
    html = _LINK.sub(lambda link: "" if _AWAY.search(link[0]) else link[0], html)
    return _META_IMAGE.sub("", html)


def put_first(routers: Sequence[APIRouter]) -> None:
    """Adds the routers to Chainlit's server, in front of its own routes."""
    before = list(app.router.routes)
    for router in routers:
        app.include_router(router)
    added = [route for route in app.router.routes if route not in before]
    app.router.routes[:] = added + before


def action_router() -> APIRouter:
    """Buttons. Chainlit's own route makes a thread named after the button where there is none yet, and
    lets a stranger press it where nobody is signed in."""
    router = APIRouter(prefix=config.run.root_path)

    @router.post("/project/action")
    async def press(payload: CallActionRequest, current_user: UserParam) -> dict[str, Any]:
        session = WebsocketSession.get_by_id(payload.sessionId)
        who = session.user if session is not None else None
        if session is None or current_user is None or who is None:
            raise HTTPException(401, "sign in first")
        if who.identifier != current_user.identifier:
            raise HTTPException(403, "not your session")
        callback = config.code.action_callbacks.get(payload.action.get("name", ""))
        if callback is None:
            raise HTTPException(404, "no such button")
        init_ws_context(session)
        await callback(Action(**payload.action))
        return {"success": True}

    return router


def health_router(check: Callable[[], Awaitable[tuple[int, dict[str, Any]]]]) -> APIRouter:
    """`/health`: Chainlit's own says "ok" whatever the database says."""
    router = APIRouter(prefix=config.run.root_path)

    @router.get("/health", include_in_schema=False)
    async def health() -> JSONResponse:
        status, body = await check()
        return JSONResponse(body, status)

    return router


TAGS: Mapping[Language, str] = {"ru": "ru-RU", "uk": "uk-UA", "en": "en-US"}
"""The names of our files: .chainlit/translations/<tag>.json and chainlit_<tag>.md."""

HEADER_LINKS: Mapping[str, Text] = {
    "models": Text(ru="Модели и серверы", uk="Моделі та сервери", en="Models and servers"),
    "metrics": Text(ru="Метрики", uk="Метрики", en="Metrics"),
}
"""By their names in .chainlit/config.toml, where a name has one language only."""

Tag = Annotated[str, Query(max_length=35)]
Number = Annotated[int | None, Query(ge=0, le=99)]


def project_router(forced: Language | None = None, *, alone: bool = False) -> APIRouter:
    """Translations, page settings and avatars. `forced` (APP_LANGUAGE) overrides the browser's;
    `alone`: there is one user, who never signs in or out."""
    router = APIRouter(prefix=config.run.root_path)

    def tag_of(language: str) -> str:
        return TAGS[forced or language_of(language)]

    @router.get("/project/translations")
    async def translations(language: Tag = "en-US") -> JSONResponse:
        return JSONResponse({"translation": config.load_translation(tag_of(language))})

    @router.get("/project/language")
    async def page_language(language: Tag = "en-US") -> JSONResponse:
        return JSONResponse({"language": tag_of(language), "alone": alone})

    @router.get("/project/settings")
    async def settings(
        current_user: UserParam, language: Tag = "en-US", chat_profile: str | None = None
    ) -> JSONResponse:
        tag = tag_of(language)
        answer = await server.project_settings(current_user, tag, chat_profile)
        return JSONResponse(_in_words(json.loads(answer.body), language_of(tag)))

    @router.get("/avatars/{name:path}")
    async def avatar(name: str, number: Number = None) -> Response:
        return Response(
            avatar_svg(name, number),
            media_type="image/svg+xml",
            headers={"Cache-Control": "public, max-age=86400"},
        )

    return router


def _in_words(settings: dict[str, Any], language: Language) -> dict[str, Any]:
    for link in settings["ui"].get("header_links") or ():
        if link["name"] in HEADER_LINKS:
            link["name"] = HEADER_LINKS[link["name"]][language]
    return settings


def serve_clean_pages() -> None:
    """Every page from now on is cleaned, and made once: Chainlit makes it anew for each request."""
    make_page: Callable[[str], str] = server.get_html_template

    @cache
    def clean_page(root_path: str) -> str:
        return clean_index(make_page(root_path))

    server.get_html_template = clean_page
