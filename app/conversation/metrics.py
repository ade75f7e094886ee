"""The numbers under an answer, as JSON for the `MetricsCard` element. Unknown stays None.

Shape of one entry: {"outcome", "finish_reason", "model", "server", "seconds", "first_token_seconds",
"load_seconds", "characters", "tokens_per_second", "input_tokens", "output_tokens", "cached_tokens",
"estimated", "cost_rub", "cost": {"amount", "currency"}, "cache"}; of a whole turn besides: "window":
{"used", "size", "warning" (nearly full), "truncated" (the server counted far fewer tokens than were
sent: it cut the prompt in silence)}, "compression": {...}, "total": {entry}, "calls": [{"name", "purpose", ...entry}].
Money is a decimal string.
"""

from collections.abc import Iterable
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from app.conversation.mode import Prompt
from app.conversation.window import cut_by_server, nearly_full
from app.core.models import ModelProfile
from app.core.usage import CallRecord, Purpose

if TYPE_CHECKING:
    from app.conversation.state import LiveStep

Entry = dict[str, Any]


def call_metrics(call: CallRecord) -> Entry:
    """The numbers of one model call."""
    usage = call.usage
    return {
        "outcome": call.outcome.value,
        "finish_reason": call.finish_reason,
        "model": call.model.name,
        "server": call.model.server,
        "purpose": call.purpose.value,
        "seconds": call.total_s,
        "first_token_seconds": call.first_token_s,
        "load_seconds": usage.load_s,
        "characters": call.characters,
        "tokens_per_second": call.tokens_per_second,
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "cached_tokens": usage.cached_tokens,
        "estimated": usage.estimated,
        "cost_rub": str(call.cost.rub) if call.cost else None,
        "cost": {"amount": str(call.cost.amount), "currency": call.cost.currency}
        if call.cost
        else None,
        "cache": call.cache if call.from_cache else None,
    }


def answer_metrics(step: "LiveStep", call: CallRecord | None) -> Entry:
    """The numbers of one step; only its outcome where no model wrote it."""
    entry = call_metrics(call) if call else {"characters": len(step.text)}
    return entry | {"outcome": step.outcome.value, "finish_reason": step.finish_reason}


def turn_metrics(
    answer: "LiveStep",
    calls: tuple[CallRecord, ...],
    steps: Iterable["LiveStep"],
    prompt: Prompt | None,
    profile: ModelProfile | None,
) -> Entry:
    """The numbers of the turn, under its last answer: its own, the total, and a row a call."""
    entry = answer_metrics(answer, answer.call)
    used = answer.call.usage.input_tokens if answer.call else None
    output = answer.call.usage.output_tokens if answer.call else None
    window = (prompt.window if prompt else None) or (profile.window if profile else None)
    if used is None and prompt:
        used = prompt.tokens
    used = used + (output or 0) if used is not None else None
    entry["window"] = {
        "used": used,
        "size": window,
        "warning": nearly_full(used, window),
        "truncated": _cut(answer.call, prompt),
    }
    if prompt and prompt.facts:
        entry["compression"] = dict(prompt.facts)
    if len(calls) > 1:
        names = {step.call.id: step.name for step in steps if step.call}
        entry["calls"] = [{"name": names.get(c.id)} | call_metrics(c) for c in calls]
        entry["total"] = total_metrics(calls)
    return entry


def _cut(call: CallRecord | None, prompt: Prompt | None) -> bool:
    """Whether the server dropped part of the prompt; only a plain answer was sent the whole of it."""
    if call is None or prompt is None or call.purpose is not Purpose.ANSWER or call.from_cache:
        return False
    counted = None if call.usage.estimated else call.usage.input_tokens
    return cut_by_server(counted, prompt.likely)


def total_metrics(calls: Iterable[CallRecord]) -> Entry:
    """Sums over calls; a sum with an unknown in it is unknown only where all are."""
    calls = tuple(calls)

    def total(values: Iterable[int | None]) -> int | None:
        known = [value for value in values if value is not None]
        return sum(known) if known else None

    rubles = [call.cost.rub for call in calls if call.cost]
    return {
        "calls": len(calls),
        "input_tokens": total(call.usage.input_tokens for call in calls),
        "output_tokens": total(call.usage.output_tokens for call in calls),
        "cost_rub": str(sum(rubles, Decimal(0))) if rubles else None,
        "estimated": any(call.usage.estimated for call in calls),
    }
