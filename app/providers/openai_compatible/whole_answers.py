"""Whole completions of OpenAI-compatible servers on their way through, mended like the streams."""

import json
from typing import Any
from uuid import uuid4

from app.core.errors import MalformedAnswer
from app.core.events import Finished
from app.core.sse import StreamReader, payloads
from app.core.usage import Usage
from app.providers.chunks import Chunk, parsed_chunk
from app.providers.openai_compatible.answers import (
    BROKEN,
    FINISH_REASONS,
    broken,
    text_of,
    thinking_in,
    thinking_parts,
    usage_in,
    usage_of,
)
from app.providers.openai_compatible.functions import as_tool_calls
from app.providers.openai_compatible.passing import StreamMender, counted
from app.providers.thinking import whole
from app.providers.upstream_errors import WRONG_SHAPE, not_the_protocol


def mended_answer(
    server: str, model: str, body: bytes, *, functions: bool = False
) -> tuple[bytes, Finished]:
    """A whole completion as it is passed on, and how it ended. `functions`: as in StreamMender.

    Raises MalformedAnswer, IncompleteAnswer, or what the server says went wrong.
    """
    try:
        if body.startswith(b"["):
            raise MalformedAnswer("a list of chunks")
        answer, _ = parsed_chunk(server, model, body)
    except MalformedAnswer:
        reader = StreamReader()
        values = [*reader.payloads(body), *reader.rest()]
        whole = values == [body] and not body.startswith(b"[")
        if not reader.is_events and (whole or not values):
            raise
        answer = _joined(server, model, values)
        return _dumped(answer), _ending(answer)
    choices = answer.get("choices")
    if not (isinstance(choices, list) and all(isinstance(choice, dict) for choice in choices)):
        raise not_the_protocol(server, model, body)
    try:
        changed = _mend_answer(server, model, answer, functions)
        return _dumped(answer) if changed else body, _ending(answer)
    except WRONG_SHAPE as error:
        raise not_the_protocol(server, model, body) from error


def _mend_answer(server: str, model: str, answer: Chunk, functions: bool) -> bool:
    changed = False
    if isinstance(usage := answer.get("usage"), dict):
        answer["usage"] = counted(usage)
        changed = answer["usage"] != usage
    for choice in answer["choices"]:
        if (reason := choice.get("finish_reason")) in BROKEN:
            raise broken(server, model, reason, choice, answer)
        message = choice.get("message")
        if not isinstance(message, dict):
            continue
        if functions and (calls := as_tool_calls(message)):
            del message["function_call"]
            call_facts = {"id": f"call_{uuid4().hex[:24]}", "type": "function"}
            message["tool_calls"] = [{**call_facts, "function": call["function"]} for call in calls]
            choice["finish_reason"] = reason = "tool_calls"
            changed = True
        content = message.get("content")
        thought = thinking_parts(content)
        text = text_of(content) if content else content
        if isinstance(text, str) and not thinking_in(message):
            more, text = whole(text)
            thought += more
        if text != content:
            message["content"] = text
            changed = True
        if thought:
            message["reasoning_content"] = (message.get("reasoning_content") or "") + thought
            changed = True
        ours = FINISH_REASONS.get(reason) if isinstance(reason, str) else None
        if ours == "content_filter" and reason != ours:
            choice["finish_reason"] = ours
            changed = True
        if message.get("tool_calls") and reason == "stop":
            choice["finish_reason"] = "tool_calls"
            changed = True
    return changed


def _ending(answer: Chunk) -> Finished:
    choices = answer["choices"]
    first = choices[0] if choices else {}
    reason = FINISH_REASONS.get(first.get("finish_reason") or "stop", "stop")
    usage = usage_in(answer, first)
    return Finished(reason, usage_of(usage, answer.get("timings")) if usage else Usage())


def _joined(server: str, model: str, values: list[bytes]) -> Chunk:
    """A stream that came where a whole answer was asked for, as that answer."""
    mender = StreamMender(server, model, wants_usage=True)
    passed = b"".join(
        mender.passed(b"data: " + value.replace(b"\n", b" ") + b"\n\n") for value in values
    )
    passed += mender.closing()
    answer: Chunk = {}
    messages: dict[int, Chunk] = {}
    for data in payloads(passed):
        if data == b"[DONE]":
            continue
        chunk = json.loads(data)
        answer = {**chunk, **{name: value for name, value in answer.items() if value}}
        if chunk.get("usage"):
            answer["usage"] = chunk["usage"]
        for choice in chunk.get("choices") or ():
            _join_choice(messages, choice)
    answer["object"] = "chat.completion"
    answer["choices"] = [messages[index] for index in sorted(messages)]
    return answer


def _join_choice(choices: dict[int, Chunk], piece: Chunk) -> None:
    index = piece.get("index") or 0
    said: Chunk = {"role": "assistant", "content": ""}
    empty: Chunk = {"index": index, "message": said, "finish_reason": None}
    choice: Any = choices.setdefault(index, empty)
    message = choice["message"]
    delta: Chunk = piece.get("delta") or {}
    if delta.get("content"):
        message["content"] += text_of(delta["content"])
    if thought := thinking_in(delta):
        message["reasoning_content"] = (message.get("reasoning_content") or "") + thought
    for call in delta.get("tool_calls") or ():
        calls: list[Chunk] = message.setdefault("tool_calls", [])
        if call["index"] >= len(calls):
            calls.append(
                {"id": None, "type": "function", "function": {"name": "", "arguments": ""}}
            )
        known, function = calls[call["index"]], call.get("function") or {}
        known["id"] = known["id"] or call.get("id")
        known["function"]["name"] += function.get("name") or ""
        known["function"]["arguments"] += function.get("arguments") or ""
    choice["finish_reason"] = piece.get("finish_reason") or choice["finish_reason"]


def _dumped(answer: Chunk) -> bytes:
    text = json.dumps(answer, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "replace")
