"""Schemas of tools and answers in the dialect of each vendor."""

import json
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Literal

import pytest
from langchain_core.messages import HumanMessage
from pydantic import BaseModel, Field, HttpUrl

from turngraph.providers.vendors.profiles import VENDORS
from turngraph.providers.writing.payload import build_payload
from turngraph.providers.writing.schema_dialect import in_simple_words
from turngraph.state.request import Api, ChatRequest, ToolSpec
from turngraph.state.response_format import response_format_of


class Car(BaseModel):
    kind: Literal["car"]
    doors: int = 4


class Bike(BaseModel):
    kind: Literal["bike"]
    gears: int | None = None


class Vehicle(BaseModel):
    vehicle: Annotated[Car | Bike, Field(discriminator="kind")]
    spare: Car | None = None
    first: Car = Field(description="The first one.")


class Measure(BaseModel):
    size: tuple[int, str]
    place: tuple[int, int]


class Anything(BaseModel):
    value: Any


class Listed(BaseModel):
    values: list  # type: ignore[type-arg]


class Count(BaseModel):
    counts: dict[str, int]


class Narrow(BaseModel):
    tags: set[str] = Field(min_length=1)
    page: HttpUrl
    day: date
    price: Decimal
    code: str = Field(pattern="^[A-Z]+$")


def body(vendor: str, model: str, api: Api = "chat", **fields: Any) -> tuple[Any, tuple[str, ...]]:
    request = ChatRequest(vendor=vendor, api=api, model=model, **fields)
    payload = build_payload(request, [HumanMessage("Hi")], VENDORS[vendor])
    return payload.body, payload.warnings


def objects_in(node: Any) -> list[dict[str, Any]]:
    if isinstance(node, list):
        return [found for member in node for found in objects_in(member)]
    if not isinstance(node, dict):
        return []
    inner = [found for member in node.values() for found in objects_in(member)]
    return [node, *inner] if node.get("type") == "object" else inner


def format_of(sent: Any, api: Api) -> Any:
    return sent["response_format"]["json_schema"] if api == "chat" else sent["text"]["format"]


@pytest.mark.parametrize("api", ["chat", "responses"])
def test_a_strict_format_is_closed_and_complete(api: Api) -> None:
    """OpenAI refuses `oneOf`, open objects, and properties that may be missing."""
    sent, warnings = body("openai", "gpt-4.1", api, response_format=response_format_of(Vehicle))
    form = format_of(sent, api)
    assert form["strict"] is True
    assert not warnings
    assert not [word for word in ("oneOf", "discriminator") if word in json.dumps(form)]
    assert len(objects_in(form["schema"])) == 3
    for node in objects_in(form["schema"]):
        assert node["additionalProperties"] is False
        assert node["required"] == list(node["properties"])


def test_what_only_narrows_a_value_is_left_out_of_a_strict_format() -> None:
    """OpenAI refuses a set's `uniqueItems`, formats it does not know, and patterns that look ahead.
    The answer is checked against all of it.
    """
    sent, warnings = body("openai", "gpt-4.1", response_format=response_format_of(Narrow))
    form = format_of(sent, "chat")
    members = form["schema"]["properties"]
    assert (form["strict"], warnings) == (True, ())
    assert "uniqueItems" not in members["tags"]
    assert members["tags"]["minItems"] == 1
    assert "format" not in members["page"]
    assert members["day"]["format"] == "date"
    assert "(?!" not in json.dumps(members["price"])
    assert members["code"]["pattern"] == "^[A-Z]+$"


@pytest.mark.parametrize("form", [Measure, Anything, Listed])
def test_what_strict_cannot_describe_is_sent_without_it(form: type[BaseModel]) -> None:
    """OpenAI refuses a strict schema with a value of any kind or a tuple."""
    sent, warnings = body("openai", "gpt-4.1", response_format=response_format_of(form))
    assert format_of(sent, "chat")["strict"] is False
    assert "without `strict`" in " ".join(warnings)


@pytest.mark.parametrize("vendor", ["openai", "googleai"])
def test_a_tuple_is_an_array_with_items(vendor: str) -> None:
    """OpenAI refuses an array without `items`; Gemini does not know `prefixItems`."""
    tool = ToolSpec(name="f", parameters=Measure.model_json_schema())
    properties = body(vendor, "m", tools=(tool,))[0]["tools"][0]["function"]["parameters"][
        "properties"
    ]
    assert properties["size"]["items"] == {"anyOf": [{"type": "integer"}, {"type": "string"}]}
    assert properties["place"]["items"] == {"type": "integer"}
    assert ("prefixItems" in properties["size"]) is (vendor == "openai")


@pytest.mark.parametrize("api", ["chat", "responses"])
def test_a_mapping_is_sent_without_strict_and_a_warning_says_so(api: Api) -> None:
    """Closed, it could only ever be empty, and nobody would notice."""
    sent, warnings = body("openai", "gpt-4.1", api, response_format=response_format_of(Count))
    form = format_of(sent, api)
    assert form["strict"] is False
    assert form["schema"]["properties"]["counts"]["additionalProperties"] == {"type": "integer"}
    assert "without `strict`" in " ".join(warnings)


def test_gemini_gets_no_const_and_no_reference_in_tools_and_formats() -> None:
    """It knows neither, and would lose the tags of a union."""
    tool = ToolSpec(name="f", description="F.", parameters=Vehicle.model_json_schema())
    form = response_format_of(Vehicle)
    for fields in ({"tools": (tool,)}, {"response_format": form}):
        sent = json.dumps(body("googleai", "gemini-2.5-flash", **fields)[0])
        assert not [word for word in ('"const"', "$ref", "#/$defs") if word in sent]
        assert all(f'"enum": ["{tag}"]' in sent for tag in ("car", "bike"))


def test_definitions_that_double_a_schema_are_cut_where_references_are_replaced() -> None:
    """Two kilobytes of definitions that each use the next one twice would become gigabytes."""
    definitions: dict[str, Any] = {
        f"n{n}": {
            "type": "object",
            "properties": {side: {"$ref": f"#/$defs/n{n + 1}"} for side in ("left", "right")},
        }
        for n in range(40)
    }
    definitions["n40"] = {"type": "string"}
    schema = {
        "type": "object",
        "properties": {"a": {"$ref": "#/$defs/n0"}},
        "$defs": definitions,
    }
    form = {"type": "json_schema", "json_schema": {"name": "n", "schema": schema}}
    for fields in ({"tools": (ToolSpec(name="f", parameters=schema),)}, {"response_format": form}):
        sent, warnings = body("googleai", "gemini-2.5-flash", **fields)
        assert "$ref" not in json.dumps(sent)
        assert len(json.dumps(sent)) < 1_000_000
        assert "more than 1,000 references" in " ".join(warnings)


@pytest.mark.parametrize("api", ["chat", "responses"])
def test_an_array_has_items_wherever_it_stands(api: Api) -> None:
    """MCP servers leave them out, and OpenAI refuses the whole request."""
    inner = {"type": "object", "properties": {"ids": {"type": "array"}}}
    tool = ToolSpec(name="f", parameters={"type": "object", "properties": {"o": inner}})
    sent = body("openai", "gpt-4.1", api, tools=(tool,))[0]["tools"][0]
    parameters = sent.get("function", sent)["parameters"]
    assert parameters["properties"]["o"]["properties"]["ids"] == {"type": "array", "items": {}}


def test_a_strict_tool_with_a_mapping_is_sent_without_strict() -> None:
    """As a format would be."""
    tool = ToolSpec(name="f", parameters=Count.model_json_schema(), strict=True)
    sent, warnings = body("openai", "gpt-4.1", tools=(tool,))
    assert sent["tools"][0]["function"]["strict"] is False
    assert "`f` is sent without `strict`" in " ".join(warnings)


def test_a_schema_is_rewritten_anew_once_it_or_what_was_sent_of_it_is_changed() -> None:
    parameters: dict[str, Any] = {"type": "object", "properties": {"size": {"const": "s"}}}
    request = ChatRequest(
        vendor="googleai",
        api="chat",
        model="gemini-2.5-flash",
        tools=(ToolSpec(name="measure", parameters=parameters),),
    )

    def sent() -> Any:
        body = build_payload(request, [HumanMessage("Hi")], VENDORS["googleai"]).body
        return body["tools"][0]["function"]["parameters"]["properties"]

    first = sent()
    assert first == {"size": {"type": "string", "enum": ["s"]}}
    first["size"]["enum"].append("m")
    assert sent() == {"size": {"type": "string", "enum": ["s"]}}
    request.tools[0].parameters["properties"]["size"]["const"] = "l"  # type: ignore[index, call-overload]
    assert sent() == {"size": {"type": "string", "enum": ["l"]}}


def test_a_warning_about_a_schema_comes_with_every_request() -> None:
    parameters: dict[str, Any] = {"type": "object", "properties": {}, "patternProperties": {}}
    request = ChatRequest(
        vendor="googleai",
        api="chat",
        model="gemini-2.5-flash",
        tools=(ToolSpec(name="measure", parameters=parameters),),
    )
    warnings = [
        build_payload(request, [HumanMessage("Hi")], VENDORS["googleai"]).warnings for _ in range(2)
    ]
    assert warnings[0] == warnings[1]
    assert "`patternProperties` is left out" in warnings[0][0]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("String", {"type": "string"}),
        ("OBJECT", {"type": "object"}),
        ("str", {"type": "string"}),
        ("any", {}),
        ("", {}),
        (None, {}),
        ([], {}),
        (["String", "null"], {"type": ["string", "null"]}),
        (["string", "any"], {}),
    ],
)
def test_a_type_that_no_draft_knows_is_what_it_means_or_says_nothing(
    written: Any, meant: Any
) -> None:
    """MCP servers write them; vendors refuse the whole request ("'any' is not valid")."""
    assert in_simple_words({"type": written, "title": "A"}) == {**meant, "title": "A"}
