"""Tokens that OpenAI-compatible servers count, wherever and however they say it. Pure."""

import re
from collections.abc import Mapping
from typing import Any

from app.core.usage import Usage
from app.providers.shapes import objects_in, tokens

PROMPT = ("prompt_tokens", "input_tokens", "prompt_token_count", "input_token_count", "input_text_tokens", "prompt_eval_count", "tokens_prompt")  # fmt: skip
OUTPUT = ("completion_tokens", "output_tokens", "completion_token_count", "output_token_count", "generated_tokens", "candidates_token_count", "eval_count", "tokens_completion")  # fmt: skip
TOTAL = ("total_tokens", "total_token_count")
CACHED = ("prompt_cache_hit_tokens", "cached_tokens", "cached_content_token_count", "cache_read_input_tokens", "num_cached_tokens")  # fmt: skip
"""Tokens of the prompt that were kept from before, outside of any details: DeepSeek, Gemini's own
protocol, Anthropic's, others."""
THOUGHT = ("reasoning_tokens", "thoughts_token_count", "thinking_tokens")
FREE = "precached_prompt_tokens"
"""GigaChat's: tokens of the prompt that were kept from before and are not paid, beside `prompt_tokens` and
the total. Source: developers.sber.ru/docs/ru/gigachat/guides/counting-tokens, read 2026-11-29."""
ANTHROPIC_CACHE = ("cache_read_input_tokens", "cache_creation_input_tokens")
_PLACES = ("usage", "usageMetadata", "usage_metadata", "token_usage")
_MAX_MS = 1e9
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def usage_in(chunk: Mapping[str, Any], choice: Mapping[str, Any]) -> dict[str, Any]:
    """The counts of a chunk or an answer, empty where it has none: at the top, in its first choice
    (Moonshot), in what that says, under `x_groq`, or only among llama.cpp's `timings`."""
    told = (choice.get("delta"), choice.get("message"), chunk.get("message"), chunk.get("x_groq"))
    for holder in (chunk, choice, *told):
        if isinstance(holder, Mapping):
            for name in _PLACES:
                for found in objects_in(holder.get(name)):
                    if said := {key: value for key, value in found.items() if value is not None}:
                        return _with_free(said)
    timings = chunk.get("timings")
    if isinstance(timings, Mapping) and "predicted_n" in timings:
        cached = tokens(timings.get("cache_n")) or 0
        read = tokens(timings.get("prompt_n"))
        prompt = None if read is None else read + cached
        return {"prompt_tokens": prompt, "completion_tokens": tokens(timings["predicted_n"])}
    return {}


def _with_free(usage: dict[str, Any]) -> dict[str, Any]:
    """The same where all tokens of the prompt are counted together."""
    free = tokens(usage.get(FREE))
    prompt = tokens(usage.get(PROMPT[0]))
    if free is None or prompt is None:
        return usage
    total = tokens(usage.get(TOTAL[0]))
    whole = {} if total is None else {TOTAL[0]: total + free}
    details = {"prompt_tokens_details": {"cached_tokens": free}}
    rest = {name: value for name, value in usage.items() if name != FREE}
    return rest | whole | details | {PROMPT[0]: prompt + free}


def merged(before: Mapping[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    """What is known of the counts once more of them has come: the later ones, and of the earlier ones what
    they leave out, but for a total that may have grown."""
    kept = {name: value for name, value in before.items() if name not in TOTAL}
    return {**kept, **more}


def counted(usage: Mapping[str, Any]) -> dict[str, Any]:
    """The same counts as numbers, and by OpenAI's names, too, where they had none of them."""
    numbers: dict[str, Any] = {name: _number(value) for name, value in usage.items()}
    found = usage_of(usage)
    if usage and not (OUTPUT[0] in usage or (PROMPT[0] in usage and not found.output_tokens)):
        prompt, output = found.input_tokens or 0, found.output_tokens or 0
        total = {PROMPT[0]: prompt, OUTPUT[0]: output, TOTAL[0]: prompt + output}
        numbers = {**total, **numbers}
    return numbers


def usage_of(usage: Mapping[str, Any], timings: object = None) -> Usage:
    """A `usage` object as ours: OpenAI's, others' names for the same, llama.cpp's timings.

    Thinking that a server counts beside `completion_tokens` (xAI), or in `total_tokens` alone (Gemini),
    is output: it is paid as such.
    """
    known = usage if PROMPT[0] in usage or OUTPUT[0] in usage else _plain_names(usage)
    prompt, output = _first(known, PROMPT), _first(known, OUTPUT)
    details = _details(known, "prompt_tokens_details", "input_tokens_details")
    cached = tokens(details.get("cached_tokens"))
    if cached is None:
        cached = _first(known, CACHED)
    details = _details(known, "completion_tokens_details", "output_tokens_details")
    thought = tokens(details.get("reasoning_tokens"))
    if thought is None:
        thought = _first(known, THOUGHT)
    total = _first(known, TOTAL)
    if (
        PROMPT[0] not in known and prompt is not None
    ):  # Anthropic counts the kept ones beside the others
        prompt += sum(tokens(known.get(name)) or 0 for name in ANTHROPIC_CACHE)
    if output is None and prompt is not None and total is not None and total > prompt:
        output = total - prompt
    if total is None and output is not None and "candidates_token_count" in known:
        output += thought or 0
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


def _plain_names(usage: Mapping[str, Any]) -> dict[str, Any]:
    """`promptTokens` as `prompt_tokens`."""
    return {_HUMP.sub("_", name).lower(): value for name, value in usage.items()}


def _first(usage: Mapping[str, Any], names: tuple[str, ...]) -> int | None:
    return next((found for name in names if (found := tokens(usage.get(name))) is not None), None)


def _number(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _number(inner) for name, inner in value.items()}
    known = tokens(value) if isinstance(value, str) else None
    return value if known is None else known


def _details(usage: Mapping[str, Any], name: str, other: str) -> Mapping[str, Any]:
    found = usage.get(name, usage.get(other))
    return found if isinstance(found, dict) else {}


def _seconds(milliseconds: object) -> float | None:
    if not isinstance(milliseconds, int | float):
        return None
    return milliseconds / 1000 if 0 <= milliseconds < _MAX_MS else None
