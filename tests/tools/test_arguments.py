"""Arguments of a tool call are read strictly: what is wrong is told by path, and nothing is run on it."""

import json
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turngraph.state.errors import ToolArgumentsError, UnknownToolError
from turngraph.state.reply import ToolCall
from turngraph.tools.arguments import parse_arguments
from turngraph.tools.toolbox import Toolbox


def book(city: str, nights: int, board: Literal["none", "half", "full"] = "none", tags: list[str] | None = None) -> str:
    """Book a room."""
    return f"{city} {nights} {board} {tags}"


BOX = Toolbox.of([book])


def check(arguments: str) -> dict[str, Any]:
    return BOX.check(ToolCall(id="c", name="book", arguments=arguments))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(st.dictionaries(st.text(), json_values))
def test_every_json_object_comes_through_unchanged(value: dict[str, Any]) -> None:
    """Strict is not narrow."""
    assert parse_arguments(json.dumps(value)) == value


def test_no_arguments_are_an_empty_object() -> None:
    """Several vendors send an empty text for a call without arguments."""
    assert parse_arguments("") == parse_arguments(" \n") == parse_arguments("{}") == {}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[]", "an array"),
        ("null", "null"),
        ('"x"', "a string"),
        ("1", "a number"),
        ("true", "a boolean"),
        ("{", "not JSON: .* at line 1, column 2"),
        ("{'a': 1}", "not JSON"),
        ('{"a": 1}{"b": 2}', "not JSON"),
        ('{"a": NaN}', "`NaN`, which is not JSON"),
        ('{"a": -Infinity}', "`-Infinity`"),
        ('{"a": 1e999}', "too large for a number"),
        ('{"a": 1, "a": 2}', "key `a` twice"),
        ('{"x": {"a": 1, "b": 3, "a": 2}}', "key `a` twice"),
        ('{"a": "\\ud800"}', "half a surrogate pair"),
        ('{"\\udc00": 1}', "half a surrogate pair"),
        ('{"a": ' + "[" * 70 + "]" * 70 + "}", "deeper than 64"),
        ('{"a": ' + "[" * 100_000, "deeper than 64|not JSON"),
        ('{"a": ' * 100_000, "deeper than 64|not JSON"),
        ('{"a": ' + "9" * 5000 + "}", "more than 4,300 digits"),
        ('{"a": "' + "x" * 1_000_000 + '"}', "1,000,009 characters"),
        ("{" + ",".join(f'"{n}":1' for n in range(50_000)) + ',"7":1}', "key `7` twice"),
    ],
    ids=range(21),
)
def test_what_is_not_plainly_a_json_object_is_refused(text: str, said: str) -> None:
    """A guess at what a model meant would run a tool on it."""
    with pytest.raises(ToolArgumentsError, match=said):
        parse_arguments(text)


def test_fitting_arguments_pass() -> None:
    """With and without what has a default."""
    assert check('{"city": "Oslo", "nights": 2}') == {"city": "Oslo", "nights": 2}
    assert check('{"city": "Oslo", "nights": 2, "board": "half", "tags": ["quiet"]}')["tags"] == ["quiet"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{}", "'city' is a required property"),
        ('{"city": "Oslo", "nights": "two"}', r"at `\$.nights`: 'two' is not of type 'integer'"),
        (
            '{"city": "Oslo", "nights": 2, "board": "all"}',
            r"`\$.board`: 'all' is not one of \['none', 'half', 'full'\]",
        ),
        ('{"city": "Oslo", "nights": 2, "tags": [1]}', r"at `\$.tags"),
        ('{"city": null, "nights": 2}', r"at `\$.city`: None is not of type 'string'"),
        ('{"city": "Oslo", "nights": 2.5}', "is not of type 'integer'"),
        ('{"city": "Oslo", "nights": 2, "board": "' + "x" * 9000 + '"}', r"allowed: \[\"none\", \"half\", \"full\"\]"),
    ],
)
def test_a_misfit_is_told_by_path_with_what_is_allowed(text: str, said: str) -> None:
    """The model reads the sentence and tries again."""
    with pytest.raises(ToolArgumentsError, match=said) as refused:
        check(text)
    assert len(str(refused.value)) < 1500


def test_an_unknown_tool_is_named_with_those_there_are() -> None:
    """Models invent names."""
    with pytest.raises(UnknownToolError, match="Offered: `book`"):
        BOX.check(ToolCall(id="c", name="boook", arguments="{}"))


@given(st.text())
def test_any_text_is_an_object_or_a_sentence(text: str) -> None:
    """No other exception comes of what a model writes."""
    try:
        assert isinstance(parse_arguments(text), dict)
    except ToolArgumentsError as refused:
        assert str(refused).endswith(".")  # noqa: PT017  either end is right
