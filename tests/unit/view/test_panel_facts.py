"""The panel's line about the whole conversation: exact, and honest about what is not known."""

from decimal import Decimal

import pytest

from app.core.reports import UsageSummary
from app.view.panel_facts import gave_up_widget, total_hint, total_line


def test_tokens_cost_and_calls_are_said_in_every_language():
    total = UsageSummary(
        calls=3, input_tokens=12_345, output_tokens=678, cost_rub=Decimal("1.234"), unpriced=1
    )
    space = "\N{NO-BREAK SPACE}"
    assert total_line(total, "ru") == f"токены: 12{space}345 → 678 · 1,23 ₽"
    assert total_line(total, "uk") == f"токени: 12{space}345 → 678 · 1,23 ₽"
    assert total_line(total, "en") == "tokens: 12,345 → 678 · 1.23 ₽"
    assert total_hint(total, "en") == (
        "In → out; model calls: 3, with compression and councils; of unknown price: 1"
    )


def test_a_total_with_tokens_that_we_counted_is_about():
    total = UsageSummary(calls=2, input_tokens=12, output_tokens=6, estimated=1)
    assert total_line(total, "en") == "tokens: ≈ 12 → ≈ 6 · —"


@pytest.mark.parametrize(
    ("cost", "said"),
    [(None, "—"), ("0", "0 ₽"), ("0.00423", "0.0042 ₽"), ("0.5", "0.50 ₽"), ("12.5", "12.50 ₽")],
)
def test_money_is_as_under_an_answer_and_the_unknown_is_a_dash(cost, said):
    total = UsageSummary(calls=1, unpriced=1, cost_rub=None if cost is None else Decimal(cost))
    assert total_line(total, "en") == f"tokens: — → — · {said}"


@pytest.mark.parametrize("language", ["ru", "uk", "en"])
def test_a_summariser_that_is_asked_no_more_is_named_where_nobody_can_write(language):
    widget = gave_up_widget("ollama/tiny", language)
    assert (widget.initial, widget.disabled) == ("ollama/tiny", True)
