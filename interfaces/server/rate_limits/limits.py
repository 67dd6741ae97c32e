"""Which limits there are, and which of them apply to a caller: operations for `LedgerStore`."""

from typing import Final, Literal, NamedTuple

from sqlalchemy import select

from turngraph.billing.store.transaction import LedgerTransaction
from turngraph.interfaces.server.caller import Caller
from turngraph.interfaces.server.tables import limit_t
from turngraph.state.errors import TurnValueError

__all__ = ["Limit", "LimitedPer", "RateLimit", "Unit", "limits_of", "list_limits", "set_limit"]

LimitedPer = Literal["account", "api_key_id"]
Unit = Literal["requests", "tokens"]

EACH: Final = ""
"""The name under which the limit of each account or key stands that has no limit of its own."""


class RateLimit(NamedTuple):
    """What an account or a key may have in each minute of the clock; None is without limit."""

    per: LimitedPer
    name: str | None
    """The account, or the id of the key; None for each that has no limit of its own."""
    requests: int | None
    tokens: int | None


class Limit(NamedTuple):
    """One limit that applies to a caller, with the name that is counted."""

    per: LimitedPer
    name: str
    unit: Unit
    a_minute: int


def set_limit(tx: LedgerTransaction, limit: RateLimit) -> None:
    """Stores a limit in the place of the one with the same `per` and `name`.

    Without requests and tokens there is none any more. Raises TurnValueError for a limit below 1.
    """
    for unit in ("requests", "tokens"):
        value = getattr(limit, unit)
        if value is not None and value < 1:
            raise TurnValueError(f"A limit of {value} {unit} a minute is below 1.")
    name = EACH if limit.name is None else limit.name
    this = (limit_t.c.per == limit.per, limit_t.c.name == name)
    tx.conn.execute(limit_t.delete().where(*this))
    if limit.requests is not None or limit.tokens is not None:
        tx.conn.execute(limit_t.insert(), {**limit._asdict(), "name": name})


def list_limits(tx: LedgerTransaction) -> list[RateLimit]:
    """Returns all limits that are stored."""
    rows = tx.conn.execute(select(limit_t).order_by(limit_t.c.per, limit_t.c.name))
    return [RateLimit(row.per, row.name or None, row.requests, row.tokens) for row in rows]


def limits_of(tx: LedgerTransaction, caller: Caller) -> tuple[Limit, ...]:
    """Returns the limits that apply to a caller, always in the same order.

    All processes count in this order, so that no two of them wait for each other.
    """
    names: dict[LimitedPer, str | None] = {"account": caller.account, "api_key_id": caller.key_id}
    stored = {(limit.per, limit.name): limit for limit in list_limits(tx)}
    found: list[Limit] = []
    for per, name in names.items():
        limit = stored.get((per, name)) or stored.get((per, None))
        if name is None or limit is None:
            continue
        if limit.requests is not None:
            found.append(Limit(per, name, "requests", limit.requests))
        if limit.tokens is not None:
            found.append(Limit(per, name, "tokens", limit.tokens))
    return tuple(found)
