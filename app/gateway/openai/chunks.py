"""Our own model events in OpenAI's form: chunks of a stream, and whole completions. Pure."""

import time
from collections.abc import AsyncIterable, Iterable, Mapping
from dataclasses import dataclass, field
from json.encoder import encode_basestring as quoted
from typing import Any

from app.core.events import (
    Finished,
    ModelEvent,
    ReasoningDelta,
    TextDelta,
    TextWasThinking,
    ToolCallDelta,
)
from app.core.ids import random_hex
from app.core.sse import DONE, encode
from app.core.usage import Usage
from app.gateway.face import Collected, call_id, collected

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class CompletionHeader:
    """What is the same in every chunk of one answer."""

    model: str
    legacy: bool = False
    """The form of /v1/completions."""
    id: str = ""
    created: int = field(default_factory=lambda: int(time.time()))

    @classmethod
    def new(cls, model: str, *, legacy: bool = False) -> "CompletionHeader":
        """With a fresh id."""
        return cls(model, legacy, f"{'cmpl' if legacy else 'chatcmpl'}-{random_hex()}")

    @property
    def object(self) -> str:
        return "text_completion" if self.legacy else "chat.completion"

    def fields(self, *, chunk: bool) -> Json:
        """The fields before `choices`."""
        name = self.object + (".chunk" if chunk and not self.legacy else "")
        return {"id": self.id, "object": name, "created": self.created, "model": self.model}

    def logprobs(self, extra: Mapping[str, Any]) -> Json | None:
        """All tokens' logprobs as this form has them."""
        found = extra.get("logprobs")
        return _legacy_logprobs(found["content"]) if found and self.legacy else found


class ChunkWriter:
    """Turns the events of one answer into the bytes of a stream.

    A text chunk is put together from two constant halves around the quoted text: no dict, no dump.
    """

    def __init__(self, head: CompletionHeader, *, wants_usage: bool = False) -> None:
        self._head = head
        self._wants_usage = wants_usage
        self._usage: Json = {"usage": None} if wants_usage else {}
        self._before = self._halves("content")
        self._thinking = self._halves("reasoning_content")
        self._tool_calls = False

    def _halves(self, name: str) -> tuple[str, str]:
        body = {"text": "\0"} if self._head.legacy else {"delta": {name: "\0"}}
        before, after = self._chunk(body).decode().split('"\\u0000"')
        return before, after

    def _chunk(self, body: Json, finish_reason: str | None = None) -> bytes:
        choice = {"index": 0, **body, "logprobs": None, "finish_reason": finish_reason}
        return encode(self._head.fields(chunk=True) | {"choices": [choice]} | self._usage)

    def opening(self) -> bytes:
        """The first chunk, which carries the role."""
        if self._head.legacy:
            return b""
        return self._chunk({"delta": {"role": "assistant", "content": ""}})

    def event(self, event: ModelEvent) -> bytes:
        """The chunk of one event; of `Finished`, all that is left to say."""
        match event:
            case TextDelta(text):
                before, after = self._before
                return (before + quoted(text) + after).encode("utf-8", "replace")
            case ReasoningDelta(text):
                if self._head.legacy:
                    return b""
                before, after = self._thinking
                return (before + quoted(text) + after).encode("utf-8", "replace")
            case TextWasThinking():
                return b""  # what was sent cannot be taken back
            case ToolCallDelta():
                self._tool_calls = True
                return self._chunk({"delta": {"tool_calls": [_tool_delta(event)]}})
            case Finished(finish_reason, usage, extra):
                return self._closing(_reason(finish_reason, self._tool_calls), usage, extra)

    async def closing(self) -> bytes:
        """The end of the stream."""
        return DONE

    def _closing(self, reason: str, usage: Usage, extra: Mapping[str, Any]) -> bytes:
        body: Json = {"text": ""} if self._head.legacy else {"delta": {}}
        logprobs = self._head.logprobs(extra)
        choice = {"index": 0, **body, "logprobs": logprobs, "finish_reason": reason}
        last = encode(
            self._head.fields(chunk=True) | {"choices": [choice]} | self._usage | _ours(extra)
        )
        if self._wants_usage:
            last += encode(
                self._head.fields(chunk=True) | {"choices": [], "usage": usage_json(usage)}
            )
        return last


async def completion(head: CompletionHeader, events: AsyncIterable[ModelEvent]) -> Json:
    """A whole answer as one object."""
    answer = await collected(events)
    finish = answer.finished
    choice: Json = {
        "index": 0,
        "logprobs": head.logprobs(finish.extra),
        "finish_reason": _reason(finish.finish_reason, bool(answer.tools)),
    }
    if head.legacy:
        choice["text"] = answer.text
    else:
        choice["message"] = _message(answer)
    usage = usage_json(finish.usage)
    return head.fields(chunk=False) | {"choices": [choice], "usage": usage} | _ours(finish.extra)


def _ours(extra: Mapping[str, Any]) -> Json:
    """What only our own modes tell: a council's report."""
    return {"konsilium": extra["konsilium"]} if "konsilium" in extra else {}


def _legacy_logprobs(tokens: Iterable[Json]) -> Json:
    columns: Json = {"tokens": [], "token_logprobs": [], "top_logprobs": [], "text_offset": []}
    offset = 0
    for token in tokens:
        others = {other["token"]: other["logprob"] for other in token["top_logprobs"]}
        row = (token["token"], token["logprob"], others, offset)
        for column, value in zip(columns.values(), row, strict=True):
            column.append(value)
        offset += len(token["token"])
    return columns


def _message(answer: Collected) -> Json:
    message: Json = {"role": "assistant", "content": answer.text or (None if answer.tools else "")}
    message["refusal"] = None
    if answer.thinking:
        message["reasoning_content"] = answer.thinking
    if answer.tools:
        message["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": call.arguments},
            }
            for call in answer.tools
        ]
    return message


def _reason(reason: str, tool_calls: bool) -> str:
    """Some servers end a tool call with `stop`; clients look for `tool_calls`."""
    return "tool_calls" if tool_calls and reason == "stop" else reason


def _tool_delta(event: ToolCallDelta) -> Json:
    function: Json = {"arguments": event.arguments}
    delta: Json = {"index": event.index}
    if event.id is not None or event.name is not None:
        delta |= {"id": event.id or call_id(), "type": "function"}
        function = {"name": event.name or "", **function}
    return delta | {"function": function}


def usage_json(usage: Usage) -> Json:
    """`usage` in OpenAI's form; its counts may not be null there, so unknown is 0."""
    prompt, answer = usage.input_tokens or 0, usage.output_tokens or 0
    body: Json = {
        "prompt_tokens": prompt,
        "completion_tokens": answer,
        "total_tokens": prompt + answer,
    }
    if usage.cached_tokens is not None:
        body["prompt_tokens_details"] = {"cached_tokens": usage.cached_tokens}
    if usage.reasoning_tokens is not None:
        body["completion_tokens_details"] = {"reasoning_tokens": usage.reasoning_tokens}
    return body
