"""The tool `calculator`: arithmetic without a rounding error, where a model would guess the digits."""

import ast
import math
from collections.abc import Callable, Mapping
from decimal import Context, Decimal, InvalidOperation
from fractions import Fraction
from typing import Any

from app.core.text import Text
from app.core.tools import Tool, ToolCaller, ToolResult

MAX_CHARACTERS = 1000
MAX_BITS = 10_000
"""Of a number's numerator or denominator: 3,000 digits."""
MAX_DIGITS = 200
"""Of an exact decimal that is written out; longer ones are rounded."""
ROUNDED_DIGITS = 30
_ROOT_DIGITS = 60
_AS_PYTHON = str.maketrans({"×": "*", "·": "*", "÷": "/", ":": "/", "−": "-", "–": "-", "^": "\0"})


class CannotCalculate(ValueError):
    """What is wrong with the expression, in words for the model."""


def calculate(expression: str) -> str:
    """The value of an arithmetic expression: exact, or rounded and then with `≈` before it.

    Raises CannotCalculate.
    """
    if len(expression) > MAX_CHARACTERS:
        raise CannotCalculate(f"the expression is longer than {MAX_CHARACTERS} characters")
    source = expression.translate(_AS_PYTHON).replace("\0", "**").strip()
    try:
        tree = ast.parse(source, mode="eval")
        value, exact = _Evaluation(source).value(tree.body)
    except ZeroDivisionError:
        raise CannotCalculate("division by zero") from None
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        if isinstance(error, CannotCalculate):
            raise
        raise CannotCalculate(
            "not an arithmetic expression: numbers, + - * / // % ** ( ) and "
            f"{', '.join(_FUNCTIONS)}; decimals with a point, 15 percent as 15/100"
        ) from None
    return written(value, exact)


class _Evaluation:
    """Walks one expression. Beside each value goes whether it is exact: a root seldom is."""

    def __init__(self, source: str) -> None:
        self._source = source

    def value(self, node: ast.expr) -> tuple[Fraction, bool]:
        match node:
            case ast.Constant():
                return self._number(node), True
            case ast.UnaryOp(ast.USub(), operand):
                value, exact = self.value(operand)
                return -value, exact
            case ast.UnaryOp(ast.UAdd(), operand):
                return self.value(operand)
            case ast.BinOp(left, operator, right):
                (a, exact_a), (b, exact_b) = self.value(left), self.value(right)
                value, exact = _combined(operator, a, b)
                return _bounded(value), exact and exact_a and exact_b
            case ast.Call(ast.Name(name), arguments, []) if name in _FUNCTIONS:
                given = [self.value(argument) for argument in arguments]
                try:
                    value, exact = _FUNCTIONS[name](*(value for value, _ in given))
                except TypeError:
                    raise CannotCalculate(f"{name} takes other arguments") from None
                return _bounded(value), exact and all(exact for _, exact in given)
        raise CannotCalculate(f"not arithmetic: {ast.get_source_segment(self._source, node)}")

    def _number(self, node: ast.Constant) -> Fraction:
        """As it is written: a float would have been rounded already."""
        match node.value:
            case bool():
                pass
            case int(whole):
                return _bounded(Fraction(whole))
            case float():
                text = (ast.get_source_segment(self._source, node) or "").replace("_", "")
                try:
                    decimal = Decimal(text)
                except InvalidOperation:
                    decimal = Decimal("nan")
                if decimal.is_finite() and abs(decimal.adjusted()) <= MAX_CHARACTERS:
                    return Fraction(decimal)
                raise CannotCalculate(f"too large or too small a number: {text}")
        raise CannotCalculate(f"not a number: {node.value!r}")


def _bounded(value: Fraction) -> Fraction:
    if max(value.numerator.bit_length(), value.denominator.bit_length()) > MAX_BITS:
        raise CannotCalculate("the number grows too long")
    return value


def _combined(operator: ast.operator, a: Fraction, b: Fraction) -> tuple[Fraction, bool]:
    match operator:
        case ast.Add():
            return a + b, True
        case ast.Sub():
            return a - b, True
        case ast.Mult():
            return a * b, True
        case ast.Div():
            return a / b, True
        case ast.FloorDiv():
            return Fraction(a // b), True
        case ast.Mod():
            return a % b, True
        case ast.Pow():
            return _power(a, b)
    raise CannotCalculate("only + - * / // % and ** are known")


def _power(base: Fraction, exponent: Fraction) -> tuple[Fraction, bool]:
    if exponent.denominator == 1:
        longest = max(base.numerator.bit_length(), base.denominator.bit_length())
        if longest > 1 and abs(exponent.numerator) * (longest - 1) > MAX_BITS:
            raise CannotCalculate("the number grows too long")
        return Fraction(base**exponent.numerator), True
    if exponent == Fraction(1, 2):
        return _root(base)
    if base <= 0:
        raise CannotCalculate("a broken power of a number that is not positive")
    context = Context(prec=_ROOT_DIGITS, Emax=MAX_BITS, Emin=-MAX_BITS)
    try:
        return Fraction(context.power(_decimal(base), _decimal(exponent))), False
    except (ArithmeticError, OverflowError):
        raise CannotCalculate("the number grows too long") from None


def _root(value: Fraction) -> tuple[Fraction, bool]:
    if value < 0:
        raise CannotCalculate("the square root of a negative number")
    over, under = math.isqrt(value.numerator), math.isqrt(value.denominator)
    if over * over == value.numerator and under * under == value.denominator:
        return Fraction(over, under), True
    return Fraction(Context(prec=_ROOT_DIGITS).sqrt(_decimal(value))), False


def _decimal(value: Fraction, digits: int = _ROOT_DIGITS) -> Decimal:
    return Context(prec=digits).divide(Decimal(value.numerator), Decimal(value.denominator))


def _rounded(value: Fraction, digits: Fraction = Fraction(0)) -> tuple[Fraction, bool]:
    """Half away from zero, as people round; Python's own rounds half to even."""
    if digits.denominator != 1 or abs(digits) > MAX_CHARACTERS:
        raise CannotCalculate("round takes a whole number of decimals")
    unit = Fraction(10) ** -digits.numerator
    whole = math.floor(abs(value) / unit + Fraction(1, 2)) * unit
    return Fraction(whole if value >= 0 else -whole), True


_FUNCTIONS: Mapping[str, Callable[..., tuple[Fraction, bool]]] = {
    "abs": lambda value: (abs(value), True),
    "ceil": lambda value: (Fraction(math.ceil(value)), True),
    "floor": lambda value: (Fraction(math.floor(value)), True),
    "max": lambda *values: (max(values), True),
    "min": lambda *values: (min(values), True),
    "round": _rounded,
    "sqrt": _root,
}


def written(value: Fraction, exact: bool = True) -> str:
    """A number in digits; `≈` before one that had to be rounded."""
    if exact and value.denominator == 1:
        return str(value.numerator)
    places = _places(value.denominator)
    if exact and places is not None and places <= MAX_DIGITS:
        scaled = abs(value.numerator) * 10**places // value.denominator
        digits = str(scaled).rjust(places + 1, "0")
        return f"{'-' * (value < 0)}{digits[:-places]}.{digits[-places:]}"
    return f"≈ {_decimal(value, ROUNDED_DIGITS):f}"


def _places(denominator: int) -> int | None:
    """How many decimals write it out; None where no number of them does."""
    twos = fives = 0
    while denominator % 2 == 0:
        denominator, twos = denominator // 2, twos + 1
    while denominator % 5 == 0:
        denominator, fives = denominator // 5, fives + 1
    return max(twos, fives) if denominator == 1 else None


async def _call(arguments: Mapping[str, Any], _caller: ToolCaller) -> ToolResult:
    try:
        return ToolResult(calculate(arguments["expression"]))
    except CannotCalculate as error:
        return ToolResult(str(error), failed=True)


CALCULATOR = Tool(
    name="calculator",
    title=Text(ru="Калькулятор", uk="Калькулятор", en="Calculator"),
    description="Calculates an arithmetic expression exactly, with decimals as long as they are. "
    "Use it for every calculation whose result is to be right. Knows + - * / // % ** and "
    f"parentheses, and the functions {', '.join(_FUNCTIONS)}. No units, no variables; 15 percent is "
    "15/100.",
    schema={
        "type": "object",
        "properties": {
            "expression": {"type": "string", "description": "For example: (19.99 * 3 + 4.5) * 1.2"}
        },
        "required": ["expression"],
        "additionalProperties": False,
    },
    call=_call,
    read_only=True,
)
