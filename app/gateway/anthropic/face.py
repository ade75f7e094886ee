"""Answers in the form of Anthropic's Messages API."""

import json
from collections.abc import AsyncIterable, Mapping
from json.encoder import encode_basestring as quoted
from typing import Any, ClassVar
from uuid import uuid4

from app.core.events import (
    Finished,
    ModelEvent,
    ReasoningDelta,
    TextDelta,
    TextWasThinking,
    ToolCallDelta,
)
from app.core.mending import object_in
from app.core.usage import Usage
from app.gateway.access import Caller
from app.gateway.anthropic.requests import chat_body, wants_thinking
from app.gateway.errors import Answer, InvalidField
from app.gateway.face import Json, call_id, collected, likely_tokens
from app.gateway.http import EVENTS, ErrorForm, Exchange
from app.gateway.openai.modes import ModeModels
from app.gateway.openai.requests import chat_request, whole_number
from app.gateway.services import GatewayServices

_REASONS = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "content_filter": "refusal",
}
_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    408: "timeout_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
}
_TOO_LONG = "prompt is too long: "
"""How Anthropic's errors of that kind begin: Claude Code shortens its conversation when it reads it."""
_UNSIGNED = "unsigned"
"""Thinking has a signature, which only Anthropic could check; some clients want it not to be empty."""


def error_body(answer: Answer) -> dict[str, Any]:
    """An error in Anthropic's form."""
    kind = _TYPES.get(answer.status, "api_error" if answer.status >= 500 else _TYPES[400])
    message = answer.message
    if answer.code == "context_length_exceeded":
        message = _TOO_LONG + message
    elif answer.status == 400 and answer.param and answer.param not in message:
        message = f"{answer.param}: {message}"
    return {"type": "error", "error": {"type": kind, "message": message}}


def _event(name: str, **fields: Any) -> bytes:
    data = json.dumps({"type": name, **fields}, ensure_ascii=False, separators=(",", ":"))
    return f"event: {name}\ndata: {data}\n\n".encode("utf-8", "replace")


_STOP = _event("message_stop")


class MessagesQuestion:
    """A request to /v1/messages."""

    legacy = False

    def __init__(self, asked: Json) -> None:
        self.body = chat_body(asked)
        self._shows_thinking = wants_thinking(asked)

    def writer(self, model: str) -> "MessageWriter":
        prompt = sum(len(str(message.get("content"))) for message in self.body["messages"])
        return MessageWriter(model, prompt // 4, shows_thinking=self._shows_thinking)

    async def whole(self, model: str, events: AsyncIterable[ModelEvent]) -> Json:
        answer = await collected(events)
        content: list[dict[str, Any]] = []
        if answer.thinking and self._shows_thinking:
            thought = {"thinking": answer.thinking, "signature": _UNSIGNED}
            content.append({"type": "thinking", **thought})
        if answer.text:
            content.append({"type": "text", "text": answer.text})
        content += [
            {
                "type": "tool_use",
                "id": call.id,
                "name": call.name,
                "input": object_in(call.arguments),
            }
            for call in answer.tools
        ]
        reason = _reason(answer.finished.finish_reason, called=bool(answer.tools))
        usage = _usage(answer.finished.usage)
        return _message(model, content) | {"stop_reason": reason, "usage": usage}

    def broken(self, answer: Answer) -> bytes:
        return _event("error", error=error_body(answer)["error"])


def _message(model: str, content: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "id": f"msg_{uuid4().hex[:24]}",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": content,
        "stop_reason": None,
        "stop_sequence": None,
    }


def _reason(reason: str, *, called: bool) -> str:
    return "tool_use" if called and reason == "stop" else _REASONS.get(reason, "end_turn")


def _usage(usage: Usage) -> dict[str, int]:
    """Tokens that came from a cache are counted apart from the prompt's others."""
    cached = usage.cached_tokens or 0
    return {
        "input_tokens": max(0, (usage.input_tokens or 0) - cached),
        "output_tokens": usage.output_tokens or 0,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": cached,
    }


class MessageWriter:
    """The events of one answer, block after block."""

    def __init__(self, model: str, prompt_tokens: int, *, shows_thinking: bool) -> None:
        """`prompt_tokens`: what to say of the prompt before the server has counted it."""
        self._model = model
        self._prompt = prompt_tokens
        self._shows_thinking = shows_thinking
        self._index = -1
        self._open: str | None = None
        """Kind of the block that is being written."""
        self._delta = ("", "")
        """What stands before and after the next words of it."""
        self._call: int | None = None
        self._blocks: dict[int, int] = {}
        """The block of each tool call."""

    def opening(self) -> bytes:
        message = _message(self._model, [])
        usage = _usage(Usage(self._prompt, 0))
        return _event("message_start", message=message | {"usage": usage})

    def event(self, event: ModelEvent) -> bytes:
        match event:
            case TextDelta(text):
                return self._said("text", "text_delta", text) if text else b""
            case ReasoningDelta(text):
                shown = self._shows_thinking and text
                return self._said("thinking", "thinking_delta", text) if shown else b""
            case TextWasThinking():
                return b""  # what was sent cannot be taken back
            case ToolCallDelta():
                return self._called(event)
            case Finished(reason, usage):
                told = {"stop_reason": _reason(reason, called=bool(self._blocks))}
                delta = told | {"stop_sequence": None}
                return self._end() + _event("message_delta", delta=delta, usage=_usage(usage))

    async def closing(self) -> bytes:
        return _STOP

    def _said(self, kind: str, delta: str, text: str) -> bytes:
        begun = b""
        if self._open != kind:
            block = {"type": kind, kind: ""} | ({"signature": ""} if kind == "thinking" else {})
            begun = self._end() + self._begin(kind, block)
            field = {"type": delta, kind: "\0"}
            whole = _event("content_block_delta", index=self._index, delta=field)
            before, after = whole.decode().split('"\\u0000"')
            self._delta = before, after
        before, after = self._delta
        return begun + (before + quoted(text) + after).encode("utf-8", "replace")

    def _called(self, event: ToolCallDelta) -> bytes:
        begun = b""
        if event.index not in self._blocks:
            name = event.name or ""
            block = {"type": "tool_use", "id": event.id or call_id(), "name": name, "input": {}}
            begun = self._end() + self._begin("tool_use", block)
            self._blocks[event.index] = self._index
        if not event.arguments:
            return begun
        delta = {"type": "input_json_delta", "partial_json": event.arguments}
        index = self._blocks[event.index]
        return begun + _event("content_block_delta", index=index, delta=delta)

    def _begin(self, kind: str, block: Mapping[str, Any]) -> bytes:
        self._open = kind
        self._index += 1
        return _event("content_block_start", index=self._index, content_block=block)

    def _end(self) -> bytes:
        """The end of the block that is open, if one is."""
        kind, self._open = self._open, None
        if kind is None:
            return b""
        signed = b""
        if kind == "thinking":
            delta = {"type": "signature_delta", "signature": _UNSIGNED}
            signed = _event("content_block_delta", index=self._index, delta=delta)
        return signed + _event("content_block_stop", index=self._index)


class Messages:
    """The face."""

    passes: ClassVar[str | None] = None
    content_type: ClassVar[bytes] = EVENTS
    ping: bytes = _event("ping")
    ends: ClassVar[tuple[bytes, ...]] = (_STOP,)
    councils: ClassVar[bool] = True
    errors: ErrorForm = staticmethod(error_body)

    async def read(self, x: Exchange, caller: Caller) -> MessagesQuestion:
        asked = await x.json()
        question = MessagesQuestion(asked)
        if whole_number(asked, "max_tokens") is None:
            raise InvalidField("`max_tokens` must be a whole number.", "max_tokens")
        return question


class TokenCounts:
    """/v1/messages/count_tokens: an estimate, as no server counts without answering."""

    def __init__(self, services: GatewayServices, modes: ModeModels) -> None:
        self._services = services
        self._modes = modes

    async def __call__(self, x: Exchange) -> None:
        caller = await self._services.authenticator.caller(x)
        body = chat_body(await x.json())
        model = body.get("model")
        if not isinstance(model, str) or not model.strip():
            raise InvalidField("`model` must be a model's name.", "model")
        if self._modes.mode(model.strip()) is None:
            self._services.candidates(caller, model.strip())
        request = chat_request(body, x.request_id)
        await x.reply_json({"input_tokens": likely_tokens(request)})
