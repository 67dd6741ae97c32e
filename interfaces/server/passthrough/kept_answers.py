"""The answers to requests with an `Idempotency-Key`, kept so that a repeated request gets the same.

A key belongs to an account. While its request is on its way, and once its answer has come whole,
the same request is not sent to the vendor again. A request that brought no whole answer frees its
key: what is sent with it then is a new request.
"""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from hashlib import sha256
from typing import Any, Final, NamedTuple

from sqlalchemy import delete, select, update

from turngraph.billing.store.ledger_store import LedgerStore
from turngraph.billing.store.transaction import LedgerTransaction
from turngraph.interfaces.server.errors import ServerError
from turngraph.interfaces.server.passthrough.metering import ForwardedRequest
from turngraph.interfaces.server.tables import forwarded_t

__all__ = ["KeptAnswer", "KeyClaim", "claim_key", "forget_answers"]

RENEWED_EVERY_S: Final = 5.0
"""How often a process says that a request with a key is still on its way."""
ABANDONED_S: Final = 30.0
"""After how long without that its process counts as dead, and the key may be used again."""
KEPT_BYTES: Final = 20_000_000
"""The longest answer that is kept. A longer one frees its key."""

_f = forwarded_t.c


class KeptAnswer(NamedTuple):
    """A vendor's whole answer, as its client got it."""

    status: int
    headers: dict[str, str]
    content: bytes


class KeyClaim:
    """The right to send the one request of an `Idempotency-Key`, and the answer as it comes."""

    def __init__(self, store: LedgerStore, key_sha: str, claim: str) -> None:
        self._store, self._this = store, {"b_key": key_sha, "b_claim": claim}
        self._head: tuple[int, Mapping[str, str]] = (0, {})
        self._pieces: list[bytes] = []
        self._size = 0

    def begin(self, status: int, headers: Mapping[str, str]) -> None:
        """Takes note of what comes before the body of the answer."""
        self._head = status, headers

    def add(self, piece: bytes) -> None:
        """Takes note of the next bytes of the answer."""
        self._size += len(piece)
        if self._size > KEPT_BYTES:
            self._pieces.clear()
        else:
            self._pieces.append(piece)

    @asynccontextmanager
    async def renewed(self) -> AsyncIterator[None]:
        """While the block runs, no other process takes the key for abandoned."""
        task = asyncio.create_task(self._renew())
        try:
            yield
        finally:
            task.cancel()

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(RENEWED_EVERY_S)
            await self._store.arun(_renew, self._this)

    async def end(self, *, whole: bool) -> None:
        """Keeps the answer if it is `whole` and not too long; otherwise frees the key."""
        status, headers = self._head
        if not whole or self._size > KEPT_BYTES:
            await self._store.arun(_free, self._this)
            return
        answer = KeptAnswer(status, dict(headers), b"".join(self._pieces))
        await self._store.arun(_keep, self._this, answer)


async def claim_key(
    store: LedgerStore, account: str, key: str, request: ForwardedRequest, vendor: str
) -> KeyClaim | KeptAnswer:
    """Returns the answer that is kept for an `Idempotency-Key`, or else the right to ask for it.

    Raises ServerError (409) while the request is on its way, and (422) where the key was used for
    another request.
    """
    # Nobody can read a client's key, or another account's, from the database.
    key_sha = sha256(json.dumps([account, key]).encode()).hexdigest()
    request_sha = sha256(f"{vendor} {request.api} ".encode() + request.content).hexdigest()
    claim = uuid.uuid4().hex
    kept = await store.arun(_claim, key_sha, request_sha, claim)
    return KeyClaim(store, key_sha, claim) if kept is None else kept


def forget_answers(tx: LedgerTransaction, before: float) -> None:
    """Deletes the answers whose requests came before a time, in seconds since the epoch."""
    tx.conn.execute(delete(forwarded_t).where(_f.created < before))


def _claim(tx: LedgerTransaction, key_sha: str, request_sha: str, claim: str) -> KeptAnswer | None:
    row = tx.conn.execute(select(forwarded_t).where(_f.key_sha256 == key_sha)).first()
    if row is None:
        # Two processes may both come here. One of them then breaks the primary key, and its
        # transaction is tried again.
        values = {"key_sha256": key_sha, "request_sha256": request_sha, "claim": claim}
        tx.conn.execute(forwarded_t.insert(), {**values, "created": tx.now, "seen": tx.now})
        return None
    if row.request_sha256 != request_sha:
        raise ServerError(
            422,
            "This `Idempotency-Key` was used for another request. Send each request with its own.",
            code="idempotency_key_reused",
        )
    if row.status is not None:
        return KeptAnswer(row.status, json.loads(row.headers), bytes(row.content))
    theirs = (_f.key_sha256 == key_sha, _f.claim == row.claim, _f.seen < tx.now - ABANDONED_S)
    taken = tx.conn.execute(update(forwarded_t).where(*theirs).values(claim=claim, seen=tx.now))
    if taken.rowcount != 1:
        raise ServerError(
            409,
            "The request with this `Idempotency-Key` is on its way. Try again to get its answer.",
            code="turn_is_running",
            headers={"Retry-After": "1"},
        )
    return None


def _renew(tx: LedgerTransaction, this: Mapping[str, str]) -> None:
    tx.conn.execute(update(forwarded_t).where(*_is_open(this)).values(seen=tx.now))


def _keep(tx: LedgerTransaction, this: Mapping[str, str], answer: KeptAnswer) -> None:
    values = {
        "status": answer.status,
        "headers": json.dumps(answer.headers),
        "content": answer.content,
    }
    tx.conn.execute(update(forwarded_t).where(*_is_open(this)).values(**values))


def _free(tx: LedgerTransaction, this: Mapping[str, str]) -> None:
    tx.conn.execute(delete(forwarded_t).where(*_is_open(this)))


def _is_open(this: Mapping[str, str]) -> tuple[Any, ...]:
    """Whether a row is still this claim's: a process that slept too long has lost it."""
    return (_f.key_sha256 == this["b_key"], _f.claim == this["b_claim"], _f.status.is_(None))
