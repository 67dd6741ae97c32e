"""One worker a turn, one turn a thread: a lease, and a fence for whoever held it before.

A lease alone is not enough: a worker that was frozen and thaws believes it still has it. The fence
is a number that grows with every takeover, and every operation that begins a call or keeps an
answer compares it.
"""

from typing import Any, Final, Literal, NamedTuple

from sqlalchemy import Row, bindparam, or_, select, update

from turngraph.billing.errors import FencedError, TurnConflictError
from turngraph.billing.store.schema import attempt_t, is_in, turn_t
from turngraph.billing.store.transaction import Tx

__all__ = ["Admission", "admit", "finish", "release_lease", "renew"]

_t, _a = turn_t.c, attempt_t.c
_this = _t.turn_id == bindparam("b_turn")
_INSERT: Final = turn_t.insert()
_FIND: Final = select(turn_t).where(_this).with_for_update()
_LIVE: Final = (_this, _t.fence == bindparam("b_fence"), _t.status == "running")
_TAKE: Final = update(turn_t).where(_this).values(fence=_t.fence + 1).returning(_t.fence)
_SHUT: Final = update(turn_t).where(_this).values(fence=_t.fence + 1)
_OTHERS: Final = (
    select(turn_t)
    .where(
        _t.thread_id == bindparam("b_thread"),
        _t.status == "running",
        _t.turn_id != bindparam("b_turn"),
    )
    .with_for_update()
)
_RENEW: Final = update(turn_t).where(*_LIVE)
_FINISH: Final = update(turn_t).where(_this, _t.fence == bindparam("b_fence"))
_RENEW_ATTEMPTS: Final = update(attempt_t).where(
    _a.turn_id == bindparam("b_turn"),
    is_in("reserved", "sent", "answered"),
    or_(_a.fence == bindparam("b_fence"), _a.fence.is_(None)),
)


class Admission(NamedTuple):
    """A turn's leave to run. `fence` goes with everything the worker does.

    `status` is `new` (start it), `running` (it was begun: resume it) or `done` and `failed` (it is
    over: return what the thread says).
    """

    turn_id: str
    fence: int
    status: Literal["new", "running", "done", "failed"]


def admit(
    tx: Tx,
    turn_id: str,
    *,
    thread: str | None = None,
    account: str = "",
    request_sha: str | None = None,
    own: bool = True,
) -> Admission:
    """Take the lease of a turn, before its graph starts.

    The same turn submitted again is resumed when its worker is gone, and never started twice. A
    turn of the same thread whose worker is gone is abandoned: shut out, its money swept. Raises
    `TurnConflictError` while another worker's lease runs, or where the id was used for another
    request. `own` says whether this worker's own live lease is taken over too; a worker that may be
    asked for one turn twice at once must say no, and `release_lease` of what it left.
    """
    row = tx.conn.execute(_FIND, {"b_turn": turn_id}).first()
    if row is not None and row.status in ("done", "failed"):
        _same_request(row, account, request_sha)
        return Admission(turn_id, row.fence, row.status)
    if thread is not None:
        _clear_thread(tx, thread, but=turn_id)
    if row is None:
        _start(tx, turn_id, thread, account, request_sha)
        return Admission(turn_id, 1, "new")
    _same_request(row, account, request_sha)
    return _take_over(tx, row, own=own)


def _same_request(row: Row[Any], account: str, request_sha: str | None) -> None:
    if row.account != account or (
        None not in (row.request_sha, request_sha) and row.request_sha != request_sha
    ):
        raise TurnConflictError(
            f"Turn `{row.turn_id}` was submitted before with another request; use a new id.",
            turn_id=row.turn_id,
        )


def _start(tx: Tx, turn_id: str, thread: str | None, account: str, request_sha: str | None) -> None:
    row = {"turn_id": turn_id, "thread_id": thread, "account": account, "request_sha": request_sha}
    lease = {"status": "running", "owner": tx.owner, "fence": 1, "lease_until": tx.lease_until}
    tx.conn.execute(_INSERT, {**row, **lease, "created": tx.now, "updated": tx.now})


def _take_over(tx: Tx, row: Row[Any], *, own: bool) -> Admission:
    if row.status == "running" and row.lease_until > tx.now and not (own and row.owner == tx.owner):
        raise _busy(tx, row)
    lease = {
        "status": "running",
        "owner": tx.owner,
        "lease_until": tx.lease_until,
        "updated": tx.now,
    }
    return Admission(
        row.turn_id,
        tx.conn.execute(_TAKE, {"b_turn": row.turn_id, **lease}).scalar_one(),
        "running",
    )


def _clear_thread(tx: Tx, thread: str, *, but: str) -> None:
    """Another turn of the thread is waited for while it lives, and shut out when it does not."""
    for other in tx.conn.execute(_OTHERS, {"b_thread": thread, "b_turn": but}).all():
        if other.lease_until > tx.now:
            raise _busy(tx, other)
        tx.conn.execute(_SHUT, {"b_turn": other.turn_id, "status": "abandoned", "updated": tx.now})


def _busy(tx: Tx, row: Row[Any]) -> TurnConflictError:
    wait = max(0.0, row.lease_until - tx.now)
    return TurnConflictError(
        f"Turn `{row.turn_id}` of thread `{row.thread_id}` is run by another worker; its lease ends in {wait:.0f} s "
        "unless it is renewed. Wait, or submit to another thread.",
        turn_id=row.turn_id,
        retry_after_s=wait,
    )


def renew(tx: Tx, turn_id: str, *, fence: int) -> None:
    """Keep the lease of a turn, and of what it has under way. Raises `FencedError` where somebody
    took it over.
    """
    mine, lease = {"b_turn": turn_id, "b_fence": fence}, {"lease_until": tx.lease_until}
    if tx.conn.execute(_RENEW, {**mine, **lease, "updated": tx.now}).rowcount != 1:
        raise FencedError(turn_id)
    tx.conn.execute(_RENEW_ATTEMPTS, {**mine, **lease})


def release_lease(tx: Tx, turn_id: str, *, fence: int) -> None:
    """End the lease of a turn that stopped before its end, and is not over: anyone may go on with
    it, at once.

    Changes nothing where the turn is over, or another worker's.
    """
    tx.conn.execute(
        _RENEW, {"b_turn": turn_id, "b_fence": fence, "lease_until": tx.now, "updated": tx.now}
    )


def finish(tx: Tx, turn_id: str, *, fence: int, status: Literal["done", "failed"] = "done") -> None:
    """The turn is over, and its lease with it. Raises `FencedError` where somebody took it over."""
    over = {"status": status, "lease_until": tx.now, "updated": tx.now}
    if tx.conn.execute(_FINISH, {"b_turn": turn_id, "b_fence": fence, **over}).rowcount != 1:
        raise FencedError(turn_id)
