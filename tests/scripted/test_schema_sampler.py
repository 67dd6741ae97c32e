"""Values sampled from schemas always fit them, and hold what the text says."""

from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings, strategies as st
from pydantic import BaseModel, Field

from turngraph.scripted.responder.schema_sampler import sample


class Leaf(BaseModel):
    kind: str = "leaf"
    weight: float = Field(ge=0, lt=5)


class Tree(BaseModel):
    name: str = Field(min_length=12, max_length=14)
    left: "Tree | None"
    leaves: list[Leaf] = Field(min_length=1, max_length=3)
    tags: dict[str, int] = {}


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("text", ["", "Weigh 3 leaves of 7 kg in Oslo on 2024-02-03, 'quoted'."])
def test_models_with_references_and_recursion_are_filled(text: str, whole: bool) -> None:
    """pydantic's schemas refer to themselves; strict ones require every property."""
    Tree.model_validate(sample(Tree.model_json_schema(), text, include_optional=whole))


NUMBERS = st.fixed_dictionaries(
    {"type": st.sampled_from(["integer", "number"])},
    optional={"minimum": st.integers(-50, 0), "maximum": st.integers(3, 50), "default": st.just(2)},
)
STRINGS = st.fixed_dictionaries(
    {"type": st.just("string")},
    optional={
        "minLength": st.integers(0, 5),
        "maxLength": st.integers(5, 30),
        "examples": st.just(["abcde"]),
    },
)
FORMATTED = st.fixed_dictionaries(
    {"type": st.just("string"), "format": st.sampled_from(["date", "uuid", "uri"])}
)
SIMPLE = (
    NUMBERS
    | STRINGS
    | FORMATTED
    | st.just({"type": "boolean"})
    | st.just({"enum": ["red", "green"]})
    | st.just({"const": 7})
    | st.just({"type": ["string", "null"]})
)
NAMES = st.sampled_from(["city", "date", "expression", "count", "query", "title"])


def objects(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    def required(properties: dict[str, Any]) -> st.SearchStrategy[Any]:
        names = (
            st.lists(st.sampled_from(sorted(properties)), unique=True)
            if properties
            else st.just([])
        )
        return st.builds(
            lambda names: {"type": "object", "properties": properties, "required": names}, names
        )

    lists = st.builds(
        lambda item, low: {"type": "array", "items": item, "minItems": low},
        inner,
        st.integers(0, 2),
    )
    either = st.builds(lambda one: {"anyOf": [{"type": "null"}, one]}, inner)
    return st.dictionaries(NAMES, inner, max_size=4).flatmap(required) | lists | either


@settings(deadline=None)
@given(
    st.recursive(SIMPLE, objects, max_leaves=8),
    st.sampled_from(["", "red 4 9 Oslo 2024-01-02 3 + 4"]),
    st.booleans(),
)
def test_a_sampled_value_fits_the_schema(schema: dict[str, Any], text: str, whole: bool) -> None:
    """Only a script may send arguments that do not fit."""
    jsonschema.validate(sample(schema, text, include_optional=whole), schema)


def test_the_text_decides_what_it_can() -> None:
    """Numbers in order, members by name, quotations where words are wanted."""
    schema = {
        "type": "object",
        "properties": {
            "title": {"type": "string"},
            "size": {"type": "string", "enum": ["small", "large"]},
            "count": {"type": "integer"},
            "prices": {"type": "array", "items": {"type": "number"}},
        },
        "required": ["title", "count", "prices"],
    }
    value = sample(schema, "Order 3 large 'Moby Dick' at 9.5 or 12")
    assert value == {"title": "Moby Dick", "size": "large", "count": 3, "prices": [9.5, 12]}


def test_a_pattern_is_met_by_what_the_text_holds() -> None:
    """A code in the question goes into the field made for codes."""
    schema = {
        "type": "object",
        "properties": {"code": {"type": "string", "pattern": "^[A-Z]{2}-[0-9]+$"}},
    }
    assert sample(schema, "Look up AB-123, please.", include_optional=True) == {"code": "AB-123"}
