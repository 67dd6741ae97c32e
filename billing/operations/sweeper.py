"""What dead workers left open: released, found out, or charged by policy. The same code that bills,
bills here.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final, Literal

from sqlalchemy import and_, bindparam, or_, select

from turngraph.billing.ledger import Ledger
from turngraph.billing.pricing.charges import charge_for
from turngraph.billing.pricing.money import from_nano
from turngraph.billing.pricing.prices import Prices
from turngraph.billing.store.attempts import expire, release
from turngraph.billing.store.calls import Released, Settlement
from turngraph.billing.store.schema import attempt_t
from turngraph.billing.store.settlement import settle
from turngraph.billing.store.transaction import Tx
from turngraph.state.base import Frozen
from turngraph.state.result import Charge
from turngraph.state.usage import Usage

__all__ = [
    "Lookup",
    "Outcome",
    "Outstanding",
    "Policy",
    "ProviderRecord",
    "Swept",
    "guessed",
    "outstanding",
    "resolve",
    "sweep",
]

Policy = Literal["estimate", "max", "manual"]
"""An attempt nobody can find out about is charged what was seen of it, or what was held; or left
for a person.
"""


class Outstanding(Frozen):
    """An attempt whose outcome is open, whose charge is, or whose charge is a guess (`settled`)."""

    attempt_id: str
    state: Literal["answered", "unknown", "settled"]
    kind: Literal["completion", "plugin", "tool"]
    account: str
    vendor: str
    model: str
    base_url: str | None
    stored: Literal["chat", "responses"] | None
    """Where the vendor keeps the answer."""
    answered_model: str | None
    service_tier: str | None
    tool: str | None
    provider_id: str | None
    usage: Usage | None
    """As reported for an answer; as far as it was seen otherwise."""
    held_usd: Decimal
    created: float


class ProviderRecord(Frozen):
    """What the vendor says about an attempt. No usage: the vendor has it, but does not say what it
    used.
    """

    usage: Usage | None
    response: str | None = None
    """The answer as JSON text, for a turn that is resumed."""
    provider_id: str | None = None
    model: str | None = None
    """The model that answered."""
    service_tier: str | None = None


Outcome = ProviderRecord | Literal["absent", "failed", "pending"] | None
"""ProviderRecord; certainly absent (never arrived), or failed unbilled; still being made; or
`None`, the vendor cannot tell.
"""

Lookup = Callable[[Outstanding], Outcome]
"""Asks the vendor what became of an attempt."""

_FREE: Final = {
    "absent": "the vendor has no such request",
    "failed": "the vendor says that it failed",
}
_LOOK_BACK_S: Final = 86_400.0


@dataclass(frozen=True)
class Swept:
    """What a sweep did: counts of attempts."""

    released: int = 0
    unknown: int = 0
    settled: int = 0
    left: int = 0
    """Still unknown: for a person, or for a later sweep."""
    corrected: int = 0
    """Charged by a guess before, and now by what the vendor says."""


_a = attempt_t.c
_over = _a.lease_until < bindparam("b_now")
_OUTSTANDING: Final = (
    select(attempt_t)
    .where(
        or_(_a.state == "unknown", and_(_a.state == "answered", _over)),
        _a.updated <= bindparam("b_before"),
    )
    .order_by(_a.updated, _a.attempt_id)
    .limit(bindparam("b_limit"))
)
_GUESSED: Final = (
    select(attempt_t)
    .where(
        _a.state == "settled",
        _a.estimated,
        _a.stored.is_not(None),
        _a.created >= bindparam("b_since"),
    )
    .order_by(_a.created, _a.attempt_id)
    .limit(bindparam("b_limit"))
)


def outstanding(tx: Tx, *, quiet_s: float = 0.0, limit: int = 1000) -> tuple[Outstanding, ...]:
    """Attempts that are unknown, or answered by a worker that is gone, and unchanged for `quiet_s`
    seconds.
    """
    which = {"b_now": tx.now, "b_before": tx.now - quiet_s, "b_limit": limit}
    return tuple(_outstanding(row) for row in tx.conn.execute(_OUTSTANDING, which).mappings())


def guessed(tx: Tx, *, since: float, limit: int = 1000) -> tuple[Outstanding, ...]:
    """Attempts begun after `since` that were charged by a guess, and of which the vendor may know
    more.
    """
    which = {"b_since": since, "b_limit": limit}
    return tuple(_outstanding(row) for row in tx.conn.execute(_GUESSED, which).mappings())


def _outstanding(row: Any) -> Outstanding:
    told = {name: row[name] for name in Outstanding.model_fields if name in row and name != "usage"}
    usage = None if row["usage"] is None else Usage.model_validate_json(row["usage"])
    return Outstanding(**told, usage=usage, held_usd=from_nano(row["hold_nano"]))


def sweep(
    ledger: Ledger,
    prices: Prices,
    *,
    lookup: Lookup | None = None,
    policy: Policy = "estimate",
    quiet_s: float = 0.0,
    look_back_s: float = _LOOK_BACK_S,
    limit: int = 1000,
) -> Swept:
    """Close what workers left open whose lease is over. Safe to run anywhere, any time, by many at
    once.

    `quiet_s` is how long a late answer is waited for before an unknown attempt is looked up, or
    charged by `policy`. With a `lookup`, charges of the last `look_back_s` seconds that were
    guesses are made good where the vendor knows.
    """
    released, unknown = ledger.do(expire, limit)
    settled = left = 0
    for attempt in ledger.do(outstanding, quiet_s=quiet_s, limit=limit):
        known = attempt.state == "answered" and attempt.usage is not None
        found = None if known or lookup is None else lookup(attempt)
        decided = resolve(attempt, found, prices, policy)
        if isinstance(decided, Settlement):
            settled += ledger.do(settle, decided).first
        elif isinstance(decided, Released):
            released += ledger.do(release, decided)
        else:
            left += 1
    corrected = (
        0 if lookup is None else _correct(ledger, prices, lookup, ledger.now() - look_back_s, limit)
    )
    return Swept(released, unknown, settled, left, corrected)


def _correct(ledger: Ledger, prices: Prices, lookup: Lookup, since: float, limit: int) -> int:
    corrected = 0
    for attempt in ledger.read(guessed, since=since, limit=limit):
        decided = resolve(attempt, lookup(attempt), prices, "manual")
        if isinstance(decided, Settlement):
            ledger.do(settle, decided)
            corrected += 1
    return corrected


def resolve(
    attempt: Outstanding, found: Outcome, prices: Prices, policy: Policy
) -> Settlement | Released | None:
    """What to do about one attempt; `None` is nothing, yet."""
    if found == "pending":
        return None
    if isinstance(found, ProviderRecord) and (
        found.usage is not None or attempt.state == "unknown"
    ):
        return _reconciled(attempt, found, prices)
    if attempt.state == "answered":
        return Settlement(charge=_priced(attempt, attempt.usage, prices))
    if attempt.state == "settled":
        return None
    if found == "absent" or found == "failed":
        return Released(attempt_id=attempt.attempt_id, why=_FREE[found])
    return _by_policy(attempt, prices, policy)


def _reconciled(attempt: Outstanding, found: ProviderRecord, prices: Prices) -> Settlement:
    told = {"answered_model": found.model, "service_tier": found.service_tier}
    known = attempt.model_copy(
        update={name: value for name, value in told.items() if value is not None}
    )
    return Settlement(
        charge=_priced(known, found.usage, prices),
        basis="reconciled",
        response=found.response,
        provider_id=found.provider_id,
    )


def _by_policy(attempt: Outstanding, prices: Prices, policy: Policy) -> Settlement | None:
    if policy == "manual":
        return None
    seen = attempt.usage if policy == "estimate" else None
    if seen is None:
        return Settlement(charge=_at_most(attempt), basis="max")
    charge = _priced(attempt, seen, prices).model_copy(update={"estimated": True})
    return Settlement(charge=charge, basis="estimated")


def _priced(attempt: Outstanding, usage: Usage | None, prices: Prices) -> Charge:
    """At the price of the time it was made; without usage, at what was held."""
    if usage is None or attempt.kind != "completion":
        return _at_most(attempt)
    charge = charge_for(
        prices,
        attempt_id=attempt.attempt_id,
        vendor=attempt.vendor,
        model=attempt.answered_model or attempt.model,
        asked_model=attempt.model,
        base_url=attempt.base_url,
        service_tier=attempt.service_tier,
        at=datetime.fromtimestamp(attempt.created, UTC),
        usage=usage,
        held_usd=attempt.held_usd,
        account=attempt.account,
    )
    assert charge is not None, "an attempt with usage has a charge"
    return charge


def _at_most(attempt: Outstanding) -> Charge:
    """The hold: the worst case of a call with a price, and nothing for one without, which is then
    marked.
    """
    held = attempt.held_usd if attempt.held_usd > 0 else None
    return Charge(
        id=attempt.attempt_id,
        kind=attempt.kind,
        attempt_id=attempt.attempt_id,
        vendor=attempt.vendor,
        model=attempt.model,
        amount_usd=held,
        unpriced=held is None,
        estimated=True,
        account=attempt.account,
        tool=attempt.tool,
    )
