"""PostgreSQL and SQLite, with the same small shop in both."""

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.postgres import postgres_server
from turngraph.tools.manifests.loading import Manifests, load_manifests
from turngraph.tools.manifests.secrets import Secrets

ROWS = [
    (
        number,
        f"item {number}",
        number * 1.5,
        "tools" if number % 2 else "toys",
        f"2026-01-{number % 28 + 1:02}",
    )
    for number in range(1, 41)
]
SCHEMA = (
    "CREATE TABLE items (id INTEGER PRIMARY KEY, name TEXT, price REAL, kind TEXT, added {date})"
)
OPENED: list[Manifests] = []
READER = "s3cret-of-the-reader"


@dataclass
class Shop:
    """A database, the manifest of its connection, and what stands in it, for comparing before and
    after.
    """

    connection: str
    dialect: str
    snapshot: Any

    def load(self, plugin: str, timeout: float = 10) -> Manifests:
        secrets = Secrets(environ={"PASSWORD": READER})
        found = load_manifests(
            f"{self.connection.replace('TIMEOUT', str(timeout))}---\n{plugin}", secrets=secrets
        )
        OPENED.append(found)
        return found


CONNECTION = """\
apiVersion: smarter.sh/v1
kind: SqlConnection
metadata: {{name: shop_db}}
spec:
  connection:
    {{dbEngine: {engine}, hostname: {host}, port: {port}, database: {database}, username: {user},
    password: {password}, timeout: TIMEOUT, poolSize: 2, maxOverflow: 2}}
"""


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    """Every connection a test opened is closed after it."""
    yield
    while OPENED:
        OPENED.pop().close()


@pytest.fixture(scope="session")
def sqlite_shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    path = tmp_path_factory.mktemp("shop") / "shop.db"
    with sqlite3.connect(path) as connection:
        connection.execute(SCHEMA.format(date="TEXT"))
        connection.executemany("INSERT INTO items VALUES (?, ?, ?, ?, ?)", ROWS)
    connection.close()
    place = {
        "engine": "django.db.backends.sqlite3",
        "host": "null",
        "port": "null",
        "user": "null",
        "password": "null",
    }
    return Shop(CONNECTION.format(database=path, **place), "sqlite", lambda: path.read_bytes())


@pytest.fixture(scope="session")
def postgres_shop() -> Iterator[Shop]:
    with postgres_server() as server:
        yield _filled(server.get_uri())


def _filled(uri: str) -> Shop:
    """The shop in the server's own database."""
    import psycopg

    with psycopg.connect(uri, autocommit=True) as connection:
        connection.execute(SCHEMA.format(date="DATE"))
        with connection.cursor() as cursor:
            cursor.executemany("INSERT INTO items VALUES (%s, %s, %s, %s, %s)", ROWS)

    def snapshot() -> Any:
        with psycopg.connect(uri) as connection:
            rows = connection.execute("SELECT * FROM items ORDER BY id").fetchall()
            tables = connection.execute(
                "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
            ).fetchall()
        return rows, tables

    host = parse_qs(urlsplit(uri).query)["host"][0]
    place = {
        "engine": "django.db.backends.postgresql",
        "host": host,
        "port": "null",
        "user": "postgres",
    }
    return Shop(
        CONNECTION.format(database="postgres", password='"env:PASSWORD"', **place),
        "postgresql",
        snapshot,
    )


@pytest.fixture(params=["sqlite", "postgresql"])
def shop(request: pytest.FixtureRequest) -> Shop:
    return request.getfixturevalue(f"{'sqlite' if request.param == 'sqlite' else 'postgres'}_shop")  # type: ignore[no-any-return]
