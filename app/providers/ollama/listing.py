"""What an Ollama server says about its models, as profiles: pure translation."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from app.core.models import Capability, LoadState, ModelProfile, ModelRef
from app.providers.ollama.client import ShowResponse

CAPABILITIES: Mapping[str, tuple[Capability, ...]] = {
    "completion": (Capability.COMPLETION, Capability.JSON_MODE, Capability.JSON_SCHEMA),
    "embedding": (Capability.EMBEDDING,),
    "vision": (Capability.VISION,),
    "tools": (Capability.TOOLS,),
    "thinking": (Capability.THINKING,),
}
"""Ollama's words and ours. Its sampler obeys a schema for every model that completes."""


def profile(
    server: str,
    tag: Mapping[str, Any],
    shown: ShowResponse | None,
    load: LoadState | None,
) -> ModelProfile:
    """One entry of `/api/tags`, with `/api/show` and `/api/ps` where they are known."""
    details = tag.get("details") or {}
    said = (shown.capabilities if shown else None) or tag.get("capabilities")
    return ModelProfile(
        ref=ModelRef(server, tag["name"]),
        capabilities=capabilities(said),
        window=load.context_length if load else None,
        size_bytes=tag.get("size"),
        parameter_size=details.get("parameter_size") or None,
        quantization=details.get("quantization_level") or None,
        family=details.get("family") or None,
        digest=tag.get("digest"),
        load=load,
        local=not tag.get("remote_host"),
        modified_at=moment(tag.get("modified_at")),
    )


def capabilities(words: Sequence[str] | None) -> frozenset[Capability]:
    """From Ollama's list; servers too old to say are taken to complete."""
    if not words:
        words = ["completion"]
    return frozenset(ours for word in words for ours in CAPABILITIES.get(word, ()))


def load_state(running: Mapping[str, Any]) -> LoadState:
    """One entry of `/api/ps`."""
    return LoadState(
        size_bytes=running.get("size") or 0,
        vram_bytes=running.get("size_vram") or 0,
        context_length=running.get("context_length") or None,
        expires_at=moment(running.get("expires_at")),
    )


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
        if name == "num_ctx" and value.strip().isdigit():
            return int(value)
    return None


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
