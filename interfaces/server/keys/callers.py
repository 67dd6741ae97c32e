"""Tells from a request's headers which key it was sent with, and who that is."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from turngraph.interfaces.server.caller import Caller
from turngraph.interfaces.server.errors import ServerError
from turngraph.interfaces.server.keys.operations import (
    MARK_USED_EVERY_S,
    FoundKey,
    find_key,
    mark_used,
)
from turngraph.interfaces.server.keys.secret_keys import hash_of, is_same, key_id_of
from turngraph.interfaces.server.recency import is_recent
from turngraph.interfaces.server.tables import create_server_tables

if TYPE_CHECKING:
    from turngraph.billing.store.ledger_store import LedgerStore

__all__ = ["REVOKED_WITHIN_S", "KeyCallers", "sent_key"]

REVOKED_WITHIN_S: Final = 5.0
"""How many seconds a process remembers a key that it has read. A key that was revoked elsewhere is
refused after at most this time.
"""


class KeyCallers:
    """The `Callers` of a server with API keys, which stand in the database of its ledger.

    The tables are created when the object is made.
    """

    def __init__(self, store: "LedgerStore") -> None:
        self._store = store
        self._known: dict[str, tuple[float, FoundKey]] = {}
        self._marked: dict[str, float] = {}
        store.run(create_server_tables)

    async def identify(self, headers: Mapping[str, str]) -> Caller:
        """Returns who sent a request with these headers (names in lower case).

        Raises ServerError (401) if there is no key, or it is unknown, expired or revoked. Its text
        never holds what was sent.
        """
        key = sent_key(headers)
        if key is None:
            raise _unauthorized(
                "This server needs an API key. Send it as `Authorization: Bearer tg-…`."
            )
        key_id = key_id_of(key)
        found = None if key_id is None else await self._find(key_id)
        now, hashed = self._store.now(), hash_of(key)
        if found is None or not _fits(hashed, found, now):
            raise _unauthorized("This API key is not one of this server's, or was replaced.")
        record = found.record
        if (status := record.status(now)) != "active":
            raise _unauthorized(f"The API key `{record.key_id}` is {status}. Ask for a new one.")
        self._mark_used(record.key_id, now)
        return Caller(
            account=record.account,
            key_id=record.key_id,
            scopes=frozenset(record.scopes),
            models=None if record.models is None else frozenset(record.models),
        )

    async def _find(self, key_id: str) -> FoundKey | None:
        read_at, found = self._known.get(key_id, (0.0, None))
        if found is not None and is_recent(read_at, self._store.now(), REVOKED_WITHIN_S):
            return found
        found = await self._store.aread(find_key, key_id)
        # Only keys that exist are remembered, so nobody can fill the memory with invented ids.
        if found is not None:
            self._known[key_id] = (self._store.now(), found)
        return found

    def _mark_used(self, key_id: str, now: float) -> None:
        if not is_recent(self._marked.get(key_id, 0.0), now, MARK_USED_EVERY_S):
            self._marked[key_id] = now
            self._store.run_in_background(mark_used, key_id)


def sent_key(headers: Mapping[str, str]) -> str | None:
    """The key that a request was sent with, or None.

    Reads it where OpenAI's clients put it, or those of Azure (`api-key`) and Anthropic.
    """
    scheme, _, token = headers.get("authorization", "").partition(" ")
    bearer = token.strip() if scheme.lower() == "bearer" else None
    return bearer or headers.get("api-key") or headers.get("x-api-key")


def _fits(hashed: str, found: FoundKey, now: float) -> bool:
    until = found.record.previous_until
    # Both are always compared, so that the time does not tell which of them was close.
    is_current = is_same(hashed, found.secret_sha256)
    is_previous = is_same(hashed, found.previous_sha256)
    return is_current or (is_previous and until is not None and now < until)


def _unauthorized(message: str) -> ServerError:
    headers = {"www-authenticate": "Bearer"}
    return ServerError(401, message, code="invalid_api_key", headers=headers)
