"""About how much a council will take, said before it starts."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from app.core.models import Currency, ModelProfile
from app.core.text import Language, Text, plural, written

INSTRUCTIONS = 350
"""Tokens of our own words in a prompt of a council."""
CHARACTERS_A_TOKEN = 3.0
"""Between Russian (about 2.5) and English (about 4); only an estimate rests on it."""
CPU_BYTES_A_SECOND, GPU_BYTES_A_SECOND = 2.5e10, 3e11
"""How fast a machine of ours reads a model's weights, once a token: two channels of DDR4, a middling card.
Prompts are read some ten times as fast as answers are written."""
UNKNOWN_SPEED = 10.0
"""Tokens a second of a local model whose size is not known."""

CALLS = (
    Text(ru="{n} вызов модели", uk="{n} виклик моделі", en="{n} model call"),
    Text(ru="{n} вызова модели", uk="{n} виклики моделі", en="{n} model calls"),
    Text(ru="{n} вызовов модели", uk="{n} викликів моделі", en="{n} model calls"),
)
TOKENS = Text(ru="≈ {n} токенов", uk="≈ {n} токенів", en="≈ {n} tokens")
FREE = Text(
    ru="0\N{NO-BREAK SPACE}₽ (локальные модели)",
    uk="0\N{NO-BREAK SPACE}₽ (локальні моделі)",
    en="cost 0 (local models)",
)
UNKNOWN_COST = Text(ru="стоимость —", uk="вартість —", en="cost —")
MINUTES = Text(
    ru="≈ {n} мин на своих серверах",
    uk="≈ {n} хв на своїх серверах",
    en="≈ {n} min on your servers",
)


@dataclass(frozen=True, slots=True)
class PlannedCall:
    """One call to come: of which model, and about how many tokens it reads and writes."""

    profile: ModelProfile
    read: int
    written: int


@dataclass(frozen=True, slots=True)
class Estimate:
    """Calls, tokens in all, money by currency (None where a price is not known), and seconds of work of
    the machines of ours."""

    calls: int
    tokens: int
    money: dict[Currency, Decimal] | None
    seconds: float


def estimate(planned: Iterable[PlannedCall]) -> Estimate:
    """What these calls come to."""
    calls = tuple(planned)
    money: dict[Currency, Decimal] | None = {}
    seconds = 0.0
    for call in calls:
        profile, price = call.profile, call.profile.price
        if profile.local:
            seconds += (call.read / 10 + call.written) / _speed(profile)
        if price is None and not profile.local:
            money = None
        if money is None or price is None:
            continue
        if spent := (price.input * call.read + price.output * call.written) / 1000:
            money[price.currency] = money.get(price.currency, Decimal(0)) + spent
    tokens = sum(call.read + call.written for call in calls)
    return Estimate(len(calls), tokens, money, seconds)


def _speed(profile: ModelProfile) -> float:
    if not profile.size_bytes:
        return UNKNOWN_SPEED
    on_gpu = profile.load is not None and profile.load.gpu_share > 0.5
    return (GPU_BYTES_A_SECOND if on_gpu else CPU_BYTES_A_SECOND) / profile.size_bytes


def tokens_in(characters: int) -> int:
    """A rough count, where nobody counted better."""
    return int(characters / CHARACTERS_A_TOKEN) + 1


def said(estimated: Estimate, language: Language, *, minutes: bool = False) -> str:
    """One line for the plan: "5 вызовов модели · ≈ 4 200 токенов · ≈ 0,42 ₽"; with `minutes` also those
    that machines of ours are busy."""
    calls = plural(estimated.calls, *CALLS).format(n=estimated.calls)[language]
    tokens = TOKENS[language].format(n=written(round(estimated.tokens, -2), language))
    parts = [calls, tokens, _money(estimated.money, language)]
    if minutes and estimated.seconds:
        parts.append(MINUTES[language].format(n=max(1, round(estimated.seconds / 60))))
    return " · ".join(parts)


def _money(money: dict[Currency, Decimal] | None, language: Language) -> str:
    if money is None:
        return UNKNOWN_COST[language]
    if not money:
        return FREE[language]
    signs = {"RUB": "{}\N{NO-BREAK SPACE}₽", "USD": "${}"}
    sums = [signs[currency].format(_amount(sum_, language)) for currency, sum_ in money.items()]
    return "≈ " + " + ".join(sums)


def _amount(amount: Decimal, language: Language) -> str:
    """Two significant digits at least, as under an answer: 12.40, 0.42, 0.0042; with a comma where people
    write one."""
    digits = 2 if amount >= Decimal("0.1") or not amount else 1 - amount.adjusted()
    return written(amount, language, digits)
