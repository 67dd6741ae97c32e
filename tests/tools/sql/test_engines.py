"""How each kind of database is reached: address, driver, TLS and guards. Needs no server."""

from pathlib import Path
from typing import Any

import pytest

from turngraph.state.errors import TurnConfigurationError
from turngraph.tools.manifests.connection_parts import SqlConnectionData
from turngraph.tools.sql.engines import DatabaseLocation, _connect_args, dialect_of, make_engine


def place(**fields: Any) -> DatabaseLocation:
    given = {
        "db_engine": "postgresql",
        "database": "shop",
        "hostname": "db",
        "username": "reader",
        "port": 6543,
    }
    data = SqlConnectionData.model_validate(given | fields)
    return DatabaseLocation(data, lambda: "s3cret", Path("/etc/shop"))


@pytest.mark.parametrize(
    ("engine", "url"),
    [
        ("django.db.backends.postgresql", "postgresql+psycopg://reader@db:6543/shop"),
        ("postgres", "postgresql+psycopg://reader@db:6543/shop"),
        ("django.db.backends.mysql", "mysql+pymysql://reader@db:6543/shop"),
        ("mariadb", "mariadb+pymysql://reader@db:6543/shop"),
        ("mysql+pymysql", "mysql+pymysql://reader@db:6543/shop"),
    ],
)
def test_names_of_engines_find_their_drivers(engine: str, url: str) -> None:
    """Django's names, short names and SQLAlchemy's own. No address has a password."""
    pytest.importorskip(url.partition("+")[2].partition(":")[0])
    made = make_engine(place(db_engine=engine, password="env:X"))
    assert str(made.url) == url
    assert made.pool.size() == 5  # type: ignore[attr-defined]
    assert dialect_of(engine) == url.partition("+")[0]


@pytest.mark.parametrize("engine", ["oracle", "django.db.backends.mssql", "nosuchdialect"])
def test_a_missing_driver_is_reported(engine: str) -> None:
    """The message says what to install, if that is known."""
    with pytest.raises(TurnConfigurationError, match=r"need a driver: pip install|cannot be used"):
        make_engine(place(db_engine=engine))


def test_postgresql_sessions_are_read_only_and_limited() -> None:
    """Connection options apply to every session."""
    args = _connect_args(place(timeout=2.5), "postgresql")
    for option in (
        "statement_timeout=2500",
        "lock_timeout=2500",
        "default_transaction_read_only=on",
    ):
        assert f"-c {option}" in args["options"]
    assert args["prepare_threshold"] == 0


@pytest.mark.parametrize(
    ("fields", "wanted"),
    [
        ({}, {}),
        ({"use_ssl": True}, {"sslmode": "require"}),
        (
            {"use_ssl": True, "ssl_ca": "ca.pem", "ssl_cert": "/c.pem", "ssl_key": "k.pem"},
            {
                "sslmode": "verify-full",
                "sslrootcert": "/etc/shop/ca.pem",
                "sslcert": "/c.pem",
                "sslkey": "/etc/shop/k.pem",
            },
        ),
    ],
)
def test_tls_of_postgresql_checks_what_the_connection_names(
    fields: dict[str, Any], wanted: dict[str, str]
) -> None:
    """Files are relative to the manifest; with a CA the server's name is checked."""
    args = _connect_args(place(**fields), "postgresql")
    assert {name: value for name, value in args.items() if name.startswith("ssl")} == wanted


def test_tls_and_timeouts_of_mysql_are_set() -> None:
    """The driver's timeout is a little later than the server's."""
    args = _connect_args(
        place(db_engine="mysql", use_ssl=True, ssl_ca="ca.pem", timeout=3), "mysql"
    )
    assert args == {
        "connect_timeout": 3,
        "read_timeout": 4,
        "write_timeout": 4,
        "ssl": {"ca": "/etc/shop/ca.pem"},
    }
    assert "ssl" not in _connect_args(place(db_engine="mysql"), "mysql")
