"""OpenAI's `/chat/completions` in both directions: pure translation.

Servers differ in what they leave out: choices may be null, the finish reason may come with the last
content or after it, usage in a chunk of its own, reasoning as `reasoning_content` or `reasoning`.
"""

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from app.core.errors import ServerBusy, ServerFault
from app.core.events import (
    Finished,
    FinishReason,
    ModelEvent,
    ReasoningDelta,
    TextDelta,
    ToolCallDelta,
)
from app.core.families import family_of
from app.core.messages import ImagePart, Message, TextPart
from app.core.requests import JsonSchema, ModelRequest, ResponseFormat, Sampling
from app.core.usage import Usage
from app.providers.openai_compatible.presets import Preset
from app.providers.thinking import ThinkTags

FINISH_REASONS: Mapping[str, FinishReason] = {
    "stop": "stop",
    "length": "length",
    "max_tokens": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
}
"""Their words and ours; any other word (eos, end_turn) is a plain end."""


def chat_body(preset: Preset, model: str, request: ModelRequest) -> dict[str, Any]:
    """The body of POST /chat/completions, streaming. `extra` goes through as it is."""
    sampling = request.sampling if family_of(model).sampled else _unsampled(request.sampling)
    body: dict[str, Any] = {
        "model": preset.names.id(model),
        "messages": [_message(message) for message in request.messages],
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        preset.completion_tokens_field: sampling.max_tokens,
        "seed": sampling.seed,
        "stop": list(sampling.stop) or None,
        "tools": [dict(tool) for tool in request.tools] or None,
        "tool_choice": request.tool_choice,
        "response_format": _response_format(request.response_format),
        "stream": True,
        "stream_options": {"include_usage": True} if preset.stream_usage else None,
    }
    return {key: value for key, value in body.items() if value is not None} | dict(request.extra)


def _unsampled(sampling: Sampling) -> Sampling:
    """For models that refuse any temperature but their own."""
    return replace(sampling, temperature=None, top_p=None)


def _response_format(wanted: ResponseFormat | None) -> dict[str, Any] | None:
    match wanted:
        case None:
            return None
        case JsonSchema(name, schema):
            strict = schema.get("additionalProperties") is False
            described = {"name": name, "schema": dict(schema), "strict": strict}
            return {"type": "json_schema", "json_schema": described}
        case _:
            return {"type": "json_object"}


def _message(message: Message) -> dict[str, Any]:
    wire: dict[str, Any] = {"role": message.role, "content": _content(message)}
    if message.name and message.role != "tool":
        wire["name"] = message.name
    if message.tool_calls:
        wire["content"] = wire["content"] or None
        wire["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": call.arguments},
            }
            for call in message.tool_calls
        ]
    if message.tool_call_id:
        wire["tool_call_id"] = message.tool_call_id
    return wire


def _content(message: Message) -> str | list[dict[str, Any]]:
    if not message.images:
        return message.text
    return [_part(part) for part in message.parts]


def _part(part: TextPart | ImagePart) -> dict[str, Any]:
    match part:
        case TextPart(text):
            return {"type": "text", "text": text}
        case ImagePart(data, mime):
            url = f"data:{mime};base64,{b64encode(data).decode('ascii')}"
            return {"type": "image_url", "image_url": {"url": url}}


class AnswerReader:
    """Turns the chunks of one streamed answer into events, and knows when it is complete."""

    def __init__(self, server: str, model: str) -> None:
        self._server, self._model = server, model
        self._reason: FinishReason | None = None
        self._usage = Usage()
        self._tool_calls = False
        self._logprobs: list[Any] = []
        self._extra: dict[str, Any] = {}
        self._tags = ThinkTags()

    @property
    def complete(self) -> bool:
        """A finish reason has come: what follows is usage at most."""
        return self._reason is not None

    def read(self, chunk: Mapping[str, Any]) -> list[ModelEvent]:
        """The events of one chunk that is not an error event.

        Raises one of `WRONG_SHAPE` where it is not of the protocol.
        """
        if usage := chunk.get("usage"):
            self._usage = usage_of(usage, chunk.get("timings"))
        choices = chunk.get("choices")
        if not choices:
            return []
        choice = choices[0]
        events: list[ModelEvent] = []
        said = choice.get("delta") or choice.get("message")
        if said:
            if thinking := said.get("reasoning_content") or said.get("reasoning"):
                events.append(ReasoningDelta(_text(thinking)))
            if text := said.get("content") or said.get("refusal"):
                if self._tags.over:
                    events.append(TextDelta(_text(text)))
                else:
                    events += self._tags.split(_text(text))
            if calls := said.get("tool_calls"):
                self._tool_calls = True
                events.extend(_tool_call(index, call) for index, call in enumerate(calls))
        if logprobs := choice.get("logprobs"):
            self._logprobs.extend(logprobs.get("content") or ())
        if reason := choice.get("finish_reason"):
            self._end(reason, chunk)
        return events

    def held_back(self) -> list[ModelEvent]:
        """What might have been half a tag, once the stream is over."""
        return self._tags.rest()

    def finished(self) -> Finished:
        """The end, once the stream is over."""
        reason = self._reason or ("tool_calls" if self._tool_calls else "stop")
        if self._logprobs:
            self._extra["logprobs"] = {"content": self._logprobs}
        return Finished(reason, self._usage, self._extra)

    def _end(self, reason: str, chunk: Mapping[str, Any]) -> None:
        if reason == "error":
            raise ServerFault("finish_reason: error", server=self._server, model=self._model)
        if reason == "insufficient_system_resource":
            raise ServerBusy(f"finish_reason: {reason}", server=self._server, model=self._model)
        self._reason = FINISH_REASONS.get(reason, "tool_calls" if self._tool_calls else "stop")
        if fingerprint := chunk.get("system_fingerprint"):
            self._extra["system_fingerprint"] = fingerprint


def _text(value: object) -> str:
    """Some servers send content as parts, `[{"type": "text", "text": ...}]`."""
    if type(value) is str:
        return value
    if isinstance(value, list):
        return "".join(str(part["text"]) for part in value if part.get("type") == "text")
    raise TypeError(f"text expected, not {value!r}")


def _tool_call(position: int, call: Mapping[str, Any]) -> ToolCallDelta:
    function = call.get("function") or {}
    return ToolCallDelta(
        call.get("index", position),
        id=call.get("id") or None,
        name=function.get("name") or None,
        arguments=function.get("arguments") or "",
    )


def usage_of(usage: Mapping[str, Any], timings: Mapping[str, Any] | None = None) -> Usage:
    """A `usage` object: OpenAI's, and DeepSeek's names for cached tokens; llama.cpp's timings."""
    timings = timings or {}
    prompt = usage.get("prompt_tokens_details") or {}
    completion = usage.get("completion_tokens_details") or {}
    return Usage(
        input_tokens=_count(usage.get("prompt_tokens")),
        output_tokens=_count(usage.get("completion_tokens")),
        cached_tokens=_count(prompt.get("cached_tokens", usage.get("prompt_cache_hit_tokens"))),
        reasoning_tokens=_count(completion.get("reasoning_tokens")),
        prompt_s=_seconds(timings.get("prompt_ms")),
        generation_s=_seconds(timings.get("predicted_ms")),
    )


def _seconds(milliseconds: object) -> float | None:
    return milliseconds / 1000 if isinstance(milliseconds, int | float) else None


def _count(value: object) -> int | None:
    """A count of tokens; Yandex writes some as strings."""
    if isinstance(value, str) and value.isdigit():
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None
