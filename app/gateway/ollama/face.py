"""Answers in the form of Ollama's API: a line of JSON an event."""

import json
from collections.abc import AsyncIterable
from datetime import UTC, datetime
from json.encoder import encode_basestring as quoted
from typing import Any, ClassVar

from app.core.errors import ModelNotFound
from app.core.events import (
    Finished,
    ModelEvent,
    ReasoningDelta,
    TextDelta,
    TextWasThinking,
    ToolCallDelta,
)
from app.core.mending import object_in
from app.core.messages import ToolCall
from app.gateway.access import Caller
from app.gateway.errors import Answer
from app.gateway.face import Collected, Json, collected, joined_call, tool_calls
from app.gateway.http import ErrorForm, Exchange
from app.gateway.ollama.requests import chat_body, continues, generate_body
from app.gateway.openai.modes import ModeModels
from app.gateway.services import GatewayServices

LINES = b"application/x-ndjson"
_DONE = b'"done":true}\n'
_NANOSECONDS = 1_000_000_000


def error_body(answer: Answer) -> dict[str, Any]:
    """An error in Ollama's form."""
    return {"error": answer.message}


def timestamp() -> str:
    """Now, as Go writes it."""
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")


def line(value: Json) -> bytes:
    """One value of a stream."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return _one_line(text).encode("utf-8", "replace") + b"\n"


class OllamaQuestion:
    """A request to /api/chat or /api/generate."""

    def __init__(self, body: Json, *, generates: bool, legacy: bool = False) -> None:
        """`generates`: in the form of /api/generate."""
        self.body = body
        self.legacy = legacy
        self._generates = generates

    def writer(self, model: str) -> "LineWriter":
        return LineWriter(str(self.body["model"]), generates=self._generates)

    async def whole(self, model: str, events: AsyncIterable[ModelEvent]) -> Json:
        answer = await collected(events)
        said = _said(answer, generates=self._generates)
        head = {"model": str(self.body["model"]), "created_at": timestamp()}
        return head | said | _ending(answer.finished) | {"done": True}

    def broken(self, answer: Answer) -> bytes:
        return line(error_body(answer))


def _said(answer: Collected, *, generates: bool) -> dict[str, Any]:
    thinking = {"thinking": answer.thinking} if answer.thinking else {}
    if generates:
        return {"response": answer.text, **thinking}
    message: dict[str, Any] = {"role": "assistant", "content": answer.text, **thinking}
    if answer.tools:
        message["tool_calls"] = _calls(answer.tools)
    return {"message": message}


def _calls(calls: list[ToolCall]) -> list[dict[str, Any]]:
    return [
        {
            "id": call.id,
            "function": {
                "index": index,
                "name": call.name,
                "arguments": object_in(call.arguments),
            },
        }
        for index, call in enumerate(calls)
    ]


def _ending(finished: Finished) -> dict[str, Any]:
    usage, extra = finished.usage, finished.extra
    times = {
        "load_duration": usage.load_s,
        "prompt_eval_duration": usage.prompt_s,
        "eval_duration": usage.generation_s,
    }
    known = {name: int(value * _NANOSECONDS) for name, value in times.items() if value is not None}
    logprobs = extra.get("logprobs")
    return {
        "done_reason": "length" if finished.finish_reason == "length" else "stop",
        "total_duration": sum(known.values()),
        **known,
        "prompt_eval_count": usage.input_tokens or 0,
        "eval_count": usage.output_tokens or 0,
        **({"logprobs": logprobs["content"]} if logprobs else {}),
    }


class LineWriter:
    """The lines of one answer."""

    def __init__(self, model: str, *, generates: bool) -> None:
        self._model = model
        self._generates = generates
        self._calls: dict[int, ToolCallDelta] = {}
        self._text = self._halves("response" if generates else "content")
        self._thinking = self._halves("thinking")
        self._finished: Finished | None = None

    def _line(self, said: Json) -> bytes:
        form: Json = said
        if not self._generates:
            form = {"message": {"role": "assistant", "content": "", **said}}
        elif "response" not in said:
            form = {"response": "", **said}
        return line({"model": self._model, "created_at": timestamp(), **form, "done": False})

    def _halves(self, name: str) -> tuple[str, str]:
        before, after = self._line({name: "\0"}).decode().split('"\\u0000"')
        return before, after

    def opening(self) -> bytes:
        return b""

    def event(self, event: ModelEvent) -> bytes:
        match event:
            case TextDelta(text):
                return _between(self._text, text)
            case ReasoningDelta(text):
                return _between(self._thinking, text)
            case TextWasThinking():
                return b""  # what was sent cannot be taken back
            case ToolCallDelta():
                self._calls[event.index] = joined_call(self._calls.get(event.index), event)
                return b""
            case Finished():
                self._finished = event
                calls = tool_calls(self._calls)
                return self._line({"tool_calls": _calls(calls)}) if calls else b""

    async def closing(self) -> bytes:
        said = {"response": ""} if self._generates else {"message": _EMPTY}
        ending = _ending(self._finished) if self._finished else {}
        head = {"model": self._model, "created_at": timestamp()}
        return line({**head, **said, **ending, "done": True})


def _between(halves: tuple[str, str], text: str) -> bytes:
    before, after = halves
    return (before + _one_line(quoted(text)) + after).encode("utf-8", "replace")


def _one_line(said: str) -> str:
    """Without what Python clients take for the end of a line."""
    return said if said.isascii() else said.translate(_LINE_ENDS)


_LINE_ENDS = {ord(each): f"\\u{ord(each):04x}" for each in "\u0085\u2028\u2029"}
_EMPTY = {"role": "assistant", "content": ""}
_SILENT = {"model": "", "created_at": "1970-01-01T00:00:00Z"}


class OllamaFace:
    """/api/chat, or /api/generate."""

    passes: ClassVar[str | None] = None
    content_type: ClassVar[bytes] = LINES
    ends: ClassVar[tuple[bytes, ...]] = (_DONE,)
    councils: ClassVar[bool] = True
    errors: ErrorForm = staticmethod(error_body)

    def __init__(
        self, services: GatewayServices, modes: ModeModels, *, generates: bool = False
    ) -> None:
        self._services = services
        self._modes = modes
        self._generates = generates
        said = {"response": ""} if generates else {"message": _EMPTY}
        self.ping = line({**_SILENT, **said, "done": False})

    async def read(self, x: Exchange, caller: Caller) -> OllamaQuestion:
        asked = await x.json()
        known = {**asked, "model": listed_name(self._services, self._modes, caller, asked)}
        if self._generates:
            return OllamaQuestion(generate_body(known), generates=True, legacy=continues(known))
        return OllamaQuestion(chat_body(known), generates=False)


def listed_name(
    services: GatewayServices, modes: ModeModels, caller: Caller, asked: Json
) -> object:
    """The model's name: clients of Ollama put `:latest` behind one that has no tag."""
    name = asked.get("model") or asked.get("name")
    if not isinstance(name, str) or not name.endswith(":latest"):
        return name
    bare = name.removesuffix(":latest")
    if bare in modes.names:
        return bare
    try:
        services.candidates(caller, name)
    except ModelNotFound:
        return bare
    return name
