"""The answer of `/models` as profiles: pure translation of what different servers make of it."""

import logging
import math
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from app.core.families import family_of
from app.core.models import Capability, ModelProfile, ModelRef, Price
from app.core.providers import Preset
from app.core.reading import clean
from app.providers.shapes import count
from app.providers.upstream_errors import WRONG_SHAPE

log = logging.getLogger(__name__)

PARAMETERS: Mapping[str, Capability] = {
    "tools": Capability.TOOLS,
    "response_format": Capability.JSON_MODE,
    "structured_outputs": Capability.JSON_SCHEMA,
    "reasoning": Capability.THINKING,
}
"""OpenRouter's `supported_parameters`."""


WINDOWS = (
    "context_length",  # OpenRouter, Together
    "max_model_len",  # vLLM
    "context_window",  # Groq
    "max_context_length",  # Mistral, LM Studio
    "max_input_tokens",  # Anthropic
)


RETIREMENTS = (
    "shutdown_date",  # OpenAI
    "expiration_date",  # OpenRouter
    "deprecation",  # Mistral
    "retirement_date",
)


def profiles(preset: Preset, listed: object, window: int | None) -> list[ModelProfile]:
    """The models of a list in any of the forms there are: under `data` or `models`, or bare.

    An entry that cannot be read is passed over: it takes no other with it. Raises TypeError where there
    is no list at all.
    """
    listed = _rows(listed)
    if not isinstance(listed, list):
        raise TypeError("no list of models")
    found = []
    for row in listed:
        try:
            one = profile(preset, _entry(row), window)
        except (*WRONG_SHAPE, ArithmeticError, OSError) as error:
            log.info("%s lists what is no model: %.200r (%r)", preset.name, row, error)
            continue
        if one is not None:
            found.append(one)
    return found


_LISTS = ("data", "models", "result", "items")


def _rows(listed: object, depth: int = 3) -> object:
    """The list itself, out of what is around it; entries by their ids are one, too."""
    if not isinstance(listed, Mapping):
        return listed
    for name in _LISTS:
        if name in listed:
            within = listed[name]
            if isinstance(within, Mapping):
                wraps = depth and any(isinstance(within.get(each), list) for each in _LISTS)
                return _rows(within, depth - 1) if wraps else _by_id(within)
            return [] if within is None else within
    raise TypeError("no list of models")


def _by_id(rows: Mapping[str, Any]) -> list[Any]:
    return [{"id": id, **(row if isinstance(row, Mapping) else {})} for id, row in rows.items()]


def next_page(listed: object) -> str | None:
    """After which model a list goes on, where it came in pages (Anthropic)."""
    if not isinstance(listed, Mapping) or listed.get("has_more") is not True:
        return None
    last = listed.get("last_id")
    return last if isinstance(last, str) and last else None


def _entry(row: object) -> Mapping[str, Any]:
    if isinstance(row, str) and row:
        return {"id": row}
    if not isinstance(row, Mapping):
        raise TypeError("no object")
    id = row.get("id") or row.get("model") or row.get("name")
    if not isinstance(id, str) or not id.strip():
        raise TypeError("no id")
    return {**row, "id": clean(id.strip())}


def profile(preset: Preset, entry: Mapping[str, Any], window: int | None) -> ModelProfile | None:
    """The model, or None where it is nothing a chat, a search or a voice could use.

    `window` is what the server said elsewhere; an entry's own word goes first (WINDOWS, llama.cpp's
    `meta.n_ctx`); a table of families last.
    """
    id = entry["id"]
    family = family_of(preset.names.name(id))
    said = preset.names.capability(id)
    able = frozenset({said}) if said else _capabilities(entry) or family.capabilities
    if not able:
        return None
    meta = entry.get("meta")
    if not isinstance(meta, Mapping):
        meta = {}
    return ModelProfile(
        ref=ModelRef(preset.name, preset.names.name(id)),
        capabilities=able,
        window=next(filter(None, (_count(entry.get(name)) for name in WINDOWS)), None)
        or _count(meta.get("n_ctx"))
        or window
        or (family.window if Capability.COMPLETION in able else None),
        size_bytes=_count(meta.get("size")),
        price=price(entry.get("pricing")),
        local=preset.local,
        modified_at=_moment(entry.get("created")),
        retires=next(filter(None, (_day(entry.get(name)) for name in RETIREMENTS)), None)
        or (None if preset.local else family.retires),
    )


def price(pricing: object) -> Price | None:
    """OpenRouter's prices: US dollars per token, as strings; negative means it depends."""
    if not isinstance(pricing, Mapping):
        return None
    try:
        prompt, completion = Decimal(pricing["prompt"]), Decimal(pricing["completion"])
        cached = Decimal(pricing["input_cache_read"]) if "input_cache_read" in pricing else None
    except (KeyError, InvalidOperation, TypeError, ValueError):
        return None
    if not all(price.is_finite() for price in (prompt, completion, cached or prompt)):
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
    able = {Capability.COMPLETION} | {
        PARAMETERS[p] for p in parameters if isinstance(p, str) and p in PARAMETERS
    }
    architecture = entry.get("architecture")
    inputs = architecture.get("input_modalities") if isinstance(architecture, Mapping) else None
    inputs = inputs if isinstance(inputs, list) else ()
    return frozenset(able | ({Capability.VISION} if "image" in inputs else set()))


def _moment(created: object) -> datetime | None:
    """When it was made: seconds, or milliseconds, of which there are a thousand times as many."""
    if isinstance(created, bool) or not isinstance(created, int | float):
        return None
    if not (math.isfinite(created) and created > 0):
        return None
    try:
        return datetime.fromtimestamp(created / 1000 if created > 1e11 else created, UTC)
    except (OverflowError, OSError, ValueError):
        return None


def _day(value: object) -> date | None:
    """A day as ISO 8601, with a time after it or without."""
    try:
        return date.fromisoformat(value[:10]) if isinstance(value, str) else None
    except ValueError:
        return None


def _count(value: object) -> int | None:
    return count(value) or None
