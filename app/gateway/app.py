"""The gateway as one ASGI application: /v1 and /metrics without a framework, /api with one."""

import logging
import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping

from starlette.responses import JSONResponse, Response

from app.core.errors import KonsiliumError, StorageUnavailable
from app.core.requests import request_id, trace
from app.gateway.anthropic.face import Messages, TokenCounts
from app.gateway.anthropic.face import error_body as anthropic_error
from app.gateway.bodies import TOO_LARGE
from app.gateway.completions import Completions
from app.gateway.errors import BodyTooLarge, HttpError, NoSuchPath, WrongMethod, answer_to
from app.gateway.health import Metrics
from app.gateway.http import (
    CORS,
    MAX_BODY_BYTES,
    App,
    ClientGone,
    ErrorForm,
    Exchange,
    Message,
    Receive,
    Scope,
    Send,
    meant,
    openai_error,
    request_id_of,
)
from app.gateway.ollama.face import error_body as ollama_error
from app.gateway.ollama.routes import OllamaApi
from app.gateway.openai.catalogue import Catalogue
from app.gateway.openai.embeddings import Embeddings
from app.gateway.openai.face import ChatCompletions, LegacyCompletions
from app.gateway.openai.modes import ModeModels
from app.gateway.openai.passed import FORMS, MAX_AUDIO_BYTES, PASSED, PassThrough
from app.gateway.responses.face import InputTokens, OneResponse, Responses
from app.gateway.responses.kept import KeptResponses
from app.gateway.services import GatewayServices

log = logging.getLogger(__name__)

Route = Callable[[Exchange], Awaitable[None]]
_OURS = ("/v1", "/api", "/ollama", "/metrics")
_OLLAMAS_CHAT = "/api/chat"
"""Both Ollama and we have such a path."""
_AUDIO = frozenset(f"/v1{path}" for path in FORMS)
_ROUTES_OF_ONE = re.compile(r"(/v1/[a-z]+)/.+")
"""The path of one object, whose id may itself hold slashes."""
_ALLOWED = (
    (b"access-control-allow-methods", b"GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"),
    (b"access-control-allow-headers", b"*, Authorization"),
    (b"access-control-max-age", b"86400"),
)


class Gateway:
    """Serves /v1 and /metrics, and hands /api to the REST application."""

    def __init__(
        self, services: GatewayServices, rest: App | None = None, metrics: Metrics | None = None
    ) -> None:
        council = ModeModels(services)
        catalogue = Catalogue(services, council)
        kept = KeptResponses(services.documents)
        one = OneResponse(services, kept)
        self.services = services
        self.council = council
        self.rest = rest
        self.routes: dict[str, dict[str, Route]] = {
            "/v1/models": {"GET": catalogue.all},
            "/v1/models/{id}": {"GET": catalogue.one},
            "/v1/chat/completions": {"POST": Completions(services, council, ChatCompletions())},
            "/v1/completions": {"POST": Completions(services, council, LegacyCompletions())},
            "/v1/messages": {"POST": Completions(services, council, Messages())},
            "/v1/messages/count_tokens": {"POST": TokenCounts(services, council)},
            "/v1/responses": {"POST": Completions(services, council, Responses(kept))},
            "/v1/responses/input_tokens": {"POST": InputTokens(services, council, kept)},
            "/v1/responses/{id}": {"GET": one.get, "DELETE": one.delete, "POST": one.post},
            "/v1/embeddings": {"POST": Embeddings(services)},
            **{
                f"/v1{path}": {"POST": PassThrough(services, path, why)}
                for path, why in PASSED.items()
            },
        }
        """By path and method; `{id}` stands for all that follows."""
        ollama = OllamaApi(services, council)
        self.routes |= ollama.routes | {"/": {"HEAD": _head}}
        if rest is None:
            self.routes[_OLLAMAS_CHAT] = {"POST": ollama.chat}
        self._ollama = frozenset(ollama.routes)
        self._ollamas_chat = ollama.chat
        if metrics is not None:
            self.routes["/metrics"] = {"GET": metrics}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise NotImplementedError(f"no {scope['type']} here")
        if (path := _as_served(scope["path"])) != scope["path"]:
            scope = {**scope, "path": path}
        x = Exchange(scope, receive, send)
        token = request_id.set(x.request_id)
        traced = trace.set(x.trace) if b"traceparent" in x.headers else None
        try:
            if (
                self.rest is None
                or x.method == "OPTIONS"
                or not is_under(x.path, "/api")
                or x.path.rstrip("/") in self._ollama
            ):
                await self._serve(x)
            elif x.method == "POST" and x.path == _OLLAMAS_CHAT:
                await self._chat(scope, receive, send)
            else:
                asked = "GET" if x.method == "HEAD" else x.method  # the server leaves the body out
                await self.rest({**scope, "method": asked}, receive, _readable_elsewhere(send))
        finally:
            request_id.reset(token)
            if traced is not None:
                trace.reset(traced)

    async def _chat(self, scope: Scope, receive: Receive, send: Send) -> None:
        """`/api/chat` is Ollama's where it has `messages`, and ours where it has a `message`."""
        assert self.rest is not None  # noqa: S101 - as was just seen
        asking, replaying = Exchange(scope, receive, send), receive
        try:
            await self.services.authenticator.caller(asking, cookies=True)
            parts = [part async for part in _all_of(receive)]
            replaying = _replayed(parts, receive)
            asked = await Exchange(scope, _replayed(parts, receive), send).json()
        except (HttpError, KonsiliumError, ClientGone):
            asked = {}  # ours says what is wrong
        if "messages" in asked and "message" not in asked:
            await self._serve(Exchange(scope, replaying, send), self._ollamas_chat)
        else:
            await self.rest(scope, replaying, _readable_elsewhere(send))

    async def _serve(self, x: Exchange, route: Route | None = None) -> None:
        x.errors = _error_form(x.path, x.headers)
        if x.errors is anthropic_error:
            x.extra.append((b"request-id", x.request_id.encode()))
        try:
            await (route or self._route(x))(x)
        except ClientGone:
            log.info("the client left: %s %s", x.method, x.path)
        except Exception as error:  # noqa: BLE001  # the last resort: a 500 that tells nothing
            log_failure(error, x)
            if not x.started:
                await x.reply_error(error)

    def _route(self, x: Exchange) -> Route:
        if x.method == "OPTIONS":
            return _preflight
        path = x.path.rstrip("/") if len(x.path) > 1 else x.path
        methods = self.routes.get(path) or self.routes.get(_ROUTES_OF_ONE.sub(r"\1/{id}", path))
        if methods is not None:
            if x.method in methods:
                return methods[x.method]
            if x.method == "HEAD" and "GET" in methods:
                return methods["GET"]  # of whose answer the server sends the headers alone
            raise WrongMethod(x.method, path, methods)
        raise NoSuchPath(f"Unknown path: {x.method} {x.path}.{meant(path)}")

    async def drain(self, timeout: float) -> None:
        """Lets what runs end within `timeout` seconds, and writes what is left of its usage and counts."""
        await self.council.drain(timeout)
        await self.services.background.drain(timeout)
        await self.services.recorder.aclose()
        await self.services.limits.aclose()


def _readable_elsewhere(send: Send) -> Send:
    """Answers that pages of other origins may read: those who have a key, since cookies are not sent."""

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", ()), *CORS]}
        await send(message)

    return sending


def is_under(path: str, root: str) -> bool:
    """Whether the path is `root` or below it."""
    return path == root or path.startswith(root + "/")


class InFront:
    """Middleware: takes /v1, /api and /metrics from an application before anything of its own sees
    them. `root` is the path under which that is served."""

    def __init__(self, app: App, gateway: App, root: str = "") -> None:
        self._app = app
        self._gateway = gateway
        self._root = root

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path: str = scope.get("path", "").removeprefix(self._root)
        ours = any(is_under(path, root) for root in _OURS)
        astray = path.startswith("//v1") or (scope.get("method") == "POST" and meant(path))
        alive = path in ("", "/") and scope.get("method") == "HEAD"
        if scope["type"] == "http" and (ours or astray or alive):
            await self._gateway({**scope, "path": path}, receive, send)
        else:
            await self._app(scope, receive, send)


OTHER_BODY_BYTES = 2 * 1024 * 1024
"""What Chainlit's own routes may be sent: forms, settings, packets of at most 1 MB."""


def body_limits(root: str, uploads: Mapping[str, int]) -> Callable[[str], int]:
    """The bytes that each path of the app may be sent. `root` is the path under which it is served;
    `uploads` are the paths that take files, with their bytes."""

    def limit(path: str) -> int:
        if path in uploads:
            return uploads[path]
        below = path.removeprefix(root)
        ours = any(is_under(below, each) for each in _OURS)
        return body_limit(below) if ours else OTHER_BODY_BYTES

    return limit


def body_limit(path: str) -> int:
    """The bytes that a path of ours may be sent."""
    return MAX_AUDIO_BYTES if path.removeprefix("/ollama").rstrip("/") in _AUDIO else MAX_BODY_BYTES


def too_large(root: str = "") -> Callable[[Scope], Response | None]:
    """What is answered where a path of ours is sent more, in the form of the protocol that is asked; None for
    other paths."""

    def answer(scope: Scope) -> Response | None:
        path = scope["path"].removeprefix(root)
        if not any(is_under(path, each) for each in _OURS):
            return None
        path, headers = _as_served(path), dict(scope["headers"])
        refusal = answer_to(BodyTooLarge(f"{TOO_LARGE} It may have {body_limit(path)} bytes."))
        response = JSONResponse(_error_form(path, headers)(refusal), refusal.status)
        response.raw_headers += [*CORS, (b"x-request-id", request_id_of(headers).encode())]
        return response

    return answer


def _as_served(path: str) -> str:
    """Ollama speaks OpenAI's protocol, too."""
    return path.removeprefix("/ollama") if path.startswith("/ollama/v1/") else path


def _error_form(path: str, headers: Mapping[bytes, bytes]) -> ErrorForm:
    if is_under(path, "/v1/messages") or b"anthropic-version" in headers:
        return anthropic_error
    if is_under(path, "/ollama") or is_under(path, "/api"):
        return ollama_error
    return openai_error


def log_failure(error: Exception, x: Exchange) -> None:
    """The exact error, for the log."""
    if isinstance(error, HttpError):
        log.info("%s %s: %s: %s", x.method, x.path, error.code, error.detail)
    elif not isinstance(error, KonsiliumError):
        log.error("%s %s failed unexpectedly", x.method, x.path, exc_info=error)
    elif answer_to(error).status >= 500 or isinstance(error, StorageUnavailable):
        where = "/".join(part for part in (error.server, error.model) if part)
        log.warning("%s %s: %s %s: %s", x.method, x.path, error.code, where, error.detail)
    else:
        log.info("%s %s: %s: %s", x.method, x.path, error.code, error.detail)


async def _all_of(receive: Receive) -> AsyncGenerator[Message, None]:
    """A request's body, as it comes. Raises ClientGone where it breaks off."""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        yield message
        if not message.get("more_body", False):
            return


def _replayed(parts: list[Message], receive: Receive) -> Receive:
    """A body that was read already, and then whatever comes."""
    left = iter(parts)

    async def replaying() -> Message:
        for part in left:
            return part
        return await receive()

    return replaying


async def _preflight(x: Exchange) -> None:
    await x.reply(204, headers=_ALLOWED)


async def _head(x: Exchange) -> None:
    await x.reply(200)
