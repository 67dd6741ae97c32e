"""Proof that the ledger's sums agree: every amount is in an entry, every hold belongs to an open
attempt.
"""

from typing import Any, Final

from sqlalchemy import and_, case, func, or_, select

from turngraph.billing.store.schema import OPEN, attempt_t, entry_t, hold_t, window_t
from turngraph.billing.store.transaction import Tx

__all__ = ["verify"]

_a, _e, _h, _w = attempt_t.c, entry_t.c, hold_t.c, window_t.c

_first = select(_e.attempt_id, _e.amount_nano).where(_e.rev == 1).subquery()
_AMOUNTS: Final = (
    select(_a.attempt_id, _a.state, _a.charge_nano, _first.c.amount_nano)
    .join(_first, _first.c.attempt_id == _a.attempt_id, isouter=True)
    .where(
        or_(
            and_(
                _a.state == "settled",
                or_(_first.c.amount_nano.is_(None), _first.c.amount_nano != _a.charge_nano),
            ),
            and_(_a.state.in_(OPEN), _first.c.amount_nano.is_not(None)),
        )
    )
    .order_by(_a.attempt_id)
)
_ORPHANS: Final = (
    select(_e.attempt_id)
    .join(attempt_t, _a.attempt_id == _e.attempt_id, isouter=True)
    .where(_a.attempt_id.is_(None))
    .order_by(_e.attempt_id)
)
_net = (
    select(_e.attempt_id, func.sum(_e.amount_nano).label("net")).group_by(_e.attempt_id).subquery()
)
_settled = func.coalesce(func.sum(_net.c.net), 0)
_held = func.coalesce(func.sum(case((_a.state.in_(OPEN), _a.hold_nano), else_=0)), 0)
_WINDOWS: Final = (
    select(
        _w.budget_id,
        _w.window,
        _w.settled_nano,
        _w.held_nano,
        _settled.label("settled"),
        _held.label("held"),
    )
    .join(hold_t, and_(_h.budget_id == _w.budget_id, _h.window == _w.window), isouter=True)
    .join(attempt_t, _a.attempt_id == _h.attempt_id, isouter=True)
    .join(_net, _net.c.attempt_id == _h.attempt_id, isouter=True)
    .group_by(_w.budget_id, _w.window, _w.settled_nano, _w.held_nano)
    .having(or_(_w.settled_nano != _settled, _w.held_nano != _held))
    .order_by(_w.budget_id, _w.window)
)


def verify(tx: Tx) -> list[str]:
    """What does not add up, a sentence each; empty when all does."""
    return [
        *(_amount(row) for row in tx.conn.execute(_AMOUNTS)),
        *(
            f"Entry of `{row.attempt_id}`, which is no attempt."
            for row in tx.conn.execute(_ORPHANS)
        ),
        *(_window(row) for row in tx.conn.execute(_WINDOWS)),
    ]


def _amount(row: Any) -> str:
    return f"Attempt `{row.attempt_id}` is {row.state} at {row.charge_nano}, its first entry is {row.amount_nano}."


def _window(row: Any) -> str:
    return (
        f"Budget `{row.budget_id}` ({row.window}) says {row.settled_nano} settled and {row.held_nano} held; "
        f"its attempts add up to {row.settled} and {row.held} nano-dollars."
    )
