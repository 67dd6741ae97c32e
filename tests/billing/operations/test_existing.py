"""Looking for a ledger makes none, and no password is in what is said about it."""

import re
import sqlite3
import sys
from pathlib import Path
from typing import Any

import pytest

from turngraph.billing.errors import LedgerError, LedgerUnavailableError
from turngraph.billing.ledger import Ledger
from turngraph.billing.operations.existing import ledger_exists
from turngraph.billing.store.urls import error_text, shown_url
from turngraph.state.errors import TurnConfigurationError

SECRET = "s3cr/t@p:w"


def test_a_ledger_that_is_there_is_opened(url: str) -> None:
    """On either database, and not before its tables are made."""
    assert not ledger_exists(url)
    with pytest.raises(
        LedgerError, match=r"There is no ledger at .*: (no such file|the database has none)"
    ):
        Ledger.open_existing(url)
    with Ledger(url) as ledger:
        ledger.store.run(lambda tx: None)
    with Ledger.open_existing(url) as ledger:
        assert ledger.store.read(lambda tx: tx.now) > 0


def test_looking_for_a_ledger_leaves_nothing_behind(tmp_path: Path) -> None:
    """No file where a name was typed wrongly; no table, no other journal, in somebody else's
    database.
    """
    with pytest.raises(LedgerError, match="no such file"):
        Ledger.open_existing(f"sqlite:///{tmp_path}/typo.db")
    other = tmp_path / "other.db"
    with sqlite3.connect(other) as conn:
        conn.execute("CREATE TABLE mine (x)")
    conn.close()
    before = other.read_bytes()
    with pytest.raises(LedgerError, match="has none of its tables"):
        Ledger.open_existing(f"sqlite:///{other}")
    assert other.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["other.db"]


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:"])
def test_a_ledger_in_memory_has_no_place(url: str) -> None:
    """Another process's memory cannot be looked into."""
    with pytest.raises(LedgerError, match="name a file"):
        Ledger.open_existing(url)


def test_what_is_no_database_is_said(tmp_path: Path) -> None:
    """In the database's own words."""
    (tmp_path / "notes.txt").write_text("not a database, and long enough to be read as one" * 10)
    with pytest.raises(LedgerError, match="cannot be opened: file is not a database"):
        Ledger.open_existing(f"sqlite:///{tmp_path}/notes.txt")
    with pytest.raises(LedgerError, match="cannot be opened"):
        Ledger.open_existing(f"sqlite:///{tmp_path}")
    with pytest.raises(LedgerError, match="not in `mysql`"):
        Ledger.open_existing("mysql://bob@host/db")


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://bob:{SECRET}@127.0.0.1:1/turns",
        "postgresql://bob:s3cr%2Ft@127.0.0.1:1/turns?connect_timeout=2",
        f"postgres://127.0.0.1:1/turns?user=bob&password={SECRET}",
        f"postgres://127.0.0.1:1/turns?user=bob&password={SECRET.replace('@', '%40')}",
        f"postgresql://bob:x@{SECRET}:port/turns",
        "postgresql://bob:s3cr@127.0.0.1:port/turns",
        f"bob:{SECRET}@127.0.0.1/turns",
    ],
)
def test_a_server_that_is_not_there_is_said_without_the_password(url: str) -> None:
    """Escaped or not, before the host or behind it, in the sentence and in what caused it."""
    with pytest.raises((LedgerError, TurnConfigurationError)) as caught:
        Ledger.open_existing(url)
    error: BaseException | None = caught.value
    while error is not None:
        assert re.search("s3cr|p:w", str(error)) is None, f"{type(error).__name__}: {error}"
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    assert any(
        word in str(caught.value) for word in ("127.0.0.1", "`@` as `%40`", "is SQLAlchemy's")
    )


def test_a_ledger_says_why_its_database_does_not_answer(tmp_path: Path) -> None:
    """A turn's own error has the reason too, and no password."""
    password = SECRET.replace("/", "%2F").replace("@", "%40").replace(":", "%3A")
    url = f"postgresql://bob:{password}@127.0.0.1:1/turns"
    with (
        Ledger(url, spool=tmp_path, retry_delays_s=()) as ledger,
        pytest.raises(LedgerUnavailableError) as caught,
    ):
        ledger.store.run(lambda tx: None)
    assert "refused" in str(caught.value)
    assert "s3cr" not in str(caught.value)


def test_postgresql_without_its_driver_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The extra, by its name."""
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(LedgerError, match=r"pip install 'turngraph\[postgres\]'"):
        Ledger.open_existing("postgresql://bob@127.0.0.1:1/turns")


@pytest.mark.parametrize(
    "url", ["sqlite:////home/a@b/c:d.db", "sqlite:///turns.db", "postgresql://bob@host/db"]
)
def test_a_url_without_a_password_is_shown_as_it_is(url: str) -> None:
    """Colons and signs in a path are no password."""
    assert shown_url(url) == url


def test_an_error_without_words_is_told_by_its_name() -> None:
    """An empty sentence helps nobody."""
    error: Any = TimeoutError()
    assert error_text(error, "sqlite://") == "TimeoutError"
