"""Statements that are compiled once: on SQLite its driver runs them, unless somebody listens."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import (
    Column,
    Connection,
    Engine,
    Integer,
    MetaData,
    Table,
    bindparam,
    event,
    select,
)
from sqlalchemy.exc import IntegrityError, OperationalError

from turngraph.billing.store.database import open_engine
from turngraph.billing.store.prepared import execute, execute_sql

TABLE = Table("t", MetaData(), Column("id", Integer, primary_key=True), Column("n", Integer))
INSERT = TABLE.insert()
DOUBLE = TABLE.update().where(TABLE.c.n > bindparam("b_n")).values(n=TABLE.c.n * 2)
DOUBLED = DOUBLE.returning(TABLE.c.id, TABLE.c.n)
EACH = select(TABLE.c.id, TABLE.c.n).order_by(TABLE.c.id)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = open_engine(f"sqlite:///{tmp_path}/t.db")
    TABLE.metadata.create_all(engine)
    yield engine
    engine.dispose()


def used(conn: Connection) -> list[Any]:
    """What statements of every kind return."""
    found = [execute(conn, INSERT, {"id": number, "n": number}) for number in range(4)]
    found += [execute(conn, DOUBLE, {"b_n": 1}), execute(conn, DOUBLED, {"b_n": 4})]
    found += [execute(conn, EACH, {}), execute_sql(conn, "SELECT max(n) FROM t")]
    return [
        (list(map(tuple, rows.all())), rows.scalar(), None if rows.all() else rows.rowcount)
        for rows in found
    ]


def test_a_listener_changes_nothing(engine: Engine) -> None:
    """With one, SQLAlchemy runs the statements, and tells it of each."""
    seen = list[str]()
    with engine.connect() as conn, conn.begin() as transaction:
        alone = used(conn)
        transaction.rollback()
    event.listen(engine, "before_cursor_execute", lambda conn, cursor, sql, *_: seen.append(sql))
    with engine.connect() as conn, conn.begin():
        assert used(conn) == alone
    assert seen.count("BEGIN IMMEDIATE") == 1
    assert len(seen) == 1 + len(alone)


def test_rows_have_names(engine: Engine) -> None:
    with engine.connect() as conn, conn.begin():
        execute(conn, INSERT, {"id": 7, "n": 8})
        row = execute(conn, EACH, {}).first()
        assert (row.id, row.n) == row == (7, 8)
        assert execute_sql(conn, "SELECT id FROM t WHERE id = 0").first() is None


def test_an_error_of_the_driver_is_sqlalchemys(engine: Engine, tmp_path: Path) -> None:
    """Whoever runs a transaction tries it again after some of them."""
    with engine.connect() as conn, conn.begin():
        execute(conn, INSERT, {"id": 1, "n": 1})
        with pytest.raises(IntegrityError, match="UNIQUE") as failed:
            execute(conn, INSERT, {"id": 1, "n": 1})
        assert isinstance(failed.value.orig, sqlite3.IntegrityError)
        with pytest.raises(OperationalError, match="no such table"):
            execute_sql(conn, "SELECT * FROM u")
        assert execute(conn, EACH, {}).all() == [(1, 1)]
    other = sqlite3.connect(tmp_path / "t.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with engine.connect() as conn:
        driver: Any = conn.connection.dbapi_connection
        driver.execute("PRAGMA busy_timeout = 0")
        with pytest.raises(OperationalError, match="locked"):
            conn.begin()
    other.close()
