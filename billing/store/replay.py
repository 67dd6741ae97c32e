"""Replays a turn without paying again: a call that was answered before gets that answer, for free.

The answer is found by the turn, the call's position in it and the hash of the request's bytes. In
a graph inside another one the turn's id differs in every lineage; there the thread is compared
instead.
"""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import bindparam, select

from turngraph.billing.store.attempt_rows import columns_of
from turngraph.billing.store.calls import Call, StartedAttempt
from turngraph.billing.store.outcomes import drop_reservation
from turngraph.billing.store.schema import attempt_t, entry_t, is_in
from turngraph.billing.store.transaction import LedgerTransaction

__all__ = ["is_recorded", "replay"]

_a = attempt_t.c
_same_request = (
    _a.kind == bindparam("b_kind"),
    _a.call_seq == bindparam("b_seq"),
    _a.request_sha == bindparam("b_sha"),
    _a.response.is_not(None),
    is_in("answered", "settled"),
)
_COPIED: Final = ("response", "http_status", "answered_model", "service_tier")
_newest = (
    select(_a.attempt_id, *(_a[name] for name in _COPIED))
    .where(*_same_request)
    .order_by(_a.created.desc())
    .limit(1)
)
_OF_TURN: Final = _newest.where(_a.turn_id == bindparam("b_turn"))
_OF_THREAD: Final = _newest.where(_a.thread_id == bindparam("b_thread"))
_BEGUN: Final = select(_a.attempt_id).where(_a.call_id == bindparam("b_call")).limit(1)


def is_recorded(tx: LedgerTransaction, call: Call, *, request_sha: str) -> bool:
    """Returns whether `replay` will find an answer, so that no money need be held."""
    return _recorded(tx, call, request_sha) is not None


def replay(
    tx: LedgerTransaction,
    call: Call,
    *,
    call_id: str,
    request_sha: str,
    reservation: str | None = None,
) -> StartedAttempt | None:
    """Returns the answer that this request had before, as a free attempt of its own; else `None`.

    `None` also for a call that has attempts already: it was begun, or replayed, before, and `begin`
    continues it. A `reservation` made for the call is released.
    """
    if tx.execute(_BEGUN, {"b_call": call_id}).first() is not None:
        return None
    recorded = _recorded(tx, call, request_sha)
    if recorded is None:
        return None
    # A free call holds no money.
    if reservation is not None:
        drop_reservation(tx, reservation, why="replayed")
    attempt_id = f"{call_id}.1"
    _insert_replayed(tx, call, call_id, attempt_id, request_sha, recorded)
    return StartedAttempt(attempt_id, 1, Decimal(0), reply=recorded.response)


def _insert_replayed(
    tx: LedgerTransaction,
    call: Call,
    call_id: str,
    attempt_id: str,
    request_sha: str,
    recorded: Any,
) -> None:
    row = {
        "attempt_id": attempt_id,
        "call_id": call_id,
        "attempt_no": 1,
        "request_sha": request_sha,
        "state": "settled",
        "basis": "replayed",
        "note": f"replayed from {recorded.attempt_id}",
        "hold_nano": 0,
        "charge_nano": 0,
        "owner": tx.owner,
        "lease_until": tx.now,
        "day": datetime.fromtimestamp(tx.now, UTC).date().isoformat(),
        "created": tx.now,
        "updated": tx.now,
        **{name: getattr(recorded, name) for name in _COPIED},
    }
    tx.conn.execute(attempt_t.insert(), {**columns_of(call), **row})
    entry: dict[str, Any] = {"attempt_id": attempt_id, "rev": 1, "kind": "charge"}
    tx.conn.execute(entry_t.insert(), {**entry, "amount_nano": 0, "at": tx.now, "note": None})


def _recorded(tx: LedgerTransaction, call: Call, request_sha: str) -> Any | None:
    if call.seq is None:
        return None
    turn, thread = call.attribution.turn, call.attribution.thread
    which = {"b_kind": call.kind, "b_seq": call.seq, "b_sha": request_sha}
    row = tx.execute(_OF_TURN, {**which, "b_turn": turn}).first()
    # In a graph inside another one, each lineage has its own turn id.
    if row is None and thread is not None:
        row = tx.execute(_OF_THREAD, {**which, "b_thread": thread}).first()
    return row
