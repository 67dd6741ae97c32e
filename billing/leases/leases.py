"""One worker per turn, one running turn per thread: a lease with an end, and a fence.

A lease alone is not enough: a worker that was frozen and thaws believes that it still holds it. The
fence is a number that grows with every takeover; operations that begin a call or store an answer
compare it.
"""

from typing import Any, Final, Literal, NamedTuple

from sqlalchemy import bindparam, or_, select, update

from turngraph.billing.errors import FencedError, TurnConflictError
from turngraph.billing.store.schema import attempt_t, is_in, turn_t
from turngraph.billing.store.transaction import LedgerTransaction, unflushed

__all__ = ["Admission", "admit", "finish", "open_turn", "release_lease", "renew"]

_t, _a = turn_t.c, attempt_t.c
# Statements are built once; `b_…` are their parameters. Rows are locked while they are looked at,
# so that two workers decide one after the other.
_this = _t.turn_id == bindparam("b_turn")
_INSERT: Final = turn_t.insert()
_FIND: Final = select(turn_t).where(_this).with_for_update()
# Compares the fence: a worker that lost the turn changes nothing.
_HELD: Final = (_this, _t.fence == bindparam("b_fence"), _t.status == "running")
_TAKE: Final = update(turn_t).where(_this).values(fence=_t.fence + 1).returning(_t.fence)
_ABANDON: Final = update(turn_t).where(_this).values(fence=_t.fence + 1)
_OTHERS: Final = (
    select(turn_t)
    .where(
        _t.thread_id == bindparam("b_thread"),
        _t.status == "running",
        _t.turn_id != bindparam("b_turn"),
    )
    .with_for_update()
)
_RENEW: Final = update(turn_t).where(*_HELD)
_FINISH: Final = update(turn_t).where(_this, _t.fence == bindparam("b_fence"))
# A renewed turn keeps its attempts from being swept. Tools' attempts have no fence.
_RENEW_ATTEMPTS: Final = update(attempt_t).where(
    _a.turn_id == bindparam("b_turn"),
    is_in("reserved", "sent", "answered"),
    or_(_a.fence == bindparam("b_fence"), _a.fence.is_(None)),
)


class Admission(NamedTuple):
    """Permission to run a turn. The worker passes `fence` to everything it does for the turn."""

    turn_id: str
    fence: int
    status: Literal["new", "running", "done", "failed"]
    """`new`: start the turn. `running`: it was begun before, resume it. `done` and `failed`: it is
    over, return what its thread holds.
    """


@unflushed
def admit(
    tx: LedgerTransaction,
    turn_id: str,
    *,
    thread: str | None = None,
    account: str = "",
    request_sha: str | None = None,
    own: bool = True,
) -> Admission:
    """Takes the lease of a turn, before its graph starts.

    A turn that is submitted again is resumed if its worker is gone, and never started twice. An
    unfinished turn of the same thread whose worker is gone is abandoned.

    Args:
        tx: the transaction.
        turn_id: the turn's id.
        thread: the thread on which no other turn may run; `None` for a turn without one.
        account: whom the turn is charged to.
        request_sha: a hash of what is asked; `None` where it is not compared.
        own: whether a live lease of this same worker may be taken over too. A worker that may get
            one turn twice at once passes False, and calls `release_lease` for what it leaves.

    Raises:
        TurnConflictError: another worker's lease is still valid, or the id was used for another
            request.
    """
    row = tx.execute(_FIND, {"b_turn": turn_id}).first()
    # A finished turn needs no lease, and waits for nobody.
    if row is not None and row.status in ("done", "failed"):
        _check_same_request(row, account, request_sha)
        return Admission(turn_id, row.fence, row.status)
    if thread is not None:
        _clear_thread(tx, thread, but=turn_id)
    if row is None:
        _start(tx, turn_id, thread, account, request_sha)
        return Admission(turn_id, 1, "new")
    _check_same_request(row, account, request_sha)
    return _take_over(tx, row, own=own)


def _check_same_request(row: Any, account: str, request_sha: str | None) -> None:
    differs = None not in (row.request_sha, request_sha) and row.request_sha != request_sha
    if row.account != account or differs:
        raise TurnConflictError(
            f"Turn `{row.turn_id}` was submitted before with another request; use a new id.",
            turn_id=row.turn_id,
        )


def _start(
    tx: LedgerTransaction,
    turn_id: str,
    thread: str | None,
    account: str,
    request_sha: str | None,
    status: Literal["running", "done"] = "running",
) -> None:
    row = {"turn_id": turn_id, "thread_id": thread, "account": account, "request_sha": request_sha}
    lease = {"status": status, "owner": tx.owner, "fence": 1, "lease_until": tx.lease_until}
    tx.execute(_INSERT, {**row, **lease, "created": tx.now, "updated": tx.now})


def _take_over(tx: LedgerTransaction, row: Any, *, own: bool) -> Admission:
    is_mine = own and row.owner == tx.owner
    if row.status == "running" and row.lease_until > tx.now and not is_mine:
        raise _conflict(tx, row)
    lease = {
        "b_turn": row.turn_id,
        "status": "running",
        "owner": tx.owner,
        "lease_until": tx.lease_until,
        "updated": tx.now,
    }
    return Admission(row.turn_id, tx.execute(_TAKE, lease).scalar(), "running")


def _clear_thread(tx: LedgerTransaction, thread: str, *, but: str) -> None:
    """Raises `TurnConflictError` for another live turn of the thread, and abandons dead ones."""
    for other in tx.execute(_OTHERS, {"b_thread": thread, "b_turn": but}).all():
        if other.lease_until > tx.now:
            raise _conflict(tx, other)
        abandoned = {"b_turn": other.turn_id, "status": "abandoned", "updated": tx.now}
        tx.execute(_ABANDON, abandoned)


def _conflict(tx: LedgerTransaction, row: Any) -> TurnConflictError:
    wait_s = max(0.0, row.lease_until - tx.now)
    return TurnConflictError(
        f"Turn `{row.turn_id}` of thread `{row.thread_id}` is run by another worker; its lease "
        f"ends in {wait_s:.0f} s unless it is renewed. Wait, or submit to another thread.",
        turn_id=row.turn_id,
        retry_after_s=wait_s,
    )


def open_turn(
    tx: LedgerTransaction,
    turn_id: str,
    *,
    account: str,
    status: Literal["running", "done"] = "running",
) -> None:
    """Admits a turn of which nobody else knows: no caller has its id, and it has no thread.

    So there is nobody to wait for, and its first fence is 1. It is written in the transaction that
    begins its first call; if it ends without one, at its end.
    """
    _start(tx, turn_id, None, account, None, status)


@unflushed
def renew(tx: LedgerTransaction, turn_id: str, *, fence: int) -> None:
    """Extends the lease of a turn and of its open attempts.

    Raises `FencedError` where another worker has taken the turn over.
    """
    which, lease = {"b_turn": turn_id, "b_fence": fence}, {"lease_until": tx.lease_until}
    if tx.execute(_RENEW, {**which, **lease, "updated": tx.now}).rowcount != 1:
        raise FencedError(turn_id)
    tx.execute(_RENEW_ATTEMPTS, {**which, **lease})


@unflushed
def release_lease(tx: LedgerTransaction, turn_id: str, *, fence: int) -> None:
    """Ends the lease of a turn that stopped before it was over, so that any worker may resume it at
    once.

    Changes nothing where the turn is over, or is another worker's.
    """
    ended = {"lease_until": tx.now, "updated": tx.now}
    tx.execute(_RENEW, {"b_turn": turn_id, "b_fence": fence, **ended})


@unflushed
def finish(
    tx: LedgerTransaction,
    turn_id: str,
    *,
    fence: int,
    status: Literal["done", "failed"] = "done",
) -> None:
    """Marks a turn as over and ends its lease.

    Raises `FencedError` where another worker has taken the turn over.
    """
    over = {"status": status, "lease_until": tx.now, "updated": tx.now}
    if tx.execute(_FINISH, {"b_turn": turn_id, "b_fence": fence, **over}).rowcount != 1:
        raise FencedError(turn_id)
