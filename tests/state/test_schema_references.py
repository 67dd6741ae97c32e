"""Every way in which a JSON schema may name a part of itself becomes a JSON pointer."""

from typing import Any

import pytest
from hypothesis import given, strategies as st

from turngraph.state.schema_references import referenced, schema_parts, with_pointers

INTEGER = {"type": "integer"}
URL = "https://example.com/"


@pytest.mark.parametrize(
    ("reference", "definition", "root"),
    [
        ("#num", {"$anchor": "num"}, {}),
        ("#num", {"$dynamicAnchor": "num"}, {}),
        ("#num", {"$id": "#num"}, {"$schema": "http://json-schema.org/draft-07/schema#"}),
        (f"{URL}num", {"$id": f"{URL}num"}, {}),
        (f"{URL}num#", {"$id": f"{URL}num"}, {}),
        (f"{URL}num#a", {"$id": f"{URL}num", "$anchor": "a"}, {}),
        ("num.json", {"$id": "num.json"}, {}),
        ("num.json", {"$id": "num.json"}, {"$id": f"{URL}root.json"}),
        (f"{URL}num.json", {"$id": "num.json"}, {"$id": f"{URL}root.json"}),
        (f"{URL}root.json#/$defs/x", {}, {"$id": f"{URL}root.json"}),
        ("root.json#num", {"$anchor": "num"}, {"$id": f"{URL}root.json"}),
        ("urn:uuid:1", {"$id": "urn:uuid:1"}, {}),
        ("#/$defs/x", {}, {"$id": f"{URL}root.json"}),
    ],
)
def test_a_reference_by_any_name_is_a_pointer(reference: str, definition: Any, root: Any) -> None:
    schema = {
        **root,
        "properties": {"n": {"$ref": reference}},
        "$defs": {"x": {**definition, **INTEGER}},
    }
    written = with_pointers(schema)
    assert written["properties"] == {"n": {"$ref": "#/$defs/x"}}
    assert written["$defs"] == {"x": INTEGER}


def test_pointers_inside_of_a_part_with_an_id_begin_at_that_part() -> None:
    inner = {"$id": f"{URL}num", "$ref": "#/$defs/y", "$defs": {"y": INTEGER}}
    written = with_pointers({"items": {"$ref": f"{URL}num#/$defs/y"}, "$defs": {"x": inner}})
    assert written["items"] == {"$ref": "#/$defs/x/$defs/y"}
    assert written["$defs"]["x"]["$ref"] == "#/$defs/x/$defs/y"


@pytest.mark.parametrize("word", ["$dynamicRef", "$recursiveRef"])
def test_a_dynamic_reference_in_a_single_document_is_a_plain_one(word: str) -> None:
    """It differs only where parts with an `$id` of their own are put together."""
    assert with_pointers({"items": {word: "#"}}) == {"items": {"$ref": "#"}}
    parts = {"a": {"$id": f"{URL}a", "items": {word: "#"}}}
    assert with_pointers({"$defs": parts})["$defs"]["a"] == {"items": {word: "#"}}


@pytest.mark.parametrize("never", [False, {"not": {}}, {"not": True}])
def test_a_reference_to_a_part_that_allows_nothing_or_anything_is_that_part(never: Any) -> None:
    """Vendors know no schemas that are `true` or `false`, so nothing may refer to one."""
    schema = {"properties": {"n": {"$ref": "#/$defs/x"}}, "$defs": {"x": never}}
    assert with_pointers(schema)["properties"] == {"n": False}
    assert with_pointers({"$ref": "#/$defs/x", "$defs": {"x": never}}) == {"not": {}}
    anything = {"items": {"$ref": "#/$defs/x", "title": "T"}, "$defs": {"x": True}}
    assert with_pointers(anything)["items"] == {"title": "T"}


@pytest.mark.parametrize("reference", ["#missing", "#/$defs/y", f"{URL}other", "http://[", 5, None])
def test_a_reference_to_something_else_stays_as_it_is(reference: Any) -> None:
    """Whoever uses the schema says what is wrong with it."""
    assert with_pointers({"items": {"$ref": reference}}) == {"items": {"$ref": reference}}


@pytest.mark.parametrize(
    "schema",
    [
        {"default": {"$ref": "http://x"}},
        {"enum": [{"$ref": "#a"}, {"$anchor": "a"}]},
        {"const": {"$id": "a"}},
        {"properties": {"$ref": {"type": "string"}, "$id": {}, "default": {"$ref": "#"}}},
    ],
)
def test_values_and_names_of_properties_are_no_references(schema: dict[str, Any]) -> None:
    assert with_pointers(schema) == schema


NAMES = st.text("aé/~% #", min_size=1, max_size=3)


@given(st.lists(NAMES, min_size=1, max_size=3, unique=True))
def test_a_pointer_leads_to_a_definition_of_any_name(names: list[str]) -> None:
    """Names may hold what is special in a pointer or in a URI."""
    definitions = {name: {"$anchor": f"n{n}", "maximum": n} for n, name in enumerate(names)}
    items = [{"$ref": f"#n{n}"} for n in range(len(names))]
    written = with_pointers({"prefixItems": items, "$defs": definitions})
    found = [referenced(written, one["$ref"]) for one in written["prefixItems"]]
    assert found == [{"maximum": n} for n in range(len(names))]
    assert len(list(schema_parts(written))) == 1 + 2 * len(names)
