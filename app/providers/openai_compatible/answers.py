"""Answers of OpenAI-compatible servers: what their chunks say, however they say it. Pure.

Servers differ in what they leave out and where they put things: choices may be null, the finish reason
may come with the last content or after it; usage in a chunk of its own, in the choice or under
`x_groq`, its counts as text; reasoning under four names; tool calls without an index.
"""

import json
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from app.core.errors import KonsiliumError, ServerBusy
from app.core.events import (
    Finished,
    FinishReason,
    ModelEvent,
    ReasoningDelta,
    TextDelta,
    ToolCallDelta,
)
from app.core.reading import Halves, clean
from app.core.usage import Usage
from app.providers.openai_compatible.functions import as_tool_calls
from app.providers.thinking import ThinkTags
from app.providers.upstream_errors import error_in_body

FINISH_REASONS: Mapping[str, FinishReason] = {
    "stop": "stop",
    "length": "length",
    "max_tokens": "length",
    "model_length": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
    "blacklist": "content_filter",
}
"""Their words and ours; any other word (eos, end_turn) is a plain end."""
CACHED = ("prompt_cache_hit_tokens", "precached_prompt_tokens", "cached_tokens")
"""Tokens of the prompt that were kept from before, outside of any details: DeepSeek, GigaChat, others."""
BROKEN = ("error", "abort", "insufficient_system_resource")
"""Finish reasons of an answer that the server gave up."""


def broken(
    server: str, model: str, reason: str, choice: Mapping[str, Any], chunk: Mapping[str, Any]
) -> KonsiliumError:
    """The error behind one of the BROKEN finish reasons, in the server's words where it has any."""
    delta = choice.get("delta")
    for said in (choice, delta if isinstance(delta, dict) else {}, chunk):
        if isinstance(said.get("error"), str | dict) and said["error"]:
            return error_in_body(server, model, said)
    words = choice.get("message") or chunk.get("message") or f"finish_reason: {reason}"
    if reason == "insufficient_system_resource":
        return ServerBusy(str(words), server=server, model=model)
    return error_in_body(server, model, {"error": words})


def usage_in(chunk: Mapping[str, Any], choice: object) -> Mapping[str, Any] | None:
    """Where a chunk has its `usage`: at the top, in its first choice (Moonshot), or under `x_groq`."""
    for holder in (chunk, choice, chunk.get("x_groq")):
        if isinstance(holder, dict) and isinstance(usage := holder.get("usage"), dict):
            return usage
    return None


def usage_of(usage: Mapping[str, Any], timings: object = None) -> Usage:
    """A `usage` object as ours: OpenAI's, others' names for the same, llama.cpp's timings.

    Thinking that a server counts beside `completion_tokens` (xAI), or in `total_tokens` alone (Gemini),
    is output: it is paid as such.
    """
    prompt = count(usage.get("prompt_tokens", usage.get("input_tokens")))
    output = count(usage.get("completion_tokens", usage.get("output_tokens")))
    details = _details(usage, "prompt_tokens_details", "input_tokens_details")
    cached = count(details.get("cached_tokens"))
    if cached is None:
        cached = count(next((usage[name] for name in CACHED if name in usage), None))
    details = _details(usage, "completion_tokens_details", "output_tokens_details")
    thought = count(details.get("reasoning_tokens"))
    if thought is None:
        thought = count(usage.get("reasoning_tokens"))
    total = count(usage.get("total_tokens"))
    if total is not None and prompt is not None and output is not None:
        outside = total - prompt - output
        if outside > 0 and (outside == thought or (not thought and outside != cached)):
            output, thought = output + outside, outside
    timed = timings if isinstance(timings, dict) else {}
    return Usage(
        input_tokens=prompt,
        output_tokens=output,
        cached_tokens=cached,
        reasoning_tokens=thought,
        prompt_s=_seconds(timed.get("prompt_ms")),
        generation_s=_seconds(timed.get("predicted_ms")),
    )


def count(value: object) -> int | None:
    """A count of tokens; some servers write it as text (Yandex), as 10.0, or both."""
    if isinstance(value, str) and (digits := value.strip().removesuffix(".0")).isdecimal():
        return int(digits)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _details(usage: Mapping[str, Any], name: str, other: str) -> Mapping[str, Any]:
    found = usage.get(name, usage.get(other))
    return found if isinstance(found, dict) else {}


def _seconds(milliseconds: object) -> float | None:
    return milliseconds / 1000 if isinstance(milliseconds, int | float) else None


class ToolCallIndexes:
    """Gives each piece of a tool call the index of its call, where the server gives none (Gemini) or
    the same to all."""

    def __init__(self) -> None:
        self._ids: list[str | None] = []
        """The id of each call so far."""
        self._of: dict[int, int] = {}
        """The server's own indexes and what they stand for here."""

    def of(self, call: Mapping[str, Any], position: int) -> int:
        """The index of the call that this piece, at that position of its chunk, belongs to."""
        own, id = count(call.get("index")), call.get("id") or None
        function = call.get("function")
        named = bool(function.get("name")) if isinstance(function, dict) else False
        if own is not None and own in self._of:
            known = self._of[own]
            if not (named and id and self._ids[known] and id != self._ids[known]):
                self._ids[known] = self._ids[known] or id
                return known
        elif own is None:
            if id is not None and id in self._ids and not (named and position >= len(self._ids)):
                return self._ids.index(id)
            if self._ids and not named and id is None:
                return len(self._ids) - 1
        self._ids.append(id)
        new = len(self._ids) - 1
        if own is not None:
            self._of[own] = new
        return new

    def id_of(self, index: int) -> str:
        """The id of that call, made up where the server gave none."""
        id = self._ids[index] = self._ids[index] or f"call_{uuid4().hex[:24]}"
        return id


def thinking_in(said: Mapping[str, Any]) -> str:
    """The thinking in a delta or a message, by the names that servers have for it."""
    for name in ("reasoning_content", "reasoning", "thinking", "reasoning_text"):
        if given := said.get(name):
            return text_of(given)
    parts = [*_listed(said.get("reasoning_details")), *_listed(said.get("thinking_blocks"))]
    return "".join(
        str(part.get("text") or part.get("summary") or part.get("thinking") or "") for part in parts
    )


def _listed(value: object) -> list[Mapping[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def text_of(value: object) -> str:
    """A text; some servers send content as parts, `[{"type": "text", "text": ...}]` or bare texts."""
    if type(value) is str:
        return value
    if isinstance(value, list):
        return "".join(
            part if isinstance(part, str) else text_of(part["text"])
            for part in value
            if isinstance(part, str) or _is_text(part)
        )
    if isinstance(value, dict):
        return text_of(value.get("text") or value.get("content") or "")
    raise TypeError(f"text expected, not {value!r}")


def _is_text(part: object) -> bool:
    kinds = ("text", "output_text", None)
    return isinstance(part, dict) and "text" in part and part.get("type") in kinds


def thinking_parts(content: object) -> str:
    """The thinking among the parts of a content (Mistral): `[{"type": "thinking", "thinking": ...}]`."""
    if not isinstance(content, list):
        return ""
    return "".join(
        text_of(part.get("thinking") or "")
        for part in content
        if isinstance(part, dict) and part.get("type") == "thinking"
    )


class AnswerReader:
    """Turns the chunks of one streamed answer into events, and knows when it is complete."""

    def __init__(self, server: str, model: str, *, thinks: bool = False) -> None:
        """`thinks`: this model is known to begin with thinking, and to say only where that ends."""
        self._server, self._model = server, model
        self._reason: FinishReason | None = None
        self._usage = Usage()
        self._tool_calls = ToolCallIndexes()
        self._called = False
        self._logprobs: list[Any] = []
        self._extra: dict[str, Any] = {}
        self._halves = Halves()
        self.tags = ThinkTags(begun=thinks)

    @property
    def complete(self) -> bool:
        """A finish reason has come: what follows is usage at most."""
        return self._reason is not None

    def read(self, chunk: Mapping[str, Any], *, odd: bool = False) -> list[ModelEvent]:
        """The events of one chunk that is not an error event. `odd`: it may hold half a surrogate pair.

        Raises one of `WRONG_SHAPE` where it is not of the protocol.
        """
        choices = chunk.get("choices")
        choice = choices[0] if choices else {}
        told = "usage" in chunk or "usage" in choice or "x_groq" in chunk
        if told and (usage := usage_in(chunk, choice)):
            self._usage = usage_of(usage, chunk.get("timings"))
        if not choice:
            return []
        events: list[ModelEvent] = []
        said = choice.get("delta") or choice.get("message")
        if said:
            content = said.get("content") or said.get("refusal")
            if thinking := thinking_in(said) or thinking_parts(content):
                self.tags.no_more()
                events.append(ReasoningDelta(clean(thinking) if odd else thinking))
            if content and (text := text_of(content)):
                if odd or self._halves.held:
                    text = self._halves.joined(text)
                tags = self.tags
                if tags.over and "<" not in text and "[" not in text:
                    tags.before = text
                    events.append(TextDelta(text))
                elif text:
                    events += tags.split(text)
            if calls := said.get("tool_calls") or as_tool_calls(said):
                self._called = True
                events.extend(self._tool_call(at, call) for at, call in enumerate(calls))
        elif said is None and isinstance(bare := choice.get("text"), str) and bare:
            events.append(TextDelta(clean(bare) if odd else bare))
        if isinstance(logprobs := choice.get("logprobs"), dict):
            self._logprobs.extend(logprobs.get("content") or ())
        if choice.get("error"):
            raise broken(self._server, self._model, "error", choice, chunk)
        if reason := choice.get("finish_reason"):
            if reason in BROKEN:
                raise broken(self._server, self._model, reason, choice, chunk)
            self._reason = FINISH_REASONS.get(reason, "stop")
            if fingerprint := chunk.get("system_fingerprint"):
                self._extra["system_fingerprint"] = fingerprint
        elif said is not None and said is choice.get("message"):
            self._reason = "stop"  # a whole answer is an end by itself
        return events

    def _tool_call(self, position: int, call: Mapping[str, Any]) -> ToolCallDelta:
        function = call.get("function") or {}
        arguments = function.get("arguments") or ""
        return ToolCallDelta(
            self._tool_calls.of(call, position),
            id=call.get("id") or None,
            name=function.get("name") or None,
            arguments=arguments
            if isinstance(arguments, str)
            else json.dumps(arguments, ensure_ascii=False),
        )

    def held_back(self) -> list[ModelEvent]:
        """What might have been half a tag or half a letter, once the stream is over."""
        left = self._halves.rest()
        events = self.tags.split(left) if left else []
        return events + self.tags.rest(complete=self._reason != "length" and not self._called)

    def finished(self) -> Finished:
        """The end, once the stream is over."""
        reason = self._reason or "stop"
        if self._called and reason == "stop":
            reason = "tool_calls"
        if self._logprobs:
            self._extra["logprobs"] = {"content": self._logprobs}
        return Finished(reason, self._usage, self._extra)
