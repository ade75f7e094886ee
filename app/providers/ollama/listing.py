"""What an Ollama server says about its models, as profiles: pure translation."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from app.core.models import Capability, LoadState, ModelProfile, ModelRef, Recommendation
from app.core.reading import clean
from app.providers.ollama.client import ShowResponse
from app.providers.shapes import count, objects_in

CLOUD_SUFFIXES = (":cloud", "-cloud")

MAX_RECOMMENDED, MAX_ABOUT_LENGTH = 20, 200
"""Recommendations that are shown, and characters of what is said of each."""

CAPABILITIES: Mapping[str, tuple[Capability, ...]] = {
    "completion": (Capability.COMPLETION, Capability.JSON_MODE, Capability.JSON_SCHEMA),
    "embedding": (Capability.EMBEDDING,),
    "vision": (Capability.VISION,),
    "tools": (Capability.TOOLS,),
    "thinking": (Capability.THINKING,),
    "audio": (Capability.TRANSCRIPTION,),
}
"""Ollama's words and ours. Its sampler obeys a schema for every model that completes."""


def profile(
    server: str,
    tag: Mapping[str, Any],
    shown: ShowResponse | None,
    load: LoadState | None,
) -> ModelProfile:
    """One entry of `/api/tags`, with `/api/show` and `/api/ps` where they are known."""
    details = tag.get("details")
    if not isinstance(details, Mapping):
        details = {}
    said = tag.get("capabilities") or (shown.capabilities if shown else None)
    return ModelProfile(
        ref=ModelRef(server, tag["name"]),
        capabilities=capabilities(said),
        longest=longest_context(shown) or _count(details.get("context_length")),
        size_bytes=count(tag.get("size")),
        parameter_size=_word(details.get("parameter_size")),
        quantization=_word(details.get("quantization_level")),
        family=_word(details.get("family")),
        digest=_word(tag.get("digest")),
        load=load,
        local=not (tag.get("remote_host") or is_cloud(tag["name"])),
        modified_at=moment(tag.get("modified_at")),
    )


def entries(listed: object) -> list[dict[str, Any]]:
    """The models in the answer of `/api/tags` or `/api/ps`; what is no model takes no other with it."""
    models = listed.get("models") if isinstance(listed, Mapping) else None
    named = (_named(entry) for entry in objects_in(models))
    return [entry for entry in named if entry["name"]]


def _named(entry: dict[str, Any]) -> dict[str, Any]:
    name = _word(entry.get("name")) or _word(entry.get("model"))
    return {**entry, "name": clean(name or "").strip(), "digest": _word(entry.get("digest"))}


def recommendations(said: Mapping[str, Any]) -> tuple[Recommendation, ...]:
    """The answer of `/api/experimental/model-recommendations` (server/model_recommendations.go); each
    model once, and none without a name."""
    named = {
        clean(entry.get("model") or "").strip(): entry
        for entry in objects_in(said.get("recommendations"))
        if _word(entry.get("model"))
    }
    return tuple(
        Recommendation(
            name,
            clean(_word(entry.get("description")) or "").strip()[:MAX_ABOUT_LENGTH],
            _count(entry.get("vram_bytes")),
            local=not is_cloud(name),
        )
        for name, entry in list(named.items())[:MAX_RECOMMENDED]
        if name
    )


def _word(value: object) -> str | None:
    return value or None if isinstance(value, str) else None


def is_cloud(name: str) -> bool:
    """Whether a model of that name runs at ollama.com; such a one may be asked without being listed."""
    return name.endswith(CLOUD_SUFFIXES)


def capabilities(words: object) -> frozenset[Capability]:
    """From Ollama's list; servers too old to say are taken to complete."""
    if not isinstance(words, list) or not words:
        words = ["completion"]
    known = (CAPABILITIES.get(word, ()) for word in words if isinstance(word, str))
    return frozenset(ours for found in known for ours in found)


def load_state(running: Mapping[str, Any]) -> LoadState:
    """One entry of `/api/ps`."""
    return LoadState(
        size_bytes=count(running.get("size")) or 0,
        vram_bytes=count(running.get("size_vram")) or 0,
        context_length=count(running.get("context_length")) or None,
        expires_at=moment(running.get("expires_at")),
    )


def bytes_a_token(shown: ShowResponse | None) -> int | None:
    """Memory that each token of the window takes: keys and values of every layer, 16 bits each (an
    upper bound: some models keep less). None where the model's file does not say."""
    facts = (shown.modelinfo if shown else None) or {}
    family = facts.get("general.architecture")

    def fact(name: str) -> Any:
        return facts.get(f"{family}.{name}")

    heads, layers = fact("attention.head_count_kv"), _count(fact("block_count"))
    if isinstance(heads, list) and all(isinstance(each, int) for each in heads):
        heads, layers = sum(heads), 1
    width, all_heads = _count(fact("embedding_length")), _count(fact("attention.head_count"))
    usual = width // all_heads if width and all_heads else None
    key = _count(fact("attention.key_length")) or usual
    value = _count(fact("attention.value_length")) or usual
    if not (layers and isinstance(heads, int) and heads and key and value):
        return None
    return 2 * layers * heads * (key + value)


def longest_context(shown: ShowResponse | None) -> int | None:
    """Tokens the model was trained for: `<architecture>.context_length`."""
    facts = (shown.modelinfo if shown else None) or {}
    for key, value in facts.items():
        if key.endswith(".context_length") and isinstance(value, int):
            return value
    return None


def own_num_ctx(shown: ShowResponse | None) -> int | None:
    """The `num_ctx` of the Modelfile, from the lines of `parameters`."""
    for line in ((shown.parameters if shown else None) or "").splitlines():
        name, _, value = line.strip().partition(" ")
        if name == "num_ctx" and value.strip().isdecimal():
            return int(value)
    return None


def version_number(text: object) -> tuple[int, ...]:
    """`0.12.11` as numbers to compare; a version that is none is a new one, built by somebody."""
    found = re.match(r"v?(\d+)\.(\d+)\.(\d+)", text) if isinstance(text, str) else None
    numbers = tuple(int(part) for part in found.groups()) if found else ()
    return numbers if any(numbers) else (999,)


def _count(value: object) -> int | None:
    return count(value) or None


def moment(value: object) -> datetime | None:
    """A time as Ollama writes it (RFC 3339, nanoseconds), aware; None for its zero time."""
    if not isinstance(value, str):
        return None
    try:
        parsed = datetime.fromisoformat(value)
    except ValueError:
        return None
    if parsed.year <= 1:
        return None
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)
