"""Closes what dead workers left open: released, looked up at the vendor, or charged by policy."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final, Literal

from sqlalchemy import RowMapping, and_, bindparam, or_, select

from turngraph.billing.argument_kinds import check_ledger_arguments
from turngraph.billing.operations.results import Policy, Swept
from turngraph.billing.pricing.charges import charge_for
from turngraph.billing.pricing.money import from_nano
from turngraph.billing.pricing.price_key import PriceKey
from turngraph.billing.pricing.prices import Prices
from turngraph.billing.store.calls import Released, Settlement
from turngraph.billing.store.ledger_store import LedgerStore
from turngraph.billing.store.outcomes import expire, release
from turngraph.billing.store.schema import attempt_t
from turngraph.billing.store.settlement import settle
from turngraph.billing.store.states import CallKind
from turngraph.billing.store.transaction import LedgerTransaction
from turngraph.state.base import Frozen
from turngraph.state.request import Api
from turngraph.state.result import Charge
from turngraph.state.usage import Usage

__all__ = [
    "Lookup",
    "Outcome",
    "Outstanding",
    "ProviderRecord",
    "guessed",
    "outstanding",
    "resolve",
    "sweep",
]


class Outstanding(Frozen):
    """An attempt whose outcome is unknown, or that is not charged yet, or whose charge is a guess
    (then its state is `settled`).
    """

    attempt_id: str
    state: Literal["answered", "unknown", "settled"]
    kind: CallKind
    account: str
    vendor: str
    model: str
    base_url: str | None
    stored: Api | None
    """The API under which the vendor stores the answer; `None` where it stores none."""
    answered_model: str | None
    service_tier: str | None
    tool: str | None
    provider_id: str | None
    usage: Usage | None
    """The usage of an answer; otherwise the tokens that were seen before the end."""
    held_usd: Decimal
    created: float
    """Seconds since the epoch."""


class ProviderRecord(Frozen):
    """What the vendor knows about an attempt. A `usage` of `None`: it stores the answer, and does
    not say what it used.
    """

    usage: Usage | None
    response: str | None = None
    """The answer as JSON text, for a turn that is resumed."""
    provider_id: str | None = None
    model: str | None = None
    """The model that answered."""
    service_tier: str | None = None


Outcome = ProviderRecord | Literal["absent", "failed", "pending"] | None
"""What a lookup returns: the vendor's record; `absent` (the request never arrived); `failed` (not
billed); `pending` (still being answered); or `None`, the vendor cannot say.
"""

Lookup = Callable[[Outstanding], Outcome]
"""Asks the vendor what became of an attempt."""

_RELEASE_REASONS: Final[Mapping[str, str]] = {
    "absent": "the vendor has no such request",
    "failed": "the vendor says that it failed",
}
_LOOK_BACK_S: Final = 86_400.0

_a = attempt_t.c
_lease_ended = _a.lease_until < bindparam("b_now")
# Unknown attempts need no lease check: their worker is gone, or gave them up.
_OUTSTANDING: Final = (
    select(attempt_t)
    .where(
        or_(_a.state == "unknown", and_(_a.state == "answered", _lease_ended)),
        _a.updated <= bindparam("b_before"),
    )
    .order_by(_a.updated, _a.attempt_id)
    .limit(bindparam("b_limit"))
)
# Only of answers that the vendor stores (`stored`) can it say more than it did.
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


def outstanding(
    tx: LedgerTransaction, *, quiet_s: float = 0.0, limit: int = 1000
) -> tuple[Outstanding, ...]:
    """Returns attempts that are unknown, or answered by a worker that is gone, and unchanged for
    `quiet_s` seconds.
    """
    check_ledger_arguments(quiet_s=quiet_s, limit=limit)
    which = {"b_now": tx.now, "b_before": tx.now - quiet_s, "b_limit": limit}
    return tuple(_outstanding_from(row._mapping) for row in tx.rows(_OUTSTANDING, which))


def guessed(tx: LedgerTransaction, *, since: float, limit: int = 1000) -> tuple[Outstanding, ...]:
    """Returns attempts begun after `since` (seconds since the epoch) that were charged by a guess,
    and of which the vendor may know more.
    """
    which = {"b_since": since, "b_limit": limit}
    return tuple(_outstanding_from(row._mapping) for row in tx.rows(_GUESSED, which))


def _outstanding_from(row: RowMapping) -> Outstanding:
    same = {name: row[name] for name in Outstanding.model_fields if name in row and name != "usage"}
    usage = None if row["usage"] is None else Usage.model_validate_json(row["usage"])
    return Outstanding(**same, usage=usage, held_usd=from_nano(row["hold_nano"]))


def sweep(
    store: LedgerStore,
    prices: Prices,
    *,
    lookup: Lookup | None = None,
    policy: Policy = "estimate",
    quiet_s: float = 0.0,
    look_back_s: float = _LOOK_BACK_S,
    limit: int = 1000,
) -> Swept:
    """Closes what workers left open and whose lease has ended.

    It may run anywhere, at any time, several times at once.

    Args:
        store: the ledger's database.
        prices: what answers are charged at.
        lookup: asks the vendor first. It also corrects recent charges that were guesses.
        policy: how to charge what nobody can find out about.
        quiet_s: how many seconds an unknown attempt must be unchanged before it is decided: its
            answer may be late.
        look_back_s: how many seconds back guesses are looked up.
        limit: the highest number of attempts of each kind.
    """
    check_ledger_arguments(
        prices=prices, policy=policy, quiet_s=quiet_s, look_back_s=look_back_s, limit=limit
    )
    # Each step is a transaction of its own: a lookup may take seconds, and locks nothing.
    released, unknown = store.run(expire, limit)
    settled = left = 0
    for attempt in store.run(outstanding, quiet_s=quiet_s, limit=limit):
        is_known = attempt.state == "answered" and attempt.usage is not None
        outcome = None if is_known or lookup is None else lookup(attempt)
        decision = resolve(attempt, outcome, prices, policy)
        if isinstance(decision, Settlement):
            settled += store.run(settle, decision).first
        elif isinstance(decision, Released):
            released += store.run(release, decision)
        else:
            left += 1
    corrected = 0
    if lookup is not None:
        corrected = _correct_guesses(store, prices, lookup, store.now() - look_back_s, limit)
    return Swept(released, unknown, settled, left, corrected)


def _correct_guesses(
    store: LedgerStore, prices: Prices, lookup: Lookup, since: float, limit: int
) -> int:
    corrected = 0
    for attempt in store.read(guessed, since=since, limit=limit):
        # By no policy: only what the vendor says replaces a guess.
        decision = resolve(attempt, lookup(attempt), prices, "manual")
        if isinstance(decision, Settlement):
            store.run(settle, decision)
            corrected += 1
    return corrected


def resolve(
    attempt: Outstanding, outcome: Outcome, prices: Prices, policy: Policy
) -> Settlement | Released | None:
    """Returns what to do about one attempt; `None` means nothing for now."""
    # The order matters: what the vendor knows comes first, then what is stored here, then guesses.
    if outcome == "pending":
        return None
    if isinstance(outcome, ProviderRecord) and (
        outcome.usage is not None or attempt.state == "unknown"
    ):
        return _reconciled(attempt, outcome, prices)
    if attempt.state == "answered":
        return Settlement(charge=_charge(attempt, attempt.usage, prices))
    if attempt.state == "settled":
        return None
    if outcome == "absent" or outcome == "failed":
        return Released(attempt_id=attempt.attempt_id, why=_RELEASE_REASONS[outcome])
    return _by_policy(attempt, prices, policy)


def _reconciled(attempt: Outstanding, record: ProviderRecord, prices: Prices) -> Settlement:
    news = {"answered_model": record.model, "service_tier": record.service_tier}
    updated = attempt.model_copy(
        update={name: value for name, value in news.items() if value is not None}
    )
    return Settlement(
        charge=_charge(updated, record.usage, prices),
        basis="reconciled",
        response=record.response,
        provider_id=record.provider_id,
    )


def _by_policy(attempt: Outstanding, prices: Prices, policy: Policy) -> Settlement | None:
    if policy == "manual":
        return None
    seen = attempt.usage if policy == "estimate" else None
    if seen is None:
        return Settlement(charge=_charge_of_hold(attempt), basis="max")
    charge = _charge(attempt, seen, prices).model_copy(update={"estimated": True})
    return Settlement(charge=charge, basis="estimated")


def _charge(attempt: Outstanding, usage: Usage | None, prices: Prices) -> Charge:
    """Returns the charge at the price at the time of the call; without a usage, the hold."""
    if usage is None or attempt.kind != "completion":
        return _charge_of_hold(attempt)
    key = PriceKey(
        attempt.vendor,
        attempt.answered_model or attempt.model,
        at=datetime.fromtimestamp(attempt.created, UTC),
        base_url=attempt.base_url,
        service_tier=attempt.service_tier,
    )
    charge = charge_for(
        prices,
        key,
        attempt_id=attempt.attempt_id,
        asked_model=attempt.model,
        usage=usage,
        held_usd=attempt.held_usd,
        account=attempt.account,
    )
    assert charge is not None, "an attempt with usage has a charge"
    return charge


def _charge_of_hold(attempt: Outstanding) -> Charge:
    """Returns a charge of all that was held. A call without a price held nothing: it is marked as
    unpriced.
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
