"""The calculator agrees with Python's numbers and refuses everything but arithmetic."""

import math
import re
from contextlib import suppress
from fractions import Fraction

import pytest
from hypothesis import given, strategies as st

from turngraph.tools.builtin.calculator import CalculatorError, calculator, evaluate

numbers = st.integers(0, 10**6).map(str) | st.decimals(0, 1000, places=3).map(str)
expressions = st.recursive(
    numbers,
    lambda inner: (
        st.tuples(inner, st.sampled_from("+-*/"), inner).map(lambda parts: f"({' '.join(parts)})")
        | inner.map(lambda text: f"-({text})")
    ),
    max_leaves=12,
)


def exactly(text: str) -> Fraction:
    """The value by Python's own operators, every literal made a fraction."""
    wrapped = re.sub(r"\d+\.?\d*", lambda found: f"Fraction('{found[0]}')", text)
    return Fraction(eval(wrapped, {"Fraction": Fraction}))


@given(expressions)
def test_it_agrees_with_exact_fractions(text: str) -> None:
    """An expression of + - * / has the exact value, or the float nearest to it."""
    if len(text) > 400:
        return
    try:
        wanted = exactly(text)
    except ZeroDivisionError:
        with pytest.raises(CalculatorError, match="zero"):
            evaluate(text)
        return
    answer = evaluate(text)
    assert Fraction(answer) == wanted or math.isclose(float(answer), float(wanted), rel_tol=1e-15)


@given(st.integers(-(10**30), 10**30), st.integers(-(10**30), 10**30))
def test_integers_stay_exact(a: int, b: int) -> None:
    """Models need a calculator most for long integers."""
    assert evaluate(f"{a} * {b} - ({a})") == str(a * b - a)
    if b:
        assert evaluate(f"({a}) // ({b})") == str(a // b)
        assert evaluate(f"({a}) % ({b})") == str(a % b)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("2340 * 0.17", "397.8"),
        ("0.1 + 0.2", "0.3"),
        ("1/3*3", "1"),
        ("1/3", "0.3333333333333333"),
        ("sqrt(16)", "4"),
        ("sqrt(2)", "1.4142135623730951"),
        ("-2 ** 2", "-4"),
        ("2 ** -2", "0.25"),
        ("(-8) // 3", "-3"),
        ("-7 % 3", "2"),
        ("round(2/3, 3)", "0.667"),
        ("round(-2.5)", "-2"),
        ("pow(2, 0.5) * pow(2, 0.5)", "2.0000000000000004"),
        ("min(3, 1, 2) + max(1, 5)", "6"),
        ("abs(-3.5)", "3.5"),
        ("factorial(20)", "2432902008176640000"),
        ("gcd(12, 18) + lcm(4, 6)", "18"),
        ("cos(0) + log(8, 2) + log10(1000)", "7"),
        ("e ** 0 + 0 ** 0 + 1_000", "1002"),
        ("1e-400", "0"),
        ("2\u00d73 \u2212 1\u00f74", "5.75"),
        ("hypot(3, 4)", "5"),
        (" \n 7", "7"),
    ],
)
def test_expressions_that_models_write(text: str, wanted: str) -> None:
    """Each row is an expression and its value."""
    assert evaluate(text) == wanted


ESCAPES = [
    "__import__('os').system('true')",
    "().__class__.__bases__[0].__subclasses__()",
    "(1).__class__",
    "math.inf",
    "open('/etc/passwd')",
    "[x for x in (1,2)]",
    "lambda: 1",
    "lambda_ + 1",
    "print(1)",
    "exec('1')",
    "eval('1')",
    "globals()",
    "abs(x=1)",
    "abs(*(1,2))",
    "abs(**{'x':1})",
    "max(key=abs)",
    "round(1, ndigits=2)",
    "True",
    "None",
    "not 1",
    "1 and 2",
    "1 if 2 else 3",
    "1 < 2",
    "1 == 1",
    "~1",
    "1 << 1000000000",
    "1 & 1",
    "5 ^ 2",
    "a := 5",
    "yield 1",
    "await x",
    "f'{1}'",
    "'a' * 10",
    "b'a'",
    "1j",
    "(-1) ** 0.5",
    "...",
    "1,2",
    "{1}",
    "{1: 2}",
    "x",
    "pi()",
    "sqrt",
    "sqrt(sqrt)",
    "sin(1)(2)",
    "2(3)",
    "2pi",
    "0x10",
    "1or 2",
    "1;2",
    "1#2",
    "import os",
    "",
    "   ",
    "\x00",
    "\ud800",
    "\u0661+\u0661",
    "\U0001d7cf+\U0001d7cf",
    "\uff41\uff42\uff53(1)",
    "1 +",
    ")(",
    "(" * 500,
    "-" * 499 + "1",
    "1" * 501,
    "abs()",
    "abs(1, 2)",
    "min()",
    "log(0)",
    "log(-1)",
    "asin(2)",
    "sqrt(-1)",
    "sqrt(0 - 1/4)",
    "round(1.5, 0.5)",
    "round(1, 10**9)",
    "gcd(1.5, 2)",
    "factorial(-1)",
    "factorial(0.5)",
    "1/0",
    "1//0",
    "1%0",
    "0**-1",
    "1.5 % 0",
]


@pytest.mark.parametrize("text", ESCAPES)
def test_everything_else_is_refused_with_a_message(text: str) -> None:
    """CalculatorError is the only exception, and the model can use its text."""
    with pytest.raises(CalculatorError) as refused:
        evaluate(text)
    assert str(refused.value).endswith(".")
    assert len(str(refused.value)) < 500


@pytest.mark.parametrize(
    "text",
    [
        "9**9**9",
        "9**9**9**9**9",
        "2**(2**100)",
        "10**3900*10**3900",
        "factorial(1001)",
        "factorial(1e300)",
        "exp(710)",
        "1e308*1e308*exp(700)",
        "1e400",
        "(1/3)**9999",
        "0.5**(10**12)",
        "2.5**1e10",
        "pow(pow(9,999),999)",
        "*".join(["9**999"] * 50),
        "+".join(f"1/{10**40 + n}" for n in range(10)) + "**99",
        "1e-300**1e300",
    ],
)
def test_expressions_that_would_run_for_hours_are_refused(text: str) -> None:
    """The size of `9**9**9` is checked before it is computed."""
    with suppress(CalculatorError):
        assert len(evaluate(text)) < 5000


@given(st.text(alphabet="0123456789.e+-*/%() ,_abspowrundjxp", max_size=60))
def test_any_text_gives_a_value_or_an_error(text: str) -> None:
    """Models write anything; the only results are a value and a CalculatorError."""
    with suppress(CalculatorError):
        evaluate(text)


def test_as_a_tool_it_returns_the_error() -> None:
    """In `create_agent`, an exception from a tool would end the run."""
    assert calculator.invoke({"expression": "1/0"}) == "Division by zero."
    assert calculator.invoke({"expression": "6*7"}) == "42"


def test_a_long_sum_is_computed() -> None:
    """A sum nests as deep as it is long."""
    assert evaluate("+".join(["1"] * 250)) == "250"
