"""The tool `search_chats`: what the person and their models said in earlier conversations."""

import asyncio
import re
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from app.conversation.sources import described
from app.core.events import StepKind
from app.core.text import Text
from app.core.threads import Page, StoredThread, ThreadRecord
from app.core.tools import Source, Tool, ToolCaller, ToolResult, query_schema

MAX_CHATS = 5
MAX_WORDS = 20
"""Of a query, each looked for by itself; a model that repeats itself writes thousands."""
EXCERPT = 400
"""Characters of one message."""
MAX_EXCERPTS = 2
"""Of one conversation."""
ENDINGS = {5: 2, 7: 3}
"""Of a word of so many letters or more, so many of the last need not be as asked: they are mostly its
ending."""
_SPOKEN = ("question", StepKind.ANSWER)


class Chats(Protocol):
    """The part of `storage.Threads` that this needs."""

    async def page(
        self, user_id: str, *, limit: int, search: str | None = None
    ) -> Page[ThreadRecord]: ...

    async def contents(self, thread_id: str, reader: str | None) -> StoredThread: ...


class ChatSearch:
    """Implements `core.tools.ToolSource`: everybody finds their own conversations."""

    name = ""

    def __init__(self, chats: Chats) -> None:
        self._chats = chats
        self._tool = Tool(
            name="search_chats",
            title=Text(
                ru="Поиск по вашим разговорам",
                uk="Пошук у ваших розмовах",
                en="Search of your conversations",
            ),
            description="Searches the person's earlier conversations and returns numbered excerpts. Use "
            "it when they refer to something said before that is not in this conversation. Cite what you "
            "take from one by its number in square brackets, like [1].",
            schema=query_schema("One to four telling words, in the language of that conversation"),
            call=self._search,
            read_only=True,
            foreign=True,
        )

    async def tools(self, user_id: str) -> Sequence[Tool]:
        return (self._tool,)

    async def _search(self, arguments: Mapping[str, Any], caller: ToolCaller) -> ToolResult:
        words = re.findall(r"[\w'’]+", str(arguments["query"]))
        stems = list(dict.fromkeys(map(stem, words)))[:MAX_WORDS]
        found = await self._found(stems, caller)
        told = []
        for thread in found[:MAX_CHATS]:
            stored = await self._chats.contents(thread.id, caller.user_id)
            for text in await asyncio.to_thread(excerpts, stored, stems):
                source = Source(
                    title=thread.title or "",
                    url=f"/thread/{thread.id}",
                    text=text,
                    date=f"{thread.created_at:%Y-%m-%d}",
                )
                told.append(described(caller.cite(source), source))
        return ToolResult("\n\n".join(told) or "Nothing was found.")

    async def _found(self, stems: Sequence[str], caller: ToolCaller) -> list[ThreadRecord]:
        """Conversations with all of the words, then those with some, but for this one."""
        found: dict[str, ThreadRecord] = {}
        for words in (" ".join(stems), *(stems if len(stems) > 1 else ())):
            if not words or len(found) > MAX_CHATS:
                break
            page = await self._chats.page(caller.user_id, limit=MAX_CHATS + 1, search=words)
            found |= {one.id: one for one in page.items if one.id not in found}
        found.pop(caller.thread_id, None)
        return list(found.values())


def stem(word: str) -> str:
    """The word without what is mostly an ending: words are found by their beginnings."""
    cut = max((letters for length, letters in ENDINGS.items() if len(word) >= length), default=0)
    return word[: len(word) - cut]


def excerpts(stored: StoredThread, stems: Sequence[str]) -> list[str]:
    """The messages of a conversation that have most of the words, cut to where these stand; its first
    question where only the title has them."""
    patterns = [re.compile(rf"\b{re.escape(_plain(one))}") for one in stems]
    spoken = [step.output for step in stored.steps if step.kind in _SPOKEN and step.output.strip()]
    counted = [(sum(bool(p.search(_plain(text))) for p in patterns), text) for text in spoken]
    best = sorted((one for one in counted if one[0]), key=lambda one: -one[0])[:MAX_EXCERPTS]
    return [_around(text, patterns) for _, text in best] or [text[:EXCERPT] for text in spoken[:1]]


def _around(text: str, patterns: Sequence[re.Pattern[str]]) -> str:
    places = [found.start() for one in patterns if (found := one.search(_plain(text)))]
    start = max(0, min(places) - EXCERPT // 4)
    cut = text[start : start + EXCERPT]
    return f"{'…' if start else ''}{cut}{'…' if start + EXCERPT < len(text) else ''}"


def _plain(text: str) -> str:
    """As long as the text."""
    return text.lower().replace("ё", "е").replace("’", "'")
