"""A request of OpenAI's Responses API as a chat completion. Pure; raises InvalidField naming the field.

Checked against the types of the `openai` package 3.51.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from app.gateway.errors import InvalidField
from app.gateway.openai.requests import token_limit

Json = Mapping[str, Any]
_PASSED = (
    "model",
    "stream",
    "temperature",
    "top_p",
    "parallel_tool_calls",
    "konsilium",
)
_LEFT_OUT = ("web_search", "web_search_preview", "image_generation", "tool_search")
"""Tools that run at OpenAI and that a model may do without; Codex offers them to every model. Nothing
needs to be searched for: every tool is told."""
CUSTOM_INPUT = "input"
"""The one argument of a function that stands for a tool of free text."""
_NOT_HERE = {
    "background": "Answers are not made in the background here.",
    "conversation": "Conversations are not kept here: send all of it in `input`.",
    "prompt": "Prompts are not kept here.",
}


def chat_body(asked: Json, items: Iterable[object]) -> dict[str, Any]:
    """The body of a chat completion; `items` is all of the conversation, however it came."""
    for name, why in _NOT_HERE.items():
        if asked.get(name):
            raise InvalidField(why, name)
    messages: list[dict[str, Any]] = []
    instructions = asked.get("instructions")
    if not isinstance(instructions, str | None):
        raise InvalidField("`instructions` must be a text.", "instructions")
    if instructions:
        messages.append({"role": "system", "content": instructions})
    messages += _messages(items)
    if not messages:
        raise InvalidField("`input` must say something.", "input")
    reasoning, text = _object(asked, "reasoning"), _object(asked, "text")
    body: dict[str, Any] = {
        **{name: asked.get(name) for name in _PASSED},
        "messages": messages,
        "max_completion_tokens": token_limit(asked, "max_output_tokens"),
        "reasoning_effort": reasoning.get("effort"),
        "response_format": _format(text.get("format")),
        "tools": _tools(asked.get("tools"), _allowed(asked.get("tool_choice"))),
        "tool_choice": _choice(asked.get("tool_choice")),
    }
    if body["tools"] is None:
        del body["tools"], body["tool_choice"], body["parallel_tool_calls"]
    if body.get("stream"):
        body["stream_options"] = {"include_usage": True}
    return {name: value for name, value in body.items() if value is not None}


def input_items(asked: Json) -> list[Any]:
    """The input as items."""
    given = asked.get("input")
    if isinstance(given, str):
        return [{"type": "message", "role": "user", "content": given}]
    if not isinstance(given, list | None):
        raise InvalidField("`input` must be a text or a list of items.", "input")
    return given or []


def known_tools(asked: Json) -> dict[str, Json]:
    """The tools by the names that the model is told: free texts are `custom`, and those of a namespace
    have one."""
    return {tool["told"]: tool for tool in _flat(asked.get("tools") or []) if "told" in tool}


def _flat(tools: Iterable[Any]) -> Iterator[Any]:
    """Each tool with the name that the model is told: chat completions know no namespaces."""
    for tool in tools:
        match tool:
            case {"type": "namespace", "name": str() as space, "tools": list() as inner}:
                for each in _flat(inner):
                    named = isinstance(each, dict) and "told" in each
                    yield (
                        {**each, "told": _told(each, space), "namespace": space} if named else each
                    )
            case {"name": str() as name}:
                yield {**tool, "told": name}
            case _:
                yield tool


def _told(tool: Mapping[Any, Any], space: object) -> str:
    name = str(tool["name"])
    return f"{space}__{name}" if isinstance(space, str) and space else name


def _object(asked: Json, name: str) -> Json:
    value = asked.get(name) or {}
    if not isinstance(value, dict):
        raise InvalidField(f"`{name}` must be an object.", name)
    return value


def _messages(items: Iterable[object]) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = []
    images: list[dict[str, Any]] = []
    """What tools gave besides text: said after the last of their results."""
    for position, item in enumerate(items):
        where = f"input[{position}]"
        if not isinstance(item, dict):
            raise InvalidField("An item must be an object.", where)
        kind = item.get("type") or "message"
        if images and not kind.endswith("_output"):
            messages.append({"role": "user", "content": images})
            images = []
        match kind:
            case "message":
                messages.append(_message(item, where))
            case "function_call" | "custom_tool_call":
                _add_call(messages, _call(item, kind, where))
            case "function_call_output" | "custom_tool_call_output":
                result, shown = _result(item, where)
                messages.append(result)
                images += shown
            case "reasoning" | "compaction" | "web_search_call" | "tool_search_call":
                pass  # what was thought says nothing to another model
            case _:
                raise InvalidField(f"Items of type {kind!r} are not supported.", where)
    if images:
        messages.append({"role": "user", "content": images})
    return messages


def _message(item: Json, where: str) -> dict[str, Any]:
    role = item.get("role")
    if role not in ("user", "assistant", "system", "developer"):
        raise InvalidField(f"Unknown role {role!r}.", f"{where}.role")
    return {"role": role, "content": _content(item.get("content"), f"{where}.content")}


def _content(content: object, where: str) -> str | list[dict[str, Any]]:
    """A text where there is nothing but text."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        raise InvalidField("`content` must be a text or a list of parts.", where)
    parts = [_part(part, f"{where}[{position}]") for position, part in enumerate(content)]
    if all(part["type"] == "text" for part in parts):
        return "".join(part["text"] for part in parts)
    return parts


def _part(part: object, where: str) -> dict[str, Any]:
    match part:
        case {
            "type": "input_text" | "output_text" | "text" | "summary_text",
            "text": str() as text,
        }:
            return {"type": "text", "text": text}
        case {"type": "refusal", "refusal": str() as text}:
            return {"type": "text", "text": text}
        case {"type": "input_image", "image_url": str() as url}:
            return {"type": "image_url", "image_url": {"url": url}}
        case {"type": "input_audio", "input_audio": dict() as audio}:
            return {"type": "input_audio", "input_audio": audio}
    raise InvalidField("Parts may be texts and images that come along (`image_url`).", where)


def _call(item: Json, kind: str, where: str) -> dict[str, Any]:
    field = "input" if kind == "custom_tool_call" else "arguments"
    match item.get("call_id"), item.get("name"), item.get(field):
        case (str() as id, str(), str() as said):
            arguments = _as_arguments(said) if kind == "custom_tool_call" else said
            function = {"name": _told(item, item.get("namespace")), "arguments": arguments}
            return {"id": id, "type": "function", "function": function}
    raise InvalidField(f"A {kind} needs call_id, name and {field}.", where)


def _as_arguments(text: str) -> str:
    return json.dumps({CUSTOM_INPUT: text}, ensure_ascii=False)


def _add_call(messages: list[dict[str, Any]], call: dict[str, Any]) -> None:
    """Calls that follow one another, or words, are of one message."""
    if not messages or messages[-1]["role"] != "assistant":
        messages.append({"role": "assistant", "content": None})
    messages[-1].setdefault("tool_calls", []).append(call)


def _result(item: Json, where: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    id, output = item.get("call_id"), item.get("output")
    if not isinstance(id, str):
        raise InvalidField("A tool's output needs a call_id.", where)
    content = _content(output, f"{where}.output")
    parts = [{"type": "text", "text": content}] if isinstance(content, str) else content
    text = "".join(part["text"] for part in parts if part["type"] == "text")
    shown = [part for part in parts if part["type"] != "text"]
    if shown and not text:
        text = "The result is the image that follows."
    return {"role": "tool", "tool_call_id": id, "content": text}, shown


def _format(wanted: object) -> dict[str, Any] | None:
    match wanted:
        case None | {"type": "text"}:
            return None
        case {"type": "json_object"}:
            return {"type": "json_object"}
        case {"type": "json_schema", "schema": dict() as schema, **rest}:
            described = {"name": rest.get("name") or "answer", "schema": schema}
            if isinstance(rest.get("strict"), bool):
                described["strict"] = rest["strict"]
            return {"type": "json_schema", "json_schema": described}
    raise InvalidField("`text.format` is of no known type.", "text.format")


def _tools(given: object, allowed: set[str] | None) -> list[dict[str, Any]] | None:
    """As chat completions have them, only those that may be called: models know no other way to say so."""
    if given is None:
        return None
    if not isinstance(given, list):
        raise InvalidField("`tools` must be a list.", "tools")
    found = (_tool(tool, f"tools[{position}]") for position, tool in enumerate(_flat(given)))
    known = [tool for tool in found if tool is not None]
    return [
        tool for tool in known if allowed is None or tool["function"]["name"] in allowed
    ] or None


def _allowed(choice: object) -> set[str] | None:
    """The names of the only tools that may be called; None where all may."""
    match choice:
        case {"type": "allowed_tools", "tools": list() as tools}:
            named = (tool for tool in _flat(tools) if isinstance(tool, dict) and "told" in tool)
            return {_told({"name": tool["name"]}, tool.get("namespace")) for tool in named}
    return None


def _tool(tool: Any, where: str) -> dict[str, Any] | None:
    match tool:
        case {"type": "function", "told": str() as name}:
            names = ("description", "parameters", "strict")
            known = {key: tool[key] for key in names if tool.get(key) is not None}
            return {"type": "function", "function": {"name": name, **known}}
        case {"type": "custom", "told": str() as name}:
            return {"type": "function", "function": _free_text(name, tool)}
        case {"type": str() as kind} if kind.startswith(_LEFT_OUT):
            return None
        case {"type": str() as kind}:
            raise InvalidField(f"Tools of type {kind!r} are not available here.", where)
    raise InvalidField("A tool needs a type and a name.", where)


def _free_text(name: str, tool: Json) -> dict[str, Any]:
    """A tool of free text as a function of one argument; its grammar is told in words."""
    told = [str(tool.get("description") or "")]
    match tool.get("format"):
        case {"type": "grammar", "syntax": syntax, "definition": str() as definition}:
            told.append(f"The input must follow this {syntax} grammar:\n{definition}")
    field = {"type": "string", "description": "The whole input, as plain text."}
    parameters = {"type": "object", "properties": {CUSTOM_INPUT: field}, "required": [CUSTOM_INPUT]}
    return {"name": name, "description": "\n\n".join(filter(None, told)), "parameters": parameters}


def _choice(choice: object) -> str | dict[str, Any] | None:
    match choice:
        case None | "auto" | "none" | "required":
            return choice
        case {"type": "function" | "custom", "name": str() as name, **rest}:
            name = _told({"name": name}, rest.get("namespace"))
            return {"type": "function", "function": {"name": name}}
        case {"type": "allowed_tools", "mode": "auto" | "required" as mode}:
            return str(mode)
    raise InvalidField("`tool_choice` is of no known type.", "tool_choice")
