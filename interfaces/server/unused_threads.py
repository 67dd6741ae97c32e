"""Threads whose messages are to be deleted: operations for `LedgerStore`.

Requests and conversations are rows beside the ledger; the messages of their threads are with the
checkpointer, perhaps in another database. A thread is noted here in the transaction that deletes
the last row that needs it, so that its messages are deleted even if the process ends in between, or
if the checkpointer's database does not answer.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from sqlalchemy import select

from turngraph.billing.store.transaction import INSERT, LedgerTransaction
from turngraph.interfaces.server.tables import conversation_t, response_t, unused_thread_t

__all__ = ["note_deleted", "note_unused", "unused_among", "unused_threads"]

_u = unused_thread_t.c
_AT_ONCE: Final = 500
"""How many threads one statement names: a database takes so and so many parameters at most."""


def note_unused(tx: LedgerTransaction, threads: Sequence[str]) -> list[str]:
    """Notes the unused ones among `threads`, and returns them."""
    unused = unused_among(tx, threads)
    insert = INSERT[tx.conn.dialect.name](unused_thread_t).on_conflict_do_nothing()
    if unused:
        tx.conn.execute(insert, [{"thread": thread} for thread in unused])
    return unused


def unused_threads(tx: LedgerTransaction) -> list[str]:
    """The threads whose messages are still to be deleted. One that has come into use since, because
    a request with its `Idempotency-Key` was sent again, is none of them any more.
    """
    noted = tx.conn.execute(select(_u.thread)).scalars().all()
    unused = unused_among(tx, noted)
    for thread in {*noted}.difference(unused):
        note_deleted(tx, thread)
    return unused


def note_deleted(tx: LedgerTransaction, thread: str) -> None:
    """Notes that the messages of a thread need not be deleted any more."""
    tx.conn.execute(unused_thread_t.delete().where(_u.thread == thread))


def unused_among(tx: LedgerTransaction, threads: Sequence[str]) -> list[str]:
    """Those of `threads` that no request and no conversation needs."""
    named = [*dict.fromkeys(threads)]
    parts = [named[n : n + _AT_ONCE] for n in range(0, len(named), _AT_ONCE)]
    return [thread for part in parts for thread in _unused(tx, part)]


def _unused(tx: LedgerTransaction, threads: list[str]) -> Iterable[str]:
    for table in (response_t, conversation_t):
        needed = select(table.c.thread).where(table.c.thread.in_(threads))
        used = {*tx.conn.execute(needed).scalars()}
        threads = [thread for thread in threads if thread not in used]
    return threads
