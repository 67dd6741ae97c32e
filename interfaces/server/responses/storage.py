"""The rows of stored responses and conversations: operations for `LedgerStore`.

Every one of them names the account, so that no account finds what another one has stored.
"""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from sqlalchemy import select

from turngraph.billing.store.transaction import LedgerTransaction
from turngraph.interfaces.server.caller import Caller, Scope
from turngraph.interfaces.server.tables import conversation_t, response_t
from turngraph.state.json_types import JsonObject

__all__ = [
    "RUNNING",
    "ConversationRow",
    "ResponseRow",
    "add_conversation",
    "add_response",
    "delete_conversation",
    "delete_response",
    "find_conversation",
    "find_response",
    "finish_response",
    "mark_seen",
    "models_before",
    "models_of",
    "old_threads",
    "request_cancel",
    "take_abandoned",
    "take_thread",
]

RUNNING = ("queued", "in_progress", "cancelling")
"""The statuses of a response that has not ended."""

_r, _c = response_t.c, conversation_t.c


class ResponseRow(NamedTuple):
    """A response as it is stored. See `response_t` for its members."""

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

    @property
    def caller(self) -> Caller:
        """Who asked for it. One of an earlier version does not say what its key was good for."""
        scopes: tuple[Scope, ...] = ("models", "tools") if self.scopes is None else self.scopes
        models = None if self.models is None else frozenset(self.models)
        return Caller(self.account, self.api_key_id, frozenset(scopes), models)


class ConversationRow(NamedTuple):
    """A conversation as it is stored."""

    conversation_id: str
    account: str
    thread: str
    created: float
    metadata: JsonObject


def add_response(tx: LedgerTransaction, row: ResponseRow) -> None:
    """Stores a new response. One with the same id stays as it is: the request came again."""
    if find_response(tx, row.account, row.response_id) is not None:
        return
    values = {**row._asdict(), "request": json.dumps(row.request), "body": None}
    for name in ("scopes", "models"):
        values[name] = None if values[name] is None else json.dumps(values[name])
    # PostgreSQL takes no boolean for a number.
    flags = {name: int(values[name]) for name in ("stored", "continued", "background")}
    tx.conn.execute(response_t.insert(), {**values, **flags})


def find_response(tx: LedgerTransaction, account: str, response_id: str) -> ResponseRow | None:
    """Returns the response, or None if the account has none with this id."""
    found = tx.conn.execute(
        select(response_t).where(_r.response_id == response_id, _r.account == account)
    ).one_or_none()
    return None if found is None else _response(found._asdict())


def models_of(tx: LedgerTransaction, thread: str) -> set[str]:
    """The models of the stored responses on a thread."""
    return {*tx.conn.execute(select(_r.model).where(_r.thread == thread).distinct()).scalars()}


def models_before(tx: LedgerTransaction, row: ResponseRow) -> set[str]:
    """The models of a response and of those it goes on from, as far as they are stored."""
    models: set[str] = set()
    before: ResponseRow | None = row
    while before is not None:
        models |= {before.model, *models_of(tx, before.thread)}
        before = find_response(
            tx, before.account, str(before.request.get("previous_response_id") or "")
        )
    return models


def finish_response(
    tx: LedgerTransaction,
    account: str,
    body: JsonObject,
    thread: str | None = None,
    last: int | None = None,
) -> None:
    """Stores how a response ended: what is shown, its thread, and how many messages that has."""
    values = {"status": body["status"], "body": json.dumps(body), "thread": thread, "last": last}
    tx.conn.execute(
        response_t.update()
        .where(_r.response_id == body["id"], _r.account == account)
        .values({name: value for name, value in values.items() if value is not None})
    )


def take_thread(tx: LedgerTransaction, account: str, response_id: str) -> bool:
    """Lets a response go on with the thread of `response_id`. False if another one does already."""
    taken = tx.conn.execute(
        response_t.update()
        .where(_r.response_id == response_id, _r.account == account, _r.continued == 0)
        .values(continued=1)
    )
    return taken.rowcount == 1


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


def mark_seen(tx: LedgerTransaction, account: str, response_id: str) -> str | None:
    """Notes that its process still runs a response. Returns its status; None if it is deleted."""
    where = (_r.response_id == response_id, _r.account == account)
    tx.conn.execute(response_t.update().where(*where).values(seen=tx.now))
    status: str | None = tx.conn.execute(select(_r.status).where(*where)).scalar_one_or_none()
    return status


def take_abandoned(tx: LedgerTransaction, before: float) -> list[ResponseRow]:
    """Takes over the background responses whose process was last seen `before`."""
    where = (_r.background == 1, _r.status.in_(RUNNING), _r.seen < before)
    rows = [_response(row._asdict()) for row in tx.conn.execute(select(response_t).where(*where))]
    taken = []
    for row in rows:
        mine = tx.conn.execute(
            response_t.update()
            .where(_r.response_id == row.response_id, _r.seen == row.seen)
            .values(seen=tx.now)
        )
        if mine.rowcount == 1:
            taken.append(row)
    return taken


def delete_response(tx: LedgerTransaction, account: str, response_id: str) -> str | None:
    """Deletes a response. Returns its thread if nothing else needs that, so that it can go too."""
    row = find_response(tx, account, response_id)
    if row is None:
        return None
    tx.conn.execute(response_t.delete().where(_r.response_id == response_id, _r.account == account))
    return row.thread if _is_free(tx, row.thread) else None


def old_threads(tx: LedgerTransaction, before: float) -> list[str]:
    """Deletes the responses of before a time, and returns the threads that nothing needs then."""
    old = _r.created < before
    threads = tx.conn.execute(select(_r.thread).where(old).distinct()).scalars().all()
    tx.conn.execute(response_t.delete().where(old))
    return [thread for thread in threads if _is_free(tx, thread)]


def add_conversation(tx: LedgerTransaction, row: ConversationRow) -> None:
    """Stores a new conversation."""
    tx.conn.execute(
        conversation_t.insert(), {**row._asdict(), "metadata": json.dumps(row.metadata)}
    )


def find_conversation(
    tx: LedgerTransaction, account: str, conversation_id: str
) -> ConversationRow | None:
    """Returns the conversation, or None if the account has none with this id."""
    found = tx.conn.execute(
        select(conversation_t).where(_c.conversation_id == conversation_id, _c.account == account)
    ).one_or_none()
    if found is None:
        return None
    values = found._asdict()
    return ConversationRow(**{**values, "metadata": json.loads(values["metadata"])})


def delete_conversation(tx: LedgerTransaction, account: str, conversation_id: str) -> str | None:
    """Deletes a conversation. Returns its thread if no response needs that."""
    row = find_conversation(tx, account, conversation_id)
    if row is None:
        return None
    tx.conn.execute(
        conversation_t.delete().where(_c.conversation_id == conversation_id, _c.account == account)
    )
    return row.thread if _is_free(tx, row.thread) else None


def _is_free(tx: LedgerTransaction, thread: str) -> bool:
    for table in (response_t, conversation_t):
        if tx.conn.execute(select(table.c.thread).where(table.c.thread == thread)).first():
            return False
    return True


def _response(values: Mapping[str, Any]) -> ResponseRow:
    lists = {
        name: None if values[name] is None else tuple(json.loads(values[name]))
        for name in ("scopes", "models")
    }
    return ResponseRow(
        **{
            **values,
            **lists,
            "stored": bool(values["stored"]),
            "continued": bool(values["continued"]),
            "background": bool(values["background"]),
            "request": json.loads(values["request"]),
            "body": None if values["body"] is None else json.loads(values["body"]),
        }
    )
