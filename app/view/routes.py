"""Where our routes stand among Chainlit's: before its catch-all, which answers every path."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from chainlit.action import Action
from chainlit.config import config
from chainlit.context import init_ws_context
from chainlit.server import UserParam, app
from chainlit.session import WebsocketSession
from chainlit.types import CallActionRequest
from fastapi import APIRouter, HTTPException
from fastapi.responses import JSONResponse


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
