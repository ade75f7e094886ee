"""A request of Anthropic's Messages API as a chat completion of OpenAI's. Pure; raises InvalidField
naming the field.

Checked against the types of the `anthropic` package 2.14.
"""

import json
from collections.abc import Mapping
from typing import Any

from app.gateway.errors import InvalidField

Json = Mapping[str, Any]

EFFORTS = ((2048, "low"), (8192, "medium"))
"""Tokens of thinking up to which an effort is that one; above, high. As LiteLLM has them (2026)."""
_IGNORED = frozenset(
    {
        "thinking",
        "redacted_thinking",
        "server_tool_use",
        "web_search_tool_result",
        "web_fetch_tool_result",
        "container_upload",
        "tool_reference",
    }
)
"""Blocks of a history that say nothing to another model: what it thought, what Anthropic's own tools
found."""


def chat_body(asked: Json) -> dict[str, Any]:
    """The body of a chat completion."""
    messages = asked.get("messages")
    if not isinstance(messages, list) or not messages:
        raise InvalidField("`messages` must be a list of at least one message.", "messages")
    if asked.get("mcp_servers"):
        raise InvalidField(
            "MCP servers are called by Anthropic; no model here has them.", "mcp_servers"
        )
    said: list[dict[str, Any]] = []
    if system := _system(asked.get("system"), "system"):
        said.append({"role": "system", "content": system})
    for position, message in enumerate(messages):
        said += _messages(message, f"messages[{position}]")
    body: dict[str, Any] = {
        "model": asked.get("model"),
        "messages": said,
        "max_tokens": asked.get("max_tokens"),
        "stream": asked.get("stream"),
        "temperature": asked.get("temperature"),
        "top_p": asked.get("top_p"),
        "top_k": asked.get("top_k"),
        "stop": _stops(asked.get("stop_sequences")),
        "tools": _tools(asked.get("tools")),
        "reasoning_effort": _effort(asked),
        "think": _think(asked),
        "response_format": _format(asked),
        "konsilium": asked.get("konsilium"),
        **_choice(asked.get("tool_choice")),
    }
    body = {name: value for name, value in body.items() if value is not None}
    if body.get("stream"):
        body["stream_options"] = {"include_usage": True}
    return body


def wants_thinking(asked: Json) -> bool:
    """Whether thinking is to be seen in the answer."""
    thinking = asked.get("thinking")
    return (
        isinstance(thinking, dict)
        and thinking.get("type") not in (None, "disabled")
        and thinking.get("display") != "omitted"
    )


def _stops(given: object) -> list[str] | None:
    if given is None:
        return None
    if not isinstance(given, list) or not all(isinstance(each, str) for each in given):
        raise InvalidField("`stop_sequences` must be a list of texts.", "stop_sequences")
    return given or None


def _effort(asked: Json) -> str | None:
    config = asked.get("output_config")
    wished = config.get("effort") if isinstance(config, dict) else None
    if wished in ("low", "medium", "high"):
        return str(wished)
    if wished in ("xhigh", "max"):
        return "high"
    match asked.get("thinking"):
        case {"type": "enabled", "budget_tokens": int() as budget}:
            return next((effort for most, effort in EFFORTS if budget <= most), "high")
        case {"type": "enabled" | "adaptive"}:
            return "medium"
    return None


def _think(asked: Json) -> bool | None:
    """False where the client says so; else `reasoning_effort` tells, which any server may understand."""
    return False if asked.get("thinking") == {"type": "disabled"} else None


def _format(asked: Json) -> dict[str, Any] | None:
    config = asked.get("output_config")
    wanted = config.get("format") if isinstance(config, dict) else asked.get("output_format")
    match wanted:
        case None:
            return None
        case {"type": "json_schema", "schema": dict() as schema}:
            described = {"name": "answer", "schema": schema, "strict": True}
            return {"type": "json_schema", "json_schema": described}
    raise InvalidField("The output format is of no known type.", "output_config")


def _system(given: object, where: str) -> str:
    """A text, or blocks of it."""
    if given is None:
        return ""
    if isinstance(given, str):
        return given
    return "\n\n".join(part["text"] for part in _parts(given, where) if part["type"] == "text")


def _messages(message: object, where: str) -> list[dict[str, Any]]:
    """What one message says: results of tools are messages of their own, before its words."""
    if not isinstance(message, dict):
        raise InvalidField("A message must be an object with a role.", where)
    role, content = message.get("role"), message.get("content")
    if role not in ("user", "assistant", "system"):
        raise InvalidField(f"Unknown role {role!r}.", f"{where}.role")
    if isinstance(content, str):
        return [{"role": role, "content": content}]
    if not isinstance(content, list):
        raise InvalidField("`content` must be a text or a list of blocks.", f"{where}.content")
    results: list[dict[str, Any]] = []
    calls: list[dict[str, Any]] = []
    parts: list[dict[str, Any]] = []
    for position, block in enumerate(content):
        at = f"{where}.content[{position}]"
        match block:
            case {"type": "tool_use"}:
                calls.append(_call(block, at))
            case {"type": "tool_result"}:
                result, images = _result(block, at)
                results.append(result)
                parts += images
            case _:
                parts += _parts([block], at)
    if role == "assistant":
        return _assistant(parts, calls)
    if parts or not results:
        return [*results, {"role": role, "content": _plain(parts)}]
    return results


def _assistant(parts: list[dict[str, Any]], calls: list[dict[str, Any]]) -> list[dict[str, Any]]:
    if not parts and not calls:
        return []
    message: dict[str, Any] = {"role": "assistant", "content": _plain(parts) or None}
    if calls:
        message["tool_calls"] = calls
    return [message]


def _plain(parts: list[dict[str, Any]]) -> str | list[dict[str, Any]]:
    """A text where there is nothing but text."""
    if all(part["type"] == "text" for part in parts):
        return "\n\n".join(part["text"] for part in parts)
    return parts


def _call(block: Json, where: str) -> dict[str, Any]:
    match block:
        case {"id": str() as id, "name": str() as name}:
            arguments = json.dumps(block.get("input") or {}, ensure_ascii=False)
            function = {"name": name, "arguments": arguments}
            return {"id": id, "type": "function", "function": function}
    raise InvalidField("A tool_use needs an id and a name.", where)


def _result(block: Json, where: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The message of a tool, and the images it gave: those no tool's message can hold."""
    id, content = block.get("tool_use_id"), block.get("content")
    if not isinstance(id, str):
        raise InvalidField("A tool_result needs a tool_use_id.", where)
    parts = [{"type": "text", "text": content}] if isinstance(content, str) else []
    if content is not None and not isinstance(content, str):
        parts = _parts(content, f"{where}.content")
    text = "\n\n".join(part["text"] for part in parts if part["type"] == "text")
    images = [part for part in parts if part["type"] != "text"]
    if images and not text:
        text = "The result is the image that follows."
    if block.get("is_error") is True and not text.lower().startswith("error"):
        text = f"Error: {text}"
    return {"role": "tool", "tool_call_id": id, "content": text}, images


def _parts(blocks: object, where: str) -> list[dict[str, Any]]:
    """Text and images; blocks of text that are empty are passed over, as no model needs them."""
    if not isinstance(blocks, list):
        raise InvalidField("A text or a list of blocks is expected.", where)
    parts: list[dict[str, Any]] = []
    for block in blocks:
        match block:
            case {"type": "text", "text": str() as text}:
                parts += [{"type": "text", "text": text}] if text else []
            case {"type": "image", "source": source}:
                parts.append({"type": "image_url", "image_url": {"url": _address(source, where)}})
            case {"type": "document", "source": source}:
                parts += _document(source, block.get("title"), where)
            case {"type": "search_result", "content": list() as content}:
                parts += _parts(content, where)
            case {"type": str() as kind} if kind in _IGNORED:
                pass
            case {"type": kind}:
                raise InvalidField(f"Blocks of type {kind!r} are not supported.", where)
            case _:
                raise InvalidField("A block must be an object with a type.", where)
    return parts


def _address(source: object, where: str) -> str:
    match source:
        case {"type": "base64", "media_type": str() as kind, "data": str() as data}:
            return f"data:{kind};base64,{data}"
        case {"type": "url", "url": str() as url}:
            return url
    raise InvalidField("An image must come as base64.", where)


def _document(source: object, title: object, where: str) -> list[dict[str, Any]]:
    head = f"{title}\n\n" if isinstance(title, str) and title else ""
    match source:
        case {"type": "text", "data": str() as text}:
            return [{"type": "text", "text": head + text}]
        case {"type": "content", "content": str() as text}:
            return [{"type": "text", "text": head + text}]
        case {"type": "content", "content": list() as content}:
            return _parts(content, where)
    raise InvalidField("A document must come as text: this model reads no files.", where)


def _tools(given: object) -> list[dict[str, Any]] | None:
    if given is None:
        return None
    if not isinstance(given, list):
        raise InvalidField("`tools` must be a list.", "tools")
    return [_tool(tool, f"tools[{position}]") for position, tool in enumerate(given)] or None


def _tool(tool: Any, where: str) -> dict[str, Any]:
    match tool:
        case {"type": str() as kind} if kind != "custom":
            raise InvalidField(f"{kind} is a tool of Anthropic's own; no model here has it.", where)
        case {"name": str() as name, "input_schema": dict() as schema}:
            function = {"name": name, "description": tool.get("description"), "parameters": schema}
            known = {key: value for key, value in function.items() if value is not None}
            if isinstance(strict := tool.get("strict"), bool):
                known["strict"] = strict
            return {"type": "function", "function": known}
    raise InvalidField("A tool needs a name and an input_schema.", where)


def _choice(choice: object) -> dict[str, Any]:
    """The fields that say which tool is to be called."""
    if choice is None:
        return {}
    fields: dict[str, Any]
    match choice:
        case {"type": "auto" | "none" as word}:
            fields = {"tool_choice": word}
        case {"type": "any"}:
            fields = {"tool_choice": "required"}
        case {"type": "tool", "name": str() as name}:
            fields = {"tool_choice": {"type": "function", "function": {"name": name}}}
        case _:
            raise InvalidField("`tool_choice` is of no known type.", "tool_choice")
    if isinstance(choice, dict) and choice.get("disable_parallel_tool_use") is True:
        fields["parallel_tool_calls"] = False
    return fields
