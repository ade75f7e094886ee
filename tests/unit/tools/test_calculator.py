"""The calculator gives the digits that paper gives, says where it rounds, and cannot be made to hang."""

import pytest

from app.tools.calculator import CannotCalculate, calculate


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("0.1+0.2", "0.3"),
        ("(19.99 * 3 + 4.5) * 1.2", "77.364"),
        ("2^10", "1024"),
        ("6 × 7 − 2", "40"),
        ("round(1.005, 2)", "1.01"),
        ("round(-2.5)", "-3"),
        ("sqrt(2.25)", "1.5"),
        ("-0.05", "-0.05"),
        ("12345678901234567890*98765432109876543210", "1219326311370217952237463801111263526900"),
        ("1/3", "≈ 0.333333333333333333333333333333"),
        ("sqrt(2)", "≈ 1.41421356237309504880168872421"),
        ("max(1, 2.5) // 2", "1"),
        ("-7 % 3", "2"),
    ],
)
def test_arithmetic_is_exact_and_says_where_it_is_not(expression: str, value: str):
    assert calculate(expression) == value


@pytest.mark.parametrize(
    "expression",
    [
        "",
        "1/0",
        "15%",
        "x + 1",
        "True + 1",
        "1j",
        "'a' * 3",
        "__import__('os')",
        "(1).real",
        "[1, 2]",
        "max()",
        "round(1, 2, 3)",
        "1e999999999",
        "9**9**9",
        "(10**900)**900",
        "2**(1/3)**-999999",
        "(-8)**(1/3)",
        "sqrt(-1)",
        "round(1, 10**9)",
        "-" * 5000 + "1",
        "(" * 500 + "1" + ")" * 500,
        "\0",
    ],
)
def test_what_is_no_arithmetic_or_would_not_end_is_refused(expression: str):
    with pytest.raises(CannotCalculate):
        calculate(expression)
