"""The tools that need nothing to be set up."""

from collections.abc import Sequence

from app.core.tools import Tool
from app.tools.calculator import CALCULATOR
from app.tools.clock import NOW


class BuiltIn:
    """Implements `core.tools.ToolSource`."""

    name = ""

    async def tools(self, user_id: str) -> Sequence[Tool]:
        return CALCULATOR, NOW
