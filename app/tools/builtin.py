"""The tools that need nothing to be set up."""

from collections.abc import Sequence

from app.core.tools import Tool
from app.tools.calculator import CALCULATOR
from app.tools.clock import NOW

NAMES = (
    "calculator",
    "now",
    "read_page",
    "search_web",
    "search_knowledge",
    "search_chats",
)
"""Of all tools that are ours, configured or not: no server may be called so."""


class BuiltIn:
    """Implements `core.tools.ToolSource`."""

    name = ""

    async def tools(self, user_id: str) -> Sequence[Tool]:
        return CALCULATOR, NOW
