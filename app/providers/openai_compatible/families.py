"""What is known of model families where a server's list says no more than an id.

Windows of Yandex' models: the AI Studio documentation, as of August 2026; of OpenAI's: its pages of
models, as of 2025.
"""

import re
from dataclasses import dataclass

from app.core.models import Capability as C

CHAT = frozenset({C.COMPLETION, C.TOOLS, C.JSON_MODE, C.JSON_SCHEMA})
SEEING = CHAT | {C.VISION}
THINKING = CHAT | {C.THINKING}


@dataclass(frozen=True, slots=True)
class Family:
    """Models whose id matches: what they can do, and the window in tokens where it is known."""

    pattern: re.Pattern[str]
    capabilities: frozenset[C]
    window: int | None = None
    sampled: bool = True
    """Takes a temperature: OpenAI's reasoning models refuse any but their own."""


def _family(
    pattern: str, capabilities: frozenset[C], window: int | None = None, *, sampled: bool = True
) -> Family:
    return Family(re.compile(pattern, re.IGNORECASE), capabilities, window, sampled)


FAMILIES = (
    _family(r"embed|text-search-|\bbge-|\be5-", frozenset({C.EMBEDDING})),
    _family(r"whisper|transcribe", frozenset({C.TRANSCRIPTION})),
    _family(
        r"tts|dall-e|gpt-image|image-gen|yandexart|moderation|realtime|sora|rerank|speech|classif",
        frozenset(),
    ),
    _family(r"^aliceai-llm-flash", CHAT, 65_536),
    _family(r"^aliceai-llm", CHAT, 131_072),
    _family(r"^yandexgpt", CHAT, 32_768),
    _family(r"deepseek-v4-flash", THINKING, 1_048_576),
    _family(r"qwen3\.6-35b|qwen3-235b", THINKING, 262_144),
    _family(r"gpt-oss", THINKING, 131_072),
    _family(r"gemma-?3", SEEING, 131_072),
    _family(r"^gpt-4o", SEEING, 128_000),
    _family(r"^gpt-4\.1", SEEING, 1_047_576),
    _family(r"^gpt-5", SEEING | THINKING, 400_000, sampled=False),
    _family(r"^o[134]\b", SEEING | THINKING, 200_000, sampled=False),
    _family(r"gpt-4o|gpt-4\.1|gpt-5|\bo[34]\b|claude|gemini|-vl\b|vision|llava|pixtral", SEEING),
    _family(r"reasoner|qwq|-r1\b|thinking", THINKING),
)
"""First match wins."""

UNKNOWN = _family("", CHAT)


def family_of(id: str) -> Family:
    """The family of a model's id."""
    return next((family for family in FAMILIES if family.pattern.search(id)), UNKNOWN)
