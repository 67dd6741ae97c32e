"""Checks that the ledger's sums agree: every amount has its entry, every hold an open attempt."""

from typing import Any, Final

from sqlalchemy import and_, case, func, or_, select

from turngraph.billing.store.schema import attempt_t, entry_t, hold_t, window_t
from turngraph.billing.store.states import OPEN_STATES
from turngraph.billing.store.transaction import LedgerTransaction

__all__ = ["verify"]

_a, _e, _h, _w = attempt_t.c, entry_t.c, hold_t.c, window_t.c

# An attempt's `charge_nano` is its first entry; later entries only add to it.
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
            and_(_a.state.in_(OPEN_STATES), _first.c.amount_nano.is_not(None)),
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
# A correction adds entries after the attempt is closed, so a window is compared with the net sums.
_net = (
    select(_e.attempt_id, func.sum(_e.amount_nano).label("net")).group_by(_e.attempt_id).subquery()
)
_settled = func.coalesce(func.sum(_net.c.net), 0)
_held = func.coalesce(func.sum(case((_a.state.in_(OPEN_STATES), _a.hold_nano), else_=0)), 0)
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


def verify(tx: LedgerTransaction) -> list[str]:
    """Returns one sentence for each thing that does not add up; an empty list when all does."""
    return [
        *(_amount_problem(row) for row in tx.rows(_AMOUNTS)),
        *(
            f"An entry names attempt `{row.attempt_id}`, which does not exist."
            for row in tx.rows(_ORPHANS)
        ),
        *(_window_problem(row) for row in tx.rows(_WINDOWS)),
    ]


def _amount_problem(row: Any) -> str:
    return (
        f"Attempt `{row.attempt_id}` is {row.state} at {row.charge_nano} nano-dollars, and its "
        f"first entry is {row.amount_nano}."
    )


def _window_problem(row: Any) -> str:
    return (
        f"Budget `{row.budget_id}` ({row.window}) has {row.settled_nano} settled and "
        f"{row.held_nano} held; its attempts add up to {row.settled} and {row.held} nano-dollars."
    )
