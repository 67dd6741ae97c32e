"""The life of an attempt, and its beginning: `reserve` holds the money, `begin` marks it as sent.

    reserved --begin--> sent --answer--> answered --settle--> settled
       |                 |  \\--release (refused, never billed)--> released
       |                 \\--mark_unknown (cut, crashed)--> unknown --settle, release--> ...
       \\--release (never sent)--> released

`outcomes` and `settlement` hold the later steps. Each operation is one transaction and may be
repeated: the second time changes nothing.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import bindparam, exists, select, update

from turngraph.billing.budget import Budget, Window
from turngraph.billing.errors import FencedError, UncappedError
from turngraph.billing.leases.leases import open_turn
from turngraph.billing.pricing.money import from_nano, to_nano
from turngraph.billing.store.attempt_rows import UNUSED_RESERVATION, columns_of
from turngraph.billing.store.budgets import hold_nano_for, hold_windows, windows_for
from turngraph.billing.store.calls import Call, Reservation, StartedAttempt, UnknownOutcome
from turngraph.billing.store.outcomes import drop_reservation, mark_unknown
from turngraph.billing.store.schema import attempt_t, budget_t, hold_t, turn_t
from turngraph.billing.store.transaction import LedgerTransaction

__all__ = ["begin", "reserve"]

_a, _t = attempt_t.c, turn_t.c

_INSERT: Final = attempt_t.insert()
_RESERVED: Final = select(_a.hold_nano).where(_a.reservation == bindparam("b_reservation"))
_RENEW: Final = update(attempt_t).where(*UNUSED_RESERVATION)
_CLAIM: Final = _RENEW.where(_a.hold_nano >= bindparam("b_nano")).returning(
    _a.hold_nano, _a.windows
)
_MOVE_HOLDS: Final = update(hold_t).where(hold_t.c.attempt_id == bindparam("b_attempt"))
_TURN: Final = select(_t.fence).where(_t.turn_id == bindparam("b_turn"))
# The row is locked, so that two workers of one turn begin one after the other. What is seen beside
# it may be older than the lock; then the insert meets the other worker's row and is refused, and
# the transaction is tried again.
_LOCK_TURN: Final = (
    select(
        _t.fence,
        exists(select(_a.attempt_id).where(_a.call_id == bindparam("b_call"))).label("was_begun"),
        exists(select(budget_t.c.name)).label("has_budgets"),
    )
    .where(_t.turn_id == bindparam("b_turn"))
    .with_for_update(of=turn_t)
)
# Locked as well: a slow worker may be storing its answer, which is then waited for and used.
_EARLIER: Final = (
    select(
        _a.attempt_id, _a.attempt_no, _a.nonce, _a.state, _a.request_sha, _a.response, _a.hold_nano
    )
    .where(_a.call_id == bindparam("b_call"))
    .order_by(_a.attempt_no)
    .with_for_update()
)


def reserve(
    tx: LedgerTransaction,
    call: Call,
    *,
    reservation: str,
    usd: Decimal | None,
    budgets: Sequence[Budget] = (),
    closing: bool = False,
    capped: bool = True,
    fence: int | None = None,
) -> Reservation:
    """Holds the most that `call` can cost, before the call is prepared.

    Args:
        tx: the transaction.
        call: what is about to be called.
        reservation: the caller's id of this reservation, the same when a killed stage runs again.
        usd: the worst case; `None` where the price is unknown.
        budgets: those of this turn, beside the ledger's.
        closing: whether the call may use what a budget reserves for a last answer.
        capped: whether the request limits the length of its answer.
        fence: the fence of the turn's lease.

    Raises:
        BudgetExceededError: nothing is held, and nothing may be sent.
        UncappedError: a budget applies, and without a cap on its answer a call has no worst case.
    """
    windows = windows_for(tx, call, budgets, tx.now)
    if windows and not capped:
        raise _uncapped()
    # A killed stage that runs again finds its reservation, and must not hold the money twice.
    held = tx.execute(_RESERVED, {"b_reservation": reservation}).scalar()
    if held is not None:
        renewed = {"lease_until": tx.lease_until, "owner": tx.owner}
        tx.execute(_RENEW, {"b_reservation": reservation, **renewed})
        return Reservation(reservation, from_nano(held))
    row = {
        "attempt_id": f"{reservation}.0",
        "reservation": reservation,
        "state": "reserved",
        "fence": fence,
    }
    nano = _insert_attempt(tx, call, row, usd, windows, closing=closing)
    return Reservation(reservation, from_nano(nano))


def begin(
    tx: LedgerTransaction,
    call: Call,
    *,
    call_id: str,
    request_sha: str,
    usd: Decimal | None,
    reservation: str | None = None,
    fence: int | None = None,
    budgets: Sequence[Budget] = (),
    closing: bool = False,
    capped: bool = True,
    repeat: bool = True,
    opens_turn: bool = False,
) -> StartedAttempt:
    """Marks a call as sent before its first byte leaves, or returns the answer it already has.

    The reservation is used if it is still held and large enough; otherwise the money is held now.
    An earlier attempt of the call that was sent and never came back becomes unknown.

    The other arguments, and the other errors, are those of `reserve`.

    Args:
        call_id: the identity of the call: the same when a killed stage is resumed, new in a fork.
        request_sha: the SHA-256 of the request, hexadecimal.
        reservation: the id given to `reserve`.
        repeat: False for a tool that must not run twice: an interrupted call does not begin again.
        opens_turn: whether the turn of the call is admitted with it, see `open_turn`.

    Raises:
        FencedError: another worker has taken the turn over.
    """
    if opens_turn:
        _open_turn(tx, call)
    was_begun, has_budgets = _lock_turn(tx, call.attribution.turn, fence, call_id)
    earlier = tx.execute(_EARLIER, {"b_call": call_id}).all() if was_begun else ()
    already = _already_begun(earlier, request_sha, tx.nonce)
    if already is not None:
        return already
    windows = windows_for(tx, call, budgets, tx.now, stored=has_budgets)
    if windows and not capped:
        raise _uncapped()
    interrupted = _mark_interrupted(tx, earlier)
    number = max((row.attempt_no for row in earlier), default=0) + 1
    if interrupted and not repeat:
        return StartedAttempt(None, number, Decimal(0), interrupted=interrupted)
    sent = {
        "attempt_id": f"{call_id}.{number}",
        "call_id": call_id,
        "attempt_no": number,
        "nonce": tx.nonce,
        "request_sha": request_sha,
        "state": "sent",
        "fence": fence,
    }
    # The request may have grown since it was reserved; then a new hold replaces the reservation.
    held = None if reservation is None else _claim(tx, call, reservation, sent, usd)
    if held is None:
        held = _insert_attempt(tx, call, sent, usd, windows, closing=closing)
    return StartedAttempt(f"{call_id}.{number}", number, from_nano(held), interrupted=interrupted)


def _open_turn(tx: LedgerTransaction, call: Call) -> None:
    turn, account = call.attribution.turn, call.attribution.account
    assert turn is not None, "a turn that is opened has an id"
    # It is there where the commit went through and only its confirmation was lost.
    if tx.execute(_TURN, {"b_turn": turn}).first() is None:
        open_turn(tx, turn, account=account)


def _lock_turn(
    tx: LedgerTransaction, turn: str | None, fence: int | None, call_id: str
) -> tuple[bool, bool]:
    """Returns whether the call may have attempts, and whether the ledger may have budgets.

    Raises `FencedError` where another worker has taken the turn over.
    """
    if turn is None or fence is None:
        return True, True
    row = tx.execute(_LOCK_TURN, {"b_turn": turn, "b_call": call_id}).first()
    if row is None or row.fence != fence:
        raise FencedError(turn)
    return row.was_begun, row.has_budgets


def _uncapped() -> UncappedError:
    return UncappedError("A budget applies, and the request has no cap on its answer.")


def _already_begun(rows: Sequence[Any], request_sha: str, nonce: str) -> StartedAttempt | None:
    """Returns the attempt that answered this same request, or that this same transaction began."""
    for row in rows:
        answered = row.response is not None and row.state in ("answered", "settled")
        if answered and row.request_sha == request_sha:
            held = from_nano(row.hold_nano)
            return StartedAttempt(row.attempt_id, row.attempt_no, held, reply=row.response)
        # The commit went through and its confirmation was lost: this is the second try.
        if row.nonce == nonce and row.state == "sent":
            return StartedAttempt(row.attempt_id, row.attempt_no, from_nano(row.hold_nano))
    return None


def _mark_interrupted(tx: LedgerTransaction, rows: Sequence[Any]) -> tuple[str, ...]:
    """Marks as unknown what a dead worker sent, since it may have arrived. Returns the ids of all
    attempts whose outcome is unknown.
    """
    for row in rows:
        if row.state == "sent":
            mark_unknown(tx, UnknownOutcome(attempt_id=row.attempt_id, why="interrupted"))
    return tuple(row.attempt_id for row in rows if row.state in ("sent", "unknown"))


def _claim(
    tx: LedgerTransaction,
    call: Call,
    reservation: str,
    sent: Mapping[str, object],
    usd: Decimal | None,
) -> int | None:
    """Turns the reservation into the sent attempt. Returns the nano-dollars held.

    Returns `None` where the reservation was used, was released by a sweep, or is too small now.
    """
    which = {"b_reservation": reservation, "b_nano": 0 if usd is None else to_nano(usd)}
    lease = {"owner": tx.owner, "lease_until": tx.lease_until, "updated": tx.now}
    row = tx.execute(_CLAIM, {**sent, **columns_of(call), **lease, **which}).first()
    if row is None:
        drop_reservation(tx, reservation, why="too small")
        return None
    if row.windows:
        moved = {"b_attempt": f"{reservation}.0", "attempt_id": sent["attempt_id"]}
        tx.execute(_MOVE_HOLDS, moved)
    return int(row.hold_nano)


def _insert_attempt(
    tx: LedgerTransaction,
    call: Call,
    row: Mapping[str, Any],
    usd: Decimal | None,
    windows: Sequence[Window],
    *,
    closing: bool,
) -> int:
    """Holds the money in every window and inserts the attempt. Returns the nano-dollars held."""
    nano = hold_nano_for(usd, windows, tx.conn)
    hold_windows(tx, row["attempt_id"], nano, windows, closing=closing)
    written = {
        "owner": tx.owner,
        "lease_until": tx.lease_until,
        "created": tx.now,
        "updated": tx.now,
        "day": datetime.fromtimestamp(tx.now, UTC).date().isoformat(),
        "hold_nano": nano,
        "windows": len(windows),
    }
    tx.execute(_INSERT, {**row, **columns_of(call), **written})
    return nano
