"""A person's decision about an attempt: an invoice, a refund, a call that never arrived."""

from decimal import Decimal
from typing import Final

from sqlalchemy import select, update

from turngraph.billing.argument_kinds import amount_from, check_ledger_arguments
from turngraph.billing.errors import LedgerError
from turngraph.billing.store.attempt_rows import THIS_ATTEMPT
from turngraph.billing.store.calls import Settled, Settlement
from turngraph.billing.store.schema import attempt_t
from turngraph.billing.store.settlement import correct_closed, settle
from turngraph.billing.store.transaction import LedgerTransaction
from turngraph.state.result import Charge
from turngraph.state.usage import Usage

__all__ = ["correct"]

_FIND: Final = select(attempt_t).where(THIS_ATTEMPT)
_NOTE: Final = update(attempt_t).where(THIS_ATTEMPT)


def correct(tx: LedgerTransaction, attempt_id: str, usd: Decimal | str, *, note: str) -> Settled:
    """Makes `usd` the net charge of an attempt; zero for one that was never served.

    An attempt of unknown outcome is closed with this amount; a closed one gets a further entry.
    Raises `LedgerError` for a negative amount, an attempt that a worker may still be using, or an
    id that is not in this ledger.
    """
    check_ledger_arguments(attempt_id=attempt_id, note=note)
    usd = amount_from(usd)
    if usd < 0:
        raise LedgerError(
            f"An attempt cannot cost {usd:f} USD; for a refund, give the lower amount that remains."
        )
    row = next((each._mapping for each in tx.rows(_FIND, {"b_attempt": attempt_id})), None)
    if row is None or row["state"] != "unknown":
        return correct_closed(tx, attempt_id, usd, note=note)
    # `settle` has no note of its own.
    tx.conn.execute(_NOTE, {"b_attempt": attempt_id, "note": note})
    charge = Charge(
        id=attempt_id,
        kind=row["kind"],
        attempt_id=attempt_id,
        vendor=row["vendor"],
        model=row["model"],
        usage=None if row["usage"] is None else Usage.model_validate_json(row["usage"]),
        amount_usd=usd,
        account=row["account"],
        plugin=row["plugin"],
        tool=row["tool"],
    )
    return settle(tx, Settlement(charge=charge, basis="manual"))
