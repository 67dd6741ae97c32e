"""What the operations on the `attempt` table share: conditions, columns, and the vendor's id."""

import json
from typing import Any, Final

from sqlalchemy import Text, bindparam, cast, exists, func, literal_column, select

from turngraph.billing.store.calls import Call
from turngraph.billing.store.schema import attempt_t

__all__ = ["NEW_PROVIDER_ID", "THIS_ATTEMPT", "UNUSED_RESERVATION", "columns_of"]

# Statements are built once, when a module is imported: building one costs more than running it.
# `b_…` are their parameters; the other parameters of an update are the columns it sets.
_a = attempt_t.c

THIS_ATTEMPT: Final = _a.attempt_id == bindparam("b_attempt")
UNUSED_RESERVATION: Final = (
    _a.reservation == bindparam("b_reservation"),
    _a.state == "reserved",
    _a.call_id.is_(None),
)
"""A reservation that no call has used yet."""


def _new_provider_id() -> Any:
    """Returns the SQL for the vendor's id of an attempt: unless it is empty, or another attempt
    has the same one, as some vendors give.

    A unique key that refused the row would lose its charge, which is worse
    (https://github.com/BerriAI/litellm/issues/6633).
    """
    other, wanted = attempt_t.alias(), cast(bindparam("b_provider_id"), Text)
    # These conditions are those of the index `attempt_provider`, so that it is used.
    indexed = (
        other.c.vendor == _a.vendor,
        other.c.provider_id == wanted,
        other.c.kind == literal_column("'completion'"),
    )
    taken = (
        exists().where(*indexed, other.c.attempt_id != bindparam("b_attempt")).correlate(attempt_t)
    )
    return func.coalesce(
        select(wanted).where(wanted != "", ~taken).scalar_subquery(), _a.provider_id
    )


NEW_PROVIDER_ID: Final = _new_provider_id()


def columns_of(call: Call) -> dict[str, str | int | None]:
    """Returns the columns of an attempt that describe its call."""
    attribution = call.attribution
    return {
        "kind": call.kind,
        "account": attribution.account,
        "api_key_id": attribution.api_key_id,
        "thread_id": attribution.thread,
        "turn_id": attribution.turn,
        "tags": json.dumps(sorted(set(attribution.tags))),
        "call_seq": call.seq,
        "vendor": call.vendor,
        "model": call.model,
        "base_url": call.base_url,
        "stored": call.stored,
        "plugin": call.plugin,
        "connection": call.connection,
        "tool": call.tool,
    }
