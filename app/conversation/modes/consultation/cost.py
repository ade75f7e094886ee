"""About how much a council will take, said before it starts."""

from dataclasses import dataclass
from decimal import Decimal

from app.conversation.modes.consultation import prompts
from app.core.models import Currency, ModelProfile
from app.core.text import Language, plural

TYPICAL_ANSWER = 400
"""Tokens of a specialist's answer, if the limit is not lower."""
TYPICAL_SYNTHESIS = 600
INSTRUCTIONS = 350
"""Tokens of our own words in a prompt of the council."""
CHARACTERS_A_TOKEN = 3.0
"""Between Russian (about 2.5) and English (about 4); only an estimate rests on it."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """Calls, tokens in all, and money by currency; None where a price is not known."""

    calls: int
    tokens: int
    money: dict[Currency, Decimal] | None


def estimate(
    prompt_tokens: int,
    coordinator: ModelProfile,
    specialists: list[ModelProfile],
    *,
    sequential: bool,
    answer_limit: int,
    calls_made: int,
) -> Estimate:
    """Before the start: the planning `calls_made`, the specialists, the synthesis."""
    answer = min(answer_limit, TYPICAL_ANSWER) if answer_limit else TYPICAL_ANSWER
    calls = [(coordinator, prompt_tokens + INSTRUCTIONS, 150)] * calls_made
    for number, profile in enumerate(specialists):
        seen = number * answer if sequential else 0
        calls.append((profile, prompt_tokens + INSTRUCTIONS + seen, answer))
    heard = len(specialists) * answer
    calls.append((coordinator, prompt_tokens + INSTRUCTIONS + heard, TYPICAL_SYNTHESIS))
    money: dict[Currency, Decimal] | None = {}
    for profile, read, written in calls:
        price = profile.price
        if price is None and not profile.local:
            money = None
        if money is None or price is None:
            continue
        if spent := (price.input * read + price.output * written) / 1000:
            money[price.currency] = money.get(price.currency, Decimal(0)) + spent
    return Estimate(len(calls), sum(read + written for _, read, written in calls), money)


def tokens_in(characters: int) -> int:
    """A rough count, where nobody counted better."""
    return int(characters / CHARACTERS_A_TOKEN) + 1


def said(estimated: Estimate, language: Language) -> str:
    """One line for the plan: "5 вызовов модели · ≈ 4200 токенов · ≈ 0.42 ₽"."""
    calls = plural(estimated.calls, *prompts.CALLS).format(n=estimated.calls)[language]
    tokens = prompts.TOKENS[language].format(n=round(estimated.tokens, -2))
    return f"{calls} · {tokens} · {_money(estimated.money, language)}"


def _money(money: dict[Currency, Decimal] | None, language: Language) -> str:
    if money is None:
        return prompts.UNKNOWN_COST[language]
    if not money:
        return prompts.FREE[language]
    signs = {"RUB": "{} ₽", "USD": "${}"}
    sums = [signs[currency].format(_amount(sum_)) for currency, sum_ in money.items()]
    return "≈ " + " + ".join(sums)


def _amount(amount: Decimal) -> str:
    """Two significant digits at least, as under an answer: 12.40, 0.42, 0.0042."""
    digits = 2 if amount >= Decimal("0.1") or not amount else 1 - amount.adjusted()
    return f"{amount:.{digits}f}"
