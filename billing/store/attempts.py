"""The life of an attempt: reserved, sent, answered, settled; or released, or unknown until somebody
finds out.

    reserved --begin--> sent --answer--> answered --settle--> settled
       |                 |  \\--release (refused, never billed)--> released
       |                 \\--unknown (cut, crashed)--> unknown --settle, release--> ...
       \\--release (never sent)--> released

Each operation is one transaction and may be repeated: the second time changes nothing.
"""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import Text, bindparam, cast, exists, func, literal_column, select, update

from turngraph.billing.errors import FencedError, UncappedError
from turngraph.billing.pricing.money import from_nano, to_nano
from turngraph.billing.store.budgets import (
    Budget,
    Window,
    close_windows,
    hold_nano_for,
    hold_windows,
    windows_for,
)
from turngraph.billing.store.calls import (
    AttemptResponse,
    Call,
    Released,
    Reservation,
    StartedAttempt,
    UnknownOutcome,
)
from turngraph.billing.store.schema import attempt_t, hold_t, is_in, turn_t
from turngraph.billing.store.transaction import Tx

__all__ = [
    "NEW_PROVIDER_ID",
    "answer",
    "begin",
    "columns_of",
    "drop_reservation",
    "expire",
    "mark_unknown",
    "note_id",
    "release",
    "reserve",
]

# Statements are built once: building one costs more than running it. `b_…` are their parameters;
# the other parameters of an update are the columns it sets.
_a, _t = attempt_t.c, turn_t.c
_unclaimed = (
    _a.reservation == bindparam("b_reservation"),
    _a.state == "reserved",
    _a.call_id.is_(None),
)
_this = _a.attempt_id == bindparam("b_attempt")

_INSERT: Final = attempt_t.insert()
_RESERVED: Final = select(_a.hold_nano).where(_a.reservation == bindparam("b_reservation"))
_RENEW: Final = update(attempt_t).where(*_unclaimed)
_CLAIM: Final = _RENEW.where(_a.hold_nano >= bindparam("b_nano")).returning(
    _a.hold_nano, _a.windows
)
_MOVE_HOLDS: Final = update(hold_t).where(hold_t.c.attempt_id == bindparam("b_attempt"))
_FENCE: Final = select(_t.fence).where(_t.turn_id == bindparam("b_turn"))
# The row's lock makes two workers of one turn begin one after the other.
_FENCE_LOCKED: Final = _FENCE.with_for_update()
_EARLIER: Final = (
    select(
        _a.attempt_id, _a.attempt_no, _a.nonce, _a.state, _a.request_sha, _a.response, _a.hold_nano
    )
    .where(_a.call_id == bindparam("b_call"))
    .order_by(_a.attempt_no)
)
_releasable = is_in("reserved", "sent", "unknown")
_closed = (_a.attempt_id, _a.hold_nano, _a.windows)
_RELEASE: Final = update(attempt_t).where(_this, _releasable).returning(*_closed)
_RELEASE_UNCLAIMED: Final = _RENEW.returning(*_closed)


def _expired(state: str) -> Any:
    """An update of some attempts in `state` whose lease is over."""
    over = (_a.state == state, _a.lease_until < bindparam("b_now"))
    return update(attempt_t).where(
        _a.attempt_id.in_(select(_a.attempt_id).where(*over).limit(bindparam("b_limit"))), *over
    )


_RELEASE_EXPIRED: Final = _expired("reserved").returning(*_closed)
_LOSE_EXPIRED: Final = _expired("sent")


def _new_provider_id() -> Any:
    """The vendor's id for an attempt, unless another attempt has it: some vendors repeat it, or
    leave it empty.

    Losing a charge to a unique key would be worse (https://github.com/BerriAI/litellm/issues/6633).
    """
    other, wanted = attempt_t.alias(), cast(bindparam("b_provider_id"), Text)
    indexed = (
        other.c.vendor == _a.vendor,
        other.c.provider_id == wanted,
        other.c.kind == literal_column("'completion'"),
    )
    taken = (
        exists().where(*indexed, other.c.attempt_id != bindparam("b_attempt")).correlate(attempt_t)
    )
    return func.coalesce(
        select(wanted).where(wanted != "", ~taken).scalar_subquery(), _a.provider_id
    )


NEW_PROVIDER_ID: Final = _new_provider_id()
_LOSE: Final = (
    update(attempt_t).where(_this, _a.state == "sent").values(provider_id=NEW_PROVIDER_ID)
)
_NOTE_ID: Final = (
    update(attempt_t)
    .where(_this, _a.state == "sent", _a.provider_id.is_(None))
    .values(provider_id=NEW_PROVIDER_ID)
)
_ANSWER: Final = (
    update(attempt_t)
    .where(_this, is_in("sent", "unknown"))
    .values(provider_id=NEW_PROVIDER_ID)
    .returning(_a.fence, _a.turn_id)
)


def reserve(
    tx: Tx,
    call: Call,
    *,
    reservation: str,
    usd: Decimal | None,
    budgets: Sequence[Budget] = (),
    closing: bool = False,
    capped: bool = True,
    fence: int | None = None,
) -> Reservation:
    """Hold what `call` may cost (`usd`, the worst case; `None` where its price is unknown), before
    it is prepared.

    `reservation` is the caller's id for it, the same when a killed stage runs again. `closing` may
    use a budget's reserve for a last answer. Raises `BudgetExceededError`: then nothing is held and
    nothing may be sent. Without a cap on the answer (not `capped`) no call has a worst case:
    `UncappedError`, where any budget applies.
    """
    if not capped:
        _check_unbudgeted(tx, call, budgets)
    known = tx.conn.execute(_RESERVED, {"b_reservation": reservation}).scalar()
    if known is not None:
        tx.conn.execute(
            _RENEW, {"b_reservation": reservation, "lease_until": tx.lease_until, "owner": tx.owner}
        )
        return Reservation(reservation, from_nano(known))
    row = {
        "attempt_id": f"{reservation}.0",
        "reservation": reservation,
        "state": "reserved",
        "fence": fence,
    }
    return Reservation(reservation, from_nano(_open(tx, call, row, usd, budgets, closing=closing)))


def begin(
    tx: Tx,
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
) -> StartedAttempt:
    """Mark a call as sent, before its first byte leaves; or say that it need not leave, because it
    was answered.

    `call_id` is the call's identity: the same when a killed stage is resumed, new in a fork. An
    attempt of it that was sent and never came back becomes unknown. The reservation is used if it
    is still there and large enough; otherwise the money is held now. Without `repeat` (a tool that
    must not run twice) an interrupted call is not begun again. Raises `BudgetExceededError`,
    `UncappedError` as `reserve` does, and `FencedError` where another worker has taken the turn
    over.
    """
    _check_fence(tx, call.attribution.turn, fence)
    earlier = tx.conn.execute(_EARLIER, {"b_call": call_id}).all()
    done = _answered(earlier, request_sha, tx.nonce)
    if done is not None:
        return done
    if not capped:
        _check_unbudgeted(tx, call, budgets)
    interrupted = _interrupt(tx, earlier)
    number = max((row.attempt_no for row in earlier), default=0) + 1
    if interrupted and not repeat:
        return StartedAttempt(None, number, Decimal(0), interrupted=interrupted)
    attempt_id = f"{call_id}.{number}"
    sent = {
        "attempt_id": attempt_id,
        "call_id": call_id,
        "attempt_no": number,
        "nonce": tx.nonce,
        "request_sha": request_sha,
        "state": "sent",
        "fence": fence,
    }
    held = _claim(tx, call, reservation, sent, usd) if reservation is not None else None
    if held is None:
        held = _open(tx, call, sent, usd, budgets, closing=closing)
    return StartedAttempt(attempt_id, number, from_nano(held), interrupted=interrupted)


def _check_fence(tx: Tx, turn: str | None, fence: int | None) -> None:
    if (
        turn is not None
        and fence is not None
        and tx.conn.execute(_FENCE_LOCKED, {"b_turn": turn}).scalar() != fence
    ):
        raise FencedError(turn)


def _check_unbudgeted(tx: Tx, call: Call, budgets: Sequence[Budget]) -> None:
    if windows_for(tx, call, budgets, tx.now):
        raise UncappedError("A budget applies, and the request has no cap on its answer.")


def _answered(rows: Sequence[Any], request_sha: str, nonce: str) -> StartedAttempt | None:
    """An answer to this very request, or this very transaction, committed already."""
    for row in rows:
        if (
            row.response is not None
            and row.request_sha == request_sha
            and row.state in ("answered", "settled")
        ):
            return StartedAttempt(
                row.attempt_id, row.attempt_no, from_nano(row.hold_nano), reply=row.response
            )
        if row.nonce == nonce and row.state == "sent":
            return StartedAttempt(row.attempt_id, row.attempt_no, from_nano(row.hold_nano))
    return None


def _interrupt(tx: Tx, rows: Sequence[Any]) -> tuple[str, ...]:
    """What was sent by a worker that is gone may have arrived: unknown, until somebody finds out."""
    for row in rows:
        if row.state == "sent":
            mark_unknown(tx, UnknownOutcome(attempt_id=row.attempt_id, why="interrupted"))
    return tuple(row.attempt_id for row in rows if row.state in ("sent", "unknown"))


def _claim(
    tx: Tx, call: Call, reservation: str, sent: dict[str, Any], usd: Decimal | None
) -> int | None:
    """Turn the reservation into the sent attempt. `None` where it was used, swept, or is too small
    by now.
    """
    this = {"b_reservation": reservation, "b_nano": 0 if usd is None else to_nano(usd)}
    lease = {"owner": tx.owner, "lease_until": tx.lease_until, "updated": tx.now}
    row = tx.conn.execute(_CLAIM, {**sent, **columns_of(call), **lease, **this}).first()
    if row is None:
        drop_reservation(tx, reservation, why="too small")
        return None
    if row.windows:
        tx.conn.execute(
            _MOVE_HOLDS, {"b_attempt": f"{reservation}.0", "attempt_id": sent["attempt_id"]}
        )
    return int(row.hold_nano)


def _open(
    tx: Tx,
    call: Call,
    row: dict[str, Any],
    usd: Decimal | None,
    budgets: Sequence[Budget],
    *,
    closing: bool,
) -> int:
    """Hold the money and write the row; returns the nano-dollars held."""
    windows: Sequence[Window] = windows_for(tx, call, budgets, tx.now)
    nano = hold_nano_for(usd, windows, tx.conn)
    hold_windows(tx, row["attempt_id"], nano, windows, closing=closing)
    day = datetime.fromtimestamp(tx.now, UTC).date().isoformat()
    lease = {
        "owner": tx.owner,
        "lease_until": tx.lease_until,
        "created": tx.now,
        "updated": tx.now,
        "day": day,
    }
    tx.conn.execute(
        _INSERT, {**row, **columns_of(call), **lease, "hold_nano": nano, "windows": len(windows)}
    )
    return nano


def columns_of(call: Call) -> dict[str, Any]:
    """What a row says of its call."""
    attribution = call.attribution
    return {
        "kind": call.kind,
        "account": attribution.account,
        "key_id": attribution.key,
        "thread_id": attribution.thread,
        "turn_id": attribution.turn,
        "tags": json.dumps(sorted(set(attribution.tags))),
        "call_seq": call.seq,
        "vendor": call.vendor,
        "model": call.model,
        "base_url": call.base_url,
        "stored": call.stored,
        "plugin": call.plugin,
        "connection": call.connection,
        "tool": call.tool,
    }


def answer(tx: Tx, kept: AttemptResponse) -> bool:
    """Keep an answer the moment it is complete. Returns whether the turn is still the one it was
    asked for.

    `False`: another worker has taken the turn over, so the answer is charged and must not be used.
    """
    values = {
        "b_attempt": kept.attempt_id,
        "b_provider_id": kept.provider_id,
        "state": "answered",
        "response": kept.response,
        "usage": None if kept.usage is None else kept.usage.model_dump_json(exclude_none=True),
        "http_status": kept.http_status,
        "answered_model": kept.model,
        "service_tier": kept.service_tier,
        "lease_until": tx.lease_until,
        "updated": tx.now,
    }
    row = tx.conn.execute(_ANSWER, values).first()
    if row is None or row.fence is None:
        return True
    return bool(tx.conn.execute(_FENCE, {"b_turn": row.turn_id}).scalar() == row.fence)


def note_id(tx: Tx, attempt_id: str, provider_id: str) -> bool:
    """The vendor's id of an answer that has begun: if its worker dies before its end, it is asked
    for by that.
    """
    which = {"b_attempt": attempt_id, "b_provider_id": provider_id}
    return tx.conn.execute(_NOTE_ID, {**which, "updated": tx.now}).rowcount == 1


def mark_unknown(tx: Tx, lost: UnknownOutcome) -> bool:
    """The attempt left, and nobody knows what became of it. Its hold stays until it is found out or
    charged.
    """
    values: dict[str, Any] = {"state": "unknown", "note": lost.why, "updated": tx.now}
    if lost.estimate is not None:
        values["usage"] = lost.estimate.model_dump_json(exclude_none=True)
    which = {"b_attempt": lost.attempt_id, "b_provider_id": lost.provider_id}
    return tx.conn.execute(_LOSE, {**which, **values}).rowcount == 1


def release(tx: Tx, released: Released) -> bool:
    """Nothing was or will be billed: refused by the vendor, or never sent. Returns whether it was
    open.
    """
    return _release(tx, _RELEASE, {"b_attempt": released.attempt_id}, why=released.why) == 1


def drop_reservation(tx: Tx, reservation: str, *, why: str) -> bool:
    """Let go of money held for a call that will not be made with it. Returns whether it was still
    held.
    """
    return _release(tx, _RELEASE_UNCLAIMED, {"b_reservation": reservation}, why=why) == 1


def expire(tx: Tx, limit: int) -> tuple[int, int]:
    """What workers left that are gone: how many reservations were released, how many sent attempts
    are now unknown.
    """
    gone = {"b_now": tx.now, "b_limit": limit}
    lost = tx.conn.execute(
        _LOSE_EXPIRED, {**gone, "state": "unknown", "note": "worker gone", "updated": tx.now}
    )
    return _release(tx, _RELEASE_EXPIRED, gone, why="never sent"), lost.rowcount


def _release(tx: Tx, statement: Any, which: dict[str, Any], *, why: str) -> int:
    values = {
        "state": "released",
        "charge_nano": 0,
        "basis": "released",
        "note": why,
        "updated": tx.now,
    }
    rows = tx.conn.execute(statement, {**values, **which}).all()
    for row in rows:
        if row.windows:
            close_windows(tx.conn, row.attempt_id, held=row.hold_nano, charged=0)
    return len(rows)
