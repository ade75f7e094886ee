"""Tools that a model may call in a turn: what one is, what it returns, and the box that a turn asks.

What a tool returns is data, never an instruction: it comes from pages, files and programs that anybody
may have written.
"""

from collections.abc import Awaitable, Callable, Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from app.core.options import ChatOptions
from app.core.text import Language, Text


@dataclass(frozen=True, slots=True)
class Source:
    """Where something in a result comes from: a page, a passage of a document."""

    title: str
    url: str = ""
    """Its address; for a document of ours, one that opens it."""
    text: str = ""
    """What of it the model was given."""
    site: str = ""
    date: str = ""
    """When it was written, as its author says it."""
    page: int | None = None
    heading: str = ""
    id: str = ""
    """By which whoever made it finds it again: `document/number` of a passage of ours."""
    file: str = ""
    """`thread/element` of a file that came with a question."""


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What a call gave. A failure is a result too: the model reads it and may do otherwise."""

    text: str
    failed: bool = False


@dataclass(frozen=True, slots=True)
class ToolCaller:
    """For whom a tool is called, and what it may tell meanwhile. One a call; `kept` and the numbers of
    `cite` are the same for all calls of a turn, whichever member of a council makes them."""

    user_id: str
    thread_id: str
    turn_id: str
    language: Language
    options: ChatOptions
    question: str
    """The person's own words."""
    report: Callable[[str], None]
    """Says how far it is: one line, in place of the one before."""
    cite: Callable[[Source], int]
    """The number under which a source is known in this turn, from 1; the same source keeps its own."""
    kept: dict[Hashable, Any] = field(default_factory=dict)
    """What tools keep for one another until the turn ends: pages that were fetched."""


CallTool = Callable[[Mapping[str, Any], ToolCaller], Awaitable[ToolResult]]
"""Does it, with arguments that fit the schema. Cancelled where the person stops the turn or its time is
over: what it started must not outlive that. Raises KonsiliumError where it cannot."""


@dataclass(frozen=True, slots=True)
class Tool:
    """Something that a model may ask to be done."""

    name: str
    """As a model calls it: letters, digits, `_` and `-`."""
    description: str
    """For the model: what it does and when to use it."""
    schema: Mapping[str, Any]
    """JSON Schema of its arguments, an object."""
    call: CallTool
    title: Text | None = None
    """For people; None: its name."""
    origin: str = ""
    """The server it belongs to; empty for one of ours."""
    read_only: bool = False
    """Changes nothing: it runs without asking the person."""
    outward: bool = False
    """Its arguments leave the house for somebody whom they may name (an address to read), or who runs
    the server. Once text from outside has entered the turn, such a call asks the person unless all it is
    told stands in their own words or is the address of a source: else a page could send it anywhere."""
    foreign: bool = False
    """Its results are text from outside."""
    seconds: float | None = None
    """How long one call may take; None: as long as any."""

    @property
    def id(self) -> str:
        """By which it is switched on: `name`, or `server/name`."""
        return f"{self.origin}/{self.name}" if self.origin else self.name


def query_schema(description: str) -> Mapping[str, Any]:
    """The schema of a tool that looks something up: one text, `query`."""
    query = {"type": "string", "minLength": 1, "maxLength": 400, "description": description}
    return {
        "type": "object",
        "properties": {"query": query},
        "required": ["query"],
        "additionalProperties": False,
    }


class ToolSource(Protocol):
    """Some tools that come together: ours of one kind, or those of one server."""

    @property
    def name(self) -> str:
        """Empty for tools of ours."""
        ...

    async def tools(self, user_id: str) -> Sequence[Tool]:
        """What this user may use now. Quick, and never raises: a server that is away has none."""
        ...


@dataclass(frozen=True, slots=True)
class ToolLimits:
    """How much the tools of one answer may take."""

    rounds: int = 8
    """Calls of the model that may ask for tools, each for several at once."""
    calls: int = 32
    """Calls of tools in a turn."""
    seconds: float = 180.0
    """For which the tools of a turn may run in all; waiting for the person is not counted."""
    call_seconds: float = 60.0
    """For which one call may run."""
    tokens: int = 4000
    """Of one result, at most."""


class ToolBox:
    """All tools there are. A turn asks it for those that its thread has switched on."""

    def __init__(
        self, sources: Sequence[ToolSource] = (), limits: ToolLimits | None = None
    ) -> None:
        self.limits = limits or ToolLimits()
        self._sources = list(sources)

    async def every(self, user_id: str) -> tuple[Tool, ...]:
        """All that this user may use now, ours first."""
        return tuple([tool for one in self._sources for tool in await one.tools(user_id)])

    async def chosen(self, user_id: str, names: Collection[str]) -> tuple[Tool, ...]:
        """Those of them with these ids; a server's bare name means all of its tools."""
        if not names:
            return ()
        every = await self.every(user_id)
        return tuple(
            tool for tool in every if tool.id in names or (tool.origin and tool.origin in names)
        )
