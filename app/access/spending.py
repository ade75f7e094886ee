"""What one request of a key may use, and what it takes, from its admission to its end."""

import asyncio
from dataclasses import dataclass
from decimal import Decimal

from app.access.budgets import Budgets, Reservation
from app.access.keys import KeyRing
from app.access.limits import Headers, Limits, TokenCount
from app.core.concurrency import BackgroundTasks
from app.core.keys import ApiKey
from app.core.usage import CallRecord


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a request may come to."""

    prompt_tokens: int
    answer_tokens: int | None = None
    """As many as the client allows; None where it does not say."""
    rub: Decimal = Decimal(0)


class Spending:
    """The payer of one request's calls. It is let in with an estimate, which is counted against the
    key's limits wherever else is counted, and replaced by what the calls took once they are over."""

    def __init__(
        self,
        key: ApiKey,
        keys: KeyRing,
        limits: Limits,
        budgets: Budgets,
        background: BackgroundTasks,
    ) -> None:
        self.key = key
        self._keys = keys
        self._limits = limits
        self._budgets = budgets
        self._background = background
        self._money: Reservation | None = None
        self._tokens: TokenCount | None = None
        self._least_tokens = 0
        self._rub = Decimal(0)
        self._taken = 0
        self._over = False
        self._changing = asyncio.Lock()

    async def admit(self, estimate: Estimate, headers: Headers) -> None:
        """Reserves the estimate; appends `x-ratelimit-*` to `headers`, also where it refuses.

        Raises BudgetExceeded, LimitReached or RequestTooLarge.
        """
        key = self.key
        try:
            if key.budget_rub is not None:
                # To its end, also where the request is broken off: half of it could not be given back.
                await asyncio.shield(asyncio.create_task(self._reserve(estimate.rub)))
            self._tokens = await self._limits.admit(
                key, estimate.prompt_tokens, estimate.answer_tokens, headers
            )
        except BaseException:  # raised again: a request broken off holds no money
            self.close()
            raise
        self._least_tokens = estimate.prompt_tokens

    def called(self, record: CallRecord) -> None:
        """Counts one call: money at once, the rest where other processes see it."""
        if record.cost is not None:
            self._rub += record.cost.rub
            self._keys.spend(self.key.id, record.cost.rub)
        self._taken += (record.usage.input_tokens or 0) + (record.usage.output_tokens or 0)
        more = self._money is not None and self._rub > self._money.rub
        if more or self._over or (self._tokens is not None and self._taken > self._tokens.tokens):
            self._correct()

    def close(self) -> None:
        """The request is over: what it did not take is given back. A call that comes after (a summary
        in the background) is counted all the same."""
        if not self._over:
            self._over = True
            self._correct()

    def _correct(self) -> None:
        if (tokens := self._tokens) is not None:
            least = self._least_tokens if self._over else tokens.tokens
            self._tokens = self._limits.correct(tokens, max(self._taken, least))
        if self.key.budget_rub is not None:
            self._background.start(self._correct_money())

    async def _reserve(self, rub: Decimal) -> None:
        async with self._changing:
            self._money = await self._budgets.reserve(self.key, rub)

    async def _correct_money(self) -> None:
        async with self._changing:
            if (money := self._money) is not None:
                wanted = self._rub if self._over else max(self._rub, money.rub)
                self._money = await self._budgets.correct(money, wanted)
