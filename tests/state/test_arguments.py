"""The text of a tool call's arguments is read strictly: a tool acts on it."""

import json
from typing import Any

import pytest
from hypothesis import given, strategies as st

from turngraph.state.arguments import parse_arguments
from turngraph.state.errors import ToolArgumentsError

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(st.dictionaries(st.text(), json_values))
def test_every_json_object_comes_through_unchanged(value: dict[str, Any]) -> None:
    """Strict parsing still takes every valid object."""
    assert parse_arguments(json.dumps(value)) == value


def test_no_arguments_are_an_empty_object() -> None:
    """Several vendors send an empty text for a call without arguments."""
    assert parse_arguments("") == parse_arguments(" \n") == parse_arguments("{}") == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[]", "an array"),
        ("null", "null"),
        ('"x"', "a string"),
        ("1", "a number"),
        ("true", "a boolean"),
        ("{", "not JSON: .* at line 1, column 2"),
        ("{'a': 1}", "not JSON"),
        ('{"a": 1}{"b": 2}', "not JSON"),
        ("3", "a number"),
        ("[1]", "an array"),
        ('{"a": NaN}', "`NaN` is no number"),
        ('{"a": Infinity}', "`Infinity`"),
        ('{"a": -Infinity}', "`-Infinity`"),
        ('{"a": 1e999}', "too large for a number"),
        ('{"a": 1, "a": 2}', "key `a` stands twice"),
        ('{"x": {"a": 1, "b": 3, "a": 2}}', "key `a` stands twice"),
        ('{"a": "\\ud800"}', "half of a surrogate pair"),
        ('{"\\udc00": 1}', "half of a surrogate pair"),
        ('{"a": ' + "[" * 70 + "]" * 70 + "}", "deeper than 64"),
        ('{"a": ' + "[" * 100_000, "deeper than 64|not JSON"),
        ('{"a": ' * 100_000, "deeper than 64|not JSON"),
        ('{"a": ' + "9" * 5000 + "}", "too large for a number"),
        ('{"a": "' + "x" * 1_000_000 + '"}', "1,000,009 characters"),
        ("{" + ",".join(f'"{n}":1' for n in range(50_000)) + ',"7":1}', "key `7` stands twice"),
    ],
    ids=range(24),
)
def test_what_is_no_json_object_is_refused(text: str, message: str) -> None:
    """A guess at what a model meant would run a tool on it."""
    with pytest.raises(ToolArgumentsError, match=message):
        parse_arguments(text)


def test_a_whole_pair_of_surrogates_is_a_letter() -> None:
    """Escaped, as many servers write all that is not ASCII."""
    assert parse_arguments('{"a": "\\ud83d\\ude00"}') == {"a": "😀"}


def test_the_deepest_that_is_read() -> None:
    """The limit is where it says, whether it is met by lists or by objects."""
    assert parse_arguments('{"a": ' + "[" * 63 + "]" * 63 + "}")
    assert parse_arguments('{"a": ' * 63 + "{}" + "}" * 63)
    for text in ('{"a": ' + "[" * 64 + "]" * 64 + "}", '{"a": ' * 64 + "{}" + "}" * 64):
        with pytest.raises(ToolArgumentsError, match="deeper than 64"):
            parse_arguments(text)


@given(st.text())
def test_any_text_is_an_object_or_a_sentence(text: str) -> None:
    """No other exception comes of what a model writes."""
    try:
        assert isinstance(parse_arguments(text), dict)
    except ToolArgumentsError as refused:
        assert str(refused).endswith(".")  # noqa: PT017  either end is right
