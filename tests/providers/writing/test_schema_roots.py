"""The root of a schema, which vendors want to be one object, and words that strict modes refuse."""

import json
from typing import Any, Optional

import pytest
from langchain_core.messages import HumanMessage
from pydantic import BaseModel, Field

from turngraph.providers.vendors.profiles import VENDORS
from turngraph.providers.writing.payload import build_payload
from turngraph.state.request import Api, ChatRequest, ToolSpec
from turngraph.state.response_format import response_format_of

BOTH = pytest.mark.parametrize("api", ["chat", "responses"])
BRANCHES = [
    {"type": "object", "properties": {"a": {"type": "string"}, "k": {"const": "x"}}},
    {"type": "object", "properties": {"b": {"type": "integer"}, "k": {"const": "y"}}},
]


class Tree(BaseModel):
    value: int
    left: Optional["Tree"] = None


class Annotated(BaseModel):
    count: int = Field(examples=[1], deprecated=True, json_schema_extra={"x-unit": "kg"})
    names: list[str] = Field(default=["a"])


def parameters(schema: dict[str, Any], api: Api = "chat", **fields: Any) -> Any:
    tool = ToolSpec(name="f", parameters=schema, **fields)
    request = ChatRequest(vendor="openai", api=api, model="gpt-4.1", tools=(tool,))
    payload = build_payload(request, [HumanMessage("Hi")], VENDORS["openai"])
    sent = payload.body["tools"][0]
    return sent.get("function", sent), payload.warnings


def answer(form: Any, vendor: str = "openai") -> Any:
    request = ChatRequest(vendor=vendor, api="chat", model="m", response_format=form)
    payload = build_payload(request, [HumanMessage("Hi")], VENDORS[vendor])
    return payload.body["response_format"]["json_schema"], payload.warnings


@BOTH
@pytest.mark.parametrize("schema", [{}, {"type": "object"}, {"type": ["object", "null"]}])
def test_a_tool_without_arguments_has_an_object_with_properties(
    api: Api, schema: dict[str, Any]
) -> None:
    """OpenAI refuses a root of no type, and one without `properties`."""
    function, warnings = parameters(schema, api)
    assert function["parameters"] == {"type": "object", "properties": {}}
    assert not warnings


@BOTH
@pytest.mark.parametrize("strict", [True, None])
def test_a_class_that_refers_to_itself_has_an_object_at_its_root(
    api: Api, strict: bool | None
) -> None:
    """Pydantic writes a reference there, which OpenAI refuses."""
    function, _ = parameters(Tree.model_json_schema(), api, strict=strict)
    sent = function["parameters"]
    assert sent["type"] == "object"
    assert set(sent["properties"]) == {"value", "left"}
    assert "Tree" in sent["$defs"]
    assert bool(function.get("strict")) is bool(strict)


def test_a_recursive_answer_stays_strict() -> None:
    form, warnings = answer(response_format_of(Tree))
    assert (form["strict"], warnings) == (True, ())
    assert form["schema"]["type"] == "object"
    assert form["schema"]["required"] == ["value", "left"]


@pytest.mark.parametrize("word", ["anyOf", "oneOf"])
def test_a_union_at_the_root_of_a_tool_becomes_one_object(word: str) -> None:
    """OpenAI and Anthropic refuse a union there."""
    required = [
        {**branch, "required": [name, "k"]} for branch, name in zip(BRANCHES, "ab", strict=True)
    ]
    function, warnings = parameters({word: required})
    sent = function["parameters"]
    assert sent["type"] == "object"
    assert set(sent["properties"]) == {"a", "b", "k"}
    assert sent["properties"]["k"] == {"enum": ["x", "y"]}
    assert sent["required"] == ["k"]
    assert "one object" in warnings[0]


def test_branches_that_only_require_members_leave_the_properties_alone() -> None:
    schema = {
        "type": "object",
        "properties": {"a": {"type": "string"}, "b": {"type": "string"}},
        "anyOf": [{"required": ["a"]}, {"required": ["b"]}],
    }
    function, _ = parameters(schema)
    assert function["parameters"] == {"type": "object", "properties": schema["properties"]}


def test_a_union_at_the_root_of_an_answer_is_one_object_only_where_it_must_be() -> None:
    form = {"type": "json_schema", "json_schema": {"name": "n", "schema": {"anyOf": BRANCHES}}}
    assert set(answer(form)[0]["schema"]["properties"]) == {"a", "b", "k"}
    assert answer(form, "vllm")[0]["schema"] == {"anyOf": BRANCHES}


def test_members_of_an_all_of_that_agree_are_merged_and_others_stay() -> None:
    agreeing: list[dict[str, Any]] = [
        {"properties": {"a": {"type": "string"}}},
        {"required": ["a"]},
    ]
    clashing: list[dict[str, Any]] = [{"type": "string", "minLength": 1}, {"minLength": 2}]
    inner = {"x": {"type": "object", "allOf": agreeing}, "y": {"allOf": clashing}}
    sent = parameters({"type": "object", "properties": inner})[0]["parameters"]["properties"]
    assert sent["x"] == {"type": "object", **agreeing[0], **agreeing[1]}
    assert sent["y"] == {"allOf": clashing}


def test_a_strict_schema_has_no_word_that_strict_modes_refuse() -> None:
    form, warnings = answer(response_format_of(Annotated))
    assert (form["strict"], warnings) == (True, ())
    words = ("examples", "deprecated", "x-unit", "default")
    assert not [word for word in words if f'"{word}"' in json.dumps(form)]


def test_nullable_is_null_among_the_types_of_a_strict_schema() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string", "nullable": True}}}
    function, _ = parameters(schema, strict=True)
    assert function["parameters"]["properties"]["a"] == {"type": ["string", "null"]}


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ({"type": "integer", "minimum": 0, "exclusiveMinimum": True}, {"exclusiveMinimum": 0}),
        ({"type": "array", "items": [{"type": "string"}]}, {"items": {"type": "string"}}),
        ({"type": ["array", "null"]}, {"items": {}}),
        ({"type": "object", "properties": None, "required": None}, {"type": "object"}),
        ({"type": "string", "required": True}, {"type": "string"}),
        (True, {}),
    ],
)
def test_what_older_drafts_and_careless_servers_write_is_said_in_todays_words(
    written: Any, sent: dict[str, Any]
) -> None:
    schema = {"type": "object", "properties": {"a": written}}
    member = parameters(schema)[0]["parameters"]["properties"]["a"]
    assert sent.items() <= member.items()
    assert not [name for name in ("properties", "required", "minimum") if name in member]


@pytest.mark.parametrize("vendor", ["openai", "googleai", "mistral"])
@pytest.mark.parametrize("strict", [True, None])
@pytest.mark.parametrize(
    "never", [False, {"not": {}}, {"$ref": "#/$defs/no"}, {"$ref": "#/$defs/never"}]
)
def test_a_property_that_may_not_be_given_is_not_offered(
    never: Any, strict: bool | None, vendor: str
) -> None:
    """As `{}` it would invite a value that the check of the arguments then refuses."""
    schema = {
        "type": "object",
        "properties": {"a": {"type": "string"}, "b": never},
        "$defs": {"no": False, "never": {"not": {}}},
    }
    tool = ToolSpec(name="f", parameters=schema, strict=strict)
    request = ChatRequest(vendor=vendor, api="chat", model="m", tools=(tool,))
    body = build_payload(request, [HumanMessage("Hi")], VENDORS[vendor]).body
    assert list(body["tools"][0]["function"]["parameters"]["properties"]) == ["a"]


@pytest.mark.parametrize("vendor", ["openai", "googleai", "mistral"])
def test_a_part_named_by_an_anchor_is_sent_as_what_it_is(vendor: str) -> None:
    """A vendor without references got any object in its place, the others refuse the request."""
    schema = {
        "type": "object",
        "properties": {"a": {"$ref": "#number"}},
        "$defs": {"n": {"$anchor": "number", "type": "integer"}},
    }
    sent, _ = answer(
        {"type": "json_schema", "json_schema": {"name": "f", "schema": schema}}, vendor
    )
    member = sent["schema"]["properties"]["a"]
    assert member == ({"type": "integer"} if vendor == "googleai" else {"$ref": "#/$defs/n"})
