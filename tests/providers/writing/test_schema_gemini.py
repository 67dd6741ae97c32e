"""JSON schemas as Gemini takes them: it refuses a request with one word that it does not know."""

from typing import Any

import pytest
from langchain_core.messages import HumanMessage

from turngraph.providers.vendors.profiles import VENDORS
from turngraph.providers.writing.payload import build_payload
from turngraph.state.request import ChatRequest, ToolSpec


def sent(schema: Any, **more: Any) -> tuple[Any, tuple[str, ...]]:
    parameters = {"type": "object", "properties": {"a": schema}, **more}
    request = ChatRequest(
        vendor="googleai",
        api="chat",
        model="gemini-2.5-flash",
        tools=(ToolSpec(name="f", parameters=parameters),),
    )
    payload = build_payload(request, [HumanMessage("Hi")], VENDORS["googleai"])
    return payload.body["tools"][0]["function"]["parameters"], payload.warnings


@pytest.mark.parametrize(
    ("schema", "member"),
    [
        ({"type": ["string", "null"]}, {"type": "string", "nullable": True}),
        (
            {"anyOf": [{"type": "integer"}, {"type": "null"}], "default": None, "title": "A"},
            {"type": "integer", "title": "A", "nullable": True},
        ),
        ({"type": ["string", "integer"]}, {"anyOf": [{"type": "string"}, {"type": "integer"}]}),
        ({"enum": ["x", None]}, {"type": "string", "enum": ["x"], "nullable": True}),
        (
            {"type": "integer", "exclusiveMinimum": 0, "exclusiveMaximum": 9},
            {"type": "integer", "minimum": 1, "maximum": 8},
        ),
        ({"properties": {}}, {"type": "object", "properties": {}}),
        ({"const": None}, {"type": "null"}),
        (
            {"anyOf": [{"enum": ["x"]}, {"const": None, "type": "null"}]},
            {"type": "string", "enum": ["x"], "nullable": True},
        ),
        (
            {"enum": [[1, "a"]]},
            {"type": "array", "items": {}, "description": 'One of: [1, "a"].'},
        ),
        ({"const": {"x": True}}, {"type": "object", "description": 'One of: {"x": true}.'}),
        ({"type": "string", "format": "date-time"}, {"type": "string", "format": "date-time"}),
        (
            {"type": "string", "examples": ["x"], "x-order": 1, "$comment": "c", "readOnly": True},
            {"type": "string"},
        ),
        (
            {"enum": [1, 2, 4], "description": "The size."},
            {
                "type": "integer",
                "minimum": 1,
                "maximum": 4,
                "description": "The size. One of: 1, 2, 4.",
            },
        ),
        ({"const": True}, {"type": "boolean", "description": "One of: true."}),
        ({"enum": ["", "x"]}, {"type": "string", "enum": ["x"]}),
        ({"type": "string", "enum": [""]}, {"type": "string"}),
        (
            {"type": "string", "items": {"type": "string"}, "minItems": 1, "required": ["x"]},
            {"type": "string"},
        ),
        (
            {"type": "string", "anyOf": [{"minLength": 1}, {"pattern": "x"}], "description": "d"},
            {
                "description": "d",
                "anyOf": [{"type": "string", "minLength": 1}, {"type": "string", "pattern": "x"}],
            },
        ),
        (
            {
                "type": "object",
                "properties": {"n": {"type": "integer"}},
                "anyOf": [{"required": ["n"]}, {"required": ["m"]}],
            },
            {"type": "object", "properties": {"n": {"type": "integer"}}},
        ),
        (
            {"anyOf": [{"type": "string", "required": ["n"]}, {"type": "integer", "items": {}}]},
            {"anyOf": [{"type": "string"}, {"type": "integer"}]},
        ),
        (
            {"enum": ["auto", 1]},
            {
                "anyOf": [{"type": "string", "enum": ["auto"]}, {"type": "integer"}],
                "description": "One of: auto, 1.",
            },
        ),
    ],
)
def test_a_schema_says_the_same_in_geminis_words(schema: Any, member: Any) -> None:
    """It answers 400 to an empty text in an `enum`, to a word of another type ("only allowed for
    OBJECT type"), and to a branch that is not whole by itself.
    """
    parameters, warnings = sent(schema)
    assert parameters["properties"]["a"] == member
    assert not warnings


@pytest.mark.parametrize(
    ("schema", "word"),
    [
        ({"type": "string", "format": "uri"}, "format: uri"),
        ({"type": "number", "multipleOf": 0.5}, "multipleOf"),
        ({"type": "array", "items": {}, "uniqueItems": True}, "uniqueItems"),
        ({"not": {"type": "string"}}, "not"),
        ({"type": "number", "exclusiveMinimum": 0}, "exclusiveMinimum"),
    ],
)
def test_what_gemini_cannot_say_is_left_out_with_a_warning(schema: Any, word: str) -> None:
    parameters, warnings = sent(schema)
    assert word.partition(":")[0] not in parameters["properties"]["a"]
    assert f"`{word}`" in warnings[0]


def test_only_properties_that_are_there_are_required() -> None:
    """It answers 400: "property is not defined"."""
    assert sent({"type": "string"}, required=["a", "ghost"])[0]["required"] == ["a"]


def test_a_strict_answer_is_closed_first_and_then_in_geminis_words() -> None:
    """In its words first, an optional member would lose its null or its place."""
    properties = {
        "a": {"type": "string"},
        "b": {"anyOf": [{"type": "integer"}, {"type": "null"}], "default": None},
        "c": {"const": "km"},
    }
    schema = {"type": "object", "properties": properties, "required": ["a"]}
    form = {"type": "json_schema", "json_schema": {"name": "n", "schema": schema, "strict": True}}
    request = ChatRequest(vendor="googleai", api="chat", model="m", response_format=form)
    payload = build_payload(request, [HumanMessage("Hi")], VENDORS["googleai"])
    assert payload.body["response_format"]["json_schema"] == {
        "name": "n",
        "strict": True,
        "schema": {
            "type": "object",
            "properties": {
                "a": {"type": "string"},
                "b": {"type": "integer", "nullable": True},
                "c": {"type": "string", "enum": ["km"]},
            },
            "required": ["a", "b", "c"],
        },
    }
    assert not payload.warnings


@pytest.mark.parametrize("name", ["a/b", "a~b", "a b", "a%b", "a%2Fb"])
def test_a_reference_with_escapes_is_followed(name: str) -> None:
    """Gemini takes no references; one that is not found would be sent as any object."""
    escaped = name.replace("~", "~0").replace("/", "~1").replace("%", "%25").replace(" ", "%20")
    parameters, warnings = sent(
        {"$ref": f"#/$defs/{escaped}"}, **{"$defs": {name: {"type": "integer"}}}
    )
    assert parameters["properties"]["a"] == {"type": "integer"}
    assert warnings == ()


def test_a_reference_into_a_list_is_followed() -> None:
    union = {"anyOf": [{"type": "integer"}, {"type": "string"}]}
    schema = {"anyOf": [{"$ref": "#/properties/b/anyOf/1"}, {"type": "boolean"}]}
    parameters, _ = sent(schema, properties={"a": schema, "b": union})
    assert parameters["properties"]["a"]["anyOf"][0] == {"type": "string"}


@pytest.mark.parametrize(
    ("places", "items"),
    [
        ([True], {}),
        ([True, {"type": "string"}], {}),
        ([False, {"type": "string"}], {"type": "string"}),
    ],
)
def test_a_tuple_with_a_place_for_anything_is_sent(places: Any, items: Any) -> None:
    """`true` and `false` are schemas too."""
    parameters, _ = sent({"type": "array", "prefixItems": places})
    assert parameters["properties"]["a"] == {"type": "array", "items": items}
