"""Tools of this server for programs: `konsilium.tools` in /v1, for keys that are allowed them."""

from collections.abc import Mapping
from typing import Any

import httpx
import pytest

from app.conversation.modes import MODES
from app.core.events import Finished
from app.core.models import Capability
from app.core.tools import Tool, ToolBox, ToolCaller, ToolResult
from app.core.usage import Usage
from app.tools.builtin import BuiltIn
from tests.fakes import ScriptedModels
from tests.gateway import gateway, make_key, make_services
from tests.unit.conversation.test_tools import a_call, once, returned

ABLE = frozenset({Capability.COMPLETION, Capability.TOOLS})
DONE = Finished("tool_calls", Usage())
WRITTEN: list[str] = []


class Notes:
    """A server with a tool that changes something."""

    name = "notes"

    async def tools(self, user_id: str) -> tuple[Tool, ...]:
        async def write(arguments: Mapping[str, Any], caller: ToolCaller) -> ToolResult:
            WRITTEN.append(arguments["text"])
            return ToolResult("written")

        return (Tool("write", "Writes.", {"type": "object"}, write, origin="notes"),)


def house(script: Any) -> tuple[Any, ScriptedModels]:
    models = ScriptedModels({"model": script}, capabilities=ABLE)
    WRITTEN.clear()
    box = ToolBox([BuiltIn(), Notes()])
    return make_services(models, modes=MODES, tools=box), models


def body(*tools: str, **fields: Any) -> dict[str, Any]:
    chosen = {"tools": list(tools), **fields.pop("options", {})}
    messages = [{"role": "user", "content": "How much is 6*7?"}]
    return {"model": "fake/model", "messages": messages, "konsilium": chosen, **fields}


async def ask(services: Any, request: dict[str, Any], secret: str = "") -> httpx.Response:
    headers = {"authorization": f"Bearer {secret}"} if secret else {}
    async with gateway(services) as url, httpx.AsyncClient(base_url=url, timeout=30) as http:
        return await http.post("/v1/chat/completions", json=request, headers=headers)


CALCULATES = once(a_call("calculator", {"expression": "6*7"}), then="It is 42.")
WRITES = once(a_call("notes__write", {"text": "roses"}), then="Done.")


@pytest.mark.parametrize("stream", [False, True])
async def test_a_plain_model_uses_the_tools_that_the_request_names(stream: bool):
    services, models = house(CALCULATES)
    _, secret = await make_key(services, tools=["calculator"])
    answer = await ask(services, body("calculator", stream=stream), secret)
    assert answer.status_code == 200
    assert "It is 42." in answer.text
    assert returned(models.requests[1][1]) == [
        '<tool_result tool="calculator">\n42\n</tool_result>'
    ]
    if not stream:
        assert answer.json()["model"] == "fake/model"
        assert answer.json()["choices"][0]["finish_reason"] == "stop"


async def test_a_council_uses_them_too():
    services, models = house(CALCULATES)
    _, secret = await make_key(services, tools=["*"])
    request = body("calculator", options={"model": "fake/model"}) | {"model": "konsilium/best-of"}
    answer = await ask(services, request, secret)
    assert answer.status_code == 200
    assert any(returned(request) for _, request in models.requests)


@pytest.mark.parametrize(
    ("globs", "wanted", "status"),
    [
        ([], "calculator", 403),
        (["now"], "calculator", 403),
        (["notes/*"], "notes/write", 200),
        (["notes/*"], "notes", 200),
        (["notes/read"], "notes", 403),
        (["*"], "notes", 200),
        (["*"], "nothing", 400),
    ],
)
async def test_a_key_uses_what_it_is_allowed(globs: list[str], wanted: str, status: int):
    services, _ = house("Yes.")
    _, secret = await make_key(services, tools=globs)
    assert (await ask(services, body(wanted), secret)).status_code == status


async def test_a_key_of_before_is_allowed_none_and_models_stay_what_they_were():
    services, _ = house("Yes.")
    _, secret = await make_key(services, models=["other/*"], tools=["*"])
    assert (await ask(services, body("now"), secret)).status_code == 404
    _, plain = await make_key(services)
    assert (await ask(services, body("now"), plain)).status_code == 403
    assert (await ask(services, body(), plain)).status_code == 200


async def test_what_asks_is_not_run_unless_the_request_says_so_and_the_key_may():
    services, models = house(WRITES)
    _, secret = await make_key(services, tools=["notes/write"])
    assert (await ask(services, body("notes/write"), secret)).status_code == 200
    assert WRITTEN == []
    assert "permission" in returned(models.requests[1][1])[0]
    always = body("notes/write", options={"tools_always": ["notes/write"]})
    assert (await ask(services, always, secret)).status_code == 200
    assert WRITTEN == ["roses"]
    _, other = await make_key(services, tools=["calculator"])
    sneaky = body("calculator", options={"tools_always": ["notes/write"]})
    assert (await ask(services, sneaky, other)).status_code == 403


async def test_tools_of_the_client_and_of_the_server_do_not_mix():
    services, _ = house("Yes.")
    theirs = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]
    assert (await ask(services, body("now", tools=theirs))).status_code == 400
