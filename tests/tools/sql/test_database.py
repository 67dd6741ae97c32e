"""SQL plugins query real databases, and every documented field has its effect."""

import gc
import logging
import os
import threading
import time
import tracemalloc
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy.event import listen

from tests.tools.sql.conftest import OPENED, READER, Shop
from turngraph.state.errors import ToolArgumentsError
from turngraph.state.reply import ToolCall
from turngraph.tools.manifests.loading import Manifests
from turngraph.tools.manifests.problems import ManifestError
from turngraph.tools.toolbox import Toolbox

PLUGIN = """\
apiVersion: smarter.sh/v1
kind: SqlPlugin
metadata: {name: shop_items, pluginClass: sql}
spec:
  selector: {directive: search_terms, searchTerms: [shop]}
  prompt:
    {provider: openai, systemRole: You sell., model: gpt-5-mini, temperature: 0, maxTokens: 256}
  connection: shop_db
  sqlData:
    description: Finds items of the shop.
    sqlQuery: |
QUERY
    parameters:
      - {name: word, type: string, description: Part of a name}
      - {name: most, type: number, description: Highest price, default: 1000}
      - {name: kind, type: string, enum: [tools, toys]}
      - {name: ids, type: array}
      - {name: exact, type: boolean, default: false}
      - {name: day, type: string}
    testValues: [{name: word, value: item 1}]
    limit: 5
"""


def plugin(query: str, shop: Shop, *, limit: str = "limit: 5", timeout: float = 10) -> Manifests:
    lines = "\n".join(f"      {line}" for line in query.splitlines())
    return shop.load(PLUGIN.replace("QUERY", lines).replace("limit: 5", limit), timeout)


def ask(found: Manifests, **arguments: Any) -> Any:
    return found["shop_items"].tool.invoke(arguments)


def names(found: Manifests, **arguments: Any) -> list[str]:
    return [row["name"] for row in ask(found, **arguments)["rows"]]


FILTER = """\
SELECT id, name, price FROM items  -- what is for sale
WHERE (name LIKE '%{word}%' OR '{word}' IS NULL) AND price <= {most}
  AND (kind = {kind} OR {kind} IS NULL) /* kinds */
ORDER BY id;"""


def test_placeholders_quoted_or_not_become_bound_values(shop: Shop) -> None:
    """Manifests use both, with comments and a final semicolon."""
    found = plugin(FILTER, shop)
    assert names(found, word="item 1") == ["item 1", "item 10", "item 11", "item 12", "item 13"]
    assert names(found, word="item 1", most=16) == ["item 1", "item 10"]
    assert names(found, word="item 1", kind="toys") == [
        "item 10",
        "item 12",
        "item 14",
        "item 16",
        "item 18",
    ]
    assert names(found) == ["item 1", "item 2", "item 3", "item 4", "item 5"]
    assert names(found, word="item 1", most=None) == names(found, word="item 1"), (
        "null takes the default"
    )
    assert found["shop_items"].test_arguments == {"word": "item 1"}


def test_wildcards_in_a_value_are_literal(shop: Shop) -> None:
    """A search for `100%` must not return every row."""
    found = plugin(FILTER, shop)
    assert names(found, word="%") == []
    assert names(found, word="item_1") == []
    assert names(found, word="!") == []


def test_a_query_that_concatenates_and_casts_works(shop: Shop) -> None:
    """PostgreSQL needs a type for a bound value that stands alone."""
    glue = "CONCAT('%', {word}, '%')" if shop.dialect == "postgresql" else "'%' || {word} || '%'"
    found = plugin(
        f"SELECT name FROM items WHERE (name LIKE {glue} OR {{word}} IS NULL) "
        "AND price <= {most}",
        shop,
    )
    assert names(found, word="item 2", most=4) == ["item 2"]
    assert len(names(found)) == 5


def test_arrays_dates_booleans_and_colons_are_bound(shop: Shop) -> None:
    """An array fills IN (…), a date compares with a date, and `:x` in a text is no bind."""
    found = plugin(
        "SELECT name FROM items WHERE id IN ({ids}) AND ':word' <> 'a:b' ORDER BY id", shop
    )
    assert names(found, ids=[3, 1, 39]) == ["item 1", "item 3", "item 39"]
    assert names(found, ids=[]) == []
    found = plugin("SELECT name FROM items WHERE added = '{day}' ORDER BY id", shop)
    assert names(found, day="2026-01-02") == ["item 1", "item 29"]
    found = plugin(
        "SELECT name FROM items WHERE (NOT {exact} AND id < 3) OR ({exact} AND name = '{word}')",
        shop,
    )
    assert names(found) == ["item 1", "item 2"]
    assert names(found, exact=True, word="item 7") == ["item 7"]


def test_the_model_learns_that_there_are_more_rows(shop: Shop) -> None:
    """A LIMIT of the query's own is kept."""
    answer = ask(plugin("SELECT id FROM items ORDER BY id", shop))
    assert len(answer["rows"]) == 5
    assert answer["truncated"] == "only the first 5 rows; there are more"
    assert "truncated" not in ask(plugin("SELECT id FROM items ORDER BY id LIMIT 3", shop))
    assert len(ask(plugin("SELECT id FROM items ORDER BY id LIMIT 30", shop))["rows"]) == 5
    assert (
        len(ask(plugin("SELECT id FROM items ORDER BY id", shop, limit="limit: null"))["rows"])
        == 40
    )


@pytest.mark.parametrize(
    "value",
    [
        "format('%30000000s', 'x')",
        "json_build_object('a', format('%3000000s', 'x'))",
        "array_agg(format('%2000000s', 'x'))",
    ],
)
def test_one_value_is_bounded_like_the_rows_are(postgres_shop: Shop, value: str) -> None:
    """A driver receives a value whole before anyone can count it, so the server counts it."""
    found = plugin(f"SELECT 1 AS id, {value} AS big FROM items WHERE id = 1", postgres_shop)
    output = Toolbox.of([found["shop_items"].tool]).run("shop_items", {}, call_id="c", timeout_s=30)
    assert output.status == "error"
    assert "A value of the column `big` has" in output.content
    assert "at most 1,000,000 are read" in output.content


def test_a_row_is_bounded_too(postgres_shop: Shop) -> None:
    """Sixty values, each just short enough, are sixty megabytes."""
    value = "format('%600000s', 'x')"
    found = plugin(f"SELECT id, {value} AS a, {value} AS b FROM items WHERE id = 1", postgres_shop)
    output = Toolbox.of([found["shop_items"].tool]).run("shop_items", {}, call_id="c", timeout_s=30)
    assert output.content == "Error: A row has 1,200,000 bytes; at most 1,000,000 are read."


def test_all_rows_together_are_bounded_in_the_database(postgres_shop: Shop) -> None:
    """A thousand rows of nearly a megabyte are not fetched to show the first."""
    big = "SELECT format('%900000s', 'x') AS big FROM items a, items b"
    found = plugin(big, postgres_shop, limit="limit: 1000", timeout=60)
    tracemalloc.start()
    answer = ask(found)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert answer["truncated"] == "only the first 1 rows; there are more"
    assert peak < 50_000_000


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("'infinity'::date", "infinity"),
        ("'-infinity'::timestamp", "-infinity"),
        ("'infinity'::timestamptz", "infinity"),
        ("'0044-03-15 BC'::date", "0044-03-15 BC"),
        ("'20000-01-01'::date", "20000-01-01"),
        ("'24:00:00'::time", "24:00:00"),
        ("'[1,5)'::int4range", "[1, 5)"),
    ],
)
def test_values_that_python_has_no_type_for_are_told_as_text(
    postgres_shop: Shop, value: str, told: str
) -> None:
    """One such value must not cost the model the whole answer."""
    found = plugin(f"SELECT id, {value} AS value FROM items WHERE id = 1", postgres_shop)
    assert ask(found)["rows"] == [{"id": 1, "value": told}]


def test_one_call_of_a_function_ends_with_the_time_that_is_allowed(postgres_shop: Shop) -> None:
    """The server looks at its limit only after it has written the whole value; we do not wait."""
    value = "length(format('%500000000s', 'x'))"
    found = plugin(f"SELECT id, {value} AS n FROM items", postgres_shop, timeout=0.5)
    box, began = Toolbox.of([found["shop_items"].tool]), time.monotonic()
    output = box.run("shop_items", {}, call_id="c", timeout_s=60)
    assert time.monotonic() - began < 15  # the server needs longer than that
    assert output.content == "Error: The query took longer than the 0.5 seconds allowed."
    again = plugin("SELECT id FROM items ORDER BY id LIMIT 1", postgres_shop)
    assert ask(again)["rows"] == [{"id": 1}]


def test_two_columns_with_the_same_name_are_both_returned(shop: Shop) -> None:
    """A join often has two ids."""
    answer = ask(
        plugin(
            "SELECT a.id, b.id FROM items a JOIN items b ON b.id = a.id + 1 ORDER BY a.id LIMIT 1",
            shop,
        )
    )
    assert answer["rows"] == [{"id": 1, "id_2": 2}]


def test_the_schema_is_enforced_before_the_database_is_asked(shop: Shop) -> None:
    """Types, enums, unknown arguments and required parameters are checked."""
    box = Toolbox.of([plugin(FILTER, shop)["shop_items"].tool])
    for arguments in ('{"word": 5}', '{"kind": "food"}', '{"most": "all"}', '{"extra": 1}'):
        with pytest.raises(ToolArgumentsError):
            box.check(ToolCall(id="c", name="shop_items", arguments=arguments))
    assert box.check(ToolCall(id="c", name="shop_items", arguments='{"word": null, "kind": null}'))


@pytest.mark.parametrize(("level", "is_told"), [(logging.INFO, False), (logging.DEBUG, True)])
def test_an_error_reaches_the_model_short_and_only_a_debugging_log_whole(
    shop: Shop, caplog: pytest.LogCaptureFixture, level: int, is_told: bool
) -> None:
    """The model must not learn the names of tables and columns, and a log not what it asked."""
    with caplog.at_level(level, "turngraph.tools"):
        answer = Toolbox.of(
            [plugin("SELECT secret_column FROM secret_table", shop)["shop_items"].tool]
        ).run("shop_items", {}, call_id="c", timeout_s=20)
    assert answer.status == "error"
    assert answer.content.startswith("Error: The database could not answer this query (")
    assert "secret" not in answer.content
    assert "failed: OperationalError" in caplog.text or "failed: ProgrammingError" in caplog.text
    assert ("secret_table" in caplog.text) is is_told
    assert READER not in caplog.text


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"word": "a\x00b"}, "`word` contains a NUL character"),
        ({"word": "\ud800"}, "a lone surrogate"),
        ({"most": 2**63}, "outside the range of 64-bit integers"),
        ({"most": float("nan")}, "not a number"),
        ({"word": "x" * 100_001}, "at most 100,000"),
        ({"ids": list(range(1001))}, "at most 1,000"),
        ({"ids": ["\x00"]}, "NUL"),
    ],
)
def test_values_that_no_driver_accepts_are_refused(
    shop: Shop, value: dict[str, Any], message: str
) -> None:
    """The message names the parameter."""
    found = plugin(FILTER.replace("ORDER", "AND id IN ({ids}) ORDER"), shop)
    output = Toolbox.of([found["shop_items"].tool]).run(
        "shop_items", value, call_id="c", timeout_s=20
    )
    assert output.status == "error"
    assert message in output.content


SLOW = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT COUNT(x) FROM n"
CROSS = "SELECT COUNT(*) FROM items a, items b, items c, items d, items e, items f "
CROSS += "WHERE a.id + b.id + c.id + d.id + e.id < -f.id"


@pytest.mark.parametrize("query", [SLOW, CROSS], ids=["recursion", "product"])
def test_an_endless_query_is_ended(shop: Shop, query: str) -> None:
    """The connection serves the next call."""
    found = plugin(query, shop, timeout=0.5)
    output = Toolbox.of([found["shop_items"].tool]).run("shop_items", {}, call_id="c", timeout_s=60)
    assert output.content == "Error: The query took longer than the 0.5 seconds allowed."
    assert names(plugin(FILTER, shop), word="item 40") == ["item 40"]


def test_32_calls_share_the_pool(shop: Shop) -> None:
    """Calls wait for a free connection, and all are answered."""
    found = plugin(FILTER, shop)
    answers: list[list[str]] = []
    threads = [
        threading.Thread(target=lambda: answers.append(names(found, word="item 40")))
        for _ in range(32)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [["item 40"]] * 32
    found.close()
    assert names(found, word="item 40") == ["item 40"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_forked_process_has_connections_of_its_own(postgres_shop: Shop) -> None:
    """On one that it inherited, parent and child could read each other's rows."""
    named = "read_only_functions: [pg_backend_pid], poolSize"
    shop = replace(postgres_shop, connection=postgres_shop.connection.replace("poolSize", named))
    found = plugin("SELECT pg_backend_pid() AS pid", shop)
    of_the_parent = ask(found)["rows"]
    child = os.fork()
    if child == 0:
        try:
            is_another = ask(found)["rows"] != of_the_parent
            found.close()
            os._exit(0 if is_another else 1)
        finally:
            os._exit(2)
    assert os.waitpid(child, 0)[1] == 0
    assert ask(found)["rows"] == of_the_parent


def test_the_password_is_looked_up_for_each_query(postgres_shop: Shop) -> None:
    """An expired secret must not be used through an open connection."""
    text = PLUGIN.replace("QUERY", "      SELECT 1 AS one")
    found = postgres_shop.load(text)
    assert ask(found)["rows"] == [{"one": 1}]
    found.secrets.environ.pop("PASSWORD")  # type: ignore[attr-defined]
    output = Toolbox.of([found["shop_items"].tool]).run("shop_items", {}, call_id="c", timeout_s=20)
    assert output.status == "error"
    assert "`PASSWORD` is not set" in output.content


def test_a_missing_database_is_reported(sqlite_shop: Shop) -> None:
    """A query never creates a database file."""
    connection = sqlite_shop.connection.replace("shop.db", "nowhere.db")
    found = Shop(connection, "sqlite", None).load(PLUGIN.replace("QUERY", "      SELECT 1"))
    output = Toolbox.of([found["shop_items"].tool]).run("shop_items", {}, call_id="c", timeout_s=20)
    assert "There is no SQLite database" in output.content


@pytest.mark.parametrize(
    ("field", "message"),
    [
        ("proxyHost: p", "proxy_host is not supported: the address check"),
        ("sshKnownHosts: k", "ssh_known_hosts is not supported: .* SSH tunnels"),
        (
            "authenticationMethod: ldap_user_pwd",
            "authenticationMethod: input should be 'none' or 'tcpip'",
        ),
        ("poolSize: 0", "poolSize: .* greater than or equal to 1"),
    ],
)
def test_unsupported_fields_are_refused_by_name(
    sqlite_shop: Shop, field: str, message: str
) -> None:
    """A field that is silently ignored would mislead its author."""
    connection = sqlite_shop.connection.replace("poolSize: 2", field)
    with pytest.raises(ManifestError, match=message):
        Shop(connection, "sqlite", None).load(PLUGIN.replace("QUERY", "      SELECT 1"))


def test_a_database_that_is_dropped_closes_its_connections(shop: Shop) -> None:
    """A turn that ends closes none of its plugins."""
    found = plugin("SELECT name FROM items", shop)
    closed: list[object] = []
    names(found, word="")
    (database,) = found.databases.values()
    listen(database._open_engine(), "close", lambda *_: closed.append(1))
    OPENED.remove(found)
    del found, database
    gc.collect()
    assert closed
