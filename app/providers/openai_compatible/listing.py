"""One entry of `/models` as a profile: pure translation of what different servers add to it."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from app.core.families import family_of
from app.core.models import Capability, ModelProfile, ModelRef, Price
from app.providers.openai_compatible.presets import Preset

PARAMETERS: Mapping[str, Capability] = {
    "tools": Capability.TOOLS,
    "response_format": Capability.JSON_MODE,
    "structured_outputs": Capability.JSON_SCHEMA,
    "reasoning": Capability.THINKING,
}
"""OpenRouter's `supported_parameters`."""


def profile(preset: Preset, entry: Mapping[str, Any], window: int | None) -> ModelProfile | None:
    """The model, or None where it is nothing a chat, a search or a transcription could use.

    `window` is what the server said elsewhere; an entry's own word goes first: OpenRouter's
    `context_length`, vLLM's `max_model_len`, llama.cpp's `meta.n_ctx`; a table of families last.
    """
    id = entry["id"]
    family = family_of(preset.names.name(id))
    said = preset.names.capability(id)
    able = frozenset({said}) if said else _capabilities(entry) or family.capabilities
    if not able:
        return None
    meta = entry.get("meta") or {}
    created = entry.get("created")
    return ModelProfile(
        ref=ModelRef(preset.name, preset.names.name(id)),
        capabilities=able,
        window=_count(entry.get("context_length"))
        or _count(entry.get("max_model_len"))
        or _count(meta.get("n_ctx"))
        or window
        or (family.window if Capability.COMPLETION in able else None),
        size_bytes=_count(meta.get("size")),
        price=price(entry.get("pricing")),
        local=preset.local,
        modified_at=datetime.fromtimestamp(created, UTC)
        if isinstance(created, int) and created > 0
        else None,
    )


def price(pricing: object) -> Price | None:
    """OpenRouter's prices: US dollars per token, as strings; negative means it depends."""
    if not isinstance(pricing, Mapping):
        return None
    try:
        prompt, completion = Decimal(pricing["prompt"]), Decimal(pricing["completion"])
        cached = Decimal(pricing["input_cache_read"]) if "input_cache_read" in pricing else None
    except (KeyError, InvalidOperation, TypeError):
        return None
    if prompt < 0 or completion < 0:
        return None
    today: date = datetime.now(UTC).date()
    return Price(
        "USD",
        prompt * 1000,
        completion * 1000,
        None if cached is None else cached * 1000,
        as_of=today,
    )


def _capabilities(entry: Mapping[str, Any]) -> frozenset[Capability]:
    parameters = entry.get("supported_parameters")
    if not isinstance(parameters, list):
        return frozenset()
    able = {Capability.COMPLETION} | {PARAMETERS[p] for p in parameters if p in PARAMETERS}
    inputs = (entry.get("architecture") or {}).get("input_modalities") or ()
    return frozenset(able | ({Capability.VISION} if "image" in inputs else set()))


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None
