"""The rows of conversations that clients have created: operations for `LedgerStore`.

Every one of them names the account, so that no account finds what another one has stored.
"""

import json
from typing import NamedTuple

from sqlalchemy import select

from turngraph.billing.store.transaction import LedgerTransaction
from turngraph.interfaces.server.request_rows import free_threads, is_storable
from turngraph.interfaces.server.tables import conversation_t
from turngraph.state.json_types import JsonObject

__all__ = ["ConversationRow", "add_conversation", "delete_conversation", "find_conversation"]

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
    return free_threads(tx, [row.thread]) if deleted.rowcount else None
