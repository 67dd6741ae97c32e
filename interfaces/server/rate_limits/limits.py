"""Which limits there are, and which of them apply to a caller: operations for `LedgerStore`."""

from collections.abc import Collection, Mapping
from typing import Final, Literal, NamedTuple

from sqlalchemy import select, tuple_

from turngraph.billing.store.transaction import LedgerTransaction
from turngraph.interfaces.server.caller import Caller
from turngraph.interfaces.server.tables import limit_t
from turngraph.state.errors import TurnValueError

__all__ = [
    "Limit",
    "LimitedName",
    "LimitedPer",
    "RateLimit",
    "Unit",
    "find_limits",
    "limits_of",
    "list_limits",
    "names_for",
    "set_limit",
]

LimitedPer = Literal["account", "api_key_id"]
LimitedName = tuple[LimitedPer, str]
"""An account, or the id of a key; or `EACH`, of either."""
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


def find_limits(
    tx: LedgerTransaction, names: Collection[LimitedName]
) -> dict[LimitedName, RateLimit]:
    """Returns those of the limits with these names that are stored."""
    named = tuple_(limit_t.c.per, limit_t.c.name).in_(names)
    rows = tx.conn.execute(select(limit_t).where(named))
    return {
        (row.per, row.name): RateLimit(row.per, row.name or None, row.requests, row.tokens)
        for row in rows
    }


def names_for(caller: Caller) -> tuple[LimitedName, ...]:
    """Returns the names under which limits of a caller may be stored.

    >>> names_for(Caller("acme", None, frozenset()))
    (('account', 'acme'), ('account', ''))
    """
    return tuple((per, each) for per, name in _limited(caller) for each in (name, EACH))


def limits_of(caller: Caller, stored: Mapping[LimitedName, RateLimit | None]) -> tuple[Limit, ...]:
    """Returns the limits that apply to a caller, always in the same order.

    All processes count in this order, so that no two of them wait for each other.
    """
    found: list[Limit] = []
    for per, name in _limited(caller):
        limit = stored.get((per, name)) or stored.get((per, EACH))
        if limit is None:
            continue
        if limit.requests is not None:
            found.append(Limit(per, name, "requests", limit.requests))
        if limit.tokens is not None:
            found.append(Limit(per, name, "tokens", limit.tokens))
    return tuple(found)


def _limited(caller: Caller) -> list[LimitedName]:
    own: list[LimitedName] = [("account", caller.account)]
    return own if caller.key_id is None else [*own, ("api_key_id", caller.key_id)]
