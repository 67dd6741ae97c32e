"""The ledger's tables. SQLite and PostgreSQL, the same columns; amounts are whole nano-dollars,
times are seconds.

Every row with an amount names its currency, USD. A price that stood in another was turned into USD
by the rate given with it, and says so itself.

turn           one row a turn: who runs it, until when, and the fence that shuts out whoever ran it before
attempt        one row a wire attempt (or priced tool call): what was held, what it was charged, what came back
entry          what each attempt was charged: rows are added, never changed; a correction is a new, signed row
budget         budgets kept in the ledger itself (others are handed in with each call)
budget_window  what a budget has settled and holds in one of its windows
hold           which windows an attempt holds money in; stays after it is closed, so that corrections find them
price          every price a charge was made with, once
turn_bill      a view: what each turn cost
"""

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Double,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    literal_column,
    text,
)
from sqlalchemy.sql import ColumnElement

__all__ = [
    "OPEN",
    "attempt_t",
    "budget_t",
    "entry_t",
    "hold_t",
    "is_in",
    "metadata",
    "price_t",
    "schema_t",
    "turn_t",
    "window_t",
]

OPEN: Final = ("reserved", "sent", "answered", "unknown")
"""States in which an attempt still holds money. `settled` and `released` are for ever."""

metadata = MetaData()


def is_in(*states: str) -> ColumnElement[bool]:
    """Whether an attempt is in one of `states`, written into the statement: a list of parameters is
    put together anew every time the statement is run.
    """
    return attempt_t.c.state.in_([literal_column(f"'{state}'") for state in states])


schema_t = Table(
    "ledger_schema", metadata, Column("version", Integer, primary_key=True), Column("at", Double)
)

turn_t = Table(
    "turn",
    metadata,
    Column("turn_id", Text, primary_key=True),
    Column("account", Text, nullable=False, server_default=""),
    Column("thread_id", Text),
    Column("request_sha", Text),
    Column("status", Text, nullable=False),
    Column("owner", Text, nullable=False),
    Column("fence", BigInteger, nullable=False),
    Column("lease_until", Double, nullable=False),
    Column("created", Double, nullable=False),
    Column("updated", Double, nullable=False),
    CheckConstraint("status IN ('running', 'done', 'failed', 'abandoned')", name="turn_status"),
    Index(
        "turn_one_running",
        "thread_id",
        unique=True,
        sqlite_where=text("status = 'running'"),
        postgresql_where=text("status = 'running'"),
    ),
)

_is_open = text("state IN ('reserved', 'sent')")
_may_expire = text("state IN ('reserved', 'sent', 'answered', 'unknown')")
_has_id = text("provider_id IS NOT NULL AND kind = 'completion'")

attempt_t = Table(
    "attempt",
    metadata,
    Column("attempt_id", Text, primary_key=True),
    Column("reservation", Text, unique=True),
    Column("call_id", Text),
    Column("attempt_no", Integer),
    Column("nonce", Text),
    Column("kind", Text, nullable=False),
    Column("account", Text, nullable=False, server_default=""),
    Column("key_id", Text),
    Column("thread_id", Text),
    Column("turn_id", Text),
    Column("call_seq", Integer),
    Column("tags", Text, nullable=False, server_default="[]"),
    Column("vendor", Text, nullable=False, server_default=""),
    Column("model", Text, nullable=False, server_default=""),
    Column("base_url", Text),
    Column("stored", Text),
    Column("plugin", Text),
    Column("connection", Text),
    Column("tool", Text),
    Column("request_sha", Text),
    Column("state", Text, nullable=False),
    Column("owner", Text, nullable=False),
    Column("fence", BigInteger),
    Column("lease_until", Double, nullable=False),
    Column("hold_nano", BigInteger, nullable=False),
    Column("windows", Integer, nullable=False, server_default="0"),
    Column("charge_nano", BigInteger),
    Column("currency", Text, nullable=False, server_default="USD"),
    Column("basis", Text),
    Column("estimated", Boolean, nullable=False, server_default=text("false")),
    Column("overrun", Boolean, nullable=False, server_default=text("false")),
    Column("unpriced", Boolean, nullable=False, server_default=text("false")),
    Column("provider_id", Text),
    Column("http_status", Integer),
    Column("usage", Text),
    Column("answered_model", Text),
    Column("service_tier", Text),
    Column("price_id", Text),
    Column("response", Text),
    Column("note", Text),
    Column("day", Text, nullable=False),
    Column("created", Double, nullable=False),
    Column("updated", Double, nullable=False),
    UniqueConstraint("call_id", "attempt_no", name="attempt_number"),
    CheckConstraint(
        "state IN ('reserved', 'sent', 'answered', 'unknown', 'settled', 'released')",
        name="attempt_state",
    ),
    CheckConstraint("hold_nano >= 0", name="attempt_hold"),
    CheckConstraint(
        "(state IN ('settled', 'released')) = (charge_nano IS NOT NULL)", name="attempt_closed"
    ),
    Index(
        "attempt_one_open", "call_id", unique=True, sqlite_where=_is_open, postgresql_where=_is_open
    ),
    Index(
        "attempt_provider",
        "vendor",
        "provider_id",
        unique=True,
        sqlite_where=_has_id,
        postgresql_where=_has_id,
    ),
    Index("attempt_sweep", "lease_until", sqlite_where=_may_expire, postgresql_where=_may_expire),
    Index("attempt_turn", "turn_id"),
    Index("attempt_created", "created"),
)

entry_t = Table(
    "entry",
    metadata,
    Column("attempt_id", Text, primary_key=True),
    Column("rev", Integer, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("amount_nano", BigInteger, nullable=False),
    Column("currency", Text, nullable=False, server_default="USD"),
    Column("at", Double, nullable=False),
    Column("note", Text),
)

budget_t = Table(
    "budget",
    metadata,
    Column("name", Text, primary_key=True),
    Column("definition", Text, nullable=False),
)

window_t = Table(
    "budget_window",
    metadata,
    Column("budget_id", Text, primary_key=True),
    Column("window", Text, primary_key=True),
    Column("limit_nano", BigInteger, nullable=False),
    Column("settled_nano", BigInteger, nullable=False),
    Column("held_nano", BigInteger, nullable=False),
    Column("currency", Text, nullable=False, server_default="USD"),
    Column("warn_at", Text, nullable=False),
    CheckConstraint("held_nano >= 0", name="window_held"),
)

hold_t = Table(
    "hold",
    metadata,
    Column("attempt_id", Text, primary_key=True),
    Column("budget_id", Text, primary_key=True),
    Column("window", Text, primary_key=True),
    Index("hold_window", "budget_id", "window"),
)

price_t = Table(
    "price",
    metadata,
    Column("price_id", Text, primary_key=True),
    Column("source", Text, nullable=False),
    Column("price", Text, nullable=False),
)
