"""Where our routes stand among Chainlit's: before its catch-all, which answers every path."""

import asyncio
from collections.abc import Sequence

from chainlit.config import config
from chainlit.server import app
from chainlit.session import WebsocketSession
from fastapi import APIRouter, Request, Response

from app.view.chat import Chat
from app.view.session import Browser


def put_first(routers: Sequence[APIRouter]) -> None:
    """Adds the routers to Chainlit's server, in front of its own routes."""
    before = list(app.router.routes)
    for router in routers:
        app.include_router(router)
    added = [route for route in app.router.routes if route not in before]
    app.router.routes[:] = added + before


def chat_router(chat: Chat) -> APIRouter:
    """What the page tells us outside the socket: that the panel or a picker was opened."""
    router = APIRouter(prefix=config.run.root_path)
    refreshing: set[asyncio.Task[None]] = set()

    @router.post("/chat/opened", include_in_schema=False)
    async def opened(request: Request) -> Response:
        session = WebsocketSession.get_by_id(request.cookies.get("X-Chainlit-Session-id", ""))
        if session is not None:
            task = asyncio.create_task(chat.opened(Browser(session)))
            refreshing.add(task)
            task.add_done_callback(refreshing.discard)
        return Response(status_code=204)

    return router
