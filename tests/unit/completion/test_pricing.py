import os
from decimal import Decimal
from pathlib import Path

import pytest

from app.completion.pricing import Prices
from app.core.errors import SettingsInvalid
from app.core.models import ModelProfile, ModelRef, Price
from app.core.usage import Usage

YANDEX = ModelRef("yandex", "aliceai-llm-flash")
OWN = """
usd_rub = "100"
[[price]]
model = "yandex/*-flash"
currency = "RUB"
input = "9"
output = "9"
as_of = 2026-11-01
"""


def test_a_cloud_answer_costs_by_the_shipped_table_cached_tokens_less() -> None:
    prices = Prices()
    price = prices.price(YANDEX, None)
    usage = Usage(input_tokens=3000, output_tokens=500, cached_tokens=1000)
    cost = prices.cost(price, usage)
    assert cost is not None
    assert cost.rub == Decimal("0.2") + Decimal("0.025") + Decimal("0.1")


def test_a_local_model_costs_nothing_even_with_unknown_tokens() -> None:
    prices = Prices()
    ref = ModelRef("ollama", "gemma2:2b")
    cost = prices.cost(prices.price(ref, ModelProfile(ref, local=True)), Usage())
    assert cost is not None
    assert cost.amount == 0


def test_an_unknown_price_is_unknown_not_nothing() -> None:
    prices = Prices()
    ref = ModelRef("openai", "gpt-9")
    assert prices.price(ref, ModelProfile(ref)) is None
    assert prices.cost(None, Usage(input_tokens=1, output_tokens=1)) is None


def test_a_known_price_of_unknown_tokens_is_unknown() -> None:
    prices = Prices()
    assert prices.cost(prices.price(YANDEX, None), Usage(input_tokens=5)) is None


def test_a_servers_own_dollars_become_roubles_by_the_rate() -> None:
    prices = Prices()
    ref = ModelRef("openrouter", "x/y")
    price = Price("USD", Decimal("0.001"), Decimal("0.002"))
    cost = prices.cost(
        prices.price(ref, ModelProfile(ref, price=price)), Usage(input_tokens=1000, output_tokens=0)
    )
    assert cost is not None
    assert (cost.amount, cost.currency) == (Decimal("0.001"), "USD")
    assert cost.rub == Decimal("0.001") * prices.table.usd_rub


def test_an_administrators_rows_and_rate_come_first_and_a_change_is_seen(tmp_path: Path) -> None:
    prices = Prices(tmp_path, check_seconds=0)
    before = prices.price(YANDEX, None)
    (tmp_path / "prices.toml").write_text(OWN)
    price = prices.price(YANDEX, None)
    assert price is not None
    assert price.input == 9
    assert before != price
    assert prices.rubles(Decimal(1), "USD") == 100
    assert prices.price(ModelRef("yandex", "aliceai-llm"), None) is not None, "the rest stays"


def test_a_broken_file_keeps_the_prices_in_force_and_stops_the_start(tmp_path: Path) -> None:
    file = tmp_path / "prices.toml"
    file.write_text(OWN)
    prices = Prices(tmp_path, check_seconds=0)
    file.write_text("price = ???")
    os.utime(file, (1, 1))
    price = prices.price(YANDEX, None)
    assert price is not None
    assert price.input == 9
    with pytest.raises(SettingsInvalid):
        Prices(tmp_path)
