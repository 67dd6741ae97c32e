"""What a person found out about an attempt: an invoice, a refund, a call that never arrived."""

from decimal import Decimal
from typing import Final

from sqlalchemy import bindparam, select, update

from turngraph.billing.errors import LedgerError
from turngraph.billing.store.calls import Settled, Settlement
from turngraph.billing.store.schema import attempt_t
from turngraph.billing.store.settlement import correct, settle
from turngraph.billing.store.transaction import Tx
from turngraph.state.result import Charge
from turngraph.state.usage import Usage

__all__ = ["decide"]

_this = attempt_t.c.attempt_id == bindparam("b_attempt")
_FIND: Final = select(attempt_t).where(_this)
_NOTE: Final = update(attempt_t).where(_this)


def decide(tx: Tx, attempt_id: str, usd: Decimal, *, note: str) -> Settled:
    """Let an attempt have cost `usd`: an unknown one is closed with it, a closed one corrected by a
    further entry.

    Zero for one that was never served. Raises `LedgerError` for an attempt that a worker may still
    be at, a negative amount, or an id this ledger has not seen.
    """
    if usd < 0:
        raise LedgerError(
            f"An attempt costs nothing or more, not {usd:f} USD; a refund is the lower amount."
        )
    row = tx.conn.execute(_FIND, {"b_attempt": attempt_id}).mappings().first()
    if row is None or row["state"] != "unknown":
        return correct(tx, attempt_id, usd, note=note)
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
