"""/dashboard with its figures. A user sees their own requests, an administrator all."""

import asyncio
import csv
import io
import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import asdict, dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import cache
from hashlib import sha256
from html import escape
from pathlib import Path
from typing import Annotated, Any, Literal, Protocol
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, HTTPException, Query, Request
from fastapi.responses import (
    HTMLResponse,
    JSONResponse,
    RedirectResponse,
    Response,
    StreamingResponse,
)

from app.conversation.modes import MODES
from app.core.reports import Dimension, TurnUsage, UsageFilter
from app.core.strengths import ENOUGH, strengths
from app.core.text import Language, language_of
from app.core.theme import theme_css
from app.core.votes import Source, Topic, Vote
from app.gateway.dashboard_texts import TEXTS
from app.storage.usage import StoredUsage

_MAX_TURNS = 50


class Visitor(Protocol):
    """Somebody who was let in."""

    @property
    def user_id(self) -> str: ...
    @property
    def admin(self) -> bool: ...


class VoteReports(Protocol):
    """Where votes are read."""

    async def all(self, over: UsageFilter) -> tuple[Vote, ...]: ...


Identify = Callable[[Request], Awaitable[Visitor | None]]
"""Who sends the request: by the browser's cookie, by a key, or the one user of this machine."""


@dataclass(frozen=True, slots=True)
class UsageQuery:
    """Who asks, and over which records."""

    visitor: Visitor
    over: UsageFilter


def dashboard_router(
    reports: StoredUsage,
    votes: VoteReports,
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
    ) -> UsageQuery:
        visitor = await identify(request)
        if visitor is None:
            raise HTTPException(401, "sign in first")
        own = None if visitor.admin else visitor.user_id
        return UsageQuery(visitor, usage_filter(first, last, zone, own))

    By = Annotated[UsageQuery, Depends(asked)]  # noqa: N806 - a type

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
        limit: Annotated[int, Query(ge=1, le=_MAX_TURNS)] = 10,
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

    @router.get("/api/strengths")
    async def strong(
        by: By,
        source: Source = "person",
        language: Language | None = None,
        topic: Topic | None = None,
    ) -> JSONResponse:
        cast = [
            vote
            for vote in await votes.all(by.over)
            if vote.source == source
            and language in (None, vote.language)
            and topic in (None, vote.topic)
        ]
        found = await asyncio.to_thread(strengths, cast)
        models = [asdict(one) for one in found]
        return _json({"votes": len(cast), "enough": ENOUGH, "models": models})

    @router.get("/votes.csv")
    async def ballots(by: By) -> Response:
        return Response(
            votes_csv(await votes.all(by.over)),
            media_type="text/csv; charset=utf-8",
            headers={"Content-Disposition": 'attachment; filename="konsilium-votes.csv"'},
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


@cache
def dashboard_page(public: Path, language: Language, admin: bool) -> str:
    """The HTML, made once for each language; `public` is the folder that is served as /public."""
    folder = public / "dashboard"
    page = (folder / "index.html").read_text(encoding="utf-8")
    texts = {name: text[language] for name, text in TEXTS.items()}
    modes = {mode.id: mode.name[language] for mode in MODES}
    facts = {"language": language, "admin": admin, "texts": texts, "modes": modes}
    values = {
        "language": language,
        "version": _version(folder),
        "title": escape(texts["title"]),
        "theme": theme_css((public / "theme.json").read_text(encoding="utf-8")),
        "facts": json.dumps(facts, ensure_ascii=False).replace("<", "\\u003c"),
    }
    for name, value in values.items():
        page = page.replace(f"{{{{{name}}}}}", value)
    return page


def _version(folder: Path) -> str:
    """Changes with the page's files, so that no browser mixes old ones with new."""
    contents = b"".join(path.read_bytes() for path in sorted(folder.iterdir()))
    return sha256(contents).hexdigest()[:12]


EARLIEST, LATEST = date(1970, 1, 1), date(9998, 12, 30)
"""Beyond these a period is open: no record is there, and a day's end may have no date in UTC."""


def usage_filter(
    first: date | None, last: date | None, zone: str, user_id: str | None
) -> UsageFilter:
    """From the beginning of `first` to the end of `last` in that IANA zone; UTC where it is unknown."""
    try:
        known = ZoneInfo(zone)
    except (KeyError, ValueError, OSError):
        zone, known = "UTC", ZoneInfo("UTC")
    return UsageFilter(
        since=_midnight(first, known) if first and first > EARLIEST else None,
        until=_midnight(last + timedelta(days=1), known) if last and last < LATEST else None,
        user_id=user_id,
        zone=zone,
    )


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time.min, tzinfo=zone)


COLUMNS = (
    "started_at",
    "user",
    "mode",
    "purpose",
    "server",
    "model",
    "outcome",
    "error",
    "input_tokens",
    "output_tokens",
    "cached_tokens",
    "reasoning_tokens",
    "estimated",
    "saved_tokens",
    "saved_rub",
    "first_token_s",
    "total_s",
    "generation_s",
    "cost_rub",
    "cost_amount",
    "cost_currency",
    "cache",
    "streaming",
    "parallel",
    "finish_reason",
    "thread_id",
    "turn_id",
    "key_id",
    "id",
)
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_ROWS = 500
_BYTE_ORDER_MARK = "\N{ZERO WIDTH NO-BREAK SPACE}"
"""Tells spreadsheets that this is UTF-8."""


async def csv_of(records: AsyncGenerator[Mapping[str, Any], None]) -> AsyncGenerator[bytes, None]:
    """The records as CSV, some hundreds of rows at a time; what is not known is an empty cell."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    buffer.write(_BYTE_ORDER_MARK)
    writer.writerow(COLUMNS)
    waiting = 0
    async with aclosing(records):
        async for record in records:
            writer.writerow([_cell(record.get(column)) for column in COLUMNS])
            waiting += 1
            if waiting == _ROWS:
                yield buffer.getvalue().encode()
                buffer.seek(0)
                buffer.truncate()
                waiting = 0
    yield buffer.getvalue().encode()


VOTE_COLUMNS = (
    "id",
    "at",
    "user_id",
    "source",
    "language",
    "topic",
    "blind",
    "verdict",
    "place",
    "model",
    "won",
    "seconds",
    "cost_rub",
    "output_tokens",
)


def votes_csv(votes: Sequence[Vote]) -> bytes:
    """A row for each answer that was voted on."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    buffer.write(_BYTE_ORDER_MARK)
    writer.writerow(VOTE_COLUMNS)
    for vote in votes:
        for place, side in enumerate(vote.sides):
            told = asdict(vote) | asdict(side) | {"place": place + 1, "won": vote.winner == place}
            writer.writerow([_cell(told[column]) for column in VOTE_COLUMNS])
    return buffer.getvalue().encode()


def _cell(value: Any) -> str:
    match value:
        case None:
            return ""
        case datetime():
            return value.isoformat()
        case bool():
            return str(int(value))
        case str() if value.startswith(_FORMULA):
            return f"'{value}"  # a name is never a formula
        case _:
            return str(value) if not hasattr(value, "as_tuple") else format(value.normalize(), "f")
