"""Creates, finds, rotates and revokes API keys: operations for `LedgerStore.run` and `read`."""

import json
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import Row, or_, select, update

from turngraph.billing.store.transaction import LedgerTransaction
from turngraph.interfaces.server.caller import Scope
from turngraph.interfaces.server.keys.records import KeyRecord
from turngraph.interfaces.server.keys.secret_keys import hash_of, new_key, new_key_id
from turngraph.interfaces.server.tables import key_t
from turngraph.state.errors import TurnValueError

__all__ = [
    "FoundKey",
    "NewKey",
    "create_key",
    "find_key",
    "has_keys",
    "list_keys",
    "mark_used",
    "revoke_key",
    "rotate_key",
]

MARK_USED_EVERY_S: Final = 60.0
"""The least seconds between two writes of when a key was last used."""


class NewKey(NamedTuple):
    """A key that was just made. `key` is shown to its owner once, and is stored nowhere."""

    record: KeyRecord
    key: str


class FoundKey(NamedTuple):
    """A stored key, with the hashes that a sent key is compared with."""

    record: KeyRecord
    secret_sha256: str
    previous_sha256: str | None


def create_key(
    tx: LedgerTransaction,
    *,
    account: str,
    name: str,
    scopes: Sequence[Scope],
    models: Sequence[str] | None,
    valid_s: float | None,
) -> NewKey:
    """Stores a new key for `account`, valid for `valid_s` seconds; None is without end.

    Raises TurnValueError where a value cannot be used.
    """
    if not account or len(account) > 200 or not account.isprintable():
        raise TurnValueError("An account is 1 to 200 printable characters.")
    if len(name) > 200 or not name.isprintable():
        raise TurnValueError("The name of a key is at most 200 printable characters.")
    if not scopes:
        raise TurnValueError("A key needs at least one scope; without, it can do nothing.")
    if valid_s is not None and valid_s <= 0:
        raise TurnValueError("A key must be valid for some time.")
    key_id = new_key_id()
    key = new_key(key_id)
    values = {
        "key_id": key_id,
        "account": account,
        "name": name,
        "secret_sha256": hash_of(key),
        "scopes": json.dumps(sorted(set(scopes))),
        "models": None if models is None else json.dumps(sorted(set(models))),
        "created": tx.now,
        "expires": None if valid_s is None else tx.now + valid_s,
    }
    tx.conn.execute(key_t.insert(), values)
    return NewKey(_get(tx, key_id), key)


def find_key(tx: LedgerTransaction, key_id: str) -> FoundKey | None:
    """Returns the key with this id, revoked and expired ones too; None if there is none."""
    row = tx.conn.execute(select(key_t).where(key_t.c.key_id == key_id)).first()
    if row is None:
        return None
    return FoundKey(_record_from(row), row.secret_sha256, row.previous_sha256)


def has_keys(tx: LedgerTransaction) -> bool:
    """Returns whether a key was ever created; revoked and expired ones count."""
    return tx.conn.execute(select(key_t.c.key_id).limit(1)).first() is not None


def list_keys(tx: LedgerTransaction, account: str | None = None) -> list[KeyRecord]:
    """Returns the keys of one account or of all, by account, the oldest first."""
    query = select(key_t).order_by(key_t.c.account, key_t.c.created, key_t.c.key_id)
    if account is not None:
        query = query.where(key_t.c.account == account)
    return [_record_from(row) for row in tx.conn.execute(query)]


def revoke_key(tx: LedgerTransaction, key_id: str) -> KeyRecord:
    """Ends a key for good. Raises TurnValueError if there is no such key."""
    never = (key_t.c.key_id == key_id, key_t.c.revoked.is_(None))
    tx.conn.execute(update(key_t).where(*never).values(revoked=tx.now))
    return _get(tx, key_id)


def rotate_key(tx: LedgerTransaction, key_id: str, *, grace_s: float) -> NewKey:
    """Gives a key a new secret. The one before is accepted for another `grace_s` seconds.

    The id stays, and with it budgets, rate limits and reports. A secret that was still accepted
    from an earlier rotation ends at once. Raises TurnValueError if the key is not active.
    """
    if grace_s < 0:
        raise TurnValueError("The time for which the earlier secret is accepted is below 0.")
    record = _get(tx, key_id)
    if (status := record.status(tx.now)) != "active":
        raise TurnValueError(f"The key `{key_id}` is {status}. Create a new one.")
    key = new_key(key_id)
    tx.conn.execute(
        update(key_t)
        .where(key_t.c.key_id == key_id)
        .values(
            previous_sha256=key_t.c.secret_sha256,
            previous_until=tx.now + grace_s,
            secret_sha256=hash_of(key),
        )
    )
    return NewKey(_get(tx, key_id), key)


def mark_used(tx: LedgerTransaction, key_id: str) -> None:
    """Writes that a key is used now, at most once a minute."""
    before = tx.now - MARK_USED_EVERY_S
    due = or_(key_t.c.last_used.is_(None), key_t.c.last_used < before)
    tx.conn.execute(update(key_t).where(key_t.c.key_id == key_id, due).values(last_used=tx.now))


def _get(tx: LedgerTransaction, key_id: str) -> KeyRecord:
    found = find_key(tx, key_id)
    if found is None:
        raise TurnValueError(
            f"There is no key `{key_id[:40]}`. `turngraph keys list` prints the ids of all keys."
        )
    return found.record


def _record_from(row: Row[Any]) -> KeyRecord:
    values = {name: getattr(row, name) for name in KeyRecord._fields}
    models = None if row.models is None else tuple(json.loads(row.models))
    return KeyRecord(**{**values, "scopes": tuple(json.loads(row.scopes)), "models": models})
