"""Answers do not stay in the ledger for ever: amounts and usage do."""

from datetime import datetime
from typing import Final

from sqlalchemy import bindparam, or_, select, update

from turngraph.billing.store.schema import attempt_t, turn_t
from turngraph.billing.store.transaction import Tx

__all__ = ["forget_answers"]

_a, _t = attempt_t.c, turn_t.c
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


def forget_answers(tx: Tx, before: datetime, *, limit: int = 1000) -> int:
    """Drop the kept answers of calls and tools that were closed before `before`, of turns that are
    over.

    They are kept for a turn that is resumed after a crash, and for a replay from an earlier
    checkpoint; neither finds them any more: a replay then asks again, and pays. Returns how many
    were dropped, `limit` at most: call it again until it says 0. Answers stand in the database as
    plain text; where they must not, use a database or disk that encrypts, and forget them soon.

        >>> from datetime import UTC, timedelta
        >>> from turngraph.billing import Ledger
        >>> with Ledger("sqlite://") as ledger:
        ...     ledger.do(forget_answers, datetime.now(UTC) - timedelta(days=7))
        0
    """
    return tx.conn.execute(_FORGET, {"b_before": before.timestamp(), "b_limit": limit}).rowcount
