"""A damaged manifest loads, or every problem is reported. Nothing else ever happens."""

import json
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from tests.paths import GALLERY
from turngraph.tools.manifests.loading import load_manifests
from turngraph.tools.manifests.problems import ManifestError
from turngraph.tools.manifests.yaml_text import read_documents

TEXT = "\n---\n".join(file.read_text() for file in sorted(GALLERY.glob("*.yaml")))
DOCUMENTS = [document.value for document in read_documents(TEXT)]

STRANGE: list[Any] = [
    None, "", " ", "x", 0, -1, 1.5, True, False, [], {}, [None], {"": None}, [[]],
    {"a": {"b": []}}, "é\u2028", "..", "{x}", "{", "' OR 1=1", "SELECT 1; DROP TABLE t",
    10**300, "a" * 10_000, ["a"] * 500, {"$ref": "x"}, "env:",
    "http://", "\u202e", "null", "no", "2026-13-45", {"name": "x"}, [{"name": "x"}], "file:",
    [{"name": "x", "type": "object"}],
]  # fmt: skip


def paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    return [path, *(deep for key, item in inner for deep in paths(item, (*path, key)))]


def changed(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    copied = dict(value) if isinstance(value, dict) else list(value)
    copied[path[0]] = changed(value[path[0]], path[1:], new)
    return copied


def load(documents: list[Any]) -> None:
    try:
        load_manifests("\n---\n".join(json.dumps(document) for document in documents))
    except ManifestError as refused:
        assert refused.problems  # noqa: PT017  either end is right
        for problem in refused.problems:
            assert problem.line >= 1
            assert 0 < len(problem.message) < 1200, problem


def everywhere() -> list[tuple[int, tuple[Any, ...]]]:
    return [(at, path) for at, document in enumerate(DOCUMENTS) for path in paths(document)]


@pytest.mark.parametrize("new", STRANGE, ids=range(len(STRANGE)))
def test_a_strange_value_anywhere_loads_or_is_refused_by_name(new: Any) -> None:
    """Each value of each manifest is replaced, one at a time."""
    for at, path in everywhere()[:: 3 if STRANGE.index(new) % 2 else 2]:
        load([*DOCUMENTS[:at], changed(DOCUMENTS[at], path, new), *DOCUMENTS[at + 1 :]])


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_several_mistakes_at_once_are_refused_by_name(data: st.DataObject) -> None:
    """Real files have more than one mistake."""
    documents: list[Any] = list(DOCUMENTS)
    for at, path in data.draw(
        st.lists(st.sampled_from(everywhere()), min_size=2, max_size=5, unique=True)
    ):
        try:
            documents[at] = changed(
                documents[at], path, data.draw(st.sampled_from(STRANGE) | st.text(max_size=20))
            )
        except (KeyError, IndexError, TypeError):
            continue  # an earlier change took this place away
    load(documents)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_damaged_text_loads_or_is_refused_by_name(data: st.DataObject) -> None:
    """The text is cut, doubled, or has something typed into it."""
    start = data.draw(st.integers(0, len(TEXT)))
    end = data.draw(st.integers(start, min(len(TEXT), start + 200)))
    typed = data.draw(st.text(alphabet="ab:-[]{}&*!|>#'\"\n ,?%@`1.~<\t\\é", max_size=5))
    try:
        load_manifests(f"{TEXT[:start]}{typed}{TEXT[end:]}\n")
    except ManifestError as refused:
        assert refused.problems  # noqa: PT017
