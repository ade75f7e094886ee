"""Ollama's `/api/chat` in both directions: pure translation.

Checked against Ollama's sources of August 2026 (api/types.go, server/routes.go).
"""

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from uuid import uuid4

from app.core.events import (
    Finished,
    ModelEvent,
    ReasoningDelta,
    TextDelta,
    ToolCallDelta,
)
from app.core.mending import json_of
from app.core.messages import Message, alternating
from app.core.reading import SurrogateJoiner, clean
from app.core.requests import JsonSchema, ModelRequest
from app.core.usage import Usage
from app.providers.ollama.straight import COUNTS, straighten
from app.providers.openai_compatible.tool_calls import ToolCallDeltas
from app.providers.shapes import FINISH_REASONS, objects_in, tokens
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


def _tools(request: ModelRequest) -> list[dict[str, Any]]:
    """Ollama knows no tool_choice: those that were chosen by name are the only ones offered."""
    tools = [dict(tool) for tool in request.tools]
    match request.tool_choice:
        case "none":
            return []
        case {"function": {"name": chosen}}:
            return [tool for tool in tools if tool["function"].get("name") == chosen]
        case {"allowed_tools": {"tools": list() as allowed}}:
            functions = [tool.get("function") for tool in allowed if isinstance(tool, dict)]
            names = [each.get("name") for each in functions if isinstance(each, dict)]
            return [tool for tool in tools if tool["function"].get("name") in names]
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
        parsed = json_of(text or "{}")
    except ValueError:
        return {"arguments": text}
    return parsed if isinstance(parsed, dict) else {"arguments": parsed}


_PLAIN = frozenset(("model", "created_at", "message", "done", "remote_model", "remote_host"))
"""All that stands in the line of one more word."""


class AnswerReader:
    """Turns the lines of one streamed answer into events."""

    def __init__(self, server: str, model: str) -> None:
        self._server, self._model = server, model
        self._tool_calls = ToolCallDeltas()
        self._silent: dict[int, bool] = {}
        """The calls so far, and whether they have no arguments yet."""
        self._logprobs: list[Any] = []
        self._tags = ThinkTags()
        self._halves = SurrogateJoiner()
        self._end: dict[str, Any] = {}
        """What the lines say of the end."""

    def read(self, chunk: Mapping[str, Any], *, odd: bool = False) -> list[ModelEvent]:
        """The events of one line; the last of the last line is `Finished`. `odd`: it may hold half a
        surrogate pair.

        Raises one of `WRONG_SHAPE` where it is not of the protocol, or what the server says went wrong.
        """
        message = chunk.get("message")
        if (
            type(message) is dict
            and len(message) == 2
            and type(content := message.get("content")) is str
            and "role" in message
            and chunk.get("done") is False
            and chunk.keys() <= _PLAIN
        ):
            return self._said(content, odd)
        return self._read_slowly(straighten(self._server, self._model, chunk), odd)

    def closing(self) -> list[ModelEvent]:
        """The end of an answer that only a mark of another protocol, `[DONE]`, has ended."""
        return self._read_slowly({"message": {}, "done": True}, False)

    def _said(self, text: str, odd: bool) -> list[ModelEvent]:
        if odd or self._halves.held:
            text = self._halves.joined(text)
        tags = self._tags
        if tags.over and "<" not in text and "[" not in text:
            tags.before = text
            return [TextDelta(text)] if text else []
        return tags.split(text) if text else []

    def _read_slowly(self, chunk: Mapping[str, Any], odd: bool) -> list[ModelEvent]:
        """All that is not one more word; the line is straight."""
        events: list[ModelEvent] = []
        said = chunk["message"]
        if thinking := said.get("reasoning_content") or said.get("reasoning"):
            self._tags.no_more()
            events.append(ReasoningDelta(clean(thinking) if odd else thinking))
        if text := said.get("content"):
            events += self._said(text, odd)
        for at, call in enumerate(said.get("tool_calls") or ()):
            events += self._called(self._tool_calls.read(call, at))
        if isinstance(logprobs := chunk.get("logprobs"), list):
            self._logprobs += [_logprob(one) for one in objects_in(logprobs) if "token" in one]
        self._end |= {name: value for name in _END if (value := chunk.get(name)) is not None}
        if chunk["done"]:
            if left := self._halves.rest():
                events += self._tags.split(left)
            events += [*self._tags.rest(), *self._called(self._tool_calls.rest())]
            bare = [index for index, silent in self._silent.items() if silent]
            events += self._called([ToolCallDelta(index, arguments="{}") for index in bare])
            events.append(self._finished())
        return events

    def _called(self, deltas: list[ToolCallDelta]) -> list[ToolCallDelta]:
        """The same, each call with an id from its beginning on."""
        named = []
        for delta in deltas:
            if delta.index not in self._silent:
                delta = replace(delta, id=delta.id or f"call_{uuid4().hex[:24]}")
            self._silent[delta.index] = self._silent.get(delta.index, True) and not delta.arguments
            named.append(delta)
        return named

    def _finished(self) -> Finished:
        reason = FINISH_REASONS.get(self._end.get("done_reason") or "stop", "stop")
        if self._silent and reason == "stop":
            reason = "tool_calls"
        extra = {"logprobs": {"content": self._logprobs}} if self._logprobs else {}
        return Finished(reason, usage(self._end), extra)


_END = (
    *("done_reason", "total_duration", "load_duration", "prompt_eval_duration", "eval_duration"),
    *COUNTS,
)


def _logprob(token: Mapping[str, Any]) -> dict[str, Any]:
    """A token's logprob with the fields that Ollama leaves out where they are empty."""
    others = [{"bytes": None, **other} for other in token.get("top_logprobs") or ()]
    return {"bytes": None, **token, "top_logprobs": others}


def usage(chunk: Mapping[str, Any]) -> Usage:
    """The counts of a last chunk. Zeros are omitted on the wire: no eval_count beside a duration is 0."""
    timed = "total_duration" in chunk
    return Usage(
        input_tokens=tokens(chunk.get("prompt_eval_count")),
        output_tokens=tokens(chunk.get("eval_count", 0 if timed else None)),
        load_s=_seconds(chunk.get("load_duration")),
        prompt_s=_seconds(chunk.get("prompt_eval_duration")),
        generation_s=_seconds(chunk.get("eval_duration")),
    )


def _seconds(nanoseconds: object) -> float | None:
    if isinstance(nanoseconds, int | float) and nanoseconds >= 0:
        return nanoseconds / 1e9
    return None
