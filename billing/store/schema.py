"""The ledger's tables: the same columns in SQLite and PostgreSQL. Amounts are whole nano-dollars
(10^-9 USD), times are seconds since the epoch.

Every row with an amount names its currency, which is USD. A price in another currency was converted
by the rate given with it, and names that currency itself.

ledger_schema  the versions of these tables, and when each was made
turn           one row per turn: who runs it, until when, and the fence that stops an earlier worker
attempt        one row per request on the wire (or priced tool call): held, charged, answered
entry          what an attempt was charged; rows are only added, a correction is a new, signed row
budget         the budgets stored in the ledger (others are passed with each call)
budget_window  what a budget has settled and holds in one of its windows
hold           the windows an attempt counts in; kept after it is closed, for later corrections
price          every price that a charge was made with, once
turn_bill      a view: what each turn cost
"""

from collections.abc import Iterable

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

from turngraph.billing.store.states import (
    ATTEMPT_STATES,
    OPEN_STATES,
    TURN_STATES,
    AttemptState,
)

__all__ = [
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

metadata = MetaData()


def is_in(*states: AttemptState) -> ColumnElement[bool]:
    """Returns the condition that an attempt is in one of `states`.

    The states are part of the SQL text, because SQLAlchemy expands a list of parameters anew each
    time the statement runs, which is slow.
    """
    return attempt_t.c.state.in_([literal_column(f"'{state}'") for state in states])


def _one_of(column: str, values: Iterable[str]) -> str:
    return f"{column} IN ({', '.join(repr(value) for value in values)})"


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
    # The lease: who holds it, how often it was taken, and until when it is valid.
    Column("owner", Text, nullable=False),
    Column("fence", BigInteger, nullable=False),
    Column("lease_until", Double, nullable=False),
    Column("created", Double, nullable=False),
    Column("updated", Double, nullable=False),
    CheckConstraint(_one_of("status", TURN_STATES), name="turn_status"),
    # Two running turns on one thread are impossible, whatever a worker believes.
    Index(
        "turn_one_running",
        "thread_id",
        unique=True,
        sqlite_where=text("status = 'running'"),
        postgresql_where=text("status = 'running'"),
    ),
)

# The conditions of partial indexes. They are the same for both databases.
_is_under_way = text("state IN ('reserved', 'sent')")
_may_expire = text(_one_of("state", OPEN_STATES))
_has_id = text("provider_id IS NOT NULL AND kind = 'completion'")

attempt_t = Table(
    "attempt",
    metadata,
    Column("attempt_id", Text, primary_key=True),
    # Before `begin` an attempt has a reservation, and no call yet.
    Column("reservation", Text, unique=True),
    Column("call_id", Text),
    Column("attempt_no", Integer),
    Column("nonce", Text),
    # What is called, and whom it is charged to: `Call` and `CostAttribution`.
    Column("kind", Text, nullable=False),
    Column("account", Text, nullable=False, server_default=""),
    Column("api_key_id", Text),
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
    # Where the attempt stands, and the lease of the worker that makes it.
    Column("state", Text, nullable=False),
    Column("owner", Text, nullable=False),
    Column("fence", BigInteger),
    Column("lease_until", Double, nullable=False),
    # Money. `windows` is how many rows of `hold` it has: most calls have none, and skip them.
    Column("hold_nano", BigInteger, nullable=False),
    Column("windows", Integer, nullable=False, server_default="0"),
    Column("charge_nano", BigInteger),
    Column("currency", Text, nullable=False, server_default="USD"),
    Column("basis", Text),
    Column("estimated", Boolean, nullable=False, server_default=text("false")),
    Column("overrun", Boolean, nullable=False, server_default=text("false")),
    Column("unpriced", Boolean, nullable=False, server_default=text("false")),
    # The answer. `response` is deleted after a while (`retention`); the rest stays.
    Column("provider_id", Text),
    Column("http_status", Integer),
    Column("usage", Text),
    Column("answered_model", Text),
    Column("service_tier", Text),
    Column("price_id", Text),
    Column("response", Text),
    Column("note", Text),
    # The day in UTC, as a column: the databases compute it in different ways.
    Column("day", Text, nullable=False),
    Column("created", Double, nullable=False),
    Column("updated", Double, nullable=False),
    UniqueConstraint("call_id", "attempt_no", name="attempt_number"),
    CheckConstraint(_one_of("state", ATTEMPT_STATES), name="attempt_state"),
    CheckConstraint("hold_nano >= 0", name="attempt_hold"),
    CheckConstraint(
        "(state IN ('settled', 'released')) = (charge_nano IS NOT NULL)", name="attempt_closed"
    ),
    # One call is never sent twice at once.
    Index(
        "attempt_one_open",
        "call_id",
        unique=True,
        sqlite_where=_is_under_way,
        postgresql_where=_is_under_way,
    ),
    # One answer of a vendor is never charged twice. See `NEW_PROVIDER_ID` for vendors that repeat
    # their ids.
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
