"""The rows of conversations that clients have created: operations for `LedgerStore`.

Every one of them names the account, so that no account finds what another one has stored.
"""

import json
from typing import NamedTuple

from sqlalchemy import select, tuple_

from turngraph.billing.store.transaction import LedgerTransaction
from turngraph.interfaces.server.request_rows import ResponseRow, is_storable, row_from
from turngraph.interfaces.server.tables import conversation_t, response_t
from turngraph.interfaces.server.unused_threads import note_unused
from turngraph.state.json_types import JsonObject

__all__ = [
    "ConversationRow",
    "add_conversation",
    "delete_conversation",
    "find_conversation",
    "responses_in",
]

_c = conversation_t.c


class ConversationRow(NamedTuple):
    """A conversation as it is stored."""

    conversation_id: str
    account: str
    thread: str
    created: float
    metadata: JsonObject


def add_conversation(tx: LedgerTransaction, row: ConversationRow) -> None:
    """Stores a new conversation."""
    tx.conn.execute(
        conversation_t.insert(), {**row._asdict(), "metadata": json.dumps(row.metadata)}
    )


def find_conversation(
    tx: LedgerTransaction, account: str, conversation_id: str
) -> ConversationRow | None:
    """Returns the conversation, or None if the account has none with this id."""
    if not is_storable(conversation_id):
        return None
    found = tx.conn.execute(
        select(conversation_t).where(_c.conversation_id == conversation_id, _c.account == account)
    ).one_or_none()
    if found is None:
        return None
    values = found._asdict()
    return ConversationRow(**{**values, "metadata": json.loads(values["metadata"])})


def delete_conversation(
    tx: LedgerTransaction, account: str, conversation_id: str
) -> list[str] | None:
    """Deletes a conversation. Returns its thread if no response needs that; None if there is no
    such conversation any more: of several that delete it, one has done it.
    """
    row = find_conversation(tx, account, conversation_id)
    if row is None:
        return None
    deleted = tx.conn.execute(
        conversation_t.delete().where(_c.conversation_id == conversation_id, _c.account == account)
    )
    return note_unused(tx, [row.thread]) if deleted.rowcount else None


def responses_in(
    tx: LedgerTransaction,
    conversation: ConversationRow,
    *,
    behind: ResponseRow | None,
    is_descending: bool,
    count: int,
) -> list[ResponseRow]:
    """The first `count` stored responses of a conversation; of those that come behind one."""
    r = response_t.c
    place = tuple_(r.created, r.response_id)
    which = [r.account == conversation.account, r.thread == conversation.thread, r.stored == 1]
    if behind is not None:
        there = tuple_(behind.created, behind.response_id)
        which.append(place < there if is_descending else place > there)
    order = [r.created, r.response_id]
    found = tx.conn.execute(
        select(response_t)
        .where(*which)
        .order_by(*(column.desc() if is_descending else column for column in order))
        .limit(count)
    )
    return [row_from(each._asdict()) for each in found]
