"""/dashboard with its figures. A user sees their own requests, an administrator all."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import asdict, dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal, Protocol

from fastapi import APIRouter, Depends, HTTPException, Query, Request
from fastapi.responses import (
    HTMLResponse,
    JSONResponse,
    RedirectResponse,
    Response,
    StreamingResponse,
)

from app.core.reports import Dimension, TurnUsage, UsageFilter
from app.core.text import Language, language_of
from app.gateway.dashboard.page import dashboard_page
from app.gateway.dashboard.period import usage_filter
from app.gateway.dashboard.table import csv_of
from app.storage.usage import StoredUsage

_TURNS_AT_MOST = 50


class Visitor(Protocol):
    """Somebody who was let in."""

    @property
    def user_id(self) -> str: ...
    @property
    def admin(self) -> bool: ...


Identify = Callable[[Request], Awaitable[Visitor | None]]
"""Who sends the request: by the browser's cookie, by a key, or the one user of this machine."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Who asks, and over which records."""

    visitor: Visitor
    over: UsageFilter


def dashboard_router(
    reports: StoredUsage,
    identify: Identify,
    public: Path,
    forced: Language | None = None,
    root: str = "",
) -> APIRouter:
    """The page, its JSON and its CSV. `forced` (APP_LANGUAGE) overrides the browser's language;
    `root` is the path under which the whole app is served."""
    router = APIRouter(prefix=f"{root}/dashboard", include_in_schema=False)

    async def asked(
        request: Request,
        first: Annotated[date | None, Query(alias="from")] = None,
        last: Annotated[date | None, Query(alias="to")] = None,
        zone: Annotated[str, Query(max_length=64)] = "UTC",
    ) -> Asked:
        visitor = await identify(request)
        if visitor is None:
            raise HTTPException(401, "sign in first")
        own = None if visitor.admin else visitor.user_id
        return Asked(visitor, usage_filter(first, last, zone, own))

    By = Annotated[Asked, Depends(asked)]

    @router.get("")
    async def page(request: Request) -> Response:
        visitor = await identify(request)
        if visitor is None:
            return RedirectResponse("login", 303)
        preferred = request.headers.get("accept-language", "").partition(",")[0]
        language = forced or language_of(preferred.partition(";")[0])
        html = dashboard_page(public, language, visitor.admin)
        return HTMLResponse(html, headers={"Cache-Control": "no-store"})

    @router.get("/api/summary")
    async def summary(by: By) -> JSONResponse:
        return _json(asdict(await reports.summary(by.over)))

    @router.get("/api/days")
    async def days(by: By) -> JSONResponse:
        whole, each = await reports.days(by.over)
        return _json({"summary": asdict(whole), "days": [asdict(group) for group in each]})

    @router.get("/api/groups/{dimension}")
    async def groups(dimension: Dimension, by: By) -> JSONResponse:
        return _json([asdict(group) for group in await reports.groups(by.over, dimension)])

    @router.get("/api/turns")
    async def turns(
        by: By,
        order: Literal["slowest", "dearest"] = "slowest",
        limit: Annotated[int, Query(ge=1, le=_TURNS_AT_MOST)] = 10,
    ) -> JSONResponse:
        found = await reports.turns(by.over, order, limit)
        return _json([_discreet(turn, by.visitor) for turn in found])

    @router.get("/usage.csv")
    async def usage(by: By) -> StreamingResponse:
        return StreamingResponse(
            _closing(csv_of(reports.records(by.over))),
            media_type="text/csv; charset=utf-8",
            headers={"Content-Disposition": 'attachment; filename="konsilium-usage.csv"'},
        )

    return router


def _discreet(turn: TurnUsage, visitor: Visitor) -> dict[str, Any]:
    """An administrator sees what others' questions took, not what they are about."""
    own = turn.user_id == visitor.user_id
    hidden = {} if own else {"title": None, "thread_id": None}
    return asdict(turn) | hidden | {"own": own}


def _json(content: Any) -> JSONResponse:
    return JSONResponse(_plain(content), headers={"Cache-Control": "no-store"})


def _plain(value: Any) -> Any:
    match value:
        case dict():
            return {key: _plain(item) for key, item in value.items()}
        case list():
            return [_plain(item) for item in value]
        case Decimal():
            return format(value, "f")
        case float() | int() | str() | None:
            return value
        case _:
            return value.isoformat()


async def _closing(pieces: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    async with aclosing(pieces):
        async for piece in pieces:
            yield piece
