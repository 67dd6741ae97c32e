"""Walking a turn again without paying again: a call that was answered before gets that answer, at
no cost.

Found by the turn, the call's place in it and the very bytes of the request. In a graph inside
another the turn is a new one in every lineage; there the thread stands for it.
"""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import bindparam, select

from turngraph.billing.store.attempts import columns_of, drop_reservation
from turngraph.billing.store.calls import Call, StartedAttempt
from turngraph.billing.store.schema import attempt_t, entry_t, is_in
from turngraph.billing.store.transaction import Tx

__all__ = ["is_recorded", "replay"]

_a = attempt_t.c
_same = (
    _a.kind == bindparam("b_kind"),
    _a.call_seq == bindparam("b_seq"),
    _a.request_sha == bindparam("b_sha"),
    _a.response.is_not(None),
    is_in("answered", "settled"),
)
_KEPT: Final = ("response", "http_status", "answered_model", "service_tier")
_newest = (
    select(_a.attempt_id, *(_a[name] for name in _KEPT))
    .where(*_same)
    .order_by(_a.created.desc())
    .limit(1)
)
_OF_TURN: Final = _newest.where(_a.turn_id == bindparam("b_turn"))
_OF_THREAD: Final = _newest.where(_a.thread_id == bindparam("b_thread"))
_BEGUN: Final = select(_a.attempt_id).where(_a.call_id == bindparam("b_call")).limit(1)


def is_recorded(tx: Tx, call: Call, *, request_sha: str) -> bool:
    """Whether `replay` will find an answer, so that no money need be held."""
    return _recorded(tx, call, request_sha) is not None


def replay(
    tx: Tx, call: Call, *, call_id: str, request_sha: str, reservation: str | None = None
) -> StartedAttempt | None:
    """The answer this request had before, entered as a free attempt of its own; `None` where there
    is none to give.

    A call that has attempts already was begun in earnest, or replayed before: `begin` goes on with
    it.
    """
    if tx.conn.execute(_BEGUN, {"b_call": call_id}).first() is not None:
        return None
    found = _recorded(tx, call, request_sha)
    if found is None:
        return None
    if reservation is not None:
        drop_reservation(tx, reservation, why="replayed")
    attempt_id = f"{call_id}.1"
    kept = {name: found[name] for name in _KEPT}
    row = {
        "attempt_id": attempt_id,
        "call_id": call_id,
        "attempt_no": 1,
        "request_sha": request_sha,
        "state": "settled",
        "basis": "replayed",
        "note": f"replayed from {found['attempt_id']}",
        "hold_nano": 0,
        "charge_nano": 0,
        "owner": tx.owner,
        "lease_until": tx.now,
        "day": datetime.fromtimestamp(tx.now, UTC).date().isoformat(),
        "created": tx.now,
        "updated": tx.now,
    }
    tx.conn.execute(attempt_t.insert(), {**columns_of(call), **kept, **row})
    entry = {
        "attempt_id": attempt_id,
        "rev": 1,
        "kind": "charge",
        "amount_nano": 0,
        "at": tx.now,
        "note": None,
    }
    tx.conn.execute(entry_t.insert(), entry)
    return StartedAttempt(attempt_id, 1, Decimal(0), reply=found["response"])


def _recorded(tx: Tx, call: Call, request_sha: str) -> Any | None:
    which = {"b_kind": call.kind, "b_seq": call.seq, "b_sha": request_sha}
    attribution = call.attribution
    if call.seq is None:
        return None
    found = tx.conn.execute(_OF_TURN, {**which, "b_turn": attribution.turn}).mappings().first()
    if found is None and attribution.thread is not None:
        found = (
            tx.conn.execute(_OF_THREAD, {**which, "b_thread": attribution.thread})
            .mappings()
            .first()
        )
    return found
