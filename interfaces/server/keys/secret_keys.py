"""What an API key looks like: `tg-`, its id, and 256 random bits.

A key is stored as its SHA-256 alone. Hashes for passwords, such as Argon2, are slow so that nobody
can try all likely passwords. There are no likely keys among 2^256 random ones, so a slow hash would
protect nothing, and would be paid for with every request.
"""

import hashlib
import hmac
import re
import secrets
from typing import Final

__all__ = ["hash_of", "is_same", "key_id_of", "new_key", "new_key_id"]

_ID_BYTES: Final = 6
_SECRET_BYTES: Final = 32
# `token_urlsafe` writes 32 bytes as 43 characters.
_KEY: Final = re.compile(r"tg-([0-9a-f]{12})-[A-Za-z0-9_-]{43}")


def new_key_id() -> str:
    """Returns a random id for a key. It is no secret: lists, logs and the ledger show it."""
    return secrets.token_hex(_ID_BYTES)


def new_key(key_id: str) -> str:
    """Returns a new secret for the key with this id, whole, as a client sends it."""
    return f"tg-{key_id}-{secrets.token_urlsafe(_SECRET_BYTES)}"


def key_id_of(key: str) -> str | None:
    """Returns the id that stands in a key; None if this is not a key of this server.

    >>> key_id_of(new_key("0123456789ab")), key_id_of("sk-of-a-vendor")
    ('0123456789ab', None)
    """
    match = _KEY.fullmatch(key)
    return match[1] if match else None


def hash_of(key: str) -> str:
    """Returns the SHA-256 of a whole key, in hexadecimal."""
    return hashlib.sha256(key.encode()).hexdigest()


def is_same(hashed: str, stored: str | None) -> bool:
    """Compares two hashes in a time that does not depend on where they differ."""
    return hmac.compare_digest(hashed, stored or "")
