"""Arguments of a tool call are checked strictly, and mistakes are reported by path."""

from typing import Any, Literal

import pytest

from turngraph.state.errors import ToolArgumentsError, UnknownToolError
from turngraph.state.reply import ToolCall
from turngraph.tools.arguments import check_arguments, compile_schema
from turngraph.tools.toolbox import Toolbox


def book(
    city: str,
    nights: int,
    board: Literal["none", "half", "full"] = "none",
    tags: list[str] | None = None,
) -> str:
    """Book a room."""
    return f"{city} {nights} {board} {tags}"


BOX = Toolbox.of([book])


def check(arguments: str) -> dict[str, Any]:
    return BOX.check(ToolCall(id="c", name="book", arguments=arguments))


def test_valid_arguments_pass() -> None:
    """With and without the arguments that have a default."""
    assert check('{"city": "Oslo", "nights": 2}') == {"city": "Oslo", "nights": 2}
    assert check('{"city": "Oslo", "nights": 2, "board": "half", "tags": ["quiet"]}')["tags"] == [
        "quiet"
    ]


@pytest.mark.parametrize(
    ("text", "message"),
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
        (
            '{"city": "Oslo", "nights": 2, "board": "' + "x" * 9000 + '"}',
            r"allowed: \[\"none\", \"half\", \"full\"\]",
        ),
    ],
)
def test_a_mistake_is_reported_with_path_and_allowed_values(text: str, message: str) -> None:
    """The model reads the message and tries again."""
    with pytest.raises(ToolArgumentsError, match=message) as refused:
        check(text)
    assert len(str(refused.value)) < 1500


def test_an_unknown_argument_is_reported_with_the_known_ones() -> None:
    """The schema of a plugin allows no other arguments."""
    schema = {
        "type": "object",
        "properties": {"kind": {}, "name": {}},
        "additionalProperties": False,
    }
    with pytest.raises(ToolArgumentsError, match=r"'kin' was unexpected.* \(known: kind, name\)"):
        check_arguments("planets", {"kin": 1}, compile_schema("planets", schema))


def test_an_unknown_tool_is_reported_with_the_known_ones() -> None:
    """Models invent names."""
    with pytest.raises(UnknownToolError, match="Offered: `book`"):
        BOX.check(ToolCall(id="c", name="boook", arguments="{}"))
