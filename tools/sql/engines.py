"""Database engines: how each kind is reached, and how its sessions are kept from writing.

The query's text is checked as well (`statement_check.py`). These settings are the second guard,
inside the database, for whatever a parser does not understand.
"""

import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from turngraph.state.errors import TurnConfigurationError
from turngraph.tools.sql.postgres_values import load_any_date

if TYPE_CHECKING:
    from sqlalchemy import Engine
    from sqlalchemy.engine import URL

    from turngraph.tools.manifests.connection_parts import SqlConnectionData

__all__ = ["DatabaseLocation", "dialect_of", "make_engine"]

ENGINES: Final[Mapping[str, str]] = {
    "django.db.backends.postgresql": "postgresql",
    "django.db.backends.mysql": "mysql",
    "django.db.backends.sqlite3": "sqlite",
    "django.db.backends.oracle": "oracle",
    "django.db.backends.mssql": "mssql",
    "postgres": "postgresql",
    "postgresql": "postgresql",
    "mysql": "mysql",
    "mariadb": "mariadb",
    "sqlite": "sqlite",
    "sqlite3": "sqlite",
    "oracle": "oracle",
    "mssql": "mssql",
    "sqlserver": "mssql",
}
"""The names that manifests use for an engine, and SQLAlchemy's name."""
DRIVERS: Final[Mapping[str, tuple[tuple[str, str], ...]]] = {
    "postgresql": (("psycopg", "psycopg"), ("psycopg2", "psycopg2")),
    "mysql": (("pymysql", "pymysql"), ("mysqlclient", "MySQLdb")),
    "mariadb": (("pymysql", "pymysql"), ("mysqlclient", "MySQLdb")),
    "oracle": (("oracledb", "oracledb"),),
    "mssql": (("pyodbc", "pyodbc"), ("pymssql", "pymssql")),
}
"""The drivers of each dialect, the preferred one first: SQLAlchemy's name and the module."""
SQLITE_ALLOWED: Final = frozenset(
    {
        sqlite3.SQLITE_SELECT,
        sqlite3.SQLITE_READ,
        sqlite3.SQLITE_FUNCTION,
        sqlite3.SQLITE_RECURSIVE,
        sqlite3.SQLITE_TRANSACTION,  # SQLAlchemy ends every use of a connection with a rollback
    }
)
"""The actions a statement may take (https://www.sqlite.org/c3ref/c_alter_table.html). Opening the
file with `mode=ro` is not enough: ATTACH can still create and read other files.
"""
SQLITE_DENIED_FUNCTIONS: Final = frozenset({"load_extension", "writefile", "readfile", "edit"})
"""They load code, or read and write files (https://www.sqlite.org/cli.html#file_i_o_functions)."""
SQLITE_LIMITS: Final[Mapping[int, int]] = {
    sqlite3.SQLITE_LIMIT_ATTACHED: 0,
    sqlite3.SQLITE_LIMIT_LENGTH: 10_000_000,
    sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH: 1_000,
    sqlite3.SQLITE_LIMIT_SQL_LENGTH: 100_000,
}
"""Limits against queries that use up memory or time (https://www.sqlite.org/security.html)."""


@dataclass(frozen=True, slots=True)
class DatabaseLocation:
    """How to reach a database: the manifest's fields, the password, and the manifest's folder."""

    data: "SqlConnectionData"
    password: Callable[[], str | None]
    """Looks the password up; None if there is none."""
    folder: Path
    """The folder that the file names in `data` start from."""


def dialect_of(db_engine: str) -> str:
    """Returns SQLAlchemy's dialect for the name of an engine.

    >>> dialect_of("django.db.backends.postgresql"), dialect_of("mysql+pymysql")
    ('postgresql', 'mysql')
    """
    return ENGINES.get(db_engine.lower(), db_engine.lower()).partition("+")[0]


def make_engine(location: DatabaseLocation) -> "Engine":
    """Returns an engine whose sessions only read. It connects at the first use.

    Raises TurnConfigurationError if the driver is not installed, or a SQLite file does not exist.
    """
    from sqlalchemy import create_engine, event
    from sqlalchemy.exc import ArgumentError, NoSuchModuleError

    data, dialect = location.data, dialect_of(location.data.db_engine)
    pool: dict[str, Any] = {"pool_size": data.pool_size, "max_overflow": data.max_overflow}
    pool |= {"pool_timeout": data.timeout, "pool_pre_ping": dialect != "sqlite"}
    try:
        engine = create_engine(
            _url(location, dialect), connect_args=_connect_args(location, dialect), **pool
        )
    except (ArgumentError, NoSuchModuleError, ModuleNotFoundError) as error:
        raise TurnConfigurationError(
            f"The database engine `{data.db_engine}` cannot be used: {error}."
        ) from error

    # The password is looked up for each new connection and kept in no URL, where a log or an
    # exception could show it (https://docs.sqlalchemy.org/en/20/core/engines.html#generating-dynamic-authentication-tokens).
    if data.password is not None:
        event.listen(
            engine,
            "do_connect",
            lambda _dialect, _record, _args, options: options.update(password=location.password()),
        )
    if dialect in SESSION_GUARDS:
        guard = SESSION_GUARDS[dialect]
        event.listen(engine, "connect", lambda connection, _record: guard(connection, data))
    return engine


def _url(location: DatabaseLocation, dialect: str) -> "URL":
    from sqlalchemy.engine import URL

    data = location.data
    if dialect == "sqlite":
        path = (location.folder / data.database).resolve()
        if not path.is_file():
            raise TurnConfigurationError(
                f"There is no SQLite database `{data.database}` in {location.folder}. The name is "
                "relative to the manifest's folder."
            )
        # `mode=ro` also keeps SQLite from creating a file (https://www.sqlite.org/uri.html).
        return URL.create(
            "sqlite", database=f"file:{quote(str(path))}", query={"mode": "ro", "uri": "true"}
        )
    return URL.create(
        _driver(data.db_engine, dialect),
        username=data.username,
        host=data.hostname,
        port=data.port,
        database=data.database,
    )


def _driver(db_engine: str, dialect: str) -> str:
    if "+" in db_engine or dialect not in DRIVERS:
        return db_engine.lower()
    for name, module in DRIVERS[dialect]:
        if find_spec(module) is not None:
            return f"{dialect}+{name}"
    raise TurnConfigurationError(
        f"{dialect} databases need a driver: pip install {DRIVERS[dialect][0][0]}."
    )


def _connect_args(location: DatabaseLocation, dialect: str) -> dict[str, Any]:
    """Returns the driver's options: time limits, TLS, and read-only sessions where possible."""
    data = location.data
    files = {
        name: str((location.folder / file).resolve()) for name, file in _ssl_files(data).items()
    }
    if dialect == "sqlite":
        return {"timeout": data.timeout, "check_same_thread": False}
    if dialect == "postgresql":
        return _postgres_args(data, files)
    if dialect in ("mysql", "mariadb"):
        seconds = max(1, round(data.timeout))
        args: dict[str, Any] = {
            "connect_timeout": seconds,
            # One second later than the server's own limit, whose message is clearer.
            "read_timeout": seconds + 1,
            "write_timeout": seconds + 1,
        }
        tls: dict[str, Any] = {**files} or {"check_hostname": False}
        return args | ({"ssl": tls} if data.use_ssl else {})
    return {}


def _ssl_files(data: "SqlConnectionData") -> dict[str, str]:
    return {
        name: file
        for name in ("ca", "cert", "key")
        if (file := getattr(data, f"ssl_{name}")) is not None
    }


def _postgres_args(data: "SqlConnectionData", files: Mapping[str, str]) -> dict[str, Any]:
    """Returns the options of a PostgreSQL connection
    (https://www.postgresql.org/docs/current/libpq-connect.html).
    """
    milliseconds = max(1, round(data.timeout * 1000))
    settings = {
        "statement_timeout": milliseconds,
        "lock_timeout": milliseconds,
        "idle_in_transaction_session_timeout": 2 * milliseconds,
        "default_transaction_read_only": "on",
    }
    args: dict[str, Any] = {
        "connect_timeout": max(2, round(data.timeout)),
        "options": " ".join(f"-c {name}={value}" for name, value in settings.items()),
    }
    if find_spec("psycopg") is not None and "psycopg2" not in data.db_engine:
        # A prepared statement contains exactly one command. The simple query protocol, which
        # psycopg uses for a query without parameters, would accept several
        # (https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-SIMPLE-QUERY).
        args["prepare_threshold"] = 0
    if data.use_ssl:
        args["sslmode"] = "verify-full" if "ca" in files else "require"
        names = {"ca": "sslrootcert", "cert": "sslcert", "key": "sslkey"}
        args |= {names[name]: file for name, file in files.items()}
    return args


def _guard_sqlite(connection: sqlite3.Connection, _data: "SqlConnectionData") -> None:
    """Sets limits and an authorizer (https://www.sqlite.org/c3ref/set_authorizer.html)."""
    for limit, value in SQLITE_LIMITS.items():
        connection.setlimit(limit, value)

    def authorize(action: int, first: str | None, second: str | None, *_: str | None) -> int:
        # SQLAlchemy reads this pragma once, when it connects for the first time.
        if action == sqlite3.SQLITE_PRAGMA and first == "read_uncommitted" and second is None:
            return sqlite3.SQLITE_OK
        if action == sqlite3.SQLITE_FUNCTION and second in SQLITE_DENIED_FUNCTIONS:
            return sqlite3.SQLITE_DENY
        return sqlite3.SQLITE_OK if action in SQLITE_ALLOWED else sqlite3.SQLITE_DENY

    connection.set_authorizer(authorize)


def _guard_mysql(connection: Any, data: "SqlConnectionData") -> None:
    """Makes the session read-only and limits the time of its queries.

    https://dev.mysql.com/doc/refman/8.4/en/server-system-variables.html#sysvar_max_execution_time
    https://mariadb.com/kb/en/server-system-variables/#max_statement_time
    """
    with connection.cursor() as cursor:
        # MySQL counts milliseconds and MariaDB seconds, each in a variable of its own.
        cursor.execute("SELECT VERSION()")
        is_mariadb = "mariadb" in str(cursor.fetchone()[0]).lower()
        timeout = (
            f"max_statement_time = {data.timeout:g}"
            if is_mariadb
            else f"max_execution_time = {data.timeout * 1000:.0f}"
        )
        cursor.execute(f"SET SESSION {timeout}")
        cursor.execute("SET SESSION TRANSACTION READ ONLY")


def _adapt_postgres(connection: Any, _data: "SqlConnectionData") -> None:
    """Teaches psycopg the dates that Python does not have. psycopg2 keeps its own ways."""
    if hasattr(connection, "adapters"):
        load_any_date(connection)


SESSION_GUARDS: Final[Mapping[str, Callable[[Any, "SqlConnectionData"], None]]] = {
    "sqlite": _guard_sqlite,
    "postgresql": _adapt_postgres,
    "mysql": _guard_mysql,
    "mariadb": _guard_mysql,
}
"""What is done to each new session of a dialect. PostgreSQL needs no guard: its connection options
make the session read-only.
"""
