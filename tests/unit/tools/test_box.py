"""A turn gets the tools that its thread has switched on, and no other."""

from datetime import UTC, datetime
from typing import Any

import pytest

from app.core.options import ChatOptions
from app.core.tools import Tool, ToolBox, ToolCaller, ToolResult
from app.tools.calculator import CALCULATOR
from app.tools.clock import NOW, described


class Some:
    def __init__(self, name: str, *tools: Tool) -> None:
        self.name = name
        self._tools = tools

    async def tools(self, user_id: str) -> tuple[Tool, ...]:
        return self._tools if user_id == "u" else ()


async def nothing(arguments: Any, caller: ToolCaller) -> ToolResult:
    return ToolResult("")


def a_caller() -> ToolCaller:
    return ToolCaller(
        "u", "t", "turn", "en", ChatOptions(), "", lambda line: None, lambda source: 1
    )


def a_tool(name: str, origin: str) -> Tool:
    return Tool(name, "", {}, nothing, origin=origin)


BOX = ToolBox(
    [Some("", CALCULATOR, NOW), Some("time", a_tool("get", "time"), a_tool("set", "time"))]
)


@pytest.mark.parametrize(
    ("names", "given"),
    [
        ([], []),
        (["calculator"], ["calculator"]),
        (["time/get"], ["time/get"]),
        (["time", "now"], ["now", "time/get", "time/set"]),
        (["get", "gone", ""], []),
    ],
)
async def test_tools_are_chosen_one_by_one_or_a_whole_server(names: list[str], given: list[str]):
    assert [tool.id for tool in await BOX.chosen("u", names)] == given


async def test_a_user_is_given_what_is_theirs_alone():
    assert await BOX.chosen("another", ["calculator"]) == ()


async def test_the_clock_tells_the_time_of_a_zone_and_refuses_what_is_none():
    assert "Europe/Kyiv" in (await NOW.call({"timezone": "Europe/Kyiv"}, a_caller())).text
    assert "the server's own" in (await NOW.call({}, a_caller())).text
    for wrong in ("Mars/Base", "../../etc/passwd", "Europe", "/etc/passwd"):
        assert (await NOW.call({"timezone": wrong}, a_caller())).failed


def test_a_moment_is_told_with_its_weekday_and_offset():
    moment = datetime(2026, 11, 29, 4, 5, 6, tzinfo=UTC)
    assert described(moment) == "Sunday, 2026-11-29 04:05:06 UTC+00:00, week 48"


async def test_the_calculator_reports_what_is_wrong_as_a_result():
    assert (await CALCULATOR.call({"expression": "1+1"}, a_caller())).text == "2"
    assert (await CALCULATOR.call({"expression": "?"}, a_caller())).failed
