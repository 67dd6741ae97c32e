"""Who runs a stored request, and how it ended: operations for `LedgerStore`.

A process claims a request before it runs it, and notes again and again that it still does. A claim
that was not renewed for the seconds of a lease is a dead process's: another one may take the
request. Each claim has a random fencing token, its `owner`, and only who has that may change the
request, so that a process that was frozen and thaws changes nothing of what was taken from it.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from secrets import token_hex
from typing import Final

from sqlalchemy import ColumnElement, and_, or_, select

from turngraph.billing.store.transaction import LedgerTransaction, unflushed
from turngraph.interfaces.server.errors import ServerError
from turngraph.interfaces.server.request_rows import (
    INTERRUPTED,
    RUNNING,
    ResponseRow,
    add_response,
    discard_response,
    find_response,
    row_from,
)
from turngraph.interfaces.server.tables import response_t
from turngraph.state.json_types import JsonObject

__all__ = [
    "Ended",
    "check_same_request",
    "claim",
    "finish",
    "mark_started",
    "new_owner",
    "release",
    "renew",
    "request_cancel",
    "take_abandoned",
]

_RETRY_S: Final = "1"

_r = response_t.c


@dataclass(frozen=True)
class Ended:
    """How a request ended."""

    status: str
    """In the API's words, or `interrupted`."""
    body: JsonObject | None
    """The answer. None of an error that is no object of the API."""
    error: JsonObject | None = None
    """The error that was answered."""
    thread: str | None = None
    """The thread of the answer. None: the one that is stored."""
    answered_by: str | None = None
    """The model on whose graph that thread is."""
    last: int | None = None
    """How many messages the thread has now."""


def new_owner() -> str:
    """Returns the token of a new claim: 16 random hexadecimal digits."""
    return token_hex(8)


def claim(tx: LedgerTransaction, row: ResponseRow, side: Sequence[str] = ()) -> ResponseRow:
    """Stores a request, or takes it if its process has died. `row.owner` is the new claim's token.

    Returns it as it is stored then: with another owner, it is over. `side` as in `add_response`.

    Raises ServerError (409) if another one runs it, and (422) if its key was used for another.
    """
    known = find_response(tx, row.account, row.response_id)
    if known is None:
        add_response(tx, row, side)
        return row
    check_same_request(known, row.digest)
    if known.is_over:
        return known
    if known.status in RUNNING and known.seen >= tx.now - tx.lease_s:
        raise _is_running()
    if not _take(tx, known, row.owner):
        raise _is_running()
    return known._replace(owner=row.owner, status="in_progress", body=None)


def check_same_request(known: ResponseRow, digest: str | None) -> None:
    """Raises ServerError (422) unless a request that came again is the one that is known."""
    if known.digest != digest:
        raise ServerError(
            422,
            "The `Idempotency-Key` was used for another request. Send this one with another key.",
            code="idempotency_key_reused",
        )


def release(tx: LedgerTransaction, row: ResponseRow, *, is_new: bool) -> None:
    """Gives a claim back of which nothing came: the request was refused, and may come again."""
    mine = tx.conn.execute(response_t.update().where(*_owned(row)).values(seen=0.0))
    if is_new and mine.rowcount == 1:
        discard_response(tx, row)


def mark_started(tx: LedgerTransaction, row: ResponseRow) -> None:
    """Notes that a request which was queued runs now."""
    tx.conn.execute(
        response_t.update()
        .where(*_owned(row), _r.status == "queued")
        .values(status="in_progress", seen=tx.now)
    )


@unflushed
def renew(tx: LedgerTransaction, owners: Mapping[str, str]) -> set[str]:
    """Notes that this process still runs requests. `owners` has the token of each, by its id.

    Returns the ids of those that shall end, because they are deleted or cancelled. One that another
    process has taken goes on: the ledger lets only one of both finish the turn, and a turn that was
    ended here would have ended there too.
    """
    found = tx.conn.execute(
        select(_r.response_id, _r.owner, _r.status).where(_r.response_id.in_(owners))
    )
    known = {row.response_id: row for row in found}
    own = {name for name, row in known.items() if row.owner == owners[name]}
    tx.conn.execute(
        response_t.update()
        .where(_r.response_id.in_(own), _r.owner.in_([owners[name] for name in own]))
        .values(seen=tx.now)
    )
    unwanted = {name for name in own if known[name].status == "cancelling"}
    return unwanted | (owners.keys() - known.keys())


def finish(tx: LedgerTransaction, row: ResponseRow, ended: Ended) -> bool:
    """Stores how a request ended. False if it is not this claim's any more: then nothing changes.

    One that somebody wanted to cancel, and that was too fast, has ended as it has. So has one that
    was called interrupted because its process was too slow to say that it lives: its client gets
    this answer now, and its retries must get the same.
    """
    changes = {
        "thread": ended.thread,
        "answered_by": ended.answered_by,
        "last": ended.last,
        "error": None if ended.error is None else json.dumps(ended.error),
        "body": None if ended.body is None else json.dumps(ended.body),
    }
    given = {name: value for name, value in changes.items() if value is not None}
    mine = or_(and_(*_owned(row)), and_(*_named(row), _r.status == INTERRUPTED))
    done = tx.conn.execute(response_t.update().where(mine).values(status=ended.status, **given))
    return done.rowcount == 1


def request_cancel(tx: LedgerTransaction, account: str, response_id: str) -> None:
    """Asks the process that runs a response to end it."""
    tx.conn.execute(
        response_t.update()
        .where(
            _r.response_id == response_id,
            _r.account == account,
            _r.status.in_(("queued", "in_progress")),
        )
        .values(status="cancelling")
    )


def take_abandoned(tx: LedgerTransaction, prefix: str, running: Sequence[str]) -> list[ResponseRow]:
    """Takes the requests of dead processes whose ids begin with `prefix`, each with a new owner.

    `running` are those of this process, which may have been too slow to say that it lives.
    """
    where = (
        _r.response_id.startswith(prefix, autoescape=True),
        _r.status.in_(RUNNING),
        _r.seen < tx.now - tx.lease_s,
        _r.response_id.not_in(running),
    )
    found = tx.conn.execute(select(response_t).where(*where))
    rows = [row_from(each._asdict()) for each in found]
    return [*_taken(tx, rows)]


def _taken(tx: LedgerTransaction, rows: Iterable[ResponseRow]) -> Iterable[ResponseRow]:
    for row in rows:
        owner = new_owner()
        if _take(tx, row, owner, status=row.status):
            yield row._replace(owner=owner)


def _take(
    tx: LedgerTransaction, known: ResponseRow, owner: str | None, status: str = "in_progress"
) -> bool:
    """Whether a request was taken. Of two processes that want it one changes `seen` first."""
    taken = tx.conn.execute(
        response_t.update()
        .where(
            _r.response_id == known.response_id,
            _r.account == known.account,
            _r.seen == known.seen,
            _r.status == known.status,
        )
        .values(owner=owner, seen=tx.now, status=status, body=None)
    )
    return taken.rowcount == 1


def _owned(row: ResponseRow) -> tuple[ColumnElement[bool], ...]:
    return (
        *_named(row),
        _r.owner == row.owner if row.owner is not None else _r.owner.is_(None),
    )


def _named(row: ResponseRow) -> tuple[ColumnElement[bool], ...]:
    return (_r.response_id == row.response_id, _r.account == row.account)


def _is_running() -> ServerError:
    return ServerError(
        409,
        "A request with this `Idempotency-Key` runs. Send it again to get its answer.",
        code="turn_is_running",
        headers={"Retry-After": _RETRY_S},
    )
