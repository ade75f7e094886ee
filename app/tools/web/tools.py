"""The tools `search_web` and `read_page`. What they find is cited, and kept for the turn: a council's
members fetch a page once."""

import asyncio
import tempfile
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import aiohttp

from app.attachments.kinds import Kind
from app.attachments.limits import MEGABYTE, AttachmentLimits
from app.attachments.reading import in_own_process
from app.completion.tokens import text_tokens
from app.conversation.sources import described
from app.core.errors import AttachmentRefused
from app.core.mending import json_of
from app.core.text import Text
from app.core.tools import Source, Tool, ToolCaller, ToolResult, query_schema
from app.tools.web.fetching import FetchedPage, Fetcher, PageRefused, host_of

RESULTS = 8
"""Of a search that are told."""
PART_TOKENS = 3_000
"""Of a page that one call gives."""
SEARCH_SECONDS = 15.0
_LIMITS = AttachmentLimits(bytes=20 * MEGABYTE, characters=400_000, seconds=20.0)
_BYTES = 2_000_000

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Page:
    """What a page says."""

    url: str
    title: str
    site: str
    date: str
    parts: tuple[str, ...]


class WebTools:
    """Implements `core.tools.ToolSource`. Without `searxng`, its address, pages are read but not searched."""

    name = ""

    def __init__(self, fetcher: Fetcher, searxng: str = "") -> None:
        self._fetcher = fetcher
        self._searxng = searxng.rstrip("/")
        self._tools = (_search_tool(self._search), _read_tool(self._read))

    async def tools(self, user_id: str) -> Sequence[Tool]:
        return self._tools if self._searxng else self._tools[1:]

    async def cannot_search(self) -> str:
        """Why a search is not to be had; empty where it is."""
        try:
            await self._ask("test")
        except PageRefused as refused:
            return str(refused)
        return ""

    async def _search(self, arguments: Mapping[str, Any], caller: ToolCaller) -> ToolResult:
        query = str(arguments["query"]).strip()
        try:
            found = await _once(caller, ("search", query), lambda: self._ask(query))
        except PageRefused as refused:
            return ToolResult(str(refused), failed=True)
        told = [described(caller.cite(source), source) for source in found]
        return ToolResult("\n\n".join(told) or "Nothing was found.")

    async def _ask(self, query: str) -> tuple[Source, ...]:
        try:
            async with (
                asyncio.timeout(SEARCH_SECONDS),
                aiohttp.ClientSession() as session,
                session.get(
                    f"{self._searxng}/search", params={"q": query, "format": "json"}
                ) as answer,
            ):
                if answer.status == 403:
                    raise PageRefused("the search does not give JSON: its settings must allow it")
                if answer.status != 200:
                    raise PageRefused(f"the search answers {answer.status}")
                written = bytearray()
                async for chunk in answer.content.iter_chunked(65_536):
                    written += chunk
                    if len(written) > _BYTES:
                        raise PageRefused("the search gave an answer that is too long")
                told = json_of(written)
                listed, silent = told["results"], told.get("unresponsive_engines")
                if silent and not listed:
                    why = ", ".join(f"{name}: {reason}" for name, reason in silent)
                    raise PageRefused(f"none of its engines answered the search ({why})")
                return tuple(_found(one) for one in listed[:RESULTS] if one.get("url"))
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise PageRefused(f"the search cannot be reached: {type(error).__name__}") from error
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise PageRefused("the search gave an answer that cannot be read") from error

    async def _read(self, arguments: Mapping[str, Any], caller: ToolCaller) -> ToolResult:
        url, number = str(arguments["url"]).strip(), int(arguments.get("part") or 1)
        caller.report(host_of(url) if "://" in url else url[:80])
        try:
            page = await _once(caller, ("page", url.partition("#")[0]), lambda: self._page(url))
        except PageRefused as refused:
            return ToolResult(str(refused), failed=True)
        if not 1 <= number <= len(page.parts):
            return ToolResult(f"the page has {len(page.parts)} parts", failed=True)
        source = Source(
            page.title, url=page.url, text=page.parts[number - 1], site=page.site, date=page.date
        )
        more = ""
        if len(page.parts) > 1:
            more = f"\n\nThis is part {number} of {len(page.parts)}."
        return ToolResult(described(caller.cite(source), source) + more)

    async def _page(self, url: str) -> Page:
        fetched = await self._fetcher.get(url)
        kind: Kind | None = "pdf" if fetched.mime == "application/pdf" else None
        html = fetched.mime in ("text/html", "application/xhtml+xml")
        with tempfile.TemporaryDirectory(prefix="konsilium-") as folder:
            path = Path(folder) / "page"
            await asyncio.to_thread(
                path.write_bytes, _in_utf8(fetched) if html else fetched.content
            )
            try:
                about, text = await (
                    in_own_process("app.tools.web.worker", path, url, None, _LIMITS, fetched.url)
                    if html
                    else in_own_process(
                        "app.attachments.worker", path, url, kind or "text", _LIMITS
                    )
                )
            except AttachmentRefused as refused:
                raise PageRefused(f"nothing can be read on the page: {refused.reason}") from refused
        site = host_of(fetched.url)
        title = str(about.get("title") or "").strip() or site
        parts = tuple(_parts(text.decode("utf-8", "replace")))
        return Page(fetched.url, title[:200], site, str(about.get("date") or "")[:20], parts)


def _in_utf8(fetched: FetchedPage) -> bytes:
    """A page whose header names its letters; others name them in the page itself."""
    try:
        return (
            fetched.content.decode(fetched.charset).encode() if fetched.charset else fetched.content
        )
    except (LookupError, UnicodeDecodeError):
        return fetched.content


def _found(one: Mapping[str, Any]) -> Source:
    url = str(one["url"])
    date = str(one.get("publishedDate") or "")[:10]
    text = " ".join(str(one.get("content") or "").split())
    title = " ".join(str(one.get("title") or url).split())
    return Source(title[:200], url=url, text=text, site=host_of(url), date=date)


def _parts(text: str) -> list[str]:
    """The text in pieces of PART_TOKENS or so, cut between paragraphs."""
    parts: list[str] = []
    room = 0
    for paragraph in text.splitlines():
        for first in range(0, len(paragraph) or 1, 4 * PART_TOKENS):
            piece = paragraph[first : first + 4 * PART_TOKENS]
            tokens = text_tokens(piece) + 1
            if not parts or tokens > room:
                parts.append(piece)
                room = PART_TOKENS - tokens
            else:
                parts[-1] += f"\n{piece}"
                room -= tokens
    return parts


async def _once(caller: ToolCaller, key: tuple[str, str], work: Callable[[], Awaitable[T]]) -> T:
    """What `work` gives, once a turn, whoever asks; what failed is tried again."""
    if key in caller.kept:
        kept: T = caller.kept[key]
        return kept
    async with caller.kept.setdefault(("lock", *key), asyncio.Lock()):
        if key not in caller.kept:
            caller.kept[key] = await work()
        made: T = caller.kept[key]
        return made


def _search_tool(call: Any) -> Tool:
    return Tool(
        name="search_web",
        title=Text(ru="Поиск в интернете", uk="Пошук в інтернеті", en="Web search"),
        description="Searches the web and returns numbered results with the beginning of each page. Read a "
        "page with read_page before you rely on it, and cite each claim by its number, like [1].",
        schema=query_schema("A few words, as one asks a search engine"),
        call=call,
        read_only=True,
        foreign=True,
    )


def _read_tool(call: Any) -> Tool:
    return Tool(
        name="read_page",
        title=Text(ru="Чтение страницы", uk="Читання сторінки", en="Reading a page"),
        description="Reads a page of the web, or a PDF there, as text under a number; cite each claim taken "
        "from it by that number, like [1]. Long pages come in parts.",
        schema={
            "type": "object",
            "properties": {
                "url": {"type": "string", "minLength": 1, "maxLength": 2_000},
                "part": {"type": "integer", "minimum": 1, "description": "Of a long page, from 1"},
            },
            "required": ["url"],
            "additionalProperties": False,
        },
        call=call,
        read_only=True,
        outward=True,
        foreign=True,
        seconds=50.0,
    )
