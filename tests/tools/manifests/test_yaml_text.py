"""YAML is read as plain data by the rules of YAML 1.2, with lines and with limits."""

import json
from typing import Any

import pytest
from hypothesis import given, strategies as st

from turngraph.tools.manifests.yaml_text import YamlError, read_documents

UNREADABLE = {
    "exclude_categories": ["Cc", "Cs", "Zl", "Zp"],
    "exclude_characters": "\u0085\ufeff\ufffe\uffff",
}
texts = st.text(st.characters(codec="utf-8", **UNREADABLE))  # type: ignore[arg-type]
plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**20), 10**20) | texts,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text("abcdef", min_size=1), inner, max_size=4)
    ),
    max_leaves=15,
)


@given(plain.filter(lambda value: value is not None))
def test_json_is_read_as_json(value: Any) -> None:
    """JSON is also YAML."""
    assert read_documents(json.dumps(value, ensure_ascii=False))[0].value == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a: no", {"a": "no"}),
        ("a: yes", {"a": "yes"}),
        ("a: on", {"a": "on"}),
        ("a: true", {"a": True}),
        ("a: 'true'", {"a": "true"}),
        ("a: 012", {"a": 12}),
        ("a: 0x1F", {"a": 31}),
        ("a: 0o17", {"a": 15}),
        ("a: 1_000", {"a": "1_000"}),
        ("a: 22:22", {"a": "22:22"}),
        ("a: 1e3", {"a": 1000.0}),
        ("a: 0.1.0", {"a": "0.1.0"}),
        ("a: 2026-01-01", {"a": "2026-01-01"}),
        ("a: ~", {"a": None}),
        ("a:", {"a": None}),
        ("a: .inf", {"a": ".inf"}),
        ("1: x\nno: y\nnull: z", {"1": "x", "no": "y", "null": "z"}),
        ("a: >\n  x\n  y\n", {"a": "x y\n"}),
        (
            "base: &b {x: 1, y: 2}\nmore:\n  <<: *b\n  y: 3",
            {"base": {"x": 1, "y": 2}, "more": {"x": 1, "y": 3}},
        ),
        ('{\n\t"a": [1,\t2]\n}', {"a": [1, 2]}),
        ("\ufeffa: 1", {"a": 1}),
    ],
)
def test_values_are_those_of_yaml_1_2(text: str, value: Any) -> None:
    """NO is a country code, 1.10 in quotes is text, and 22:22 is a time."""
    assert read_documents(text)[0].value == value


def test_every_part_knows_its_line() -> None:
    """Error messages need the line."""
    [first, second] = read_documents("# c\na:\n  - b: 1\n    c: 2\n---\nd: 3\n")
    assert (
        first.line_of(("a", 0, "c")),
        first.line_of(("a", 0, "missing")),
        second.line_of(("d",)),
    ) == (4, 3, 6)


LAUGHS = "a0: &a0 [x,x,x,x,x,x,x,x,x]\n" + "\n".join(
    f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)
)
MERGES = "a0: &a0 {x: 1}\n" + "\n".join(
    f"a{n}: &a{n} {{<<: [{','.join([f'*a{n - 1}'] * 9)}]}}" for n in range(1, 12)
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (LAUGHS, "aliases counted at full size"),
        (MERGES, "aliases counted at full size"),
        ("[" * 100_000, "deeper than 32|not YAML"),
        ("{a: " * 100_000, "deeper than 32|not YAML"),
        ("- " * 50_000, "deeper than 32|not YAML"),
        ("a: " + "9" * 100_000, "too large for a number"),
        ("a: 1e999", "too large for a number"),
        ("x" * 1_000_001, "at most 1,000,000"),
        ("- x\n" * 100_001, "100,000 values"),
        ("--- a\n" * 1_001, "1,000 documents"),
        ("a: &a [*a]", "no complete anchor"),
        ("a: *nowhere", "no complete anchor|undefined alias"),
        ("a: 1\nb: 2\na: 3", "`a` occurs twice in this mapping"),
        ("a: !!python/object/apply:os.system ['true']", "tag .* is not allowed"),
        ("a: !!binary aGk=", "tag .* is not allowed"),
        ("!x a", "tag .* is not allowed"),
        ("a: !!set {x, y}", "tag .* is not allowed"),
        ("a: !!seq x", "tag .* is not allowed"),
        ("a: !!int x", "`x` is no int, as its tag says"),
        ("? [1, 2]\n: x", "a key must be text"),
        ("? {a: b}\n: x", "a key must be text"),
        ("a: b: c", "not YAML"),
        ("a: [1", "not YAML"),
        ("\ta: 1", "not YAML"),
        ("a: \x00", "not YAML"),
        ("a: \ud800", "surrogate"),
        ("%YAML 9.9\n---\na: 1", "not YAML"),
        ("a: 'x", "not YAML"),
        ("<<: 1\na: 2", "`<<` takes a mapping"),
    ],
    ids=range(29),
)
def test_hostile_yaml_is_refused(text: str, message: str) -> None:
    """A small file must not exhaust the machine, and no tag constructs an object."""
    with pytest.raises(YamlError, match=message) as refused:
        read_documents(text)
    assert refused.value.line >= 1


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("!!str 500.00", "500.00"),
        ("!!str", ""),
        ("!!int '3'", 3),
        ("!!float 3", 3.0),
        ("!!bool 'true'", True),
        ("!!null ''", None),
        ("!!seq [1, !!str 2]", [1, "2"]),
        ("!!map {a: !!str no}", {"a": "no"}),
    ],
)
def test_the_tags_of_plain_values_are_read(text: str, value: object) -> None:
    """They say what a value is, which YAML allows everywhere."""
    [document] = read_documents(f"a: {text}")
    assert document.value == {"a": value}
    assert type(document.value["a"]) is type(value)


@given(st.text(alphabet="ab:-[]{}&*!|>#'\"\n ,?%@`1.~<\t\\", max_size=60))
def test_any_text_is_data_or_a_yaml_error(text: str) -> None:
    """No text raises another exception."""
    try:
        for document in read_documents(text):
            json.dumps(document.value)
    except YamlError as refused:
        assert str(refused)  # noqa: PT017  either end is right
