"""The lists of tools in the settings panel: what they offer, and what becomes of a choice."""

from types import SimpleNamespace
from typing import Any, cast

from app.core.models import Capability
from app.core.options import ChatOptions
from app.core.text import same
from app.core.tools import Tool, ToolBox
from app.view.tool_lists import ToolLists
from tests.fakes import ScriptedModels
from tests.unit.tools.test_box import Some, nothing

ABLE = frozenset({Capability.COMPLETION, Capability.TOOLS})
WORDS_ONLY = frozenset({Capability.COMPLETION})


class NoKnowledge:
    async def bases(self, user_id: str) -> tuple[()]:
        return ()


def a_tool(name: str, **facts: Any) -> Tool:
    return Tool(name, "", {}, nothing, **facts)


def lists(*tools: Tool, able: frozenset[Capability] = ABLE) -> ToolLists:
    models = ScriptedModels({"model": "Yes."}, capabilities=able)
    return ToolLists(ToolBox([Some("", *tools)]), models, cast(Any, NoKnowledge()))


def a_browser(**choices: Any) -> Any:
    options = ChatOptions.clean({"model": "fake/model", **choices}, "chat")
    return SimpleNamespace(user_id="u", language="en", options=options)


async def drawn(made: ToolLists, browser: Any, **draft: Any) -> dict[str, Any]:
    return {widget.id: widget.to_dict() for widget in await made.widgets(browser, draft)}


async def test_a_server_and_each_of_its_tools_can_be_switched_on_and_it_is_said_which_ask():
    made = lists(
        a_tool("now", read_only=True),
        a_tool("read", origin="notes", read_only=True, title=same("Read")),
        a_tool("write", origin="notes", title=same("Write")),
    )
    shown = await drawn(made, a_browser(tools="notes/write, now"))
    assert list(shown) == ["check_citations", "tools_of:", "tools_of:notes"]
    assert [one["label"] for one in shown.values()][1:] == ["Tools", "Tools: notes"]
    items = {one["label"]: one["value"] for one in shown["tools_of:notes"]["items"]}
    assert items == {
        "All of its tools": "notes",
        "Read": "notes/read",
        "Write (asks you)": "notes/write",
    }
    assert shown["tools_of:notes"]["initial"] == ["notes/write"]


async def test_two_tools_of_one_title_are_both_there():
    made = lists(*(a_tool(n, origin="a", title=same("Read"), read_only=True) for n in ("x", "y")))
    items = (await drawn(made, a_browser()))["tools_of:a"]["items"]
    assert [(one["label"], one["value"]) for one in items][1:] == [
        ("Read", "a/x"),
        ("Read · y", "a/y"),
    ]


async def test_the_switch_says_why_it_is_off():
    made = lists(a_tool("now", read_only=True), able=WORDS_ONLY)
    widget = (await drawn(made, a_browser()))["tools_of:"]
    assert widget["disabled"]
    assert "neither call tools nor answer by a JSON schema" in widget["description"]


async def test_a_model_may_be_had_check_citations_and_the_price_is_said():
    made = lists()
    for chosen in (False, True):
        shown = (await drawn(made, a_browser(check_citations=chosen)))["check_citations"]
        assert shown["initial"] is chosen
        assert "about the price of the answer" in shown["description"]
    assert (await drawn(made, a_browser(), check_citations=True))["check_citations"]["initial"]


async def test_what_is_chosen_of_a_server_that_is_away_stays():
    made = lists(a_tool("now", read_only=True))
    options = a_browser(tools="now, wiki/find, wiki").options
    assert made.taken(options, {"tools_of:": []}) == {"tools": "wiki/find, wiki"}


async def test_a_permission_for_always_can_be_taken_back_and_not_given_here():
    made = lists(a_tool("write", origin="notes"))
    assert "tools_always" not in await drawn(made, a_browser())
    browser = a_browser(tools_always="notes/write, notes/erase")
    shown = (await drawn(made, browser))["tools_always"]
    assert shown["initial"] == ["notes/write", "notes/erase"]
    taken = made.taken(browser.options, {"tools_always": ["notes/erase", "notes/other"]})
    assert taken == {"tools_always": "notes/erase"}
