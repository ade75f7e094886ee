"""A key's money: what it may spend in a calendar month."""

from decimal import Decimal

from app.core.errors import BudgetExceeded
from app.core.keys import ApiKey


def check_budget(key: ApiKey, spent: Decimal) -> None:
    """Raises BudgetExceeded where the month's roubles are spent. A call under way is not cut off."""
    if key.budget_rub is not None and spent >= key.budget_rub:
        raise BudgetExceeded(
            f"The key's budget of {key.budget_rub.normalize():f} RUB a month is spent"
            f" ({spent:.2f} RUB). It is counted anew on the 1st (UTC)."
        )
