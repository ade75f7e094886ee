"""python -m app gateway: the gateway alone, without Chainlit, over the same database."""

import argparse
import logging
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import uvicorn

from app.access.origins import require_loopback
from app.bootstrap import Application, build
from app.cli.terminal import Terminal
from app.gateway.app import body_limit, is_under, too_large
from app.gateway.bodies import BodyBounds
from app.gateway.errors import WrongMethod
from app.gateway.health import health
from app.gateway.http import App, Exchange, Receive, Scope, Send
from app.gateway.protocol import bound_connections
from app.settings import Settings, load_settings
from app.storage.migrations import apply

_FIGURES = "KONSILIUM_WORKERS_FIGURES"
"""Names the folder in which the workers of one port keep their figures, from process to process."""
KEEP_ALIVE_SECONDS = 75
"""Longer than clients and proxies keep an idle connection: who closes first meets no request."""


def register(subparsers: Any) -> None:
    """Adds the command."""
    command = subparsers.add_parser("gateway", help="serve /v1 and /api alone, without the chat")
    command.add_argument("--host", help="address to listen on (HOST)")
    command.add_argument("--port", type=int, default=8080, help="8080 unless given")
    command.add_argument("--workers", type=int, default=1, help="processes on the one port")
    command.set_defaults(run=serve)


def serve(args: argparse.Namespace, terminal: Terminal) -> int:
    """Serves until told to stop; streams then have SHUTDOWN_GRACE_SECONDS to finish."""
    settings = terminal.settings
    host = args.host or settings.host
    if settings.auth_mode == "local":
        require_loopback(host)
    apply.check_before_start(settings.database)
    with TemporaryDirectory(prefix="konsilium-gateway-") as folder:
        if args.workers > 1:
            os.environ[_FIGURES] = (
                folder  # the workers are processes of their own: it is theirs, too
            )
        _serve(settings, host, args.port, args.workers)
    return 0


def _serve(settings: Settings, host: str, port: int, workers: int) -> None:
    uvicorn.run(
        "app.cli.gateway:application",
        factory=True,
        host=host,
        port=port,
        workers=workers,
        loop="auto",
        http="app.gateway.protocol:BoundedHttpProtocol",
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=round(settings.shutdown_grace_seconds),
    )


def application() -> App:
    """What each worker runs."""
    settings = load_settings()
    bound_connections(settings.shutdown_grace_seconds, settings.trusted_proxies)
    built = build(settings)
    access = logging.getLogger("uvicorn.access")  # a line a request costs as much as the request
    access.handlers.clear()
    access.propagate = False
    return BodyBounds(_Alone(built), body_limit, too_large=too_large())


class _Alone:
    """The gateway with /health and a lifespan of its own."""

    def __init__(self, application: Application) -> None:
        self._application = application
        application.metrics.watch(
            open_chats=lambda: 0,
            turns=lambda: application.conversation.turns.count,
            queue=application.models.waiting_here,
            fleet=application.fleet,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http" and is_under(scope["path"], "/health"):
            await self._health(Exchange(scope, receive, send))
        else:
            await self._application.gateway(scope, receive, send)

    async def _health(self, x: Exchange) -> None:
        if x.method not in ("GET", "HEAD"):
            await x.reply_error(WrongMethod(x.method, x.path, ("GET",)))
            return
        status, body = await health(self._application.storage.keys, self._application.models)
        await x.reply_json(body, status)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        async with _running(self._application):
            if folder := os.environ.get(_FIGURES):
                figures = self._application.metrics.among(Path(folder))
                self._application.background.start(figures.run())
            await send({"type": "lifespan.startup.complete"})
            await receive()
        await send({"type": "lifespan.shutdown.complete"})


@asynccontextmanager
async def _running(application: Application) -> AsyncIterator[None]:
    await application.start()
    try:
        yield
    finally:
        await application.stop()
