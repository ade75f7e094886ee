"""The numbers under an answer: of one call, of one step, of a whole turn."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

from app.conversation.tokens import cut_by_server, nearly_full
from app.core.models import ModelProfile
from app.core.notes import CompressionNote, MetricsNote, Money, NamedCall, TotalNumbers, WindowUse
from app.core.turns import Prompt
from app.core.usage import CallRecord, Outcome, Purpose


def _numbers(call: CallRecord | None) -> dict[str, Any]:
    """The fields of `CallNumbers`; all unknown where no model was asked."""
    usage = call.usage if call else None
    cost = call.cost if call else None
    return {
        "outcome": call.outcome.value if call else "",
        "finish_reason": call.finish_reason if call else None,
        "model": call.model.name if call else None,
        "server": call.model.server if call else None,
        "purpose": call.purpose.value if call else None,
        "seconds": call.total_s if call else None,
        "first_token_seconds": call.first_token_s if call else None,
        "load_seconds": usage.load_s if usage else None,
        "characters": call.characters if call else 0,
        "tokens_per_second": call.tokens_per_second if call else None,
        "input_tokens": usage.input_tokens if usage else None,
        "output_tokens": usage.output_tokens if usage else None,
        "cached_tokens": usage.cached_tokens if usage else None,
        "estimated": usage.estimated if usage else False,
        "cost_rub": cost.rub if cost else None,
        "cost": Money(cost.amount, cost.currency) if cost else None,
        "cache": call.cache if call and call.from_cache else None,
    }


def step_metrics(
    outcome: Outcome, finish_reason: str | None, characters: int, call: CallRecord | None
) -> MetricsNote:
    """The numbers of one step: those of the call that wrote it, where one did."""
    numbers = _numbers(call) | {"outcome": outcome.value, "finish_reason": finish_reason}
    return MetricsNote(**(numbers if call else numbers | {"characters": characters}))


def turn_metrics(
    own: MetricsNote,
    call: CallRecord | None,
    calls: tuple[CallRecord, ...],
    names: Mapping[str, str],
    prompt: Prompt | None,
    profile: ModelProfile | None,
) -> MetricsNote:
    """The numbers of the turn, under its last answer: its `own`, the total, and a row a call.
    `names` are the steps' names by the id of the call that wrote them."""
    had = call.usage.window if call else None
    window = had or (prompt.window if prompt else None) or (profile.window if profile else None)
    used = own.input_tokens if call else None
    if used is None and prompt:
        used = prompt.tokens
    used = used + (own.output_tokens or 0) if used is not None else None
    several = len(calls) > 1
    return replace(
        own,
        window=WindowUse(
            used,
            window,
            nearly_full(used, window),
            _cut(call, prompt),
            shifted=used is not None and window is not None and used > window,
            widened=bool(prompt and prompt.widened),
        ),
        compression=prompt.compression
        if prompt and prompt.compression != CompressionNote()
        else None,
        calls=tuple(NamedCall(**_numbers(c), name=names.get(c.id)) for c in calls)
        if several
        else None,
        total=total_metrics(calls) if several else None,
    )


def _cut(call: CallRecord | None, prompt: Prompt | None) -> bool:
    """Whether the server dropped part of the prompt; only a plain answer was sent the whole of it."""
    if call is None or prompt is None or call.purpose is not Purpose.ANSWER or call.from_cache:
        return False
    counted = None if call.usage.estimated else call.usage.input_tokens
    window = call.usage.window or prompt.window
    return cut_by_server(counted, prompt.likely, window, prompt.bound)


def total_metrics(calls: Iterable[CallRecord]) -> TotalNumbers:
    """Sums over calls; a sum with an unknown in it is unknown only where all are."""
    calls = tuple(calls)

    def total(values: Iterable[int | None]) -> int | None:
        known = [value for value in values if value is not None]
        return sum(known) if known else None

    rubles = [call.cost.rub for call in calls if call.cost]
    return TotalNumbers(
        calls=len(calls),
        input_tokens=total(call.usage.input_tokens for call in calls),
        output_tokens=total(call.usage.output_tokens for call in calls),
        cost_rub=sum(rubles, Decimal(0)) if rubles else None,
        estimated=any(call.usage.estimated for call in calls),
    )
