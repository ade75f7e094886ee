"""Requests of Ollama's API as chat completions. Pure; raises InvalidField naming the field.

Checked against Ollama's api/types.go of August 2026.
"""

import json
from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Mapping
from typing import Any

from app.gateway.errors import InvalidField

Json = Mapping[str, Any]

_OPTIONS = frozenset(
    {
        "frequency_penalty",
        "min_p",
        "mirostat",
        "mirostat_eta",
        "mirostat_tau",
        "presence_penalty",
        "repeat_last_n",
        "repeat_penalty",
        "top_k",
        "typical_p",
    }
)
"""Options that go along as they are. Not `num_ctx` and what else concerns the server's memory: another
one would load the model anew for everybody."""
_IMAGES = ((b"\x89PNG", "png"), (b"\xff\xd8", "jpeg"), (b"GIF8", "gif"), (b"RIFF", "webp"))


def chat_body(asked: Json) -> dict[str, Any]:
    """POST /api/chat."""
    return _common(asked) | {"messages": _messages(asked.get("messages"))}


def generate_body(asked: Json) -> dict[str, Any]:
    """POST /api/generate: words for a chat model, or a prompt that is continued as it stands."""
    prompt, suffix = asked.get("prompt") or "", asked.get("suffix") or ""
    if not isinstance(prompt, str) or not isinstance(suffix, str):
        raise InvalidField("`prompt` must be a text.", "prompt")
    body = _common(asked)
    if continues(asked):
        return body | {"prompt": prompt} | ({"suffix": suffix} if suffix else {})
    messages: list[dict[str, Any]] = []
    if system := asked.get("system"):
        if not isinstance(system, str):
            raise InvalidField("`system` must be a text.", "system")
        messages.append({"role": "system", "content": system})
    user = {"role": "user", "content": prompt, "images": asked.get("images")}
    return body | {"messages": [*messages, *_messages([user])]}


def continues(asked: Json) -> bool:
    """Whether the prompt is to be continued as it stands, without a template around it."""
    return asked.get("raw") is True or bool(asked.get("suffix"))


def _common(asked: Json) -> dict[str, Any]:
    options = asked.get("options") or {}
    if not isinstance(options, dict):
        raise InvalidField("`options` must be an object.", "options")
    stream, think = asked.get("stream", True), asked.get("think")
    body: dict[str, Any] = {
        "model": asked.get("model"),
        "stream": True if stream is None else stream,
        "temperature": options.get("temperature"),
        "top_p": options.get("top_p"),
        "seed": options.get("seed"),
        "stop": options.get("stop") or None,
        "max_tokens": _most(options.get("num_predict")),
        "tools": asked.get("tools") or None,
        "response_format": _format(asked.get("format")),
        "think": think if isinstance(think, bool) else None,
        "reasoning_effort": think if isinstance(think, str) else None,
        "logprobs": asked.get("logprobs") or None,
        "top_logprobs": asked.get("top_logprobs") or None,
        "konsilium": asked.get("konsilium"),
        **{name: value for name, value in options.items() if name in _OPTIONS},
    }
    if body["stream"] is True:
        body["stream_options"] = {"include_usage": True}
    return {name: value for name, value in body.items() if value is not None}


def _most(value: object) -> object:
    """-1 and -2 are no bound."""
    if isinstance(value, bool) or not isinstance(value, int | float | None):
        raise InvalidField("`num_predict` must be a whole number.", "options.num_predict")
    return None if value is not None and value < 0 else value


def _format(wanted: object) -> dict[str, Any] | None:
    match wanted:
        case None | "":
            return None
        case "json":
            return {"type": "json_object"}
        case dict():
            described = {"name": "answer", "schema": wanted}
            return {"type": "json_schema", "json_schema": described}
    raise InvalidField("`format` must be json or a JSON schema.", "format")


def _messages(given: object) -> list[dict[str, Any]]:
    if not isinstance(given, list):
        raise InvalidField("`messages` must be a list.", "messages")
    messages: list[dict[str, Any]] = []
    waiting: list[tuple[str, str]] = []
    """Calls without a result yet: name and id."""
    for position, message in enumerate(given):
        where = f"messages[{position}]"
        if not isinstance(message, dict):
            raise InvalidField("A message must be an object with a role.", where)
        role, content = message.get("role"), message.get("content") or ""
        if not isinstance(role, str) or not isinstance(content, str):
            raise InvalidField("A message needs a role and a content.", where)
        said: dict[str, Any] = {"role": role, "content": _content(content, message, where)}
        if calls := message.get("tool_calls"):
            said["tool_calls"] = [
                _call(call, f"call_{position}_{number}", where)
                for number, call in enumerate(calls if isinstance(calls, list) else [calls])
            ]
            waiting = [(each["function"]["name"], each["id"]) for each in said["tool_calls"]]
        if role == "tool":
            said["tool_call_id"] = _answered(message, waiting)
        messages.append(said)
    return messages


def _answered(message: Json, waiting: list[tuple[str, str]]) -> str:
    """The id of the call whose result this is: clients of Ollama name the tool, or nothing at all."""
    given = message.get("tool_call_id")
    if isinstance(given, str) and given:
        return given
    name = message.get("tool_name") or message.get("name")
    found = next((call for call in waiting if call[0] == name), waiting[0] if waiting else None)
    if found is None:
        return "call_0"
    waiting.remove(found)
    return found[1]


def _content(text: str, message: Json, where: str) -> str | list[dict[str, Any]]:
    images = message.get("images") or []
    if not images:
        return text
    if not isinstance(images, list) or not all(isinstance(image, str) for image in images):
        raise InvalidField("`images` must be a list of base64 texts.", f"{where}.images")
    shown = [{"type": "image_url", "image_url": {"url": _url(image, where)}} for image in images]
    return [{"type": "text", "text": text}, *shown]


def _url(image: str, where: str) -> str:
    if image.startswith("data:"):
        return image
    try:
        start = b64decode(image[:16] + "=" * (-len(image[:16]) % 4))
    except NotBase64:
        raise InvalidField("An image must be base64.", f"{where}.images") from None
    kind = next((kind for mark, kind in _IMAGES if start.startswith(mark)), "png")
    return f"data:image/{kind};base64,{image}"


def _call(call: object, id: str, where: str) -> dict[str, Any]:
    match call:
        case {"function": {"name": str() as name, **rest}, **outer}:
            arguments = rest.get("arguments") or {}
            said = arguments if isinstance(arguments, str) else json.dumps(arguments)
            given = outer.get("id")
            known = given if isinstance(given, str) and given else id
            return {"id": known, "type": "function", "function": {"name": name, "arguments": said}}
    raise InvalidField("A tool call needs a function with a name.", where)
