"""The rows of stored requests and their answers: operations for `LedgerStore`.

Every one of them names the account, so that no account finds what another one has stored. Who runs
a request, and how it ends, is in `request_claims.py`.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, or_, select

from turngraph.billing.store.transaction import LedgerTransaction
from turngraph.interfaces.server.caller import Caller, Scope
from turngraph.interfaces.server.tables import response_event_t, response_t
from turngraph.interfaces.server.unused_threads import note_unused
from turngraph.state.json_types import JsonObject

__all__ = [
    "INTERRUPTED",
    "RUNNING",
    "ResponseRow",
    "add_response",
    "delete_old",
    "delete_response",
    "discard_response",
    "find_response",
    "is_storable",
    "models_before",
    "models_of",
    "row_from",
    "take_thread",
]

RUNNING: Final = ("queued", "in_progress", "cancelling")
"""The statuses of a request that has not ended."""
INTERRUPTED: Final = "interrupted"
"""The status of a request whose process has ended before it. If it comes again, it goes on."""

_LISTS: Final = ("scopes", "models")
_FLAGS: Final = ("stored", "continued", "background")
_OBJECTS: Final = ("body", "resumes", "error")
_SIDE_THREAD: Final = "~"

_r = response_t.c


class ResponseRow(NamedTuple):
    """A request as it is stored, with its answer. See `response_t` for its members."""

    response_id: str
    account: str
    api_key_id: str | None
    scopes: tuple[Scope, ...] | None
    models: tuple[str, ...] | None
    model: str
    thread: str
    turn_id: str
    status: str
    stored: bool
    continued: bool
    background: bool
    created: float
    seen: float
    first: int
    last: int
    request: JsonObject
    body: JsonObject | None
    digest: str | None = None
    owner: str | None = None
    answered_by: str | None = None
    resumes: JsonObject | None = None
    error: JsonObject | None = None

    @property
    def caller(self) -> Caller:
        """Who asked for it. One of an earlier version does not say what its key was good for."""
        scopes: tuple[Scope, ...] = ("models", "tools") if self.scopes is None else self.scopes
        models = None if self.models is None else frozenset(self.models)
        return Caller(self.account, self.api_key_id, frozenset(scopes), models)

    @property
    def is_over(self) -> bool:
        """Whether the request has its answer, which is what its retries get."""
        return self.status not in (*RUNNING, INTERRUPTED)

    @property
    def holder(self) -> str:
        """The model on whose graph the thread is."""
        return self.answered_by or self.model


def add_response(tx: LedgerTransaction, row: ResponseRow, side: Sequence[str] = ()) -> None:
    """Stores a new request. One with the same id stays as it is: the request came again.

    `side` are further threads that it may use. Each has a row of its own, so that it is deleted
    with the request.
    """
    if find_response(tx, row.account, row.response_id) is not None:
        return
    tx.conn.execute(response_t.insert(), _values(row))
    for n, thread in enumerate(side, 2):
        beside = row._replace(
            response_id=f"{row.response_id}{_SIDE_THREAD}{n}",
            thread=thread,
            status="completed",
            stored=False,
            background=False,
            request={},
        )
        tx.conn.execute(response_t.insert(), _values(beside))


def find_response(tx: LedgerTransaction, account: str, response_id: str) -> ResponseRow | None:
    """Returns the request, or None if the account has none with this id."""
    if not is_storable(response_id):
        return None
    found = tx.conn.execute(
        select(response_t).where(_r.response_id == response_id, _r.account == account)
    ).one_or_none()
    return None if found is None else row_from(found._asdict())


def is_storable(name: str) -> bool:
    """Whether a name can be one of a row. PostgreSQL has no text with a NUL, and asks for none."""
    return "\0" not in name


def models_of(tx: LedgerTransaction, thread: str) -> set[str]:
    """The models of the stored responses on a thread."""
    return {*tx.conn.execute(select(_r.model).where(_r.thread == thread).distinct()).scalars()}


def models_before(tx: LedgerTransaction, row: ResponseRow) -> set[str]:
    """The models of a response and of those it goes on from, as far as they are stored.

    It goes from thread to thread, and looks at each once: a client that deletes a response and
    creates it anew, under the same `Idempotency-Key`, can make responses go on from each other.
    """
    models, threads, seen = {row.model}, {row.thread}, set[str]()
    while threads:
        seen |= threads
        found = tx.conn.execute(
            select(_r.response_id, _r.model, _r.request).where(
                _r.account == row.account, _r.thread.in_(threads)
            )
        ).all()
        models |= {one.model for one in found}
        before = {str(json.loads(one.request).get("previous_response_id")) for one in found}
        elsewhere = before - {one.response_id for one in found}
        threads = _threads_of(tx, row.account, elsewhere) - seen
    return models


def _threads_of(tx: LedgerTransaction, account: str, response_ids: Collection[str]) -> set[str]:
    found = tx.conn.execute(
        select(_r.thread).where(_r.account == account, _r.response_id.in_(response_ids))
    )
    return {*found.scalars()}


def take_thread(tx: LedgerTransaction, account: str, response_id: str) -> bool:
    """Lets a response go on with the thread of `response_id`. False if another one does already."""
    taken = tx.conn.execute(
        response_t.update()
        .where(_r.response_id == response_id, _r.account == account, _r.continued == 0)
        .values(continued=1)
    )
    return taken.rowcount == 1


def delete_response(tx: LedgerTransaction, account: str, response_id: str) -> list[str] | None:
    """Deletes a request. Returns those of its threads that nothing else needs, to be deleted; None
    if there is no such request any more: of several that delete it, one has done it.
    """
    threads = _delete(tx, _its(response_id), _r.account == account)
    return None if threads is None else note_unused(tx, threads)


def discard_response(tx: LedgerTransaction, row: ResponseRow) -> None:
    """Deletes a request of which nothing has run. Its threads have no messages to be deleted, and a
    retry that has the same ones may come at any time.
    """
    _delete(tx, _its(row.response_id), _r.account == row.account)


def delete_old(tx: LedgerTransaction, before: float) -> None:
    """Deletes the requests of before a time, and notes the threads that nothing needs then."""
    note_unused(tx, _delete(tx, _r.created < before) or ())


def _its(response_id: str) -> ColumnElement[bool]:
    beside = _r.response_id.startswith(f"{response_id}{_SIDE_THREAD}", autoescape=True)
    return or_(_r.response_id == response_id, beside)


def _delete(tx: LedgerTransaction, *which: ColumnElement[bool]) -> Sequence[str] | None:
    """Deletes rows, and returns the threads that they had; None if there were none."""
    threads = tx.conn.execute(select(_r.thread).where(*which).distinct()).scalars().all()
    ids = select(_r.response_id).where(*which)
    tx.conn.execute(response_event_t.delete().where(response_event_t.c.response_id.in_(ids)))
    deleted = tx.conn.execute(response_t.delete().where(*which))
    return threads if deleted.rowcount else None


def row_from(values: Mapping[str, Any]) -> ResponseRow:
    """The request that a row of `response_t` holds."""
    read: dict[str, Any] = {"request": json.loads(values["request"])}
    read |= {name: bool(values[name]) for name in _FLAGS}
    for name in (*_LISTS, *_OBJECTS):
        read[name] = None if values[name] is None else json.loads(values[name])
    read |= {name: tuple(read[name]) for name in _LISTS if read[name] is not None}
    return ResponseRow(**{**values, **read})


def _values(row: ResponseRow) -> dict[str, Any]:
    values = row._asdict()
    for name in (*_LISTS, *_OBJECTS):
        values[name] = None if values[name] is None else json.dumps(values[name])
    # PostgreSQL takes no boolean for a number.
    flags = {name: int(values[name]) for name in _FLAGS}
    return {**values, **flags, "request": json.dumps(row.request)}
