"""Chainlit's server: what it starts, what stands before its own routes, and what it offers the page."""

import importlib
import os
from collections.abc import Awaitable, Callable
from functools import cache
from pathlib import Path
from typing import Any

from chainlit import server
from chainlit.config import config
from chainlit.server import sio
from fastapi import APIRouter, UploadFile
from starlette.types import ASGIApp

from app.access.origins import page_policy, require_loopback
from app.core.text import Language
from app.view.chainlit.data_layer import DataLayer
from app.view.chainlit.pages import TAGS, clean_index, installable
from app.view.chainlit.wire import shorten
from app.view.errors import answer_errors
from app.view.starters import starters

ROOT: str = config.run.root_path
"""The path that the app is served under; empty for none."""


def prepare(
    start: Callable[[], Awaitable[None]],
    stop: Callable[[], Awaitable[None]],
    layer: DataLayer,
    language: Language | None,
    *,
    loopback_only: bool,
) -> None:
    """Before the first request: what runs when the server starts and stops, what it stores in, and the
    one language, where it is set. Raises SettingsInvalid where only this machine may be let in and the
    server would listen to others."""
    if loopback_only:
        require_loopback(config.run.host)
    if config.run.ci:  # with CI in the environment Chainlit makes up a key; it is no server of ours
        os.environ.pop("OPENAI_API_KEY", None)
    shorten(sio)
    config.code.data_layer = lambda: layer
    config.code.on_app_startup = start
    config.code.on_app_shutdown = stop
    config.code.set_starters = starters
    config.ui.language = language and TAGS[language]
    serve_clean_pages()
    answer_errors(server.app)


def serve_clean_pages() -> None:
    """Every page from now on is cleaned, and made once: Chainlit makes it anew for each request."""
    make_page: Callable[[str], str] = server.get_html_template

    @cache
    def clean_page(root_path: str) -> str:
        return installable(clean_index(make_page(root_path)))

    server.get_html_template = clean_page


def own_policy() -> str:
    """What Chainlit's page may load and run; it makes code of our elements' files."""
    return page_policy(server.get_html_template(ROOT), evaluates=True)


def accepts(file: UploadFile) -> None:
    """Raises ValueError for an upload that .chainlit/config.toml does not admit."""
    server.validate_file_upload(file)


def keep_uploads_in(folder: Path) -> None:
    """Where uploads are until a message takes them; Chainlit removes the folder when it ends."""
    for module in (importlib.import_module("chainlit.config"), server):
        setattr(module, "FILES_DIRECTORY", folder)  # noqa: B010  # mypy: not exported upstream


def put_around(middleware: Callable[..., ASGIApp], **options: Any) -> None:
    """Puts an ASGI middleware around what has been put around Chainlit's app before."""
    server.app.add_middleware(middleware, **options)


def put_first(*routers: APIRouter) -> None:
    """Adds the routers in front of Chainlit's own routes, whose catch-all answers every path."""
    before = list(server.app.router.routes)
    for router in routers:
        server.app.include_router(router)
    added = [route for route in server.app.router.routes if route not in before]
    server.app.router.routes[:] = added + before


def open_chats() -> int:
    """How many pages are connected."""
    return len(sio.eio.sockets)
