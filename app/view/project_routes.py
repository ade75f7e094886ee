"""Chainlit's own pages and texts, in the reader's language and without other machines.

The router goes before Chainlit's: it answers the same paths. Chainlit picks files by the exact tag of
the browser (`ru-UA`, `de`); here every tag becomes one of our three.
"""

import json
from collections.abc import Callable, Mapping
from functools import cache
from typing import Annotated, Any

from chainlit import server
from chainlit.config import config
from chainlit.server import UserParam
from fastapi import APIRouter, Query, Response
from fastapi.responses import JSONResponse

from app.core.text import Language, Text, language_of
from app.view.avatars import avatar_svg
from app.view.index_page import clean_index

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
