"""Arguments of a tool call are read strictly: what is wrong is told by path, and nothing is run on
it.
"""

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


def test_fitting_arguments_pass() -> None:
    """With and without what has a default."""
    assert check('{"city": "Oslo", "nights": 2}') == {"city": "Oslo", "nights": 2}
    assert check('{"city": "Oslo", "nights": 2, "board": "half", "tags": ["quiet"]}')["tags"] == [
        "quiet"
    ]


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
        (
            '{"city": "Oslo", "nights": 2, "board": "' + "x" * 9000 + '"}',
            r"allowed: \[\"none\", \"half\", \"full\"\]",
        ),
    ],
)
def test_a_misfit_is_told_by_path_with_what_is_allowed(text: str, said: str) -> None:
    """The model reads the sentence and tries again."""
    with pytest.raises(ToolArgumentsError, match=said) as refused:
        check(text)
    assert len(str(refused.value)) < 1500


def test_a_member_too_many_is_told_the_known_ones() -> None:
    """Where a schema takes no others: a plugin's does not."""
    schema = {
        "type": "object",
        "properties": {"kind": {}, "name": {}},
        "additionalProperties": False,
    }
    with pytest.raises(ToolArgumentsError, match=r"'kin' was unexpected.* \(known: kind, name\)"):
        check_arguments("planets", {"kin": 1}, compile_schema("planets", schema))


def test_an_unknown_tool_is_named_with_those_there_are() -> None:
    """Models invent names."""
    with pytest.raises(UnknownToolError, match="Offered: `book`"):
        BOX.check(ToolCall(id="c", name="boook", arguments="{}"))
