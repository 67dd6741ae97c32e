"""The server's tables, in the same database as the ledger. Times are seconds since the epoch.

server_schema  the versions of these tables, and when each was made
server_key     one row per API key; a key itself is never stored, only its hash
server_limit   how many requests and tokens a minute a key or an account may have
server_rate    how many of them each has had in its last minute
"""

from typing import TYPE_CHECKING, Final

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Double,
    Integer,
    MetaData,
    String,
    Table,
    Text,
)

from turngraph.billing.store.migrations import Step, migrate

if TYPE_CHECKING:
    from turngraph.billing.store.transaction import LedgerTransaction

__all__ = ["create_server_tables", "key_t", "limit_t", "rate_t"]

_metadata = MetaData()

_versions_t: Final = Table(
    "server_schema", _metadata, Column("version", Integer, primary_key=True), Column("at", Double)
)

key_t: Final = Table(
    "server_key",
    _metadata,
    Column("key_id", String(32), primary_key=True),
    Column("account", String(200), nullable=False),
    Column("name", String(200), nullable=False),
    Column("secret_sha256", String(64), nullable=False),
    # The secret before the last rotation, and until when it is still accepted.
    Column("previous_sha256", String(64)),
    Column("previous_until", Double),
    # Lists in JSON. `models` is NULL where every model may be asked.
    Column("scopes", Text, nullable=False),
    Column("models", Text),
    Column("created", Double, nullable=False),
    Column("expires", Double),
    Column("revoked", Double),
    Column("last_used", Double),
)

limit_t: Final = Table(
    "server_limit",
    _metadata,
    Column("per", String(16), primary_key=True),
    # The account or key that is limited; empty for each that has no row of its own.
    Column("name", String(200), primary_key=True),
    Column("requests", BigInteger),
    Column("tokens", BigInteger),
)

rate_t: Final = Table(
    "server_rate",
    _metadata,
    Column("per", String(16), primary_key=True),
    Column("name", String(200), primary_key=True),
    Column("unit", String(16), primary_key=True),
    # `used` before `minute`: MySQL assigns in this order, and `used` needs the minute of before.
    Column("used", BigInteger, nullable=False),
    Column("minute", BigInteger, nullable=False),
)


def _first(conn: Connection) -> None:
    _metadata.create_all(conn)


_STEPS: Final[tuple[Step, ...]] = (_first,)
"""The steps in order. A released step is never edited; what it missed becomes a new step."""


def create_server_tables(tx: "LedgerTransaction") -> None:
    """Creates the tables, or brings them up to date. An operation for `LedgerStore.run`."""
    migrate(tx.conn, _STEPS, versions=_versions_t)
