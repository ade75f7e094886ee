"""Ollama's `/api/chat` in both directions: pure translation.

Checked against Ollama's sources of August 2026 (api/types.go, server/routes.go).
"""

import json
from base64 import b64encode
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from app.core.events import (
    Finished,
    ModelEvent,
    ReasoningDelta,
    TextDelta,
    ToolCallDelta,
)
from app.core.messages import Message, alternating
from app.core.reading import Halves, clean
from app.core.requests import JsonSchema, ModelRequest
from app.core.usage import Usage
from app.providers.shapes import (
    FINISH_REASONS,
    count,
    objects_in,
    reason_of,
    text_of,
    thinking_in,
)
from app.providers.thinking import ThinkTags

OPTIONS = frozenset(
    {
        "frequency_penalty",
        "min_p",
        "mirostat",
        "mirostat_eta",
        "mirostat_tau",
        "num_batch",
        "num_gpu",
        "num_keep",
        "num_thread",
        "presence_penalty",
        "repeat_last_n",
        "repeat_penalty",
        "top_k",
        "typical_p",
    }
)
"""Fields of `extra` that belong among Ollama's `options`."""

TOP_LEVEL = frozenset(("logprobs", "top_logprobs", "truncate", "shift"))
"""Fields of `extra` that Ollama takes beside `messages`."""


def chat_body(
    model: str,
    request: ModelRequest,
    *,
    num_ctx: int | None,
    keep_alive: str | int | None,
) -> dict[str, Any]:
    """The body of POST /api/chat. A prompt that does not fit is to be refused: by itself Ollama drops
    half of it and says nothing. `shift` is left as it is: another one would load the model anew."""
    body: dict[str, Any] = {
        "model": model,
        "messages": [_message(message) for message in alternating(request.messages)],
        "stream": True,
        "truncate": False,
        "options": _options(request, num_ctx),
    }
    if keep_alive is not None:
        body["keep_alive"] = keep_alive
    if tools := _tools(request):
        body["tools"] = tools
    match request.response_format:
        case None:
            pass
        case JsonSchema(schema=schema):
            body["format"] = dict(schema)
        case _:
            body["format"] = "json"
    think = _think(request)
    if think is not None:
        body["think"] = think
    body |= {key: value for key, value in request.extra.items() if key in TOP_LEVEL}
    return body


def prompt_body(
    model: str, request: ModelRequest, *, num_ctx: int | None, keep_alive: str | int | None
) -> dict[str, Any]:
    """The body of POST /api/generate for a prompt that is continued as it stands. To fill in before a
    suffix Ollama needs the model's own template for it, and takes none in raw requests."""
    body = chat_body(model, request, num_ctx=num_ctx, keep_alive=keep_alive)
    del body["messages"]
    if request.suffix:
        return body | {"prompt": request.prompt, "suffix": request.suffix}
    return body | {"prompt": request.prompt, "raw": True}


def as_message(chunk: Mapping[str, Any]) -> dict[str, Any]:
    """A chunk of /api/generate in the form of /api/chat."""
    said = {"content": chunk.get("response"), "thinking": chunk.get("thinking")}
    return {**chunk, "message": said}


def _tools(request: ModelRequest) -> list[dict[str, Any]]:
    """Ollama knows no tool_choice: a tool that was chosen by name is the only one offered."""
    tools = [dict(tool) for tool in request.tools]
    match request.tool_choice:
        case "none":
            return []
        case {"function": {"name": chosen}}:
            return [tool for tool in tools if tool["function"].get("name") == chosen]
    return tools


def _think(request: ModelRequest) -> bool | str | None:
    if request.think is not None:
        return request.think
    effort = request.extra.get("reasoning_effort")
    if effort in ("low", "medium", "high", "max"):
        return str(effort)
    return False if effort == "none" else None


def _options(request: ModelRequest, num_ctx: int | None) -> dict[str, Any]:
    sampling = request.sampling
    options = {
        "num_ctx": num_ctx,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "num_predict": sampling.max_tokens,
        "seed": sampling.seed,
        "stop": list(sampling.stop) or None,
    }
    options |= {key: value for key, value in request.extra.items() if key in OPTIONS}
    return {key: value for key, value in options.items() if value is not None}


def _message(message: Message) -> dict[str, Any]:
    wire: dict[str, Any] = {"role": message.role, "content": message.text}
    if images := message.images:
        wire["images"] = [b64encode(image.data).decode("ascii") for image in images]
    if message.tool_calls:
        wire["tool_calls"] = [
            {
                "id": call.id,
                "function": {"name": call.name, "arguments": _arguments(call.arguments)},
            }
            for call in message.tool_calls
        ]
    if message.role == "tool":
        if message.name:
            wire["tool_name"] = message.name
        if message.tool_call_id:
            wire["tool_call_id"] = message.tool_call_id
    return wire


def _arguments(text: str) -> Any:
    """Ollama takes arguments as an object; what a model wrote may be broken JSON."""
    try:
        parsed = json.loads(text or "{}")
    except ValueError:
        return {"arguments": text}
    return parsed if isinstance(parsed, dict) else {"arguments": parsed}


class AnswerReader:
    """Turns the chunks of one streamed answer into events."""

    def __init__(self) -> None:
        self._tool_calls = 0
        self._logprobs: list[Any] = []
        self._tags = ThinkTags()
        self._halves = Halves()

    def read(self, chunk: Mapping[str, Any], *, odd: bool = False) -> list[ModelEvent]:
        """The events of one chunk that is not an error; the last of the last chunk is `Finished`.
        `odd`: it may hold half a surrogate pair.

        Raises one of `WRONG_SHAPE` where it is not of the protocol.
        """
        events: list[ModelEvent] = []
        message = chunk.get("message")
        if message:
            said = message if type(message) is dict else {"content": message}
            content = said.get("content")
            alone = type(content) is str and len(said) == 2 and "role" in said
            if not alone and (thinking := thinking_in(said)):
                self._tags.no_more()
                events.append(ReasoningDelta(clean(thinking) if odd else thinking))
            if content:
                text, tags = text_of(content), self._tags
                if odd or self._halves.held:
                    text = self._halves.joined(text)
                if tags.over and "<" not in text and "[" not in text:
                    tags.before = text
                    events.append(TextDelta(text))
                elif text:
                    events += tags.split(text)
            if calls := said.get("tool_calls"):
                events.extend(self._tool_call(call) for call in objects_in(calls))
        if logprobs := chunk.get("logprobs"):
            self._logprobs.extend(map(_logprob, logprobs))
        if chunk.get("done"):
            if left := self._halves.rest():
                events += self._tags.split(left)
            events += self._tags.rest()
            events.append(self._finished(chunk))
        return events

    def _tool_call(self, call: Mapping[str, Any]) -> ToolCallDelta:
        function = call.get("function")
        if not isinstance(function, Mapping):
            function = call
        index = self._tool_calls
        self._tool_calls += 1
        arguments = function.get("arguments") or {}
        return ToolCallDelta(
            index,
            id=call.get("id") or f"call_{uuid4().hex[:24]}",
            name=function.get("name"),
            arguments=arguments
            if isinstance(arguments, str)
            else json.dumps(arguments, ensure_ascii=False),
        )

    def _finished(self, chunk: Mapping[str, Any]) -> Finished:
        reason = FINISH_REASONS.get(reason_of(chunk.get("done_reason")) or "stop", "stop")
        if self._tool_calls and reason == "stop":
            reason = "tool_calls"
        extra = {"logprobs": {"content": self._logprobs}} if self._logprobs else {}
        return Finished(reason, usage(chunk), extra)


def _logprob(token: Mapping[str, Any]) -> dict[str, Any]:
    """A token's logprob with the fields that Ollama leaves out where they are empty."""
    others = [{"bytes": None, **other} for other in token.get("top_logprobs") or ()]
    return {"bytes": None, **token, "top_logprobs": others}


def usage(chunk: Mapping[str, Any]) -> Usage:
    """The counts of a last chunk. Zeros are omitted on the wire: no eval_count beside a duration is 0."""
    timed = "total_duration" in chunk
    return Usage(
        input_tokens=count(chunk.get("prompt_eval_count")),
        output_tokens=count(chunk.get("eval_count", 0 if timed else None)),
        load_s=_seconds(chunk.get("load_duration")),
        prompt_s=_seconds(chunk.get("prompt_eval_duration")),
        generation_s=_seconds(chunk.get("eval_duration")),
    )


def _seconds(nanoseconds: object) -> float | None:
    return nanoseconds / 1e9 if isinstance(nanoseconds, int | float) else None
