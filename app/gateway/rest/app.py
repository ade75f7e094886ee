"""The REST application: routes, errors in one form, its description."""

import logging
from typing import Any

from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, Response
from fastapi.security import HTTPBearer
from starlette.exceptions import HTTPException
from starlette.responses import FileResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from swagger_ui_bundle import swagger_ui_path

from app.access.limits import Headers
from app.access.origins import page_policy
from app.core.errors import KonsiliumError
from app.gateway.bodies import check_structure
from app.gateway.errors import Answer, HttpError, answer_to
from app.gateway.http import ClientGone, Exchange, meant
from app.gateway.rest import aliases, answers, chat, chats, keys, models, projects
from app.gateway.rest.services import CALLER, LIMITS, RestServices
from app.gateway.rest.shapes import Refusal

log = logging.getLogger(__name__)

_OPEN = ("/api/docs", "/api/openapi.json")
_ASSETS = {"swagger-ui.css": "text/css", "swagger-ui-bundle.js": "text/javascript"}
_REFUSALS: dict[int | str, dict[str, Any]] = {
    status: {"model": Refusal} for status in (400, 401, 403, 404, 413, 422, 429, 500, 502, 503, 504)
}
_DOCS = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Konsilium API</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
<link rel="stylesheet" href="docs/swagger-ui.css"><style>
body { margin: 0 }
nav { padding: 1rem 1.25rem; font: 1rem/1.5 system-ui, sans-serif }
nav a { color: #1b6158 }
.swagger-ui .opblock.opblock-get .opblock-summary-method { background: #1d63ad }
.swagger-ui .opblock.opblock-post .opblock-summary-method { background: #1e7a4c }
.swagger-ui .opblock.opblock-put .opblock-summary-method { background: #94560a }
.swagger-ui .opblock.opblock-patch .opblock-summary-method { background: #12756a }
.swagger-ui .opblock.opblock-delete .opblock-summary-method { background: #b3261e }
.swagger-ui .info .title small.version-stamp { background: #466300 }
.swagger-ui .btn.authorize { color: #1e7a4c; border-color: currentColor }
.swagger-ui .btn.authorize svg { fill: currentColor }
@media (width < 640px) {
.swagger-ui .opblock .opblock-summary { align-items: center }
.swagger-ui .opblock .opblock-summary-path a { display: block; padding: 5px 0 }
.swagger-ui .opblock .opblock-summary-path { max-width: 100% }
.swagger-ui .opblock .opblock-summary-description { overflow-wrap: normal; word-break: normal; padding: 0 10px; text-align: left }
}
html.dark { background: #1c1c1c; color-scheme: dark }
.dark nav a { color: #7cc4b8 }
.dark .swagger-ui { filter: invert(.89) hue-rotate(180deg) }
.dark .swagger-ui .highlight-code, .dark .swagger-ui .microlight { filter: invert(1) hue-rotate(180deg) }
</style><script>
/* The chat's theme, where one was chosen; else the system's. */
const system = matchMedia("(prefers-color-scheme: dark)");
const apply = () => {
  let chosen = null;
  try { chosen = localStorage.getItem("vite-ui-theme"); } catch { /* closed to us: a private window */ }
  document.documentElement.classList.toggle("dark", chosen === "dark" || (chosen !== "light" && system.matches));
};
system.addEventListener("change", apply);
window.addEventListener("storage", apply);
apply();
</script></head>
<body><nav><a href="../">← Konsilium</a></nav><div id="docs"></div><script src="docs/swagger-ui-bundle.js"></script><script>
function shown(part) {
  if (part === null || typeof part !== "object") return;
  if (Array.isArray(part.examples)) part.example = part.examples[0];
  Object.values(part).forEach(shown);
}
fetch("openapi.json").then(answer => answer.json()).then(spec => {
  spec.openapi = "3.0.3";  // the bundled page knows no 3.1: one example instead of several
  shown(spec);
  SwaggerUIBundle({spec, dom_id: "#docs", deepLinking: true});
});
</script></body></html>"""


def build_rest(services: RestServices) -> FastAPI:
    """The application under /api."""
    app = FastAPI(
        title="Konsilium",
        version="1",
        description="Threads, chats, models and keys. Send `Authorization: Bearer <key>`, or come "
        "with the browser's cookie. The OpenAI-compatible gateway is under /v1.",
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/openapi.json",
        responses=_REFUSALS,
        swagger_ui_oauth2_redirect_url=None,
        separate_input_output_schemas=False,
        dependencies=[
            Depends(HTTPBearer(auto_error=False))
        ],  # described here, checked by `caller_of`
    )
    app.state.services = services
    app.add_middleware(_AuthenticatedFirst, services=services)
    for each in (models, chats, projects, chat, keys, aliases, answers):
        app.include_router(each.router)
    for kind in (KonsiliumError, HttpError, Exception):
        app.add_exception_handler(kind, _refuse)
    app.add_exception_handler(RequestValidationError, _refuse_shape)
    app.add_exception_handler(HTTPException, _refuse_path)
    app.add_api_route("/api/docs", _docs, include_in_schema=False)
    app.add_api_route("/api/docs/{name}", _asset, include_in_schema=False)
    return app


class _AuthenticatedFirst:
    """Middleware: who asks is known, and their body bounded, before anything of it is parsed."""

    def __init__(self, app: ASGIApp, services: RestServices) -> None:
        self._app = app
        self._authenticator = services.gateway.authenticator

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith(_OPEN):
            await self._app(scope, receive, send)
            return
        x = Exchange(scope, receive, send)
        try:
            scope[CALLER] = await self._authenticator.caller(x, cookies=True)
            body = await x.body()
            check_structure(body)
        except ClientGone:
            return
        except (KonsiliumError, HttpError) as error:
            await _json(answer_to(error))(scope, receive, send)
            return
        waiting = [{"type": "http.request", "body": body, "more_body": False}]

        async def replay() -> Message:
            return waiting.pop() if waiting else await receive()

        limits: Headers = []
        scope[LIMITS] = limits

        async def telling(message: Message) -> None:
            if limits and message["type"] == "http.response.start":
                message = {**message, "headers": [*message["headers"], *limits]}
            await send(message)

        await self._app(scope, replay, telling)


async def _docs() -> HTMLResponse:
    return HTMLResponse(_DOCS, headers={"Content-Security-Policy": page_policy(_DOCS)})


async def _asset(name: str) -> Response:
    if name not in _ASSETS:
        raise HTTPException(404)
    return FileResponse(f"{swagger_ui_path}/{name}", media_type=_ASSETS[name])


def _json(answer: Answer) -> JSONResponse:
    headers = {name.decode(): value.decode() for name, value in answer.headers}
    body = {"error": answer.message, "code": answer.code}
    return JSONResponse(body, answer.status, headers)


async def _refuse(request: Request, error: Exception) -> JSONResponse:
    answer = answer_to(error)
    if answer.status >= 500:
        unexpected = None if isinstance(error, KonsiliumError) else error
        log.error("%s %s: %s", request.method, request.url.path, error, exc_info=unexpected)
    return _json(answer)


async def _refuse_shape(_request: Request, error: Exception) -> JSONResponse:
    problems = error.errors() if isinstance(error, RequestValidationError) else []
    said = "; ".join(
        f"{'.'.join(str(part) for part in problem['loc'] if part != 'body')}: {problem['msg']}"
        for problem in problems
    )
    return _json(Answer(422, "invalid_request_error", said or "Invalid request.", "invalid_value"))


async def _refuse_path(request: Request, error: Exception) -> JSONResponse:
    status = error.status_code if isinstance(error, HTTPException) else 500
    hint = meant(request.url.path) if "/v1/" in request.url.path else ""
    unknown, other_method = f"Unknown path.{hint}", "The method is not allowed here."
    said = {404: unknown, 405: other_method}.get(status, str(error))
    code = {404: "unknown_url", 405: "method_not_allowed"}.get(status, "invalid_request")
    response = _json(Answer(status, "invalid_request_error", said, code))
    if isinstance(error, HTTPException) and error.headers:
        response.headers.update(error.headers)
    return response
