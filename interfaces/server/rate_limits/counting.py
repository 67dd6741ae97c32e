"""Counts requests and tokens in the database. Whether there is room, and the count, are one UPDATE,
so that no other process comes between.
"""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import Update, bindparam, case, select, update

from turngraph.billing.store.transaction import LedgerTransaction
from turngraph.interfaces.server.rate_limits.limits import Limit
from turngraph.interfaces.server.tables import rate_t

__all__ = ["MINUTE_S", "Count", "LimitReached", "correct_tokens", "count"]

MINUTE_S: Final = 60
AHEAD: Final = 2
"""How many minutes the clocks of two machines may differ."""

_r = rate_t.c
_this = (
    _r.per == bindparam("b_per"),
    _r.name == bindparam("b_name"),
    _r.unit == bindparam("b_unit"),
)
# Another machine's clock may be a little ahead. Then its minute counts, which this process will
# reach soon. A minute that is far ahead is of a clock that was wrong and was set back since:
# waiting for it, an account would be refused for as long as the clock was wrong.
_is_over = (_r.minute < bindparam("b_minute")) | (_r.minute > bindparam("b_minute") + AHEAD)
_COUNT: Final = (
    update(rate_t)
    .where(*_this, _is_over | (_r.used + bindparam("b_amount") <= bindparam("b_limit")))
    .values(
        used=case((_is_over, 0), else_=_r.used) + bindparam("b_amount"),
        minute=case((_is_over, bindparam("b_minute")), else_=_r.minute),
    )
)
_ADD: Final = update(rate_t).where(*_this).values(used=_r.used + bindparam("b_amount"))
_USED: Final = select(_r.used, _r.minute).where(*_this)


class Count(NamedTuple):
    """What one limit has counted in a minute, with the request that was just counted."""

    limit: Limit
    used: int
    minute: int
    """The number of the minute, counted from the epoch."""


class LimitReached(Exception):  # noqa: N818  an outcome, which the rate limiter answers with
    """A limit has no room for a request, and nothing was counted."""

    def __init__(self, count: Count, amount: int) -> None:
        self.count, self.amount = count, amount
        super().__init__(count)


def count(tx: LedgerTransaction, limits: Sequence[Limit], tokens: int) -> tuple[Count, ...]:
    """Counts one request of `tokens` tokens against every limit, or against none.

    Raises LimitReached for the first one without room.
    """
    minute = int(tx.now // MINUTE_S)
    return tuple(
        _count_one(tx, limit, tokens if limit.unit == "tokens" else 1, minute) for limit in limits
    )


def _count_one(tx: LedgerTransaction, limit: Limit, amount: int, minute: int) -> Count:
    if amount > limit.a_minute:
        raise LimitReached(Count(limit, 0, minute), amount)
    values = {"b_amount": amount, "b_limit": limit.a_minute, "b_minute": minute}
    counted = tx.conn.execute(_COUNT, {**_key(limit), **values}).rowcount == 1
    row = tx.conn.execute(_USED, _key(limit)).first()
    if row is None:
        # Two processes may both come here. One of them then breaks the primary key, and its
        # transaction is tried again.
        new = {"per": limit.per, "name": limit.name, "unit": limit.unit}
        tx.conn.execute(rate_t.insert(), {**new, "used": amount, "minute": minute})
        return Count(limit, amount, minute)
    if not counted:
        raise LimitReached(Count(limit, row.used, row.minute), amount)
    return Count(limit, row.used, row.minute)


def correct_tokens(tx: LedgerTransaction, counts: Sequence[Count], difference: int) -> None:
    """Adds `difference` to what was counted as tokens, when it is known how many were used.

    More than was thought counts in the minute in which it is known; less is given back only to the
    minute that it was taken from.
    """
    for counted in counts:
        if counted.limit.unit == "tokens" and difference:
            values = {**_key(counted.limit), "b_amount": difference}
            tx.conn.execute(_addition(counted.minute if difference < 0 else None), values)


def _addition(minute: int | None) -> Update:
    return _ADD if minute is None else _ADD.where(_r.minute == minute)


def _key(limit: Limit) -> dict[str, Any]:
    return {"b_per": limit.per, "b_name": limit.name, "b_unit": limit.unit}
