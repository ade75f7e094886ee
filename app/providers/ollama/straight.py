"""Lines of another shape than Ollama's protocol, put into that shape. Pure.

For all that is not the plain text of a token. Programs that speak Ollama's protocol without being Ollama,
and proxies before it, mix it with OpenAI's: what both have in common is straightened by the same code.
"""

from collections.abc import Mapping
from typing import Any

from app.providers.chunks import Chunk
from app.providers.openai_compatible.straight import BROKEN, straighten_said
from app.providers.openai_compatible.usage import usage_in, usage_of
from app.providers.shapes import objects_in, reason_of, text_of
from app.providers.upstream_errors import error_in_body, is_failure, names_error, says_error

_BESIDE = ("tool_calls", "function_call", "thinking", "reasoning", "reasoning_content")
"""What belongs into the message, and stands beside it from careless programs."""
_REASONS = ("done_reason", "finish_reason", "finishReason", "stop_reason")
_YES = ("true", "yes", "1", "1.0")
_FAILED = ("error", "failed", "failure")
COUNTS = ("prompt_eval_count", "eval_count")


def straighten(server: str, model: str, chunk: Mapping[str, Any]) -> Chunk:
    """The line with a `message` of text, thinking and whole tool calls, `done` as a truth value, its reason
    in small letters, and its counts at the top. Raises what the server says went wrong, or one of
    `WRONG_SHAPE`."""
    straight = dict(chunk)
    choice = next(iter(objects_in(chunk.get("choices"))), {})
    straight["message"] = message = _message(chunk, choice)
    failed = str(chunk.get("status")).lower() in _FAILED or chunk.get("success") is False
    bare = not message and chunk.get("message") is None and says_error(chunk)
    if failed or bare or names_error(chunk):
        raise error_in_body(server, model, chunk)
    for holder in (message, choice):
        if is_failure(holder.get("error")):
            raise error_in_body(server, model, holder)
    places = (chunk, choice)
    words = (reason_of(place.get(name)) for place in places for name in _REASONS)
    reason = next(filter(None, words), None)
    if reason in BROKEN:
        spoken = message.get("content") or chunk.get("error_message") or f"done_reason: {reason}"
        raise error_in_body(server, model, {"error": spoken})
    straight["done_reason"] = reason
    done = chunk.get("done")
    straight["done"] = reason is not None if done is None else str(done).strip().lower() in _YES
    straighten_said(message, functions=True)
    if not any(name in chunk for name in COUNTS) and (counted := usage_in(chunk, choice)):
        usage = usage_of(counted)
        straight |= zip(COUNTS, (usage.input_tokens, usage.output_tokens), strict=True)
    return straight


def _message(chunk: Mapping[str, Any], choice: Mapping[str, Any]) -> Chunk:
    """What the line says, from wherever it stands."""
    said = chunk.get("message")
    if said is None:
        said = choice.get("delta") or choice.get("message") or chunk.get("delta")
    if said is None and (messages := chunk.get("messages")):
        said = messages[-1]
    if said is None:
        said = next((text for name in ("response", "content") if (text := chunk.get(name))), {})
    if isinstance(said, list):
        said = {key: one[key] for one in objects_in(said) for key in one}
    message = dict(said) if isinstance(said, Mapping) else {"content": text_of(said)}
    return message | {
        name: value for name in _BESIDE if (value := chunk.get(name)) and not message.get(name)
    }
