"""Chainlit's own pages and routes, in the reader's language and without other machines, and where ours
stand among them: before its catch-all, which answers every path. Chainlit picks files by the exact tag
of the browser (`ru-UA`, `de`); here every tag becomes one of our three."""

import gzip
import hashlib
import json
import re
from collections.abc import Awaitable, Callable, Mapping
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Annotated, Any

from chainlit import server
from chainlit.config import config
from chainlit.server import UserParam
from chainlit.types import CallActionRequest, UpdateFeedbackRequest
from fastapi import APIRouter, Body, HTTPException, Query, Request, Response
from fastapi.responses import FileResponse, JSONResponse
from pydantic import BaseModel, Field

from app.core.concurrency import BackgroundTasks
from app.core.text import Language, Text, language_of
from app.view.avatars import avatar_svg
from app.view.chainlit.browser import ActionHandler, Browser, guarded
from app.view.chainlit.data_layer import DataLayer
from app.view.chainlit.long_threads import LONG_THREADS, with_long_threads
from app.view.chainlit.markdown import (
    FORMULAS,
    PACE,
    with_a_quiet_console,
    with_any_file_at_first,
    with_code_facts,
    with_edits_at_any_time,
    with_figures_as_one_writes_them,
    with_formulas,
    with_moments,
    with_named_dialogs,
    with_open_selects,
    with_resting_microphone,
    with_steady_answers,
)

_LINK = re.compile(r"<link\b[^>]*>\s*", re.IGNORECASE)
_META_IMAGE = re.compile(r'\s*<meta\s+property="og:(?:image|url)"[^>]*>', re.IGNORECASE)
_KATEX = re.compile(r'https?://[^"]*/katex@[\d.]+/dist/katex\.min\.css')
_AWAY = re.compile(r'href\s*=\s*["\']?\s*(?:https?:)?//', re.IGNORECASE)


def clean_index(html: str) -> str:
    """The page without links to other machines (fonts, preconnects; KaTeX' styles are our own) and without
    the preview picture and address that name Chainlit's."""
    html = _KATEX.sub(f"{config.run.root_path}/public/katex/katex.min.css", html)
    html = _LINK.sub(lambda link: "" if _AWAY.search(link[0]) else link[0], html)
    return _META_IMAGE.sub("", html)


def installable(html: str) -> str:
    """The page as one that a phone may install, and that fills it to the edges."""
    public = f"{config.run.root_path}/public"
    links = (
        f'<link rel="manifest" href="{public}/manifest.webmanifest">'
        f'<link rel="apple-touch-icon" href="{public}/icons/apple-touch-icon.png">'
        '<meta name="theme-color" media="(prefers-color-scheme: light)" content="#faf9f5">'
        '<meta name="theme-color" media="(prefers-color-scheme: dark)" content="#181b1b">'
    )
    html = html.replace("initial-scale=1.0", "initial-scale=1.0, viewport-fit=cover", 1)
    return html.replace("</head>", f"{links}</head>", 1)


def offline_router() -> APIRouter:
    """`/offline.js`: what the browser runs beside the page, and what shows that the app is away. It stands
    at the path that the app is served under, since it rules only what is below its own."""
    router = APIRouter(prefix=config.run.root_path, include_in_schema=False)

    @router.get("/offline.js")
    async def offline() -> Response:
        return FileResponse(
            OFFLINE, media_type="text/javascript", headers={"cache-control": "no-cache"}
        )

    return router


@cache
def _script() -> tuple[bytes, str]:
    """The script, compressed (once: Chainlit does it for each page), and its tag."""
    [path] = (Path(server.build_dir) / "assets").glob("index-*.js")
    text = with_edits_at_any_time(path.read_text(encoding="utf-8"))
    text = with_a_quiet_console(with_figures_as_one_writes_them(text))
    text = with_moments(with_open_selects(with_named_dialogs(with_any_file_at_first(text))))
    text = with_steady_answers(
        with_code_facts(with_resting_microphone(text)), PACE.read_text(encoding="utf-8")
    )
    text = with_formulas(text, FORMULAS.read_text(encoding="utf-8"))
    text = with_long_threads(text, LONG_THREADS.read_text(encoding="utf-8"))
    packed = gzip.compress(text.encode(), 6, mtime=0)
    return packed, f'"{hashlib.sha256(packed).hexdigest()[:24]}"'


@cache
def _plain_script() -> bytes:
    """The same for whoever takes nothing compressed: one for all, however slowly they read."""
    return gzip.decompress(_script()[0])


def script_router() -> APIRouter:
    """The script in the place of Chainlit's, under the same address: its other parts import it by that."""
    router = APIRouter(include_in_schema=False)
    [path] = (Path(server.build_dir) / "assets").glob("index-*.js")

    def script(request: Request) -> Response:
        packed, tag = _script()
        headers = {"etag": tag, "cache-control": "no-cache", "vary": "accept-encoding"}
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers=headers)
        if "gzip" in request.headers.get("accept-encoding", ""):
            headers["content-encoding"] = "gzip"
            return Response(packed, media_type="text/javascript", headers=headers)
        return Response(_plain_script(), media_type="text/javascript", headers=headers)

    for address in dict.fromkeys(
        (f"/assets/{path.name}", f"{config.run.root_path}/assets/{path.name}")
    ):
        router.add_api_route(address, script, methods=["GET"])
    return router


CLOSED = (
    "/project/element",  # PUT and DELETE: elements are drawn by the app alone
    "/docs",
    "/docs/oauth2-redirect",
    "/redoc",
    "/openapi.json",
    "/mcp",
    "/copilot/{path:path}",
    "/auth/jwt",
    "/auth/oauth/azure-ad-hybrid/callback",
)
"""Routes of Chainlit's that nothing of ours needs: an element of any name made the page run a stranger's
file as code, the descriptions load scripts from another machine, any signed token was changed for a new
one that no signing out ends, an answer of the hybrid flow is bound to no browser that asked for it, and
nothing uses the others."""


def closed_router() -> APIRouter:
    """Answers 404 where Chainlit would do more, whatever the method."""
    router = APIRouter(include_in_schema=False)

    async def closed() -> Response:
        raise HTTPException(404, "Not found")

    methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
    for path in CLOSED:
        for address in dict.fromkeys((path, f"{config.run.root_path}{path}")):
            router.add_api_route(address, closed, methods=methods)
    return router


def action_router(
    buttons: Mapping[str, ActionHandler], picked: Callable[[Browser, str, str], Awaitable[None]]
) -> APIRouter:
    """Buttons, by name. Chainlit's own route makes a thread named after the button where there is none
    yet, and lets a stranger press it where nobody is signed in. They answer at once; what they begin
    goes on without holding the request. `picked(browser, picker, name)` takes what the composer shows,
    since a choice may still be on its way by the socket."""
    router = APIRouter(prefix=config.run.root_path)
    running = BackgroundTasks()

    async def run(browser: Browser, handler: ActionHandler, payload: dict[str, Any]) -> None:
        shown = payload.get("picked")
        for picker, name in shown.items() if isinstance(shown, dict) else ():
            await picked(browser, str(picker), str(name))
        await handler(browser, payload)

    @router.post("/project/action")
    async def press(pressed: CallActionRequest, current_user: UserParam) -> dict[str, Any]:
        browser = Browser.of_session(pressed.sessionId)
        if browser is None or current_user is None or browser.identifier is None:
            raise HTTPException(401, "sign in first")
        if browser.identifier != current_user.identifier:
            raise HTTPException(403, "not your session")
        handler = buttons.get(str(pressed.action.get("name", "")))
        if handler is None:
            raise HTTPException(404, "no such button")
        browser.enter()
        work = run(browser, handler, pressed.action.get("payload") or {})
        running.start(guarded(browser, work))
        return {"success": True}

    return router


def elements_router(elements: Mapping[str, Path], root: str = "") -> APIRouter:
    """`/public/elements/<name>.jsx` of those that stand with their modes; Chainlit serves the others."""
    router = APIRouter(prefix=f"{root}/public/elements", include_in_schema=False)

    def serve(file: Path) -> Callable[[], Awaitable[Response]]:
        async def read() -> Response:
            return FileResponse(file)

        return read

    for name, file in elements.items():
        router.add_api_route(f"/{name}.jsx", serve(file), methods=["GET", "HEAD"])
    return router


def feedback_router(layer: DataLayer) -> APIRouter:
    """`PUT /feedback`. Chainlit's own answers 500 whatever the data layer raises: another's step is 404."""
    router = APIRouter(prefix=config.run.root_path)

    @router.put("/feedback")
    async def judge(update: UpdateFeedbackRequest, _current_user: UserParam) -> JSONResponse:
        kept = await layer.upsert_feedback(update.feedback)
        return JSONResponse({"success": True, "feedbackId": kept})

    return router


def health_router(check: Callable[[], Awaitable[tuple[int, dict[str, Any]]]]) -> APIRouter:
    """`/health`: Chainlit's own says "ok" whatever the database says."""
    router = APIRouter(prefix=config.run.root_path)

    @router.api_route("/health", methods=["GET", "HEAD"], include_in_schema=False)
    async def health() -> JSONResponse:
        status, body = await check()
        return JSONResponse(body, status)

    return router


TAGS: Mapping[Language, str] = {"ru": "ru-RU", "uk": "uk-UA", "en": "en-US"}
"""The names of our files: .chainlit/translations/<tag>.json and chainlit_<tag>.md."""

SESSIONS_LINK = "sessions"
HEADER_LINKS: Mapping[str, Text] = {
    SESSIONS_LINK: Text(ru="Входы", uk="Входи", en="Sign-ins"),
    "models": Text(ru="Модели и серверы", uk="Моделі та сервери", en="Models and servers"),
    "knowledge": Text(ru="Базы знаний", uk="Бази знань", en="Knowledge bases"),
    "metrics": Text(ru="Метрики", uk="Метрики", en="Metrics"),
}
"""By their names in .chainlit/config.toml, where a name has one language only."""

Tag = Annotated[str, Query(max_length=35)]
Number = Annotated[int | None, Query(ge=0, le=99)]


BY_NAME = "application/x-by-name"
"""A type that no file has: the page's library takes only types that may be, and the names decide."""

OFFLINE = Path(__file__).with_name("offline.js")
SESSION_COOKIE = "X-Chainlit-Session-id"


class NamedSession(BaseModel):
    """The session of a page."""

    session_id: Annotated[str, Field(pattern="^[0-9A-Za-z-]{1,64}$")]


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
        shown = _in_words(json.loads(answer.body), language_of(tag), alone=alone)
        return JSONResponse(shown)

    @router.post("/set-session-cookie")
    async def session_cookie(request: Request, named: Annotated[NamedSession, Body()]) -> Response:
        """For balancers that keep a page with one process. Chainlit's own takes whatever comes."""
        answer = JSONResponse({"message": "Session cookie set"})
        secure = request.url.scheme == "https"
        answer.set_cookie(SESSION_COOKIE, named.session_id, httponly=True, secure=secure)
        return answer

    @router.get("/avatars/{name:path}")
    async def avatar(name: str, number: Number = None) -> Response:
        return Response(
            avatar_svg(name, number),
            media_type="image/svg+xml",
            headers={"Cache-Control": "public, max-age=86400"},
        )

    return router


def _in_words(settings: dict[str, Any], language: Language, *, alone: bool) -> dict[str, Any]:
    links = settings["ui"].get("header_links") or []
    settings["ui"]["header_links"] = [
        link for link in links if not (alone and link["name"] == SESSIONS_LINK)
    ]
    for link in settings["ui"]["header_links"]:
        if link["name"] in HEADER_LINKS:
            link["name"] = HEADER_LINKS[link["name"]][language]
        if link["url"].startswith("/"):
            link["url"] = f"{config.run.root_path}{link['url']}"
    uploads = settings["features"]["spontaneous_file_upload"]
    names = chain.from_iterable(uploads["accept"].values())
    uploads["accept"] = {BY_NAME: [name for name in names if name.startswith(".")]}
    return settings


def sample_rate() -> int:
    """Samples a second of what a page's microphone sends."""
    return config.features.audio.sample_rate if config.features.audio else 24_000
