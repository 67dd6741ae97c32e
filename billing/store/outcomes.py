"""What became of an attempt: answered, released, or unknown. `settlement` charges it afterwards.

Each operation may be repeated: the second time changes nothing.
"""

from typing import Any, Final

from sqlalchemy import Text, Update, bindparam, func, literal_column, select, update

from turngraph.billing.store.attempt_rows import (
    NEW_PROVIDER_ID,
    THIS_ATTEMPT,
    UNUSED_RESERVATION,
)
from turngraph.billing.store.budgets import close_windows
from turngraph.billing.store.calls import AttemptResponse, Released, UnknownOutcome
from turngraph.billing.store.schema import attempt_t, is_in, turn_t
from turngraph.billing.store.states import AttemptState
from turngraph.billing.store.transaction import LedgerTransaction

__all__ = [
    "ANSWER",
    "IS_CURRENT",
    "answer",
    "answer_columns",
    "drop_reservation",
    "expire",
    "mark_unknown",
    "note_id",
    "release",
]

_a = attempt_t.c
# SQLAlchemy leaves the table's name out of what is returned on SQLite, where `turn_id` alone would
# then be the inner table's.
_turn_of_attempt = literal_column("attempt.turn_id", Text)
_fence = select(turn_t.c.fence).where(turn_t.c.turn_id == _turn_of_attempt).scalar_subquery()
IS_CURRENT: Final = (_a.fence == func.coalesce(_fence, 0)).label("is_current")
"""Whether the attempt's worker still has the turn. Null for a tool's attempt, which no lease
protects.
"""
ANSWER: Final = (
    update(attempt_t)
    .where(THIS_ATTEMPT, is_in("sent", "unknown"))
    .values(provider_id=NEW_PROVIDER_ID)
)
_ANSWER: Final = ANSWER.returning(IS_CURRENT)
# Only the first id counts: a later one may belong to another answer.
_NOTE_ID: Final = (
    update(attempt_t)
    .where(THIS_ATTEMPT, _a.state == "sent", _a.provider_id.is_(None))
    .values(provider_id=NEW_PROVIDER_ID)
)
_MARK_UNKNOWN: Final = (
    update(attempt_t).where(THIS_ATTEMPT, _a.state == "sent").values(provider_id=NEW_PROVIDER_ID)
)
_held = (_a.attempt_id, _a.hold_nano, _a.windows)
# An answered attempt is never released: its answer exists, and is charged.
_RELEASE: Final = (
    update(attempt_t).where(THIS_ATTEMPT, is_in("reserved", "sent", "unknown")).returning(*_held)
)
_RELEASE_UNUSED: Final = update(attempt_t).where(*UNUSED_RESERVATION).returning(*_held)


def _expired(state: AttemptState) -> Update:
    """Returns an update of at most `b_limit` attempts in `state` whose lease has ended."""
    condition = (_a.state == state, _a.lease_until < bindparam("b_now"))
    some = select(_a.attempt_id).where(*condition).limit(bindparam("b_limit"))
    return update(attempt_t).where(_a.attempt_id.in_(some), *condition)


_RELEASE_EXPIRED: Final = _expired("reserved").returning(*_held)
_MARK_EXPIRED_UNKNOWN: Final = _expired("sent")


def answer(tx: LedgerTransaction, response: AttemptResponse) -> bool:
    """Stores an answer as soon as it is complete. Returns whether the turn is still this worker's.

    False means that another worker has taken the turn over: the answer is charged, and must not be
    used.
    """
    values = {**answer_columns(tx, response), "state": "answered"}
    # No row: the answer was stored before.
    return tx.execute(_ANSWER, values).scalar() in (None, True)


def answer_columns(tx: LedgerTransaction, response: AttemptResponse) -> dict[str, object]:
    """Returns the parameters of `ANSWER` but for the state."""
    usage = response.usage
    return {
        "b_attempt": response.attempt_id,
        "b_provider_id": response.provider_id,
        "response": response.response,
        "usage": None if usage is None else usage.model_dump_json(exclude_none=True),
        "http_status": response.http_status,
        "answered_model": response.model,
        "service_tier": response.service_tier,
        "lease_until": tx.lease_until,
        "updated": tx.now,
    }


def note_id(tx: LedgerTransaction, attempt_id: str, provider_id: str) -> bool:
    """Stores the vendor's id of an answer that is still arriving. Returns whether it was stored.

    If the worker dies before the end, the sweep asks the vendor for the answer by this id.
    """
    which = {"b_attempt": attempt_id, "b_provider_id": provider_id}
    return tx.execute(_NOTE_ID, {**which, "updated": tx.now}).rowcount == 1


def mark_unknown(tx: LedgerTransaction, outcome: UnknownOutcome) -> bool:
    """Marks a sent attempt whose outcome nobody knows. Returns whether it was marked.

    Its money stays held until the outcome is found or the attempt is charged.
    """
    values: dict[str, object] = {"state": "unknown", "note": outcome.why, "updated": tx.now}
    if outcome.estimate is not None:
        values["usage"] = outcome.estimate.model_dump_json(exclude_none=True)
    which = {"b_attempt": outcome.attempt_id, "b_provider_id": outcome.provider_id}
    return tx.execute(_MARK_UNKNOWN, {**which, **values}).rowcount == 1


def release(tx: LedgerTransaction, released: Released) -> bool:
    """Closes an attempt that is not billed. Returns whether it was open."""
    return _release(tx, _RELEASE, {"b_attempt": released.attempt_id}, why=released.why) == 1


def drop_reservation(tx: LedgerTransaction, reservation: str, *, why: str) -> bool:
    """Releases money held for a call that will not use it. Returns whether it was still held."""
    return _release(tx, _RELEASE_UNUSED, {"b_reservation": reservation}, why=why) == 1


def expire(tx: LedgerTransaction, limit: int) -> tuple[int, int]:
    """Closes what dead workers left open, `limit` attempts of each kind at most.

    Returns how many reservations were released and how many sent attempts are now unknown.
    """
    which = {"b_now": tx.now, "b_limit": limit}
    values = {"state": "unknown", "note": "worker gone", "updated": tx.now}
    unknown = tx.execute(_MARK_EXPIRED_UNKNOWN, {**which, **values}).rowcount
    return _release(tx, _RELEASE_EXPIRED, which, why="never sent"), unknown


def _release(tx: LedgerTransaction, statement: Any, which: dict[str, Any], *, why: str) -> int:
    values = {
        "state": "released",
        "charge_nano": 0,
        "basis": "released",
        "note": why,
        "updated": tx.now,
    }
    rows = tx.execute(statement, {**values, **which}).all()
    # Most attempts count in no window, and cost no further statement.
    for row in rows:
        if row.windows:
            close_windows(tx.conn, row.attempt_id, held=row.hold_nano, charged=0)
    return len(rows)
