"""Arguments of a tool call are checked strictly, and mistakes are reported by path."""

import json
import time
from typing import Any, Literal

import pytest
from langchain_core.tools import StructuredTool

from turngraph.state.errors import ToolArgumentsError, TurnConfigurationError, UnknownToolError
from turngraph.state.reply import ToolCall
from turngraph.tools.arguments import check_arguments, compile_schema
from turngraph.tools.direct_validator import DirectValidator
from turngraph.tools.mistakes import UncheckableError
from turngraph.tools.timed_validator import TimedValidator
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
        ("{}", '"city" is a required property'),
        ('{"city": "Oslo", "nights": "two"}', r'at `\$.nights`: "two" is not of type "integer"'),
        (
            '{"city": "Oslo", "nights": 2, "board": "all"}',
            r'`\$.board`: "all" is not one of "none", "half" or "full"',
        ),
        ('{"city": "Oslo", "nights": 2, "tags": [1]}', r"at `\$.tags"),
        ('{"city": null, "nights": 2}', r'at `\$.city`: null is not of type "string"'),
        ('{"city": "Oslo", "nights": 2.5}', 'is not of type "integer"'),
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


def check_with(schema: dict[str, Any], arguments: dict[str, Any]) -> None:
    check_arguments("t", arguments, compile_schema("t", {"type": "object", **schema}))


DOUBLING = {
    "properties": {"a": {"$ref": "#/$defs/n0"}},
    "$defs": {
        f"n{n}": {"allOf": [{"$ref": f"#/$defs/n{n + 1}"}, {"$ref": f"#/$defs/n{n + 1}"}]}
        for n in range(40)
    }
    | {"n40": {"type": "string"}},
}


@pytest.mark.parametrize(
    ("schema", "arguments", "message"),
    [
        ({"properties": {"a": {"pattern": "^(a|a)*$"}}}, {"a": "a" * 50 + "!"}, "Send shorter"),
        ({"patternProperties": {"^(a|a)*$": {}}}, {"a" * 50 + "!": 1}, "Send shorter"),
        (
            {"patternProperties": {"^(a|a)*$": {}}, "additionalProperties": False},
            {"a" * 50 + "!": 1},
            "Send shorter",
        ),
        ({"items": {}, "propertyNames": {"pattern": "(a|a)*$"}}, {"a" * 50 + "!": 1}, "shorter"),
        (DOUBLING, {"a": "x"}, "Send shorter"),
    ],
)  # fmt: skip
def test_a_check_is_bounded(
    schema: dict[str, Any], arguments: dict[str, Any], message: str
) -> None:
    """The check runs on the event loop; a server's schema must not be able to hold it. Without a
    bound none of these would ever end.
    """
    with pytest.raises(ToolArgumentsError, match=message):
        check_with(schema, arguments)


def test_unique_items_are_compared_in_linear_time() -> None:
    """Each pair of 20,000 objects would take minutes."""
    schema = {"properties": {"a": {"uniqueItems": True}}}
    check_with(schema, {"a": [{"n": n} for n in range(20_000)] + [True, 1, "1"]})
    for same in ([1, 1.0], [{"a": 1, "b": 2}, {"b": 2, "a": 1}], ["x", "x"]):
        with pytest.raises(ToolArgumentsError, match="non-unique"):
            check_with(schema, {"a": same})


def test_patterns_mean_what_they_did() -> None:
    """Names by pattern, further names, and texts."""
    schema = {
        "properties": {"id": {"pattern": "^[0-9]+$"}},
        "patternProperties": {"^x-": {"type": "string"}},
        "additionalProperties": {"type": "integer"},
    }
    check_with(schema, {"id": "12", "x-a": "b", "n": 1})
    for wrong, message in (
        ({"id": "a"}, "'a' does not match"),
        ({"x-a": 1}, "not of type 'string'"),
        ({"n": "x"}, "not of type 'integer'"),
    ):
        with pytest.raises(ToolArgumentsError, match=message):
            check_with(schema, wrong)
    with pytest.raises(ToolArgumentsError, match="'n' unexpected"):
        check_with(schema | {"additionalProperties": False}, {"n": 1})


def test_patterns_of_other_languages_are_read() -> None:
    """JSON schema's patterns are JavaScript's; what nobody can read is refused when wired."""
    check_with({"properties": {"a": {"pattern": r"^\p{L}+(?<rest>-.*)?$"}}}, {"a": "Köln"})
    with pytest.raises(TurnConfigurationError, match="not a regular expression"):
        compile_schema("t", {"properties": {"a": {"pattern": "(?<=a"}}})


def test_a_combination_that_cannot_be_bounded_is_refused() -> None:
    """By name, when the turn is built."""
    with pytest.raises(TurnConfigurationError, match="`unevaluatedProperties`"):
        compile_schema("t", {"patternProperties": {"a": {}}, "unevaluatedProperties": False})


@pytest.mark.parametrize("keyword", ["properties", "allOf", "default", "$defs"])
def test_a_schema_that_is_too_deep_is_refused_when_wired(keyword: str) -> None:
    """Not by a RecursionError, and whatever the levels are made of."""
    schema: Any = {"type": "object"}
    for _ in range(450):
        inner: Any = [schema] if keyword in ("allOf", "default") else {"a": schema}
        schema = {"type": "object", keyword: inner}
    deep = StructuredTool(name="deep", description="d", args_schema=schema, func=lambda: "x")
    with pytest.raises(TurnConfigurationError, match="`deep` is nested deeper than 100 levels"):
        Toolbox.of([deep])


def test_an_array_has_items() -> None:
    """OpenAI refuses an array without them; data that looks like a schema stays as it is."""
    given = {
        "type": "object",
        "properties": {
            "ids": {"type": "array"},
            "default": {"type": ["array", "null"], "default": {"type": "array"}},
            "pair": {"type": "array", "prefixItems": [{"type": "array"}]},
        },
    }
    made = StructuredTool(name="t", description="d", args_schema=given, func=lambda **_: "x")
    before = json.dumps(given)
    properties: Any = Toolbox.of([made]).specs[0].parameters["properties"]
    assert properties["ids"] == {"type": "array", "items": {}}
    assert properties["default"] == {
        "type": ["array", "null"], "default": {"type": "array"}, "items": {}
    }  # fmt: skip
    assert properties["pair"]["prefixItems"] == [{"type": "array", "items": {}}]
    assert "items" not in properties["pair"]
    assert json.dumps(given) == before


TREE = {"properties": {"child": {"$ref": "#"}}}


@pytest.mark.parametrize(
    ("schema", "kind"),
    [
        (BOX.specs[0].parameters, DirectValidator),
        ({"properties": {"a": {"$ref": "#/$defs/b"}}, "$defs": {"b": {}}}, DirectValidator),
        ({"properties": {"pattern": {}, "$id": {}, "id": {}}}, DirectValidator),
        (TREE, TimedValidator),
        (DOUBLING, TimedValidator),
        ({"$defs": {"b": {"pattern": "a"}}, "properties": {"a": {"$ref": "#/$defs/b"}}},
         TimedValidator),
        ({"$schema": "urn:other"}, TimedValidator),
    ],
)  # fmt: skip
def test_only_what_may_take_long_is_checked_under_a_clock(
    schema: dict[str, Any], kind: type
) -> None:
    """The check of nearly every tool is short, and needs no second validator in the process."""
    assert type(compile_schema("t", schema)) is kind


@pytest.mark.parametrize("extra", [{}, {"$id": "urn:t"}])
def test_both_validators_find_the_same_mistakes(extra: dict[str, Any]) -> None:
    """At the same places, in all that a plain schema may say."""
    schema = extra | {
        "properties": {
            "kind": {"enum": ["a", 1, None]},
            "n": {"type": "integer", "minimum": 1, "multipleOf": 2},
            "names": {"type": "array", "items": {"minLength": 2}, "uniqueItems": True},
            "pair": {"prefixItems": [{"const": 1.0}], "items": False},
            "or": {"oneOf": [{"type": "number"}, {"type": "integer"}]},
            "if": {"if": {"required": ["x"]}, "then": {"required": ["y"]}},
            "not": {"not": {"type": "null"}},
        },
        "propertyNames": {"maxLength": 5},
    }
    validator = compile_schema("t", schema)
    fitting = {
        "kind": 1,
        "n": 4.0,
        "names": ["ab", "é́"],
        "pair": [1],
        "or": 0.5,
        "if": {},
        "not": 1,
    }
    assert validator.mistakes_in(fitting) == []
    for name, value, place in [
        ("kind", True, "$.kind"),
        ("n", 3, "$.n"),
        ("n", 0, "$.n"),
        ("n", "4", "$.n"),
        ("names", ["ab", "c"], "$.names[1]"),
        ("names", ["ab", "ab"], "$.names"),
        ("pair", [True], "$.pair[0]"),
        ("pair", [1, 2], "$.pair"),
        ("or", 1, "$.or"),
        ("if", {"x": 1}, "$.if"),
        ("not", None, "$.not"),
        ("longer", 1, "$"),
    ]:
        [mistake] = validator.mistakes_in({name: value})
        assert mistake.startswith(f"at `{place}"), mistake


def test_of_a_long_value_the_first_mistake_is_told_at_once() -> None:
    """All of them would take seconds to write down."""
    began = time.process_time()
    with pytest.raises(ToolArgumentsError, match=r'at `\$.a\[0\]`: 1 is not of type "string"'):
        check_with({"properties": {"a": {"items": {"type": "string"}}}}, {"a": [1] * 300_000})
    assert time.process_time() - began < 3


@pytest.mark.parametrize("text", [r'"\ud800"', "[" * 500 + "]" * 500])
def test_a_value_that_cannot_be_read_is_no_crash(text: str) -> None:
    """An answer's text may stand for a lone surrogate, or for many levels."""
    with pytest.raises(UncheckableError):
        compile_schema("t", {"type": "object"}).mistakes_in(json.loads(text))
