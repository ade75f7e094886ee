"""Where our routes stand among Chainlit's: before its catch-all, which answers every path."""

from collections.abc import Sequence

from chainlit.server import app
from fastapi import APIRouter


def put_first(routers: Sequence[APIRouter]) -> None:
    """Adds the routers to Chainlit's server, in front of its own routes."""
    before = list(app.router.routes)
    for router in routers:
        app.include_router(router)
    added = [route for route in app.router.routes if route not in before]
    app.router.routes[:] = added + before
