"""Engines: how each kind of database is reached, and told to let nobody write, dawdle or look
elsewhere.
"""

import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from turngraph.state.errors import TurnConfigurationError

if TYPE_CHECKING:
    from sqlalchemy import Engine
    from sqlalchemy.engine import URL

    from turngraph.tools.manifests.connection_parts import SqlConnectionData

__all__ = ["dialect_of", "make_engine"]

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
"""Names in use for an engine, and SQLAlchemy's."""
DRIVERS: Final[Mapping[str, tuple[tuple[str, str], ...]]] = {
    "postgresql": (("psycopg", "psycopg"), ("psycopg2", "psycopg2")),
    "mysql": (("pymysql", "pymysql"), ("mysqlclient", "MySQLdb")),
    "mariadb": (("pymysql", "pymysql"), ("mysqlclient", "MySQLdb")),
    "oracle": (("oracledb", "oracledb"),),
    "mssql": (("pyodbc", "pyodbc"), ("pymssql", "pymssql")),
}
"""For each dialect its drivers, the preferred first: SQLAlchemy's name and the module it needs."""
SQLITE_ALLOWED: Final = frozenset(
    {
        sqlite3.SQLITE_SELECT,
        sqlite3.SQLITE_READ,
        sqlite3.SQLITE_FUNCTION,
        sqlite3.SQLITE_RECURSIVE,
        sqlite3.SQLITE_TRANSACTION,  # SQLAlchemy ends what it did with a rollback
    }
)
"""What a statement may do. `mode=ro` alone lets ATTACH create files."""
SQLITE_LIMITS: Final[Mapping[int, int]] = {
    sqlite3.SQLITE_LIMIT_ATTACHED: 0,
    sqlite3.SQLITE_LIMIT_LENGTH: 10_000_000,
    sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH: 1_000,
    sqlite3.SQLITE_LIMIT_SQL_LENGTH: 100_000,
}


@dataclass(frozen=True, slots=True)
class Place:
    """Where a database is, and what the connection file left to others: the password, and the
    folder of files.
    """

    data: "SqlConnectionData"
    password: Callable[[], str | None]
    folder: Path


def dialect_of(db_engine: str) -> str:
    """SQLAlchemy's dialect for an engine's name.

    >>> dialect_of("django.db.backends.postgresql"), dialect_of("duckdb"), dialect_of("mysql+pymysql")
    ('postgresql', 'duckdb', 'mysql')
    """
    return ENGINES.get(db_engine.lower(), db_engine.lower()).partition("+")[0]


def make_engine(place: Place) -> "Engine":
    """An engine whose sessions only read. It connects when first used, and asks for the password
    each time it does.

    Raises TurnConfigurationError where the driver is not installed, or the database's file is not
    there.
    """
    from sqlalchemy import create_engine, event
    from sqlalchemy.exc import ArgumentError, NoSuchModuleError

    data, dialect = place.data, dialect_of(place.data.db_engine)
    pool: dict[str, Any] = {"pool_size": data.pool_size, "max_overflow": data.max_overflow}
    pool |= {"pool_timeout": data.timeout, "pool_pre_ping": dialect != "sqlite"}
    try:
        engine = create_engine(
            _url(place, dialect), connect_args=_connect_args(place, dialect), **pool
        )
    except (ArgumentError, NoSuchModuleError, ModuleNotFoundError) as error:
        raise TurnConfigurationError(
            f"The database engine `{data.db_engine}` cannot be used: {error}."
        ) from error

    if data.password is not None:
        event.listen(
            engine,
            "do_connect",
            lambda _d, _r, _a, wanted: wanted.update(password=place.password()),
        )
    if dialect in GUARDS:
        event.listen(
            engine, "connect", lambda connection, _record: GUARDS[dialect](connection, data)
        )
    return engine


def _url(place: Place, dialect: str) -> "URL":
    from sqlalchemy.engine import URL

    data = place.data
    if dialect == "sqlite":
        path = (place.folder / data.database).resolve()
        if not path.is_file():
            raise TurnConfigurationError(
                f"There is no SQLite database `{data.database}` in {place.folder}."
            )
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


def _connect_args(place: Place, dialect: str) -> dict[str, Any]:
    data = place.data
    files = {name: str((place.folder / file).resolve()) for name, file in _ssl_files(data).items()}
    if dialect == "sqlite":
        return {"timeout": data.timeout, "check_same_thread": False}
    if dialect == "postgresql":
        return _postgres_args(data, files)
    if dialect in ("mysql", "mariadb"):
        seconds = max(1, round(data.timeout))
        wanted: dict[str, Any] = {
            "connect_timeout": seconds,
            "read_timeout": seconds + 1,
            "write_timeout": seconds + 1,
        }
        tls: dict[str, Any] = {**files} or {"check_hostname": False}
        return wanted | ({"ssl": tls} if data.use_ssl else {})
    return {}


def _ssl_files(data: "SqlConnectionData") -> dict[str, str]:
    return {
        name: file
        for name in ("ca", "cert", "key")
        if (file := getattr(data, f"ssl_{name}")) is not None
    }


def _postgres_args(data: "SqlConnectionData", files: Mapping[str, str]) -> dict[str, Any]:
    """https://www.postgresql.org/docs/current/libpq-connect.html"""
    milliseconds = max(1, round(data.timeout * 1000))
    settings = {
        "statement_timeout": milliseconds,
        "lock_timeout": milliseconds,
        "idle_in_transaction_session_timeout": 2 * milliseconds,
        "default_transaction_read_only": "on",
    }
    wanted: dict[str, Any] = {
        "connect_timeout": max(2, round(data.timeout)),
        "options": " ".join(f"-c {name}={value}" for name, value in settings.items()),
    }
    if find_spec("psycopg") is not None and "psycopg2" not in data.db_engine:
        # A prepared statement holds one command; the simple protocol, used for a query without
        # parameters, takes many.
        wanted["prepare_threshold"] = 0
    if data.use_ssl:
        wanted["sslmode"] = "verify-full" if "ca" in files else "require"
        names = {"ca": "sslrootcert", "cert": "sslcert", "key": "sslkey"}
        wanted |= {names[name]: file for name, file in files.items()}
    return wanted


def _guard_sqlite(connection: sqlite3.Connection, _data: "SqlConnectionData") -> None:
    for limit, value in SQLITE_LIMITS.items():
        connection.setlimit(limit, value)

    def judge(action: int, first: str | None, second: str | None, *_: str | None) -> int:
        if action == sqlite3.SQLITE_PRAGMA and first == "read_uncommitted" and second is None:
            return sqlite3.SQLITE_OK  # SQLAlchemy asks once, when it first connects
        if action == sqlite3.SQLITE_FUNCTION and second in (
            "load_extension",
            "writefile",
            "readfile",
            "edit",
        ):
            return sqlite3.SQLITE_DENY
        return sqlite3.SQLITE_OK if action in SQLITE_ALLOWED else sqlite3.SQLITE_DENY

    connection.set_authorizer(judge)


def _guard_mysql(connection: Any, data: "SqlConnectionData") -> None:
    """https://dev.mysql.com/doc/refman/8.4/en/server-system-variables.html#sysvar_max_execution_time,
    https://mariadb.com/kb/en/server-system-variables/#max_statement_time
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT VERSION()")
        maria = "mariadb" in str(cursor.fetchone()[0]).lower()
        timeout = (
            f"max_statement_time = {data.timeout:g}"
            if maria
            else f"max_execution_time = {data.timeout * 1000:.0f}"
        )
        cursor.execute(f"SET SESSION {timeout}")
        cursor.execute("SET SESSION TRANSACTION READ ONLY")


GUARDS: Final[Mapping[str, Callable[[Any, "SqlConnectionData"], None]]] = {
    "sqlite": _guard_sqlite,
    "mysql": _guard_mysql,
    "mariadb": _guard_mysql,
}
"""What is done to each new session of a dialect. PostgreSQL is told by its connection's options."""
