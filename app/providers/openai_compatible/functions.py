"""The form that tools had before they were called so, which GigaChat speaks: `functions` and
`function_call` in place of `tools` and `tool_calls`. Pure.

Source: developers.sber.ru/docs/ru/gigachat/api/reference/rest/post-chat, read 2026-11-28.
"""

import json
from collections.abc import Mapping
from typing import Any

from app.core.reading import read_json

LOWEST_TEMPERATURE = 0.001
"""0 is out of its range; up to this one it answers as evenly as it can."""


def with_functions(body: Mapping[str, Any]) -> dict[str, Any]:
    """A request in that form: tools become functions, contents plain text, the system's words one message
    at the beginning."""
    asked = {name: value for name, value in body.items() if name not in ("tools", "tool_choice")}
    tools = body.get("tools")
    if isinstance(tools, list) and tools:
        asked["functions"] = [_function(tool) for tool in tools if isinstance(tool, Mapping)]
        asked["function_call"] = _choice(body.get("tool_choice"))
    messages = body.get("messages")
    if isinstance(messages, list):
        asked["messages"] = _messages([each for each in messages if isinstance(each, Mapping)])
    if "max_completion_tokens" in asked:
        asked["max_tokens"] = asked.pop("max_completion_tokens")
    if asked.get("temperature") == 0:
        asked["temperature"] = LOWEST_TEMPERATURE
    return asked


def as_tool_calls(said: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The call of a function in a delta or a message as the pieces of a tool call; empty for none."""
    call = said.get("function_call")
    if not isinstance(call, Mapping):
        return []
    arguments = call.get("arguments")
    if not isinstance(arguments, str):
        arguments = json.dumps({} if arguments is None else arguments, ensure_ascii=False)
    return [{"index": 0, "function": {"name": call.get("name"), "arguments": arguments}}]


def _function(tool: Mapping[str, Any]) -> dict[str, Any]:
    function = dict(tool.get("function") or {})
    function.pop("strict", None)
    function.setdefault("parameters", {"type": "object", "properties": {}})
    return function


def _choice(wanted: object) -> Any:
    if isinstance(wanted, Mapping):
        function = wanted.get("function")
        return {"name": function.get("name")} if isinstance(function, Mapping) else "auto"
    return "none" if wanted == "none" else "auto"


def _messages(messages: list[Mapping[str, Any]]) -> list[dict[str, Any]]:
    system = [m for m in messages if m.get("role") in ("system", "developer")]
    names: dict[str, str] = {}
    """Of the function behind each tool call's id."""
    said: list[dict[str, Any]] = []
    if system:
        text = "\n\n".join(filter(None, (_text(each.get("content")) for each in system)))
        said.append({"role": "system", "content": text})
    for message in messages:
        role, text = message.get("role"), _text(message.get("content"))
        if message in system:
            continue
        if role == "tool":
            name = names.get(str(message.get("tool_call_id"))) or message.get("name") or "function"
            said.append({"role": "function", "name": name, "content": _as_object(text)})
            continue
        calls = message.get("tool_calls")
        if not (isinstance(calls, list) and calls):
            said.append({"role": role, "content": text})
            continue
        for call in calls:  # one a message
            function = call.get("function") or {}
            names[str(call.get("id"))] = str(function.get("name"))
            called = {"name": function.get("name"), "arguments": _read(function.get("arguments"))}
            said.append({"role": "assistant", "content": text, "function_call": called})
            text = ""
    return _answers_beside_calls(said)


def _answers_beside_calls(said: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each result right after its call, where several were made at once."""
    ordered: list[dict[str, Any]] = []
    results = [each for each in said if each["role"] == "function"]
    for message in said:
        if message["role"] == "function":
            if message in results:
                results.remove(message)
                ordered.append(message)
            continue
        ordered.append(message)
        if call := message.get("function_call"):
            mine = next((each for each in results if each["name"] == call["name"]), None)
            if mine is not None:
                results.remove(mine)
                ordered.append(mine)
    return ordered


def _text(content: object) -> str:
    if isinstance(content, list):
        parts = (part.get("text") for part in content if isinstance(part, Mapping))
        return "\n".join(part for part in parts if isinstance(part, str))
    return content if isinstance(content, str) else ""


def _read(arguments: object) -> Any:
    if not isinstance(arguments, str):
        return arguments or {}
    try:
        return read_json(arguments.encode()) if arguments.strip() else {}
    except ValueError:
        return {}


def _as_object(text: str) -> str:
    """A function's result as the JSON object that it has to be."""
    try:
        if isinstance(read_json(text.encode()), dict):
            return text
    except ValueError:
        pass
    return json.dumps({"result": text}, ensure_ascii=False)
