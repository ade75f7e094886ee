"""Prints every door of the app as it is put together: its routes, its socket's events."""

import json
from collections.abc import Iterable, Iterator
from typing import Any

from chainlit.server import app, sio

import app.chainlit_app as running


def doors(routes: Iterable[Any]) -> Iterator[str]:
    """`METHOD /path`, of included routers too; `MOUNT /path` of what answers everything below."""
    for route in routes:
        if (included := getattr(route, "original_router", None)) is not None:
            yield from doors(included.routes)
        elif getattr(route, "methods", None):
            yield from (f"{method} {route.path}" for method in route.methods)
        else:
            yield f"MOUNT {route.path}"


def all_doors() -> list[str]:
    """Chainlit's, ours among them, and the gateway's."""
    gateway = running.app.gateway
    ours = (f"{method} {path}" for path, by in gateway.routes.items() for method in by)
    rest = doors(getattr(gateway.rest, "router").routes)  # noqa: B009 - an ASGI app by its type
    events = (f"EVENT {name}" for name in sio.handlers["/"])
    return sorted({*doors(app.router.routes), *ours, *rest, *events})


if __name__ == "__main__":
    print(json.dumps(all_doors()))
