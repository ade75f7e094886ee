"""A key's money: what it may spend in a calendar month.

What calls under way may come to is reserved where all processes count, as soon as they are let in, and
corrected when they are over: twenty calls at once do not all find the same rest of the budget. Those
counts are kept by the ten minutes in which a call was let in. What began before the last two of them
is known from the usage records.
"""

import logging
import time
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal
from typing import Protocol, cast

from limits.aio.storage import MemoryStorage, SlidingWindowCounterSupport, Storage

from app.core.errors import BudgetExceeded, LimitReached
from app.core.keys import ApiKey

log = logging.getLogger(__name__)

SLOT_SECONDS = 600
KEPT_SECONDS = 3600
"""For at least so long counts are kept."""
SETTLED_WITHIN_SECONDS = 5.0
"""After so long a client may ask again whose budget is reserved by other calls."""
_ANY = 10**18
_MICRO = 1_000_000
"""Counts are whole numbers: millionths of a rouble."""


class SpendingRecords(Protocol):
    """What the usage records say (`KeyRing`)."""

    def spent(self, key: ApiKey) -> Decimal:
        """Roubles in the present month (UTC)."""
        ...

    def settled(self, key: ApiKey) -> tuple[float, Decimal]:
        """A moment of POSIX time, and the roubles of the calls of this month that began before it."""
        ...


@dataclass(frozen=True, slots=True)
class Reservation:
    """Money set aside for one request."""

    name: str
    """The count that it is part of."""
    rub: Decimal


class Budgets:
    """Reserves money. `shared` is where other processes count, too; None counts in this one."""

    def __init__(self, spent: SpendingRecords, shared: Storage | None = None) -> None:
        self._spent = spent
        self._memory: SlidingWindowCounterSupport = MemoryStorage()
        self._shared = cast(SlidingWindowCounterSupport, shared or self._memory)
        self._outages = shared.base_exceptions if shared is not None else ()

    async def reserve(self, key: ApiKey, rub: Decimal) -> Reservation:
        """Sets `rub` aside, more than the rest of the budget if need be: who is let in is served.

        Raises BudgetExceeded where the month's money is spent, and LimitReached where what is left of
        it is reserved.
        """
        if key.budget_rub is None:
            raise ValueError("the key has no budget")
        check_budget(key, self._spent.spent(key))
        since, before = self._spent.settled(key)
        slot = int(time.time()) // SLOT_SECONDS
        month = time.strftime("%Y%m", time.gmtime())
        first = max(int(since) // SLOT_SECONDS, slot - KEPT_SECONDS // SLOT_SECONDS + 1)
        names = [f"rub:{month}:{key.id}:{each}" for each in range(first, slot + 1)]
        reserved = Reservation(names[-1], rub)
        counted = before - rub
        await self._add(reserved.name, rub)
        for name in names:
            counted += await self._counted(name)
        if counted >= key.budget_rub:
            await self._add(reserved.name, -rub)
            raise LimitReached(
                f"What is left of the key's budget of {key.budget_rub.normalize():f} RUB a month is"
                " reserved by its calls under way.",
                retry_after=SETTLED_WITHIN_SECONDS,
            )
        return reserved

    async def correct(self, reserved: Reservation, rub: Decimal) -> Reservation:
        """Sets `rub` aside in place of what was reserved."""
        await self._add(reserved.name, rub - reserved.rub)
        return Reservation(reserved.name, rub)

    async def _add(self, name: str, rub: Decimal) -> None:
        amount = int((rub * _MICRO).to_integral_value(ROUND_CEILING))
        if not amount:
            return
        try:
            await self._shared.acquire_sliding_window_entry(name, _ANY, KEPT_SECONDS, amount)
        except self._outages as error:
            log.warning("budgets are not shared, this process counts for itself: %s", error)
            await self._memory.acquire_sliding_window_entry(name, _ANY, KEPT_SECONDS, amount)

    async def _counted(self, name: str) -> Decimal:
        try:
            previous, _, current, _ = await self._shared.get_sliding_window(name, KEPT_SECONDS)
        except self._outages:
            previous, _, current, _ = await self._memory.get_sliding_window(name, KEPT_SECONDS)
        return Decimal(previous + current) / _MICRO


def check_budget(key: ApiKey, spent: Decimal) -> None:
    """Raises BudgetExceeded where the month's roubles are spent. A call under way is not cut off."""
    if key.budget_rub is not None and spent >= key.budget_rub:
        raise BudgetExceeded(
            f"The key's budget of {key.budget_rub.normalize():f} RUB a month is spent"
            f" ({spent:.2f} RUB). It is counted anew on the 1st (UTC)."
        )
