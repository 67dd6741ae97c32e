"""A query must be one statement that only reads; each guard works without the others."""

import sqlite3
from typing import Any

import pytest

from tests.tools.sql.conftest import Shop
from turngraph.tools.manifests.problems import ManifestError
from turngraph.tools.sql.statement import StatementError, prepare

TYPES = {"x": "string", "n": "integer"}

REFUSED = [
    ("DELETE FROM t", "postgresql"),
    ("INSERT INTO t VALUES (1)", "sqlite"),
    ("UPDATE t SET a = 1", "mysql"),
    ("REPLACE INTO t VALUES (1)", "mysql"),
    ("MERGE INTO t USING s ON a = b WHEN MATCHED THEN DELETE", "postgresql"),
    ("DROP TABLE t", "sqlite"),
    ("CREATE TABLE t (a INT)", "sqlite"),
    ("ALTER TABLE t ADD a INT", "postgresql"),
    ("TRUNCATE t", "postgresql"),
    ("GRANT ALL ON t TO u", "postgresql"),
    ("SET statement_timeout = 0", "postgresql"),
    ("SET ROLE postgres", "postgresql"),
    ("RESET ALL", "postgresql"),
    ("SHOW ALL", "postgresql"),
    ("BEGIN", "postgresql"),
    ("COMMIT", "postgresql"),
    ("COMMIT; BEGIN READ WRITE; DELETE FROM t", "postgresql"),
    ("SELECT 1; SELECT 2", "sqlite"),
    ("SELECT 1; DROP TABLE t", "postgresql"),
    ("WITH d AS (DELETE FROM t RETURNING *) SELECT * FROM d", "postgresql"),
    ("WITH d AS (INSERT INTO t VALUES (1) RETURNING *) SELECT * FROM d", "postgresql"),
    ("WITH d AS (UPDATE t SET a = 1 RETURNING *) SELECT * FROM d", "postgresql"),
    ("SELECT * INTO x FROM t", "postgresql"),
    ("SELECT * FROM t INTO OUTFILE '/tmp/x'", "mysql"),
    ("SELECT * FROM t FOR UPDATE", "postgresql"),
    ("SELECT * FROM t LOCK IN SHARE MODE", "mysql"),
    ("COPY t TO '/tmp/x'", "postgresql"),
    ("COPY (SELECT 1) TO PROGRAM 'id'", "postgresql"),
    ("ATTACH DATABASE '/tmp/x' AS x", "sqlite"),
    ("DETACH DATABASE x", "sqlite"),
    ("PRAGMA writable_schema = 1", "sqlite"),
    ("SELECT * FROM pragma_table_info('t')", "sqlite"),
    ("VACUUM INTO '/tmp/x'", "sqlite"),
    ("REINDEX", "sqlite"),
    ("ANALYZE", "sqlite"),
    ("EXPLAIN ANALYZE DELETE FROM t", "postgresql"),
    ("EXPLAIN SELECT 1", "postgresql"),
    ("DO $$ BEGIN DELETE FROM t; END $$", "postgresql"),
    ("CALL p()", "postgresql"),
    ("EXECUTE p", "postgresql"),
    ("PREPARE p AS DELETE FROM t", "postgresql"),
    ("LISTEN x", "postgresql"),
    ("LOAD DATA INFILE '/x' INTO TABLE t", "mysql"),
    ("HANDLER t OPEN", "mysql"),
    ("VALUES (1)", "postgresql"),
    ("DESCRIBE t", "mysql"),
    ("USE other", "mysql"),
    ("KILL 1", "mysql"),
    ("SELECT @a := 1", "mysql"),
    ("SELECT @@global.secure_file_priv", "mysql"),
    ("SELECT pg_sleep(10)", "postgresql"),
    ("SELECT pg_catalog.pg_sleep(10)", "postgresql"),
    ('SELECT "pg_sleep"(10)', "postgresql"),
    ("SELECT PG_SLEEP(10)", "postgresql"),
    ("SELECT pg_read_file('/etc/passwd')", "postgresql"),
    ("SELECT pg_ls_dir('/')", "postgresql"),
    ("SELECT lo_import('/etc/passwd')", "postgresql"),
    ("SELECT lo_export(1, '/tmp/x')", "postgresql"),
    ("SELECT dblink_exec('x', 'y')", "postgresql"),
    ("SELECT * FROM dblink('x', 'y') AS t(a INT)", "postgresql"),
    ("SELECT nextval('s')", "postgresql"),
    ("SELECT setval('s', 1)", "postgresql"),
    ("SELECT set_config('statement_timeout', '0', false)", "postgresql"),
    ("SELECT pg_terminate_backend(1)", "postgresql"),
    ("SELECT pg_advisory_lock(1)", "postgresql"),
    ("SELECT query_to_xml('DELETE FROM t', true, true, '')", "postgresql"),
    ("SELECT * FROM t WHERE a = (SELECT pg_sleep(10))", "postgresql"),
    ("SELECT CASE WHEN pg_sleep(10) IS NULL THEN 1 END", "postgresql"),
    ("SELECT load_extension('x')", "sqlite"),
    ("SELECT writefile('/tmp/x', 'y')", "sqlite"),
    ("SELECT readfile('/etc/passwd')", "sqlite"),
    ("SELECT edit('x')", "sqlite"),
    ("SELECT randomblob(1000000000)", "sqlite"),
    ("SELECT zeroblob(1000000000)", "sqlite"),
    ("SELECT SLEEP(10)", "mysql"),
    ("SELECT BENCHMARK(1000000000, MD5('x'))", "mysql"),
    ("SELECT LOAD_FILE('/etc/passwd')", "mysql"),
    ("SELECT GET_LOCK('x', 100)", "mysql"),
    ("SELECT sys_exec('id')", "mysql"),
    ("EXEC xp_cmdshell 'id'", "mssql"),
    ("SELECT * FROM OPENROWSET('x', 'y', 'z')", "mssql"),
    ("SELECT UTL_HTTP.REQUEST('http://x') FROM dual", "oracle"),
    ("not sql at all", "sqlite"),
    ("", "sqlite"),
    ("-- only a comment", "sqlite"),
    ("SELECT (", "sqlite"),
    ("SELECT * FROM {x}", "sqlite"),
    ("SELECT * FROM '{x}'", "sqlite"),
    ("SELECT {x}.a FROM t", "sqlite"),
    ('SELECT "{x}" FROM t', "sqlite"),
    ('SELECT "a{x}b" FROM t', "sqlite"),
    ("SELECT a AS {x} FROM t", "sqlite"),
    ("SELECT {x}(a) FROM t", "sqlite"),
    ("SELECT a FROM t ORDER BY {x}", "sqlite"),
    ("SELECT a FROM t GROUP BY {x}", "sqlite"),
    ("SELECT a FROM t WHERE b = {y}", "sqlite"),
    ("SELECT INTERVAL '{n} days'", "postgresql"),
    ("SELECT tgparam_x_tgend", "sqlite"),
]


@pytest.mark.parametrize(("query", "dialect"), REFUSED)
def test_a_query_that_is_not_one_select_is_refused(query: str, dialect: str) -> None:
    """This happens when the manifest loads, before a database is asked."""
    with pytest.raises(StatementError) as refused:
        prepare(query, dialect=dialect, types=TYPES, limit=10)
    assert len(str(refused.value)) < 600


@pytest.mark.parametrize(
    ("query", "dialect", "sql"),
    [
        ("SELECT a FROM t", "sqlite", "SELECT a FROM t LIMIT 10"),
        ("SELECT a FROM t", "postgresql", "SELECT a FROM t LIMIT 10"),
        ("SELECT a FROM t", "mssql", "SELECT TOP 10 a FROM t"),
        ("SELECT a FROM t", "oracle", "SELECT a FROM t FETCH FIRST 10 ROWS ONLY"),
        ("SELECT a FROM t LIMIT {n}", "mysql", "SELECT a FROM t LIMIT :p0"),
        (
            "SELECT a FROM t UNION SELECT b FROM s;",
            "sqlite",
            "SELECT a FROM t UNION SELECT b FROM s LIMIT 10",
        ),
        ("SELECT a /*! UNION SELECT 2 */ FROM t # x", "mysql", "SELECT a FROM t LIMIT 10"),
        (
            "SELECT a FROM t WHERE b LIKE '%{x}%'",
            "mysql",
            "SELECT a FROM t WHERE b LIKE :p0 ESCAPE '!' LIMIT 10",
        ),
        (
            "SELECT a FROM t WHERE b LIKE '{x}'",
            "sqlite",
            "SELECT a FROM t WHERE b LIKE :p0 LIMIT 10",
        ),
        (
            "SELECT a FROM t WHERE b BETWEEN {n} AND {n}",
            "sqlite",
            "SELECT a FROM t WHERE b BETWEEN :p0 AND :p1 LIMIT 10",
        ),
        ("SELECT '12:30' || a FROM t", "sqlite", r"SELECT '12\:30' || a FROM t LIMIT 10"),
        ("SELECT a::text FROM t", "postgresql", "SELECT CAST(a AS TEXT) FROM t LIMIT 10"),
        ("SELECT {x}", "postgresql", "SELECT CAST(:p0 AS TEXT) LIMIT 10"),
    ],
)
def test_the_sql_is_written_from_the_checked_tree(query: str, dialect: str, sql: str) -> None:
    """It has no comments, has a limit, and every placeholder is a bind."""
    assert prepare(query, dialect=dialect, types=TYPES, limit=10).sql == sql


def test_a_connection_may_name_harmless_functions() -> None:
    """The allow-list can be extended."""
    assert prepare(
        "SELECT my_score(a) FROM t", dialect="sqlite", types={}, limit=1, functions=["MY_SCORE"]
    ).sql
    with pytest.raises(StatementError, match="name it in the connection's read_only_functions"):
        prepare("SELECT my_score(a) FROM t", dialect="sqlite", types={}, limit=1)


@pytest.mark.parametrize(
    ("function", "dialect"),
    [
        ("json_agg(a)", "postgresql"),
        ("json_object_agg(a, b)", "postgresql"),
        ("lpad(a, 5, '0')", "postgresql"),
        ("bit_or(a)", "postgresql"),
        ("json_group_array(a)", "sqlite"),
        ("json_object('a', a)", "sqlite"),
        ("json_objectagg(a, b)", "mysql"),
        ("rpad(a, 5, '0')", "mysql"),
    ],
)
def test_a_function_counts_under_the_name_that_the_database_reads(
    function: str, dialect: str
) -> None:
    """The parser has names of its own for some, which no allow-list holds."""
    sql = prepare(f"SELECT {function} FROM t", dialect=dialect, types={}, limit=1).sql
    assert function.partition("(")[0] in sql.lower()


def test_a_refused_function_is_named_as_it_was_written() -> None:
    """That name, in the connection's list, is enough to allow it."""
    options: dict[str, Any] = {"dialect": "postgresql", "types": {}, "limit": 1}
    with pytest.raises(StatementError, match="the function repeat is not among"):
        prepare("SELECT repeat(a, 3) FROM t", **options)
    assert prepare("SELECT repeat(a, 3) FROM t", functions=["repeat"], **options).sql


def test_a_refused_query_is_reported_with_file_and_line(sqlite_shop: Shop) -> None:
    """Like every problem of a manifest."""
    text = """\
apiVersion: smarter.sh/v1
kind: SqlPlugin
metadata: {name: bad}
spec:
  selector: {directive: always}
  connection: shop_db
  sqlData:
    description: Bad.
    sqlQuery: DROP TABLE items
"""
    with pytest.raises(
        ManifestError, match=r"<text>:17: spec.sqlData.sqlQuery: the query is a DROP; only SELECT"
    ):
        sqlite_shop.load(text)


ESCAPES = [
    "ATTACH DATABASE '{folder}/new.db' AS x",
    "CREATE TABLE x (a)",
    "INSERT INTO items VALUES (99, 'x', 1, 'x', 'x')",
    "DELETE FROM items",
    "DROP TABLE items",
    "PRAGMA writable_schema = 1",
    "PRAGMA journal_mode = DELETE",
    "VACUUM INTO '{folder}/copy.db'",
    "SELECT load_extension('x')",
    "CREATE TEMP TABLE x (a)",
]


@pytest.mark.parametrize("statement", ESCAPES)
def test_sqlite_refuses_what_the_parser_would_allow(
    sqlite_shop: Shop, statement: str, tmp_path: Any
) -> None:
    """The session itself may only read."""
    found = sqlite_shop.load(PROBE)
    before = sqlite_shop.snapshot()
    with found.databases["shop_db"]._open_engine().connect() as connection:
        raw: Any = connection.connection.dbapi_connection
        with pytest.raises(sqlite3.DatabaseError):
            raw.execute(statement.replace("{folder}", str(tmp_path)))
    assert sqlite_shop.snapshot() == before
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE x (a INT)",
        "INSERT INTO items VALUES (99, 'x', 1, 'x', '2026-01-01')",
        "DELETE FROM items",
        "UPDATE items SET price = 0",
        "DROP TABLE items",
        "SELECT nextval('s')",
        "SELECT 1; DELETE FROM items",
        "COMMIT; BEGIN READ WRITE; DELETE FROM items",
        "SELECT pg_sleep(30)",
    ],
)
def test_postgresql_refuses_what_the_parser_would_allow(
    postgres_shop: Shop, statement: str
) -> None:
    """The session is read-only, prepares one command, and has a timeout."""
    from sqlalchemy import text
    from sqlalchemy.exc import DBAPIError

    found = postgres_shop.load(PROBE, timeout=0.5)
    before = postgres_shop.snapshot()
    with found.databases["shop_db"]._open_engine().connect() as connection:
        reading = connection.execution_options(postgresql_readonly=True)
        with pytest.raises(DBAPIError):
            reading.execute(text(statement))
    assert postgres_shop.snapshot() == before


PROBE = """\
apiVersion: smarter.sh/v1
kind: SqlPlugin
metadata: {name: probe}
spec:
  selector: {directive: always}
  connection: shop_db
  sqlData: {description: Probes., sqlQuery: SELECT 1}
"""
