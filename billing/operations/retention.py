"""Deletes stored answers after a while. Amounts and usage stay."""

from datetime import datetime
from typing import Final

from sqlalchemy import bindparam, or_, select, update

from turngraph.billing.store.schema import attempt_t, turn_t
from turngraph.billing.store.transaction import LedgerTransaction

__all__ = ["forget_answers"]

_a, _t = attempt_t.c, turn_t.c
# An unsettled answer is still needed for its charge, and a running turn may be resumed with it.
_OLD: Final = (
    select(_a.attempt_id)
    .join(turn_t, _t.turn_id == _a.turn_id, isouter=True)
    .where(
        _a.response.is_not(None),
        _a.state.in_(("settled", "released")),
        _a.updated < bindparam("b_before"),
        or_(_t.status.is_(None), _t.status != "running"),
    )
    .limit(bindparam("b_limit"))
)
_FORGET: Final = update(attempt_t).where(_a.attempt_id.in_(_OLD)).values(response=None)


def forget_answers(tx: LedgerTransaction, before: datetime, *, limit: int = 1000) -> int:
    """Deletes the stored answers of attempts that were closed before `before`, at most `limit`.

    Answers of running turns stay. Returns how many were deleted; repeat it until that is 0.
    """
    return tx.conn.execute(_FORGET, {"b_before": before.timestamp(), "b_limit": limit}).rowcount
