"""Values in answers, in whatever shape servers give them: texts, thinking, counts, ends. Pure."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from app.core.events import FinishReason

FINISH_REASONS: Mapping[str, FinishReason] = {
    "stop": "stop",
    "length": "length",
    "limit": "length",
    "max_tokens": "length",
    "max_length": "length",
    "max_new_tokens": "length",
    "max_output_tokens": "length",
    "model_length": "length",
    "token_limit": "length",
    "incomplete": "length",
    "too_long": "length",
    "context_length_exceeded": "length",
    "max_output_reached": "length",
    "max_tokens_reached": "length",
    "model_context_window_exceeded": "length",
    "tool_calls": "tool_calls",
    "tool_call": "tool_calls",
    "tool_use": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
    "content_filtered": "content_filter",
    "filtered": "content_filter",
    "image_safety": "content_filter",
    "blacklist": "content_filter",
    "blocklist": "content_filter",
    "guardrail_intervened": "content_filter",
    "moderation": "content_filter",
    "prohibited_content": "content_filter",
    "recitation": "content_filter",
    "refusal": "content_filter",
    "safety": "content_filter",
    "sensitive": "content_filter",
    "spii": "content_filter",
}
"""Their words and ours; any other word (eos, end_turn) is a plain end."""
_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])")
_NO_REASON = ("", "null", "none", "finish_reason_unspecified")
"""What some servers write as long as the answer goes on."""
THINKING_NAMES = (
    "reasoning_content",
    "reasoning",
    "thinking",
    "reasoning_text",
    "thinking_content",
    "thought",
    "thoughts",
    "reasoningContent",
    "chain_of_thought",
    "reasoning_details",
    "thinking_blocks",
)
"""What servers call the thinking in a delta or a message, the most usual first."""
_THOUGHTS = ("thinking", "reasoning", "thought", "reasoning_text", "reasoning_summary")
MOST, MAX_TOKENS = 10**15, 500_000_000
"""Bytes or anything else, and tokens: more of them are a slip of the server."""
_TEXTS = ("text", "output_text", "refusal", None, "")


def text_of(value: object) -> str:
    """A text; some servers send content as parts, `[{"type": "text", "text": ...}]`, bare texts, an object
    or a number. Thinking among the parts is left out."""
    if type(value) is str:
        return value
    if value is None:
        return ""
    if isinstance(value, list):
        return "".join(text_of(part) for part in value if isinstance(part, str | Mapping | list))
    if isinstance(value, Mapping):
        if _is_thought(value) or value.get("type") not in _TEXTS:
            return ""
        return text_of(value.get("text") or value.get("content") or value.get("refusal"))
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    raise TypeError(f"text expected, not {value!r}")


def thinking_in(said: Mapping[str, Any]) -> str:
    """The thinking in a delta or a message, by the names that servers have for it, or among the parts of
    its content."""
    for name in THINKING_NAMES:
        if (given := said.get(name)) and (text := _thought(given)):
            return text
    content = said.get("content")
    if text := _thoughts_among([content] if isinstance(content, Mapping) else content):
        return text
    further = said.get("provider_specific_fields")  # LiteLLM
    return thinking_in(further) if isinstance(further, Mapping) else ""


def _thoughts_among(parts: object) -> str:
    if not isinstance(parts, list):
        return ""
    return "".join(
        _thought(part) for part in parts if isinstance(part, Mapping) and _is_thought(part)
    )


def _is_thought(part: Mapping[str, Any]) -> bool:
    return part.get("type") in _THOUGHTS or part.get("thought") is True


def _thought(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return "".join(map(_thought, value))
    if isinstance(value, Mapping):
        names = ("text", "thinking", "summary", "content", "reasoning", "reasoningText")
        return next((text for name in names if (text := _thought(value.get(name)))), "")
    return ""


def reason_of(value: object) -> str | None:
    """The word for how an answer ended, in small letters (`contentFilter` and `content-filter` are
    `content_filter`), out of a word or an object; None as long as it goes on."""
    if isinstance(value, Mapping):
        value = next(
            (said for name in ("type", "reason", "value", "name") if (said := value.get(name))),
            None,
        )
    if isinstance(value, list):
        value = value[0] if value else None
    word = _HUMP.sub("_", str(value or "").strip()).replace("-", "_").lower()
    return None if word in _NO_REASON else word


def count(value: object, most: int = MOST) -> int | None:
    """A count; some servers write it as text (Yandex), as 10.0, or both. None for what is none, as for more
    than `most`: no database would take it, and with it nothing that stands beside it."""
    if isinstance(value, str):
        digits = value.strip().removesuffix(".0")
        value = int(digits) if digits.isdecimal() and len(digits) <= len(str(most)) else None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        return None
    return value if 0 <= value <= most else None


def tokens(value: object) -> int | None:
    """A count of tokens."""
    return count(value, MAX_TOKENS)


def objects_in(value: object) -> Iterable[dict[str, Any]]:
    """The objects of a list; of one object that stands in place of a list, that one, or what it holds under
    `"0"`, `"1"`."""
    if isinstance(value, dict):
        numbered = [one for key, one in value.items() if str(key).isdecimal()]
        value = numbered or [value]
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
