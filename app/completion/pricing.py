"""What a call costs: a dated table that an administrator edits, else the server's own price."""

import logging
import time
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal, InvalidOperation
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from app.core.errors import SettingsInvalid
from app.core.families import TABLE
from app.core.models import Currency, ModelProfile, ModelRef, Price
from app.core.usage import Cost, Usage

log = logging.getLogger(__name__)

FILE_NAME = "prices.toml"
"""In DATA_DIR."""

CHECK_SECONDS = 5.0
"""How often the administrator's file is looked at, at most."""

MAX_FOUND = 2_000
FREE = Price("RUB", Decimal(0), Decimal(0))
THOUSAND = Decimal(1000)


@dataclass(frozen=True, slots=True)
class PriceTable:
    """Rows of (pattern of `server/model`, price), the first that fits counting, and a rate."""

    rows: tuple[tuple[str, Price], ...]
    usd_rub: Decimal
    usd_rub_as_of: date | None = None
    _found: dict[str, Price | None] = field(default_factory=dict, compare=False)

    def price(self, ref: ModelRef) -> Price | None:
        """The first row that fits."""
        name = str(ref)
        if name not in self._found:
            if len(self._found) > MAX_FOUND:  # names that nobody lists are no end of them
                self._found.clear()
            self._found[name] = next(
                (price for pattern, price in self.rows if fnmatchcase(name, pattern)), None
            )
        return self._found[name]


class Prices:
    """The table in force: the shipped one under the administrator's, read again when it changes."""

    def __init__(
        self, data_dir: Path | None = None, *, check_seconds: float = CHECK_SECONDS
    ) -> None:
        """Raises SettingsInvalid where the administrator's file cannot be read."""
        self._check_seconds = check_seconds
        self._checked = time.monotonic()
        self._path = data_dir / FILE_NAME if data_dir else None
        self._shipped = read_table(TABLE)
        self._seen: float | None = None
        self.table = self._shipped
        self._read()

    def price(self, ref: ModelRef, profile: ModelProfile | None) -> Price | None:
        """Per 1,000 tokens; free where the model is local, None where nobody knows."""
        self._read_if_due()
        listed = self.table.price(ref)
        if listed is not None:
            return listed
        if profile is not None and profile.local:
            return FREE
        return profile.price if profile is not None else None

    def cost(self, price: Price | None, usage: Usage) -> Cost | None:
        """What those tokens cost at that price; None where the price or the tokens are unknown."""
        if price is None:
            return None
        if price.input == price.output == 0:
            return Cost(Decimal(0), price.currency, Decimal(0))
        if usage.input_tokens is None or usage.output_tokens is None:
            return None
        cached = min(usage.cached_tokens or 0, usage.input_tokens)
        amount = (
            (usage.input_tokens - cached) * price.input
            + cached * (price.input if price.cached is None else price.cached)
            + usage.output_tokens * price.output
        ) / THOUSAND
        return Cost(amount, price.currency, self.rubles(amount, price.currency))

    def rubles(self, amount: Decimal, currency: Currency) -> Decimal:
        """An amount in roubles, by the table's rate."""
        return amount if currency == "RUB" else amount * self.table.usd_rub

    def _read_if_due(self) -> None:
        """A file that was broken meanwhile is logged, and what was in force stays."""
        if time.monotonic() - self._checked < self._check_seconds:
            return
        self._checked = time.monotonic()
        try:
            self._read()
        except SettingsInvalid as error:
            log.error("%s", error.detail)

    def _read(self) -> None:
        if self._path is None:
            return
        changed = self._path.stat().st_mtime if self._path.is_file() else None
        if changed == self._seen:
            return
        self._seen = changed
        if changed is None:
            self.table = self._shipped
            return
        self.table = read_table(self._path, below=self._shipped)


def read_table(path: Path, below: PriceTable | None = None) -> PriceTable:
    """The table in that file, its rows before those of `below`. Raises SettingsInvalid."""
    try:
        parsed = tomllib.loads(path.read_text(encoding="utf-8"))
        rows = tuple((str(row["model"]), _price(row)) for row in parsed.get("price", ()))
        rate = parsed.get("usd_rub")
        as_of = parsed.get("usd_rub_as_of")
    except (OSError, KeyError, ValueError, InvalidOperation, TypeError) as error:
        raise SettingsInvalid(path.name, f"cannot be read: {error!r}") from error
    if rate is None and below is None:
        raise SettingsInvalid(path.name, "has no usd_rub")
    return PriceTable(
        rows + (below.rows if below else ()),
        Decimal(str(rate)) if rate is not None or below is None else below.usd_rub,
        as_of if rate is not None or below is None else below.usd_rub_as_of,
    )


def _price(row: Mapping[str, Any]) -> Price:
    currency = row.get("currency", "RUB")
    if currency not in ("RUB", "USD"):
        raise ValueError(f"currency {currency!r}")
    figures = {key: Decimal(str(row[key])) for key in ("input", "output", "cached") if key in row}
    return Price(
        currency,
        figures["input"],
        figures["output"],
        figures.get("cached"),
        row.get("as_of"),
    )
