"""The server's tables, in the same database as the ledger. Times are seconds since the epoch.

server_schema  the versions of these tables, and when each was made
server_key     one row per API key; a key itself is never stored, only its hash
server_limit   how many requests and tokens a minute a key or an account may have
server_rate    how many of them each has had in its last minute
server_response      one row per response of the Responses API, and per request to Chat Completions
                     that has an `Idempotency-Key` or may wait for its client
server_response_event  the events of background streams
server_conversation  one row per conversation that a client has created
server_forwarded     one row per forwarded request with an `Idempotency-Key`
server_unused_thread  one row per thread whose messages are still to be deleted
"""

from typing import TYPE_CHECKING, Final

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Double,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
)

from turngraph.billing.store.migrations import Step, add_column, migrate

if TYPE_CHECKING:
    from turngraph.billing.store.transaction import LedgerTransaction

__all__ = [
    "conversation_t",
    "create_server_tables",
    "forwarded_t",
    "key_t",
    "limit_t",
    "rate_t",
    "response_event_t",
    "response_t",
    "unused_thread_t",
]

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

response_t: Final = Table(
    "server_response",
    _metadata,
    Column("response_id", String(64), primary_key=True),
    Column("account", String(200), nullable=False),
    # The key it was asked with, whose budgets it counts in; NULL where there are no keys.
    Column("api_key_id", String(32)),
    # What that key was good for. Lists in JSON; `models` is NULL where every model may be asked.
    Column("scopes", Text),
    Column("models", Text),
    Column("model", String(200), nullable=False),
    Column("thread", String(700), nullable=False, index=True),
    Column("turn_id", String(700), nullable=False),
    # `queued`, `in_progress`, `cancelling`, `interrupted` (its process has ended before it; it goes
    # on if its request comes again), or how it ended, in the API's words.
    Column("status", String(32), nullable=False),
    # 1: it is shown. 0: it is only kept because its turn waits for its client.
    Column("stored", Integer, nullable=False),
    # 1: another response goes on with its thread, so a further one must copy the conversation.
    Column("continued", Integer, nullable=False),
    Column("background", Integer, nullable=False),
    Column("created", Double, nullable=False),
    # When the process that runs it was last seen.
    Column("seen", Double, nullable=False),
    # How many messages its thread had before its answer, and has at its end.
    Column("first", Integer, nullable=False),
    Column("last", Integer, nullable=False),
    Column("request", Text, nullable=False),
    # The object that the API shows; NULL until it has ended.
    Column("body", Text),
    # SHA-256 of what was asked under an `Idempotency-Key`; NULL without one.
    Column("digest", String(64)),
    # Who runs it: a random token that each process which takes it makes anew.
    Column("owner", String(32)),
    # The model on whose graph the thread is: a fallback where one has answered. NULL: `model`.
    Column("answered_by", String(200)),
    # JSON: what a turn that waited had when this request brought what it waited for.
    Column("resumes", Text),
    # JSON: the status, headers and body of an answer that is an error.
    Column("error", Text),
)

_response_status: Final = Index("server_response_status", response_t.c.status)
"""Every process looks again and again for requests that a dead one has left."""

response_event_t: Final = Table(
    "server_response_event",
    _metadata,
    # Some events in a row, of a background stream, with the numbers of the first and last of them.
    Column("response_id", String(64), primary_key=True),
    Column("first", Integer, primary_key=True),
    Column("last", Integer, nullable=False),
    Column("events", Text, nullable=False),
)

conversation_t: Final = Table(
    "server_conversation",
    _metadata,
    Column("conversation_id", String(64), primary_key=True),
    Column("account", String(200), nullable=False),
    Column("thread", String(700), nullable=False),
    Column("created", Double, nullable=False),
    Column("metadata", Text, nullable=False),
)

forwarded_t: Final = Table(
    "server_forwarded",
    _metadata,
    # Of the account and its key.
    Column("key_sha256", String(64), primary_key=True),
    Column("request_sha256", String(64), nullable=False),
    # Which process sends the request, and when it was last seen.
    Column("claim", String(32), nullable=False),
    Column("seen", Double, nullable=False),
    Column("created", Double, nullable=False),
    # The answer; NULL until it has come whole.
    Column("status", Integer),
    Column("headers", Text),
    Column("content", LargeBinary),
)

unused_thread_t: Final = Table(
    "server_unused_thread", _metadata, Column("thread", String(700), primary_key=True)
)


def _first(conn: Connection) -> None:
    _metadata.create_all(conn)


def _responses(conn: Connection) -> None:
    """Version 2: stored responses and conversations."""
    _metadata.create_all(conn, [response_t, conversation_t])


def _keys_of_responses(conn: Connection) -> None:
    """Version 3: a response says which key it was asked with. Older ones do not know."""
    add_column(conn, "server_response", "api_key_id", "VARCHAR(32)")


def _rights_of_responses(conn: Connection) -> None:
    """Version 4: a response says what its key was good for. Older ones do not know."""
    for column in ("scopes", "models"):
        add_column(conn, "server_response", column, "TEXT")


def _forwarded_answers(conn: Connection) -> None:
    """Version 5: answers to forwarded requests with an `Idempotency-Key`."""
    _metadata.create_all(conn, [forwarded_t])


def _claims_of_responses(conn: Connection) -> None:
    """Version 6: a request is claimed by who runs it, and keeps the answer for its retries."""
    types = {"digest": 64, "owner": 32, "answered_by": 200}
    for column, length in types.items():
        add_column(conn, "server_response", column, f"VARCHAR({length})")
    for column in ("resumes", "error"):
        add_column(conn, "server_response", column, "TEXT")


def _events_of_responses(conn: Connection) -> None:
    """Version 7: events of background streams."""
    _metadata.create_all(conn, [response_event_t])


def _index_of_responses(conn: Connection) -> None:
    """Version 8: requests that run are found without a look at all that have ended."""
    _response_status.create(conn, checkfirst=True)


def _unused_threads(conn: Connection) -> None:
    """Version 9: threads whose messages are still to be deleted."""
    _metadata.create_all(conn, [unused_thread_t])


_STEPS: Final[tuple[Step, ...]] = (
    _first,
    _responses,
    _keys_of_responses,
    _rights_of_responses,
    _forwarded_answers,
    _claims_of_responses,
    _events_of_responses,
    _index_of_responses,
    _unused_threads,
)
"""The steps in order. A released step is never edited; what it missed becomes a new step."""


def create_server_tables(tx: "LedgerTransaction") -> None:
    """Creates the tables, or brings them up to date. An operation for `LedgerStore.run`."""
    migrate(tx.conn, _STEPS, versions=_versions_t)
