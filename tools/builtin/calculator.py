"""A calculator without `eval`: it walks the parsed expression itself, with limits on every step.

Results are exact fractions where possible (`0.1 + 0.2` is 0.3, `1/3*3` is 1); roots, logarithms and
angles are floats. `eval` would run any code the model writes, and no list of forbidden names makes
it safe (https://nedbatchelder.com/blog/201206/eval_really_is_dangerous.html).
"""

import ast
import math
import operator
import re
from collections.abc import Callable, Mapping
from fractions import Fraction
from types import MappingProxyType
from typing import Any, Final

from langchain_core.tools import ToolException, tool

__all__ = ["CalculatorError", "calculator", "evaluate"]

Number = Fraction | float

MAX_LENGTH: Final = 500
"""Characters of an expression. This also limits the number of its operations."""
MAX_DEPTH: Final = 250
"""Levels of nesting. A sum of 250 numbers has that depth, because it is parsed from the left."""
MAX_BITS: Final = 13_000
"""Bits of a numerator or denominator: about 3,900 digits. Python refuses to print integers of more
than 4,300 digits (https://docs.python.org/3/library/stdtypes.html#int-max-str-digits).
"""
MAX_FACTORIAL: Final = 1_000
MAX_DECIMALS: Final = 40
"""Decimal places up to which a fraction is written out exactly."""
UNREADABLE: Final = re.compile(r"[^\w\s.,+\-*/%()]", re.ASCII)
RUN_TOGETHER: Final = re.compile(
    r"(?<![\w.])((?>\d[\d_]*\.?\d*(?:[eE][+-]?\d+)?|\.\d+))([A-Za-z_]\w*)", re.ASCII
)
SPELLINGS: Final = str.maketrans("\u00d7\u00b7\u00f7\u2212\u2013\u00a0\n", "**/--  ")
"""Typographic signs: times, middle dot, division sign, minus, dash, non-breaking space."""


class CalculatorError(ToolException):
    """An expression that the calculator does not accept. The sentence is for the model."""


def _integer(value: Number, what: str) -> int:
    if value != int(value):
        raise CalculatorError(f"{what} takes whole numbers only.")
    return int(value)


def _factorial(value: Number) -> Fraction:
    number = _integer(value, "factorial")
    if not 0 <= number <= MAX_FACTORIAL:
        raise CalculatorError(f"factorial takes 0 to {MAX_FACTORIAL:,}.")
    return Fraction(math.factorial(number))


def _round(value: Number, digits: Number = Fraction(0)) -> Number:
    places = _integer(digits, "round's second argument")
    if not -300 <= places <= 300:
        raise CalculatorError("round takes -300 to 300 decimal places.")
    return Fraction(round(value, places)) if isinstance(value, Fraction) else round(value, places)


def _sqrt(value: Number) -> Number:
    if isinstance(value, Fraction) and value >= 0:
        root = Fraction(math.isqrt(value.numerator), math.isqrt(value.denominator))
        if root * root == value:
            return root
    return math.sqrt(value)


def _power(base: Number, exponent: Number) -> Number:
    if isinstance(base, Fraction) and isinstance(exponent, Fraction) and exponent.denominator == 1:
        if base == 0 and exponent > 0:
            return base
        if base in (1, -1):
            return base if exponent % 2 else Fraction(1)
        # The size of the power is estimated first: computing 9**9**9 would take hours.
        if _bits(base) * abs(exponent) > MAX_BITS:
            raise OverflowError
        return Fraction(base**exponent.numerator)
    result: float | complex = float(base) ** float(exponent)
    if isinstance(result, complex):
        raise ValueError("a root of a negative number is not a real number")
    return result


def _exact(function: Callable[[Number], int]) -> Callable[[Number], Fraction]:
    return lambda value: Fraction(function(value))


def _over_integer(name: str, function: Callable[..., int]) -> Callable[..., Fraction]:
    return lambda *values: Fraction(function(*(_integer(value, name) for value in values)))


BINARY: Final[Mapping[type[ast.operator], Callable[[Any, Any], Number]]] = MappingProxyType(
    {
        ast.Add: operator.add,
        ast.Sub: operator.sub,
        ast.Mult: operator.mul,
        ast.Div: operator.truediv,
        ast.FloorDiv: operator.floordiv,
        ast.Mod: operator.mod,
        ast.Pow: _power,
    }
)
UNARY: Final[Mapping[type[ast.unaryop], Callable[[Any], Number]]] = MappingProxyType(
    {ast.UAdd: operator.pos, ast.USub: operator.neg}
)
CONSTANTS: Final[Mapping[str, Number]] = MappingProxyType(
    {"pi": math.pi, "e": math.e, "tau": math.tau}
)
FLOATS: Final = """
    acos acosh asin asinh atan atan2 atanh cbrt cos cosh degrees exp hypot log log10 log2 radians
    sin sinh tan tanh
"""
FUNCTIONS: Final[Mapping[str, Callable[..., Number]]] = MappingProxyType(
    {name: getattr(math, name) for name in FLOATS.split()}
    | {
        "abs": abs,
        "ceil": _exact(math.ceil),
        "factorial": _factorial,
        "floor": _exact(math.floor),
        "gcd": _over_integer("gcd", math.gcd),
        "lcm": _over_integer("lcm", math.lcm),
        "max": max,
        "min": min,
        "pow": _power,
        "round": _round,
        "sqrt": _sqrt,
        "trunc": _exact(math.trunc),
    }
)


@tool
def calculator(expression: str) -> str:
    """Work out an arithmetic expression, exactly where possible.

    Write numbers without thousands separators. There are + - * / // % ** and parentheses; pi, e,
    tau; abs, round, pow, min, max, sqrt, cbrt, exp, log(x, base), log2, log10, sin, cos, tan and
    their inverses (asin) and hyperbolics (sinh), atan2, degrees, radians, floor, ceil, trunc,
    factorial, gcd, lcm, hypot. % is the remainder: 17 percent of 80 is 0.17 * 80. Angles are in
    radians.

    Args:
        expression: What to work out, for example (3 + 4) * 2 ** 0.5
    """
    return evaluate(expression)


calculator.handle_tool_error = True
calculator.metadata = {"idempotent": True}


def evaluate(expression: str) -> str:
    """Returns the value of `expression` as text.

    Raises CalculatorError, with a sentence for the model, for an expression it does not accept.

    >>> evaluate("0.1 + 0.2"), evaluate("2 ** 100"), evaluate("1 / 3"), evaluate("round(2/3, 2)")
    ('0.3', '1267650600228229401496703205376', '0.3333333333333333', '0.67')
    """
    text = expression.translate(SPELLINGS).strip()
    _refuse_unreadable(text)
    try:
        return _number_text(_evaluate(_parse(text), text, 1))
    except ZeroDivisionError:
        raise CalculatorError("Division by zero.") from None
    except OverflowError:
        raise CalculatorError("The result is too large for a number.") from None
    except ValueError as error:
        raise CalculatorError(f"There is no such value: {error}.") from None


def _refuse_unreadable(text: str) -> None:
    if not text:
        raise CalculatorError("The expression is empty.")
    if len(text) > MAX_LENGTH:
        raise CalculatorError(
            f"The expression has {len(text):,} characters; at most {MAX_LENGTH} are allowed."
        )
    if found := UNREADABLE.search(text):
        hint = " Powers are written **." if found[0] == "^" else ""
        raise CalculatorError(f"`{found[0]}` has no meaning here.{hint}")
    if together := RUN_TOGETHER.search(text):
        raise CalculatorError(
            f"`{together[0]}` runs a number into a word; write {together[1]}*{together[2]}."
        )


def _parse(text: str) -> ast.expr:
    try:
        return ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        where = (
            f" near column {error.offset}"
            if isinstance(error, SyntaxError) and error.offset
            else ""
        )
        raise CalculatorError(
            f"`{text[:100]}` is not an arithmetic expression: it breaks off{where}."
        ) from None


def _evaluate(node: ast.expr, text: str, depth: int) -> Number:
    if depth > MAX_DEPTH:
        raise CalculatorError(f"The expression is nested deeper than {MAX_DEPTH} levels.")
    match node:
        case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
            return _literal(value, ast.get_source_segment(text, node) or repr(value))
        case ast.Name() if node.id in CONSTANTS:
            return CONSTANTS[node.id]
        case ast.UnaryOp() if type(node.op) in UNARY:
            return UNARY[type(node.op)](_evaluate(node.operand, text, depth + 1))
        case ast.BinOp() if type(node.op) in BINARY:
            left, right = (
                _evaluate(node.left, text, depth + 1),
                _evaluate(node.right, text, depth + 1),
            )
            return _bounded(BINARY[type(node.op)](left, right))
        case ast.Call(func=ast.Name(id=name), keywords=[]) if name in FUNCTIONS:
            return _call(name, [_evaluate(argument, text, depth + 1) for argument in node.args])
    raise CalculatorError(_explain(node))


def _literal(value: int | float, written: str) -> Number:
    """Returns the number as it is written, so that 0.1 is exactly a tenth and not a float."""
    if isinstance(value, int):
        return _bounded(Fraction(value))
    if not math.isfinite(value):
        raise OverflowError
    return Fraction(written.replace("_", "")) if value != 0 else Fraction(0)


def _call(name: str, values: list[Number]) -> Number:
    try:
        return _bounded(FUNCTIONS[name](*values))
    except TypeError:
        raise CalculatorError(f"`{name}` does not take {len(values)} arguments.") from None


def _bounded(value: Any) -> Number:
    """Returns `value` if it is a real number of at most MAX_BITS."""
    if isinstance(value, complex):
        raise ValueError("a root of a negative number is not a real number")
    if isinstance(value, float):
        if not math.isfinite(value):
            raise OverflowError
        return value
    exact = Fraction(value)
    if _bits(exact) > MAX_BITS:
        raise OverflowError
    return exact


def _bits(value: Fraction) -> int:
    return max(value.numerator.bit_length(), value.denominator.bit_length())


def _number_text(value: Number) -> str:
    if isinstance(value, float):
        return str(int(value)) if value == int(value) and abs(value) < 2**53 else repr(value)
    if value.denominator == 1:
        return str(value.numerator)
    return _decimal(value) or repr(value.numerator / value.denominator)


def _decimal(value: Fraction) -> str | None:
    """Returns `value` as an exact decimal, or None if it has more than 40 decimal places."""
    # A decimal is finite if the denominator has no prime factors other than 2 and 5.
    twos = (value.denominator & -value.denominator).bit_length() - 1
    fives = 0
    rest = value.denominator >> twos
    while rest % 5 == 0 and fives <= MAX_DECIMALS:
        rest, fives = rest // 5, fives + 1
    places = max(twos, fives)
    if rest != 1 or places > MAX_DECIMALS:
        return None
    digits = str(abs(value.numerator) * 10**places // value.denominator).rjust(places + 1, "0")
    return f"{'-' if value < 0 else ''}{digits[:-places]}.{digits[-places:]}"


def _explain(node: ast.expr) -> str:
    if isinstance(node, ast.Tuple):
        return "A comma separates arguments only; write numbers without thousands separators."
    """Returns why `node` is not accepted, as a sentence for the model."""
    name = node.func if isinstance(node, ast.Call) else node
    if isinstance(node, ast.Call) and isinstance(name, ast.Constant | ast.BinOp):
        return "Write * between the two factors of a product."
    if isinstance(name, ast.Name):
        known = ", ".join(sorted((*FUNCTIONS, *CONSTANTS)))
        return f"`{name.id[:50]}` has no meaning here. Known names: {known}."
    return "Only numbers, + - * / // % **, parentheses, functions and pi, e, tau are allowed."
