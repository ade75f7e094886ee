"""Chunks and answers of another shape than the protocol's, put into that shape. Pure.

For all that is not the plain text of a token: there the shape is looked at first, and nothing else is
done. What reads the result need not know what servers make of the protocol.
"""

import json
from collections.abc import Mapping
from typing import Any

from app.core.errors import KonsiliumError, ServerBusy
from app.providers.chunks import Chunk
from app.providers.openai_compatible.functions import as_tool_calls
from app.providers.shapes import count, objects_in, reason_of, text_of, thinking_in
from app.providers.upstream_errors import error_in_body, is_failure, says_error

BROKEN = (
    "error",
    "abort",
    "aborted",
    "failed",
    "exception",
    "internal_error",
    "server_error",
    "network_error",
    "malformed_function_call",
    "insufficient_system_resource",
)
"""Finish reasons of an answer that the server gave up."""
_ENDS = ("finish_reason", "finishReason", "stop_reason", "finish_details")


def straighten(server: str, model: str, chunk: Chunk, *, functions: bool = True) -> bool:
    """Mends the chunk (or whole answer) in place and says whether there was anything to mend. `functions`:
    a `function_call`, the form that tool calls had before, becomes one of today's.

    Raises what the server says went wrong, or one of `WRONG_SHAPE` where it is not of the protocol.
    """
    if says_error(chunk):
        raise error_in_body(server, model, chunk)
    changed = _without_error(chunk)
    choices = chunk.get("choices")
    if choices is None and "choices" not in chunk:
        return changed
    straight = list(objects_in(choices))
    if choices and not straight and choices != [None]:
        raise TypeError("choices that are no objects")
    if straight != choices:
        chunk["choices"] = straight
        changed = True
    for choice in straight:
        changed |= _straighten_choice(server, model, chunk, choice, functions)
    return changed


def _without_error(holder: Chunk) -> bool:
    """Takes away an `error` that is none: careless clients look whether there is one."""
    if holder.get("error") is None or is_failure(holder["error"]):
        return False
    del holder["error"]
    return True


def _straighten_choice(
    server: str, model: str, chunk: Chunk, choice: Chunk, functions: bool
) -> bool:
    changed = _without_error(choice)
    if "index" in choice and type(choice["index"]) is not int:
        choice["index"] = count(choice["index"]) or 0
        changed = True
    if all(choice.get(name) is None for name in ("delta", "message", "text")):
        choice["delta"] = {}
        changed = True
    for name in ("delta", "message"):
        said = choice.get(name)
        if isinstance(said, list):
            said = choice[name] = {key: one[key] for one in objects_in(said) for key in one}
            changed = True
        elif said and not isinstance(said, dict):
            said = choice[name] = {"content": text_of(said)}
            changed = True
        if isinstance(said, dict):
            if is_failure(said.get("error")):
                raise error_in_body(server, model, said)
            changed |= _without_error(said)
            changed |= straighten_said(said, functions=functions)
    if is_failure(choice.get("error")):
        raise error_in_body(server, model, choice)
    return changed | _straighten_end(server, model, chunk, choice)


def _straighten_end(server: str, model: str, chunk: Chunk, choice: Chunk) -> bool:
    delta = choice.get("delta")
    places = (choice, delta) if isinstance(delta, dict) else (choice,)
    words = (reason_of(place.get(name)) for place in places for name in _ENDS)
    reason = next(filter(None, words), None)
    if reason in BROKEN:
        raise _broken(server, model, str(reason), choice, chunk)
    if choice.get("finish_reason") == reason:
        return False
    choice["finish_reason"] = reason
    return True


def _broken(
    server: str, model: str, reason: str, choice: Mapping[str, Any], chunk: Mapping[str, Any]
) -> KonsiliumError:
    """The error behind one of the BROKEN finish reasons, in the server's words where it has any."""
    message = choice.get("message")
    spoken = message.get("content") if isinstance(message, dict) else message
    words = spoken or chunk.get("message") or f"finish_reason: {reason}"
    if reason == "insufficient_system_resource":
        return ServerBusy(str(words), server=server, model=model)
    return error_in_body(server, model, {"error": words})


def straighten_said(said: Chunk, *, functions: bool) -> bool:
    """The same for a delta or a message by itself: its text and its thinking become texts, its tool calls
    pieces with a `function` of texts."""
    changed = False
    content = said.get("content")
    whole_thought = said.get("thought") is True and isinstance(content, str)
    thinking = content if whole_thought else thinking_in(said)
    if content is None and isinstance(said.get("text"), str):
        content = said["text"]
    text = None if whole_thought or content is None else text_of(content)
    if text != said.get("content"):
        said["content"] = text
        changed = True
    usual = said.get("reasoning_content") or said.get("reasoning")
    if thinking and thinking != usual:
        if not isinstance(said.get("reasoning"), str | None):
            del said["reasoning"]
        said["reasoning_content"] = thinking
        changed = True
    return changed | _straighten_calls(said, functions)


def _straighten_calls(said: Chunk, functions: bool) -> bool:
    given = said.get("tool_calls")
    if functions and not given and (calls := as_tool_calls(said)):
        del said["function_call"]
        said["tool_calls"] = calls
        return True
    if not given:
        return False
    calls = list(objects_in(given))
    changed = bool(calls != given)
    for at, call in enumerate(calls):
        straight = _straight_call(call)
        if straight != call:
            calls[at], changed = straight, True
    if changed:
        said["tool_calls"] = calls
    return changed


def _straight_call(call: Chunk) -> Chunk:
    """A piece of a tool call whose name and arguments stand within its `function`, as texts."""
    within = call.get("function")
    function = dict(within) if isinstance(within, Mapping) else {}
    straight = {name: value for name, value in call.items() if name not in _FLAT}
    if isinstance(within, str):
        function["name"] = within
    if not isinstance(call.get("id"), str | None):
        straight["id"] = str(call["id"])
    for name, ours in _FLAT.items():
        if name in call and ours not in function:
            function[ours] = call[name]
    arguments = function.get("arguments")
    if not isinstance(arguments, str | None):
        function["arguments"] = json.dumps(arguments, ensure_ascii=False)
    return {**straight, "function": function}


_FLAT = {
    "name": "name",
    "arguments": "arguments",
    "parameters": "arguments",
    "args": "arguments",
    "input": "arguments",
}
"""Where a call that has no `function` within it keeps name and arguments."""
