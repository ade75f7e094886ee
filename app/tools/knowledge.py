"""The tool `search_knowledge`: passages of knowledge bases, for questions that arise while answering."""

from collections.abc import Mapping, Sequence
from typing import Any

from app.conversation.sources import described
from app.core.text import Text
from app.core.tools import Tool, ToolCaller, ToolResult, query_schema
from app.knowledge.library import Library, source_of


class KnowledgeTools:
    """Implements `core.tools.ToolSource`: there is such a tool where there are bases to be searched."""

    name = ""

    def __init__(self, library: Library) -> None:
        self._library = library
        self._tool = Tool(
            name="search_knowledge",
            title=Text(
                ru="Поиск по базам знаний", uk="Пошук у базах знань", en="Search of knowledge bases"
            ),
            description="Searches the person's own documents and returns numbered passages. Cite each "
            "claim taken from one by its number in square brackets, like [1]. Use it whenever the answer "
            "may stand in those documents; ask again in other words where nothing fits.",
            schema=query_schema("What to look for, in the language of the documents"),
            call=self._search,
            read_only=True,
            foreign=True,
        )

    async def tools(self, user_id: str) -> Sequence[Tool]:
        return (self._tool,)

    async def _search(self, arguments: Mapping[str, Any], caller: ToolCaller) -> ToolResult:
        """In the bases that the thread has chosen; in all that the person may read where it has none."""
        bases: Sequence[str] = caller.options.names("knowledge")
        if not bases:
            every = await self._library.store.bases(caller.user_id)
            bases = [base.id for base in every]
        query = str(arguments["query"])
        found = await self._library.search(bases, caller.user_id, query)
        sources = map(source_of, found)
        told = [described(caller.cite(source), source) for source in sources]
        return ToolResult("\n\n".join(told) or "Nothing was found.")
