"""None of more than 500 payloads changes a statement, in any place, on either database."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st
from langchain_core.tools import ToolException

from tests.tools.sql.conftest import ROWS, Shop
from tests.tools.sql.payloads import payloads
from turngraph.tools.manifests.loading import Manifests

PLUGIN = """\
apiVersion: smarter.sh/v1
kind: SqlPlugin
metadata: {name: probe}
spec:
  selector: {directive: always}
  connection: shop_db
  sqlData:
    description: Probes.
    sqlQuery: "QUERY"
    parameters: [{name: value, type: TYPE}]
    limit: 100
"""
STATEMENTS = {"sqlite": 1, "postgresql": 2}
"""How many a call sends. On PostgreSQL the columns are asked for before the rows."""
NAMES = [row[1] for row in ROWS]
Oracle = Callable[[str], list[str]]


def same(text: str) -> list[str]:
    return [name for name in NAMES if name == text]


PLACES: dict[str, tuple[str, Oracle]] = {
    "quoted": ("SELECT name FROM items WHERE name = '{value}' ORDER BY id", same),
    "bare": ("SELECT name FROM items WHERE name = {value} ORDER BY id", same),
    "embedded": (
        "SELECT name FROM items WHERE name = 'item {value}' ORDER BY id",
        lambda text: same(f"item {text}"),
    ),
    "pattern": (
        "SELECT name FROM items WHERE name LIKE '%{value}%' ORDER BY id",
        lambda text: [name for name in NAMES if text in name],
    ),
    "projected": ("SELECT '{value}' AS name", lambda text: [text]),
    "bare projected": ("SELECT {value} AS name", lambda text: [text]),
}


@contextmanager
def watched(found: Manifests) -> Iterator[set[str]]:
    """The statements that reach the driver."""
    from sqlalchemy import event

    seen: set[str] = set()
    engine = found.databases["shop_db"]._open_engine()
    event.listen(
        engine, "before_cursor_execute", lambda _c, _cu, statement, *_: seen.add(statement)
    )
    yield seen


def names_found(found: Manifests, value: Any) -> list[str]:
    return [row["name"] for row in found["probe"].tool.invoke({"value": value})["rows"]]


def test_there_are_enough_payloads() -> None:
    """The tests below run through all of them."""
    assert len(payloads()) >= 500


@pytest.mark.parametrize("place", PLACES)
def test_no_payload_changes_the_statement(shop: Shop, place: str) -> None:
    """Each payload is only a value: the rows are those that Python's comparison finds."""
    query, oracle = PLACES[place]
    found = shop.load(PLUGIN.replace("QUERY", query).replace("TYPE", "string"))
    before = shop.snapshot()
    with watched(found) as statements:
        for text in payloads():
            if shop.dialect == "sqlite" and place == "pattern":
                if len(text) > 900:
                    continue  # SQLite is set to refuse patterns above 1,000 characters
                text = text.lower()
            assert names_found(found, text) == oracle(text), repr(text)
    assert len(statements) == STATEMENTS[shop.dialect]
    assert shop.snapshot() == before


@pytest.mark.parametrize("kind", ["array", "object", "number", "integer", "boolean"])
def test_no_payload_gets_in_by_another_type(shop: Shop, kind: str) -> None:
    """Inside arrays and objects, and as text where a number is expected."""
    place = "IN ({value})" if kind == "array" else "= {value}"
    found = shop.load(
        PLUGIN.replace("QUERY", f"SELECT name FROM items WHERE name {place}").replace("TYPE", kind)
    )
    before = shop.snapshot()
    with watched(found) as statements:
        for text in payloads():
            value = (
                [text, "item 2"] if kind == "array" else {text: text} if kind == "object" else text
            )
            try:
                answer = names_found(found, value)
            except ToolException:
                continue  # refused by the database as no such type
            assert set(answer) <= {text, "item 2"}, repr(text)
    assert len(statements) <= STATEMENTS[shop.dialect]
    assert shop.snapshot() == before


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=80))
def test_no_generated_text_changes_the_statement(sqlite_shop: Shop, text: str) -> None:
    """Hypothesis generates texts that nobody thought of."""
    found = sqlite_shop.load(
        PLUGIN.replace("QUERY", "SELECT '{value}' AS name").replace("TYPE", "string")
    )
    try:
        assert names_found(found, text) == [text]
    except ToolException as refused:
        assert "\x00" in text, refused  # noqa: PT017
    finally:
        found.close()
